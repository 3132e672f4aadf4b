import pytest

from ds01_spawner.domain.storage import (
    KERNEL,
    WALK,
    Folder,
    StorageUse,
    full_error,
    is_full,
    threshold,
)
from fakes.clock import EPOCH

GIB = 1024**3
LIMIT = 100 * GIB


def use(percent: float, source: str = WALK, largest: tuple[Folder, ...] = ()) -> StorageUse:
    return StorageUse("alice", round(LIMIT * percent / 100), EPOCH, source, largest)


@pytest.mark.parametrize(
    ("percent", "told", "stands"),
    [
        pytest.param(79.9, 0, 0, id="below"),
        pytest.param(80, 0, 80, id="at the first"),
        pytest.param(99.9, 80, 80, id="not told again"),
        pytest.param(100, 80, 100, id="full"),
        pytest.param(250, 0, 100, id="far beyond"),
        pytest.param(76, 80, 80, id="a little below the first"),
        pytest.param(74.9, 80, 0, id="well below the first"),
        pytest.param(96, 100, 100, id="a little below full"),
        pytest.param(94, 100, 80, id="well below full"),
        pytest.param(10, 100, 0, id="cleaned up"),
    ],
)
def test_a_threshold_stands_until_the_share_is_well_below_it(
    percent: float, told: int, stands: int
) -> None:
    assert threshold(use(percent), LIMIT, told) == stands


def test_without_a_limit_nothing_is_full() -> None:
    assert not is_full(use(500), None)
    assert threshold(use(500), None, 80) == 0


def test_what_the_kernel_bounds_is_full_when_no_server_could_start_in_the_rest() -> None:
    nearly = StorageUse("alice", LIMIT - 1024**2, EPOCH, KERNEL)
    assert is_full(nearly, LIMIT)
    assert not is_full(StorageUse("alice", LIMIT - 1024**2, EPOCH, WALK), LIMIT)
    assert not is_full(use(99, KERNEL), LIMIT)


def test_a_refusal_says_how_much_and_where() -> None:
    folders = (
        Folder("data/raw", 61 * GIB),
        Folder(".cache/pip", 22 * GIB),
        Folder("a\nb\x1b[31m", 2 * GIB),
        Folder("never shown", GIB),
    )
    error = full_error(use(103, largest=folders), LIMIT, has_account=True)
    assert str(error) == (
        "Your files take 103 GB of 100 GB. The largest folders: data/raw 61 GB, "
        ".cache/pip 22 GB, a�b�[31m 2 GB. Delete some, then start again."
    )
    assert (error.limit, error.used, error.allowed) == ("storage", 103 * GIB, LIMIT)


def test_who_has_no_account_is_told_who_can_help() -> None:
    error = full_error(use(103), LIMIT, has_account=False)
    assert error.next_step == (
        "Delete some in a server that still runs, or ask your administrator, then start again."
    )
