from collections.abc import Mapping
from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.problems import problem_of
from ds01_spawner.domain.errors import DS01Error, QuotaExceeded
from ds01_spawner.gateway.api.ask import StreamEvent
from ds01_spawner.gateway.web.new_server import (
    NewServer,
    form_of,
    goes_on,
    pending_page,
    request_of,
)
from fakes.api_app import server

GIB = 1024**3
FULL = QuotaExceeded(
    "2 of 2 slots.", "ds01 …", limit="max_gpu_slots", used=2, asked=1, allowed=2, holders=("x",)
)
SERVERS = QuotaExceeded(
    "1 of 1.",
    "ds01 …",
    limit="max_containers_per_user",
    used=1,
    asked=1,
    allowed=1,
    holders=("x",),
)
IMAGES = (
    m.Image(
        reference="lab/torch:2",
        key="torch",
        title="PyTorch",
        own=False,
        default=True,
        gpu_recommended=True,
        present=True,
    ),
    m.Image(
        reference="ds01-alice/mine:latest", key=None, title="mine:latest", own=True, present=True
    ),
)


def size(name: str, refused: DS01Error | None = None, **facts: Any) -> m.ServerSize:
    known: dict[str, Any] = {"equivalents": 0.1, "most": 1, "memory_bytes": 10 * GIB}
    return m.ServerSize(
        size=name, refused=None if refused is None else problem_of(refused), **(known | facts)
    )


NONE = size("none", memory_bytes=None)


def form(
    *sizes: m.ServerSize,
    servers: tuple[m.Server, ...] = (),
    images: tuple[m.Image, ...] = IMAGES,
    limit: int | None = 2,
    sent: Mapping[str, str] | None = None,
) -> NewServer:
    known = m.Servers(named_limit=limit, servers=servers)
    return form_of(known, m.ServerOptions(sizes=sizes or (NONE,)), images, sent or {})


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"place": 3}, "all in use, you would be number 3 in the queue"),
        (
            {"place": 3, "waits": (7200.0,)},
            "all in use, you would be number 3 in the queue; expected wait: about 2 hours",
        ),
        ({"waits": (0.0, 3600.0)}, "free; expected wait: none for 1, about 1 hour for 2"),
        ({"waits": (0.0, None)}, "free"),
    ],
    ids=["unknown", "one", "two", "two unknown"],
)
def test_a_size_tells_how_long_it_is_waited_for(facts: dict[str, Any], told: str) -> None:
    *_, choice = form(NONE, size("2g.10gb", **facts)).sizes
    assert choice.text == f"Part of a GPU, 10 GB memory \N{EN DASH} {told}"


def chosen(new: NewServer) -> tuple[str, str]:
    return tuple(  # type: ignore[return-value]
        next((each.value for each in choices if each.selected), "")
        for choices in (new.images, new.sizes)
    )


def test_images_are_called_by_their_titles_and_the_usual_one_is_proposed() -> None:
    new = form()
    assert [each.text for each in new.images] == ["PyTorch", "mine (built by you)"]
    assert [each.value for each in new.images] == ["torch", "ds01-alice/mine:latest"]
    assert chosen(new)[0] == "torch"


def test_sizes_say_what_they_are_and_what_asking_now_would_give() -> None:
    new = form(NONE, size("1g.10gb"), size("2g.10gb", place=3), size("full", FULL))
    assert [each.text for each in new.sizes] == [
        "No GPU",
        "Part of a GPU, 10 GB memory (1g.10gb) – free",  # noqa: RUF001
        "Part of a GPU, 10 GB memory (2g.10gb) – all in use, you would be number 3 in the queue",  # noqa: RUF001
        "Whole GPU, 10 GB memory – not now",  # noqa: RUF001
    ]
    assert [each.disabled for each in new.sizes] == [False, False, False, True]
    assert new.refusals == (
        "You may have 2 GPUs at a time, and x has 2. Stop one of your servers first.",
    )


