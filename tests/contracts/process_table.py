"""What every `ProcessTable` does, the fake and the real one."""

from collections.abc import Callable

from ds01_spawner.domain.attribution import ProcessFacts
from ds01_spawner.ports.attribution import ProcessTable

Put = Callable[[int, int, str, str, float], None]
"""Lets a process run: id, user id, cgroup, name, start in seconds."""


class ProcessTableContract:
    """Inherit, and give the fixtures `table` and `put`."""

    def test_says_who_a_process_is(self, table: ProcessTable, put: Put) -> None:
        put(7, 1000, "0::/docker/x\n", "python3", 12.5)
        put(8, 0, "0::/\n", "Xorg", 1.0)
        assert table.look([7, 8, 7]) == {
            7: ProcessFacts(7, 12.5, 1000, "python3", "0::/docker/x\n"),
            8: ProcessFacts(8, 1.0, 0, "Xorg", "0::/\n"),
        }

    def test_one_that_does_not_run_is_left_out(self, table: ProcessTable, put: Put) -> None:
        put(7, 1000, "0::/\n", "python3", 12.5)
        assert set(table.look([0, 7, 9])) == {7}
        assert table.look([]) == {}

    def test_tells_the_time_that_starts_are_told_in(self, table: ProcessTable) -> None:
        assert table.seconds_up() > 0
