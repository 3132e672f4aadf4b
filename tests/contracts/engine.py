"""What every `Engine` does, the fake and the real one."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerSpec, ContainerState
from ds01_spawner.domain.errors import Conflict, NotFound
from ds01_spawner.ports import Engine

UUID = "GPU-00000000-0000-0000-0000-00000000c0de"
NO_GRACE = timedelta(0)


class EngineContract:
    """Inherit, and give the fixtures `engine`, `image`, `network` and `end_process`."""

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

        listed = _listed(engine, container_id)
        assert listed.state is ContainerState.EXITED
        assert listed.finished_at is not None
        assert listed.demand.uuids == (UUID,)

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

    def test_a_gone_container_cannot_start(self, engine: Engine) -> None:
        with pytest.raises(NotFound):
            engine.start("ds01test-absent")

    def test_a_gone_container_is_none_everywhere(self, engine: Engine, network: str) -> None:
        assert engine.container("ds01test-absent") is None
        assert engine.address("ds01test-absent", network) is None
        assert engine.logs("ds01test-absent", 5) == ""

    def test_a_running_container_has_an_address_on_its_network_alone(
        self, engine: Engine, spec: ContainerSpec
    ) -> None:
        container_id = engine.create(spec)
        assert engine.address(container_id, spec.network) is None
        engine.start(container_id)

        assert engine.address(container_id, spec.network)
        assert engine.address(container_id, "ds01test-other") is None

    def test_a_network_may_be_ensured_from_many_places(self, engine: Engine, network: str) -> None:
        def ensure(_number: int) -> None:
            engine.ensure_network(network, {labels.MANAGED: "true"})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ensure, range(4)))


def _listed(engine: Engine, container_id: str) -> Container:
    return next(one for one in engine.containers() if one.id == container_id)
