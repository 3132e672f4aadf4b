"""Pages of the handbook, on a terminal."""

import typer
from rich.console import Console
from rich.markdown import Markdown

from ds01_spawner import handbook

_WIDEST = 100


def show(command: str, tier: str) -> None:
    """Print what is written about a command.

    Args:
        command: Such as `container deploy`.
        tier: `info` or `concepts`.
    """
    page = handbook.page(command)
    if tier == "info":
        print_markdown(f"# ds01 {command}\n\n{page.summary}\n\n{page.info}")
        return
    ideas = [handbook.concept(name) for name in page.ideas]
    parts = [f"# {each.title}\n\n{each.text}" for each in ideas]
    print_markdown("\n\n".join([*parts, page.why]))


def print_markdown(text: str) -> None:
    """Print Markdown: as it is for programs, formatted for people."""
    console = Console()
    if not console.is_terminal:
        typer.echo(text.strip())
        return
    console.print(Markdown(text), width=min(console.width, _WIDEST))
    console.print()
