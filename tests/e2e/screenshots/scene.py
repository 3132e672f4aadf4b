"""A lab with twenty slots, people with long names, and what they do: the scene of the pictures."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ds01_spawner.adapters.gpu_source import SIMULATION_STATE
from ds01_spawner.adapters.simulated_state import (
    DeviceState,
    ProcessState,
    SimulatedState,
    write_state,
)
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.composition import Directories, open_platform
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.grant import with_door
from ds01_spawner.domain.labels import GPU_SLOTS, Interface
from ds01_spawner.domain.names import container_name, user_slug
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.domain.storage import WALK, StorageUse
from ds01_spawner.domain.usage import Amount, Booking, Grain, holder_of
from ds01_spawner.domain.work import PassMark, Rule, RuleStop, Track
from ds01_spawner.gateway.web.utilisation import IDLE_BELOW
from ds01_spawner.operations.allocation.admission import Grant
from ds01_spawner.operations.containers.launch import Progress
from e2e.hub import Hub, Person, docker
from e2e.lab_config import STARTER
from fakes.usage_books import fill

SHIPPED = Path(__file__).parents[3] / "config"
GIB = 1024**3

ME = "jürgen.müßig-öztürk"
LONG = "anna-lena.wolfeschlegelsteinhausenbergerdorff"
PROFESSOR = "prof.öhlenschläger-von-hohenstein"
COURSE = "kurs-bildverarbeitung"
NEW = "ada.neu"
THESIS = "masterarbeit-bildsegmentierung"

GROUPS = {
    "student": (ME, LONG, NEW, "mehmet.çelik", "li.wei", "paul.schmidt"),
    "researcher": ("björk.guðmundsdóttir", "zoë.łukasiewicz-ñandú"),
    "faculty": (PROFESSOR,),
    "studienprojekt-bildverarbeitung-und-robotik": ("sofía.garcía-márquez",),
    "kurs": (COURSE,),
}
MORE_GROUPS = """
  studienprojekt-bildverarbeitung-und-robotik:
    priority: 40
    max_gpu_slots: 2
    storage: 200g
  kurs:
    max_gpu_slots: null
    max_gpu_slots_per_container: 12
    max_gpu_equivalents: null
    max_containers_per_user: null
    allow_full_gpu: true
"""
GPUS = """source: simulated
strategy: least_allocated
simulated:
  seed: {seed}
  gpus:
    - {{model: A100-40GB, mig: [1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb]}}
    - {{model: A100-40GB, mig: [2g.10gb, 2g.10gb, 1g.5gb, 1g.5gb, 1g.5gb]}}
    - {{model: A100-40GB, mig: [3g.20gb, 1g.5gb, 1g.5gb, 1g.5gb, 1g.5gb]}}
    - {{model: A100-40GB, count: 3}}
"""
SLOTS = 20
BOOKED_DAYS = 75
NOBODYS = 4_194_303
"""No process has this id."""

IMAGES = f"""default: starter
images:
  starter:
    reference: {STARTER}
    title: Starter
    description: JupyterLab, notebooks and widgets on Python; a place to begin.
    gpu_recommended: true
  vorlesung:
    reference: ds01/plain:latest
    title: Größenordnungsschätzung für Überflieger
    description: "Übungen zur Vorlesung „Maschinelles Lernen“, mit den Daten des Kurses."
  pytorch:
    reference: lab/pytorch:2.9
    title: PyTorch 2.9
    description: PyTorch with CUDA 12.8, torchvision and Lightning.
    gpu_recommended: true
allow_own_images: true
build:
  base: ds01/base:bookworm
