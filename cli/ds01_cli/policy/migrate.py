"""`ds01 policy migrate`: today's spelling for older files."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.frame import guide
from ds01_cli.frame.printing import counted
from ds01_spawner.adapters.text_files import read_text, replace_text
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.policy.migrate import Migration
from ds01_spawner.policy.migrate import migrate as migrate_text


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
    """Rewrite a policy file in today's spelling.

    Comments and order stay; the old file is kept as FILE.bak.
    """
    guide.tell("read")
    migration = migrate_text(read_text(file), str(file))
    count = counted(len(migration.old_spellings), "older spelling")
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
        guide.tell("replace")
        try:
            backup = replace_text(file, migration.after)
        except OSError as exc:
            raise _not_written(file, exc) from exc
        typer.echo(f"{file}: rewritten; {count} replaced. The old file is {backup}.")


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
