"""Somebody at a keyboard who types one command, and what is left of it.

Each time the home is a fresh one: a project `leaves`, an image `mine` with its Dockerfile, folders
for settings; at the API there is a container `thesis`.
"""

import os
import shutil
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from ds01_cli.main import run
from ds01_cli.ssh import by_socket, by_websocket, port_forward
from ds01_spawner.client import asking, client, docker_stream, places, web_stream
from ds01_spawner.client import models as m
from ds01_spawner.client.streams import STDOUT
from ds01_spawner.recipes.source import source_digest
from ds01_spawner.recipes.starter import STARTER
from fakes.api_app import FakeApi
from fakes.api_server import ApiServer, Fault

TOKEN = "secret-token"
PATIENCE = 0.1
_VARIABLES = (places.SOCKET_VARIABLE, places.API_VARIABLE, places.URL_VARIABLE)
_TOKENS = (places.TOKEN_VARIABLE, "JUPYTERHUB_API_TOKEN", places.HUB_VARIABLE)
_BY_HAND = "numpy==1.0\n--ds01--\nnumpy==2.0\n--ds01--\nnumpy==2.0\n"

Tree = Mapping[str, bytes | None]
"""What is in a folder: the content of each file; of folders, `None`."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code.
        out: What it printed.
        err: What it said.
        before: What was in the home.
        after: What is there now.
        ran: The programs that it became.
    """

    code: int
    out: str
    err: str
    before: Tree
    after: Tree
    ran: tuple[str, ...] = ()

    @property
    def changed(self) -> set[str]:
        """What of the home is not as it was."""
        paths = self.before.keys() | self.after.keys()
        absent = object()
        return {
            each for each in paths if self.before.get(each, absent) != self.after.get(each, absent)
        }


@dataclass
class Scene:
    """A keyboard.

    Attributes:
        server: What is asked.
        template: What a home is a copy of.
        folder: For everything else.
        capture: What is printed.
        monkeypatch: For this test.
        home: The person's.
        api: What they have.
    """

    server: ApiServer
    template: Path
    folder: Path
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    home: Path = Path()
    api: FakeApi = field(default_factory=FakeApi)
    _number: int = 0

    def begin(self, command: str, *, far: bool = False) -> None:
        """Everything is as it was in the beginning.

        Args:
            command: Whose container is in the state that it is for.
            far: Whether the person is on their own computer, and the API behind a hub.
        """
        self._number += 1
        self.home = self.folder / f"home{self._number}"
        shutil.copytree(self.template, self.home, symlinks=True)
        self.api = an_api(self.home, command)
        self.server.renew(self.api, lambda _number: None)
        self.server.shown_url = self.server.url
        patch = self.monkeypatch
        for name in (*_VARIABLES, *_TOKENS, "DS01_CONTAINER", "DS01_CONFIG_DIR"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(self.home))
        patch.setenv("DS01_USER_CONFIG_DIR", str(self.home / ".config/ds01"))
        patch.setenv("DS01_STATE_DIR", "/nonexistent/state")
        patch.setattr(os, "geteuid", lambda: 1000)
        patch.chdir(self.home)
        if far:
            patch.setenv(places.URL_VARIABLE, self.server.url)
            patch.setenv(places.TOKEN_VARIABLE, TOKEN)
            if command == "project launch":  # it is for the server: in a server of the hub
                patch.setenv("DS01_CONTAINER", "jupyter")
        else:
            patch.setenv(places.SOCKET_VARIABLE, str(self.server.socket))

    def is_impatient(self) -> None:
        """Nobody waits long for what does not come."""
        for module, names in {
            asking: ("READ_SECONDS", "DEED_SECONDS"),
            client: ("DEED_SECONDS",),
            by_socket: ("_SECONDS",),
            by_websocket: ("_ANSWER_SECONDS",),
            web_stream: ("_BEGIN_SECONDS",),
        }.items():
            for name in names:
                self.monkeypatch.setattr(module, name, PATIENCE)

    def types(
        self, words: Sequence[str], fault: Callable[[int], Fault | None] | None = None
    ) -> Ended:
        """How `ds01 …` ends."""
        if fault is not None:
            self.server.fault = fault
        ran: list[str] = []

        def become(_path: str, command: Sequence[str]) -> NoReturn:
            ran.append(" ".join(map(str, command)))
            raise SystemExit(0)

        before = tree(self.home)
        self.capture.readouterr()
        with self.monkeypatch.context() as patch, Path(self.folder / "typed").open("r") as typed:
            patch.setattr(os, "execv", become)
            patch.setattr("sys.stdin", typed)
            code = run([each.replace("HUB", self.server.shown_url) for each in words])
        self.server.wait()
        shown = self.capture.readouterr()
        return Ended(code, shown.out, shown.err, before, tree(self.home), tuple(ran))