"""
CARBON = """intensity: 380
source: the figure of our supplier for 2025
"""


def group_of(user: str) -> str:
    """The group that somebody is in."""
    return next(group for group, people in GROUPS.items() if user in people)


@dataclass(frozen=True)
class Hold:
    """A GPU that somebody holds.

    Attributes:
        user: Who.
        name: What they call the container.
        gpu: What size.
        minutes: Since when.
        busy: How busy it is, 0 to 1.
        project: What for.
    """

    user: str
    name: str
    gpu: str
    minutes: int
    busy: float
    project: str | None = None


HOLDS = (
    Hold("björk.guðmundsdóttir", "gletscher-modell", "full", 310, 0.86, "gletscher"),
    Hold(PROFESSOR, "vorlesung-demo", "full", 140, 0.01),
    Hold(LONG, "training-resnet50-auf-imagenet-mit-augmentierung", "1g.5gb", 105, 0.93),
    Hold("li.wei", "nlp-eval", "1g.5gb", 88, 0.71, "nlp-2026"),
    Hold("björk.guðmundsdóttir", "gletscher-lauf-2", "3g.20gb", 80, 0.55, "gletscher"),
    Hold("mehmet.çelik", "hausaufgabe-3", "1g.5gb", 52, 0.0),
    Hold("sofía.garcía-márquez", "segmentierung", "2g.10gb", 41, 0.64, "robotik"),
    Hold("li.wei", "nlp", "1g.5gb", 33, 0.48, "nlp-2026"),
    Hold("zoë.łukasiewicz-ñandú", "protein-faltung", "full", 25, 0.97),
    Hold("paul.schmidt", "test", "1g.5gb", 16, 0.02),
    Hold("paul.schmidt", "vergleich", "1g.5gb", 12, 0.4),
)
STOPPED = HOLDS[-1]
BOOKED = {
    **{each.user: (group_of(each.user), each.project or "") for each in HOLDS},
    COURSE: ("kurs", "vorlesung"),
    ME: ("student", "robotik"),
}
"""Of whom the books of the last weeks tell."""

STORED = {"mehmet.çelik": 48.6, LONG: 44.2, "li.wei": 12.0, ME: 31.5, "paul.schmidt": 0.4}


def furnish(config: Path) -> None:
    """The shipped settings, with the people, the images and the cards of the scene."""
    for path in (config / "groups").glob("*.members"):
        path.unlink()
    for group, people in GROUPS.items():
        (config / f"groups/{group}.members").write_text("".join(f"{each}\n" for each in people))
    limits = (SHIPPED / "resource-limits.yaml").read_text()
    limits = limits.replace("defaults:\n", "defaults:\n  storage: 50g\n", 1)
    limits = limits.replace("\nusers: {}", f"{MORE_GROUPS}\nusers: {{}}", 1)
    (config / "resource-limits.yaml").write_text(limits)
    (config / "gpu-config.yaml").write_text(GPUS.format(seed=config.parent.name))
    (config / "images.yaml").write_text(IMAGES)
    (config / "carbon.yaml").write_text(CARBON)
    (config.parent / "people").write_text("admin")


class _Ago(SystemClock):
    ago = timedelta()

    def now(self) -> datetime:
        return super().now() - self.ago


@dataclass
class Scene:
    """What happens in the lab.

    Attributes:
        hub: The lab's hub.
        history: What the gateway's next start remembers.
    """

    hub: Hub
    history: Path

    def __post_init__(self) -> None:
        hub = self.hub
        places = Directories(hub.config, hub.state, hub.state / "events.jsonl")
        self._platform = open_platform(places, actor="hub")
        self._clock = _Ago()
        self._platform.clock = self._clock

    def hold(self, holds: tuple[Hold, ...] = HOLDS) -> None:
        """Containers of others on their slots, from when they say on."""
        for each in holds:
            self._clock.ago = timedelta(minutes=each.minutes)
            self.hub.user(each.user)
            self._launch(each)
        self._clock.ago = timedelta()

    def _launch(self, hold: Hold) -> None:
        request = LaunchRequest(
            *(hold.user, hold.name, Interface.CLI, STARTER),
            gpu=GpuRequest.parse(hold.gpu),
            project=hold.project,
        )
        grant = self._platform.admission.admit(request)
        assert isinstance(grant, Grant), grant
        spec = with_door(grant.spec, command=("sleep", "3600"))
        quiet = Progress(say=lambda _step: None, abandoned=threading.Event())
        self._platform.launcher.launch(request, grant, spec, quiet)

    def stop(self, hold: Hold) -> None:
        """It stops; its slot is kept for its owner for a while."""
        name = container_name(hold.name, hold.user)
        self._platform.servers.stop(name, interface=Interface.CLI)

    def fill(self) -> None:
        """A course takes every slot that is free."""
        taken = {slot for slot, use in self.hub.slots().items() if use["state"] != "free"}
        sizes = {slot: use["profile"] for slot, use in self.hub.slots().items()}
        free = sorted(slot for slot in sizes if slot not in taken)
        self.hold(
            tuple(
                Hold(COURSE, f"gruppe-{number:02d}", sizes[slot], 3, 0.3)
                for number, slot in enumerate(free, 1)
            )
        )

    def load(self) -> None:
        """The cards do what the scene says, and the gateway's next start remembers it."""
        known = {container_name(each.name, each.user): each for each in HOLDS}
        devices, history = {}, {}
        for container in self.hub.containers(everything=False):
            found = json.loads(docker("inspect", container))[0]
            hold = known.get(found["Name"].removeprefix("/"))
            busy, minutes = (hold.busy, hold.minutes) if hold else (0.35, 20)
            for slot in filter(None, found["Config"]["Labels"].get(GPU_SLOTS, "").split(",")):
                memory = int((1 + 3.6 * busy) * GIB)
                work = ProcessState(pid=found["State"]["Pid"], memory_bytes=memory)
                devices[slot] = DeviceState(
                    utilisation=busy,
                    memory_used_bytes=memory,
                    processes=(work,) if busy > IDLE_BELOW else (),
                )
                history[slot] = (busy, minutes)
        self.history.write_text(json.dumps(history))
        write_state(self.hub.state / SIMULATION_STATE, SimulatedState(devices=devices))

    def store(self) -> None:
        """How much of their storage people use."""
        now = datetime.now(UTC)
        with self._platform.ledger.transaction() as transaction:
            for user, gigabytes in STORED.items():
                size = int(gigabytes * GIB)
                use = StorageUse(user, size, now - timedelta(minutes=7), WALK, (), 50 * GIB)
                transaction.put_storage(use)

    def remember(self) -> None:
        """Slots that were given back lately, from which follows how long a wait is likely to be."""
        now = datetime.now(UTC)
        before = [
            UsageInterval(
                f"before-{hours}",
                f"slot-{hours}",
                COURSE,
                1 / 7,
                now - timedelta(hours=hours + 2),
                now - timedelta(hours=hours),
                group="kurs",
                project="vorlesung",
            )
            for hours in range(8)
        ]
        seen = Amount(seen_microseconds=2 * 3600 * 10**6)
        with self._platform.ledger.transaction() as transaction:
            transaction.put_usage(before)
            bookings = [Booking(holder_of(each), each.started_at, seen) for each in before]
            transaction.book_usage(Grain.HOUR, bookings)

    def book(self) -> None:
        """What was used in the last weeks, with a gap in it."""
        fill(self._platform.ledger, datetime.now(UTC), BOOKED_DAYS, people=BOOKED)

    def looked(self) -> None:
        """The lifecycle service has looked just now, and cleared away what is over."""
        with self._platform.ledger.transaction() as transaction:
            transaction.remove_reservations([each.id for each in transaction.reservations()])
            transaction.put_pass_mark(PassMark("boot", datetime.now(UTC), 5.0))

    def trouble(self) -> None:
        """A card is lost, and something works on another that nobody is known to own."""
        lost = DeviceState(fault="gpu_is_lost")
        strange = ProcessState(pid=NOBODYS, memory_bytes=3 * GIB)
        devices = {"5": lost, "4": DeviceState(utilisation=0.4, processes=(strange,))}
        write_state(self.hub.state / SIMULATION_STATE, SimulatedState(devices=devices))

    def unused(self, person: Person, server: str, minutes: int) -> None:
        """A server that nobody has used for so long."""
        since = datetime.now(UTC) - timedelta(minutes=minutes)
        track = Track(
            *(person.container_id(server), person.container(server), person.name),
            started_at=since,
            run_started_at=since,
            idle_checks=3,
            idle_since=since,
        )
        with self._platform.ledger.transaction() as transaction:
            transaction.put_tracks([track])

    def stopped_by_rule(self, person: Person, server: str) -> None:
        """A server that the lab stopped because nobody used it."""
        container_id, moment = person.container_id(server), datetime.now(UTC)
        where = ("2h", "group student, resource-limits.yaml line 82")
        said = "Nothing has run on it since 12:35."
        stop = RuleStop(
            *(container_id, person.container(server), person.name),
            Rule.IDLE,
            "idle_timeout",
            *where,
            said,
            decided_at=moment,
            done_at=moment,
        )
        notice = Notice(
            f"{container_id[:8]}-stopped",
            person.name,
            NoticeKind.STOPPED,
            moment,
            f"{server} was stopped",
            f"{said}\nThe limit is 2h (idle_timeout, {where[1]}).\nYour home folder stays.",
            name=server,
        )
        with self._platform.ledger.transaction() as transaction:
            transaction.put_rule_stop(stop)
            transaction.put_notice(notice, ())
        person.stop(server)


@contextmanager
def own_images(user: str, source: str, *called: str) -> Iterator[None]:
    """Images of somebody's own: other names for one that is there."""
    names = [f"ds01-{user_slug(user)}/{name}:latest" for name in called]
    for name in names:
        docker("tag", source, name)
    try:
        yield
    finally:
        docker("image", "rm", "--no-prune", *names, check=False)
