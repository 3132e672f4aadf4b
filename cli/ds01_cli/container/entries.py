"""Commands below `ds01 container`."""

from ds01_cli.frame.table import Command, Group

CONTAINER = Group(
    "Make, use and give back containers.",
    {
        "list": Command(
            "ds01_cli.container.listing",
            "list_containers",
            "Show your containers, and when and why each stops.",
        ),
    },
)
