"""Wizards as in a kernel: its loop, threads of their own, and the gateway's own API on a socket."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

import ds01_widgets
from ds01_spawner.client import Client, on_socket
from ds01_spawner.client import models as m
from ds01_spawner.recipes.starter import STARTER
from ds01_widgets import concept
from ds01_widgets.models.gpu_status import GpuStatusModel
from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.models.wizard import Wizard
from ds01_widgets.running import Background, Job
from ds01_widgets.views.gpu_status import GpuStatus
from ds01_widgets.views.my_limits import MyLimits
from fakes.api_app import FakeApi
from fakes.api_lab import ApiLab
from fakes.api_socket import api_socket
from fakes.wizards import threads

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[ApiLab, Callable[[], Client]]]:
    with api_socket(tmp_path) as (lab, path, _):
        yield lab, lambda: on_socket(path)


async def so(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in time")


def test_views_are_drawn_by_the_kernels_thread_alone(
    place: tuple[ApiLab, Callable[[], Client]],
) -> None:
    _, open_client = place
    drawn: set[threading.Thread] = set()

    async def kernel() -> None:
        with closing(GpuStatus(open_client)) as view:
            view.model.observe(lambda: drawn.add(threading.current_thread()))
            assert "Looking at the GPUs" in view.summary.value
            await so(lambda: "GPU slots are free" in view.summary.value)
        with closing(MyLimits(open_client)) as limits:
            await so(lambda: "alice, in group student" in limits.who.value)
            assert "resource-limits.yaml line" in limits.usage.value

    asyncio.run(kernel())
    assert drawn == {threading.main_thread()}


def test_polling_goes_on_between_cells_and_ends_with_the_view(
    place: tuple[ApiLab, Callable[[], Client]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, open_client = place
    monkeypatch.setattr("ds01_widgets.polling.LEAST_SECONDS", 0.05)
    monkeypatch.setattr(GpuStatusModel, "EVERY_SECONDS", 0.05)

    async def kernel() -> None:
        with closing(GpuStatus(open_client)) as view:
            view._view_count = 1
            await so(lambda: "slots are free" in view.summary.value)
            lab.server("alice", "thesis")
            await so(lambda: "1 is yours" in view.summary.value)

    asyncio.run(kernel())


def test_a_stream_that_waits_is_broken_off_when_the_wizard_is_closed(
    place: tuple[ApiLab, Callable[[], Client]],
) -> None:
    lab, open_client = place
    lab.waiting("alice", "thesis")
    seen: list[int] = []

    async def kernel() -> None:
        wizard = Wizard(open_client, Background())

        def follow(job: Job) -> None:
            with open_client() as client:
                job.when_cancelled(client.break_off)
                for queue in client.follow_queue():
                    job.tell(partial(seen.append, len(queue.tickets)))

        wizard.work(follow, lambda _nothing: None)
        await so(lambda: seen)
        assert threads()
        wizard.close()
        assert not threads()
        assert wizard.problem is None

    asyncio.run(kernel())
    assert seen == [1]


def test_a_build_goes_through_threads_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    api = FakeApi(options=m.ImageOptions.model_validate(asdict(STARTER)))

    async def kernel() -> None:
        running = Background()
        model = ImageBuilderModel(api.client, running)
        model.load()
        await so(lambda: model.draft)
        model.call("thesis")
        model.build()
        assert model.is_building
        assert running.settle(10), "a cell may wait for it"
        assert "The image thesis is ready, 954 MB." in model.told
        model.close()

    asyncio.run(kernel())


def test_everything_that_is_exported_is_there() -> None:
    for name in ds01_widgets.__all__:
        assert getattr(ds01_widgets, name) is not None
    assert dir(ds01_widgets) == ds01_widgets.__all__
    with pytest.raises(AttributeError):
        _ = ds01_widgets.Nothing


def test_a_concept_is_shown_as_markdown() -> None:
    assert concept("image")._repr_markdown_().startswith("### Image")
    assert not concept("image", title=False)._repr_markdown_().startswith("#")
    assert repr(concept("image")).startswith("### Image")
