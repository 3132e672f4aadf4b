"""One word for one thing on every page: the table is in CONTRIBUTING.md.

On pages a server is a JupyterLab that somebody starts; the GPUs are the lab's.
"""

import re
from pathlib import Path

import pytest

import ds01_spawner

PACKAGE = Path(ds01_spawner.__file__).parent
FOLDERS = (
    PACKAGE / "gateway" / "web" / "templates",
    PACKAGE / "spawner" / "templates",
    PACKAGE.parent / "hub_config" / "templates",
)
INSTEAD = {
    r"cards?|graphics": "GPU",
    r"machines?|laptops?|hosts?|nodes?": "lab, your own computer",
    r"instances?|profiles?": "part of a GPU, size",
    r"environments?": "image",
    r"spawn\w*|cull\w*|kill\w*": "start, stop",
    r"allocat\w*|grants?|granted": "gets",
    r"cgroups?|daemons?|backend|endpoints?|wizards?": "limits, platform",
}
HIDDEN = re.compile(
    r"<style.*?</style>|<script.*?</script>|{#.*?#}|{%.*?%}|{{.*?}}|<code>.*?</code>|<[^>]*>",
    re.DOTALL,
)
EVERY = [page for folder in FOLDERS for page in sorted(folder.rglob("*.html"))]


@pytest.mark.parametrize("page", EVERY, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_a_page_has_one_word_for_one_thing(page: Path) -> None:
    text = HIDDEN.sub(" ", page.read_text("utf-8"))
    found = [
        f"{word[0]!r}: say {instead}"
        for pattern, instead in INSTEAD.items()
        for word in re.finditer(rf"(?<![\w./-])({pattern})(?![\w/-])", text, re.IGNORECASE)
    ]
    assert found == []


def test_every_page_is_looked_at() -> None:
    assert len(EVERY) > len(FOLDERS)
