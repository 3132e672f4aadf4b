"""Slots and queue, read from the platform's own files."""

import logging
from dataclasses import replace
from datetime import datetime

from ds01_spawner.adapters.policy_files import PolicyForLooks
from ds01_spawner.composition import Platform, open_platform
from ds01_spawner.operations.allocation.gpu_queue import gpu_queue_json, read_gpu_queue
from ds01_spawner.operations.allocation.gpu_status import gpu_status_json, read_gpu_status
from ds01_spawner.operations.attribution.on_slots import with_others
from ds01_spawner.operations.attribution.scan import picture_json, workloads_json

_CHECK = "ds01 policy check"


def status() -> tuple[dict[str, object], datetime]:
    """Every slot, as `--json` prints it, and when."""
    platform = _for_a_look()
    known = read_gpu_status(platform.admission, platform.gpu_config)
    found = with_others(known, platform.attribution.picture)
    if platform.policy.problems:
        told = f"The policy is not valid, so how long slots are held is not shown: {_CHECK}."
        found = replace(found, problems=(*found.problems, told))
    return gpu_status_json(found), found.taken_at


def _for_a_look() -> Platform:
    """The platform, also while its policy is not valid: looking decides nothing."""
    # What is wrong is told below; without a handler it would be on stderr from the log as well.
    logging.getLogger("ds01_spawner").addHandler(logging.NullHandler())
    platform = open_platform(actor="cli")
    platform.policy = PolicyForLooks(platform.directories.config, platform.clock)
    return platform


def queue() -> dict[str, object]:
    """Everybody who waits, as `--json` prints it."""
    return gpu_queue_json(read_gpu_queue(open_platform(actor="cli").admission))


def processes() -> tuple[dict[str, object], datetime]:
    """Everything on every slot, as `--json` prints it, and when."""
    picture = open_platform(actor="cli").attribution.picture()
    return picture_json(picture), picture.taken_at


def workloads(*, unmanaged: bool) -> tuple[dict[str, object], datetime]:
    """Everything that runs, as `--json` prints it, and when."""
    picture = open_platform(actor="cli").attribution.picture()
    return workloads_json(picture, unmanaged=unmanaged), picture.taken_at
