"""Commands about oneself; they are at the top: `ds01 why`."""

from collections.abc import Mapping

from ds01_cli.frame.table import Command

OWN: Mapping[str, Command] = {
    "user-setup": Command(
        "ds01_cli.own.user_setup",
        "user_setup",
        "Set yourself up: folders, SSH key, VS Code, a first container, first steps.",
    ),
    "check-limits": Command(
        "ds01_cli.own.check_limits", "check_limits", "Show what you may use, and what you do use."
    ),
    "why": Command(
        "ds01_cli.own.why", "why", "Explain why you wait, were refused, or were stopped."
    ),
    "extend": Command(
        "ds01_cli.own.extend", "extend", "Keep a container running although nobody uses it."
    ),
    "notices": Command("ds01_cli.own.notices", "notices", "Show what the platform told you."),
    "login": Command("ds01_cli.own.login", "login", "Use the server from your own computer."),
    "logout": Command("ds01_cli.own.logout", "logout", "Forget the login on this computer."),
}
