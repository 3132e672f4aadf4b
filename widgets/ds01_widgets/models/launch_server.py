"""Servers of the hub: which there are, and one that is started with a GPU, or waits for it."""

from dataclasses import dataclass
from typing import ClassVar

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.names import DEFAULT_SERVER, check_name
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.gpu_offers import NONE, Free, GpuOffer, free_of, read_offers
from ds01_widgets.models.live import Live
from ds01_widgets.models.server_start import ServerStart
from ds01_widgets.models.servers import STATES, ImageChoice, ServerRow, choices_of, row_of
from ds01_widgets.running import Running

NEW = "\x00new"
"""Chosen for a server that there is not yet; nothing can be called so."""


@dataclass(frozen=True, slots=True)
class Now:
    """What changes by itself.

    Attributes:
        servers: One's servers.
        gpus: Every slot.
    """

    servers: m.Servers
    gpus: m.Gpus


@dataclass(frozen=True, slots=True)
class _Declared:
    now: Now
    offers: tuple[GpuOffer, ...]
    images: m.Images


class LaunchServerModel(Live[Now]):
    """Starts a server with a GPU of a size that is allowed, and follows its place in the queue.

    Attributes:
        offers: GPU sizes that one may have.
        images: What a server can be started with.
        server: The hub's name of the server that is meant; `NEW` for another one.
        name: What another one is to be called.
        image: What it is started with; empty for the usual image.
        gpu: The size of its GPU.
        count: How many of them.
        wait: Whether it waits where none is free.
        starting: The start that goes on, or the last one; `None` before that.
        told: What came of the last deed.
    """

    EVERY_SECONDS: ClassVar[float] = 5.0

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__(open_client, running)
        self.offers: tuple[GpuOffer, ...] = ()
        self.images: tuple[ImageChoice, ...] = ()
        self.server = ""
        self.name = ""
        self.image = ""
        self.gpu = NONE
        self.count = 1
        self.wait = True
        self.starting: ServerStart | None = None
        self.told: tuple[str, ...] = ()
        self._chosen = False

    def read(self, client: Client) -> Now:
        """See `Live`."""
        return Now(client.servers(), client.gpus())

    def load(self) -> None:
        """Ask what there is, and what one may have."""
        self.touch()
        self.ask(_declared, self._declare, "Looking at your servers …")

    def polled(self, found: Now) -> None:
        """See `Live`. What one may have is asked anew when servers or GPUs are not as they were."""
        before = _states(self.found)
        super().polled(found)
        if before and _states(found) != before and not self.busy and not self.is_starting:
            self.ask(_declared, self._declare)

    # What there is

    @property
    def rows(self) -> tuple[ServerRow, ...]:
        """One's servers: the unnamed one first."""
        return () if self.found is None else tuple(map(row_of, self.found.servers.servers))

    @property
    def row(self) -> ServerRow | None:
        """The server that is meant; `None` for another one."""
        return next((each for each in self.rows if each.name == self.server), None)

    @property
    def may_have_another(self) -> bool:
        """Whether the hub lets one have one more."""
        if self.found is None:
            return False
        limit = self.found.servers.named_limit
        return limit is None or sum(bool(each.name) for each in self.rows) < limit

    @property
    def free(self) -> tuple[Free, ...]:
        """How much there is of the sizes that are offered."""
        return () if self.found is None else free_of(self.found.gpus, self.offers)

    @property
    def sizes(self) -> tuple[GpuOffer, ...]:
        """GPU sizes that can be chosen: at once, or after a wait."""
        return tuple(each for each in self.offers if not each.refused)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why some sizes cannot be had now, each reason once."""
        return tuple(dict.fromkeys(each.refused for each in self.offers if each.refused))

    @property
    def offer(self) -> GpuOffer | None:
        """The size that is chosen."""
        return next((each for each in self.sizes if each.size == self.gpu), None)

    # What is chosen

    def mean(self, server: str) -> None:
        """Mean this server; what it was last started with is chosen."""
        self.touch()
        self.server, self._chosen = server, True
        there = None if self.found is None else _of(self.found.servers, server)
        if there is not None and there.state == "stopped":
            self.image = self._value(there.image or self.image)
            self.gpu = there.gpu or NONE
            self.count = max(there.gpu_count, 1)
        self._fit()
        self.changed()

    def call(self, name: str) -> None:
        """Say what another server is to be called."""
        self.touch()
        self.name = name.strip()
        self.changed()

    def start_with(self, image: str) -> None:
        """Choose the image."""
        self.touch()
        self.image = image
        self.changed()

    def size(self, gpu: str, count: int | None = None) -> None:
        """Choose the GPU's size, and how many."""
        self.touch()
        self.gpu, self.count = gpu, self.count if count is None else count
        self._fit()
        self.changed()

    def wait_for_it(self, *, wait: bool) -> None:
        """Whether it waits where none is free."""
        self.touch()
        self.wait = wait
        self.changed()

    @property
    def fault(self) -> str:
        """Why what is chosen cannot be started, in words; empty where it can."""
        if self.server != NEW:
            row = self.row
            running = row is not None and not row.startable
            return f"{row.title} {row.state}." if row is not None and running else ""
        if not self.may_have_another:
            return "You have as many servers as the hub allows: use one of those."
        if not self.name:
            return "Give the new server a name, such as thesis."
        if self.name in {DEFAULT_SERVER, *(each.name for each in self.rows)}:
            return f"You have a server called {self.name}: choose it above, or another name."
        try:
            check_name(self.name)
        except DS01Error as exc:
            return str(exc).replace("a container", "a server")
        return ""

    @property
    def hint(self) -> str:
        """What is to be expected of a start now; empty before it is known."""
        offer = self.offer
        if offer is None or offer.size == NONE or self.is_starting:
            return ""
        free = next((each.free for each in self.free if each.size == offer.size), self.count)
        if not offer.place and free >= self.count:
            return "A GPU of this size is free: the server starts at once."
        lead = "No GPU of this size is free"
        if 0 < free < self.count:
            lead = f"Only {free} of this size {'is' if free == 1 else 'are'} free"
        if not self.wait:
            return f"{lead}: without waiting the server is not started."
        if offer.place <= 1:
            return f"{lead}: you would be the next in the queue."
        return f"{lead}: you would be number {offer.place} in the queue."

    # Starting and stopping

    @property
    def is_starting(self) -> bool:
        """Whether a start goes on that this wizard began."""
        return self.starting is not None and self.starting.goes_on

    @property
    def can_start(self) -> bool:
        """Whether what is chosen can be started now."""
        ready = self.found is not None and self.offer is not None
        return ready and not (self.fault or self.busy or self.is_starting)

    def start(self) -> None:
        """Start it; the wizard follows its place in the queue."""
        if not self.can_start:
            return
        self.touch()
        name = self.name if self.server == NEW else self.server
        has_gpu = self.gpu != NONE
        wanted = m.ServerRequest(
            name=name,
            image=self.image or None,
            gpu=self.gpu if has_gpu else None,
            gpu_count=self.count if has_gpu else 1,
            wait=self.wait,
        )
        self.told, self.problem = (), None
        self.starting = ServerStart(wanted, self.changed, self._started, self._not_started)
        self.changed()
        self.starting.begin(self.running, self._open)

    def cancel(self) -> None:
        """Break the start off that goes on."""
        if self.starting is not None and self.starting.goes_on:
            self.touch()
            self.starting.cancel(self.running, self._open)

    def stop(self, name: str) -> None:
        """Stop a server, or break its start off."""
        self.touch()
        self.told = ()

        def deed(client: Client) -> tuple[m.Server, _Declared]:
            return client.stop_server(name), _declared(client)

        def then(answer: tuple[m.Server, _Declared]) -> None:
            stopped, declared = answer
            self._declare(declared)
            self.told = (f"{stopped.title} {STATES[stopped.state]}.",)

        self.ask(deed, then, "Stopping the server …")

    def _started(self, server: m.Server) -> None:
        self.told = (f"{server.title} runs.",)
        if self.server == NEW:
            self.server, self.name = server.name, ""
        self.changed()
        self.ask(_declared, self._declare)

    def _not_started(self, error: DS01Error | None) -> None:
        if error is None:
            self.told = ("The start was broken off.",)
            self.ask(_declared, self._declare)
        else:
            self.failed(error)

    def _declare(self, found: _Declared) -> None:
        self.offers = found.offers
        self.images = choices_of(found.images)
        self.image = self._value(self.image)
        self.take(found.now)
        if not self._chosen:
            startable = [each.name for each in self.rows if each.startable]
            self.mean(next(iter(startable), NEW if self.may_have_another else ""))
        self._fit()

    def _value(self, image: str) -> str:
        """The choice that an image is, by its key or reference; else the usual one."""
        asked = [each.value for each in self.images if image in {each.value, each.reference}]
        usual = [each.value for each in self.images if each.usual]
        return next(iter([*asked, *usual, *(each.value for each in self.images)]), "")

    def _fit(self) -> None:
        """What is not offered any more is not chosen."""
        if self.server not in {NEW, *(each.name for each in self.rows)}:
            self.server = ""
        if self.offer is None:
            self.gpu = next((each.size for each in self.sizes), NONE)
        offer = self.offer
        self.count = min(max(self.count, 1), offer.most if offer is not None else 1)


def _declared(client: Client) -> _Declared:
    now = Now(client.servers(), client.gpus())
    return _Declared(now, read_offers(client, now.gpus), client.images())


def _states(now: Now | None) -> tuple[tuple[str, str], ...]:
    """Of one's servers and of every GPU slot."""
    if now is None:
        return ()
    servers = ((each.name, each.state) for each in now.servers.servers)
    return (*servers, *((each.slot, each.state) for each in now.gpus.slots))


def _of(servers: m.Servers, name: str) -> m.Server | None:
    return next((each for each in servers.servers if each.name == name), None)
