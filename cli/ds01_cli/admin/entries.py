"""Commands below `ds01 admin`."""

from ds01_cli.events.entries import EVENTS
from ds01_cli.frame.table import Command, Group, again
from ds01_cli.gpu.entries import GPU
from ds01_cli.health.entries import HEALTH
from ds01_cli.policy.entries import POLICY

ALIASES = Group(
    "Make the names that people know call ds01.",
    {
        "install": Command(
            "ds01_cli.admin.aliases", "install", "Write the names that people know into a folder."
        ),
        "remove": Command(
            "ds01_cli.admin.aliases", "remove", "Remove what install wrote, and nothing else."
        ),
    },
)

USER = Group(
    "Add and remove people, and list them.",
    {
        "add": Command(
            "ds01_cli.admin.user_add", "add", "Add somebody: account, home, group, address."
        ),
        "remove": Command(
            "ds01_cli.admin.user_remove",
            "remove",
            "Remove somebody; their files stay unless you say otherwise.",
        ),
        "import": Command(
            "ds01_cli.admin.user_import", "import_list", "Add everybody in a list, such as a class."
        ),
        "list": Command("ds01_cli.admin.user_list", "list_people", "List everybody known here."),
    },
)

BARE_METAL = Group(
    "Let people use the GPUs outside of containers, for a time.",
    {
        "grant": Command(
            "ds01_cli.admin.bare_metal", "grant", "Let somebody use the GPUs outside of containers."
        ),
        "revoke": Command("ds01_cli.admin.bare_metal", "revoke", "Take that back now."),
        "list": Command(
            "ds01_cli.admin.bare_metal", "list_grants", "List who may, until when, and why."
        ),
    },
)

ADMIN = Group(
    "Look after the platform.",
    {
        "user": USER,
        "gpu": again(GPU, "gpu"),
        "policy": again(POLICY, "policy"),
        "events": again(EVENTS, "events"),
        "health": again(HEALTH, "health"),
        "lifecycle": Command(
            "ds01_cli.admin.lifecycle",
            "lifecycle",
            "Say what would be stopped or removed, when, and why.",
        ),
        "reconcile": Command(
            "ds01_cli.admin.reconcile", "reconcile", "Remove what a crash left behind, at once."
        ),
        "doors": Command(
            "ds01_cli.admin.doors", "doors", "Find ways past the platform, and close them."
        ),
        "bare-metal": BARE_METAL,
        "report": Command(
            "ds01_cli.admin.report",
            "report",
            "Write what was used in a month as one HTML file, with graphs.",
        ),
        "aliases": ALIASES,
    },
)
