from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.notice import Delivery, Notice, NoticeKind
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.notices.notify import (
    LONGEST_TRY,
    MOST_ATTEMPTS,
    Outbox,
    Round,
    pause_after,
)
from ds01_spawner.ports import Ledger
from fakes.activity import FakeContainerProcesses
from fakes.channels import FakeChannels
from fakes.clock import EPOCH, FakeClock
from fakes.engine import FakeEngine
from fakes.event_log import FakeEventLog
from fakes.facts import container
from fakes.ledger import FakeLedger

MINUTE = timedelta(minutes=1)
RUNNING = container()
WARNING = Notice(
    id="n1",
    user="alice",
    kind=NoticeKind.FIRST_WARNING,
    created_at=EPOCH,
    title="Your server stops in 24 minutes, at 12:24.",
    text="Your server stops in 24 minutes, at 12:24.\n\nNothing has run on it since 10:00.",
    container_id=RUNNING.id,
    container_name=RUNNING.name,
    name="jupyter",
)
STOPPED = replace(WARNING, id="n2", kind=NoticeKind.STOPPED, title="Your server was stopped.")
STORAGE = Notice("n3", "alice", NoticeKind.STORAGE, EPOCH, "Your storage fills up.", "Delete.")


@dataclass
class Post:
    """An outbox and everything around it."""

    clock: FakeClock = field(default_factory=FakeClock)
    ledger: Ledger = field(default_factory=FakeLedger)
    processes: FakeContainerProcesses = field(default_factory=FakeContainerProcesses)
    channels: FakeChannels = field(default_factory=lambda: FakeChannels("mail"))
    events: FakeEventLog = field(default_factory=FakeEventLog)

    def __post_init__(self) -> None:
        self.engine = FakeEngine(self.clock)
        self.engine.put(RUNNING)
        self.processes.terminals[RUNNING.id] = 2
        self.outbox = self.new_process()

    def new_process(self) -> Outbox:
        return Outbox(
            clock=self.clock,
            ledger=self.ledger,
            engine=self.engine,
            processes=self.processes,
            channels=self.channels,
            audit=Audit(self.clock, self.events, "culler"),
            zone=UTC,
        )

    def put(self, *notices: Notice) -> None:
        for notice in notices:
            with self.ledger.transaction() as transaction:
                self.outbox.post(transaction, notice)

    def waiting(self) -> list[Delivery]:
        with self.ledger.transaction() as transaction:
            return [delivery for _, delivery in transaction.deliveries()]

    def arrived(self) -> list[str]:
        return [notice.id for _, notice in self.channels.sent]


@pytest.fixture
def post() -> Post:
    return Post()


def test_a_notice_goes_to_the_terminals_and_through_every_channel_for_it() -> None:
    post = Post(channels=FakeChannels("mail", "chat"))
    post.channels.kinds["chat"] = frozenset({NoticeKind.STOPPED})
    post.put(WARNING, STOPPED, STORAGE)
    assert {(each.notice_id, each.channel) for each in post.waiting()} == {
        ("n1", "terminal"),
        ("n1", "mail"),
        ("n2", "mail"),
        ("n2", "chat"),
        ("n3", "mail"),
    }
    assert post.outbox.deliver_due() == Round(sent=5)
    assert post.waiting() == []
    assert [(channel, notice.id) for channel, notice in post.channels.sent] == [
        ("mail", "n1"),
        ("chat", "n2"),
        ("mail", "n2"),
        ("mail", "n3"),
    ]
    ((container_id, text),) = post.processes.written
    assert container_id == RUNNING.id
    assert text.startswith("━━ DS01 · Saturday 31 January, 12:00 ━")
    assert "Nothing has run on it since 10:00." in text


def test_a_notice_is_delivered_once(post: Post) -> None:
    post.put(WARNING)
    assert post.outbox.deliver_due().sent == 2
    assert post.outbox.deliver_due() == Round()
    assert post.new_process().deliver_due() == Round()
    assert post.arrived() == ["n1"]
    assert len(post.processes.written) == 1


