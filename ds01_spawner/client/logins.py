"""The login that `ds01 login` keeps: which hub, and the token. Loads nothing of the client.

It is a file of one's own in the folder for settings that the operating system names; on Unix
nobody else can read it.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from ds01_spawner.client.whole_files import put_text
from ds01_spawner.domain.errors import Unavailable

CONFIG_VARIABLE = "DS01_USER_CONFIG_DIR"
_FILE = "login.json"
_ONLY_MINE = 0o600
_FOLDER_ONLY_MINE = 0o700


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks which hub.

    Attributes:
        url: Where people reach the hub.
        token: A token of the hub's; never shown.
        user: Who it is, as the hub said when it was kept.
    """

    url: str
    token: str = field(repr=False)
    user: str


def config_folder() -> Path:
    """Where a person's own settings of `ds01` are: `DS01_USER_CONFIG_DIR`, or what is usual."""
    if folder := os.environ.get(CONFIG_VARIABLE):
        return Path(folder)
    from platformdirs import user_config_path  # noqa: PLC0415 - ds01 --help does without

    return user_config_path("ds01", appauthor=False)


def login_file() -> Path:
    """Where the login is kept."""
    return config_folder() / _FILE


def read_login() -> Login | None:
    """The login that is kept, if there is one.

    Raises:
        Unavailable: There is one, and it cannot be read.
    """
    path = login_file()
    try:
        said = json.loads(path.read_text("utf-8"))
        return Login(*(_text(said[name]) for name in ("url", "token", "user")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise Unavailable(f"Your login in {path} cannot be read: {exc.strerror}.") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise Unavailable(
            f"Your login in {path} is damaged.", "Log in again: ds01 login URL."
        ) from exc


def keep_login(login: Login) -> Path:
    """Keep a login in place of the one before.

    Returns:
        Where it is.

    Raises:
        Unavailable: It cannot be written; the one before is as it was.
    """
    path = login_file()
    text = json.dumps({"url": login.url, "token": login.token, "user": login.user}, indent=2)
    try:
        path.parent.mkdir(mode=_FOLDER_ONLY_MINE, parents=True, exist_ok=True)
        put_text(path, f"{text}\n", _ONLY_MINE)
    except OSError as exc:
        raise Unavailable(
            f"Your login cannot be kept in {path}: {exc.strerror}.",
            f"Make room, or let {path.parent} be yours; then log in again.",
        ) from exc
    return path


def forget_login() -> bool:
    """Whether there was a login; now there is none.

    Raises:
        Unavailable: It cannot be removed.
    """
    path = login_file()
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise Unavailable(f"Your login in {path} cannot be removed: {exc.strerror}.") from exc
    return True


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected text")
    return value
