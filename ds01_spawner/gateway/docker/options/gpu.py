"""What a client means by all the ways there are to ask Docker for GPUs: so many slots, of a size.

Device requests (`--gpus`), CDI names, `--runtime nvidia` and the variables that NVIDIA's runtime
reads (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html)
have one meaning here. An image's own variables ask for nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.grant import GPU_VARIABLE
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.quota import TOLERANCE, acceptable
from ds01_spawner.domain.request import MAX_SLOTS_PER_REQUEST, GpuKind, GpuRequest
from ds01_spawner.gateway.docker.reading.go_json import Fields

ALL = -1
CUDA_VARIABLE = "CUDA_VISIBLE_DEVICES"
_PASSED = frozenset(
    {
        "NVIDIA_API_KEY",
        "NVIDIA_TF32_OVERRIDE",
        "NVIDIA_DISABLE_REQUIRE",
        "NVIDIA_DRIVER_CAPABILITIES",
    }
)
"""Of NVIDIA's names, those that give no device and set no device up."""

_NO_DEVICE = frozenset({"", "none", "void", "-1", "nodevfiles"})
_DRIVERS = frozenset({"", "nvidia", "cdi"})
_CDI = re.compile(r"^nvidia\.com/(?:gpu|mig|[a-z]*gpu)=(?P<device>.+)\Z")
_CAPABILITIES = frozenset(
    {
        "gpu",
        "nvidia",
        "compute",
        "utility",
        "graphics",
        "video",
        "display",
        "compat32",
        "ngx",
        "all",
    }
)
_INDEX = re.compile(r"^\d{1,3}\Z", re.ASCII)
_OWN_CHOICE = "The platform chooses which GPU you get; the one you named is ignored."


@dataclass(frozen=True, slots=True)
class GpuAsked:
    """So many slots, of a size.

    Attributes:
        count: Slots; `ALL` for as many as the person may have in one container; 0 for none.
        size: As `ds01.gpu` says it (`mig`, `full`, `2g.10gb`, `20gb`); `None`: any will do.
    """

    count: int = 0
    size: str | None = None


@dataclass(frozen=True, slots=True)
class GpuWish:
    """One way of asking.

    Attributes:
        count: Slots, or `ALL`.
        named: Whether it names devices, which is ignored.
    """

    count: int
    named: bool = False


def gpu_asked(
    requests: Sequence[Fields], runtime: str, environment: Mapping[str, str], size: str | None
) -> tuple[GpuAsked, tuple[str, ...]]:
    """What is asked for, and what the client should be told about it.

    The first of these that says anything counts: device requests, NVIDIA's variable, the runtime,
    CUDA's variable. A size alone asks for one slot; the size `none` for none at all.

    Args:
        requests: `HostConfig.DeviceRequests`.
        runtime: `HostConfig.Runtime`.
        environment: The client's variables, not the image's.
        size: The label `ds01.gpu`.

    Raises:
        InvalidRequest: Something that is not a GPU, or a size that is none.
    """
    if size is not None and GpuRequest.parse(size).kind is GpuKind.NONE:
        for request in requests:
            _requested(request)
        return GpuAsked(), ()
    wish = _wish(requests, runtime, environment)
    if wish is None:
        wish = GpuWish(1 if size is not None else 0)
    if wish.count > MAX_SLOTS_PER_REQUEST:
        raise InvalidRequest(
            f"{wish.count} GPU slots cannot be requested.", f"Ask for 1 to {MAX_SLOTS_PER_REQUEST}."
        )
    warnings = (_OWN_CHOICE,) if wish.named else ()
    return GpuAsked(wish.count, size if wish.count else None), warnings


def candidates(
    asked: GpuAsked, limits: Limits, slots: Iterable[Slot], held: Sequence[Slot] = ()
) -> tuple[GpuRequest, ...]:
    """The requests to try for admission, the best first; the first that is granted is taken.

    More than one only for `ALL`: from what the person may have in one container down to one slot.

    Args:
        asked: What the client asked for.
        limits: The person's limits.
        slots: Every slot of the machine.
        held: Those that the person's other containers have.
    """
    if asked.count == 0:
        return (GpuRequest(),)
    one = GpuRequest.parse(asked.size) if asked.size else GpuRequest(GpuKind.AT_LEAST, 1)
    if asked.count != ALL:
        return (replace(one, count=asked.count),)
    most = _most(one, limits, slots, held)
    return tuple(replace(one, count=count) for count in range(max(most, 1), 0, -1))


