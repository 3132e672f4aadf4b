"""How to get into a container, and what it has: sentences for who made one."""

from typing import TYPE_CHECKING

from ds01_cli.frame import printing
from ds01_spawner.client.words import gpu_words
from ds01_spawner.domain.errors import DS01Error

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container

__all__ = ["gpu_words", "hub_of", "tell"]


def hub_of(client: "Client") -> str | None:
    """Where the hub is in a browser; `None` where nobody tells."""
    try:
        return client.me().hub_url
    except DS01Error:  # the container is there, whatever else is not
        return None


def tell(container: "Container", hub_url: str | None) -> None:
    """Print what somebody has now, and how to get in."""
    name = container.name
    printing.say(f"{name} runs{gpu_words(container)}.", *container.sentences)
    ways = [
        ("a shell here", f"ds01 container attach {name}"),
        ("with SSH", f"ds01 ssh {name}"),
        ("in VS Code", f"ds01 vscode {name}"),
    ]
    if hub_url:
        ways.append(("in a browser", hub_url))
    width = max(len(way) for way, _ in ways)
    printing.say("", "How to get in:", *(f"  {way:<{width}}  {how}" for way, how in ways))
    end = "to give its GPU back" if container.gpu_slots else "to give it back"
    printing.say("", f"When you are done, {end}: ds01 container retire {name}")
