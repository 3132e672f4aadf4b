"""The spawn form: what is free, what this person may still have, and why the rest is greyed out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import jinja2

from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain import page_words as wording
from ds01_spawner.domain.errors import DS01Error, Forbidden, QuotaExceeded, Unavailable
from ds01_spawner.domain.gpu import FULL_PROFILE
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.offer import Offer, SizeOffer
from ds01_spawner.domain.quota import TOLERANCE
from ds01_spawner.domain.timeouts import Bound, timeouts_of
from ds01_spawner.domain.wording import span
from ds01_spawner.operations.allocation.offers import offer_to
from ds01_spawner.spawner.image_cards import Shelf, image_cards

NO_GPU = "none"


@dataclass(frozen=True, slots=True)
class SizeChoice:
    """One radio button.

    Attributes:
        value: What is sent.
        title: What it is, in words.
        detail: Share of a GPU.
        availability: What is free, and who waits.
        queue: What somebody who asks now has to wait for; empty when they would be served.
        wait: How long that is likely to take.
        bar: Pieces of the availability bar, each what its slots do and how many they are.
        refusal: Why it is greyed out; empty when it can be chosen.
        max_count: How many of them one server may have.
        selected: Whether it is proposed.
        is_last: Whether it is what they chose last time.
    """

    value: str
    title: str
    detail: str = ""
    availability: str = ""
    queue: str = ""
    wait: str = ""
    bar: tuple[tuple[str, int], ...] = ()
    refusal: str = ""
    max_count: int = 1
    selected: bool = False
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """One person's form for one server.

    Attributes:
        platform: The platform.
        user: The person.
        container: What they call the server's container.
        hub_groups: Their JupyterHub groups.
        last: What they chose last time, as stored; not trusted.
        administrator: Whether who looks at it is told what is wrong with the platform's files.
    """

    platform: Platform
    user: str
    container: str
    hub_groups: tuple[str, ...] = ()
    last: Mapping[str, object] = field(default_factory=dict)
    administrator: bool = False

    def render(self) -> str:
        """The form's HTML. Blocks; says what is wrong when something cannot be read."""
        try:
            offer = offer_to(self.platform.admission, self.user, self.container, self.hub_groups)
            cards = image_cards(
                self.platform.images,
                offer.limits.group,
                self.user,
                self._shelf(),
                self._last_text("image"),
            )
            simulated = self.platform.probe.inventory().source == "simulated"
        except DS01Error as exc:
            return _template().render(problem=str(exc.told_to(administrator=self.administrator)))
        recommended = any(card.gpu_recommended or card.own for card in cards if card.selected)
        sizes = size_choices(offer, self._last_text("gpu"), gpu_recommended=recommended)
        return _template().render(
            problem="",
            blocked=blocked(offer),
            images=cards,
            sizes=sizes,
            never=not_offered(offer),
            max_count=max(size.max_count for size in sizes),
            count=self._last_count(),
            facts=facts(offer),
            project=self._last_text("project"),
            wait=self.last.get("wait") is not False,
            simulated=simulated,
        )

    def _shelf(self) -> Shelf:
        """What is on this machine; a form without sizes and ages is better than none."""
        now = self.platform.clock.now()
        try:
            return Shelf(self.platform.image_shelf.read(), now)
        except Unavailable:
            return Shelf(None, now)

    def _last_text(self, key: str) -> str:
        value = self.last.get(key)
        return value if isinstance(value, str) else ""

    def _last_count(self) -> int:
        value = self.last.get("gpu_count")
        return value if isinstance(value, int) and value > 0 else 1


def blocked(offer: Offer) -> str:
    """Why nothing at all can be started; empty when something can."""
    for size in offer.sizes:
        if size.size == NO_GPU and size.error is not None:
            return wording.refusal(size.error)
    return ""


def size_choices(offer: Offer, last: str, *, gpu_recommended: bool = True) -> list[SizeChoice]:
    """The radio buttons, with one proposed; what the person can never have is not among them.

    That is the last choice, else the smallest GPU that is free, or none for an image that
    does not recommend one.
    """
    offered = [size for size in offer.sizes if not _is_never(size)]
    allowed = [size for size in offered if size.error is None]
    with_gpu = [size for size in allowed if size.size != NO_GPU]
    at_once = [size for size in with_gpu if not size.place]
    candidates = (
        [size for size in allowed if size.size == last],
        [] if gpu_recommended else [size for size in allowed if size.size == NO_GPU],
        at_once,
        with_gpu,
        allowed,
    )
    proposed = next((found[0] for found in candidates if found), None)
    titles = [_title(size) for size in offered]
    choices = (
        _choice(size, title, ambiguous=titles.count(title) > 1)
        for size, title in zip(offered, titles, strict=True)
    )
    return [
        replace(choice, selected=size is proposed, is_last=size is proposed and size.size == last)
        for choice, size in zip(choices, offered, strict=True)
    ]


