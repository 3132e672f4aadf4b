"""What every `EngineLink` does, the fake and the real one, with what the engine answers."""

from collections.abc import Callable
from typing import Any

import pytest

from ds01_spawner.domain.errors import Conflict, DS01Error, InvalidRequest, NotFound, Unavailable
from ds01_spawner.gateway.wire.call import Answer, EngineLink
from fakes.calls import FakeReply, a_call

Script = Callable[[str, Answer], None]
"""Lets the engine answer a question, `GET /path`."""


class EngineLinkContract:
    """Inherit; fixtures `link`, and `script` for what its engine answers."""

    @pytest.mark.parametrize(
        ("status", "ok", "is_missing"), [(200, 1, 0), (409, 0, 0), (404, 0, 1)]
    )
    async def test_an_answer_is_its_status_and_its_value(
        self, link: EngineLink, script: Script, status: int, ok: int, is_missing: int
    ) -> None:
        script("POST /commit", Answer(status, {"Id": "new"}))

        answer = await link.ask("POST", "/commit", {"repo": ["a"]}, {"Env": []})

        assert answer == Answer(status, {"Id": "new"})
        assert (answer.ok, answer.is_missing) == (bool(ok), bool(is_missing))

    async def test_what_does_not_exist_is_an_answer_too(self, link: EngineLink) -> None:
        answer = await link.ask("GET", "/containers/web/json")

        assert answer == Answer(404, {"message": "No such container: web"})

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (Answer(200, {"Name": "x"}), {"saw": {"Name": "x"}}),
            (Answer(409, {"message": "in use", "detail": "d"}), {"saw": {"message": "in use"}}),
        ],
        ids=["an answer", "an error"],
    )
    async def test_what_is_handed_on_may_be_rewritten(
        self, link: EngineLink, script: Script, answer: Answer, told: dict[str, Any]
    ) -> None:
        script("GET /info", answer)
        reply = FakeReply()

        status = await link.relay(
            a_call("GET"), reply, "GET", "/info", rewrite=lambda value: {"saw": value}
        )

        assert (status, reply.status, reply.value) == (answer.status, answer.status, told)

    async def test_what_has_no_body_is_handed_on_without(
        self, link: EngineLink, script: Script
    ) -> None:
        script("POST /containers/a/kill", Answer(204, None))
        reply = FakeReply()

        await link.relay(a_call("POST"), reply, "POST", "/containers/a/kill")

        assert (reply.status, reply.value, reply.content) == (204, None, b"")

    async def test_a_stream_is_its_values(self, link: EngineLink, script: Script) -> None:
        script("GET /events", Answer(200, [{"n": 1}, {"n": 2}]))

        told: list[object] = []
        values = link.stream("GET", "/events", {"since": ["1"]}, begun=lambda: told.append("begun"))
        told += [each async for each in values]

        assert told == ["begun", {"n": 1}, {"n": 2}]

    async def test_an_answer_may_be_had_as_it_comes(self, link: EngineLink, script: Script) -> None:
        script("GET /events", Answer(200, [{"n": 1}, {"n": 2}]))

        parts = [each async for each in link.parts("GET", "/events")]

        assert b"".join(parts) == b'{"n": 1}\n{"n": 2}\n'

    @pytest.mark.parametrize(
        ("status", "error"),
        [(400, InvalidRequest), (404, NotFound), (409, Conflict), (500, Unavailable)],
    )
    async def test_a_stream_that_the_engine_refuses_is_its_error(
        self, link: EngineLink, script: Script, status: int, error: type[DS01Error]
    ) -> None:
        script("GET /events", Answer(status, {"message": "the engine's words"}))

        begun: list[bool] = []
        with pytest.raises(error, match="the engine's words"):
            [each async for each in link.stream("GET", "/events", begun=lambda: begun.append(True))]
        assert not begun
        with pytest.raises(error, match="the engine's words"):
            [each async for each in link.parts("GET", "/events")]
