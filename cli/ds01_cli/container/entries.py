"""Commands below `ds01 container`."""

from ds01_cli.frame.table import Command, Group

_HERE = "ds01_cli.container"
_AS_TYPED = {"allow_interspersed_args": False}
"""What stands behind a container's name belongs to the command that runs in it."""

CONTAINER = Group(
    "Make, use and give back containers.",
    {
        "deploy": Command(
            f"{_HERE}.deploy", "deploy", "Make a container, wait for its GPU, and start it."
        ),
        "retire": Command(
            f"{_HERE}.retire", "retire", "Stop and remove a container: its GPU is free at once."
        ),
        "list": Command(
            f"{_HERE}.listing",
            "list_containers",
            "Show your containers, and when and why each stops.",
        ),
        "show": Command(f"{_HERE}.show", "show", "Show everything about one container."),
        "stats": Command(
            f"{_HERE}.stats", "stats", "Show what your containers use: CPU, memory, GPU, network."
        ),
        "attach": Command(f"{_HERE}.entering", "attach", "Open a shell in a running container."),
        "run": Command(
            f"{_HERE}.entering",
            "run",
            "Start a container if it is stopped, and open a shell in it.",
            _AS_TYPED,
        ),
        "exec": Command(
            f"{_HERE}.entering", "execute", "Run one command in a running container.", _AS_TYPED
        ),
        "logs": Command(f"{_HERE}.logs", "logs", "Show what a container's own program printed."),
        "create": Command(f"{_HERE}.create", "create", "Make a container without starting it."),
        "start": Command(f"{_HERE}.deeds", "start", "Start a stopped container."),
        "stop": Command(
            f"{_HERE}.deeds", "stop", "Stop a container; it can be started again for a while."
        ),
        "restart": Command(f"{_HERE}.deeds", "restart", "Stop a container and start it again."),
        "pause": Command(f"{_HERE}.deeds", "pause", "Hold every program of a container still."),
        "unpause": Command(f"{_HERE}.deeds", "unpause", "Let a paused container go on."),
        "remove": Command(f"{_HERE}.deeds", "remove", "Remove a stopped container."),
    },
)
