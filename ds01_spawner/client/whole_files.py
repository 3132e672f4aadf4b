"""Small files on this computer, whole or not at all, in folders where others may write too.

Loads nothing but `os`: programs that have to start at once use it.
"""

import os
from contextlib import suppress
from typing import IO

_AS_USUAL = 0o666


def put_text(path: str | os.PathLike[str], text: str, mode: int | None = None) -> None:
    """Put text in place of what is in a file, or in a new one, at once.

    The draft beside it has a name that nobody can know beforehand, and is made, never opened: what
    somebody else put there, a link to another file above all, is not written through. A link at
    `path` itself is replaced, and what it points to stays as it was.

    Args:
        path: The file; its folder is there.
        text: What is to be in it.
        mode: Its permissions, whatever the umask is; `None`: as a new file has them.

    Raises:
        OSError: It cannot be written; then nothing has changed.
    """
    folder, name = os.path.split(os.fspath(path))
    draft = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")  # noqa: PTH118 - no pathlib here
    try:
        with _made(draft, _AS_USUAL if mode is None else mode) as file:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 - no pathlib here
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)  # noqa: PTH108 - no pathlib here
        raise


def _made(draft: str, mode: int) -> IO[str]:
    """A new file; it fails where anything has that name, a link that leads nowhere included."""
    no_links = getattr(os, "O_NOFOLLOW", 0)
    return open(
        draft,
        "x",
        encoding="utf-8",
        opener=lambda name, flags: os.open(name, flags | no_links, mode),
    )
