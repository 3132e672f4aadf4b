"""From what the API is asked for to the body that Docker's door reads. Pure."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ds01_spawner.client.models import CreateRequest
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import check_name, check_project, shown
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.request import GpuKind, GpuRequest
from ds01_spawner.domain.units import parse_duration

WORKSPACE = "/workspace"
DATA = "/data"
LONGEST_WAIT = timedelta(hours=24)
IDLE = ("sleep", "infinity")
"""What a container without a command of its own runs; its init passes signals on and reaps."""

_PARTS = (2, 3)
_MODES = frozenset({(), ("ro",), ("rw",)})


def create_body(
    wanted: CreateRequest, image: str, account: UnixAccount, *, as_image_user: bool
) -> bytes:
    """The body of Docker's `POST /containers/create`.

    Args:
        wanted: What was asked for.
        image: The image, as Docker's door takes it.
        account: The person.
        as_image_user: Whether their containers run as the image's user, without any folder.

    Raises:
        InvalidRequest: Something makes no sense.
    """
    body: dict[str, Any] = {
        "Image": image,
        "Hostname": "" if wanted.name is None else check_name(wanted.name),
        "Labels": _labels(wanted),
        "Env": [_variable(name, value) for name, value in wanted.environment.items()],
        "HostConfig": {
            "Init": True,
            "Mounts": [*_mounts(wanted, account, as_image_user=as_image_user)],
            **_devices(wanted),
        },
    }
    if wanted.command is None:
        # Instead of the image's entry point, which would take it for its own arguments.
        body |= {"Entrypoint": [IDLE[0]], "Cmd": list(IDLE[1:])}
    else:
        body["Cmd"] = list(wanted.command)
    if folder := _working_dir(wanted, account, as_image_user=as_image_user):
        body["WorkingDir"] = folder
    return json.dumps(body).encode()


def gpu_count(wanted: CreateRequest) -> int:
    """How many slots are asked for."""
    size = _size(wanted)
    if size is not None and GpuRequest.parse(size).kind is GpuKind.NONE:
        return 0
    return wanted.gpus or (1 if size is not None else 0)


def wait_of(wanted: CreateRequest) -> timedelta | None:
    """How long to wait; `None`: not at all.

    Raises:
        InvalidRequest: It is no duration, or longer than anybody may wait.
    """
    if not wanted.wait:
        return None
    try:
        wait = parse_duration(wanted.wait)
    except ValueError as exc:
        raise InvalidRequest(
            f"{shown(wanted.wait)} is not a time to wait.", "Write it as 15m or 4h."
        ) from exc
    if wait > LONGEST_WAIT:
        raise InvalidRequest("Waiting is limited to 24 hours.", "Wait for 24h or less.")
    return wait or None


def _size(wanted: CreateRequest) -> str | None:
    if not wanted.gpu:
        return None
    GpuRequest.parse(wanted.gpu)
    return wanted.gpu


def _labels(wanted: CreateRequest) -> Mapping[str, str]:
    found = {}
    if size := _size(wanted):
        found[labels.WISH_GPU] = size
    if wait_of(wanted) is not None:
        found[labels.WISH_WAIT] = str(wanted.wait)
    if wanted.project is not None:
        found[labels.PROJECT] = check_project(wanted.project)
    return found


def _devices(wanted: CreateRequest) -> Mapping[str, Any]:
    count = gpu_count(wanted)
    if not count:
        return {}
    return {"DeviceRequests": [{"Driver": "", "Count": count, "Capabilities": [["gpu"]]}]}


def _variable(name: str, value: str) -> str:
    if "=" in name or not name.isprintable():
        raise InvalidRequest(f"{shown(name)} cannot name a variable.", "Write it as NAME=value.")
    return f"{name}={value}"


def _mounts(
    wanted: CreateRequest, account: UnixAccount, *, as_image_user: bool
) -> list[dict[str, Any]]:
    """Each folder once; what is not there is refused rather than made: it may be mistyped."""
    found = []
    if wanted.keep_home and not as_image_user:
        found.append(_mount(account.home, account.home))
    if wanted.workspace is not None:
        found.append(_mount(_path(wanted.workspace, account), WORKSPACE))
    if wanted.data is not None:
        found.append(_mount(_path(wanted.data, account), DATA))
    for folder in wanted.folders:
        parts = folder.split(":")
        if len(parts) not in _PARTS or not all(parts) or tuple(parts[2:]) not in _MODES:
            raise InvalidRequest(
                f"The folder {shown(folder)} cannot be read.", "Write it as FOLDER:/place[:ro]."
            )
        source = _path(parts[0], account)
        found.append(_mount(source, parts[1], read_only=parts[2:] == ["ro"]))
    return found


def _mount(source: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}


def _path(text: str, account: UnixAccount) -> str:
    """An absolute path: `~` is the person's home, and what is relative begins there."""
    if text.startswith("/"):
        return text
    if text.startswith("~") and text[1:2] not in {"", "/"}:
        raise InvalidRequest(
            f"{shown(text)}: only your own home can be written as ~.", "Begin the path with /."
        )
    rest = text.removeprefix("~").strip("/")
    return f"{account.home}/{rest}" if rest else account.home


def _working_dir(wanted: CreateRequest, account: UnixAccount, *, as_image_user: bool) -> str:
    """Where it begins; empty for where the image says."""
    if wanted.workspace is not None:
        return WORKSPACE
    return account.home if wanted.keep_home and not as_image_user else ""
