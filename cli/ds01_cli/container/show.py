"""`ds01 container show`: everything about one container."""

from typing import TYPE_CHECKING

from ds01_cli.container import naming
from ds01_cli.container.naming import LIVE, STOPPED, AnyName
from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json, UserToSee
from ds01_spawner.client.words import state_words
from ds01_spawner.domain.wording import clean

if TYPE_CHECKING:
    from ds01_spawner.client.models import Container

_LONGEST = 300
_DOORS = {
    "hub": "the hub",
    "cli": "ds01",
    "docker": "docker",
    "compose": "docker compose",
    "devcontainer": "a dev container",
    "api": "a program",
    "batch": "a batch job",
}


def show(name: AnyName = None, *, user: UserToSee = None, as_json: Json = False) -> None:
    """Show everything about one container."""
    guide.tell("look")
    with session.connect() as client:
        states = LIVE | STOPPED
        chosen = naming.only(client, name, states, user=user, none="You have no container.")
        found = client.container(chosen, user=user)
    if as_json:
        printing.print_json(found)
        return
    rows = [(head, text) for head, text in _facts(found) if text]
    width = max(len(head) for head, _ in rows)
    printing.say(*(f"{head:<{width}}  {clean(text, _LONGEST)}" for head, text in rows))
    printing.say("", *found.sentences)


def _facts(found: "Container") -> list[tuple[str, str]]:
    slots = found.gpu_slots
    sizes = found.gpu_profiles if len(found.gpu_profiles) == len(slots) else ("",) * len(slots)
    gpus = [f"{slot} ({size})" if size else slot for slot, size in zip(slots, sizes, strict=True)]
    return [
        ("name", found.name),
        ("owner", found.user),
        ("state", state_words(found.state)),
        ("GPU slots", ", ".join(gpus) or "none"),
        ("image", found.image),
        ("project", found.project or ""),
        ("made with", _DOORS.get(found.interface, "")),
        ("made at", printing.clock(found.created_at)),
        ("started at", "" if found.state == "created" else printing.clock(found.started_at)),
        ("SSH sessions", str(found.ssh_sessions) if found.ssh_sessions else ""),
        ("name in docker", found.container),
    ]
