import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.docker_engine import Deadlines, DockerEngine
from ds01_spawner.adapters.docker_engine.breaker import Breaker
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from fakes.clock import FakeClock
from integration.engine_proxy import EngineProxy, Mode

SHORT = Deadlines(
    read=0.5, probe=0.3, create=2, start=2, stop_margin=0.5, remove=2, network=2, pull_silence=5
)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[EngineProxy]:
    with EngineProxy(tmp_path / "docker.sock") as proxy:
        yield proxy


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(proxy: EngineProxy, clock: FakeClock) -> Iterator[DockerEngine]:
    def new_breaker(complaint: str) -> Breaker:
        return Breaker(complaint, now=clock.now, monotonic=clock.monotonic)

    engine = DockerEngine(str(proxy.socket_path), deadlines=SHORT, new_breaker=new_breaker)
    yield engine
    engine.close()


@pytest.fixture
def spec(tiny_image: str) -> Iterator[ContainerSpec]:
    name = f"ds01test-{secrets.token_hex(4)}"
    yield ContainerSpec(
        name=name,
        image=tiny_image,
        labels={"ds01.managed": "true"},
        cgroup_parent="",
        network="bridge",
        command=("sleep", "600"),
        use_init=False,
    )
    subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)


def seconds_of(call: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(Unavailable):
        call()
    return time.monotonic() - began


def test_a_silent_engine_is_given_up_after_the_deadline_and_then_at_once(
    engine: DockerEngine, proxy: EngineProxy
) -> None:
    engine.containers()
    proxy.rule("GET /containers/json", Mode.SILENT)

    with pytest.raises(Unavailable, match="did not answer 'list containers' within"):
        engine.containers()
    with pytest.raises(Unavailable, match=r"does not answer \(since 12:00:00 UTC\)"):
        engine.containers()
    assert seconds_of(lambda: engine.container("x")) < 0.1


def test_a_silent_engine_costs_one_deadline_however_many_ask(
    engine: DockerEngine, proxy: EngineProxy
) -> None:
    engine.containers()
    proxy.rule(".", Mode.SILENT)

    def ask(_number: int) -> float:
        return seconds_of(engine.containers)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(200)))

    assert time.monotonic() - began < 3 * SHORT.read


def test_an_engine_that_answers_again_is_used_again(
    engine: DockerEngine, proxy: EngineProxy, clock: FakeClock
) -> None:
    proxy.rule(".", Mode.SILENT)
    seconds_of(engine.containers)
    proxy.clear()
    assert seconds_of(engine.containers) < 0.1

    clock.advance(timedelta(seconds=2))

    engine.containers()
    engine.containers()


def test_an_engine_silent_from_the_first_call_on_is_given_up(
    engine: DockerEngine, proxy: EngineProxy
) -> None:
    proxy.rule(".", Mode.SILENT)

    assert seconds_of(engine.containers) < 3 * SHORT.read


def test_a_failing_engine_never_means_gone(engine: DockerEngine, proxy: EngineProxy) -> None:
    proxy.rule(".", Mode.FAIL)

    for call in (
        engine.containers,
        engine.info,
        lambda: engine.container("ds01test-absent"),
        lambda: engine.address("ds01test-absent", "bridge"),
        lambda: engine.has_image("ds01test/absent"),
        lambda: engine.logs("ds01test-absent", 5),
        lambda: engine.stop("ds01test-absent", timedelta(0)),
        lambda: engine.remove("ds01test-absent"),
        lambda: engine.start("ds01test-absent"),
        lambda: engine.ensure_network("ds01test-absent", {}),
    ):
        with pytest.raises(Unavailable, match="the proxy was told to fail"):
            call()


def test_a_failing_engine_does_not_open_the_breaker(
    engine: DockerEngine, proxy: EngineProxy
) -> None:
    proxy.rule(".", Mode.FAIL)
    for _ in range(5):
        seconds_of(engine.containers)
    proxy.clear()

    engine.containers()


def test_a_slow_answer_within_the_deadline_is_an_answer(
    engine: DockerEngine, proxy: EngineProxy
) -> None:
    proxy.rule("GET /containers/json", Mode.LATE, 0.2)

    engine.containers()


def test_an_answer_after_the_deadline_is_none(engine: DockerEngine, proxy: EngineProxy) -> None:
    engine.info()
    proxy.rule("GET /containers/json", Mode.DELAY, 30)

    assert seconds_of(engine.containers) < 2 * SHORT.read


def test_a_lost_answer_to_a_creation_is_not_repeated(
    engine: DockerEngine, proxy: EngineProxy, spec: ContainerSpec
) -> None:
    proxy.rule("POST /containers/create", Mode.LATE, 30)
    seconds_of(lambda: engine.create(spec))
    proxy.clear()

    assert sum(request.startswith("POST") for request in proxy.requests) == 1
    with pytest.raises(Conflict):
        engine.create(spec)


def test_lists_go_on_while_no_container_can_be_started(
    engine: DockerEngine, proxy: EngineProxy, spec: ContainerSpec
) -> None:
    container_id = engine.create(spec)
    proxy.rule("POST .*/start", Mode.SILENT)
    seconds_of(lambda: engine.start(container_id))

    assert any(container.id == container_id for container in engine.containers())


def test_a_stop_waits_as_long_as_its_grace_and_a_margin(
    engine: DockerEngine, proxy: EngineProxy, spec: ContainerSpec
) -> None:
    container_id = engine.create(spec)
    engine.start(container_id)
    engine.stop(container_id, timedelta(seconds=1))

    assert any("/stop?t=1" in request for request in proxy.requests)
    container = engine.container(container_id)
    assert container is not None
    assert not container.state.is_live


def test_no_engine_at_all_is_said_at_once(tmp_path: Path) -> None:
    engine = DockerEngine(str(tmp_path / "absent.sock"), deadlines=SHORT)

    with pytest.raises(Unavailable, match=r"cannot be reached at .*absent\.sock"):
        engine.containers()


def test_a_pull_without_an_answer_holds_up_nobody(engine: DockerEngine, proxy: EngineProxy) -> None:
    engine.info()
    proxy.rule("POST /images/create", Mode.SILENT)
    with ThreadPoolExecutor(1) as pool:
        pulling = pool.submit(engine.pull, "ds01test/absent:none")
        while not any(request.startswith("POST /images") for request in proxy.requests):
            assert not pulling.done()
        engine.containers()
        proxy.clear()
        with pytest.raises(Unavailable, match="ds01test/absent:none could not be fetched"):
            pulling.result(10)
    engine.containers()


def test_a_pull_of_what_no_registry_has_fails_with_a_sentence(engine: DockerEngine) -> None:
    with pytest.raises((NotFound, Unavailable), match=r"127\.0\.0\.1:1/absent"):
        engine.pull("127.0.0.1:1/absent:none")
