"""A notice board in memory."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.domain.names import check_name, check_user, user_slug
from ds01_spawner.domain.notice import Notice


class FakeNoticeBoard:
    """The `NoticeBoard` port.

    Attributes:
        standing: What stands for each container, by user and name.
        full: When set, nothing can be written, as on a full disk.
    """

    def __init__(self) -> None:
        self.standing: dict[tuple[str, str], tuple[Notice, ...]] = {}
        self.full = False

    def folder(self, user: str) -> str:
        self._check()
        return f"/var/lib/ds01/notices/{user_slug(check_user(user))}"

    def show(self, user: str, name: str, notices: Sequence[Notice]) -> None:
        self._check()
        with suppress(InvalidRequest):
            self.standing[check_user(user), check_name(name)] = tuple(notices)

    def clear_others(self, shown: Collection[tuple[str, str]]) -> None:
        self._check()
        self.standing = {key: each for key, each in self.standing.items() if key in set(shown)}

    def _check(self) -> None:
        if self.full:
            raise Unavailable("Notices cannot be written: no space left on device.")
