"""Every notebook for beginners, run from top to bottom inside a server of the real hub."""

import json
import logging
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.house import House
from e2e.hub import Person, docker
from integration.unix_people import CAROL, OWN_FOLDER

pytestmark = pytest.mark.timeout(420)

_log = logging.getLogger(__name__)

BOOKS = sorted((Path(__file__).parents[2] / "widgets/notebooks").glob("*.ipynb"))
RUNNER = """
import json, sys, time
from pathlib import Path
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

SETTLED = '''
import json
from ipywidgets.widgets.widget import _instances
from ds01_widgets.views.view import View
for each in [each for each in _instances.values() if isinstance(each, View)]:
    assert each.model.running.settle(30), each
print("WIDGETS", json.dumps([str(getattr(each, "value", "")) for each in _instances.values()]))
'''
folder = Path.home() / "ds01-notebooks"
for name in sys.argv[1:]:
    book = nbformat.read(folder / name, 4)
    book.cells.append(nbformat.v4.new_code_cell(SETTLED))
    begin, failure = time.monotonic(), ""
    try:
        NotebookClient(book, timeout=90, resources={"metadata": {"path": str(folder)}}).execute()
    except CellExecutionError as exc:
        failure = str(exc)
    settled = "".join(each.get("text", "") for each in book.cells.pop().get("outputs", []))
    outputs = [each for cell in book.cells for each in cell.get("outputs", [])]
    print(json.dumps({
        "failure": failure,
        "seconds": time.monotonic() - begin,
        "printed": ["".join(each.get("text", "")) for each in outputs if "text" in each],
        "markdown": sum("text/markdown" in each.get("data", {}) for each in outputs),
        "shown": sum(
            "application/vnd.jupyter.widget-view+json" in each.get("data", {}) for each in outputs
        ),
        "values": json.loads(settled.partition("WIDGETS ")[2] or "[]"),
    }))
"""
AMISS = ("Traceback", "command not found", "inside the notebook")


@pytest.fixture
def carol(house: House) -> Iterator[Person]:
    """Somebody with a Unix account, in whose home nothing is left."""
    home = Path(f"~{CAROL}").expanduser()
    before = set(home.iterdir()) if home.exists() else set()
    person = house.resident(CAROL).hub
    yield person
    if person.server():
        person.stop()
    left = {each for each in home.iterdir() if not each.name.startswith(OWN_FOLDER)}
    for each in left - before:
        subprocess.run(["rm", "-rf", "--", each], check=True)


@dataclass(frozen=True)
class Run:
    """One notebook, as it was run."""

    failure: str
    seconds: float
    printed: list[str]
    markdown: int
    shown: int
    values: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.printed)


def run(person: Person, *books: Path) -> list[Run]:
    """Run notebooks of the person's own one after the other, as they came into their home."""
    names = [each.name for each in books]
    done = subprocess.run(
        ["docker", "exec", "-i", person.container(), "python3", "-", *names],
        input=RUNNER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [Run(**json.loads(line)) for line in done.stdout.splitlines()[-len(books) :]]
    for book, each in zip(books, found, strict=True):
        _log.info("%s: %.1f s", book.stem, each.seconds)
    return found


def wizards(book: Path) -> int:
    """How many cells show a wizard."""
    cells: list[dict[str, Any]] = json.loads(book.read_text())["cells"]
    code = ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
    return sum(each.splitlines()[-1].split("(")[0] in WIZARDS for each in code)


WIZARDS = {
    *("ExtendServer", "GpuStatus", "ImageBuilder", "LaunchServer", "MyLimits", "Onboarding"),
    *("MyUsage", "ProjectInit"),
}


def check(found: Run, book: Path) -> None:
    assert found.failure == ""
    assert not [each for each in AMISS if each in found.text], found.text
    assert found.shown == wizards(book)
    problems = [each for each in found.values if 'class="ds01-problem"' in each]
    assert problems == []


def test_on_a_simulated_gpu(carol: Person) -> None:
    carol.start(gpu="mig")
    texts = {}
    for book, found in zip(BOOKS, run(carol, *BOOKS), strict=True):
        check(found, book)
        texts[book.stem] = found.text
    first = texts["01-your-first-gpu"]
    assert "This server was given: MIG-" in first
    assert "gpu-lesson runs, with GPU slot" in first
    listed = docker("ps", "--all", "--format", "{{.Names}}").split()
    assert "gpu-lesson._." + carol.name not in listed, "it was given back"
    (again,) = run(carol, BOOKS[1])
    check(again, BOOKS[1])


def test_without_a_gpu_and_without_a_unix_account(house: House) -> None:
    person = house.hub.person("novice")
    person.start(gpu="none")
    try:
        for book, found in zip(BOOKS, run(person, *BOOKS), strict=True):
            check(found, book)
            if book.stem == "01-your-first-gpu":
                assert "This server was given: void" in found.text
    finally:
        person.stop()
