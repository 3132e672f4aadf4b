"""`ds01 policy`: check, explain, migrate, schema."""

import difflib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds01_cli.places import config_directory
from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.adapters.channels import NOTIFICATIONS_FILE, check_channels
from ds01_spawner.adapters.isolation.host import ISOLATION_FILE
from ds01_spawner.adapters.policy_files import POLICY_FILE, read_policy
from ds01_spawner.adapters.system_zone import SystemZone
from ds01_spawner.adapters.text_files import read_text, replace_text
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.names import check_user
from ds01_spawner.policy.exemptions import (
    ExemptionNote,
    exemption_notes,
    rules_in_words,
    until_in_words,
)
from ds01_spawner.policy.isolation import parse_isolation
from ds01_spawner.policy.json_schema import (
    render_exemptions_schema,
    render_gpu_config_schema,
    render_images_schema,
    render_isolation_schema,
    render_notifications_schema,
)
from ds01_spawner.policy.migrate import Migration
from ds01_spawner.policy.migrate import migrate as migrate_text
from ds01_spawner.policy.resolution import Explanation, Policy
from ds01_spawner.policy.schema import render_schema
from ds01_spawner.policy.wording import explanation_to_json, in_words

app = typer.Typer(
    help="Check, explain and migrate the limits of everybody.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

PolicyFileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help=f"Policy file; by default {POLICY_FILE} in DS01_CONFIG_DIR or /etc/ds01.",
        show_default=False,
    ),
]


@app.command()
def check(file: PolicyFileArgument = None) -> None:
    """Say whether the policy file is valid.

    The groups/ folder, lifecycle-exemptions.yaml, notifications.yaml and isolation.yaml beside it
    are checked with it.
    Exit code 0 when they are, 1 when they are not. Older spellings are warnings.
    """
    path = file or _default_file()
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
        _count(len(policy.groups), "group"),
        f"{_count(len(policy.users), 'person', 'people')} named",
        _count(len(files.members_files), "members file"),
    ]
    if files.exemptions_file is not None:
        counts.append(_count(len(policy.exemptions), "exemption"))
    typer.echo(f"{path}: valid; {', '.join(counts)}.")
    channels = path.with_name(NOTIFICATIONS_FILE)
    if channels.exists():
        typer.echo(f"{channels}: valid; {_count(check_channels(channels), 'channel')}.")
    isolation = path.with_name(ISOLATION_FILE)
    if isolation.exists():
        parse_isolation(read_text(isolation), str(isolation))
        typer.echo(f"{isolation}: valid.")


@app.command()
def explain(
    user: Annotated[str, typer.Argument(help="Whose limits.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: seconds, bytes, null for unlimited.")
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Policy file.", show_default=False),
    ] = None,
    hub_group: Annotated[
        list[str] | None,
        typer.Option(help="A JupyterHub group of theirs; only the hub knows them. Repeatable."),
    ] = None,
) -> None:
    """Show what somebody may use, and what says so."""
    check_user(user)
    path = policy or _default_file()
    loaded = read_policy(path).load()
    explanation = loaded.policy.explain(user, hub_group or (), _unix_groups(user))
    if as_json:
        typer.echo(json.dumps(explanation_to_json(explanation), indent=2, ensure_ascii=False))
    else:
        _show(explanation, path)


@app.command()
def migrate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Policy file to rewrite.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the changes and write nothing.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write there instead; - is standard output.",
            show_default=False,
            allow_dash=True,
        ),
    ] = None,
) -> None:
    """Rewrite a file in today's spelling.

    Comments and order stay. The file is replaced at once, and the old one is kept beside it as
    FILE.bak. Every limit resolves to the same value as before; where that cannot be done, nothing
    is written.
    """
    migration = migrate_text(read_text(file), str(file))
    count = _count(len(migration.old_spellings), "older spelling")
    if dry_run:
        _show_changes(migration, file)
    elif output is not None and str(output) == "-":
        typer.echo(migration.after, nl=False)
    elif output is not None:
        _write(output, migration.after)
        typer.echo(f"{output}: written; {count} replaced.")
    elif migration.before == migration.after:
        typer.echo(f"{file}: nothing to do; every spelling is today's.")
    else:
        try:
            backup = replace_text(file, migration.after)
        except OSError as exc:
            raise _not_written(file, exc) from exc
        typer.echo(f"{file}: rewritten; {count} replaced. The old file is {backup}.")


