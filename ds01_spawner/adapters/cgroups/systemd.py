"""The systemd driver: slices, whose bounds systemd keeps and writes.

Bounds written to the files of a slice would be lost at the next `daemon-reload`, so they are set
as runtime properties: https://www.freedesktop.org/software/systemd/man/latest/systemctl.html
"""

import os
import subprocess
from collections.abc import Callable, Sequence

from ds01_spawner.adapters.cgroups.bounds import CPU_PERIOD_US, Bounds
from ds01_spawner.adapters.cgroups.hierarchy import Hierarchy
from ds01_spawner.domain.errors import Unavailable

SUFFIX = ".slice"
_DEADLINE_SECONDS = 20
Systemctl = Callable[[Sequence[str]], None]


class SystemdDriver:
    """`<top>.slice` → `<top>-<group>.slice` → `<top>-<group>-<user>.slice`."""

    def __init__(self, hierarchy: Hierarchy, top: str, systemctl: Systemctl) -> None:
        self._hierarchy = hierarchy
        self._top = top
        self._systemctl = systemctl

    def parent(self, path: str) -> str:
        """The slice's name."""
        return path.rpartition("/")[2]

    def path(self, group: str, user: str) -> str:
        """A slice lies in the slices whose names begin its own."""
        top, middle = f"{self._top}{SUFFIX}", f"{self._top}-{group}{SUFFIX}"
        return f"{top}/{middle}/{self._top}-{group}-{user}{SUFFIX}"

    def people(self) -> Sequence[tuple[str, str]]:
        """Third-level slices below the top."""
        files = self._hierarchy.files
        top = f"{self._top}{SUFFIX}"
        owners = (
            self.owner(f"{top}/{middle}/{leaf}")
            for directory in self._hierarchy.directories(top)
            for middle in files.children(directory)
            for leaf in files.children(directory / middle)
        )
        return tuple(sorted({owner for owner in owners if owner is not None}))

    def levels(self) -> Sequence[str]:
        """Second-level slices below the top, and the top."""
        top = f"{self._top}{SUFFIX}"
        tops = self._hierarchy.directories(top)
        below = sorted({each for place in tops for each in self._hierarchy.files.children(place)})
        groups = (f"{top}/{each}" for each in below if each.endswith(SUFFIX))
        return (*groups, top)

    def owner(self, path: str) -> tuple[str, str] | None:
        """From the name of the third slice."""
        match path.strip("/").split("/"):
            case [top, _, leaf, *_] if top == f"{self._top}{SUFFIX}" and leaf.endswith(SUFFIX):
                match leaf.removesuffix(SUFFIX).split("-"):
                    case [self._top, group, user]:
                        return group, user
        return None

    def exists(self, path: str) -> bool:
        """Whether it lies in any tree: on v1 systemd makes only those that a property needs."""
        return bool(self._hierarchy.directories(path))

    def create(self, path: str) -> None:
        """Start the slice, and with it those above."""
        self._systemctl(["start", self.parent(path)])

    def write(self, path: str, found: Bounds, wanted: Bounds) -> dict[str, str]:
        """Set the properties, all of them: systemd keeps a file for each until reboot.

        On v1 the files are written first: systemd does not know the bound on swap, nor the order
        that the kernel needs, nor that children must be lowered before their parent.
        """
        complaints = {}
        if self._hierarchy.version == 1:
            complaints = self._hierarchy.write(path, found, wanted)
        self._systemctl(["set-property", "--runtime", self.parent(path), *self._properties(wanted)])
        return complaints

    def _properties(self, bounds: Bounds) -> list[str]:
        quota = bounds.cpu_quota_us
        percent = "" if quota is None else f"{quota * 100 // CPU_PERIOD_US}%"
        properties = [
            f"CPUQuota={percent}",
            f"MemoryMax={_or_infinity(bounds.memory)}",
            f"TasksMax={_or_infinity(bounds.pids)}",
        ]
        if self._hierarchy.version == 2:  # noqa: PLR2004 - cgroup v2
            properties += [
                f"MemoryHigh={_or_infinity(bounds.memory_high)}",
                f"MemorySwapMax={_or_infinity(bounds.swap)}",
            ]
        return properties

    def discard(self, path: str) -> bool:
        """Stop the slice when nothing is in it, and forget its properties.

        Stopping a slice stops what runs in it, so emptiness is checked first, and a start that
        systemd has already queued wins.
        """
        files = self._hierarchy.files
        if not self.exists(path):
            return True
        for directory in self._hierarchy.directories(path):
            if files.children(directory) or files.read(directory / "cgroup.procs"):
                return False
        name = self.parent(path)
        self._systemctl(["stop", "--job-mode=fail", name])
        self._systemctl(["revert", name])
        return not self.exists(path)


def run_systemctl(arguments: Sequence[str]) -> None:
    """Run systemctl.

    Raises:
        Unavailable: It is not there, failed or did not answer in time.
    """
    command = ["systemctl", "--no-ask-password", "--quiet", *arguments]
    shown = " ".join(["systemctl", *arguments])
    try:
        done = subprocess.run(  # noqa: S603 - arguments are slugs and numbers
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_SECONDS,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": ""},
        )
    except subprocess.TimeoutExpired as exc:
        raise Unavailable(
            f"`{shown}` did not answer within {_DEADLINE_SECONDS} seconds.",
            "See whether systemd is busy: systemctl list-jobs.",
        ) from exc
    except OSError as exc:
        raise Unavailable(
            f"systemctl cannot be run ({exc.strerror or exc}), but the engine uses systemd's"
            " cgroup driver.",
            "Run DS01 on the host itself, or set the engine's native.cgroupdriver to cgroupfs.",
        ) from exc
    if done.returncode != 0:
        raise Unavailable(
            f"`{shown}` failed with exit code {done.returncode}: {done.stderr.strip()}.",
            "The service that starts containers needs root.",
        )


def _or_infinity(value: int | None) -> str:
    return "infinity" if value is None else str(value)
