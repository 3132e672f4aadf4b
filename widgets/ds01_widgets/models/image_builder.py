"""An image in four phases: chosen, built, changed, deleted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, DS01Error, InvalidRequest
from ds01_spawner.domain.wording import size
from ds01_spawner.home.builds import Wanted, said_sizes
from ds01_spawner.home.image_files import forgotten
from ds01_spawner.home.image_places import Place, place_of
from ds01_spawner.home.images import LATEST, called
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.image_build import ImageBuild
from ds01_widgets.models.image_draft import ImageDraft, Keeper
from ds01_widgets.models.wizard import Wizard
from ds01_widgets.running import Running

T = TypeVar("T")
_RUNNING = "running"


@dataclass(frozen=True, slots=True)
class OwnImage:
    """An image of one's own.

    Attributes:
        name: What it is called.
        size: How large it is; empty where nobody knows.
        made: The day on which it was made; empty where nobody knows.
        used_by: One's servers and containers that are made of it.
    """

    name: str
    size: str
    made: str
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    options: m.ImageOptions
    images: m.Images
    builds: m.BuildList
    me: m.Me


class ImageBuilderModel(Wizard):
    """Choices become a Dockerfile, and that an image.

    Attributes:
        draft: What the image is to be; `None` before the server was asked.
        images: Those that there are of one's own.
        building: The build that runs, or the last one; `None` before that.
        told: What came of the last deed, in sentences.
        hub_url: The hub in a browser; empty where nobody knows.
    """

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__(open_client, running)
        self.draft: ImageDraft | None = None
        self.images: tuple[OwnImage, ...] = ()
        self.building: ImageBuild | None = None
        self.told: tuple[str, ...] = ()
        self.hub_url = ""
        self._runs = False
        self._keeper: Keeper | None = None
        self._is_new = False

    def load(self) -> None:
        """Ask what images may be made of, and which there are; go on with a build that runs."""
        self.ask(_read, self._take, "Asking what images can be made of …")

    def choose(self, **changes: object) -> None:
        """Choose something else: names of `image_choices.Choices`."""
        draft = self._there()
        chosen = replace(draft.choices, **changes)  # type: ignore[arg-type]
        if chosen != draft.choices:
            draft.choices = chosen
            self.changed()

    def call(self, name: str) -> None:
        """Say what the image is to be called."""
        self._there().name = name.strip()
        self.changed()

    def require(self, path: str) -> None:
        """Have packages read from a file, too; an empty path is none."""
        self._there().require(path)
        self.changed()

    def fetch_anew(self, *, fresh: bool) -> None:
        """Whether the next build fetches everything anew."""
        self._there().fresh = fresh
        self.changed()

    def write(self, text: str) -> None:
        """Have this Dockerfile built, whatever is chosen; an empty one undoes that."""
        self._there().write(text)
        self.changed()

    def new(self) -> None:
        """Begin a new image."""
        draft = self._there()
        self.draft = ImageDraft(draft.options, draft.taken)
        self.told = ()
        self.changed()

    def open_kept(self) -> None:
        """Go on with the Dockerfile that is there already under the name of a new image."""
        draft = self._there()
        text = draft.kept_text
        if text is not None:
            draft.changing = True
            draft.open(draft.name, text, None)
            self.changed()

    def change(self, name: str) -> None:
        """Change an image of one's own: what it was made of is chosen."""
        self.told = ()

        def then(detail: m.ImageDetail) -> None:
            draft = ImageDraft(self._there().options, self._there().taken)
            draft.name, draft.changing = name, True
            draft.open(name, draft.place().read(), detail.recipe)
            self.draft = draft

        self.ask(lambda client: client.image(name), self._safely(then), f"Looking at {name} …")

    def delete(self, name: str, *, with_dockerfile: bool = False) -> None:
        """Delete an image of one's own that nothing is made of."""
        self.told = ()

        def deed(client: Client) -> _Read:
            if used := client.image(name).used_by:
                raise Conflict(f"{name} is in use by {', '.join(used)}.", "Remove that first.")
            client.delete_image(name)
            return _read(client)

        def then(found: _Read) -> None:
            files = forgotten(name, with_dockerfile=with_dockerfile)
            if self.draft is not None and self.draft.changing and self.draft.name == name:
                self.draft = None
            self._take(found)
            self.told = (f"Deleted the image {name}.", *files.sentences())

        self.ask(deed, self._safely(then), f"Deleting {name} …")

    @property
    def is_building(self) -> bool:
        """Whether a build runs."""
        return self._runs

    @property
    def can_build(self) -> bool:
        """Whether what is chosen can be built now."""
        draft = self.draft
        if draft is None or self.is_building or self.busy:
            return False
        return not draft.faults and bool(draft.dockerfile)

    def build(self) -> None:
        """Build it.

        The Dockerfile of a new image is written at once and taken back when the build is cancelled;
        that of one which is changed is written when the build has worked.
        """
        draft = self.draft
        if draft is None or not self.can_build:
            return
        self.told, self.problem = (), None
        try:
            wanted = draft.wanted()
            self._keeper, self._is_new = draft.keeper(), not draft.changing
            if self._is_new:
                self._keeper.write()
                draft.kept_as = draft.name
        except DS01Error as exc:
            self.failed(exc)
            return
        building = self._follow(wanted)
        self.changed()
        building.begin(self.running, self._open)

    def cancel(self) -> None:
        """End the build that runs."""
        if self._runs and self.building is not None:
            self.building.cancel(self.running, self._open)

    def _follow(self, wanted: Wanted) -> ImageBuild:
        self.building, self._runs = (
            ImageBuild(wanted, self.changed, self._ended, self._lost),
            True,
        )
        return self.building

    def _ended(self, build: ImageBuild) -> None:
        self._runs = False
        ended, keeper = build.build, self._keeper
        self._keeper = None
        try:
            if ended is not None and ended.state == "cancelled":
                self.told = ("Cancelled: nothing was built.",)
                if keeper is not None and self._is_new:
                    keeper.undo()
                    if self.draft is not None:
                        self.draft.kept_as = ""
            elif ended is not None and build.failure is None:
                self._done(ended, build.wanted.name)
                if keeper is not None and not self._is_new:
                    keeper.write()
        except DS01Error as exc:
            self.failed(exc)
        self.changed()

    def _done(self, ended: m.Build, name: str) -> None:
        if self.draft is not None and self.draft.name == name:
            self.draft.changing = True
            self.draft.fresh = False
        self.told = (
            f"The image {name} is ready{said_sizes(ended)}.",
            "Choose it when you start your next server.",
        )
        self.ask(_read, self._safely(self._take))

    def _lost(self, error: DS01Error) -> None:
        self._runs = False
        self._keeper = None
        self.failed(error)

    def _take(self, found: _Read) -> None:
        url = found.me.hub_url or ""
        self.hub_url = url if url.startswith(("https://", "http://")) else ""
        own = [each for each in found.images.images if each.own]
        self.images = tuple(_own(each, found.me) for each in own)
        taken = tuple(each.name for each in self.images)
        if self.draft is None:
            self.draft = ImageDraft(found.options, taken)
        else:
            self.draft.declare(found.options, taken)
        running = next((each for each in found.builds.builds if each.state == _RUNNING), None)
        if running is not None and not self._runs:
            name = running.name.rpartition("/")[2].removesuffix(LATEST)
            place = _place(name)
            text = (place.read() if place is not None else None) or ""
            self._follow(Wanted(name, text, {})).resume(self.running, self._open, running)

    def _there(self) -> ImageDraft:
        if self.draft is None:
            raise Conflict("What images can be made of is not known yet.", "Wait a moment.")
        return self.draft

    def _safely(self, then: Callable[[T], None]) -> Callable[[T], None]:
        """What reads or writes files, with what may go wrong told."""

        def safe(answer: T) -> None:
            try:
                then(answer)
            except DS01Error as exc:
                self.failed(exc)

        return safe


def _place(name: str) -> Place | None:
    """The folder of its own that an image has; `None` where it can have none."""
    try:
        return place_of(name, None)
    except InvalidRequest:
        return None


def _read(client: Client) -> _Read:
    return _Read(client.image_options(), client.images(), client.builds(), client.me())


def _own(image: m.Image, me: m.Me) -> OwnImage:
    return OwnImage(
        called(image),
        "" if image.size_bytes is None else size(image.size_bytes),
        "" if image.created_at is None else f"{image.created_at:%Y-%m-%d}",
        tuple(each.name for each in me.containers if each.image == image.reference),
    )
