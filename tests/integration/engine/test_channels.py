import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.channels import ChannelsContract
from ds01_spawner.adapters.channels import AppriseChannels, check_channels
from ds01_spawner.domain.errors import NotFound, PolicyError, Unavailable
from ds01_spawner.domain.notice import Notice, NoticeKind
from fakes.clock import EPOCH, FakeClock
from fakes.event_log import FakeEventLog
from stubs.message_servers import Received, mail_server, web_hook

TITLE = "Your server “thesis” stops in 24 minutes, at 14:35."
TEXT = (
    f"{TITLE}\n\nNothing has run on it since 12:11.\n\n"
    "To keep it running without using it:\n"
    "  - type in a terminal: touch ~/.keep-alive.thesis\n\n"
    "Rule: idle_timeout = 2h (group student, resource-limits.yaml line 31)."
)
NOTICE = Notice("n1", "jürgen", NoticeKind.FINAL_WARNING, EPOCH, TITLE, TEXT)


@pytest.fixture
def mails() -> Iterator[Received]:
    with mail_server() as received:
        yield received


@pytest.fixture
def posts() -> Iterator[Received]:
    with web_hook() as received:
        yield received


class TestAppriseChannels(ChannelsContract):
    @pytest.fixture
    def channels(self, tmp_path: Path, posts: Received) -> AppriseChannels:
        place = f"json://127.0.0.1:{posts.port}"
        (tmp_path / "people.yaml").write_text("alice: a@uni.example\n")
        (tmp_path / "notifications.yaml").write_text(
            "channels:\n"
            f"  every: {{url: '{place}/{{address}}', addresses_file: people.yaml}}\n"
            f"  stops: {{url: '{place}/all', for: [stopped]}}\n"
        )
        return AppriseChannels(tmp_path, FakeClock(), FakeEventLog())

    @pytest.fixture
    def arrived(self, posts: Received) -> Callable[[], int]:
        return lambda: len(posts.posts)

    @pytest.fixture
    def break_down(self, posts: Received) -> Callable[[bool], None]:
        def answer(down: bool) -> None:
            posts.status = 503 if down else 200

        return answer


def channels(folder: Path, url: str, *more: str, deadline_seconds: float = 20) -> AppriseChannels:
    lines = ["channels:", "  one:", f'    url: "{url}"', *(f"    {line}" for line in more)]
    (folder / "notifications.yaml").write_text("\n".join(lines))
    return AppriseChannels(folder, FakeClock(), FakeEventLog(), deadline_seconds=deadline_seconds)


def test_mail_reaches_the_persons_own_address(tmp_path: Path, mails: Received) -> None:
    (tmp_path / "people.yaml").write_text("jürgen: j.meier@uni.example\n")
    url = f"mailto://127.0.0.1:{mails.port}?from=ds01@uni.example&to={{address}}"
    mail = channels(tmp_path, url, "addresses: '{user}@uni.example'", "addresses_file: people.yaml")
    mail.send("one", NOTICE)
    mail.send("one", replace(NOTICE, user="alice"))
    assert [to for to, _ in mails.mails] == [["j.meier@uni.example"], ["alice@uni.example"]]
    (_, message), _ = mails.mails
    assert message["To"] == "j.meier@uni.example"
    assert "ds01@uni.example" in message["From"]
    assert message["Subject"] == TITLE
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r", "").strip() == TEXT.removeprefix(TITLE).strip()


def test_a_web_hook_is_told_the_same(tmp_path: Path, posts: Received) -> None:
    url = f"json://127.0.0.1:{posts.port}/hook/{{user}}"
    channels(tmp_path, url).send("one", NOTICE)
    ((path, sent),) = posts.posts
    assert path.rstrip("/") == "/hook/j%C3%BCrgen"
    assert (sent["title"], sent["message"]) == (TITLE, TEXT.removeprefix(TITLE).strip())


def test_where_everybody_reads_it_says_whose_it_is(tmp_path: Path, posts: Received) -> None:
    channels(tmp_path, f"json://127.0.0.1:{posts.port}/hook").send("one", NOTICE)
    ((_, sent),) = posts.posts
    assert sent["title"] == f"jürgen: {TITLE}"


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def assert_says_nothing_secret(text: str) -> None:
    for secret in ("hunter2", "T0KEN", "hook", "s3cret"):
        assert secret not in text


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_answer_that_is_no_yes_is_tried_again_later(
    tmp_path: Path, posts: Received, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    posts.status = status
    url = f"json://ds01:hunter2@127.0.0.1:{posts.port}/hook/T0KEN?+X-Key=s3cret"
    with pytest.raises(Unavailable, match="The channel one did not take it") as caught:
        channels(tmp_path, url).send("one", NOTICE)
    assert str(status) in str(caught.value)
    assert len(posts.posts) == 1
    shown = "".join(traceback.format_exception(caught.value))
    assert_says_nothing_secret(shown + caplog.text)


@pytest.mark.parametrize("scheme", ["json", "mailto"])
def test_somebody_who_does_not_listen_is_tried_again_later(
    tmp_path: Path, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{scheme}://ds01:hunter2@127.0.0.1:{unused_port()}/T0KEN?from=a@b.example&to=a@b.example"
    with pytest.raises(Unavailable, match="did not take it") as caught:
        channels(tmp_path, url).send("one", NOTICE)
    assert_says_nothing_secret(f"{caught.value}{caplog.text}")


def test_a_mail_that_is_refused_is_tried_again_later(tmp_path: Path, mails: Received) -> None:
    mails.refuse_mail = True
    url = f"mailto://127.0.0.1:{mails.port}?from=ds01@uni.example&to=alice@uni.example"
    with pytest.raises(Unavailable, match="did not take it"):
        channels(tmp_path, url).send("one", NOTICE)
    assert mails.mails == []


def test_a_service_that_says_nothing_is_left_after_its_own_time_limit(
    tmp_path: Path, posts: Received
) -> None:
    posts.silent = threading.Event()
    url = f"json://127.0.0.1:{posts.port}/?cto=0.2&rto=0.2"
    began = time.monotonic()
    with pytest.raises(Unavailable, match="did not take it"):
        channels(tmp_path, url).send("one", NOTICE)
    assert time.monotonic() - began < 10
    posts.silent.set()


def test_a_service_that_never_ends_is_left_at_the_deadline_and_not_asked_twice(
    tmp_path: Path, mails: Received
) -> None:
    mails.silent = threading.Event()
    url = f"mailto://127.0.0.1:{mails.port}?from=a@b.example&to=a@b.example&cto=15"
    mail = channels(tmp_path, url, deadline_seconds=0.5)
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"The channel one has not answered for 0.5 s"):
            mail.send("one", NOTICE)
        assert time.monotonic() - began < 5
    mails.silent.set()
    bound = time.monotonic() + 10
    while mail._guards["one"].hanging:
        assert time.monotonic() < bound


def test_what_apprise_does_not_understand_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="apprise does not understand its url"):
        channels(tmp_path, "nonsense://hunter2").send("one", NOTICE)


def test_a_check_finds_what_apprise_does_not_understand(tmp_path: Path) -> None:
    path = tmp_path / "notifications.yaml"
    path.write_text("channels:\n  one:\n    url: nonsense://hunter2\n  two: {url: 'json://ok'}\n")
    with pytest.raises(PolicyError) as caught:
        check_channels(path)
    assert str(caught.value) == (
        f"{path}:3: channels.one.url: apprise does not understand this address"
    )
    path.write_text(
        "channels:\n  one:\n    url: mailto://uni.example?from=a@uni.example&to={user}@uni.example\n"
    )
    assert check_channels(path) == 1
