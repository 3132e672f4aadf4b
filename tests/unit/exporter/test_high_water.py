from ds01_spawner.exporter.high_water import HighWater
from ds01_spawner.exporter.points import Distribution, Point

SECONDS, SLOTS = "ds01_user_gpu_seconds_total", "ds01_user_gpu_slots"
HELD = ("alice", "staff", "held")


def test_a_counter_of_people_stays_where_it_was_told_until_it_is_beyond() -> None:
    marks = HighWater()
    told = [marks.kept([(SECONDS, HELD, value)])[0][2] for value in (5.0, 4.0, 4.5, 6.0, 0.0)]
    assert told == [5.0, 5.0, 5.0, 6.0, 6.0]


def test_each_row_has_its_own_mark_and_what_is_left_out_is_not_made_up() -> None:
    marks = HighWater()
    busy = ("alice", "staff", "busy")
    assert marks.kept([(SECONDS, HELD, 5.0), (SECONDS, busy, 2.0)]) == (
        (SECONDS, HELD, 5.0),
        (SECONDS, busy, 2.0),
    )
    assert marks.kept([(SECONDS, busy, 1.0)]) == ((SECONDS, busy, 2.0),)


def test_gauges_histograms_and_other_counters_are_told_as_they_are() -> None:
    marks = HighWater()
    for value in (5.0, 1.0):
        points: tuple[Point, ...] = (
            (SLOTS, ("alice", "staff"), value),
            ("ds01_events_total", ("container.start",), value),
            ("ds01_admission_seconds", ("granted",), Distribution.empty((1.0,))),
        )
        assert marks.kept(points) == points
