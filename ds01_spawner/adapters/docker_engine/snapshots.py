"""The layers of a container whose image is in containerd: the engine does not tell them.

So it is in new installations from Docker 29 on, and before with `containerd-snapshotter`. An
inspection says `"GraphDriver": {"Data": null, "Name": "overlayfs"}`; containerd is asked by its own
client, `ctr`.
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds01_spawner.domain.errors import Unavailable

_DEADLINE_SECONDS = 10.0
_PLACES = "/usr/local/bin:/usr/bin:/bin"
_SNAPSHOTTER = "overlayfs"


def snapshot_layers(
    inspected: Mapping[str, Any], said: Mapping[str, Any], *, places: str = _PLACES
) -> tuple[Path, ...]:
    """The layers of a container, the topmost first.

    Args:
        inspected: The engine's inspect JSON of it.
        said: What the engine says of itself.
        places: Where programs are looked for.

    Raises:
        Unavailable: Nobody says where they are.
    """
    driver = str((inspected.get("GraphDriver") or {}).get("Name") or "")
    containerd = said.get("Containerd") or {}
    namespace = (containerd.get("Namespaces") or {}).get("Containers")
    program = shutil.which("ctr", path=places)
    if driver != _SNAPSHOTTER or not namespace or program is None:
        raise _unknown(driver)
    command = [
        *(program, "--address", str(containerd.get("Address")), "--namespace", str(namespace)),
        *("snapshots", "--snapshotter", driver, "mounts", "/", str(inspected["Id"])),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - what the engine says of itself
            command, capture_output=True, text=True, check=False, timeout=_DEADLINE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _unknown(driver) from exc
    layers = layers_of_mount(done.stdout) if done.returncode == 0 else ()
    if not layers:
        raise _unknown(driver)
    return layers


def layers_of_mount(text: str) -> tuple[Path, ...]:
    """The layers in what `ctr snapshots mounts` prints; none where it is no overlay. Pure.

    It is one command: `mount -t overlay overlay / -o workdir=W,upperdir=U,lowerdir=L1:L2`.
    """
    command, _, options = text.strip().rpartition(" -o ")
    pairs = (each.partition("=") for each in options.split(","))
    values = {name: value for name, _, value in pairs}
    upper, lower = values.get("upperdir"), values.get("lowerdir")
    if not command.startswith("mount -t overlay ") or "\n" in command or not upper or not lower:
        return ()
    return tuple(Path(each) for each in (upper, *lower.split(":")))


def _unknown(driver: str) -> Unavailable:
    return Unavailable(
        "Containers cannot be started: the engine does not say where their files are, so nobody "
        f"can look where links in them lead (storage driver {driver or 'unknown'}).",
        "Ask an administrator: it works with overlay2, and from Docker 27 on with overlayfs in "
        "containerd, where containerd's program ctr is installed.",
    )
