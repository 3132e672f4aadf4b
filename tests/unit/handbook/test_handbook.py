import re
from importlib.resources import files
from pathlib import Path

import pytest

from ds01_spawner import handbook
from ds01_spawner.domain.errors import NotFound

FOLDER = Path(str(files(handbook)))
PAGES = sorted(FOLDER.rglob("*.md"))
WORDS = {"cgroup", "socket", "daemon", "hypervisor", "namespace", "simply", "just", "obviously"}
"""What beginners do not know, or need not be told."""

_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")


def ids(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def test_a_page_has_its_parts() -> None:
    page = handbook.page("extend")
    assert page.command == "extend"
    assert page.summary.startswith("Keep a container running")
    assert "ds01 extend thesis" in page.info
    assert page.ideas == ("idle",)
    assert page.why == ""
    assert list(page.steps) == ["extend"]


def test_what_is_not_written_is_not_found() -> None:
    with pytest.raises(NotFound, match="Nothing is written about nonsense"):
        handbook.page("nonsense")
    with pytest.raises(NotFound):
        handbook.concept("nonsense")


def test_headings_in_code_are_no_parts() -> None:
    title, lead, parts = handbook._divided("# T\n\nlead\n\n## A\n```\n## no\n```\n## B\nb", "## ")
    assert (title, lead) == ("T", "lead")
    assert parts == {"A": "```\n## no\n```", "B": "b"}


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_pages_are_plain_and_their_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert "\t" not in text
    assert max(map(len, text.splitlines())) <= 160
    for target in _LINK.findall(text):
        assert target.startswith("http") or (path.parent / target).exists(), target


@pytest.mark.parametrize(
    "path", [each for each in PAGES if each.parent.name == "concepts"], ids=ids
)
def test_ideas_are_told_in_words_that_beginners_know(path: Path) -> None:
    words = set(re.findall(r"[a-z]+", _CODE.sub("", path.read_text("utf-8")).lower()))
    assert words & WORDS == set()


def test_a_page_without_its_parts_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    handbook.page.cache_clear()
    monkeypatch.setattr(handbook, "_text", lambda *_: "# ds01 x\n\nDoes x.\n\n## Info\n\nAll.\n")
    with pytest.raises(ValueError, match="Concepts"):
        handbook.page("x")


@pytest.mark.parametrize(
    "page",
    [
        "concepts/container",
        "concepts/image",
        "commands/container-remove",
        "commands/container-retire",
        "commands/container-stop",
        "commands/image-save-from",
        "commands/project-launch",
    ],
)
def test_what_is_installed_by_hand_is_told_in_one_way(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text("utf-8")
    assert "`~/.local`" in text
    assert "gone with" not in text
    assert "goes with it" not in text


def test_a_launch_waits_as_a_deployment_does() -> None:
    waits = "If no GPU is free it waits, up to 24 hours"
    assert waits in handbook.page("project launch").info
    assert waits in handbook.page("container deploy").info
    assert "CPUs and disk" not in handbook.page("image create").info
