from datetime import UTC, datetime, timedelta

import pytest

from ds01_spawner.gateway.web.sparkline import sparkline
from ds01_spawner.gateway.web.utilisation import EVERY, KEPT, Utilisation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def seen(*used: float | None) -> Utilisation:
    """What slot 0 was at each look, the last one now."""
    utilisation = Utilisation()
    for looks_ago, each in zip(range(len(used) - 1, -1, -1), used, strict=True):
        utilisation.record(NOW - looks_ago * EVERY, {"0": each})
    return utilisation


def test_what_is_older_than_is_kept_is_forgotten() -> None:
    utilisation = Utilisation()
    utilisation.record(NOW - KEPT - EVERY, {"0": 1.0})
    utilisation.record(NOW, {"0": 0.5})
    assert utilisation.since == NOW
    assert utilisation.points("0", NOW) == (((1.0, 0.5),),)


def test_a_look_that_failed_ends_a_line_and_is_not_idle() -> None:
    utilisation = seen(0.0, None, 0.0, 0.01)
    assert [len(line) for line in utilisation.points("0", NOW)] == [1, 2]
    assert utilisation.idle_since("0") == NOW - EVERY


def test_a_time_without_looks_is_a_gap() -> None:
    utilisation = Utilisation()
    for at in (NOW - timedelta(hours=1), NOW):
        utilisation.record(at, {"0": 0.0})
    assert len(utilisation.points("0", NOW)) == 2
    assert utilisation.idle_since("0") == NOW


@pytest.mark.parametrize(
    ("used", "looks"), [((0.5, 0.0, 0.0), 1), ((0.0, 0.0, 0.0), 2), ((0.0, 0.0, 0.9), None)]
)
def test_idle_is_since_it_was_last_busy(used: tuple[float, ...], looks: int | None) -> None:
    since = None if looks is None else NOW - looks * EVERY
    assert seen(*used).idle_since("0") == since


def test_an_unknown_slot_was_never_seen() -> None:
    assert seen(0.0).idle_since("7") is None
    assert seen(0.0).points("7", NOW) == ()
    assert Utilisation().since is None


def test_a_graph_says_in_words_what_it_draws() -> None:
    drawn = sparkline([[(0.0, 0.0), (1.0, 1.0)], [(0.5, 0.5)]], 'a "busy" <slot>')
    assert 'aria-label="a &quot;busy&quot; &lt;slot&gt;"' in drawn
    assert 'points="0,22 120,2"' in drawn
    assert 'points="60,12 61,12"' in drawn
