"""What may be asked for, and what is sent."""

from typing import Annotated

from pydantic import Field

from ds01_spawner.client.models.base import (
    USUAL_ON_A_PAGE,
    Count,
    Cursor,
    FileName,
    FileText,
    Flag,
    Moment,
    PageSize,
    UserName,
    Wire,
)


class BuildRequest(Wire):
    """An image to build: a Dockerfile, and small files beside it."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["thesis"])]
    """What it is going to be called; `:latest` without a tag."""
    dockerfile: Annotated[str, Field(min_length=1, max_length=200_000)]
    files: Annotated[dict[FileName, FileText], Field(max_length=100)] = Field(default_factory=dict)
    """Text files that the Dockerfile copies, by path."""
    build_args: Annotated[dict[FileName, FileName], Field(max_length=64)] = Field(
        default_factory=dict
    )
    no_cache: bool = False
    pull: bool = False
    """Whether bases that may be fetched are fetched anew."""
    recipe: Annotated[str, Field(max_length=20_000)] | None = None
    """What the Dockerfile was made from; kept as the image's label `ds01.recipe`."""


class NoQuery(Wire):
    """Nothing may be asked for."""


class ContainersQuery(Wire):
    """Whose containers."""

    all: Flag = False
    """Everybody's; for managers."""
    user: UserName | None = None
    """Somebody's; for managers."""


class OwnerQuery(Wire):
    """Whose."""

    user: UserName | None = None
    """Somebody else; for managers to look, for administrators to act."""


class LogsQuery(OwnerQuery):
    """How much of the output."""

    lines: Annotated[Count, Field(ge=1, le=5000)] = 200


class PageQuery(Wire):
    """Which page."""

    limit: PageSize = USUAL_ON_A_PAGE
    cursor: Cursor | None = None


class NoticesQuery(PageQuery):
    """Whose notices."""

    user: UserName | None = None
    """Somebody else's; for managers."""


class EventsQuery(PageQuery):
    """Which events."""

    user: UserName | None = None
    """Whom they concern; for managers. Students get their own, whatever they ask."""
    action: Annotated[str, Field(max_length=100)] | None = None
    """Such as `container.start`; `cleanup.*` is all that begin so."""
    since: Moment | None = None
    until: Moment | None = None


class ReconcileQuery(Wire):
    """Whether to do it."""

    dry_run: Flag = False


class ExtendRequest(Wire):
    """How long a container is to be kept."""

    duration: Annotated[str, Field(max_length=20, examples=["6h"])] | None = None
    """From now: `90m`, `6h`, `1d`; without it, as long as is allowed."""


class PreviewRequest(Wire):
    """An edited `resource-limits.yaml`."""

    text: Annotated[str, Field(max_length=500_000)]


class SshKeyRequest(Wire):
    """A key to add."""

    key: Annotated[str, Field(min_length=1, max_length=16_384)]
    """One line of a `.pub` file."""
