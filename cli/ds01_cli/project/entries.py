"""Commands below `ds01 project`."""

from ds01_cli.frame.table import Command, Group

PROJECT = Group(
    "Begin a project with a tree of its own, and work on it.",
    {
        "init": Command(
            "ds01_cli.project.init",
            "init",
            "Begin a project: its folders, its Dockerfile, and a git repository.",
        ),
        "launch": Command(
            "ds01_cli.project.launch",
            "launch",
            "Start a project's container; build its image first where that is needed.",
        ),
        "list": Command(
            "ds01_cli.project.listing",
            "list_projects",
            "Show your projects, and which of them run.",
        ),
        "status": Command(
            "ds01_cli.project.listing",
            "status",
            "Show one project: its image, its container, and what to do next.",
        ),
    },
)