def test_what_reached_somebody_is_in_the_log(post: Post) -> None:
    post.put(WARNING)
    post.outbox.deliver_due()
    at_terminals, by_mail = post.events.of("notice.sent")
    assert (at_terminals.user, at_terminals.resource) == ("alice", "jupyter._.alice")
    assert at_terminals.details == {
        "notice": "n1",
        "kind": "warning",
        "channel": "terminal",
        "attempts": 1,
        "terminals": 2,
    }
    assert by_mail.details == {
        "notice": "n1",
        "kind": "warning",
        "channel": "mail",
        "attempts": 1,
    }


def test_where_no_terminal_is_open_nothing_is_said_of_terminals(post: Post) -> None:
    post.processes.terminals.clear()
    post.put(WARNING)
    assert post.outbox.deliver_due() == Round(sent=2)
    assert [event.details["channel"] for event in post.events.events] == ["mail"]


def test_a_failure_is_tried_again_later_and_later(post: Post) -> None:
    post.channels.down.add("mail")
    post.put(STORAGE)
    tried_after = []
    for minute in range(400):
        before = len(post.channels.tried)
        post.outbox.deliver_due()
        if len(post.channels.tried) > before:
            tried_after.append(minute)
        post.clock.advance(MINUTE)
    assert tried_after == [0, 1, 3, 7, 15, 31, 61, 91, 121, 151]
    assert len(tried_after) == MOST_ATTEMPTS
    assert post.waiting() == []
    (event,) = post.events.events
    assert (event.action, event.outcome, event.user) == ("notice.failed", "failed", "alice")
    assert event.reason == "Tried 10 times. The channel mail did not take it: connection refused."
    assert event.details["attempts"] == 10


