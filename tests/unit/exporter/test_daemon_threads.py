import threading
import time
from collections.abc import Callable

from ds01_spawner.exporter.threads import DaemonThreads

BOUND_SECONDS = 10.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + BOUND_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class Jobs:
    def __init__(self, threads: DaemonThreads) -> None:
        self._threads = threads
        self.done_in: list[threading.Thread] = []

    def run(self, wait: threading.Event | None = None) -> None:
        def job() -> None:
            if wait is not None:
                assert wait.wait(BOUND_SECONDS)
            self.done_in.append(threading.current_thread())

        self._threads.run("job", job)


def test_a_thread_is_used_again_and_none_keeps_the_process_from_ending() -> None:
    jobs = Jobs(DaemonThreads())

    def is_used_again() -> bool:
        jobs.run()
        return len(set(jobs.done_in)) < len(jobs.done_in)

    until(is_used_again)
    assert all(thread.daemon for thread in jobs.done_in)


def test_what_hangs_holds_up_nothing_else() -> None:
    jobs, hung = Jobs(DaemonThreads()), threading.Event()
    for _ in range(3):
        jobs.run(hung)
    for _ in range(20):
        jobs.run()
    until(lambda: len(jobs.done_in) == 20)
    hung.set()
    until(lambda: len(jobs.done_in) == 23)


def test_threads_without_work_end_and_what_comes_then_is_done() -> None:
    jobs = Jobs(DaemonThreads(idle_seconds=0.001))
    for _ in range(300):  # some come while a thread is about to end
        jobs.run()
        if len(jobs.done_in) % 7 == 0:
            time.sleep(0.001)
    until(lambda: len(jobs.done_in) == 300)
    until(lambda: not any(thread.is_alive() for thread in set(jobs.done_in)))
    jobs.run()
    until(lambda: len(jobs.done_in) == 301)
