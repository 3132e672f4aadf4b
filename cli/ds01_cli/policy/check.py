"""`ds01 policy check`: whether the files that decide are valid."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.frame import guide
from ds01_cli.frame.platform_files import policy_file
from ds01_cli.frame.printing import counted
from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.adapters.channels import NOTIFICATIONS_FILE, check_channels
from ds01_spawner.adapters.isolation.host import ISOLATION_FILE
from ds01_spawner.adapters.policy_files import POLICY_FILE, read_policy
from ds01_spawner.adapters.system_zone import SystemZone
from ds01_spawner.adapters.text_files import read_text
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.policy.exemptions import ExemptionNote, exemption_notes
from ds01_spawner.policy.isolation import parse_isolation
from ds01_spawner.policy.resolution import Policy

PolicyFileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help=f"Policy file; by default {POLICY_FILE} in DS01_CONFIG_DIR or /etc/ds01.",
        show_default=False,
    ),
]


def check(file: PolicyFileArgument = None) -> None:
    """Say whether the configuration files are valid."""
    guide.tell("read")
    path = file or policy_file()
    files = read_policy(path)
    loaded = files.load()
    for spelling in loaded.old_spellings:
        typer.echo(f"warning: {spelling}")
    if loaded.old_spellings:
        typer.echo(f"Rewrite them with: ds01 policy migrate {path}")
    policy = loaded.policy
    for note in _notes(policy):
        typer.echo(f"note: {note}")
    counts = [
        counted(len(policy.groups), "group"),
        f"{counted(len(policy.users), 'person', 'people')} named",
        counted(len(files.members_files), "members file"),
    ]
    if files.exemptions_file is not None:
        counts.append(counted(len(policy.exemptions), "exemption"))
    typer.echo(f"{path}: valid; {', '.join(counts)}.")
    channels = path.with_name(NOTIFICATIONS_FILE)
    if channels.exists():
        typer.echo(f"{channels}: valid; {counted(check_channels(channels), 'channel')}.")
    isolation = path.with_name(ISOLATION_FILE)
    if isolation.exists():
        parse_isolation(read_text(isolation), str(isolation))
        typer.echo(f"{isolation}: valid.")


def _notes(policy: Policy) -> Iterator[ExemptionNote]:
    named = policy.users
    accounts = UnixAccounts()

    def known(user: str) -> bool:
        try:
            return user in named or accounts.lookup(user) is not None
        except (Forbidden, Unavailable):
            return True

    return exemption_notes(policy.exemptions, datetime.now(UTC), SystemZone(), known, named)