def not_offered(offer: Offer) -> list[str]:
    """Why there are sizes on this server that the person is not shown."""
    said = (
        wording.size_refusal(size.error)
        for size in offer.sizes
        if size.error is not None and _is_never(size)
    )
    return list(dict.fromkeys(said))


def _is_never(size: SizeOffer) -> bool:
    """Whether the person cannot have it, whatever they stop."""
    if size.size == NO_GPU:
        return False
    error = size.error
    if isinstance(error, QuotaExceeded):
        return error.limit != _PER_PERSON and error.asked > error.allowed + TOLERANCE
    return isinstance(error, Forbidden)


def _title(size: SizeOffer) -> str:
    if size.size == NO_GPU:
        return "No GPU"
    return wording.gpu_title(size.size, size.memory_bytes)


def _choice(size: SizeOffer, title: str, *, ambiguous: bool) -> SizeChoice:
    # What refuses even a server without GPU is said once, above the choices.
    general = isinstance(size.error, QuotaExceeded) and size.error.limit == _PER_PERSON
    refusal = wording.size_refusal(size.error) if size.error and not general else ""
    if size.size == NO_GPU:
        return SizeChoice(
            NO_GPU,
            title,
            detail="For writing, small data and a first look. No queue.",
            refusal=refusal,
        )
    detail = "" if size.size == FULL_PROFILE else f"{wording.share(size.equivalents)} of a GPU"
    availability = f"{size.free} of {size.total} free"
    if size.waiting:
        availability = f"{availability} \N{EN DASH} {wording.people_wait(size.waiting)}"
    return SizeChoice(
        size.size,
        title,
        detail=f"{detail} ({size.size})" if ambiguous else detail,
        availability=availability,
        queue=_queue(size),
        wait=f"Expected wait: {waits}." if (waits := wording.waits(size.waits)) else "",
        bar=_bar(size),
        refusal=refusal,
        max_count=size.max_count,
    )


def _bar(size: SizeOffer) -> tuple[tuple[str, int], ...]:
    """Free ones first: what is not free is kept for somebody, in use, or out of order."""
    kept = sum(size.states.get(each, 0) for each in (SlotState.RESERVED, SlotState.HELD))
    broken = size.states.get(SlotState.UNAVAILABLE, 0)
    kept = min(kept, size.total - size.free)
    broken = min(broken, size.total - size.free - kept)
    used = size.total - size.free - kept - broken
    pieces = (("free", size.free), ("kept", kept), ("used", used), ("broken", broken))
    return tuple((name, count) for name, count in pieces if count)


_PER_PERSON = "max_containers_per_user"


def _queue(size: SizeOffer) -> str:
    if not size.place:
        return ""
    return f"{wording.busy(size.states)} {wording.queue_place(size.place)}".strip()


def facts(offer: Offer) -> list[tuple[str, str]]:
    """What a server gets and what the person still may have, as pairs of words and a figure."""
    limits = offer.limits
    cpus = "no limit" if limits.max_cpus is None else f"{limits.max_cpus:g}"
    memory = "no limit" if limits.memory_bytes is None else wording.memory(limits.memory_bytes)
    timeouts = timeouts_of(limits, {labels.INTERFACE: Interface.HUB})
    return [
        ("CPUs", cpus),
        ("Memory", memory),
        ("Stops when unused for", _span(timeouts.idle_timeout)),
        ("Stops at the latest after", _span(timeouts.max_runtime)),
        ("You already run", _of(offer.containers_used, limits.max_containers_per_user, "server")),
        ("You already have", _of(offer.slots_used, limits.max_gpu_slots, "GPU")),
    ]


def _span(bound: Bound) -> str:
    return "never" if bound.value is None else span(bound.value)


def _of(used: int, allowed: int | None, noun: str) -> str:
    if allowed is None:
        return wording.counted(used, noun)
    return f"{used} of {wording.counted(allowed, noun)}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ds01_spawner.spawner"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("spawn_form.html")
