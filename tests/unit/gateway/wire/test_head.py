import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.gateway.wire.head import (
    Malformed,
    parse_request_head,
    parse_response_head,
    written,
)


def head(*lines: str, start: str = "POST /build HTTP/1.1") -> bytes:
    return "\r\n".join([start, *lines]).encode("latin-1")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(head("Content-Length: 1", "Transfer-Encoding: chunked"), id="both lengths"),
        pytest.param(head("Content-Length: 1", "Content-Length: 1"), id="length twice"),
        pytest.param(head("Content-Length: 1, 1"), id="length as a list"),
        pytest.param(head("Content-Length: +1"), id="signed length"),
        pytest.param(head("Content-Length: 0x1"), id="hexadecimal length"),
        pytest.param(head("Content-Length: 1_0"), id="python's digits"),
        pytest.param(head("Content-Length: \u00b2"), id="superscript digit"),
        pytest.param(head("Content-Length:"), id="empty length"),
        pytest.param(head("Transfer-Encoding: chunked, chunked"), id="chunked twice in one"),
        pytest.param(
            head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), id="chunked twice"
        ),
        pytest.param(head("Transfer-Encoding: gzip, chunked"), id="another coding"),
        pytest.param(head("Transfer-Encoding: \x0bchunked"), id="coding behind a tab of its own"),
        pytest.param(head("Transfer-Encoding : chunked"), id="space before the colon"),
        pytest.param(head("A: b", " folded: c"), id="folded line"),
        pytest.param(head("A: b\nContent-Length: 3"), id="bare line feed"),
        pytest.param(head("A: b\rContent-Length: 3"), id="bare carriage return"),
        pytest.param(head("A: b\x00"), id="nul"),
        pytest.param(head("no colon"), id="no colon"),
        pytest.param(head(": value"), id="no name"),
        pytest.param(head("", "A: b"), id="empty line within"),
        pytest.param(head("Expect: 200-ok"), id="other expectation"),
        pytest.param(head(*(f"A{number}: b" for number in range(101))), id="too many headers"),
        pytest.param(head(start="GET  /info HTTP/1.1"), id="two spaces"),
        pytest.param(head(start="GET\t/info HTTP/1.1"), id="tab"),
        pytest.param(head(start="get /info HTTP/1.1"), id="lower case"),
        pytest.param(head(start="GET /info HTTP/2.0"), id="http 2"),
        pytest.param(head(start="GET /info HTTP/0.9"), id="http 0.9"),
        pytest.param(head(start="GET /info"), id="no version"),
        pytest.param(head(start="GET http://docker/info HTTP/1.1"), id="absolute target"),
        pytest.param(head(start="OPTIONS * HTTP/1.1"), id="asterisk"),
        pytest.param(head(start="GET /\u00e9 HTTP/1.1"), id="not ascii"),
        pytest.param(head(start="PRI * HTTP/2.0"), id="http 2's greeting"),
        pytest.param(
            head("Transfer-Encoding: chunked", start="POST / HTTP/1.0"), id="chunks in http 1.0"
        ),
        pytest.param(b"\r\nGET / HTTP/1.1", id="empty line first"),
    ],
)
def test_a_head_that_servers_read_differently_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        parse_request_head(text)


def test_a_request_of_the_docker_client_is_read() -> None:
    found = parse_request_head(
        head(
            "Host: docker",
            "User-Agent: Docker-Client/28.2.2 (linux)",
            "Content-Length: 2",
            "Connection: Upgrade",
            "Content-Type:application/json  ",
            "Upgrade: tcp",
            start="POST /v1.41/exec/1/start HTTP/1.1",
        )
    )

    assert (found.method, found.target, found.length) == ("POST", "/v1.41/exec/1/start", 2)
    assert (found.upgrade, found.keep_alive) == ("tcp", True)
    assert found.first("content-type") == "application/json"


def test_an_upgrade_counts_only_when_the_connection_says_so() -> None:
    assert parse_request_head(head("Upgrade: tcp")).upgrade == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (head(start="GET / HTTP/1.1"), True),
        (head("Connection: close", start="GET / HTTP/1.1"), False),
        (head("Connection: keep-alive, CLOSE", start="GET / HTTP/1.1"), False),
        (head(start="GET / HTTP/1.0"), False),
        (head("Connection: keep-alive", start="GET / HTTP/1.0"), True),
    ],
)
def test_whether_another_request_may_follow(text: bytes, kept: bool) -> None:
    assert parse_request_head(text).keep_alive is kept


def test_no_length_is_no_body_and_chunks_have_no_length() -> None:
    assert parse_request_head(head()).length == 0
    assert parse_request_head(head("Transfer-Encoding: Chunked")).length is None


def test_an_answer_of_the_engine_is_read() -> None:
    found = parse_response_head(head("Content-Length: 5", start="HTTP/1.1 404 Not Found"))

    assert (found.status, found.length, found.has_body) == (404, 5, True)
    assert parse_response_head(head(start="HTTP/1.1 101 UPGRADED")).status == 101
    assert not parse_response_head(head(start="HTTP/1.1 204 No Content")).has_body


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        parse_request_head(text)
    except Malformed:
        return


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_that_is_sent_can_begin_a_line_of_its_own(name: str, value: str) -> None:
    try:
        text = written("GET / HTTP/1.1", [("X-One", value), (name, "2")])
    except ValueError:
        return
    assert text.count(b"\r\n") == 4
    assert text.count(b"\n") == 4
