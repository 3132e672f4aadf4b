"""What pages fetch: our own files, and the look of the hub from where it is installed."""

import re
from pathlib import Path

from jupyterhub._data import DATA_FILES_PATH
from tornado.web import HTTPError, StaticFileHandler

from ds01_spawner.gateway.api.plain import set_safe_headers

HUB = Path(DATA_FILES_PATH) / "static"
KEPT_SECONDS = 3600

_OF_THE_HUB = re.compile(
    r"css/style\.min\.css|js/darkmode\.js|favicon\.ico"
    r"|components/@fortawesome/fontawesome-free/(css/[\w-]+\.css|webfonts/[\w-]+\.(woff2|ttf))"
)


class OwnFileHandler(StaticFileHandler):
    """Our own style sheet and scripts, for anybody: there is nothing of anybody's in them."""

    def set_default_headers(self) -> None:
        """As all answers have them."""
        set_safe_headers(self)

    def set_extra_headers(self, path: str) -> None:
        """They may be kept for a while; a changed one has another address."""
        assert path is not None  # noqa: S101 - tornado names it
        self.set_header("Cache-Control", f"public, max-age={KEPT_SECONDS}")


class HubFileHandler(OwnFileHandler):
    """The few files of the hub that a page looks like it with."""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Only what is on the list."""
        if not _OF_THE_HUB.fullmatch(Path(absolute_path).relative_to(root).as_posix()):
            raise HTTPError(404)
        return super().validate_absolute_path(root, absolute_path)
