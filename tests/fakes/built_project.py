"""A project whose image is there."""

from pathlib import Path

from ds01_spawner.client import models as m
from ds01_spawner.recipes.source import source_digest
from fakes.api_app import FakeApi


def has_image(api: FakeApi, folder: Path) -> None:
    """Let the API have the image `leaves`, built of the files that the folder has now."""
    text = (folder / "Dockerfile").read_text()
    files = {"requirements.txt": (folder / "requirements.txt").read_text()}
    image = m.Image(
        reference="ds01-alice/leaves:latest",
        key=None,
        title="leaves:latest",
        own=True,
        present=True,
    )
    api.images = [image]
    api.details["leaves"] = m.ImageDetail(
        **image.model_dump(),
        layers=(),
        recipe=None,
        labels={},
        used_by=(),
        source=source_digest(text, files),
    )
