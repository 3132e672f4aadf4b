from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.channels import ChannelsContract
from ds01_spawner.adapters import channels as module
from ds01_spawner.adapters.apprise_sender import Unsendable, without_secrets
from ds01_spawner.adapters.channels import AppriseChannels, read_channels
from ds01_spawner.domain.errors import NotFound, PolicyError, Unavailable
from ds01_spawner.domain.notice import Notice, NoticeKind
from fakes.channels import FakeChannels
from fakes.clock import EPOCH, FakeClock
from fakes.event_log import FakeEventLog

NOTICE = Notice("n1", "alice", NoticeKind.STOPPED, EPOCH, "It stopped.", "It stopped.\n\nWhy.")
ONE = "channels:\n  one: {url: 'json://h.example/{user}'}\n"
TWO = (
    "channels:\n  one: {url: 'json://h.example'}\n  two: {url: 'json://x.example', for: [storage]}"
)


class TestFakeChannels(ChannelsContract):
    @pytest.fixture
    def channels(self) -> FakeChannels:
        fake = FakeChannels("every", "stops")
        fake.kinds["stops"] = frozenset({NoticeKind.STOPPED})
        fake.unknown.add("bob")
        fake.shared.add("stops")
        return fake

    @pytest.fixture
    def arrived(self, channels: FakeChannels) -> Callable[[], int]:
        return lambda: len(channels.sent)

    @pytest.fixture
    def break_down(self, channels: FakeChannels) -> Callable[[bool], None]:
        def set_down(down: bool) -> None:
            channels.down = set(channels.kinds) if down else set()

        return set_down


@pytest.fixture
def events() -> FakeEventLog:
    return FakeEventLog()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], None]:
    """An edit of `notifications.yaml`, as an editor makes it."""

    def edit(text: str, name: str = "notifications.yaml") -> None:
        draft = tmp_path / ".draft"
        draft.write_text(text)
        draft.replace(tmp_path / name)

    return edit


@pytest.fixture
def channels(tmp_path: Path, events: FakeEventLog) -> AppriseChannels:
    return AppriseChannels(tmp_path, FakeClock(), events)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    messages: list[tuple[str, str, str]] = []
    monkeypatch.setattr(module, "send", lambda *message: messages.append(message))
    return messages


def test_without_a_file_there_are_no_channels(
    channels: AppriseChannels, events: FakeEventLog
) -> None:
    assert channels.names(NoticeKind.STOPPED) == []
    with pytest.raises(NotFound, match="There is no channel one"):
        channels.send("one", NOTICE)
    assert events.events == []


def test_an_edit_is_in_force_at_once(
    channels: AppriseChannels, write: Callable[[str], None], tmp_path: Path
) -> None:
    write(ONE)
    assert channels.names(NoticeKind.STORAGE) == ["one"]
    write(TWO)
    assert channels.names(NoticeKind.STORAGE) == ["one", "two"]
    assert channels.names(NoticeKind.STOPPED) == ["one"]
    (tmp_path / "notifications.yaml").unlink()
    assert channels.names(NoticeKind.STORAGE) == []


