"""The form that starts a server from the page *Me*: what it offers, and what it sends. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ds01_spawner.client import models as m
from ds01_spawner.client.problems import error_of
from ds01_spawner.client.words import wait_words
from ds01_spawner.domain import page_words
from ds01_spawner.gateway.api.ask import StreamEvent
from ds01_spawner.gateway.web.my_work import titles_of
from ds01_spawner.gateway.web.words import in_path

NO_GPU = "none"
DO = "start-server"


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a list.

    Attributes:
        value: What is sent.
        text: What is read.
        selected: Whether it is proposed.
        disabled: Whether it cannot be had now.
    """

    value: str
    text: str
    selected: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class NewServer:
    """The form.

    Attributes:
        images: What a server can be started with.
        sizes: Its GPU.
        refusals: Why some sizes cannot be had now, each reason once.
        most: How many GPUs one server may have.
        needs_name: Whether it needs one: the unnamed server is in use.
        full: Whether the hub lets one have no other server.
        name: What was typed, when it was refused.
        count: How many GPUs were asked for then.
        wait: Whether it is to wait for one.
    """

    images: tuple[Choice, ...]
    sizes: tuple[Choice, ...]
    refusals: tuple[str, ...]
    most: int
    needs_name: bool
    full: bool
    name: str = ""
    count: str = "1"
    wait: bool = True

    @property
    def is_offered(self) -> bool:
        """Whether anything can be started."""
        return not self.full and bool(self.images) and not all(each.disabled for each in self.sizes)


def form_of(
    servers: m.Servers,
    options: m.ServerOptions,
    images: Sequence[m.Image],
    sent: Mapping[str, str],
) -> NewServer:
    """The form, with what was chosen before it was refused.

    Args:
        servers: What one has.
        options: What one may have.
        images: What one may start.
        sent: The form that was refused; empty where none was.
    """
    named = sum(bool(each.name) for each in servers.servers)
    limit = servers.named_limit
    needs_name = any(not each.name and each.state != "stopped" for each in servers.servers)
    said = (_refusal(each) for each in options.sizes)
    return NewServer(
        images=_images(images, sent.get("image", "")),
        sizes=_sizes(options.sizes, sent.get("gpu", "") or _without(images)),
        refusals=tuple(dict.fromkeys(each for each in said if each)),
        most=max((each.most for each in options.sizes if each.refused is None), default=1),
        needs_name=needs_name,
        full=needs_name and limit is not None and named >= limit,
        name=sent.get("name", ""),
        count=sent.get("gpu_count", "1"),
        wait=not sent or "wait" in sent,
    )


def request_of(form: Mapping[str, str]) -> dict[str, object]:
    """What the form asks the API for. Who chooses no GPU has no number of them."""
    wanted: dict[str, object] = {"name": form.get("name", ""), "wait": form.get("wait") == "true"}
    wanted |= {key: form[key] for key in ("image", "project") if form.get(key)}
    gpu, count = form.get("gpu") or NO_GPU, form.get("gpu_count") or "1"
    if gpu != NO_GPU:
        is_number = count.isascii() and count.isdecimal() and len(count) <= len("999")
        wanted |= {"gpu": gpu, "gpu_count": int(count) if is_number else count}
    return wanted


def goes_on(event: StreamEvent) -> bool:
    """Whether an event of a start says that it was not refused: limits are looked at first."""
    return not (isinstance(event.value, m.Step) and event.value.name == "limits")


def pending_page(hub_prefix: str, user: str, form: Mapping[str, str]) -> str:
    """Where the hub shows how a start goes on."""
    name = form.get("name", "")
    return f"{hub_prefix}spawn-pending/{in_path(user)}{'/' * bool(name)}{in_path(name)}"


def _images(images: Iterable[m.Image], chosen: str) -> tuple[Choice, ...]:
    offered = list(images)
    titles = titles_of(offered)
    values = [each.key or each.reference for each in offered]
    usual = next((each.key or each.reference for each in offered if each.default), "")
    proposed = next((each for each in (chosen, usual) if each in values), "")
    return tuple(
        Choice(
            value,
            f"{titles[each.reference]}{' (built by you)' if each.own else ''}",
            selected=value == proposed,
        )
        for value, each in zip(values, offered, strict=True)
    )


def _without(images: Iterable[m.Image]) -> str:
    """No GPU is proposed where the usual image needs none."""
    return next((NO_GPU for each in images if each.default and not each.gpu_recommended), "")


def _sizes(sizes: Sequence[m.ServerSize], chosen: str) -> tuple[Choice, ...]:
    titles = [_size_title(each) for each in sizes]
    may = [each.size for each in sizes if each.refused is None]
    free = [each.size for each in sizes if each.refused is None and each.place == 0]
    with_gpu = [each for each in free if each != NO_GPU]
    proposed = next((each for each in (chosen, *with_gpu, *free, *may) if each in may), "")
    return tuple(
        Choice(
            each.size,
            f"{_told_apart(title, each, titles)}{_when(each)}",
            selected=each.size == proposed,
            disabled=each.refused is not None,
        )
        for each, title in zip(sizes, titles, strict=True)
    )


def _size_title(size: m.ServerSize) -> str:
    if size.size == NO_GPU:
        return "No GPU"
    return page_words.gpu_title(size.size, size.memory_bytes or 0)


def _told_apart(title: str, size: m.ServerSize, titles: Sequence[str]) -> str:
    return f"{title} ({size.size})" if titles.count(title) > 1 else title


def _when(size: m.ServerSize) -> str:
    if size.size == NO_GPU:
        return ""
    if size.refused is not None:
        return " \N{EN DASH} not now"
    waits = wait_words(size)
    expected = f"; expected wait: {waits}" if waits else ""
    if not size.place:
        return f" \N{EN DASH} free{expected}"
    return f" \N{EN DASH} all in use, you would be number {size.place} in the queue{expected}"


def _refusal(size: m.ServerSize) -> str:
    """Why a size cannot be had now; of no GPU, why nothing can."""
    return "" if size.refused is None else page_words.refusal(error_of(size.refused))
