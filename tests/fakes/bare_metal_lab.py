"""A machine whose GPUs people are granted outside of containers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import cast

import pytest

from ds01_spawner.domain.bare_metal import NodeHolder
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.doors.bare_metal import BareMetal
from ds01_spawner.ports import Ledger
from ds01_spawner.ports.bare_metal import GpuNodes
from fakes.accounts import FakeAccounts
from fakes.channels import FakeChannels
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog
from fakes.gpu_nodes import FakeGpuNodes
from fakes.ledger import FakeLedger
from fakes.policy import FakePolicy

HOUR, STEP = timedelta(hours=1), timedelta(seconds=5)
ALICE, BOB = 1001, 1002
GPU, CTL = "/dev/nvidia0", "/dev/nvidiactl"
TRAIN = NodeHolder(77, "python3", (GPU,))


class Machine:
    """A machine, its lifecycle service, and an administrator."""

    def __init__(
        self,
        policy: str = "",
        *,
        is_main: bool = True,
        nodes: GpuNodes | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.policy = FakePolicy(policy or "defaults: {}")
        self.ledger = FakeLedger() if ledger is None else cast(FakeLedger, ledger)
        self.nodes = FakeGpuNodes(GPU, CTL) if nodes is None else cast(FakeGpuNodes, nodes)
        self.events = FakeEventLog()
        self.channels = FakeChannels("mail")
        self.accounts = FakeAccounts(
            UnixAccount("alice", ALICE, ALICE, "/home/alice", ("staff",)),
            UnixAccount("bob", BOB, BOB, "/home/bob"),
        )
        self.is_main = is_main
        self.service = self.process("culler")
        self.admin = self.process("cli")
        self.service.keep()

    def process(self, actor: str) -> BareMetal:
        audit = Audit(self.clock, self.events, actor)
        return BareMetal(
            clock=self.clock,
            policy=self.policy,
            accounts=self.accounts,
            ledger=self.ledger,
            reader=self.ledger,
            nodes=self.nodes,
            channels=self.channels,
            audit=audit,
            zone=UTC,
            holder=actor,
            is_main=self.is_main,
        )

    def grant(self, user: str = "alice", hours: float = 8, reason: str = "a paper") -> None:
        self.admin.grant(user, hours * HOUR, reason, "root")

    def passes(self, span: timedelta) -> tuple[str, ...]:
        """Time passes, and the service looks from time to time."""
        self.clock.advance(span)
        return self.service.keep()

    def lets_in(self, path: str = GPU) -> set[int]:
        return self.nodes.lists[path]

    @property
    def told(self) -> list[Notice]:
        with self.ledger.transaction() as transaction:
            return list(transaction.notices_since(self.clock.now() - timedelta(days=30)))

    @property
    def kept(self) -> list[str]:
        with self.ledger.transaction() as transaction:
            return [each.user for each in transaction.bare_metal_grants()]

    @property
    def actions(self) -> list[str]:
        return [each.action for each in self.events.events]

    @contextmanager
    def dies_where(self, part: object, method: str) -> Iterator[None]:
        """The process ends just before that call."""
        kept = getattr(part, method)

        def dies(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        setattr(part, method, dies)
        with pytest.raises(KeyboardInterrupt):
            yield
        setattr(part, method, kept)
