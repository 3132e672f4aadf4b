"""A terminal of tmux, in which somebody types; what they see is what a person would."""

import os
import re
import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ds01_spawner.domain.person import UnixAccount

PROMPT = "$ "
WIDTH, HEIGHT = 100, 50
SECONDS = 60.0
_PAUSE_SECONDS = 0.05
_HISTORY = 10_000
_GO_ON = "Press Enter to go on, Ctrl-C to stop."
_BLANK = re.compile(r"\n{3,}")


class Tmux:
    """A shell of that person's, in a terminal that nobody else sees.

    Args:
        account: Whose.
        environment: Of the shell.
    """

    def __init__(self, account: UnixAccount, environment: Mapping[str, str]) -> None:
        self._server = f"ds01-{secrets.token_hex(4)}"
        groups = ",".join(map(str, os.getgrouplist(account.name, account.gid)))
        shell = shlex.join(
            [
                *("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}"),
                f"--groups={groups}",
                *("env", "-i", *(f"{name}={value}" for name, value in environment.items())),
                *(f"PS1={PROMPT}", "TERM=screen-256color", "bash", "--norc", "--noprofile"),
            ]
        )
        self._tmux(
            *("new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), "-c", account.home, shell),
            first=("-f", os.devnull),
        )
        self._tmux("set-option", "-g", "history-limit", str(_HISTORY))

    def __enter__(self) -> Self:
        self.sees(PROMPT.strip())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tmux("kill-server")

    @property
    def screen(self) -> str:
        """What there is to read, from the begin."""
        told = self._tmux("capture-pane", "-p", "-J", "-S", f"-{_HISTORY}")
        return _BLANK.sub("\n\n", "\n".join(line.rstrip() for line in told.splitlines())).strip()

    def types(self, text: str) -> None:
        """Type a line."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def presses(self, key: str) -> None:
        """Press a key, by tmux's name of it."""
        self._tmux("send-keys", key)

    def sees(self, words: str, seconds: float = SECONDS) -> str:
        """What there is to read, as soon as the last lines have the words in them."""
        end = time.monotonic() + seconds
        while words not in _end_of(self.screen):
            assert time.monotonic() < end, f"{words!r} is not to be seen:\n{self.screen}"
            time.sleep(_PAUSE_SECONDS)
        return self.screen

    def runs(
        self,
        command: str,
        *answers: tuple[str, str],
        guided: bool = False,
        seconds: float = SECONDS,
    ) -> str:
        """Type a command, answer what it asks, and return what was to be seen.

        Args:
            command: The line.
            answers: Words of a question, and what is typed then; in this order.
            guided: Whether Enter is pressed whenever the guide waits.
            seconds: For all of it.
        """
        before = len(self.screen) - len(PROMPT.strip())
        self.types(command)
        end = time.monotonic() + seconds
        left, answered = list(answers), 0
        while True:
            screen = self.screen
            last = screen.rsplit("\n", 1)[-1]
            if last == PROMPT.strip() and command in screen[before:]:
                assert not left, f"never asked: {left}\n{screen}"
                return screen[before : -len(PROMPT.strip())]
            waits = last.endswith((":", _GO_ON)) and len(screen) > answered
            if waits and guided and last.endswith(_GO_ON):
                self.types("")
                answered = len(screen)
            elif waits and left and left[0][0] in last:
                self.types(left.pop(0)[1])
                answered = len(screen)
            assert time.monotonic() < end, f"{command} does not end:\n{screen}"
            time.sleep(_PAUSE_SECONDS)

    def _tmux(self, *words: str, first: tuple[str, ...] = ()) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._server, *first, *words],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMUX_TMPDIR": str(_folder())},
        )
        return done.stdout


def _end_of(screen: str) -> str:
    return "\n".join(screen.splitlines()[-6:])


def _folder() -> Path:
    folder = Path("/run/ds01-test-tmux")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
