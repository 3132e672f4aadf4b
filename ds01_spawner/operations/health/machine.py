"""Checks of the machine: disks, clock, and who may read what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.health import (
    DiskFacts,
    FileFacts,
    Level,
    Verdict,
    bad,
    doubtful,
    good,
    worst,
)
from ds01_spawner.domain.wording import length, size
from ds01_spawner.domain.work import SMALLEST_JUMP, passed
from ds01_spawner.operations.health.health import Check
from ds01_spawner.ports import Clock, Ledger
from ds01_spawner.ports.health import MachineLook

_GIB = 1024**3
FULL_BYTES, LOW_BYTES = _GIB, 10 * _GIB
_FULL_SHARE, _LOW_SHARE = 0.01, 0.05
_BY_OTHERS, _WRITTEN_BY_OTHERS, _BY_ALL, _WRITTEN_BY_ALL = 0o077, 0o022, 0o007, 0o002
READ_ONCE = ("gpu-config.yaml", "images.yaml")
"""Settings that services read when they start."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is looked at.

    Attributes:
        look: How.
        clock: The time.
        ledger: Where the time of the last pass is.
        places: Folders by what is in them; asked each time.
        state: Folder of what the platform writes.
        config: Folder of what the administrator writes.
        run: Folder of sockets.
        events: The audit log.
        socket: The gateway's, which it makes when it starts.
        secrets: Files that nobody but their owner may read.
    """

    look: MachineLook
    clock: Clock
    ledger: Callable[[], Ledger]
    places: Callable[[], Mapping[str, str]]
    state: str
    config: str
    run: str
    events: str
    socket: str
    secrets: tuple[str, ...] = field(default=())


def machine_checks(machine: Machine) -> tuple[Check, ...]:
    """Checks of the machine, in the order in which they are told."""
    return (
        Check("disks", lambda: disks(machine)),
        Check("event log", lambda: event_log(machine)),
        Check("files", lambda: files(machine)),
        Check("settings", lambda: settings(machine), Level.WARN),
        Check("clock", lambda: clock(machine), Level.WARN),
    )


def disks(machine: Machine) -> Verdict:
    """Whether there is room, in bytes and in files, wherever something is written."""
    known: dict[int, tuple[list[str], str, DiskFacts]] = {}
    for place, folder in machine.places().items():
        found = machine.look.disk(folder)
        if found is not None:
            known.setdefault(found.device, ([], folder, found))[0].append(place)
    if not known:
        return bad("None of the platform's folders is there.", "Start its services.")
    verdicts = [_disk(", ".join(names), folder, found) for names, folder, found in known.values()]
    free = (
        f"{', '.join(names)}: {size(found.free_bytes)} free" for names, _, found in known.values()
    )
    return worst(verdicts, good(f"{'; '.join(free)}."))


def _disk(names: str, folder: str, found: DiskFacts) -> Verdict:
    hint = f"df -h {folder}; docker system df says what images take."
    if found.read_only:
        return bad(f"The disk of {names} ({folder}) takes no writing.", "dmesg says why.")
    share = found.free_bytes / max(found.size_bytes, 1)
    said = f"The disk of {names} ({folder}) has {size(found.free_bytes)} left."
    if found.free_bytes < FULL_BYTES or (share < _FULL_SHARE and found.free_bytes < LOW_BYTES):
        return bad(said, hint)
    if found.inodes and found.free_inodes / found.inodes < _FULL_SHARE:
        return bad(f"The disk of {names} takes no more files (inodes).", f"df -i {folder}")
    if found.free_bytes < LOW_BYTES or share < _LOW_SHARE:
        return doubtful(said, hint)
    if found.inodes and found.free_inodes / found.inodes < _LOW_SHARE:
        return doubtful(f"The disk of {names} takes few more files.", f"df -i {folder}")
    return good(said)


def event_log(machine: Machine) -> Verdict:
    """Whether the next line can be written: what cannot be audited is not done."""
    folder = str(PurePosixPath(machine.events).parent)
    found = machine.look.disk(folder)
    if found is None:
        return bad(f"There is no folder {folder}.", "Start the services, which make it.")
    if found.read_only or found.free_bytes == 0:
        return bad(f"Nothing can be written to {folder}.", f"df -h {folder}")
    file = machine.look.file(machine.events)
    if file is None:
        return good(f"{machine.events} is made with the first event.")
    if file.mode & _WRITTEN_BY_OTHERS:
        who = "everybody" if file.mode & _WRITTEN_BY_ALL else "its group"
        return bad(
            f"It proves nothing: {who} may write it ({machine.events}, mode {file.mode:04o}).",
            f"chmod 640 {machine.events}; what was written meanwhile may be anybody's.",
        )
    if file.mode & _BY_ALL:
        return doubtful(f"Everybody may read {machine.events}.", f"chmod o= {machine.events}")
    return good(f"{machine.events}, {size(file.size_bytes)}.")


def files(machine: Machine) -> Verdict:
    """Whether nobody else reads secrets, or writes what decides."""
    home = machine.look.file(machine.state)
    if home is None:
        return bad(f"There is no folder {machine.state}.", "Start the services, which make it.")
    trusted = {0, home.uid}
    found = [*_secrets(machine, trusted), *_written(machine, trusted)]
    return worst(found, good("Secrets are their owner's, and only root writes what decides."))


def _secrets(machine: Machine, trusted: set[int]) -> list[Verdict]:
    verdicts = []
    for path in machine.secrets:
        found = machine.look.file(path)
        if found is None:
            continue
        if found.mode & _BY_OTHERS:
            verdicts.append(
                bad(f"{path} has mode {found.mode:04o}: it is a secret.", f"chmod 600 {path}")
            )
        verdicts += _somebodys(path, found, trusted)
    return verdicts


def _written(machine: Machine, trusted: set[int]) -> list[Verdict]:
    verdicts = []
    ours = (machine.state, machine.run, machine.config)
    for path in (*ours, *machine.look.matching(machine.config, "*.yaml")):
        try:
            found = machine.look.file(path)
        except Unavailable as exc:
            verdicts.append(doubtful(str(exc)))
            continue
        if found is None:
            continue
        if found.mode & _WRITTEN_BY_OTHERS:
            verdicts.append(
                bad(f"{path} has mode {found.mode:04o}: others may write.", f"chmod go-w {path}")
            )
        verdicts += _somebodys(path, found, trusted)
    return verdicts


def _somebodys(path: str, found: FileFacts, trusted: set[int]) -> list[Verdict]:
    if found.uid in trusted:
        return []
    return [bad(f"{path} is the user {found.uid}'s.", f"chown root {path}")]


def settings(machine: Machine) -> Verdict:
    """Whether the services started with the settings as they are.

    By when the gateway made its socket: services are restarted together.
    """
    socket = machine.look.file(machine.socket)
    started = None if socket is None else socket.modified_at
    if started is None:
        return good("When the services started is not known: the gateway has no socket.")
    edited = []
    for name in READ_ONCE:
        found = machine.look.file(str(PurePosixPath(machine.config) / name))
        if found is not None and found.modified_at is not None and found.modified_at > started:
            edited.append(name)
    if edited:
        return doubtful(
            f"{' and '.join(edited)} {'was' if len(edited) == 1 else 'were'} edited since the "
            "services started, which go on with what they read then.",
            "ds01 policy check; then restart hub, gateway, lifecycle service and exporter.",
        )
    return good("Nothing was edited since the services started that they read only then.")


def clock(machine: Machine) -> Verdict:
    """Whether something keeps it right, and whether it was set since the last pass."""
    mark = machine.clock.mark()
    with machine.ledger().transaction() as transaction:
        last = transaction.pass_mark()
    found = []
    if last is not None and last.boot_id == mark.boot_id:
        jump = passed(last, mark).jump
        if abs(jump) >= SMALLEST_JUMP:
            way = "ahead" if jump > timedelta(0) else "back"
            found.append(doubtful(f"It was set {length(abs(jump))} {way} since the last pass."))
    kept = machine.look.clock_is_kept()
    if kept is False:
        found.append(
            doubtful(
                "Nothing keeps the clock right (NTP).",
                "timedatectl set-ntp true; in a virtual machine the host may do it.",
            )
        )
    said = "It is kept right." if kept else "The kernel does not say whether it is kept right."
    return worst(found, good(said))
