"""The platform, opened for whoever looks after it."""

import logging
import os
from pathlib import Path

from ds01_spawner.composition import STATE_VARIABLE, Directories, Platform, open_platform
from ds01_spawner.domain.errors import Forbidden, Unavailable


def open_to_administrator() -> Platform:
    """The platform, if there is one and it is the caller's to look after. Nothing is made.

    Raises:
        Forbidden: It was no administrator who asked.
        Unavailable: There is no platform, its files are closed, or its policy is not valid.
    """
    state = Directories.from_environment().state
    if os.access(state, os.X_OK) and not (state / "instance-id").exists():
        raise Unavailable(
            f"There is no platform in {state}: nothing of it has run there.",
            f"Set {STATE_VARIABLE} if it is elsewhere.",
        )
    platform = open_to_caller()
    only_administrators()
    _check_policy(platform)
    return platform


def open_to_root(what: str) -> Platform:
    """As `open_to_administrator`, for root alone.

    Args:
        what: What is for root, as a sentence begins: `People's accounts are`.

    Raises:
        Forbidden: It was not root who asked.
    """
    if os.geteuid() != 0:
        raise Forbidden(f"{what} for root.", "Try it with sudo.")
    return open_to_administrator()


def _check_policy(platform: Platform) -> None:
    # The fault is in the error; without a handler it would be on stderr from the log as well.
    logging.getLogger("ds01_spawner").addHandler(logging.NullHandler())
    try:
        platform.policy.current()
    except Unavailable as exc:
        if not platform.policy.problems:
            raise
        problems = "\n".join(map(str, platform.policy.problems))
        raise Unavailable(
            f"The policy is not valid, so nothing can be decided:\n{problems}\n",
            "Correct it; ds01 policy check shows every fault.",
        ) from exc


def only_administrators() -> None:
    """Return to root and to whom the platform's files belong, as those of a demo.

    Raises:
        Forbidden: It is somebody else.
    """
    state = Directories.from_environment().state
    if os.geteuid() != 0 and not (state.is_dir() and state.stat().st_uid == os.geteuid()):
        raise Forbidden("Other people's containers are for administrators.", "Try it with sudo.")


def open_to_caller() -> Platform:
    """The platform, unless its files are closed to whoever typed the command.

    Raises:
        Unavailable: They are, or there are none.
    """
    directories = Directories.from_environment()
    state = directories.state
    try:
        state.stat()
    except FileNotFoundError as exc:
        raise Unavailable(
            f"There is no platform in {state}.", f"Set {STATE_VARIABLE} if it is elsewhere."
        ) from exc
    except OSError as exc:
        raise _closed(state) from exc
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        raise _closed(state)
    return open_platform(directories, actor="cli")


def _closed(state: Path) -> Unavailable:
    return Unavailable(
        f"{state} is open to administrators alone.",
        "Use the hub's home page, or put sudo before the command.",
    )
