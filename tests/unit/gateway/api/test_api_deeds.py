import pytest

from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.ports.usage import ContainerUsage
from fakes.api_lab import ApiLab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

USED = ContainerUsage(1.0, 1000, 2000, 3)


def _deeds(lab: ApiLab) -> list[str]:
    return [each.partition("/containers/")[2].partition("/")[2] for each in lab.link.deeds()]


async def test_pauses_and_goes_on(lab: ApiLab) -> None:
    container_id = lab.container("alice")
    lab.link.answers[f"POST /containers/{container_id}/pause"] = Answer(204, None)
    answer = await lab.ask("alice", "POST", "/containers/run/pause")
    assert answer.status == 200, answer.body
    assert lab.link.deeds() == [f"POST /containers/{container_id}/pause"]
    assert lab.events("container.pause")[-1]["user"] == "alice"
    again = await lab.ask("alice", "POST", "/containers/run/unpause")
    assert (again.status, _deeds(lab)) == (200, ["pause"])  # to the fake it runs all the while


async def test_what_does_not_run_cannot_be_paused(lab: ApiLab) -> None:
    lab.lab.create("alice", "none")
    answer = await lab.ask("alice", "POST", "/containers/run/pause")
    assert answer.status == 409
    assert answer.body["detail"] == "run is created."


@pytest.mark.parametrize("deed", ["pause", "unpause", "restart"])
async def test_others_containers_do_not_exist(lab: ApiLab, deed: str) -> None:
    container_id = lab.container("bob")
    lab.link.answers[f"POST /containers/{container_id}/{deed}"] = Answer(204, None)
    assert (await lab.ask("alice", "POST", f"/containers/run/{deed}")).status == 404
    assert (await lab.ask("alice", "POST", f"/containers/run/{deed}?user=bob")).status == 403
    assert (await lab.ask("mia", "POST", f"/containers/run/{deed}?user=bob")).status == 403
    assert (await lab.ask("boss", "POST", f"/containers/run/{deed}?user=bob")).status == 200


async def test_what_runs_is_removed_only_by_force(lab: ApiLab) -> None:
    lab.container("alice", gpu="mig")
    refused = await lab.ask("alice", "DELETE", "/containers/run")
    assert refused.status == 409
    assert refused.body["detail"] == "run is running."
    key = {"Idempotency-Key": "k1"}
    for _ in range(2):
        removed = await lab.ask("alice", "DELETE", "/containers/run?force=true", headers=key)
        assert (removed.status, removed.body) == (200, {"name": "run"})
    assert not lab.lab.engine.containers()
    assert not lab.lab.admission.current().occupancy.of("alice")


async def test_what_has_stopped_is_removed(lab: ApiLab) -> None:
    lab.container("alice")
    await lab.ask("alice", "POST", "/containers/run/stop")
    assert (await lab.ask("alice", "DELETE", "/containers/run")).status == 200


async def test_a_restart_keeps_the_container_and_its_slot(lab: ApiLab) -> None:
    container_id = lab.container("alice", gpu="mig")
    answer = await lab.ask("alice", "POST", "/containers/run/restart")
    assert (answer.status, answer.body["id"], answer.body["state"]) == (
        200,
        container_id,
        "running",
    )
    calls = [method for method, _ in lab.lab.engine.calls]
    assert calls.index("stop") < len(calls) - 1 - calls[::-1].index("start")
    assert len(answer.body["gpu_slots"]) == len(answer.body["gpu_profiles"]) == 1


async def test_a_container_tells_what_it_is_made_of(lab: ApiLab) -> None:
    lab.container("alice", gpu="mig")
    shown = (await lab.ask("alice", "GET", "/containers/run")).body
    assert (shown["image"], shown["project"], shown["ssh_sessions"]) == ("image", None, 0)
    assert shown["created_at"]
    assert shown["gpu_profiles"][0].endswith("gb")


async def test_a_list_tells_who_is_connected(lab: ApiLab) -> None:
    container_id = lab.container("alice")
    lab.usage.used[container_id] = ContainerUsage(ssh_sessions=2)
    listed = (await lab.ask("alice", "GET", "/containers")).body["containers"]
    assert [each["ssh_sessions"] for each in listed] == [2]
    assert (await lab.ask("alice", "GET", "/containers/run")).body["ssh_sessions"] == 2
    stats = (await lab.ask("alice", "GET", "/containers/stats")).body["containers"]
    assert [each["ssh_sessions"] for each in stats] == [2]


async def test_figures_of_what_runs(lab: ApiLab) -> None:
    container_id = lab.container("alice", gpu="mig")
    lab.lab.create("alice", "none", name="later")
    lab.container("bob")
    lab.usage.used[container_id] = USED
    told = await lab.ask("alice", "GET", "/containers/stats")
    found = {each["name"]: each for each in told.body["containers"]}
    assert found.keys() == {"run", "later"}
    assert (found["run"]["memory_bytes"], found["run"]["pids"]) == (1000, 3)
    assert found["run"]["cpu_percent"] == 0.0
    assert found["run"]["gpu_memory_bytes"] is not None
    assert found["later"]["memory_bytes"] is None
    one = await lab.ask("alice", "GET", "/containers/stats?name=later")
    assert [each["name"] for each in one.body["containers"]] == ["later"]
    assert (await lab.ask("alice", "GET", "/containers/stats?name=other")).status == 404
    everybody = await lab.ask("mia", "GET", "/containers/stats?all=true")
    assert {each["user"] for each in everybody.body["containers"]} == {"alice", "bob"}


async def test_figures_that_the_kernel_does_not_tell_are_unknown(lab: ApiLab) -> None:
    lab.container("alice")
    told = await lab.ask("alice", "GET", "/containers/stats")
    assert told.body["containers"][0]["cpu_percent"] is None