def test_a_file_is_read_only_when_it_changed(
    channels: AppriseChannels, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(ONE)
    channels.names(NoticeKind.STOPPED)
    monkeypatch.setattr(module, "read_text", lambda path: pytest.fail(f"{path} is read again"))
    assert channels.names(NoticeKind.STOPPED) == ["one"]


def test_a_broken_edit_changes_nothing_and_is_said_once(
    channels: AppriseChannels, write: Callable[[str], None], events: FakeEventLog
) -> None:
    write(ONE)
    channels.names(NoticeKind.STOPPED)
    write("channels:\n  one: json://u:hunter2@h\n")
    for _ in range(3):
        assert channels.names(NoticeKind.STOPPED) == ["one"]
    (event,) = events.events
    assert (event.action, event.outcome) == ("policy.invalid", "failed")
    assert event.reason == "channels cannot be read; 1 of before stay in force"
    assert "hunter2" not in str(event)
    assert [each.line for each in channels.problems] == [2]
    write(TWO)
    assert channels.names(NoticeKind.STORAGE) == ["one", "two"]
    assert events.actions == ["policy.invalid", "policy.reload"]
    assert not channels.problems


def test_a_broken_file_from_the_start_means_no_channels(
    channels: AppriseChannels, write: Callable[[str], None], events: FakeEventLog
) -> None:
    events.full = True
    write("chanels:")
    assert channels.names(NoticeKind.STOPPED) == []


def test_files_that_are_named_are_read_again_too(
    channels: AppriseChannels,
    write: Callable[..., None],
    sent: list[tuple[str, str, str]],
    events: FakeEventLog,
) -> None:
    write("channels:\n  one:\n    url_file: one.url\n    addresses_file: people.yaml\n")
    assert channels.names(NoticeKind.STOPPED) == []
    write("json://h.example/{address}\n", "one.url")
    assert channels.names(NoticeKind.STOPPED) == []
    write("bob: b@x.example\n", "people.yaml")
    with pytest.raises(NotFound, match="alice has no address for the channel one"):
        channels.send("one", NOTICE)
    write("alice: a@x.example\n", "people.yaml")
    channels.send("one", NOTICE)
    write("alice: b@x.example\n", "people.yaml")
    channels.send("one", NOTICE)
    write("json://other.example/{address}\n", "one.url")
    channels.send("one", NOTICE)
    assert [url for url, _, _ in sent] == [
        "json://h.example/a%40x.example",
        "json://h.example/b%40x.example",
        "json://other.example/b%40x.example",
    ]
    assert events.actions == ["policy.invalid", "policy.invalid", "policy.reload"]


def test_every_fault_of_every_file_is_named(tmp_path: Path, write: Callable[..., None]) -> None:
    write("channels:\n  one:\n    url_file: no.url\n  two:\n    url_file: two.url\n")
    write("hunter2", "two.url")
    with pytest.raises(PolicyError) as caught:
        read_channels(tmp_path / "notifications.yaml")
    assert str(caught.value) == (
        f"{tmp_path}/no.url: cannot be read: no such file or directory\n"
        f"{tmp_path}/notifications.yaml:5: channels.two.url_file: expected an apprise address such "
        "as mailto://user:password@mail.uni.example"
    )


def test_the_title_is_not_said_twice(
    channels: AppriseChannels, write: Callable[[str], None], sent: list[tuple[str, str, str]]
) -> None:
    write(TWO)
    channels.send("one", NOTICE)
    channels.send("one", replace(NOTICE, text=NOTICE.title, user="b\x1bob"))
    assert sent == [
        ("json://h.example", "alice: It stopped.", "Why."),
        ("json://h.example", "b�ob: It stopped.", "It stopped."),
    ]


@pytest.mark.parametrize(("for_good", "error"), [(True, NotFound), (False, Unavailable)])
def test_a_failure_says_whether_to_try_again(
    channels: AppriseChannels,
    write: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    for_good: bool,
    error: type[Exception],
) -> None:
    def fail(*_message: str) -> None:
        raise Unsendable("it said no", for_good=for_good)

    monkeypatch.setattr(module, "send", fail)
    write(ONE)
    with pytest.raises(error, match=r"The channel one .*: it said no\."):
        channels.send("one", NOTICE)


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        (
            "mailtos://ds01:hunter2@mail.uni.example:587?to=a@b.example",
            "login ds01/hunter2 at mail.uni.example:587 for a@b.example",
            "login …/… at mail.uni.example:587 for …",
        ),
        ("slack://TOKENA/TOKENB/TOKENC", "no TOKENA, no TOKENB/TOKENC", "no …, no …/…"),
        ("json://h.example/a%20key", "'a key' or a%20key at h.example", "'…' or … at h.example"),
        ("json://localhost:8080/", "localhost:8080 refused", "localhost:8080 refused"),
    ],
)
def test_what_failed_is_told_without_what_is_secret(url: str, text: str, shown: str) -> None:
    assert without_secrets(text, url) == shown
