from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.adapters.docker_engine.facts import END_KEPT_SECONDS, ContainerFacts
from ds01_spawner.domain.container import ContainerState, Mount
from ds01_spawner.domain.errors import Unavailable
from fakes.clock import FakeClock

UUID = "GPU-aaaaaaaa-0000-0000-0000-000000000000"
OURS = {"ds01.managed": "true", "ds01.gpu.uuids": UUID}


class Docker:
    """Answers to inspections, and how often each was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any] | Exception] = {}
        self.asked: list[str] = []

    def inspect(self, container_id: str) -> dict[str, Any] | None:
        self.asked.append(container_id)
        answer = self.answers.get(container_id)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def knows(self, container_id: str, ended: str = "2026-01-31T10:00:00Z", code: int = 0) -> None:
        self.answers[container_id] = {
            "State": {"Status": "exited", "FinishedAt": ended, "ExitCode": code},
            "Config": {"Env": [f"NVIDIA_VISIBLE_DEVICES={UUID}"], "User": "1234:100"},
            "HostConfig": {"Runtime": "runc"},
        }


def listed(state: str, labels: dict[str, str] | None = None, status: str = "") -> dict[str, Any]:
    return {
        "Id": "c1",
        "Names": ["/other/link", "/mine"],
        "State": state,
        "Status": status,
        "Created": 1769860800,
        "Labels": OURS if labels is None else labels,
        "Mounts": [
            {
                "Type": "volume",
                "Name": "v",
                "Source": "/var/lib/docker/volumes/v/_data",
                "Destination": "/home/jovyan",
                "RW": True,
            },
            {"Type": "bind", "Source": "/srv/data", "Destination": "/data", "RW": False},
            {"Type": "tmpfs", "Destination": "/tmp", "RW": True},
        ],
        "NetworkSettings": {"Networks": {"ds01-alice": {"IPAddress": "10.201.0.2"}, "no": None}},
    }


@pytest.fixture
def docker() -> Docker:
    docker = Docker()
    docker.knows("c1")
    return docker


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def facts(docker: Docker, clock: FakeClock) -> ContainerFacts:
    return ContainerFacts(docker.inspect, clock.monotonic)


def test_a_running_container_is_looked_up_once(facts: ContainerFacts, docker: Docker) -> None:
    for _ in range(3):
        (container,) = facts.complete([listed("running")])

    assert container.name == "mine"
    assert container.demand.uuids == (UUID,)
    assert container.finished_at is None
    assert container.exit_code is None
    assert container.uid == 1234
    assert docker.asked == ["c1"]


def test_mounts_and_addresses_are_those_of_the_list(facts: ContainerFacts) -> None:
    (container,) = facts.complete([listed("running")])

    assert container.mounts == (
        Mount("volume", "/var/lib/docker/volumes/v/_data", "/home/jovyan"),
        Mount("bind", "/srv/data", "/data", read_only=True),
    )
    assert container.addresses == {"ds01-alice": "10.201.0.2"}


def test_a_list_without_mounts_and_networks_is_read(facts: ContainerFacts) -> None:
    entry = listed("running")
    del entry["Mounts"], entry["NetworkSettings"]
    (first,) = facts.complete([entry])
    (second,) = facts.complete([{**entry, "Mounts": None, "NetworkSettings": {"Networks": None}}])

    assert first.mounts == second.mounts == ()
    assert first.addresses == second.addresses == {}


def test_our_created_container_is_believed_without_asking(
    facts: ContainerFacts, docker: Docker
) -> None:
    (container,) = facts.complete([listed("created")])

    assert container.demand.uuids == (UUID,)
    assert docker.asked == []


def test_a_strangers_created_container_is_looked_up(facts: ContainerFacts, docker: Docker) -> None:
    facts.complete([listed("created", labels={})])

    assert docker.asked == ["c1"]


def test_a_container_that_vanished_meanwhile_is_gone(facts: ContainerFacts, docker: Docker) -> None:
    docker.answers.clear()

    assert facts.complete([listed("running")]) == ()


def test_a_container_that_cannot_be_read_leaves_no_list(
    facts: ContainerFacts, docker: Docker
) -> None:
    docker.answers["c1"] = Unavailable("stuck")

    with pytest.raises(Unavailable):
        facts.complete([listed("running")])


def test_an_end_is_remembered_while_its_status_stays(facts: ContainerFacts, docker: Docker) -> None:
    for _ in range(3):
        (container,) = facts.complete([listed("exited", status="Exited (0) 5 minutes ago")])

    assert container.finished_at is not None
    assert docker.asked == ["c1"]


def test_another_status_means_that_the_end_may_be_another(
    facts: ContainerFacts, docker: Docker
) -> None:
    (first,) = facts.complete([listed("exited", status="Exited (0) 5 minutes ago")])
    docker.knows("c1", ended="2026-01-31T11:59:59Z", code=3)
    (second,) = facts.complete([listed("exited", status="Exited (3) 1 second ago")])

    assert first.finished_at != second.finished_at
    assert (first.exit_code, second.exit_code) == (0, 3)


def test_a_run_seen_in_between_makes_another_end(facts: ContainerFacts, docker: Docker) -> None:
    (first,) = facts.complete([listed("exited", status="same")])
    facts.complete([listed("running")])
    docker.knows("c1", ended="2026-01-31T11:59:59Z")
    (second,) = facts.complete([listed("exited", status="same")])

    assert first.finished_at != second.finished_at


def test_an_end_is_not_believed_for_long(
    facts: ContainerFacts, docker: Docker, clock: FakeClock
) -> None:
    facts.complete([listed("exited", status="same")])
    clock.advance(timedelta(seconds=END_KEPT_SECONDS))
    facts.complete([listed("exited", status="same")])

    assert docker.asked == ["c1", "c1"]


def test_the_end_of_a_container_that_holds_nothing_is_not_looked_up(
    facts: ContainerFacts, docker: Docker
) -> None:
    for status in ("Exited (0) 1 minute ago", "Exited (0) 2 minutes ago"):
        (container,) = facts.complete([listed("exited", {"ds01.managed": "true"}, status)])

    assert container.finished_at is None
    assert docker.asked == ["c1"]


def test_what_is_gone_is_forgotten(facts: ContainerFacts, docker: Docker) -> None:
    facts.complete([listed("running")])
    facts.complete([])
    facts.complete([listed("running")])

    assert docker.asked == ["c1", "c1"]


def test_an_unknown_state_counts_as_running(facts: ContainerFacts) -> None:
    (container,) = facts.complete([listed("levitating")])

    assert container.state is ContainerState.RUNNING
