"""The platform's errors, split by what the caller should do."""

from dataclasses import dataclass

OUR_FAULT = ("This failed inside the gateway.", "Tell your administrator.")
"""Message and next step where whoever asked did nothing wrong; the service's log says why."""


class DS01Error(Exception):
    """Root of every error the platform raises on purpose.

    ```
    DS01Error
    ├── PolicyError      fix the file: path, line, key, what was expected
    ├── Refused          tell the person: what, how much, what next
    │   ├── QuotaExceeded    a limit of theirs is reached
    │   ├── NoCapacity       everything that fits is in use
    │   ├── Forbidden        the policy does not allow it at all
    │   └── InvalidRequest   the request itself makes no sense
    ├── NotFound         it does not exist, or is not theirs
    ├── Conflict         the name is taken
    └── Unavailable      try again: a part that is needed does not answer
        ├── DeviceDriverMissing  the engine cannot hand out GPUs
        └── PlatformFault        the platform's own files are broken: administrators are told how
            └── SettingsFault    those that the lab writes
    ```

    Attributes:
        message: What happened and how much of what, in one sentence or two.
        next_step: What the person can do about it; empty when there is nothing.
    """

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message, next_step)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        if not self.next_step:
            return self.message
        stop = "" if self.message.endswith((".", "!", "?", "\n")) else "."
        return f"{self.message}{stop} {self.next_step}"

    @property
    def logged(self) -> str:
        """What the log says of it: all, unless some of it is for the person alone."""
        return str(self)

    @property
    def told(self) -> "DS01Error":
        """What people are told of it: all, unless some of it is for administrators alone."""
        return self

    def told_to(self, *, administrator: bool) -> "DS01Error":
        """What whoever asked is told of it: every door asks here, and says whose right that is."""
        return self if administrator else self.told


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One fault in a configuration file.

    Attributes:
        path: The file, as it was named to the reader.
        line: 1-based line, or `None` when the fault has no place (an empty file).
        key: Dotted key, such as `groups.student.memory`; empty for the whole file.
        message: What is wrong and what was expected instead.
    """

    path: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class PolicyError(DS01Error):
    """A configuration file is wrong; nothing of it takes effect."""

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    @property
    def told(self) -> DS01Error:
        """That settings cannot be read, without paths."""
        return _settings_unread()


class Refused(DS01Error):
    """The platform will not do this; the message is for the person who asked."""


class QuotaExceeded(Refused):
    """A limit of this person is reached.

    Attributes:
        limit: Policy key, such as `max_gpu_slots`.
        used: How much the person holds now, in the limit's unit.
        asked: How much more this request needs.
        allowed: The limit's value.
        holders: What the person calls the containers that use it.
    """

    def __init__(  # noqa: PLR0913 - the figures are the error
        self,
        message: str,
        next_step: str = "",
        *,
        limit: str,
        used: float,
        asked: float,
        allowed: float,
        holders: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, next_step)
        self.holders = holders
        self.limit = limit
        self.used = used
        self.asked = asked
        self.allowed = allowed


class NoCapacity(Refused):
    """Everything that would satisfy the request is in use now.

    Attributes:
        place: The place in the queue that waiting would give; 0 when that is not the question.
    """

    def __init__(self, message: str, next_step: str = "", *, place: int = 0) -> None:
        super().__init__(message, next_step)
        self.place = place


class Forbidden(Refused):
    """The policy does not allow this for this person, however long they wait."""


class InvalidRequest(Refused):
    """The request cannot be understood, or nothing on this machine could ever satisfy it."""


class NotFound(DS01Error):
    """The thing does not exist, or does not belong to the person who asked."""


class Conflict(DS01Error):
    """Something of that name exists already."""


class Unavailable(DS01Error):
    """A part the platform needs does not answer; nothing was decided. Try again."""


class PlatformFault(Unavailable):
    """Something of the platform's own is broken; it says how, for administrators and the log."""

    @property
    def told(self) -> DS01Error:
        """That there is a fault, without paths."""
        return Unavailable(
            "The platform has a fault, so this cannot be done now; what runs goes on.",
            "Tell your administrator.",
        )


class SettingsFault(PlatformFault):
    """What the lab has set cannot be read, and was not before: nothing is allowed."""

    @property
    def told(self) -> DS01Error:
        """That they cannot be read, without paths."""
        return _settings_unread()


def _settings_unread() -> Unavailable:
    return Unavailable(
        "The lab's settings cannot be read right now, so nothing can be started; what runs "
        "goes on.",
        "Tell your administrator.",
    )


class DeviceDriverMissing(Unavailable):
    """The engine has no GPU driver, so it cannot hand out devices."""
