"""Sends one message through apprise, and says nothing secret when that fails.

apprise takes about 0.2 s to import, so that is done when the first message is sent.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from apprise import NotifyBase

_SHORTEST_SECRET = 3
_MOST_REASONS = 3
_LONGEST_REASON = 300
_CHATTY = ("apprise", "urllib3", "requests")
"""Loggers that write addresses, and so secrets, when they are asked to be talkative."""


class Unsendable(Exception):
    """It was not sent. The message says why, and nothing secret.

    Attributes:
        for_good: Whether trying again is in vain.
    """

    def __init__(self, message: str, *, for_good: bool) -> None:
        super().__init__(message)
        self.for_good = for_good


def is_understood(url: str) -> bool:
    """Whether apprise knows how to send to such an address."""
    with _overheard():
        return _plugin(url) is not None


def send(url: str, title: str, text: str) -> None:
    """Send it; may take as long as the other side likes.

    Raises:
        Unsendable: It was not accepted.
    """
    from apprise import NotifyFormat  # noqa: PLC0415 - see above

    with _overheard() as said:
        plugin = _plugin(url)
        if plugin is None:
            raise Unsendable("apprise does not understand its url", for_good=True)
        try:
            accepted = plugin.notify(body=text, title=title, body_format=NotifyFormat.TEXT)
        # Nearly two hundred plugins of as many authors: what they raise may quote the address.
        except Exception as exc:  # noqa: BLE001
            said.append(f"{type(exc).__name__}: {exc}")
            accepted = False
    if not accepted:
        reason = without_secrets("; ".join(said[:_MOST_REASONS]) or "it was not accepted", url)
        raise Unsendable(reason[:_LONGEST_REASON], for_good=False)


def without_secrets(text: str, url: str) -> str:
    """`text` without anything that an address holds but its scheme and its host's name."""
    for secret in sorted(_secrets(urlsplit(url)), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def _secrets(parts: SplitResult) -> set[str]:
    place, _, host = parts.netloc.rpartition("@")
    found = [*place.split(":", 1), parts.query, parts.fragment, *parts.path.split("/")]
    found += [value for _, value in parse_qsl(parts.query)]
    name = host.partition(":")[0]
    if "." not in name and name != "localhost":  # with some services a token stands there
        found.append(name)
    return {
        each
        for part in found
        for each in (part, unquote(part))
        if len(each) >= _SHORTEST_SECRET and not each.isdigit()
    }


def _plugin(url: str) -> "NotifyBase | None":
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - see above

    asset = AppriseAsset(app_id="DS01", app_desc="DS01", app_url="", async_mode=False)
    return Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


class _Ear(logging.Filter):
    """Keeps what the sending thread's libraries log out of the log, and remembers warnings."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        said: list[str] | None = getattr(self.here, "said", None)
        if said is None:
            return True
        if record.levelno >= logging.WARNING:
            said.append(record.getMessage())
        return False


_ear = _Ear()


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What is warned about in this thread meanwhile."""
    import apprise  # noqa: F401, PLC0415 - its loggers exist from here on

    _listen()
    said: list[str] = []
    _ear.here.said = said
    try:
        yield said
    finally:
        _ear.here.said = None


def _listen() -> None:
    # A filter sees only what its own logger is told, not what loggers beneath it are.
    for name in list(logging.Logger.manager.loggerDict):
        if name.partition(".")[0] in _CHATTY:
            logger = logging.getLogger(name)
            if _ear not in logger.filters:
                logger.addFilter(_ear)
