"""A project of somebody's for Debian's docker-compose."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration.gateway.people import Done, Person

SECONDS = 120


class Project:
    """A folder with a `docker-compose.yml` in its owner's home."""

    def __init__(self, person: Person, folder: Path) -> None:
        self._person = person
        self.folder = folder

    def write(self, name: str, content: str) -> None:
        """Put a file of its owner's there."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        for each in (path.parent, path):
            shutil.chown(each, self._person.account.uid, self._person.account.gid)

    def compose(self, *arguments: str) -> Done:
        """How `docker-compose …` ends, run there as its owner."""
        account = self._person.account
        done = subprocess.run(
            ["docker-compose", "--no-ansi", *arguments],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd=self.folder,
            env=self._person.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def done(self, *arguments: str) -> Done:
        """The same, which must succeed."""
        done = self.compose(*arguments)
        assert done.code == 0, f"docker-compose {' '.join(arguments)}: {done.err}"
        return done


@contextmanager
def compose_project(person: Person, name: str, text: str) -> Iterator[Project]:
    """A project; afterwards it is down, and its folder is gone."""
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed: script/bootstrap --test")
    folder = Path(person.account.home) / name
    project = Project(person, folder)
    folder.mkdir()
    try:
        project.write("docker-compose.yml", text)
        yield project
        project.compose("down", "-v", "--rmi", "local", "-t", "0")
    finally:
        shutil.rmtree(folder)