def scene_in(
    folder: Path,
    template: Path,
    server: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
    capture: pytest.CaptureFixture[str],
) -> Scene:
    """A keyboard before that server."""
    (folder / "typed").write_text(f"{TOKEN}\n")
    monkeypatch.setattr(docker_stream, "_END_SECONDS", 0.3)
    monkeypatch.setattr(places, "USUAL_SOCKET", "/nonexistent/usual")
    # Nothing here speaks TLS, and to load all authorities takes longer than a command.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "create_default_context", lambda *_args, **_named: context)
    monkeypatch.setattr(port_forward, "_is_free", lambda _port: True)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Scene(server, template, folder, capture, monkeypatch)


def an_api(home: Path, command: str) -> FakeApi:
    """What somebody has at the API."""
    api = FakeApi()
    explanation = m.PolicyExplanation(user="alice", group=None, groups=(), limits={})
    api.explanation = explanation
    if command == "admin report":  # it is about everybody
        api.role = m.Role.MANAGER
    api.options = m.ImageOptions.model_validate(asdict(STARTER))
    states = {"start": "exited", "run": "exited", "remove": "exited", "unpause": "paused"}
    state = states.get(command.removeprefix("container "), "running")
    if command != "user-setup":  # it is for who has none yet
        api.has("thesis", state=state, image="ds01-alice/mine:latest", gpu_slots=("0:1",))
    api.outputs["sh"] = (((STDOUT, _BY_HAND.encode()),), 0)
    api.outputs["sshd"] = (((STDOUT, b"SSH-2.0-test\r\n"),), 0)
    leaves = home / "projects/leaves"
    files = {"requirements.txt": (leaves / "requirements.txt").read_text()}
    digest = source_digest((leaves / "Dockerfile").read_text(), files)
    for name, source in (("mine", None), ("leaves", digest)):
        image = m.Image(
            reference=f"ds01-alice/{name}:latest",
            key=None,
            title=f"{name}:latest",
            own=True,
            present=True,
            size_bytes=10**9,
        )
        api.images.append(image)
        api.details[name] = m.ImageDetail(
            **image.model_dump(), layers=(), recipe=None, labels={}, used_by=(), source=source
        )
    return api


def a_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a project and an image, made by the commands that make them."""
    home = folder / "template"
    for name in (".config/ds01", ".ssh", "projects", "data"):
        (home / name).mkdir(parents=True)
    (home / "a.csv").write_text("1,2\n")
    (home / "bin").mkdir()
    (home / "old.yaml").write_text("defaults:\n  gpu_limit: 1\n")
    api = FakeApi()
    api.options = m.ImageOptions.model_validate(asdict(STARTER))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("ds01_cli.frame.session.connect", api.connect)
    assert run(["project", "init", "leaves", "--quick", "--no-git"]) == 0
    assert run(["image", "create", "mine", "--framework", "cpu", "--no-build"]) == 0
    return home


def tree(folder: Path) -> Tree:
    """Everything that is in a folder."""
    return {
        str(each.relative_to(folder)): each.read_bytes() if each.is_file() else None
        for each in sorted(folder.rglob("*"))
    }
