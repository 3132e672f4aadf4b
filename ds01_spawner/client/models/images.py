"""One image, all of it; what a wizard may offer; room that is made."""

from datetime import datetime

from pydantic import Field

from ds01_spawner.client.models.base import Flag, Wire
from ds01_spawner.client.models.work import Image


class ImageLayer(Wire):
    """One step of how an image was made."""

    created_by: str
    """The instruction, shortened."""
    size_bytes: int
    created_at: datetime | None


class ImageDetail(Image):
    """An image, and what it is made of."""

    layers: tuple[ImageLayer, ...]
    """The newest first."""
    recipe: str | None
    """What it was built from, as `BuildRequest.recipe` said; `null` where nothing did."""
    source: str | None = None
    """Digest of the Dockerfile and of what it copied (`recipes.source`), where it was built through
    the API."""
    labels: dict[str, str]
    used_by: tuple[str, ...]
    """One's own containers that are made of it."""


class PruneQuery(Wire):
    """Which images, and whether to do it."""

    unused: Flag = False
    """Those with a name that no container uses, too."""
    dry_run: Flag = False


class Pruned(Wire):
    """Images that are gone, or would be."""

    dry_run: bool
    images: tuple[str, ...]
    """What their owner calls them; a short id for what has no name."""
    freed_bytes: int
    """What they take, without layers that other images share as far as the engine tells."""


class BaseOption(Wire):
    """An image to build on."""

    reference: str
    present: bool
    """Whether it is on this machine."""
    fetchable: bool
    """Whether a build may fetch it where it is not."""
    size_bytes: int | None = None


class FrameworkOption(Wire):
    """The first phase of an image: `recipes.catalogue.Framework`."""

    key: str
    title: str
    base: str
    description: str = ""
    family: str = ""
    packages: tuple[str, ...] = ()
    index: str = ""
    gpu: bool = False
    version: str = ""
    architectures: tuple[str, ...] = ()


class UseCaseOption(Wire):
    """The last phase of an image: `recipes.catalogue.UseCase`."""

    key: str
    title: str
    description: str = ""
    packages: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    of_family: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class ImageOptions(Wire):
    """What images may be made of here: `recipes.catalogue.Catalogue`, and what is here of it."""

    frameworks: tuple[FrameworkOption, ...]
    """The one that is proposed comes first."""
    jupyter: tuple[str, ...]
    data_science: tuple[str, ...]
    use_cases: tuple[UseCaseOption, ...]
    tools: tuple[str, ...] = ()
    notices_from: str = ""
    host_settings: bool = False
    bases: tuple[BaseOption, ...] = ()
    """The image of each framework, once."""
    largest_bytes: int | None = None
    """How large an image may be; `null` is unlimited."""
