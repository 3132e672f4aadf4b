"""Threads that are used again: to start and end one costs more than most of what is read in it."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

IDLE_SECONDS = 60.0
"""Some scrapes' intervals; who scrapes more rarely pays for new ones."""

_WAITING = "waits for work"


class DaemonThreads:
    """As many as there is work at the same time. They are daemons: the process can always end.

    Args:
        idle_seconds: How long one waits for work before it ends.
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._jobs: SimpleQueue[tuple[str, Callable[[], None]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def run(self, name: str, job: Callable[[], None]) -> None:
        """Do it in a thread that has nothing else to do, and is called so meanwhile."""
        with self._lock:
            is_new = not self._idle
            if not is_new:
                self._idle -= 1  # one of those that wait is promised to it
        if is_new:
            threading.Thread(target=self._work, args=(name, job), daemon=True).start()
        else:
            self._jobs.put((name, job))

    def _work(self, name: str, job: Callable[[], None]) -> None:
        thread = threading.current_thread()
        while True:
            thread.name = name
            job()
            del job  # what it holds is free while this waits
            thread.name = _WAITING
            with self._lock:
                self._idle += 1
            try:
                name, job = self._jobs.get(timeout=self._idle_seconds)
            except Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                name, job = self._jobs.get()  # all that wait are promised
