"""The client against the gateway's own wire, on a Unix socket."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from ds01_spawner.client import Client, on_socket
from ds01_spawner.client import models as m
from ds01_spawner.client.problems import (
    KINDS,
    MEDIA_TYPE,
    NotTheApi,
    TooManyRequests,
    Unauthenticated,
    error_of,
    problem_of,
)
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    NotFound,
    PolicyError,
    PolicyProblem,
    QuotaExceeded,
    Unavailable,
)
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer
from fakes.api_lab import POLICY, ApiLab
from fakes.api_socket import Peer, api_socket
from fakes.calls import BOB, ROOT

pytestmark = pytest.mark.timeout(60)

MIA = Caller(1003, 1, "mia", UnixAccount("mia", 1003, 1003, "/home/mia", ("ds01-manager",)))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6HSU5PATOV+dkU6E6SY+WTP38GHY1Awr+69C+ZSI3r laptop"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[ApiLab, Path, Peer]]:
    with api_socket(tmp_path) as found:
        yield found


@pytest.fixture
def lab(place: tuple[ApiLab, Path, Peer]) -> ApiLab:
    return place[0]


@pytest.fixture
def peer(place: tuple[ApiLab, Path, Peer]) -> Peer:
    return place[2]


@pytest.fixture
def client(place: tuple[ApiLab, Path, Peer]) -> Iterator[Client]:
    with on_socket(place[1]) as client:
        yield client


def test_the_kernel_says_who_asks_and_what_they_may(client: Client, place: object) -> None:
    me = client.me()
    assert (me.user, me.role, me.interface) == ("alice", m.Role.STUDENT, "socket")
    del place


def test_groups_of_the_host_make_managers_and_administrators(
    place: tuple[ApiLab, Path, Peer],
) -> None:
    _, path, peer = place
    for caller, role in ((BOB, "student"), (MIA, "manager"), (ROOT, "admin")):
        peer.now = caller
        with on_socket(path) as client:
            assert client.me().role == role


def test_a_container_through_its_whole_life(client: Client, lab: ApiLab) -> None:
    lab.container("alice", gpu="mig")
    assert [each.name for each in client.containers().containers] == ["run"]
    assert client.container("run").state == "running"
    assert client.stop("run", key="k1").state == "exited"
    assert client.start("run").state == "running"
    lab.lab.engine.outputs[client.container("run").id] = "hello\n"
    assert client.logs("run", 5).lines == ("hello",)
    assert client.retire("run").name == "run"
    assert client.containers().containers == ()


def test_what_a_container_says_is_followed(client: Client, lab: ApiLab) -> None:
    container_id = lab.container("alice")
    lab.link.answers[f"GET /containers/{container_id}/logs"] = Answer(
        200, [b"\x01\0\0\0\0\0\0\x04one\n"]
    )
    log, end = client.follow_logs("run", 5)
    assert (log, end) == (m.LogText(text="one\n"), m.LogEnd(name="run", exit_code=None))
    with pytest.raises(NotFound, match="There is no container called 'nothing'"):
        list(client.follow_logs("nothing"))


def test_what_is_refused_is_the_platforms_own_error(client: Client, lab: ApiLab) -> None:
    with pytest.raises(NotFound, match="There is no container called 'nothing'"):
        client.container("nothing")
    with pytest.raises(Forbidden, match="lab managers"):
        client.containers(user="bob")
    with pytest.raises(InvalidRequest, match="no time"):
        client.extend("run", timedelta(0))
    with pytest.raises(NotFound):
        client.extend("a/b?c#d", timedelta(hours=6))
    lab.lab.engine.stuck = True
    lab.lab.wait(3)
    with pytest.raises(Unavailable, match="engine"):
        client.containers()


def test_a_limit_that_is_reached_comes_with_its_figures(client: Client, lab: ApiLab) -> None:
    lab.container("alice", "a")
    lab.lab.stop("alice", "a")
    for name in ("b", "c", "d"):
        lab.container("alice", name)
    with pytest.raises(QuotaExceeded) as caught:
        client.start("a")
    assert (caught.value.limit, caught.value.used, caught.value.holders) == (
        "max_containers_per_user",
        3,
        ("b", "c", "d"),
    )


def test_pages_are_fetched_as_they_are_needed(client: Client, lab: ApiLab) -> None:
    for number in range(120):
        lab.lab.audit.write("a.b", user="alice", resource=str(number), interface="hub")
    found = list(client.events(action="a.*"))
    assert [each.resource for each in found] == [str(number) for number in range(119, -1, -1)]
    assert len(list(itertools.islice(client.events(action="a.*"), 3))) == 3


def test_places_in_the_queue_are_followed(client: Client, lab: ApiLab) -> None:
    ticket = lab.waiting("alice", "thesis")
    for first in client.follow_queue():
        assert [each.id for each in first.tickets] == [ticket.id]
        break
    assert client.leave_queue(ticket.id).name == "thesis"
    assert client.queue().tickets == ()


def test_builds_are_followed_to_their_end(client: Client) -> None:
    begun = client.build(m.BuildRequest(name="thesis", dockerfile="FROM starter"))
    log, end = client.follow_build(begun.id)
    assert isinstance(log, m.BuildLog)
    assert isinstance(end, m.Build)
    assert (log.text, end.state) == ("Step 1/1", "done")
    assert client.cancel_build(begun.id).state == "done"
    assert [each.id for each in client.builds().builds] == [begun.id]


def test_everything_else_is_asked_for(client: Client, lab: ApiLab, peer: Peer) -> None:
    assert client.gpus().source
    assert client.gpu_processes().fresh
    assert client.workloads(unmanaged=True).workloads == ()
    assert client.images().images[0].key == "starter"
    assert client.delete_image("thesis").name == "thesis:latest"
    assert client.explain_policy().group == "student"
    key = client.add_ssh_key(KEY)
    assert [each.id for each in client.ssh_keys().keys] == [key.id]
    assert client.remove_ssh_key(key.fingerprint).name == key.fingerprint
    assert list(client.notices()) == []
    lab.server("alice")
    peer.now = ROOT
    with on_socket(lab.folder / "ds01.sock") as root:
        assert [each.user for each in root.people()] == ["alice"]
        assert root.preview_policy(POLICY).valid
        assert root.reconcile(dry_run=True).dry_run
        assert root.health().parts


def test_many_requests_go_over_one_connection_and_a_large_answer_is_whole(
    client: Client, lab: ApiLab
) -> None:
    container_id = lab.container("alice")
    lab.lab.engine.outputs[container_id] = "".join(f"{n:05}{'x' * 200}\n" for n in range(5000))
    for _ in range(3):
        assert len(client.logs("run", 5000).lines) == 5000


def test_a_body_that_is_too_large_is_refused(place: tuple[ApiLab, Path, Peer]) -> None:
    transport = httpx.HTTPTransport(uds=str(place[1]))
    with httpx.Client(transport=transport, base_url="http://localhost/ds01/") as http:
        told = http.post("ssh-keys", content=b"x" * 3_000_000)
        assert told.status_code == 413
        assert told.headers["Content-Type"] == "application/problem+json"
        form = http.post("ssh-keys", data={"key": "x"})
        assert form.status_code == 400
        assert http.get("openapi.json").json()["openapi"] == "3.1.0"
        assert http.get("../v1.41/containers/json").json() == {"message": "not the API"}


def test_no_gateway_is_said_to_be_none(tmp_path: Path) -> None:
    with on_socket(tmp_path / "nothing") as client, pytest.raises(Unavailable, match="reached"):
        client.me()


ERRORS = [
    QuotaExceeded("a", "b", limit="max", used=1, asked=2, allowed=3, holders=("x",)),
    NoCapacity("a", "b", place=3),
    Forbidden("a", "b"),
    InvalidRequest("a"),
    NotFound("a", "b"),
    Conflict("a", "b"),
    Unavailable("a", "b"),
    TooManyRequests("a", "b", retry_after_seconds=7),
    PolicyError((PolicyProblem("f", 3, "k", "m"), PolicyProblem("g", None, "", "n"))),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_arrive_as_they_were_raised(error: DS01Error) -> None:
    text = problem_of(error, "id", administrator=True).model_dump_json(exclude_defaults=True)
    back = error_of(m.Problem.model_validate_json(text))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_every_kind_of_problem_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for place, kind in enumerate(KINDS):
        for earlier in KINDS[:place]:
            assert not issubclass(kind.error, earlier.error), (kind, earlier)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (502, NotTheApi),
        (404, NotTheApi),
        (403, NotTheApi),
        (302, NotTheApi),
        (401, Unauthenticated),
    ],
)
def test_what_somebody_else_answers_is_not_taken_for_ours(
    status: int, error: type[DS01Error]
) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, text="<html>"))
    http = httpx.Client(transport=transport, base_url="http://hub.example/services/ds01/api/")
    with Client(http) as client, pytest.raises(error, match=r"hub\.example answers"):
        client.me()


def test_an_answer_of_another_release_is_told() -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"new": 1}))
    http = httpx.Client(transport=transport, base_url="http://hub.example/")
    with Client(http) as client, pytest.raises(Unavailable, match="different releases"):
        client.me()


def test_who_asks_too_fast_is_held_back_and_answered() -> None:
    refused = m.Problem(
        type="rate", title="Too many requests", status=429, detail="Slower.", retry_after_seconds=2
    )
    answers = [
        httpx.Response(
            429, content=refused.model_dump_json(), headers={"Content-Type": MEDIA_TYPE}
        ),
        httpx.Response(200, json={"name": "run"}),
    ]
    transport = httpx.MockTransport(lambda _request: answers.pop(0))
    slept: list[float] = []
    with httpx.Client(transport=transport, base_url="http://hub.example/") as http:
        assert Client(http, sleep=slept.append).retire("run").name == "run"
    assert slept == [2]


def test_who_asks_far_too_fast_is_told() -> None:
    refused = m.Problem(
        type="rate", title="Too many requests", status=429, detail="Slower.", retry_after_seconds=4
    )
    transport = httpx.MockTransport(
        lambda _request: httpx.Response(
            429, content=refused.model_dump_json(), headers={"Content-Type": MEDIA_TYPE}
        )
    )
    slept: list[float] = []
    with httpx.Client(transport=transport, base_url="http://hub.example/") as http:
        client = Client(http, sleep=slept.append)
        with pytest.raises(TooManyRequests, match="Slower"):
            client.stop("run")
    assert slept == [4, 4]
