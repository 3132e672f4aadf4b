"""The right adapter for the engine that runs here."""

from pathlib import Path

from ds01_spawner.adapters.cgroups.cgroupfs import CgroupfsDriver
from ds01_spawner.adapters.cgroups.control_files import ControlFiles, KernelFiles
from ds01_spawner.adapters.cgroups.driver import Driver
from ds01_spawner.adapters.cgroups.hierarchy import Hierarchy
from ds01_spawner.adapters.cgroups.hierarchy_v1 import HierarchyV1
from ds01_spawner.adapters.cgroups.hierarchy_v2 import HierarchyV2
from ds01_spawner.adapters.cgroups.kernel_log import KernelLog
from ds01_spawner.adapters.cgroups.person_cgroups import PersonCgroups
from ds01_spawner.adapters.cgroups.systemd import Systemctl, SystemdDriver, run_systemctl
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports import Cgroups, EngineInfo

DEFAULT_TOP = "ds01"


def open_cgroups(  # noqa: PLR0913 - all but the first have defaults
    info: EngineInfo,
    root: Path = Path("/sys/fs/cgroup"),
    *,
    top: str = DEFAULT_TOP,
    files: ControlFiles | None = None,
    systemctl: Systemctl = run_systemctl,
    log: KernelLog | None = None,
) -> Cgroups:
    """The cgroups below `top`, made the way this engine's driver makes its own.

    Args:
        info: Says driver and cgroup version.
        root: Where the cgroup file systems are mounted.
        top: Name of the top-level cgroup, without hyphens (systemd nests at them).
        files: The control files, for tests.
        systemctl: Runs systemctl, for tests.
        log: The kernel log, for tests.

    Raises:
        Unavailable: The engine uses a driver or version that DS01 does not know.
    """
    if "-" in top or "/" in top:
        raise ValueError(f"The top-level cgroup {top!r} must not hold a hyphen or a slash.")
    kernel = files or KernelFiles()
    hierarchy: Hierarchy
    if info.cgroup_version == 1:
        hierarchy = HierarchyV1(kernel, root)
    elif info.cgroup_version == 2:  # noqa: PLR2004 - cgroup v2
        hierarchy = HierarchyV2(kernel, root)
    else:
        raise _unknown(info)
    driver: Driver
    if info.cgroup_driver == "cgroupfs":
        driver = CgroupfsDriver(hierarchy, top)
    elif info.cgroup_driver == "systemd":
        driver = SystemdDriver(hierarchy, top, systemctl)
    else:
        raise _unknown(info)
    return PersonCgroups(hierarchy, driver, log or KernelLog())


def _unknown(info: EngineInfo) -> Unavailable:
    return Unavailable(
        f"The engine uses the cgroup driver {info.cgroup_driver!r} on cgroup version"
        f" {info.cgroup_version}; DS01 knows cgroupfs and systemd on versions 1 and 2.",
        "Set native.cgroupdriver in /etc/docker/daemon.json and restart the engine.",
    )
