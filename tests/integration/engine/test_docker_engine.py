import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.engine import EngineContract
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.domain.container import ContainerSpec, DeviceDemand, Mount
from ds01_spawner.domain.errors import DeviceDriverMissing, InvalidRequest
from ds01_spawner.domain.labels import MANAGED


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def network(docker_engine: DockerEngine) -> Iterator[str]:
    name = f"ds01test-{secrets.token_hex(4)}"
    docker_engine.ensure_network(name, {MANAGED: "true"})
    yield name
    docker("network", "rm", name)


class TestDockerEngine(EngineContract):
    @pytest.fixture
    def engine(self, docker_engine: DockerEngine) -> DockerEngine:
        return docker_engine

    @pytest.fixture
    def image(self, tiny_image: str) -> str:
        return tiny_image

    @pytest.fixture
    def volume(self) -> Iterator[str]:
        name = f"ds01test-{secrets.token_hex(4)}"
        yield name
        docker("volume", "rm", "--force", name)

    @pytest.fixture
    def end_process(self, engine: DockerEngine) -> Callable[[str], None]:
        def end(container_id: str) -> None:
            docker("kill", container_id)
            bound = time.monotonic() + 10
            while (container := engine.container(container_id)) and container.state.is_live:
                assert time.monotonic() < bound

        return end


UUID = "GPU-00000000-0000-0000-0000-00000000c0de"
MIB = 1024**2


@pytest.fixture
def spec(docker_engine: DockerEngine, tiny_image: str, network: str) -> Iterator[ContainerSpec]:
    name = f"ds01test-{secrets.token_hex(4)}"
    yield ContainerSpec(
        name=name,
        image=tiny_image,
        labels={MANAGED: "true"},
        cgroup_parent="",
        network=network,
        command=("sleep", "600"),
    )
    docker_engine.remove(name)


def inspected(name: str) -> dict[str, Any]:
    (shown,) = json.loads(docker("inspect", name))
    return dict(shown)


def inside(name: str, *command: str) -> str:
    return docker("exec", name, *command)


def test_limits_and_security_are_in_force_inside(
    docker_engine: DockerEngine, spec: ContainerSpec, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("mine")
    tmp_path.chmod(0o755)
    limited = replace(
        spec,
        user="1234:1234",
        group_add=(2345,),
        cpus=1.5,
        memory_bytes=64 * MIB,
        memory_swap_bytes=64 * MIB,
        shm_size_bytes=8 * MIB,
        pids_limit=50,
        hostname="thesis",
        working_dir="/tmp",
        mounts=(Mount("bind", str(tmp_path), "/work", read_only=True),),
        gpu_uuids=(UUID,),
    )
    docker_engine.start(docker_engine.create(limited))

    host = inspected(spec.name)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (64 * MIB, 64 * MIB, 50)
    assert (host["CpuQuota"], host["CpuPeriod"]) == (150_000, 100_000)
    assert host["DeviceRequests"][0]["DeviceIDs"] == [UUID]
    assert inside(spec.name, "id", "-G").split() == ["1234", "2345"]
    assert inside(spec.name, "hostname") == "thesis"
    assert inside(spec.name, "pwd") == "/tmp"
    assert inside(spec.name, "cat", "/work/notes") == "mine"
    assert "8.0M" in inside(spec.name, "df", "-h", "/dev/shm")
    status = inside(spec.name, "cat", "/proc/self/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status
    assert f"NVIDIA_VISIBLE_DEVICES={UUID}" in inside(spec.name, "env").splitlines()


def test_a_container_without_gpu_is_told_to_have_none(
    docker_engine: DockerEngine, spec: ContainerSpec
) -> None:
    docker_engine.start(docker_engine.create(spec))

    assert "NVIDIA_VISIBLE_DEVICES=void" in inside(spec.name, "env").splitlines()
    container = docker_engine.container(spec.name)
    assert container is not None
    assert container.demand == DeviceDemand()


def test_more_cpus_than_the_host_has_are_no_error(
    docker_engine: DockerEngine, spec: ContainerSpec
) -> None:
    docker_engine.start(docker_engine.create(replace(spec, cpus=512.0)))


def test_a_missing_folder_is_not_made_but_said(
    docker_engine: DockerEngine, spec: ContainerSpec, tmp_path: Path
) -> None:
    absent = tmp_path / "absent"
    mounted = replace(spec, mounts=(Mount("bind", str(absent), "/work"),))

    with pytest.raises(InvalidRequest, match="absent"):
        docker_engine.create(mounted)
    assert not absent.exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--gpus", f'"device={UUID}"'], DeviceDemand(uuids=(UUID,))),
        (["--gpus", '"device=0,1:2"'], DeviceDemand(indices=("0", "1:2"))),
        (["--gpus", "all"], DeviceDemand(count=-1)),
        (["--env", "NVIDIA_VISIBLE_DEVICES=all"], DeviceDemand()),
    ],
    ids=["uuid", "indices", "all", "cuda-image"],
)
def test_devices_of_containers_that_others_made_are_seen(
    docker_engine: DockerEngine, tiny_image: str, options: list[str], expected: DeviceDemand
) -> None:
    name = f"ds01test-{secrets.token_hex(4)}"
    container_id = docker("create", "--name", name, *options, tiny_image, "sleep", "600")

    listed = next(one for one in docker_engine.containers() if one.id == container_id)
    docker_engine.remove(container_id)
    assert listed.demand == expected


def test_an_engine_without_the_driver_says_so(docker_engine: DockerEngine, tiny_image: str) -> None:
    name = f"ds01test-{secrets.token_hex(4)}"
    docker("create", "--name", name, "--gpus", "driver=absent,count=1", tiny_image, "sleep", "600")

    with pytest.raises(DeviceDriverMissing, match="no GPU driver"):
        docker_engine.start(name)
    docker_engine.remove(name)


def test_the_last_lines_of_both_outputs_are_shown(
    docker_engine: DockerEngine, spec: ContainerSpec
) -> None:
    script = "echo one; echo two >&2; echo thr\N{LATIN SMALL LETTER E WITH ACUTE}e"
    container_id = docker_engine.create(replace(spec, command=("sh", "-c", script)))
    docker_engine.start(container_id)
    docker("wait", container_id)

    assert sorted(docker_engine.logs(container_id, 5).split()) == ["one", "thr\u00e9e", "two"]
    assert docker_engine.logs(container_id, 1).count("\n") == 1


@pytest.mark.parametrize("name", ["../info", "a/json?x=", "", "..", "a b"])
def test_a_name_that_is_none_never_reaches_the_engine(
    docker_engine: DockerEngine, name: str
) -> None:
    assert docker_engine.container(name) is None
    docker_engine.remove(name)
