from pathlib import Path

import pytest

from ds01_spawner.adapters.docker_engine.layers import layers_of, leads_to
from ds01_spawner.domain.errors import Forbidden


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, ...]:
    """What the container wrote, over an image of two layers."""
    upper, middle, base = (tmp_path / each for each in ("upper", "middle", "base"))
    for folder in (upper / "home", middle / "srv", base / "data/deep", base / "etc", base / "old"):
        folder.mkdir(parents=True)
    (base / "x").symlink_to("/data")
    (base / "srv").mkdir()
    (base / "srv/up").symlink_to("../../../data/./deep")
    (base / "round").symlink_to("/round")
    (base / "chain").symlink_to("srv/up/../..")
    (base / "gone").symlink_to("/data")
    (upper / "gone").write_text("in its place")
    (upper / "home/late").symlink_to("/x/deep")
    (upper / "old").symlink_to("etc")
    return upper, middle, base


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/data/new/folder", "/data/new/folder"),
        ("/x", "/data"),
        ("/x/bob/new", "/data/bob/new"),
        ("//x/./bob/../new/", "/data/new"),
        ("/srv/up/new", "/data/deep/new"),
        ("/chain/etc", "/etc"),
        ("/home/late/y", "/data/deep/y"),
        ("/old/group", "/etc/group"),
        ("/gone/y", "/gone/y"),
        ("/../..", "/"),
        ("/nothing/../x/y", "/data/y"),
    ],
)
def test_links_are_followed_within_the_container(
    layers: tuple[Path, ...], path: str, real: str
) -> None:
    assert leads_to(layers, path) == real


def test_a_circle_is_refused(layers: tuple[Path, ...]) -> None:
    with pytest.raises(Forbidden, match="too many links"):
        leads_to(layers, "/round/x")


def test_layers_are_those_of_overlays() -> None:
    data = {"UpperDir": "/o/u/diff", "LowerDir": "/o/i/diff:/o/a/diff", "MergedDir": "/o/u/merged"}
    told = {"GraphDriver": {"Name": "overlay2", "Data": data}}
    assert layers_of(told) == (Path("/o/u/diff"), Path("/o/i/diff"), Path("/o/a/diff"))
    assert layers_of({"GraphDriver": {"Name": "btrfs", "Data": None}}) == ()
    assert layers_of({}) == ()
