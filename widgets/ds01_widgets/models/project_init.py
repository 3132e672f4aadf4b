"""A new project: its folder, its files, a git repository; then its image."""

from dataclasses import dataclass, replace
from pathlib import Path

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.home import folders, project_files
from ds01_spawner.home.build_context import files_for
from ds01_spawner.home.builds import Wanted, said_sizes
from ds01_spawner.home.image_places import Place
from ds01_spawner.home.images import catalogue_of
from ds01_spawner.home.projects import Found, every, shown_path, usual_folder
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue, Framework, UseCase
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.project import Project, project_name
from ds01_spawner.recipes.recipe import dumped
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models import image_choices
from ds01_widgets.models.gpu_offers import NONE, GpuOffer, read_offers
from ds01_widgets.models.image_build import ImageBuild
from ds01_widgets.models.wizard import Wizard
from ds01_widgets.running import Running

ANY = ""
"""The size of a GPU, whichever."""

NAME, DESCRIPTION, FRAMEWORK = "name", "description", "framework"
"""Fields that can be wrong."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is chosen and typed, right or wrong.

    Attributes:
        name: Of the project.
        kind: Use case.
        framework: Key.
        gpu: Size of the GPU that it is launched with.
        description: One line.
        git: Whether it becomes a git repository.
        devcontainer: Whether it has settings for VS Code's Dev Containers.
    """

    name: str = ""
    kind: str = NO_USE_CASE
    framework: str = ""
    gpu: str = ANY
    description: str = ""
    git: bool = True
    devcontainer: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A project that was made.

    Attributes:
        project: What it is.
        folder: Where it is.
        notes: What went wrong on the way, in sentences.
    """

    project: Project
    folder: Path
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Its folder, as a person would type it."""
        return shown_path(self.folder)


