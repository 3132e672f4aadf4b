"""All commands of `ds01`, by name; each folder lists its own in `entries`."""

from ds01_cli.admin.entries import ADMIN
from ds01_cli.container.entries import CONTAINER
from ds01_cli.events.entries import EVENTS
from ds01_cli.frame.table import Command, Group
from ds01_cli.gpu.entries import DASHBOARD, GPU, WORKLOADS
from ds01_cli.health.entries import HEALTH
from ds01_cli.image.entries import IMAGE
from ds01_cli.own.entries import OWN
from ds01_cli.policy.entries import POLICY
from ds01_cli.project.entries import PROJECT
from ds01_cli.ssh.entries import SSH

PROGRAM = Group(
    "Share a GPU server: containers, GPU slots and one policy file.",
    {
        "container": CONTAINER,
        "image": IMAGE,
        "project": PROJECT,
        **SSH,
        **OWN,
        "dashboard": DASHBOARD,
        "gpu": GPU,
        "workloads": WORKLOADS,
        "health": HEALTH,
        "events": EVENTS,
        "policy": POLICY,
        "admin": ADMIN,
        "completion": Command(
            "ds01_cli.frame.completion", "completion", "Print what makes the Tab key complete."
        ),
    },
)
