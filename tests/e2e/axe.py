"""axe-core in a page: what hinders people who use it otherwise than we do."""

import subprocess
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

VERSION = "4.14.1"
PLACE = Path(__file__).parents[2] / ".cache"
SERIOUS = {"serious", "critical"}


@cache
def script() -> str:
    """axe-core from npm, fetched once."""
    kept = PLACE / f"axe-core-{VERSION}.js"
    if not kept.exists():
        PLACE.mkdir(exist_ok=True)
        wanted = ["npm", "pack", "--silent", "--pack-destination", str(PLACE)]
        subprocess.run([*wanted, f"axe-core@{VERSION}"], check=True, capture_output=True)
        with tarfile.open(PLACE / f"axe-core-{VERSION}.tgz") as package:
            member = package.extractfile("package/axe.min.js")
            assert member is not None
            kept.write_bytes(member.read())
    return kept.read_text()


def serious_faults(page: Page) -> list[str]:
    """What axe finds on a page, in a line each."""
    # Not a script tag: the page's content policy would refuse it, as it should.
    page.evaluate(script())
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
