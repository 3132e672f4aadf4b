"""How to get into a container, and what it has: sentences for who made one."""

from typing import TYPE_CHECKING

from ds01_cli.frame import printing
from ds01_spawner.domain.errors import DS01Error

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container, Removed

FULL = "full"


def gpu_words(container: "Container | Removed") -> str:
    """`, with GPU slot 0:1 (2g.10gb)`; empty without any."""
    slots: tuple[str, ...] = getattr(container, "gpu_slots", ())
    if not slots:
        return ""
    profiles: tuple[str, ...] = getattr(container, "gpu_profiles", ())
    sizes = ["a whole GPU" if each == FULL else each for each in profiles]
    if len(sizes) != len(slots):
        sizes = [""] * len(slots)
    shown = [f"{slot} ({size})" if size else slot for slot, size in zip(slots, sizes, strict=True)]
    return f", with GPU slot{'s' * (len(slots) > 1)} {', '.join(shown)}"


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
