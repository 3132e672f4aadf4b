"""The live parts of pages."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from ds01_spawner.gateway.api.sse import MOST_OF_ONE
from ds01_spawner.gateway.web.live import SHARED_FOR
from ds01_spawner.gateway.web.page import Page
from ds01_spawner.gateway.web.pages import PAGES
from fakes.web_lab import PREFIX, WebLab, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

PATIENCE = 20.0


class Listener:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self.text = ""
        self.more = asyncio.Event()

    def take(self, chunk: bytes) -> None:
        self.text += chunk.decode()
        self.more.set()

    def sections(self) -> list[tuple[str, str]]:
        events = [each.split("\n") for each in self.text.split("\n\n")]
        found = [json.loads(each[1][6:]) for each in events if each[0] == "event: section"]
        return [(each["id"], each["html"]) for each in found]

    def turns(self) -> int:
        return self.text.count("event: fresh")

    async def until_turn(self, number: int) -> None:
        await self.until(lambda: self.turns() >= number)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self.more.clear()
                await self.more.wait()


@asynccontextmanager
async def listening(lab: WebLab, user: str, page: str = "me") -> AsyncIterator[Listener]:
    browser, listener = lab.browser(user), Listener()
    await browser.get()
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    client = AsyncHTTPClient(force_instance=True)
    request = HTTPRequest(
        f"{lab.url}{PREFIX}live/{page}?_xsrf={browser.cookies['_xsrf']}",
        headers={"Cookie": cookies, "Sec-Fetch-Mode": "cors"},
        streaming_callback=listener.take,
        request_timeout=PATIENCE,
    )
    asking = asyncio.ensure_future(client.fetch(request, raise_error=False))
    try:
        await listener.until_turn(1)
        yield listener
    finally:
        client.close()
        asking.cancel()


async def test_only_what_has_changed_is_sent_again(lab: WebLab) -> None:
    lab.api.container("alice", "run")
    async with listening(lab, "alice") as listener:
        assert {name for name, _html in listener.sections()} == {
            each.id for page in PAGES if page.name == "me" for each in page.sections if each.live
        }
        sent = len(listener.sections())
        await listener.until_turn(listener.turns() + 2)
        assert len(listener.sections()) == sent, "nothing has changed"
        lab.api.container("alice", "another")
        lab.api.lab.clock.advance(SHARED_FOR * 2)
        await listener.until(lambda: "another" in listener.text)
        await listener.until_turn(listener.turns() + 1)
        changed = listener.sections()[sent:]
        assert {name for name, _html in changed} <= {"work", "limits"}
        assert "another container running" in text_of(dict(changed)["work"])


async def test_a_stream_says_what_the_page_says(lab: WebLab) -> None:
    lab.api.container("alice", "run")
    lab.api.container("bob", "secret-work")
    shown = await lab.browser("alice").get()
    async with listening(lab, "alice") as listener:
        work = dict(listener.sections())["work"]
        assert text_of(work) in text_of(shown.html)
        assert "secret-work" not in listener.text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_every_page_has_a_stream(lab: WebLab, page: Page) -> None:
    async with listening(lab, "boss", page.name) as listener:
        assert listener.turns()


async def test_a_stream_needs_the_token_of_the_page(lab: WebLab) -> None:
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.get("live/me", {"Sec-Fetch-Mode": "cors"})
    assert told.status == 401


async def test_somebody_has_so_many_streams_and_no_more(lab: WebLab) -> None:
    with ExitStack() as open_ones:
        for _ in range(MOST_OF_ONE):
            open_ones.enter_context(lab.api.served.listeners.one_more("alice"))
        assert (await lab.browser("alice").get("live/me")).status == 429
