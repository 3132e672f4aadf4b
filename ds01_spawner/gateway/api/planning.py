"""What a request for a container would come to now. Nothing is made."""

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    NoCapacity,
    NotFound,
    Refused,
    Unavailable,
)
from ds01_spawner.domain.expected_wait import coarse
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.domain.units import format_size
from ds01_spawner.gateway.api.ask import Api, Ask
from ds01_spawner.gateway.api.builds import caller_of
from ds01_spawner.gateway.api.create_body import create_body, gpu_count, wait_of
from ds01_spawner.gateway.api.create_words import in_own_words, interface_of
from ds01_spawner.gateway.api.requester import problem_for
from ds01_spawner.gateway.api.wanted_image import FoundImage, WantedImage
from ds01_spawner.gateway.docker.create.asks import Asks
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.options.gpu import GpuAsked, candidates
from ds01_spawner.operations.allocation.foresight import Foreseen, foresee

_ANY_NAME = "run"


class Planning:
    """Answers what would be."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def plan(self, ask: Ask) -> m.Plan:
        """What it would get, where it would wait, or why it would not be made."""
        wanted = ask.sent(m.CreateRequest)
        try:
            return await self._plan(ask, wanted)
        except (Refused, NotFound, Conflict) as exc:
            error = in_own_words(exc, ask)
            return m.Plan(
                sentences=(str(error),),
                name=wanted.name,
                image=None,
                refused=problem_for(ask.requester, error, ask.id),
            )

    async def _plan(self, ask: Ask, wanted: m.CreateRequest) -> m.Plan:
        if self._api.creating is None:
            raise Unavailable("No containers are made here.", "Use docker run.")
        api, requester = self._api, ask.requester
        caller = await ask.run(api, lambda platform: caller_of(platform, requester))
        await Door(api.platform, api.engine, api.threads).check_room(caller)
        image = await WantedImage(api).find(ask, caller, wanted.image)
        limits = await ask.run(
            api, lambda platform: platform.admission.limits(caller.user, requester.hub_groups)
        )
        content = create_body(
            wanted, image.reference, caller.person, as_image_user=limits.allow_image_user
        )
        asks = Asks(interface=interface_of(ask), hub_groups=requester.hub_groups)
        warnings: tuple[str, ...] = ()
        if image.present:
            query = {} if wanted.name is None else {"name": [wanted.name]}
            looked = await self._api.creating.look(caller, content, query, asks)
            warnings = looked.asked.warnings
        gpu = candidates(GpuAsked(gpu_count(wanted), wanted.gpu or None), limits, ())[0]
        request = LaunchRequest(
            user=caller.user,
            name=wanted.name or _ANY_NAME,
            interface=interface_of(ask),
            image=image.reference,
            gpu=gpu,
            project=wanted.project,
            hub_groups=requester.hub_groups,
        )
        waits = wait_of(wanted) is not None

        def look_ahead(platform: Platform) -> Foreseen:
            return foresee(platform.admission, request, wait=waits)

        foreseen = await ask.run(api, look_ahead)
        return self._told(ask, wanted, image, gpu, foreseen, warnings)

    def _told(  # noqa: PLR0913, PLR0917 - the parts of a plan
        self,
        ask: Ask,
        wanted: m.CreateRequest,
        image: FoundImage,
        gpu: GpuRequest,
        foreseen: Foreseen,
        warnings: tuple[str, ...],
    ) -> m.Plan:
        refused: DS01Error | None = None
        place: m.Place | None = None
        if foreseen.waits:
            place = m.Place(
                place=foreseen.place,
                length=foreseen.length,
                reason=foreseen.reason,
                gpu=str(gpu),
                waited_seconds=0.0,
                expected_seconds=coarse(foreseen.wait),
            )
            if wait_of(wanted) is None:
                words = f"{gpu.shortage} now. {foreseen.reason}"
                refused = in_own_words(NoCapacity(words, place=foreseen.place), ask)
        sentences = (
            f"Image: {foreseen.image}."
            if image.present
            else f"Image: {foreseen.image}, which is fetched first.",
            *bounds(foreseen.limits),
            *_of_gpu(gpu, foreseen, refused),
        )
        return m.Plan(
            sentences=sentences,
            name=wanted.name,
            image=foreseen.image,
            gpu_slots=tuple(slot.id for slot in foreseen.slots),
            would_wait=place,
            refused=None if refused is None else problem_for(ask.requester, refused, ask.id),
            warnings=warnings,
        )


def bounds(limits: Limits) -> tuple[str, ...]:
    """What a container may use at most, in a sentence."""
    parts = []
    if limits.max_cpus is not None:
        parts.append(f"{limits.max_cpus:g} CPUs")
    if limits.memory_bytes is not None:
        parts.append(f"{format_size(limits.memory_bytes)} of memory")
    return (f"It may use up to {' and '.join(parts)}.",) if parts else ()


def _of_gpu(gpu: GpuRequest, foreseen: Foreseen, refused: DS01Error | None) -> tuple[str, ...]:
    if refused is not None:
        return (str(refused),)
    if foreseen.waits:
        place = f"number {foreseen.place} of {foreseen.length} in the queue"
        return (f"No GPU that would do is free: it would wait, as {place}. {foreseen.reason}",)
    if not gpu.count:
        return ("It gets no GPU, and would be made now.",)
    slots = ", ".join(slot.id for slot in foreseen.slots)
    return (f"GPU slot {slots} is free: it would be made now.",)
