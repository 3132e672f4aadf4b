"""One reading of all cards through NVML.

A card or an instance that cannot be read in full is not listed: its slots are unavailable, and a
sentence says why. Only what the driver says outright (no MIG on this card) is taken as an answer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pynvml

from ds01_spawner.adapters.nvml_api import (
    FAULTS,
    Attributes,
    Handle,
    Nvml,
    Process,
    error_code,
    is_absent,
    is_driver_wide,
    sentence,
)
from ds01_spawner.domain.gpu import (
    UNKNOWN_PROFILE,
    Gpu,
    MigInstance,
    MigProfile,
    Slot,
    SlotActivity,
    slots_of,
)

T = TypeVar("T")

MIB = 1024**2
_FULL_PROFILES = (
    pynvml.NVML_GPU_INSTANCE_PROFILE_8_SLICE,
    pynvml.NVML_GPU_INSTANCE_PROFILE_7_SLICE,
    pynvml.NVML_GPU_INSTANCE_PROFILE_6_SLICE,
    pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE,
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE,
)
_NO_SUCH_INDEX = frozenset({pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_INVALID_ARGUMENT})
_CARD_GONE = frozenset(
    {
        pynvml.NVML_ERROR_GPU_IS_LOST,
        pynvml.NVML_ERROR_RESET_REQUIRED,
        pynvml.NVML_ERROR_GPU_NOT_FOUND,
    }
)
_FOUR_SLICES = re.compile(r"\bA30X?\b|\bRTX PRO\b")
_NAMED_PROFILE = re.compile(r"\bMIG (?P<profile>\S+)$")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one card, or all of them, said.

    Attributes:
        gpus: Cards that could be read.
        handles: NVML handle of every slot, by UUID; good until the MIG layout changes.
        problems: Sentences for people.
        unavailable: Slots that are there and could not be read.
    """

    gpus: tuple[Gpu, ...] = ()
    handles: Mapping[str, Handle] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    unavailable: tuple[Slot, ...] = ()


def read_cards(nvml: Nvml, remembered: Mapping[str, Gpu]) -> Reading | None:
    """Every card, or `None` when cards came or went meanwhile and the reading means nothing.

    Args:
        nvml: An initialised NVML.
        remembered: Cards as they were last read, by UUID: names the slots of a lost one.

    Raises:
        pynvml.NVMLError: The driver as a whole does not answer.
    """
    count = nvml.nvmlDeviceGetCount()
    cards = [_read_card(nvml, index, remembered) for index in range(count)]
    uuids = [gpu.uuid for card in cards for gpu in card.gpus]
    if nvml.nvmlDeviceGetCount() != count or len(set(uuids)) != len(uuids):
        return None
    return Reading(
        gpus=tuple(gpu for card in cards for gpu in card.gpus),
        handles={uuid: handle for card in cards for uuid, handle in card.handles.items()},
        problems=tuple(problem for card in cards for problem in card.problems),
        unavailable=tuple(slot for card in cards for slot in card.unavailable),
    )