class SchemaFile(StrEnum):
    """A configuration file that has a JSON Schema."""

    LIMITS = "limits"
    GPUS = "gpus"
    IMAGES = "images"
    EXEMPTIONS = "exemptions"
    NOTIFICATIONS = "notifications"
    ISOLATION = "isolation"


_SCHEMAS = {
    SchemaFile.LIMITS: render_schema,
    SchemaFile.GPUS: render_gpu_config_schema,
    SchemaFile.IMAGES: render_images_schema,
    SchemaFile.EXEMPTIONS: render_exemptions_schema,
    SchemaFile.NOTIFICATIONS: render_notifications_schema,
    SchemaFile.ISOLATION: render_isolation_schema,
}


@app.command()
def schema(
    file: Annotated[
        SchemaFile,
        typer.Argument(help="limits, gpus, images, exemptions, notifications or isolation."),
    ] = SchemaFile.LIMITS,
) -> None:
    """Print a configuration file's JSON Schema."""
    typer.echo(_SCHEMAS[file](), nl=False)


def _default_file() -> Path:
    return config_directory() / POLICY_FILE


def _notes(policy: Policy) -> Iterator[ExemptionNote]:
    named = policy.users
    accounts = UnixAccounts()

    def known(user: str) -> bool:
        try:
            return user in named or accounts.lookup(user) is not None
        except (Forbidden, Unavailable):
            return True

    return exemption_notes(policy.exemptions, datetime.now(UTC), SystemZone(), known, named)


def _unix_groups(user: str) -> Sequence[str]:
    try:
        account = UnixAccounts().lookup(user)
    except (Forbidden, Unavailable) as exc:
        typer.echo(f"note: Unix groups are left out: {exc}", err=True)
        return ()
    return account.groups if account else ()


def _show(explanation: Explanation, path: Path) -> None:
    console = Console(highlight=False)
    console.print(Text(explanation.user, style="bold"), soft_wrap=True)
    for place, membership in enumerate(explanation.memberships):
        rank = "in group" if place == 0 else "and in  "
        console.print(Text(f"  {rank} {membership.group}: {membership}"), soft_wrap=True)
    if not explanation.memberships:
        console.print("  in no group: the defaults apply")
    if explanation.reason:
        console.print(
            Text(f"  reason for limits of their own: {explanation.reason}"), soft_wrap=True
        )
    for exemption in explanation.exemptions:
        console.print(Text(f"  {_exemption(exemption)}"), soft_wrap=True)
    console.print(Text(f"  as {path} says"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("limit", no_wrap=True)
    table.add_column("value", no_wrap=True)
    table.add_column("from", overflow="fold")
    table.add_column("line", justify="right", style="dim")
    section = ""
    for key, resolved in explanation.limits.items():
        if (here := key.partition(".")[0] if "." in key else "") != section:
            section = here
            table.add_row()
        table.add_row(
            Text(key),
            Text(in_words(key, resolved.value)),
            Text(resolved.origin.replace("group:", "group ").replace("builtin", "built in")),
            Text((resolved.source or "").rpartition(":")[2]),
        )
    console.print()
    console.print(table)


def _exemption(exemption: Exemption) -> str:
    """`exempt from idle_timeout (thesis-run) until the end of 2026-12-31: thesis (line 7)`."""
    held = "exempt" if exemption.until > datetime.now(UTC) else "was exempt"
    which = "" if exemption.container is None else f" ({exemption.container})"
    until = until_in_words(exemption.until, SystemZone())
    return (
        f"{held} from {rules_in_words(exemption)}{which} until {until}: {exemption.reason} "
        f"({exemption.source})"
    )


def _show_changes(migration: Migration, file: Path) -> None:
    for line in difflib.unified_diff(
        migration.before.splitlines(),
        migration.after.splitlines(),
        str(file),
        f"{file} (migrated)",
        lineterm="",
    ):
        typer.echo(line)


def _write(path: Path, text: str) -> None:
    try:
        path.write_bytes(text.encode())
    except OSError as exc:
        raise _not_written(path, exc) from exc


def _not_written(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{path} cannot be written: {error.strerror}.", "Nothing has changed.")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