def environment_within(
    environment: Iterable[str], granted: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The client's variables without those that choose devices, and what to say about that.

    `CUDA_VISIBLE_DEVICES` stays when it is plain indices of what was granted: a program's own
    choice among its GPUs.

    Args:
        environment: `NAME=value`, or `NAME` alone to unset one of the image's.
        granted: Slots that the container gets.
    """
    kept: list[str] = []
    dropped: list[str] = []
    for entry in environment:
        name, _, value = entry.partition("=")
        if name == CUDA_VARIABLE:
            passes = _is_choice(value, granted)
        else:
            passes = not name.startswith("NVIDIA_") or name in _PASSED
        (kept if passes else dropped).append(entry if passes else name)
    said = sorted({name for name in dropped if name != GPU_VARIABLE})
    told = f"Not passed on, because the platform chooses devices: {', '.join(map(_cut, said))}."
    return tuple(kept), (told,) if said else ()


def _wish(
    requests: Sequence[Fields], runtime: str, environment: Mapping[str, str]
) -> GpuWish | None:
    found = [_requested(request) for request in requests]
    if found:
        counts = [wish.count for wish in found]
        count = ALL if ALL in counts else sum(counts)
        return GpuWish(count, any(wish.named for wish in found))
    if (listed := environment.get(GPU_VARIABLE)) is not None:
        return _listed(listed)
    if runtime == "nvidia":
        return GpuWish(1)
    if (listed := environment.get(CUDA_VARIABLE)) is not None:
        return _listed(listed)
    return None


def _requested(request: Fields) -> GpuWish:
    """One device request. A second reading of the same one would find nothing."""
    driver = request.text("Driver")
    count = request.number("Count") or 0
    devices = request.texts("DeviceIDs") or ()
    capabilities = request.take("Capabilities") or []
    request.drop("Options")
    request.finish()
    if driver not in _DRIVERS:
        raise InvalidRequest(
            f"There are no devices of the driver {shown(driver)} here.", "Ask with --gpus."
        )
    _check_capabilities(capabilities)
    if devices:
        return _named([_device(driver, each) for each in devices])
    if count < ALL:
        raise InvalidRequest(f"{count} GPUs cannot be requested.", "Use --gpus 1, or --gpus all.")
    return GpuWish(count)


def _check_capabilities(sets: object) -> None:
    """Lists of names, any of which will do: what a GPU always has."""
    for each in sets if isinstance(sets, list) else [sets]:
        for name in each if isinstance(each, list) else [each]:
            if not isinstance(name, str) or name not in _CAPABILITIES:
                raise InvalidRequest(f"A device cannot have the capability {shown(name)}.")


def _device(driver: str, name: str) -> str:
    if match := _CDI.match(name):
        return match["device"]
    if driver == "cdi" or "=" in name:
        raise InvalidRequest(
            f"The device {shown(name)} cannot be given to containers here.",
            "Ask for GPUs with --gpus 1.",
        )
    return name


def _listed(text: str) -> GpuWish:
    """What a variable asks for: `all`, `0,1`, UUIDs, or nothing."""
    if text.strip().lower() in _NO_DEVICE:
        return GpuWish(0)
    return _named([part.strip() for part in text.split(",") if part.strip()])


def _named(devices: Sequence[str]) -> GpuWish:
    if "all" in devices:
        return GpuWish(ALL)
    return GpuWish(len(dict.fromkeys(devices)), named=True)


def _most(one: GpuRequest, limits: Limits, slots: Iterable[Slot], held: Sequence[Slot]) -> int:
    mine = {slot.uuid for slot in held}
    fitting = [slot for slot in acceptable(one, limits, slots) if slot.uuid not in mine]
    bounds = [len(fitting), MAX_SLOTS_PER_REQUEST]
    if limits.max_gpu_slots_per_container is not None:
        bounds.append(limits.max_gpu_slots_per_container)
    if limits.max_gpu_slots is not None:
        bounds.append(limits.max_gpu_slots - len(held))
    if limits.max_gpu_equivalents is not None:
        room = limits.max_gpu_equivalents - sum(slot.equivalents for slot in held)
        affordable = 0
        for slot in fitting:
            room -= slot.equivalents
            if room < -TOLERANCE:
                break
            affordable += 1
        bounds.append(affordable)
    return min(bounds)


def _is_choice(value: str, granted: int) -> bool:
    if value.strip().lower() in _NO_DEVICE:
        return True
    parts = [part.strip() for part in value.split(",")]
    return all(_INDEX.match(part) and int(part) < granted for part in parts)


def _cut(name: str) -> str:
    return shown(name)[1:-1]
