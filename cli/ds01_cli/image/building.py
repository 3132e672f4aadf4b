"""A build, begun, followed and explained; cancelled when its person goes."""

import uuid
from collections.abc import Callable

from ds01_cli.frame import printing, waiting
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.wording import clean
from ds01_spawner.home.builds import Line, Progress, Wanted, failure

_WIDEST = 60
_RUNNING = "running"


def build(client: Client, wanted: Wanted, *, verbose: bool = False) -> m.Build:
    """The build, done. Ctrl-C cancels it, and waits until it is.

    Args:
        client: Of the API.
        wanted: What is to be built.
        verbose: Whether all that the builder tells is printed.

    Raises:
        BuildFailed: It failed; says where, why, and what to do.
        KeyboardInterrupt: It was cancelled.
    """
    request = wanted.request()
    key = uuid.uuid4().hex
    try:
        begun = client.build(request, key=key)
        ended, log = _followed(client, begun, wanted, verbose=verbose)
    except KeyboardInterrupt:
        # The same key names the build that was begun, whether or not its answer was read.
        printing.console(stderr=True).print(_cancelled(client, request, key))
        raise
    if ended.state == "done":
        return ended
    raise failure(ended, log, wanted)


def _cancelled(client: Client, request: m.BuildRequest, key: str) -> str:
    """What is said when the build has been cancelled, or could not be."""
    try:
        with waiting.status("Cancelling the build"):
            client.cancel_build(client.build(request, key=key).id)
    except DS01Error as exc:
        return f"note: The build may go on: {exc}"
    return "Cancelled: nothing was built."


def _followed(
    client: Client, begun: m.Build, wanted: Wanted, *, verbose: bool
) -> tuple[m.Build, str]:
    ended = begun
    progress = Progress(wanted.dockerfile)
    with waiting.status(f"Building {wanted.name}") as status:
        tell = _teller(progress, status, verbose=verbose)
        for news in client.follow_build(begun.id):
            if isinstance(news, m.Build):
                ended = news
                continue
            for line in progress.take(news.text):
                tell(line)
    if ended.state == _RUNNING:
        raise Unavailable(
            "The gateway broke off before the build had ended.",
            "See whether the image is there: ds01 image list",
        )
    return ended, progress.log


def _teller(progress: Progress, status: waiting.Status, *, verbose: bool) -> Callable[[Line], None]:
    out = printing.console(stderr=True)

    def tell(line: Line) -> None:
        if verbose and line.text:
            out.print(line.text)
        if line.is_step:
            if progress.words:
                status.update(progress.words)
        elif out.is_terminal and line.is_news:
            status.update(f"{progress.words} · {clean(line.text, _WIDEST)}")

    return tell
