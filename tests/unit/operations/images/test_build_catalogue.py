from pathlib import Path

import pytest

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.operations.images.build_catalogue import build_catalogue
from ds01_spawner.policy.images import ImageCatalogue, parse_images
from ds01_spawner.recipes.aime import read_rows
from ds01_spawner.recipes.dockerfile import written
from ds01_spawner.recipes.recipe import Recipe

CONFIG = Path(__file__).parents[4] / "config"
TEXT = """
default: starter
images: {starter: {reference: ds01/starter, title: Starter}}
"""
LAB = """
build:
  base: registry.example.org/lab/base:1
  notices_from: ds01/starter
  frameworks:
    pytorch: {title: PyTorch 2.9, base: "pytorch/pytorch:2.9.1", family: pytorch, gpu: true}
    r: {title: R, packages: [rpy2]}
  use_cases:
    geo: {title: Maps, packages: ["geopandas>=1,<2"], apt: [gdal-bin]}
  without: [jax, jax-cpu, rl]
  jupyter: [jupyterlab, jupyterhub]
"""


def images(text: str = "") -> ImageCatalogue:
    return parse_images(TEXT + text, "images.yaml")


def test_without_a_section_the_usual_is_offered() -> None:
    found = build_catalogue(images().build)
    assert [each.key for each in found.frameworks][:4] == ["pytorch", "tensorflow", "jax", "cpu"]
    assert found.bases() == ("ds01/base:bookworm",)
    assert not found.host_settings


def test_a_lab_adds_replaces_and_leaves_out() -> None:
    found = build_catalogue(images(LAB).build, host_settings=True)
    assert found.framework("pytorch").base == "pytorch/pytorch:2.9.1"
    assert found.framework("r").base == "registry.example.org/lab/base:1"
    assert found.framework("cpu").base == "registry.example.org/lab/base:1"
    keys = {each.key for each in found.frameworks} | {each.key for each in found.use_cases}
    assert keys.isdisjoint({"jax", "jax-cpu", "rl"})
    assert found.use_cases[0].apt == ("gdal-bin",)
    assert found.host_settings
    assert "'geopandas>=1,<2'" in written(Recipe("r", "geo"), found, "maps")


def test_aimes_rows_come_after_all_others() -> None:
    rows = read_rows("Pytorch, 2.5.0, CUDA_ADA, aimehub/pytorch-2.5.0-cuda12.1")
    found = build_catalogue(images().build, rows)
    assert found.frameworks[-1].key == "pytorch-2.5.0"
    assert found.framework("Pytorch=2.5.0").base == "aimehub/pytorch-2.5.0-cuda12.1:latest"
    text = written(Recipe("pytorch-2.5.0", "cv"), found, "x")
    assert text.startswith("# Image x: Pytorch 2.5.0, Jupyter")
    assert "'timm'" in text


def test_people_may_build_on_what_the_section_names_and_on_nothing_else() -> None:
    catalogue = images(LAB)
    for reference in ("registry.example.org/lab/base:1", "pytorch/pytorch:2.9.1"):
        assert catalogue.is_shared_with("student", reference)
        assert catalogue.resolve("alice", "student", reference) == reference
    assert not catalogue.is_shared_with("student", "pytorch/pytorch:2.8.0")
    assert {"registry.example.org", "docker.io"} <= catalogue.registries()


def test_the_shipped_file_needs_no_registry() -> None:
    shipped = parse_images((CONFIG / "images.yaml").read_text(), "images.yaml")
    assert build_catalogue(shipped.build).bases() == ("ds01/base:bookworm",)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{base: ds01-alice/x}", "build.base: 'ds01-alice/x' is in a person's own namespace"),
        ("{frameworks: {x: {title: X, packages: ['a b']}}}", "expected a package such as numpy"),
        ("{frameworks: {'X y': {title: X}}}", "expected lower-case letters"),
        ("{use_cases: {x: {title: X, apt: ['a;id']}}}", "expected a Debian package"),
        ("{pip: {index_url: 'https://u:p@example.org/'}}", "without a password"),
        ("{nonsense: 1}", "unknown key"),
    ],
)
def test_a_wrong_section_is_told_with_its_line(section: str, message: str) -> None:
    with pytest.raises(PolicyError) as wrong:
        images(f"build: {section}")
    assert message in str(wrong.value)
    assert "images.yaml:4" in str(wrong.value)