@pytest.mark.parametrize(
    ("sizes", "sent", "proposed"),
    [
        ((NONE, size("1g.5gb", place=1), size("2g.10gb")), {}, "2g.10gb"),
        ((NONE, size("1g.5gb", place=1)), {}, "none"),
        ((NONE, size("1g.5gb", place=1)), {"gpu": "1g.5gb"}, "1g.5gb"),
        ((NONE, size("1g.5gb", FULL)), {"gpu": "1g.5gb"}, "none"),
    ],
    ids=["free", "nothing free", "as asked", "asked and refused"],
)
def test_a_gpu_is_proposed_that_is_free_or_was_asked_for(
    sizes: tuple[m.ServerSize, ...], sent: dict[str, str], proposed: str
) -> None:
    assert chosen(form(*sizes, sent=sent))[1] == proposed


def test_for_an_image_that_needs_none_no_gpu_is_proposed() -> None:
    plain = IMAGES[0].model_copy(update={"gpu_recommended": False})
    assert chosen(form(NONE, size("1g.5gb"), images=(plain,)))[1] == "none"


def test_where_the_unnamed_server_is_in_use_another_needs_a_name() -> None:
    idle = server("", state="stopped", started_at=None)
    assert not form(servers=(idle,)).needs_name
    assert form(servers=(server(""),)).needs_name
    full = form(servers=(server(""), server("a"), server("b")))
    assert (full.full, full.is_offered) == (True, False)
    assert not form(servers=(server(""), server("a")), limit=None).full


def test_as_many_gpus_as_the_size_that_may_be_had_most_of() -> None:
    assert form(NONE, size("1g.5gb", most=3), size("full", FULL, most=8)).most == 3


def test_what_cannot_be_started_at_all_is_not_offered() -> None:
    new = form(size("none", SERVERS), size("1g.5gb", SERVERS))
    assert not new.is_offered
    assert new.refusals == ("You may run 1 server at a time, and x runs already. Stop one first.",)
    assert not form(images=()).is_offered


def test_what_was_refused_is_still_filled_in() -> None:
    new = form(sent={"name": "thesis", "image": "ds01-alice/mine:latest", "gpu_count": "2"})
    assert (new.name, new.count, new.wait, chosen(new)[0]) == (
        "thesis",
        "2",
        False,
        "ds01-alice/mine:latest",
    )
    assert form().wait


def test_a_form_asks_for_what_it_says() -> None:
    sent = {"do": "start-server", "name": "", "image": "torch", "gpu": "1g.5gb", "gpu_count": "2"}
    assert request_of({**sent, "wait": "true"}) == {
        "name": "",
        "image": "torch",
        "gpu": "1g.5gb",
        "gpu_count": 2,
        "wait": True,
    }
    assert request_of({"gpu": "none", "gpu_count": "2"}) == {"name": "", "wait": False}
    assert request_of({"gpu": "mig", "gpu_count": "many"})["gpu_count"] == "many"


@pytest.mark.parametrize(
    ("event", "on"),
    [
        (StreamEvent("step", m.Step(name="limits", text="Checking your limits")), False),
        (StreamEvent("step", m.Step(name="image", text="…")), True),
        (
            StreamEvent(
                "place", m.Place(place=1, length=1, reason="", gpu="1 GPU", waited_seconds=0)
            ),
            True,
        ),
    ],
    ids=["limits", "image", "place"],
)
def test_a_start_is_under_way_once_the_limits_allow_it(event: StreamEvent, *, on: bool) -> None:
    assert goes_on(event) == on


def test_the_page_that_waits_is_the_servers_own() -> None:
    assert pending_page("/hub/", "alice", {}) == "/hub/spawn-pending/alice"
    assert pending_page("/hub/", "a b", {"name": "x/../y"}) == "/hub/spawn-pending/a%20b/x%2F..%2Fy"
