"""The platform, opened for whoever looks after it."""

import logging
import os

from ds01_cli.admin.caller import only_administrators, open_to_caller
from ds01_spawner.composition import STATE_VARIABLE, Directories, Platform
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
