"""What a client wants run: command, environment, terminal, health check, signals, bounds, logs."""

import re
from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain.closed_places import check_working_dir
from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.units import parse_size
from ds01_spawner.gateway.docker.options.ports import checked_port
from ds01_spawner.gateway.docker.options.ulimits import asked_ulimits
from ds01_spawner.gateway.docker.reading.go_json import Fields

MOST_RESTARTS = 5
LONGEST_STOP_SECONDS = 300
_OURS = "DS01_"
_SIGNAL = re.compile(r"^(?:\d{1,2}|[A-Za-z]{1,12}\d?(?:[+-]\d{1,2})?)\Z", re.ASCII)
_HOSTNAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?\Z", re.ASCII)
_SECOND = 10**9
_SHORTEST_CHECK = _SECOND
_LOG_TYPES = frozenset({"", "json-file", "local", "none"})
_LOG_OPTIONS = frozenset(
    {"max-size", "max-file", "compress", "mode", "max-buffer-size", "labels", "labels-regex"}
    | {"env", "env-regex", "tag"}
)


def process_wishes(config: Fields) -> dict[str, Any]:
    """What of `Config` is about the process, in the engine's words; only what was said.

    Raises:
        InvalidRequest: Something makes no sense.
        Forbidden: A stop would take too long.
    """
    wishes: dict[str, Any] = {}
    for name in ("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"):
        if (flag := config.flag(name)) is not None:
            wishes[name] = flag
    for name in ("Cmd", "Entrypoint", "Shell"):
        if (words := config.texts(name)) is not None:
            wishes[name] = list(words)
    if environment := environment_of(config):
        wishes["Env"] = environment
    return wishes | _place(config) | _ending(config)


def host_wishes(host: Fields) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What of `HostConfig` is about the process, and what the client should be told about it.

    Raises:
        Forbidden: A restart policy, a resource bound or a log driver that escapes the platform.
        InvalidRequest: Something makes no sense.
    """
    wishes: dict[str, Any] = {
        "ReadonlyRootfs": bool(host.flag("ReadonlyRootfs")),
        "AutoRemove": bool(host.flag("AutoRemove")),
        "Init": bool(host.flag("Init")),
    }
    policy, told = restart_policy(host.inner("RestartPolicy"))
    if policy is not None:
        wishes["RestartPolicy"] = policy
    if ulimits := asked_ulimits(host):
        wishes["Ulimits"] = ulimits
    log, told_of_log = _log_config(host.inner("LogConfig"))
    if log is not None:
        wishes["LogConfig"] = log
    return wishes, (*told, *told_of_log)


def environment_of(fields: Fields) -> list[str]:
    """The client's variables; those that the platform sets in its own name are not among them.

    Raises:
        InvalidRequest: One has no name.
    """
    entries = fields.texts("Env") or ()
    if bad := [entry for entry in entries if not entry.partition("=")[0]]:
        raise InvalidRequest(
            f"The variable {shown(bad[0])} has no name.", "Write it as NAME=value."
        )
    return [entry for entry in entries if not entry.startswith(_OURS)]


def restart_policy(fields: Fields) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """A policy that ends, `None` where nothing is said, and what the client should be told.

    Raises:
        Forbidden: It would start a container again and again, past its limits.
        InvalidRequest: There is no such policy.
    """
    name, count = fields.text("Name"), fields.number("MaximumRetryCount") or 0
    fields.finish()
    if name in {"always", "unless-stopped"}:
        raise Forbidden(
            f"--restart {name} would start a container again after the platform has stopped it.",
            f"Use --restart on-failure:{MOST_RESTARTS} (Compose: restart: on-failure), or leave it "
            "out.",
        )
    if name not in {"", "no", "on-failure"} or count < 0 or (count and name != "on-failure"):
        raise InvalidRequest(
            f"There is no restart policy {shown(name)} with {count} retries.",
            f"Use no or on-failure:{MOST_RESTARTS}.",
        )
    if not name:
        return None, ()
    if name == "no":
        return {"Name": "no"}, ()
    kept = {"Name": name, "MaximumRetryCount": min(count or MOST_RESTARTS, MOST_RESTARTS)}
    if 1 <= count <= MOST_RESTARTS:
        return kept, ()
    return kept, (f"A container is restarted on failure at most {MOST_RESTARTS} times.",)


def check_restart_policy(host: Mapping[str, Any]) -> None:
    """Return when a container with folders of the server may have the restart policy in `host`.

    Raises:
        Forbidden: The engine would start it again, and nobody would look at its folders.
    """
    if (host.get("RestartPolicy") or {}).get("Name") == "on-failure":
        raise Forbidden(
            "--restart on-failure is not available with folders of the server: each start looks at "
            "them anew, which the engine does not.",
            "Leave it out, or use volumes.",
        )


def checked_signal(text: str) -> str:
    """`text`, when it can be a signal.

    Raises:
        InvalidRequest: It cannot.
    """
    if not _SIGNAL.match(text):
        raise InvalidRequest(f"{shown(text)} is not a signal.", "Use one such as SIGTERM.")
    return text


def log_config(wish: dict[str, Any] | None, largest_bytes: int) -> dict[str, Any]:
    """Docker's `LogConfig` within `largest_bytes`; `wish` is as `host_wishes` gave it."""
    kind = (wish or {}).get("Type", "json-file")
    if kind == "none":
        return {"Type": "none", "Config": {}}
    size = min((wish or {}).get("MaxSize", largest_bytes), largest_bytes)
    config = {"max-size": str(size), "max-file": "1"}
    # One file cannot be a compressed one, which is what `local` would make.
    return {"Type": kind, "Config": config | ({"compress": "false"} if kind == "local" else {})}


