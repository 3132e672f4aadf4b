from datetime import timedelta

import pytest

from ds01_spawner.domain import page_words as wording
from ds01_spawner.domain.errors import (
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    QuotaExceeded,
    Unavailable,
)
from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.domain.wording import about
from ds01_spawner.spawner.refusals import as_spawn_exception

JARGON = ("slot", "container", "MIG", "cgroup", "max_", "allow_full_gpu", "Docker", "ds01 ")


def quota(limit: str, used: float, allowed: float, *holders: str) -> QuotaExceeded:
    return QuotaExceeded(
        "2 of 2 GPU slots in use.",
        "Run ds01 container retire.",
        limit=limit,
        used=used,
        asked=1,
        allowed=allowed,
        holders=holders,
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(
            quota("max_containers_per_user", 3, 3, "b", "a", "c"),
            "You may run 3 servers at a time, and a, b and c run already. Stop one first.",
            id="servers",
        ),
        pytest.param(
            quota("max_containers_per_user", 1, 1, "jupyter"),
            "You may run 1 server at a time, and My server runs already. Stop one first.",
            id="the unnamed server",
        ),
        pytest.param(
            quota("max_containers_per_user", 0, 0),
            "Your group may not start servers here. Ask your administrator.",
            id="no servers at all",
        ),
        pytest.param(
            quota("max_gpu_slots", 2, 2, "thesis"),
            "You may have 2 GPUs at a time, and thesis has 2. Stop one of your servers first.",
            id="gpus of one server",
        ),
        pytest.param(
            quota("max_gpu_slots", 0, 0),
            "Your group has no GPUs. Ask your administrator if you need one.",
            id="no gpus",
        ),
        pytest.param(
            quota("max_gpu_slots_per_container", 0, 1),
            "One server may have 1 GPU.",
            id="gpus per server",
        ),
        pytest.param(
            quota("max_gpu_equivalents", 6 / 7, 1.0, "thesis"),
            "Too large: you may have 1/7 of a GPU (thesis has the rest). Choose a smaller one.",
            id="share",
        ),
        pytest.param(
            NoCapacity("No MIG slot is free now.", "Wait.", place=2),
            "Nothing of this size is free now. You would be number 2 in the queue, with 1 person "
            "before you. Tick the box to wait, or choose another size.",
            id="nothing free",
        ),
    ],
)
def test_refusal_is_told_without_jargon(error: DS01Error, words: str) -> None:
    assert wording.refusal(error) == words
    assert not any(word in words for word in JARGON)


def test_a_greyed_whole_gpu_names_no_policy_key() -> None:
    error = Forbidden("Whole GPUs are not part of your limits (allow_full_gpu is false).")
    assert wording.size_refusal(error) == (
        "Whole GPUs are for other groups. Ask your administrator if you need one."
    )


def test_trouble_of_the_platform_sends_people_to_the_administrator() -> None:
    assert wording.refusal(Unavailable("Docker is away.", "Try again.")) == (
        "Docker is away. Try again. If trying again does not help, show this to your administrator."
    )
    assert wording.refusal(InvalidRequest("No such size.", "Use mig.")) == "No such size. Use mig."


def test_pages_read_plain_words_and_api_clients_the_exact_message() -> None:
    exception = as_spawn_exception(quota("max_gpu_slots", 2, 2, "<thesis>"))
    assert exception.jupyterhub_message == "2 of 2 GPU slots in use. Run ds01 container retire."
    assert exception.jupyterhub_html_message == (
        "You may have 2 GPUs at a time, and &lt;thesis&gt; has 2. Stop one of your servers first."
    )


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (16 * 1024**3, "16 GB"),
        (1536 * 1024**3, "1.5 TB"),
        (512 * 1024**2, "512 MB"),
        (1, "1 bytes"),
    ],
)
def test_memory_is_spelt_for_people(size: int, words: str) -> None:
    assert wording.memory(size) == words


@pytest.mark.parametrize(
    ("profile", "gibibytes", "title"),
    [
        ("2g.10gb", 9.75, "Part of a GPU, 10 GB memory"),
        ("1g.10gb+me", 9.5, "Part of a GPU, 10 GB memory"),
        ("full", 39.6, "Whole GPU, 40 GB memory"),
    ],
)
def test_gpu_sizes_are_named_by_their_memory(profile: str, gibibytes: float, title: str) -> None:
    assert wording.gpu_title(profile, round(gibibytes * 1024**3)) == title


def test_what_is_taken_is_listed_and_free_ones_are_not_hidden() -> None:
    states = {SlotState.HELD: 1, SlotState.ALLOCATED: 2, SlotState.FREE: 1}
    assert wording.busy(states) == (
        "2 in use, 1 kept for a stopped server, "
        "1 free, but too few or kept for somebody who waits longer."
    )
    assert not wording.busy({})


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ([], ""),
        ([0, 0], ""),
        ([0, None], ""),
        ([2], "about 2 hours"),
        ([2, 2.1], "about 2 hours"),
        ([0, 1, 1], "none for 1, about 1 hour for 2 or 3"),
        ([1, 3, None, None, None], "about 1 hour for 1, about 3 hours for 2, not known for 3 to 5"),
    ],
)
def test_a_wait_is_told_for_each_number_of_gpus(hours: list[float | None], words: str) -> None:
    waits = [None if each is None else timedelta(hours=each) for each in hours]
    assert wording.waits(waits) == words


def test_first_place_is_not_a_number() -> None:
    assert wording.queue_place(1) == "You would be first in the queue."


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-1, "built today"),
        (0, "built today"),
        (1, "built yesterday"),
        (13, "built 13 days ago"),
        (22, "built 3 weeks ago"),
        (59, "built 8 weeks ago"),
        (61, "built 2 months ago"),
        (700, "built 23 months ago"),
        (731, "built 2 years ago"),
    ],
)
def test_an_age_is_as_exact_as_it_matters(days: int, words: str) -> None:
    assert wording.age(timedelta(days=days)) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "a few minutes"),
        (6, "a few minutes"),
        (8, "about 10 minutes"),
        (38, "about 40 minutes"),
        (57, "about 1 hour"),
        (80, "about 1 hour"),
        (100, "about 2 hours"),
        (24 * 60, "about 24 hours"),
        (60 * 60, "more than a day"),
    ],
)
def test_an_estimate_pretends_no_exactness(minutes: int, words: str) -> None:
    assert about(timedelta(minutes=minutes)) == words
