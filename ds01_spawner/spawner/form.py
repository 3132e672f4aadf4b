"""The spawn form: what is free, what this person may still have, and why the rest is greyed out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import jinja2

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.gpu import FULL_PROFILE
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.offer import Offer, SizeOffer
from ds01_spawner.domain.units import format_duration, format_size
from ds01_spawner.operations.offers import offer_to

NO_GPU = "none"


@dataclass(frozen=True, slots=True)
class SizeChoice:
    """One radio button.

    Attributes:
        value: What is sent.
        title: What it is, in words.
        detail: Memory and share of a card.
        availability: What is free, and who waits.
        free_percent: Length of the availability bar, 0 to 100; `None` draws none.
        refusal: Why it is greyed out; empty when it can be chosen.
        selected: Whether it is proposed.
    """

    value: str
    title: str
    detail: str = ""
    availability: str = ""
    free_percent: int | None = None
    refusal: str = ""
    selected: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """One person's form for one server.

    Attributes:
        platform: The platform.
        user: The person.
        container: What they call the server's container.
        hub_groups: Their JupyterHub groups.
        last: What they chose last time, as stored; not trusted.
    """

    platform: Platform
    user: str
    container: str
    hub_groups: tuple[str, ...] = ()
    last: Mapping[str, object] = field(default_factory=dict)

    def render(self) -> str:
        """The form's HTML. Blocks; says what is wrong when something cannot be read."""
        try:
            offer = offer_to(self.platform.admission, self.user, self.container, self.hub_groups)
            images = self.platform.images.offered_to(offer.limits.group)
            simulated = self.platform.probe.inventory().source == "simulated"
        except DS01Error as exc:
            return _template().render(problem=str(exc))
        chosen_image = self._chosen_image(tuple(images), offer.limits)
        return _template().render(
            problem="",
            images=[
                {"key": key, "entry": entry, "selected": key == chosen_image}
                for key, entry in images.items()
            ],
            sizes=_choices(offer, self._last_text("gpu")),
            max_count=offer.max_count,
            allowance=_allowance(offer),
            project=self._last_text("project"),
            wait=self.last.get("wait") is not False,
            simulated=simulated,
        )

    def _chosen_image(self, offered: tuple[str, ...], limits: Limits) -> str:
        last = self.platform.images.entry(self._last_text("image"))
        by_key = self.platform.images.offered_to(limits.group)
        default = self.platform.images.default_for(limits.group)
        for wanted in (last, default):
            for key, entry in by_key.items():
                if entry is wanted:
                    return key
        return offered[0] if offered else ""

    def _last_text(self, key: str) -> str:
        value = self.last.get(key)
        return value if isinstance(value, str) else ""


def _choices(offer: Offer, last: str) -> list[SizeChoice]:
    allowed = [size for size in offer.sizes if not size.refusal]
    with_gpu = [size for size in allowed if size.size != NO_GPU]
    free = [size for size in with_gpu if size.free]
    candidates = (
        [size for size in allowed if size.size == last],
        free,
        with_gpu,
        allowed,
    )
    proposed = next((found[0] for found in candidates if found), None)
    return [_choice(size, selected=size is proposed) for size in offer.sizes]


def _choice(size: SizeOffer, *, selected: bool) -> SizeChoice:
    if size.size == NO_GPU:
        return SizeChoice(
            NO_GPU,
            "No GPU",
            detail="CPU only; starts at once",
            refusal=f"{size.refusal} {size.next_step}".strip(),
            selected=selected,
        )
    whole = size.size == FULL_PROFILE
    share = Fraction(size.equivalents).limit_denominator(16)
    gigabytes = f"{size.memory_bytes / 1024**3:.0f} GB GPU memory"
    availability = f"{size.free} of {size.total} free"
    if size.waiting:
        people = "1 person waits" if size.waiting == 1 else f"{size.waiting} people wait"
        availability = f"{availability}; {people}"
    return SizeChoice(
        size.size,
        "A whole GPU" if whole else f"Part of a GPU ({size.size})",
        detail=gigabytes if whole else f"{gigabytes}, {share} of a card",
        availability=availability,
        free_percent=round(100 * size.free / size.total) if size.total else 0,
        refusal=f"{size.refusal} {size.next_step}".strip(),
        selected=selected,
    )


def _allowance(offer: Offer) -> list[tuple[str, str]]:
    """What the person may have, as pairs of a word and a figure."""
    limits = offer.limits
    rows = [
        ("GPU slots", _of(offer.slots_used, limits.max_gpu_slots)),
        ("Running servers", _of(offer.containers_used, limits.max_containers_per_user)),
        ("CPUs", "unlimited" if limits.max_cpus is None else f"{limits.max_cpus:g}"),
        (
            "Memory",
            "unlimited" if limits.memory_bytes is None else format_size(limits.memory_bytes),
        ),
    ]
    if limits.idle_timeout is not None:
        rows.append(("Stops when idle for", format_duration(limits.idle_timeout)))
    if limits.max_runtime is not None:
        rows.append(("Runs for at most", format_duration(limits.max_runtime)))
    return rows


def _of(used: int, allowed: int | None) -> str:
    return f"{used} in use" if allowed is None else f"{used} of {allowed} in use"


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
