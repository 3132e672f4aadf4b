from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.domain.labels import IMAGE_OWNER, IMAGE_RECIPE
from ds01_spawner.gateway.wire.call import Answer
from fakes.api_lab import ApiLab, api_lab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

MINE = "ds01-alice/thesis:latest"
ID = f"sha256:{7:064x}"


def _image(number: int, tags: tuple[str, ...] = (), parent: int = 0, size: int = 0) -> Any:
    return {
        "Id": f"sha256:{number:064x}",
        "RepoTags": list(tags),
        "ParentId": f"sha256:{parent:064x}" if parent else "",
        "Size": size,
        "Created": 1,
        "Labels": {IMAGE_OWNER: "alice"},
    }


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[ApiLab]:
    async with api_lab(tmp_path) as lab:
        marks = {IMAGE_RECIPE: "recipe", "maintainer": "alice"}
        found = {
            "Id": ID,
            "RepoTags": [MINE],
            "Size": 5,
            "Created": "2026-01-31T12:00:00.123456789Z",
            "Config": {"Labels": marks},
        }
        lab.link.answers[f"GET /images/{MINE}/json"] = Answer(200, found)
        steps = [{"CreatedBy": "RUN  pip install\tnumpy", "Size": 4, "Created": 3}]
        lab.link.answers[f"GET /images/{ID}/history"] = Answer(200, steps)
        yield lab


async def test_an_image_of_ones_own_is_told_in_full(lab: ApiLab) -> None:
    told = await lab.ask("alice", "GET", "/images/thesis")
    assert told.status == 200, told.body
    assert (told.body["reference"], told.body["own"], told.body["key"]) == (MINE, True, None)
    assert (told.body["title"], told.body["size_bytes"]) == ("thesis:latest", 5)
    assert told.body["recipe"] == "recipe"
    assert told.body["labels"] == {"maintainer": "alice"}
    assert told.body["layers"][0]["created_by"] == "RUN pip install numpy"
    assert told.body["used_by"] == []


async def test_others_images_do_not_exist(lab: ApiLab) -> None:
    for name in ("thesis", "ds01-alice%2Fthesis"):
        told = await lab.ask("bob", "GET", f"/images/{name}")
        assert told.status == 404
        assert "no image called" in told.body["detail"]


async def test_an_image_of_the_catalogue_is_told_by_its_key(lab: ApiLab) -> None:
    lab.link.answers[f"GET /images/sha256:{1:064}/history"] = Answer(200, [])
    told = await lab.ask("alice", "GET", "/images/starter")
    assert (told.status, told.body["key"], told.body["own"], told.body["default"]) == (
        200,
        "starter",
        False,
        True,
    )
    assert (await lab.ask("alice", "GET", "/images/heavy")).status == 404
    lab.link.answers["GET /images/ds01/starter:latest/json"] = Answer(404, None)
    absent = await lab.ask("alice", "GET", "/images/starter")
    assert (absent.status, absent.body["present"]) == (200, False)


async def test_what_wizards_may_offer_is_the_catalogue_and_what_is_here(lab: ApiLab) -> None:
    lab.link.answers["GET /images/json"] = Answer(
        200, [{"RepoTags": ["ds01/base:bookworm"], "Size": 9}]
    )
    told = await lab.ask("alice", "GET", "/images/options")
    assert told.status == 200, told.body
    assert told.body["frameworks"][0]["key"]
    assert {each["key"] for each in told.body["use_cases"]} >= {"cv", "nlp", "custom"}
    base = told.body["bases"][0]
    assert (base["reference"], base["present"], base["size_bytes"]) == (
        "ds01/base:bookworm",
        True,
        9,
    )
    assert told.body["largest_bytes"] == 40 * 1024**3


async def test_unused_images_are_counted_and_then_go(lab: ApiLab) -> None:
    every = [
        _image(1, size=100),
        _image(2, parent=1, size=130),
        _image(3, (MINE,), parent=1, size=150),
    ]
    lab.link.answers["GET /images/json"] = Answer(200, every)
    dry = await lab.ask("alice", "POST", "/images/prune?dry_run=true")
    assert dry.status == 200, dry.body
    assert (dry.body["dry_run"], len(dry.body["images"])) == (True, 2)
    assert "DELETE" not in " ".join(lab.link.deeds())
    with_names = await lab.ask("alice", "POST", "/images/prune?dry_run=true&unused=true")
    assert "thesis:latest" in with_names.body["images"]
    two = f"sha256:{2:064x}"
    lab.link.answers[f"DELETE /images/{two}"] = Answer(200, [{"Deleted": two}])
    done = await lab.ask("alice", "POST", "/images/prune")
    assert done.body == {"dry_run": False, "images": [f"{2:064x}"[:12]], "freed_bytes": 30}
    assert lab.events("image.delete")
    assert (await lab.ask("bob", "POST", "/images/prune")).body["images"] == []
