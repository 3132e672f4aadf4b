"""Commands below `ds01 gpu`."""

from ds01_cli.frame.table import Command, Group

GPU = Group(
    "See GPU slots, who has them, and who waits.",
    {
        "status": Command(
            "ds01_cli.gpu.status", "status", "Show every GPU slot, and how busy it is."
        ),
        "processes": Command(
            "ds01_cli.gpu.processes", "processes", "Show what runs on the GPUs, and whose it is."
        ),
        "queue": Command(
            "ds01_cli.gpu.queue", "queue", "Show who waits for a GPU, in the order of their turn."
        ),
    },
)

DASHBOARD = Command(
    "ds01_cli.gpu.dashboard", "dashboard", "Follow GPUs, containers and the queue on one screen."
)

WORKLOADS = Command(
    "ds01_cli.gpu.workloads", "workloads", "Show what runs, and what was started past the platform."
)
