"""Small files of text, configuration above all: read whole, and replaced at once."""

import itertools
import os
import shutil
import stat
import tempfile
from pathlib import Path

from ds01_spawner.domain.errors import PolicyError, PolicyProblem

_MAX_BYTES = 64 * 1024**2


def read_text(path: Path) -> str:
    """What is in a UTF-8 file, with its line ends as they are.

    Raises:
        PolicyError: It cannot be read, is not a plain file, is huge, or is not UTF-8.
    """
    try:
        # Opening a pipe would wait for its writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _fault(path, None, "this is not a file; expected text")
            if found.st_size > _MAX_BYTES:
                size = f"{found.st_size // 1024**2} MiB"
                raise _fault(path, None, f"{size} is more than a policy of text can be")
            raw = file.read()
    except OSError as exc:
        raise unreadable(path, exc) from exc
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise _fault(path, line, "this line is not UTF-8; save the file as UTF-8") from exc


def replace_text(path: Path, text: str) -> Path:
    """Put `text` in place of what is in a file, at once, and return where the old text is kept.

    A reader sees the old text or the new one. Owner and mode stay; a symbolic link stays a link.

    Raises:
        OSError: It cannot be written; then nothing has changed.
    """
    target = path.resolve(strict=True)
    backup = _free_name(target)
    try:
        shutil.copy2(target, backup)
        put_text(target, text)
    except BaseException:
        backup.unlink(missing_ok=True)
        raise
    return backup


def put_text(path: Path, text: str, new_mode: int = 0o644) -> None:
    """Put `text` in place of what is in a file, or in a new one, at once.

    A reader sees the old text or the new one. Owner and mode stay; a symbolic link stays a link.

    Args:
        path: The file.
        text: What is to be in it.
        new_mode: Of a file that is not there yet.

    Raises:
        OSError: It cannot be written; then nothing has changed.
    """
    target = path.resolve()
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, draft)
            owner = target.stat()
            os.chown(draft, owner.st_uid, owner.st_gid)
        else:
            Path(draft).chmod(new_mode)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _free_name(path: Path) -> Path:
    names = itertools.chain([".bak"], (f".bak.{number}" for number in itertools.count(2)))
    return next(free for name in names if not (free := path.with_name(path.name + name)).exists())


def unreadable(path: Path, error: OSError) -> PolicyError:
    """The error for a configuration file that cannot be read."""
    return _fault(path, None, f"cannot be read: {(error.strerror or str(error)).lower()}")


def _fault(path: Path, line: int | None, message: str) -> PolicyError:
    return PolicyError((PolicyProblem(str(path), line, "", message),))