def read_activity(nvml: Nvml, handle: Handle) -> SlotActivity | None:
    """What a slot does now, or `None` when the driver does not say what runs on it."""
    try:
        pids = _compute_pids(nvml, handle)
        rates = optional(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        return SlotActivity(
            utilisation=None if rates is None else min(rates.gpu / 100, 1.0),
            memory_used_bytes=optional(lambda: _memory_used(nvml, handle)),
            pids=pids,
            graphics_pids=optional(lambda: _graphics_pids(nvml, handle)) or (),
        )
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return None


def optional(call: Callable[[], T]) -> T | None:
    """The answer, or `None` where the card or the driver does not have the function."""
    try:
        return call()
    except FAULTS as error:
        if not is_absent(error):
            raise
        return None


def told(call: Callable[[], T]) -> T | None:
    """The answer, or `None` where it fails: a figure that others can do without.

    Raises:
        pynvml.NVMLError: The driver as a whole does not answer.
    """
    try:
        return call()
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return None


def _read_card(nvml: Nvml, index: int, remembered: Mapping[str, Gpu]) -> Reading:
    uuid = ""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        uuid = nvml.nvmlDeviceGetUUID(handle)
        return _readable_card(nvml, handle, index, uuid)
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return _lost_card(index, uuid, error, remembered)


def _lost_card(index: int, uuid: str, error: Exception, remembered: Mapping[str, Gpu]) -> Reading:
    known = remembered.get(uuid) or next(
        (gpu for gpu in remembered.values() if gpu.index == index and not uuid), None
    )
    slots = tuple(slots_of((replace(known, index=index),))) if known is not None else ()
    unknown = Slot(str(index), uuid, uuid, index, UNKNOWN_PROFILE, 0, 0.0)
    name = f"GPU {index} ({uuid})" if uuid else f"GPU {index}"
    return Reading(
        problems=(
            f"{name} cannot be read: {sentence(error)} Nobody is given it until it answers again.",
        ),
        unavailable=slots or (unknown,),
    )


def _readable_card(nvml: Nvml, handle: Handle, index: int, uuid: str) -> Reading:
    name = nvml.nvmlDeviceGetName(handle)
    memory_bytes = nvml.nvmlDeviceGetMemoryInfo(handle).total
    mode = optional(lambda: nvml.nvmlDeviceGetMigMode(handle))
    if mode is None:
        return Reading(gpus=(Gpu(uuid, index, name, memory_bytes),), handles={uuid: handle})
    current, pending = mode
    card = Gpu(
        uuid=uuid,
        index=index,
        name=name,
        memory_bytes=memory_bytes,
        mig_enabled=current != pynvml.NVML_DEVICE_MIG_DISABLE,
        compute_slices=_compute_slices(nvml, handle, name),
    )
    problems = []
    if current != pending:
        now, then = ("on", "off") if card.mig_enabled else ("off", "on")
        problems.append(
            f"GPU {index}: MIG mode is {now} and will be {then} after the next reset of the GPU."
        )
    if not card.mig_enabled:
        return Reading(gpus=(card,), handles={uuid: handle}, problems=tuple(problems))
    return _with_instances(nvml, handle, card, tuple(problems))


def _with_instances(nvml: Nvml, handle: Handle, card: Gpu, problems: tuple[str, ...]) -> Reading:
    instances: list[MigInstance] = []
    handles: dict[str, Handle] = {}
    lost: list[Slot] = []
    found = list(problems)
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            device = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except FAULTS as error:
            if error_code(error) in _NO_SUCH_INDEX:
                continue
            raise
        uuid = ""
        try:
            uuid = nvml.nvmlDeviceGetUUID(device)
            instance = _instance(nvml, device, card, uuid, index)
        except FAULTS as error:
            if error_code(error) in _CARD_GONE or is_driver_wide(error):
                raise
            slot_id = f"{card.index}:{index}"
            found.append(
                f"GPU slot {slot_id} cannot be read: {sentence(error)} Nobody is given it."
            )
            lost.append(Slot(slot_id, uuid, card.uuid, card.index, UNKNOWN_PROFILE, 0, 0.0))
            continue
        instances.append(instance)
        handles[uuid] = device
    if not instances and not lost:
        found.append(
            f"GPU {card.index} is in MIG mode and has no instances, so it has nothing to give. "
            "Create instances (nvidia-smi mig -cgi …) or switch MIG off."
        )
    slices = max(card.compute_slices, sum(instance.compute_slices for instance in instances))
    return Reading(
        gpus=(replace(card, instances=tuple(instances), compute_slices=slices),),
        handles=handles,
        problems=tuple(found),
        unavailable=tuple(lost),
    )


def _instance(nvml: Nvml, device: Handle, card: Gpu, uuid: str, index: int) -> MigInstance:
    attributes = optional(lambda: nvml.nvmlDeviceGetAttributes(device))
    name = optional(lambda: nvml.nvmlDeviceGetName(device)) or ""
    profile = _named_profile(name)
    if profile is None and attributes is not None:
        profile = _derived_profile(attributes, card)
    if profile is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_DATA)
    memory_bytes = attributes.memorySizeMB * MIB if attributes is not None else 0
    slices = attributes.computeInstanceSliceCount if attributes is not None else 0
    return MigInstance(
        uuid=uuid,
        index=index,
        profile=str(profile),
        memory_bytes=memory_bytes or nvml.nvmlDeviceGetMemoryInfo(device).total,
        compute_slices=slices or profile.usable_slices,
        gpu_instance_id=told(lambda: nvml.nvmlDeviceGetGpuInstanceId(device)),
    )


def _named_profile(name: str) -> MigProfile | None:
    match = _NAMED_PROFILE.search(name)
    return None if match is None else MigProfile.parse(match["profile"])


def _derived_profile(attributes: Attributes, card: Gpu) -> MigProfile:
    # Of the profiles that are a part of the card only `+me` has the optical-flow engine:
    # https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html
    is_part = attributes.gpuInstanceSliceCount < card.compute_slices
    return MigProfile.derive(
        gpu_slices=attributes.gpuInstanceSliceCount,
        compute_slices=attributes.computeInstanceSliceCount,
        memory_bytes=attributes.memorySizeMB * MIB,
        gpu_memory_bytes=card.memory_bytes,
        media_extensions=is_part and attributes.sharedOfaCount > 0,
    )


def _compute_slices(nvml: Nvml, handle: Handle, name: str) -> int:
    """Slices of the largest profile the driver knows for the card, else what its name implies."""
    for profile in _FULL_PROFILES:
        for version in (2, 1):
            try:
                info = nvml.nvmlDeviceGetGpuInstanceProfileInfo(handle, profile, version)
            except FAULTS as error:
                if error_code(error) in _CARD_GONE or is_driver_wide(error):
                    raise
                continue
            return info.sliceCount
    return 4 if _FOUR_SLICES.search(name) else 7


def _memory_used(nvml: Nvml, handle: Handle) -> int:
    try:
        return nvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2).used
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return nvml.nvmlDeviceGetMemoryInfo(handle).used


def computing(nvml: Nvml, handle: Handle) -> Sequence[Process]:
    """Processes with a CUDA context on a slot."""
    try:
        return nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except FAULTS as error:
        if error_code(error) != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
            raise
        return nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)


def _compute_pids(nvml: Nvml, handle: Handle) -> tuple[int, ...]:
    return tuple(sorted({process.pid for process in computing(nvml, handle)}))


def _graphics_pids(nvml: Nvml, handle: Handle) -> tuple[int, ...]:
    processes = nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)
    return tuple(sorted({process.pid for process in processes}))
