import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.request import GpuKind, GpuRequest
from fakes.probe import small_lab

GB = 10**9
SLOTS = small_lab().slots


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", GpuRequest()),
        ("", GpuRequest()),
        ("0", GpuRequest()),
        ("mig", GpuRequest(GpuKind.MIG, 1)),
        (" FULL ", GpuRequest(GpuKind.FULL, 1)),
        ("2g.10gb", GpuRequest(GpuKind.PROFILE, 1, "2g.10gb")),
        ("1G.5GB+ME", GpuRequest(GpuKind.PROFILE, 1, "1g.5gb+me")),
        ("20gb", GpuRequest(GpuKind.AT_LEAST, 1, min_memory_bytes=20 * GB)),
        ("20 GB", GpuRequest(GpuKind.AT_LEAST, 1, min_memory_bytes=20 * GB)),
        ("20g", GpuRequest(GpuKind.AT_LEAST, 1, min_memory_bytes=20 * GB)),
    ],
)
def test_a_size_is_read(text: str, expected: GpuRequest) -> None:
    assert GpuRequest.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["half", "gpu", "-1gb", "0gb", "20tb", "1.5gb", "all", "0:1", "8x"]
)
def test_what_is_no_size_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        GpuRequest.parse(text)
    assert caught.value.message == f"{text!r} is not a GPU size."
    assert caught.value.next_step == (
        "Use none, mig, full, a profile such as 2g.10gb, or a memory size such as 20gb."
    )


@pytest.mark.parametrize("count", [0, -1, 65, 10**9, True])
def test_an_absurd_count_is_refused(count: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        GpuRequest.parse("mig", count)
    assert str(caught.value) == f"{count} GPU slots cannot be requested. Ask for 1 to 64."


def test_a_count_without_a_gpu_means_nothing() -> None:
    assert GpuRequest.parse("none", 7).count == 0


@pytest.mark.parametrize(
    ("size", "fitting"),
    [
        ("none", 0),
        ("mig", 10),
        ("full", 2),
        ("1g.5gb", 7),
        ("2g.10gb", 2),
        ("7g.40gb", 0),
        ("5gb", 12),
        ("6gb", 5),
        ("20gb", 3),
        ("22gb", 2),
        ("40gb", 2),
        ("43gb", 0),
    ],
)
def test_a_request_accepts_the_slots_that_are_as_it_says(size: str, fitting: int) -> None:
    request = GpuRequest.parse(size)
    assert sum(request.accepts(slot) for slot in SLOTS) == fitting


@pytest.mark.parametrize(
    ("size", "count", "words"),
    [
        ("none", 1, "no GPU"),
        ("mig", 1, "a MIG slot"),
        ("full", 1, "a whole GPU"),
        ("full", 2, "2 whole GPUs"),
        ("2g.10gb", 1, "a slot of 2g.10gb"),
        ("2g.10gb", 2, "2 slots of 2g.10gb"),
        ("20gb", 3, "3 GPU slots with at least 20 GB"),
    ],
)
def test_a_request_in_words(size: str, count: int, words: str) -> None:
    assert str(GpuRequest.parse(size, count)) == words


@pytest.mark.parametrize(
    ("size", "count", "words"),
    [
        ("mig", 1, "No MIG slot is free"),
        ("2g.10gb", 1, "No slot of 2g.10gb is free"),
        ("full", 2, "Fewer than 2 whole GPUs are free"),
    ],
)
def test_why_a_request_cannot_be_given_now(size: str, count: int, words: str) -> None:
    assert GpuRequest.parse(size, count).shortage == words


@pytest.mark.parametrize("size", ["none", "mig", "full", "2g.10gb", "20gb"])
def test_a_size_is_told_as_it_is_asked_for(size: str) -> None:
    assert GpuRequest.parse(size).size == size
