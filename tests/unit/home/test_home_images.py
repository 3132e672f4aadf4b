from dataclasses import asdict
from pathlib import Path

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.home.image_files import forgotten
from ds01_spawner.home.images import called, catalogue_of, own_image
from ds01_spawner.recipes.starter import STARTER
from fakes.api_app import FakeApi


def image(title: str, **facts: object) -> m.Image:
    usual = {"reference": title, "key": None, "title": title, "own": True, "present": True}
    return m.Image.model_validate(usual | facts)


def test_the_catalogue_survives_the_way_through_the_api() -> None:
    assert catalogue_of(m.ImageOptions.model_validate(asdict(STARTER))) == STARTER


def test_an_image_of_ones_own_is_found_by_its_name_and_others_are_not() -> None:
    mine = image("thesis:latest")
    api = FakeApi(images=[image("thesis:latest", own=False), mine])
    with api.client() as client:
        assert own_image(client, "thesis") == mine
        assert own_image(client, "other") is None


def test_images_are_called_by_their_key_or_name() -> None:
    assert called(image("thesis:latest")) == "thesis"
    assert called(image("thesis:v2")) == "thesis:v2"
    assert called(image("Starter", key="starter", own=False)) == "starter"


def test_files_go_with_an_image_or_stay_and_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    dockerfile = tmp_path / "ds01-images/thesis/Dockerfile"
    dockerfile.parent.mkdir(parents=True)
    dockerfile.touch()
    assert forgotten("thesis", with_dockerfile=False).sentences() == [
        "Still there: ~/ds01-images/thesis/Dockerfile"
    ]
    assert forgotten("thesis", with_dockerfile=True).removed == (dockerfile,)
    assert not dockerfile.parent.exists()
    assert forgotten("thesis:v2", with_dockerfile=True).sentences() == []
