"""What a researcher installs on a computer of their own: the wheel with the extra `cli`."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ds01_spawner import handbook

ROOT = Path(__file__).parents[3]
INSTALL_SECONDS = 180
NO_HUB = (
    "ds01: The hub http://127.0.0.1:1/ cannot be reached. Are you online, and in the university's"
    " network or VPN if it needs one? If so, the hub is down: try again in a minute.\n"
)


class Laptop:
    """An environment with the program in it, a home, and a hub that refuses."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.environment = folder / "environment"
        wheels = folder / "wheels"
        pip("wheel", "--no-deps", "--wheel-dir", wheels, ROOT)
        (self.wheel,) = wheels.glob("ds01-*.whl")
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", self.environment], check=True
        )
        pip("--python", self.environment, "install", f"{self.wheel}[cli]")

    def ds01(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.environment / "bin" / "ds01", *words],
            env={
                "HOME": str(self.home),
                "PATH": "/usr/bin:/bin",
                "DS01_URL": "http://127.0.0.1:1",
                "DS01_TOKEN": "none",
                "DS01_STATE_DIR": "/nonexistent/state",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def packages(self) -> set[str]:
        """The names of all that is installed."""
        code = (
            "import importlib.metadata, json;"
            "print(json.dumps([d.name for d in importlib.metadata.distributions()]))"
        )
        listed = subprocess.run(
            [self.environment / "bin" / "python", "-c", code],
            capture_output=True,
            text=True,
            check=True,
        )
        return {canonicalize_name(name) for name in json.loads(listed.stdout)}


def pip(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    return Laptop(tmp_path_factory.mktemp("laptop"))


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def test_nothing_of_the_servers_is_installed(laptop: Laptop) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    installed = laptop.packages()
    assert names([*project["dependencies"], *extras["cli"]]) <= installed
    assert not names([*extras["hub"], *extras["widgets"]]) & installed


def test_it_helps_and_says_its_version(laptop: Laptop) -> None:
    assert laptop.ds01("--version").stdout.startswith("ds01 ")
    for words in ([], ["container"], ["admin"], ["ssh-config"], ["container", "deploy"]):
        helped = laptop.ds01(*words, "--help")
        assert (helped.returncode, helped.stderr) == (0, "")
        assert f"Usage: {' '.join(['ds01', *words])}" in helped.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["container", "list"],
        ["check-limits"],
        ["gpu", "status"],
        ["ssh-proxy", "thesis.ds01"],
        ["image", "create", "thesis", "--framework", "cpu", "--dry-run"],
        ["project", "init", "leaves", "--quick"],
    ],
    ids=" ".join,
)
def test_without_a_hub_it_says_so_in_one_line_and_makes_nothing(
    words: list[str], laptop: Laptop
) -> None:
    said = laptop.ds01(*words)
    assert (said.returncode, said.stdout, said.stderr) == (1, "", NO_HUB)
    assert not (laptop.home / "projects").exists()


def test_the_pages_of_help_are_in_the_wheel(laptop: Laptop) -> None:
    told = laptop.ds01("container", "deploy", "--info")
    assert (told.returncode, told.stderr) == (0, "")
    assert handbook.page("container deploy").summary in told.stdout


@pytest.mark.parametrize(
    "words", [["admin", "user", "list"], ["admin", "lifecycle"], ["admin", "doors"]], ids=" ".join
)
def test_an_administrators_command_says_where_it_belongs(words: list[str], laptop: Laptop) -> None:
    said = laptop.ds01(*words)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith(f"ds01: {' '.join(words)} belongs on the server; it needs ")
    assert "the extra hub: pip install 'ds01[cli,hub]'" in said.stderr
