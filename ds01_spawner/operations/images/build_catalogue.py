"""What people may make images of: the usual, as the administrator's file changes it. Pure."""

import logging

from ds01_spawner.policy.image_building import BuildSection, FrameworkEntry
from ds01_spawner.recipes.aime import Rows
from ds01_spawner.recipes.catalogue import Additions, Catalogue, Framework, UseCase, changed
from ds01_spawner.recipes.starter import STARTER

_log = logging.getLogger(__name__)


def build_catalogue(
    section: BuildSection, aime: Rows | None = None, *, host_settings: bool = False
) -> Catalogue:
    """The catalogue of this installation.

    Args:
        section: `build` of `images.yaml`.
        aime: Rows of the AIME catalogue that it names, if it does.
        host_settings: Whether builds are given settings of this server.
    """
    rows = aime or Rows(())
    for problem in rows.problems:
        _log.warning("AIME catalogue: %s", problem)
    own = tuple(_framework(key, entry, section) for key, entry in section.frameworks.items())
    additions = Additions(
        frameworks=own,
        use_cases=tuple(
            UseCase(key, entry.title, entry.description, entry.packages, entry.apt)
            for key, entry in section.use_cases.items()
        ),
        without=section.without,
        base=section.base,
        jupyter=section.jupyter,
        data_science=section.data_science,
        tools=section.tools,
        notices_from=section.notices_from,
        host_settings=host_settings,
        after=rows.frameworks,
    )
    return changed(STARTER, additions)


def _framework(key: str, entry: FrameworkEntry, section: BuildSection) -> Framework:
    return Framework(
        key=key,
        title=entry.title,
        base=entry.base or section.base,
        description=entry.description,
        family=entry.family,
        packages=entry.packages,
        index=entry.index or "",
        gpu=entry.gpu,
    )
