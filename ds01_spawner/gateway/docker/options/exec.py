"""What `docker exec` may run, and as whom."""

from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.docker.options.process import absolute_folder, environment_of
from ds01_spawner.gateway.docker.options.user import checked_user, person_user
from ds01_spawner.gateway.docker.reading.go_json import Fields

_MOST_KEYS = 64


def exec_payload(body: bytes, inspected: Mapping[str, Any], account: UnixAccount) -> dict[str, Any]:
    """The body of `POST /containers/{id}/exec` for the engine.

    Args:
        body: The client's.
        inspected: The engine's `GET /containers/{id}/json` of the container, which is the person's.
        account: The person.

    Raises:
        Forbidden: Another user than the container's, or more rights than it has.
        InvalidRequest: Something that makes no sense.
    """
    fields = Fields.of(body)
    if fields.flag("Privileged"):
        raise Forbidden(
            "docker exec --privileged would give a command the whole server.", "Leave it out."
        )
    payload: dict[str, Any] = {
        name: bool(fields.flag(name))
        for name in ("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "Detach")
    }
    payload["User"] = exec_user(fields.text("User"), inspected, account)
    payload["Cmd"] = list(fields.texts("Cmd") or ())
    if not payload["Cmd"]:
        raise InvalidRequest("No command is given.", "Give one: docker exec NAME COMMAND.")
    if environment := environment_of(fields):
        payload["Env"] = environment
    if folder := fields.text("WorkingDir"):
        payload["WorkingDir"] = absolute_folder(folder)
    payload |= _terminal(fields)
    fields.drop("Container", "ExecID")
    fields.finish()
    return payload


def exec_start_payload(body: bytes) -> dict[str, Any]:
    """The body of `POST /exec/{id}/start` for the engine; an empty one says nothing.

    Raises:
        InvalidRequest: Something makes no sense.
        Forbidden: Something is not known.
    """
    fields = Fields.of(body) if body.strip() else Fields(None)
    payload: dict[str, Any] = {
        "Detach": bool(fields.flag("Detach")),
        "Tty": bool(fields.flag("Tty")),
        **_terminal(fields),
    }
    fields.finish()
    return payload


def exec_user(text: str, inspected: Mapping[str, Any], account: UnixAccount) -> str:
    """Who a command runs as: the person, or in a container of an image's user whom they say.

    Raises:
        Forbidden: Somebody else, or the container has more rights than any made here.
    """
    host, config = inspected.get("HostConfig") or {}, inspected.get("Config") or {}
    if host.get("Privileged"):
        raise Forbidden(
            "This container was made outside the platform and has the whole server.",
            "Make a new one in its place.",
        )
    marks = config.get("Labels") or {}
    if marks.get(labels.MANAGED) != "true" or runs_as(account, config.get("User") or ""):
        return person_user(text, account)
    return checked_user(text) if text else ""


def runs_as(account: UnixAccount, user: str) -> bool:
    """Whether a container's user is the person."""
    return user.partition(":")[0] in {account.name, str(account.uid)}


def _terminal(fields: Fields) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if keys := fields.text("DetachKeys"):
        if len(keys) > _MOST_KEYS:
            raise InvalidRequest(f"{shown(keys)} cannot be pressed.", "Use one such as ctrl-p.")
        payload["DetachKeys"] = keys
    size = fields.take("ConsoleSize")
    if size is not None:
        if not isinstance(size, list) or [type(each) for each in size] != [int, int]:
            raise InvalidRequest(f"{shown(size)} is not a terminal size.", "Use [HEIGHT, WIDTH].")
        if any(size):
            payload["ConsoleSize"] = size
    return payload
