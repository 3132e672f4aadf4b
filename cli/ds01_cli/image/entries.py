"""Commands below `ds01 image`."""

from ds01_cli.frame.table import Command, Group

IMAGE = Group(
    "Make images with the packages you need, and look after them.",
    {
        "create": Command(
            "ds01_cli.image.create", "create", "Make an image with the packages you need."
        ),
        "list": Command(
            "ds01_cli.image.listing",
            "list_images",
            "Show the images that you may start, and which of your containers use them.",
        ),
        "show": Command(
            "ds01_cli.image.listing", "show", "Show what an image is made of, and who uses it."
        ),
        "update": Command(
            "ds01_cli.image.update",
            "update",
            "Add or remove packages of an image, or build it anew.",
        ),
        "delete": Command(
            "ds01_cli.image.removal",
            "delete",
            "Delete images of yours; says first which of your containers use them.",
        ),
        "prune": Command(
            "ds01_cli.image.removal",
            "prune",
            "Make room: delete what old builds of yours left behind.",
        ),
        "save-from": Command(
            "ds01_cli.image.save",
            "save_from",
            "Put packages that you installed in a container into its image.",
        ),
    },
)