def _place(config: Fields) -> dict[str, Any]:
    wishes: dict[str, Any] = {}
    if folder := config.text("WorkingDir"):
        wishes["WorkingDir"] = absolute_folder(folder)
    for name in ("Hostname", "Domainname"):
        if text := config.text(name):
            if not _HOSTNAME.match(text):
                raise InvalidRequest(
                    f"{shown(text)} cannot be a host name.", "Use letters, digits and hyphens."
                )
            wishes[name] = text
    if exposed := config.entries("ExposedPorts"):
        wishes["ExposedPorts"] = {checked_port(port): {} for port in exposed}
    return wishes


def _ending(config: Fields) -> dict[str, Any]:
    wishes: dict[str, Any] = {}
    if signal := config.text("StopSignal"):
        wishes["StopSignal"] = checked_signal(signal)
    if (seconds := config.number("StopTimeout")) is not None:
        wishes["StopTimeout"] = _stop_timeout(seconds)
    if check := _health_check(config.inner("Healthcheck")):
        wishes["Healthcheck"] = check
    return wishes


def _log_config(fields: Fields) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    kind, options = fields.text("Type"), fields.text_entries("Config")
    fields.finish()
    unknown = [name for name in options if name not in _LOG_OPTIONS]
    if kind not in _LOG_TYPES or unknown:
        raise Forbidden(
            f"--log-driver {shown(kind)} with {', '.join(map(shown, unknown)) or 'no options'} "
            "would send logs past the platform.",
            "Use json-file, local or none, with max-size alone.",
        )
    if not kind and not options:
        return None, ()
    wish: dict[str, Any] = {"Type": kind or "json-file"}
    if size := options.get("max-size"):
        wish["MaxSize"] = _log_size(size)
    told = sorted(options.keys() - {"max-size"})
    warning = f"Log options that the platform sets itself are ignored: {', '.join(told)}."
    return wish, (warning,) if told else ()


def _log_size(text: str) -> int:
    try:
        size = parse_size(text if text[-1].isalpha() else f"{text}b")
    except ValueError as exc:
        raise InvalidRequest(f"The log option max-size={shown(text)}: {exc}.") from exc
    if size < 1:
        raise InvalidRequest("A log cannot have a max-size of 0.", "Use max-size=1m or more.")
    return size


def absolute_folder(folder: str) -> str:
    """`folder`, when it is an absolute path.

    Raises:
        InvalidRequest: It is not.
        Forbidden: It is the kernel's.
    """
    if not folder.startswith("/"):
        raise InvalidRequest(
            f"The working directory {shown(folder)} is not an absolute path.", "Begin it with /."
        )
    check_working_dir(folder)
    return folder


def _stop_timeout(seconds: int) -> int:
    if not 0 <= seconds <= LONGEST_STOP_SECONDS:
        raise Forbidden(
            f"A stop timeout of {seconds} s is not possible here.",
            f"Ask for 0 to {LONGEST_STOP_SECONDS} s.",
        )
    return seconds


def _health_check(fields: Fields) -> dict[str, Any]:
    test = fields.texts("Test")
    check: dict[str, Any] = {} if test is None else {"Test": list(test)}
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        value = fields.number(name) or 0
        if value and value < _SHORTEST_CHECK:
            raise InvalidRequest(
                f"A health check's {name} cannot be {value} ns.", "Use 1 s or longer."
            )
        if value:
            check[name] = value
    retries = fields.number("Retries") or 0
    if retries < 0:
        raise InvalidRequest(f"A health check cannot have {retries} retries.")
    if retries:
        check["Retries"] = retries
    fields.finish()
    return check
