"""What every `ActivityProbe` and `ContainerProcesses` does."""

from dataclasses import replace

import pytest

from ds01_spawner.domain.activity import ContainerSample
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.ports import ActivityProbe, ContainerProcesses

GONE = 2**22 + 1
"""A process id that no kernel gives."""


class ActivityContract:
    """Needs the fixtures `activity`, `processes` and `container`, a running idle one."""

    def test_running_container_without_anybody_in_it_has_no_session(
        self, activity: ActivityProbe, container: Container
    ) -> None:
        sample = activity.samples([container])[container.id]
        assert sample.sessions == 0
        assert sample.cpu_seconds is not None
        assert sample.network_bytes is not None

    @pytest.mark.parametrize("state", [ContainerState.EXITED, ContainerState.CREATED])
    def test_container_that_does_not_run_has_no_sample(
        self, activity: ActivityProbe, container: Container, state: ContainerState
    ) -> None:
        assert activity.samples([replace(container, state=state)]) == {}
        assert activity.samples([]) == {}

    def test_gone_process_used_nothing(self, activity: ActivityProbe) -> None:
        assert activity.cpu_seconds_of([]) == 0.0
        assert activity.cpu_seconds_of([GONE, GONE]) == 0.0

    def test_container_without_terminals_shows_nothing(
        self, processes: ContainerProcesses, container: Container
    ) -> None:
        assert processes.write_to_terminals(container, "text") == 0

    def test_signal_that_nobody_handles_is_sent_to_nobody(
        self, activity: ActivityProbe, processes: ContainerProcesses, container: Container
    ) -> None:
        assert processes.send_signal(container, "SIGUSR1") == 0
        assert container.id in activity.samples([container])

    @pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP", "USR1", "SIGNOTHING", "SIG_IGN", ""])
    def test_signal_that_cannot_be_handled_is_refused(
        self, processes: ContainerProcesses, container: Container, name: str
    ) -> None:
        with pytest.raises(InvalidRequest):
            processes.send_signal(container, name)


class BlindActivityContract:
    """Needs `activity`, which can read nothing of the kernel, `container` and `pid`, both alive."""

    def test_nothing_is_known_of_a_running_container(
        self, activity: ActivityProbe, container: Container
    ) -> None:
        assert activity.samples([container]) == {container.id: ContainerSample()}

    def test_one_that_does_not_run_has_no_sample_all_the_same(
        self, activity: ActivityProbe, container: Container
    ) -> None:
        assert activity.samples([replace(container, state=ContainerState.EXITED)]) == {}

    def test_what_a_process_used_is_not_known(self, activity: ActivityProbe, pid: int) -> None:
        assert activity.cpu_seconds_of([pid]) is None
        assert activity.cpu_seconds_of([GONE, pid]) is None

    def test_processes_that_are_gone_used_nothing(self, activity: ActivityProbe) -> None:
        assert activity.cpu_seconds_of([GONE]) == 0.0
        assert activity.cpu_seconds_of([]) == 0.0
