from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.gateway.web.my_work import Work, titles_of, work_of
from fakes.api_app import container, server

OWN = m.Image(
    reference="ds01-alice/größe:latest", key=None, title="größe:latest", own=True, present=True
)
LAB = m.Image(reference="lab/torch:2", key="torch", title="PyTorch", own=False, present=True)
TITLES = titles_of([LAB, OWN])
WAITS = m.Place(place=2, length=3, reason="Busy.", gpu="a MIG slot", waited_seconds=1)


def stopped(name: str = "", **facts: Any) -> m.Server:
    return server(name, state="stopped", started_at=None, **facts)


def shown(work: tuple[Work, ...]) -> list[tuple[str, str]]:
    return [(each.title, each.state_words) for each in work]


def test_a_server_and_its_container_are_one() -> None:
    box = container("thesis", server="thesis", state="running")
    (work,) = work_of([server("thesis")], [box], TITLES)
    assert (work.server is not None, work.container) == (True, box)
    assert (work.title, work.name, work.is_server) == ("thesis", "thesis", True)


def test_containers_that_are_no_servers_are_listed_after_what_runs() -> None:
    work = work_of([server("")], [container("run"), container("old", state="created")], TITLES)
    assert shown(work) == [
        ("My server", "running"),
        ("run", "running"),
        ("old", "not started yet"),
    ]


def test_what_starts_says_so_and_where_it_stands_in_the_queue() -> None:
    starting = server("a", state="starting", started_at=None)
    waiting = server("b", state="starting", started_at=None, place=WAITS)
    assert shown(work_of([starting, waiting], [], TITLES)) == [
        ("a", "starting"),
        ("b", "waiting for a GPU, place 2 of 3"),
    ]


@pytest.mark.parametrize(
    ("known", "there"),
    [
        (stopped(image=None), False),
        (stopped(image="torch"), True),
        (stopped("thesis", image=None), True),
    ],
    ids=["never ran", "ran", "named"],
)
def test_stopped_servers_are_there_to_be_started_again(known: m.Server, *, there: bool) -> None:
    assert bool(work_of([known], [], TITLES)) == there


def test_the_engine_knows_better_what_a_container_does() -> None:
    paused = container("jupyter", server="", state="paused")
    assert shown(work_of([server("")], [paused], TITLES)) == [("My server", "paused")]
    kept = container("jupyter", server="", state="exited")
    assert shown(work_of([stopped(image=None)], [kept], TITLES)) == [("My server", "stopped")]


def test_without_a_hub_its_containers_are_servers_all_the_same() -> None:
    boxes = [container("jupyter", server=""), container("b", server="b")]
    work = work_of([], boxes, TITLES)
    assert [(each.title, each.is_server) for each in work] == [("b", True), ("My server", True)]


@pytest.mark.parametrize(
    ("image", "title"),
    [
        ("lab/torch:2", "PyTorch"),
        ("ds01-alice/größe:latest", "größe"),
        ("ds01-alice/gone:latest", "gone"),
        ("lab/gone:1", "lab/gone:1"),
        ("", ""),
    ],
)
def test_an_image_is_called_by_its_title(image: str, title: str) -> None:
    (work,) = work_of([], [container("run", image=image)], TITLES)
    assert work.image == title


def test_a_server_that_is_stopped_is_called_by_what_it_was_asked_for_with() -> None:
    assert work_of([stopped(image="torch")], [], TITLES)[0].image == "PyTorch"
