"""What `docker top` may say to `ps`. Pure.

The engine runs it over the whole host and keeps the lines whose column PID is a process of the
container. It finds that column by counting words: what may hold a blank must not stand before it,
or others' lines are shown, and nothing may choose processes beside the engine's own choice.
https://github.com/moby/moby/blob/v20.10.24/daemon/top_unix.go
"""

import re

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

_FORMS = frozenset(
    {
        *("", "-e", "-f", "-F", "-l", "-ef", "-eF", "-el", "-elf", "-efl", "-eLf", "-efL"),
        *("a", "ax", "aux", "auxw", "auxww", "axu", "u", "ux", "-e -f", "-A", "-A -f"),
    }
)
_COLUMN = r"[a-z_%]{1,16}"
_COLUMNS = re.compile(rf"(?:-e |-A |ax )?(?:-e?o ?|o ?)pid(?:(?:,| -o ){_COLUMN}){{0,16}}\Z")


def check_ps_arguments(text: str) -> None:
    """Return when `ps` with these arguments tells of nobody else's processes.

    Args:
        text: Words, one blank between two.

    Raises:
        InvalidRequest: It might.
    """
    if text not in _FORMS and not _COLUMNS.match(text):
        raise InvalidRequest(
            f"{shown(text)} is not offered here.",
            "Use aux, -ef, or columns that begin with pid: docker top NAME -o pid,user,args.",
        )