class ProjectInitModel(Wizard):
    """Begins a project.

    Attributes:
        wishes: What is chosen.
        offers: GPU sizes that one may have.
        projects: Those that there are.
        made: The one that was made last; `None` before that.
        building: The build of its image that runs, or the last one.
        told: What came of the last deed.
    """

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__(open_client, running)
        self.wishes = Wishes()
        self.offers: tuple[GpuOffer, ...] = ()
        self.projects: tuple[Found, ...] = ()
        self.made: Made | None = None
        self.building: ImageBuild | None = None
        self.told: tuple[str, ...] = ()
        self._options: m.ImageOptions | None = None
        self._catalogue: Catalogue | None = None
        self._runs = False

    def load(self) -> None:
        """Ask what a project can be made of."""
        self.ask(_declared, self._declare, "Asking what a project can be made of …")

    @property
    def is_ready(self) -> bool:
        """Whether it is known what there is to choose from."""
        return self._catalogue is not None

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """Those that can be built here."""
        if self._options is None or self._catalogue is None:
            return ()
        return image_choices.offered(self._options, self._catalogue)

    @property
    def kinds(self) -> tuple[UseCase, ...]:
        """What a project can be about."""
        return () if self._catalogue is None else self._catalogue.use_cases

    @property
    def gpus(self) -> tuple[tuple[str, str], ...]:
        """Sizes of a GPU that can be asked for: title and size; any first."""
        sizes = [(each.title, each.size) for each in self.offers]
        with_gpu = any(each.size != NONE for each in self.offers)
        return (*([("Any GPU", ANY)] * with_gpu), *sizes)

    def choose(self, **changes: object) -> None:
        """Choose something else: names of `Wishes`."""
        chosen = replace(self.wishes, **changes)  # type: ignore[arg-type]
        if chosen == self.wishes:
            return
        if chosen.framework != self.wishes.framework:
            chosen = replace(chosen, gpu=self._usual_gpu(chosen.framework))
        self.wishes = chosen
        self.told = ()
        self.changed()

    @property
    def folder(self) -> Path:
        """Where it is going to be."""
        return usual_folder() / (self.wishes.name or "NAME")

    @property
    def faults(self) -> dict[str, str]:
        """What has to be put right before it can be made, in words, by field."""
        found: dict[str, str] = {}
        if not self.frameworks:
            found[FRAMEWORK] = "Nothing can be built here: no base image is on this server."
        try:
            Project("x", description=self.wishes.description)
        except DS01Error as exc:
            found[DESCRIPTION] = str(exc)
        if not self.wishes.name:
            found[NAME] = "Give the project a name, such as leaf-segmentation."
            return found
        try:
            project_name(self.wishes.name)
            project_files.check_free(self.folder)
        except DS01Error as exc:
            found[NAME] = exc.message
        return found

    @property
    def files(self) -> tuple[str, ...]:
        """What would be made, by path; none while something is wrong."""
        if self.faults or self._catalogue is None:
            return ()
        return tuple(sorted(self._planned()))

    @property
    def can_make(self) -> bool:
        """Whether it can be made now."""
        return self.is_ready and not (self.busy or self.is_building or self.faults)

    def make(self) -> None:
        """Make all of it, or nothing. Nothing that is there is changed."""
        if not self.can_make:
            return
        project, folder, wishes = self._project(), self.folder, self.wishes
        files = self._planned()
        self.told, self.building = (), None

        def deed(_job: object) -> Made:
            project_files.make(folder, files)
            notes = project_files.make_repository(folder) if wishes.git else ()
            return Made(project, folders.resolved(folder), notes)

        def then(made: Made) -> None:
            self.made = made
            self.wishes = replace(wishes, name="", description="")
            self.projects = tuple(every())
            self.told = (
                f"The project {made.project.name} is in {made.shown}.",
                "Put packages that it needs into requirements.txt, data into data/raw.",
                *made.notes,
            )

        self.work(deed, then, f"Making {shown_path(folder)} …")

    # Its image

    @property
    def is_building(self) -> bool:
        """Whether its image is being built."""
        return self._runs

    def build(self) -> None:
        """Build the image of the project that was made."""
        if self.made is None or self.is_building or self.busy:
            return
        self.told, self.problem = (), None
        try:
            wanted = wanted_of(self.made.folder, self.made.project)
        except DS01Error as exc:
            self.failed(exc)
            return
        self.building = ImageBuild(wanted, self.changed, self._built, self._lost)
        self._runs = True
        self.changed()
        self.building.begin(self.running, self._open)

    def cancel(self) -> None:
        """End the build."""
        if self._runs and self.building is not None:
            self.building.cancel(self.running, self._open)

    def _built(self, build: ImageBuild) -> None:
        self._runs = False
        ended = build.build
        if ended is not None and ended.state == "cancelled":
            self.told = ("Cancelled: nothing was built.",)
        elif ended is not None and build.failure is None:
            self.told = (
                f"The image {build.wanted.name} is ready{said_sizes(ended)}.",
                "Choose it when you start your next server.",
            )
        self.changed()

    def _lost(self, error: DS01Error) -> None:
        self._runs = False
        self.failed(error)

    def _declare(self, found: tuple[m.ImageOptions, tuple[GpuOffer, ...]]) -> None:
        self._options, self.offers = found
        self._catalogue = catalogue_of(self._options)
        self.projects = tuple(every())
        keys = [each.key for each in self.frameworks]
        kinds = [each.key for each in self.kinds]
        wishes = self.wishes
        if wishes.framework not in keys:
            framework = next(iter(keys), "")
            wishes = replace(wishes, framework=framework, gpu=self._usual_gpu(framework))
        if wishes.kind not in kinds:
            wishes = replace(wishes, kind=NO_USE_CASE if NO_USE_CASE in kinds else kinds[0])
        if wishes.gpu not in [size for _, size in self.gpus]:
            wishes = replace(wishes, gpu=self._usual_gpu(wishes.framework))
        self.wishes = wishes

    def _usual_gpu(self, framework: str) -> str:
        uses = any(each.gpu for each in self.frameworks if each.key == framework)
        return ANY if uses and ANY in [size for _, size in self.gpus] else NONE

    def _project(self) -> Project:
        wishes = self.wishes
        return Project(wishes.name, wishes.kind, wishes.gpu, description=wishes.description)

    def _planned(self) -> dict[str, str]:
        assert self._catalogue is not None  # noqa: S101 - without faults there is one
        return project_files.planned(
            self._project(),
            self.wishes.framework,
            self._catalogue,
            with_devcontainer=self.wishes.devcontainer,
        )


def wanted_of(folder: Path, project: Project) -> Wanted:
    """What the image of a project is built of now.

    Raises:
        DS01Error: A file that it needs cannot be read.
    """
    place = Place(folder, folder.name)
    text = place.read() or ""
    recipe = kept(text).recipe
    said = None if recipe is None else dumped(recipe)
    return Wanted(project.image_name, text, files_for(folder, text), place.shown, said)


def _declared(client: Client) -> tuple[m.ImageOptions, tuple[GpuOffer, ...]]:
    return client.image_options(), read_offers(client, client.gpus())
