"""What containers do, from the kernel's own files: cgroups and /proc.

`locating` finds a container's cgroup, `members` tells who in it came from outside, `probe` counts,
`processes` reaches its terminals and sends signals, `usage` reads what it takes. Standard library
and ports only.
"""

from ds01_spawner.adapters.activity.probe import KernelActivity
from ds01_spawner.adapters.activity.processes import KernelProcesses
from ds01_spawner.adapters.activity.usage import KernelUsage

__all__ = ["KernelActivity", "KernelProcesses", "KernelUsage"]
