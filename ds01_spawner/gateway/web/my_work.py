"""One's servers and containers as the page *Me* lists them: each of them once. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ds01_spawner.client import models as m
from ds01_spawner.client.words import state_words
from ds01_spawner.domain.page_words import titled
from ds01_spawner.gateway.web.words import image_name

_USUAL_TAG = ":latest"
_ORDER = ("starting", "running", "stopping", "paused")
"""What comes first."""


@dataclass(frozen=True, slots=True)
class Work:
    """A server with its container, where it has one; or a container that is no server.

    Attributes:
        key: Its id on the page, without what sections put before.
        title: What its owner calls it.
        name: What it is asked for by.
        state: `running`, `starting`, `stopping`, `paused`, … as the API says it.
        state_words: The same for people.
        image: The title of what it was made of; empty where nothing tells.
        server: What the hub knows; `None` for what is no server, and where the hub does not answer.
        container: What the engine has.
        is_server: Whether it is one.
    """

    key: str
    title: str
    name: str
    state: str
    state_words: str
    image: str = ""
    server: m.Server | None = None
    container: m.Container | None = None
    is_server: bool = False

    @property
    def rank(self) -> tuple[int, bool, str]:
        """What starts and runs first, and of that servers."""
        order = _ORDER.index(self.state) if self.state in _ORDER else len(_ORDER)
        return order, not self.is_server, self.name


def work_of(
    servers: Iterable[m.Server],
    containers: Sequence[m.Container],
    titles: Mapping[str, str],
) -> tuple[Work, ...]:
    """Everything that somebody has, in the order in which it is listed.

    An unnamed server that never ran is nothing yet.

    Args:
        servers: Of the hub; none where it does not answer.
        containers: Of the engine.
        titles: Of images, by reference and by name in the catalogue.
    """
    of_server = {each.server: each for each in containers if each.server is not None}
    found = [
        _server(each, of_server.pop(each.name, None), titles)
        for each in servers
        if each.name in of_server or each.name or each.image or each.state != "stopped"
    ]
    others = [each for each in containers if each.server is None]
    found += [_container(each, titles) for each in (*of_server.values(), *others)]
    return tuple(sorted(found, key=lambda each: each.rank))


def titles_of(images: Iterable[m.Image]) -> dict[str, str]:
    """What images are called, by reference and by name in the catalogue."""
    found: dict[str, str] = {}
    for each in images:
        title = each.title.removesuffix(_USUAL_TAG) if each.own else each.title
        found[each.reference] = title
        if each.key is not None:
            found[each.key] = title
    return found


def _server(server: m.Server, container: m.Container | None, titles: Mapping[str, str]) -> Work:
    state: str = server.state
    if container is not None and state in {"running", "stopped"}:
        state = container.state  # the engine knows of a pause, and of what runs without the hub
    image = (container.image if container is not None else None) or server.image
    return Work(
        key=f"s-{server.container}",
        title=server.title,
        name=server.container,
        state=state,
        state_words=_waits(server) or state_words(state),
        image=_title(image, titles),
        server=server,
        container=container,
        is_server=True,
    )


def _waits(server: m.Server) -> str:
    if server.state != "starting" or server.place is None or not server.place.place:
        return ""
    return f"waiting for a GPU, place {server.place.place} of {server.place.length}"


def _container(container: m.Container, titles: Mapping[str, str]) -> Work:
    is_server = container.server is not None
    return Work(
        key=f"c-{container.id[:12]}",
        title=titled(container.name) if is_server else container.name,
        name=container.name,
        state=container.state,
        state_words=state_words(container.state),
        image=_title(container.image, titles),
        container=container,
        is_server=is_server,
    )


def _title(image: str | None, titles: Mapping[str, str]) -> str:
    """An image's title; of one that is gone, what it was called."""
    if not image:
        return ""
    return titles.get(image) or image_name(image).removesuffix(_USUAL_TAG)