def test_the_pause_doubles_to_half_an_hour() -> None:
    pauses = [pause_after(attempts) / MINUTE for attempts in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_what_was_down_and_comes_back_takes_the_notice(post: Post) -> None:
    post.channels.down.add("mail")
    post.put(STORAGE)
    assert post.outbox.deliver_due() == Round(postponed=1)
    post.channels.down.clear()
    assert post.outbox.deliver_due() == Round()
    post.clock.advance(MINUTE)
    assert post.outbox.deliver_due() == Round(sent=1)
    (event,) = post.events.events
    assert (event.action, event.details["attempts"]) == ("notice.sent", 2)


def test_somebody_without_an_address_is_given_up_at_once(post: Post) -> None:
    post.channels.unknown.add("alice")
    post.put(STORAGE)
    assert post.outbox.deliver_due() == Round(given_up=1)
    (event,) = post.events.of("notice.failed")
    assert event.reason == "alice has no address for the channel mail."
    assert post.waiting() == []


def test_a_warning_is_not_given_after_what_it_warns_of(post: Post) -> None:
    post.put(replace(WARNING, deadline=EPOCH + 24 * MINUTE))
    post.clock.advance(24 * MINUTE)
    assert post.outbox.deliver_due() == Round(given_up=2)
    assert post.channels.tried == []
    assert post.processes.written == []
    assert {event.reason for event in post.events.events} == {"What it announced has come."}


@pytest.mark.parametrize("state", [None, ContainerState.EXITED, ContainerState.CREATED])
def test_a_terminal_of_what_does_not_run_is_given_up(
    post: Post, state: ContainerState | None
) -> None:
    post.put(WARNING)
    if state is None:
        post.engine.remove(RUNNING.id)
    else:
        post.engine.put(replace(RUNNING, state=state))
    assert post.outbox.deliver_due() == Round(sent=1, given_up=1)
    (event,) = post.events.of("notice.failed")
    assert event.reason == "The container does not run any more."
    assert event.details["channel"] == "terminal"


def test_an_engine_that_does_not_answer_does_not_keep_mail_back(post: Post) -> None:
    post.engine.stuck = True
    post.put(WARNING)
    assert post.outbox.deliver_due() == Round(sent=1, postponed=1)
    post.engine.stuck = False
    post.clock.advance(MINUTE)
    assert post.outbox.deliver_due() == Round(sent=1)


def test_the_ledger_is_free_while_something_is_sent(post: Post) -> None:
    seen: list[list[Delivery]] = []
    post.channels.meanwhile = lambda: seen.append(post.waiting())
    post.put(STORAGE)
    post.outbox.deliver_due()
    assert seen == [[Delivery("n3", "mail", 0, EPOCH + LONGEST_TRY, begun=True)]]


def test_a_second_process_leaves_alone_what_the_first_sends(post: Post) -> None:
    rounds: list[Round] = []
    post.put(STORAGE, STOPPED)
    other = post.new_process()

    def meanwhile() -> None:
        post.channels.meanwhile = lambda: None
        rounds.append(other.deliver_due())

    post.channels.meanwhile = meanwhile
    first = post.outbox.deliver_due()
    assert (first, rounds) == (Round(sent=1), [Round(sent=1)])
    assert sorted(post.arrived()) == ["n2", "n3"]


class Killed(BaseException):
    """The process ends."""


def kill() -> NoReturn:
    raise Killed


def test_what_a_dead_process_had_begun_is_not_repeated_and_said_once(post: Post) -> None:
    post.put(STORAGE)
    post.channels.meanwhile = kill
    with pytest.raises(Killed):
        post.outbox.deliver_due()
    post.channels.meanwhile = lambda: None
    assert post.new_process().deliver_due() == Round()
    post.clock.advance(LONGEST_TRY)
    assert post.new_process().deliver_due() == Round(given_up=1)
    assert post.new_process().deliver_due() == Round()
    assert len(post.channels.tried) == 1
    (event,) = post.events.events
    assert (event.action, event.reason) == (
        "notice.failed",
        "It may have arrived: its end is not known.",
    )


def test_a_channel_that_is_down_is_not_asked_for_everybody(post: Post) -> None:
    post.channels = FakeChannels("chat", "mail")
    post.channels.down.add("mail")
    post.outbox = post.new_process()
    post.put(*(replace(STORAGE, id=f"n{number}", user=f"p{number}") for number in range(20)))
    assert post.outbox.deliver_due() == Round(sent=20, postponed=3)
    assert len(post.waiting()) == 20
    assert post.outbox.deliver_due() == Round(postponed=3)


def test_a_person_whose_address_is_refused_does_not_keep_others_waiting(post: Post) -> None:
    def refuse_the_first() -> None:
        post.channels.down.clear()
        if post.channels.tried[-1][1].user == "p0":
            post.channels.down.add("mail")

    post.channels.meanwhile = refuse_the_first
    post.put(*(replace(STORAGE, id=f"n{number}", user=f"p{number}") for number in range(5)))
    assert post.outbox.deliver_due() == Round(sent=4, postponed=1)


def test_a_clock_that_was_set_back_keeps_nothing_waiting(post: Post) -> None:
    post.channels.down.add("mail")
    post.put(STORAGE)
    post.outbox.deliver_due()
    post.channels.down.clear()
    post.clock.advance(timedelta(hours=-1))
    assert post.outbox.deliver_due() == Round(sent=1)


def test_a_log_that_takes_nothing_does_not_make_it_be_sent_again(post: Post) -> None:
    post.events.full = True
    post.put(STORAGE)
    assert post.outbox.deliver_due() == Round(sent=1)
    assert post.outbox.deliver_due() == Round()
    assert post.arrived() == ["n3"]


def test_without_the_ledger_nothing_is_sent(post: Post) -> None:
    post.put(STORAGE)
    assert isinstance(post.ledger, FakeLedger)
    post.ledger.locked = True
    with pytest.raises(Unavailable):
        post.outbox.deliver_due()
    assert post.channels.tried == []


def test_a_decision_that_fails_posts_nothing(post: Post) -> None:
    def decide() -> None:
        with post.ledger.transaction() as transaction:
            post.outbox.post(transaction, STORAGE)
            kill()

    with pytest.raises(Killed):
        decide()
    assert post.outbox.deliver_due() == Round()


def test_a_notice_that_was_posted_twice_goes_once(post: Post) -> None:
    post.put(STORAGE, STORAGE)
    post.outbox.deliver_due()
    post.put(STORAGE)
    post.outbox.deliver_due()
    assert post.arrived() == ["n3"]


def test_many_at_once_deliver_each_notice_once(tmp_path: Path) -> None:
    post = Post(channels=FakeChannels("mail", "chat"))
    post.ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    post.outbox = post.new_process()
    post.put(*(replace(STORAGE, id=f"n{number:02}") for number in range(20)))
    with ThreadPoolExecutor(4) as pool:
        rounds = list(pool.map(lambda _: post.new_process().deliver_due(), range(4)))
    assert sum(each.sent for each in rounds) == 40
    assert len({(channel, notice.id) for channel, notice in post.channels.sent}) == 40
    assert len(post.channels.sent) == 40
    assert post.waiting() == []
