"""What people are told about their work on GPUs that was started past the platform. Pure."""

import hashlib
from datetime import datetime

from ds01_spawner.domain.attribution import WorkloadClass
from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.notice_text import Limit, Moment
from ds01_spawner.domain.wording import clean
from ds01_spawner.domain.workload import Workload

_ID_LENGTH = 32
_LONG = 300
_INSTEAD = (
    "Start it through the platform: ds01 container deploy, or docker with "
    "DOCKER_HOST=unix:///run/ds01/docker.sock. Then it has a GPU slot of its own, and waits for "
    "one when none is free."
)


def phrase(workload: Workload) -> str:
    """`your container train`, `your programs outside of containers`."""
    if workload.owner.kind is WorkloadClass.HOST:
        return "your programs outside of containers"
    return f"your container {clean(workload.owner.container or workload.id[:12])}"


def warned(workload: Workload, limit: Limit, moment: Moment, deadline: datetime | None) -> Notice:
    """The notice that something takes a GPU past the platform, and when it is stopped, if it is."""
    what, slots = phrase(workload), ", ".join(workload.slots)
    title = f"{what[0].upper()}{what[1:]} "
    if deadline is None:
        title += "uses a GPU past the platform."
        then = "Others wait for that GPU, and the platform does not know when you are done."
    else:
        title += f"stops at {moment.clock(deadline)}: it uses a GPU past the platform."
        then = "Save your work before then. What is in memory goes when it stops."
    if workload.owner.kind is WorkloadClass.HOST:
        title = title.replace(" uses ", " use ").replace(" stops at ", " stop at ")
        title = title.replace(": it use ", ": they use ")
        then += "" if deadline is None else " What you start there later stops as soon after."
    text = f"It is on GPU slot {slots}. {then}\n\n{_INSTEAD}\n\n{limit}"
    kind = NoticeKind.FIRST_WARNING if deadline is None else NoticeKind.FINAL_WARNING
    return _notice(workload, kind, limit, moment, title, text, deadline)


def stopped(workload: Workload, limit: Limit, moment: Moment) -> Notice:
    """The notice that it was stopped."""
    what = phrase(workload)
    was = "were" if workload.owner.kind is WorkloadClass.HOST else "was"
    title = f"{what[0].upper()}{what[1:]} {was} stopped: a GPU was used past the platform."
    return _notice(
        workload, NoticeKind.STOPPED, limit, moment, title, f"{_INSTEAD}\n\n{limit}", None
    )


def _notice(  # noqa: PLR0913, PLR0917 - the parts of one notice
    workload: Workload,
    kind: NoticeKind,
    limit: Limit,
    moment: Moment,
    title: str,
    text: str,
    deadline: datetime | None,
) -> Notice:
    owner = workload.owner
    facts = (owner.user or "", workload.id, kind.value, format_timestamp(moment.now))
    return Notice(
        id=hashlib.sha256("\0".join(facts).encode(errors="replace")).hexdigest()[:_ID_LENGTH],
        user=owner.user or "",
        kind=kind,
        created_at=moment.now,
        title=title,
        text=text,
        container_id=owner.container_id or "",
        container_name=owner.container or "",
        name=owner.container or "",
        rule=limit.key,
        value=limit.value,
        origin=clean(limit.origin, _LONG),
        deadline=deadline,
    )
