"""What tells those who look at it that it has changed."""

from collections.abc import Callable

Observer = Callable[[], None]


class Observable:
    """Something that is looked at. Observers are told that it changed, and read what they need."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called after each change.

        Returns:
            Ends that.
        """
        self._observers.append(observer)

        def stop() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return stop

    def changed(self) -> None:
        """Tell them."""
        for each in tuple(self._observers):
            each()
