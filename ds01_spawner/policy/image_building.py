"""The section `build` of `images.yaml`: what people are offered to make images of."""

import re
from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator, Field

from ds01_spawner.policy.document import Section
from ds01_spawner.policy.image_references import canonical_reference, is_somebodys
from ds01_spawner.policy.values import Flag

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_APT = re.compile(r"[a-z0-9][a-z0-9.+-]*[a-z0-9+](?:=[A-Za-z0-9][A-Za-z0-9.+~:-]*)?")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~/+-]*)?")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?")


def shared_reference(text: str) -> str:
    """A reference in its one spelling, when it is not in anybody's own namespace.

    Raises:
        ValueError: It is no reference, or a person's.
    """
    reference = canonical_reference(text)
    if is_somebodys(reference):
        raise ValueError(
            f"{text!r} is in a person's own namespace (ds01-…/): that person could replace "
            "it for everybody; tag it as ds01/… instead"
        )
    return reference


def _build_key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"expected lower-case letters, digits, dots and hyphens; found {text!r}")
    return text


def _requirement(text: str) -> str:
    try:
        Requirement(text)
    except InvalidRequirement as exc:
        raise ValueError(f"expected a package such as numpy>=1.26,<3; found {text!r}") from exc
    return text


def _apt(text: str) -> str:
    if not _APT.fullmatch(text):
        raise ValueError(f"expected a Debian package such as ffmpeg; found {text!r}")
    return text


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(
            "expected the address of a package index without a password, such as "
            f"https://pypi.example.org/simple; found {text!r}"
        )
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"expected a host such as pypi.example.org; found {text!r}")
    return text


Reference = Annotated[str, AfterValidator(shared_reference)]
_Key = Annotated[str, AfterValidator(_build_key)]
_Pip = Annotated[str, AfterValidator(_requirement)]
_Apt = Annotated[str, AfterValidator(_apt)]
_Address = Annotated[str, AfterValidator(_address)]
_Title = Annotated[str, Field(min_length=1, max_length=60)]
_Sentence = Annotated[str, Field(max_length=300)]


class FrameworkEntry(Section):
    """What an image begins with."""

    title: _Title = Field(description="What people read.")
    description: _Sentence = Field(default="", description="One sentence.")
    base: Reference | None = Field(
        default=None,
        description="Image to build on, with apt-get and Python; absent: `base` of the section.",
        examples=["pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime"],
    )
    family: Literal["pytorch", "tensorflow", "jax", ""] = Field(
        default="", description="Whose packages of a use case are added."
    )
    packages: tuple[_Pip, ...] = Field(
        default=(), description="What pip installs; nothing when the base has it."
    )
    index: _Address | None = Field(
        default=None, description="Package index that has these packages; absent: the usual one."
    )
    gpu: Flag = Field(default=False, description="Whether it uses a GPU.")


class UseCaseEntry(Section):
    """What work of one kind needs."""

    title: _Title = Field(description="What people read.")
    description: _Sentence = Field(default="", description="One sentence.")
    packages: tuple[_Pip, ...] = Field(default=(), description="What pip installs.")
    apt: tuple[_Apt, ...] = Field(default=(), description="What apt-get installs.")


class AimeSection(Section):
    """The catalogue of AIME ML Containers."""

    file: str = Field(
        min_length=1,
        description="`ml_images.repo`; read when the gateway starts. Its images are fetched from "
        "docker.io/aimehub: list that in `pull_allowed`.",
        examples=["/opt/aime-ml-containers/ml_images.repo"],
    )
    architecture: str = Field(
        default="",
        pattern=r"^[A-Z0-9_]*$",
        description="Generation of this server's GPUs, as the file calls it; empty: all rows.",
        examples=["CUDA_ADA"],
    )


class IndexSection(Section):
    """Where pip finds packages in builds, instead of what the server's own pip is set to."""

    index_url: _Address | None = Field(default=None, description="The usual index.")
    extra_index_urls: tuple[_Address, ...] = Field(default=(), description="Others beside it.")
    trusted_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(), description="Hosts whose certificates are not checked."
    )

    def settings(self) -> dict[str, str]:
        """The same in pip's words."""
        said = {
            "index-url": self.index_url or "",
            "extra-index-url": " ".join(self.extra_index_urls),
            "trusted-host": " ".join(self.trusted_hosts),
        }
        return {name: value for name, value in said.items() if value}


class BuildSection(Section):
    """What people are offered to make images of; all of it may be absent."""

    base: Reference = Field(
        default="ds01/base:bookworm",
        description="Image that frameworks without a `base` of their own are built on.",
    )
    frameworks: dict[_Key, FrameworkEntry] = Field(
        default_factory=dict,
        description="More frameworks, offered first; one of the same key replaces a usual one.",
    )
    use_cases: dict[_Key, UseCaseEntry] = Field(
        default_factory=dict,
        description="More use cases, offered first; one of the same key replaces a usual one.",
    )
    without: tuple[_Key, ...] = Field(
        default=(), description="Keys of usual frameworks and use cases that are not offered."
    )
    aime: AimeSection | None = Field(
        default=None, description="Rows of an AIME catalogue become frameworks."
    )
    jupyter: tuple[_Pip, ...] | None = Field(
        default=None, description="Packages of the phase Jupyter, instead of the usual ones."
    )
    data_science: tuple[_Pip, ...] | None = Field(
        default=None, description="Packages of the phase data science, instead of the usual ones."
    )
    tools: tuple[_Apt, ...] | None = Field(
        default=None, description="Debian packages of every image, instead of the usual ones."
    )
    notices_from: Reference | None = Field(
        default=None,
        description="Image that has DS01's own parts, such as the starter: what shows notices, the "
        "wizards, ds01; absent: none are taken.",
        examples=["ds01/starter:latest"],
    )
    pip: IndexSection | None = Field(
        default=None, description="Package index of builds; absent: as the server's own pip."
    )
    ca_bundle: str | None = Field(
        default=None,
        description="Certificates that builds trust; absent: the server's, where it has some of "
        "its own.",
        examples=["/etc/ssl/certs/ca-certificates.crt"],
    )
    host_settings: Flag = Field(
        default=True,
        description="Whether builds are given package index and certificates at all.",
    )

    def references(self) -> frozenset[str]:
        """The images that are named here: everybody may build on them."""
        named = {entry.base for entry in self.frameworks.values()} | {self.base, self.notices_from}
        return frozenset(each for each in named if each)
