"""What every `Engine` does, the fake and the real one."""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerSpec, ContainerState, Mount
from ds01_spawner.domain.errors import Conflict, NotFound
from ds01_spawner.ports import Engine

UUID = "GPU-00000000-0000-0000-0000-00000000c0de"
NO_GRACE = timedelta(0)
LIST_SECONDS = 5.0


class EngineContract:
    """Inherit, and give the fixtures `engine`, `image`, `network` and `end_process`.

    The fixture `volume` may be replaced by one that cleans up.
    """

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        return str(tmp_path)

    @pytest.fixture
    def volume(self) -> str:
        return f"ds01test-{secrets.token_hex(4)}"

    @pytest.fixture
    def spec(self, engine: Engine, image: str, network: str) -> Iterator[ContainerSpec]:
        name = f"ds01test-{secrets.token_hex(4)}"
        yield ContainerSpec(
            name=name,
            image=image,
            labels={labels.MANAGED: "true", labels.USER: "alice", labels.INSTANCE: "ds01test"},
            cgroup_parent="",
            network=network,
            command=("sleep", "600"),
        )
        engine.remove(name)

    @pytest.fixture
    def gpu_spec(self, spec: ContainerSpec) -> ContainerSpec:
        return replace(
            spec,
            labels={**spec.labels, labels.GPU_UUIDS: UUID, labels.GPU_SLOTS: "0"},
            gpu_uuids=(UUID,),
            use_device_requests=False,
        )

    def test_says_what_it_is(self, engine: Engine) -> None:
        info = engine.info()

        assert info.cgroup_driver in {"cgroupfs", "systemd"}
        assert info.cgroup_version in {1, 2}
        assert info.id

    def test_a_created_container_is_listed_but_does_not_run(
        self, engine: Engine, gpu_spec: ContainerSpec
    ) -> None:
        container_id = engine.create(gpu_spec)

        listed = _listed(engine, container_id)
        assert listed.name == gpu_spec.name
        assert listed.state is ContainerState.CREATED
        assert listed.labels == gpu_spec.labels
        assert listed.demand.uuids == (UUID,)
        assert listed.finished_at is None

    def test_a_started_container_runs_and_has_a_process(
        self, engine: Engine, gpu_spec: ContainerSpec
    ) -> None:
        container_id = engine.create(gpu_spec)
        engine.start(container_id)

        container = engine.container(gpu_spec.name)
        assert container is not None
        assert container.id == container_id
        assert container.state is ContainerState.RUNNING
        assert container.pid
        assert container.started_at is not None
        assert container.finished_at is None
        assert container.demand.uuids == (UUID,)
        assert _listed(engine, container_id).demand.uuids == (UUID,)

    def test_starting_twice_changes_nothing(self, engine: Engine, spec: ContainerSpec) -> None:
        container_id = engine.create(spec)
        engine.start(container_id)
        before = engine.container(container_id)
        engine.start(container_id)

        assert engine.container(container_id) == before

    def test_a_stopped_container_says_when_it_ended(
        self, engine: Engine, gpu_spec: ContainerSpec
    ) -> None:
        container_id = engine.create(gpu_spec)
        engine.start(container_id)
        engine.stop(container_id, NO_GRACE)

        listed = _listed_ended(engine, container_id)
        assert listed.state is ContainerState.EXITED
        assert listed.finished_at is not None
        assert listed.exit_code in {137, 143}
        assert listed.demand.uuids == (UUID,)
        assert listed.addresses == {}

    def test_a_process_that_is_killed_leaves_its_exit_code(
        self, engine: Engine, spec: ContainerSpec, end_process: Callable[[str], None]
    ) -> None:
        container_id = engine.create(spec)
        assert _inspected(engine, container_id).exit_code is None
        engine.start(container_id)
        assert _inspected(engine, container_id).exit_code is None
        end_process(container_id)

        assert _inspected(engine, container_id).exit_code == 137
        assert _listed(engine, container_id).exit_code is None

    def test_lists_and_inspections_tell_the_host_folders_of_mounts(
        self, engine: Engine, folder: str, volume: str, spec: ContainerSpec
    ) -> None:
        mounts = (
            Mount("bind", folder, "/work"),
            Mount("bind", folder, "/run/notices", read_only=True),
            Mount("volume", volume, "/home/jovyan"),
        )
        container_id = engine.create(replace(spec, mounts=mounts))

        source = f"{engine.info().data_root}/volumes/{volume}/_data"
        expected = {*mounts[:2], Mount("volume", source, "/home/jovyan")}
        assert set(_listed(engine, container_id).mounts) == expected
        assert set(_inspected(engine, container_id).mounts) == expected

    @pytest.mark.parametrize(
        ("user", "uid"), [("1234:1234", 1234), ("1234", 1234), (None, 0), ("daemon", None)]
    )
    def test_whom_a_running_container_runs_as_is_told(
        self, engine: Engine, spec: ContainerSpec, user: str | None, uid: int | None
    ) -> None:
        container_id = engine.create(replace(spec, user=user))
        assert _inspected(engine, container_id).uid == uid
        if user != "daemon":
            engine.start(container_id)
            assert _listed(engine, container_id).uid == uid

    def test_single_variables_are_shown_and_no_others(
        self, engine: Engine, spec: ContainerSpec
    ) -> None:
        environment = {"TOKEN": "a=b", "EMPTY": "", "OTHER": "secret"}
        container_id = engine.create(replace(spec, environment=environment))

        shown = engine.environment(container_id, ("TOKEN", "EMPTY", "ABSENT"))
        assert shown == {"TOKEN": "a=b", "EMPTY": ""}

    def test_a_second_run_ends_at_another_moment(
        self, engine: Engine, gpu_spec: ContainerSpec, end_process: Callable[[str], None]
    ) -> None:
        container_id = engine.create(gpu_spec)
        engine.start(container_id)
        end_process(container_id)
        first = _listed(engine, container_id).finished_at
        engine.start(container_id)
        assert _listed(engine, container_id).finished_at is None
        end_process(container_id)
        second = _listed(engine, container_id).finished_at

        assert first is not None
        assert second is not None
        assert second > first

    def test_stopping_what_does_not_run_or_is_gone_is_no_error(
        self, engine: Engine, spec: ContainerSpec
    ) -> None:
        container_id = engine.create(spec)
        engine.stop(container_id, NO_GRACE)
        engine.remove(container_id)
        engine.stop(container_id, NO_GRACE)

    def test_removing_kills_and_may_be_repeated(self, engine: Engine, spec: ContainerSpec) -> None:
        container_id = engine.create(spec)
        engine.start(container_id)
        engine.remove(container_id)
        engine.remove(container_id)

        assert engine.container(container_id) is None
        assert all(one.id != container_id for one in engine.containers())

    def test_many_may_remove_one_container_at_once(
        self, engine: Engine, spec: ContainerSpec
    ) -> None:
        container_id = engine.create(spec)
        engine.start(container_id)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(engine.remove, [container_id] * 4))

        assert engine.container(container_id) is None

    def test_a_name_is_taken_once(self, engine: Engine, spec: ContainerSpec) -> None:
        engine.create(spec)

        with pytest.raises(Conflict, match=spec.name):
            engine.create(spec)

    def test_of_many_creators_of_one_name_one_wins(
        self, engine: Engine, spec: ContainerSpec
    ) -> None:
        def attempt(_number: int) -> bool:
            try:
                engine.create(spec)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(attempt, range(4)))

        assert outcomes.count(True) == 1

    def test_a_missing_image_is_said(self, engine: Engine, spec: ContainerSpec) -> None:
        absent = replace(spec, image="ds01test/absent:none")

        assert not engine.has_image(absent.image)
        with pytest.raises(NotFound, match="ds01test/absent"):
            engine.create(absent)

    def test_a_present_image_is_found(self, engine: Engine, image: str) -> None:
        assert engine.has_image(image)

    def test_a_present_image_has_a_size(self, engine: Engine, image: str) -> None:
        found = engine.local_images()
        assert found[image].size_bytes > 0
        assert "ds01test/absent:latest" not in found

    def test_a_gone_container_cannot_start(self, engine: Engine) -> None:
        with pytest.raises(NotFound):
            engine.start("ds01test-absent")

    def test_a_gone_container_is_none_everywhere(self, engine: Engine, network: str) -> None:
        assert engine.container("ds01test-absent") is None
        assert engine.address("ds01test-absent", network) is None
        assert engine.logs("ds01test-absent", 5) == ""
        assert engine.environment("ds01test-absent", ("PATH",)) == {}

    def test_a_running_container_has_an_address_on_its_network_alone(
        self, engine: Engine, spec: ContainerSpec
    ) -> None:
        container_id = engine.create(spec)
        assert engine.address(container_id, spec.network) is None
        assert _inspected(engine, container_id).addresses == {}
        engine.start(container_id)

        address = engine.address(container_id, spec.network)
        assert address
        assert _listed(engine, container_id).addresses == {spec.network: address}
        assert _inspected(engine, container_id).addresses == {spec.network: address}
        assert engine.address(container_id, "ds01test-other") is None

    def test_a_network_may_be_ensured_from_many_places(self, engine: Engine, network: str) -> None:
        def ensure(_number: int) -> None:
            engine.ensure_network(network, {labels.MANAGED: "true"})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ensure, range(4)))


def _listed(engine: Engine, container_id: str) -> Container:
    return next(one for one in engine.containers() if one.id == container_id)


def _listed_ended(engine: Engine, container_id: str) -> Container:
    """As the list has it once it is no more running there, which Docker 26 takes a moment for."""
    deadline = time.monotonic() + LIST_SECONDS
    while (listed := _listed(engine, container_id)).state.is_live and time.monotonic() < deadline:
        time.sleep(0.01)
    return listed


def _inspected(engine: Engine, container_id: str) -> Container:
    container = engine.container(container_id)
    assert container is not None
    return container
