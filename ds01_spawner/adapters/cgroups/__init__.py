"""Per-person cgroups: cgroupfs and systemd drivers, on cgroup v1 and v2.

`hierarchy_v1` and `hierarchy_v2` know the kernel's files; `cgroupfs` and `systemd` know how a
cgroup is made and named. Standard library only, so that it runs on a bare host.
"""

from ds01_spawner.adapters.cgroups.opening import open_cgroups

__all__ = ["open_cgroups"]
