"""What all visits share: where the page is, what answers, and how it is rendered."""

from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ds01_spawner.gateway.api.handler import Served
from ds01_spawner.gateway.web import words
from ds01_spawner.gateway.web.page import Page
from ds01_spawner.gateway.web.pages import PAGES
from ds01_spawner.gateway.web.utilisation import Utilisation, keep_sampling

OWN = Path(__file__).parent / "static"
_TEMPLATES = Path(__file__).parent / "templates"


@cache
def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()[:12]


@cache
def _environment() -> Environment:
    """Every template, read and compiled once in a process."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(words.FILTERS)
    return environment


@dataclass(frozen=True)
class Site:
    """The lab's pages at one address.

    Attributes:
        served: What answers.
        prefix: The service's, such as `/services/ds01/`.
        hub_prefix: The hub's, such as `/hub/`; with its host, where that is another.
        pages: Every page.
        templates: Renders them.
        utilisation: How busy the GPUs were of late.
    """

    served: Served
    prefix: str
    hub_prefix: str
    pages: tuple[Page, ...] = PAGES
    templates: Environment = field(default_factory=_environment)
    utilisation: Utilisation = field(default_factory=Utilisation)

    @property
    def base(self) -> str:
        """Where the hub's proxy begins, such as `/`."""
        return self.hub_prefix.removesuffix("hub/")

    def asset(self, name: str) -> str:
        """Address of a file of ours; another one when the file is another."""
        return f"{self.prefix}static/{name}?v={_digest(OWN / name)}"

    async def look_after(self) -> None:
        """Keep what pages need, until cancelled."""
        await keep_sampling(self.served.api.platform, self.served.api.threads, self.utilisation)
