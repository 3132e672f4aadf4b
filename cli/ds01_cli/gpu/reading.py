"""Slots and queue: from the platform's files for whom they belong to, else through the API."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from ds01_cli.frame import session
from ds01_cli.frame.platform_files import platform_is_open


class Reading(NamedTuple):
    """What was read.

    Attributes:
        document: What `--json` prints.
        taken_at: When it was so.
    """

    document: dict[str, Any]
    taken_at: datetime


def read_status() -> Reading:
    """Every slot.

    Raises:
        Unavailable: A part that is needed does not answer.
    """
    if platform_is_open():
        from ds01_cli.gpu import direct  # noqa: PLC0415 - it loads the platform

        return Reading(*direct.status())
    with session.connect() as client:
        found = client.gpus()
    return Reading(found.model_dump(mode="json"), found.taken_at)


def read_queue() -> Reading:
    """Who waits: everybody for managers, else oneself.

    Raises:
        Unavailable: A part that is needed does not answer.
    """
    if platform_is_open():
        from ds01_cli.gpu import direct  # noqa: PLC0415 - it loads the platform

        return Reading(direct.queue(), datetime.now(UTC))
    with session.connect() as client:
        found = client.queue()
    entries = [{**each.model_dump(mode="json"), "container": each.name} for each in found.tickets]
    return Reading({"queue": entries}, found.taken_at)
