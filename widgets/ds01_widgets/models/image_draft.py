"""An image as somebody wants it, before it is built: choices, a name, and its Dockerfile."""

from collections.abc import Mapping
from dataclasses import replace

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.wording import size
from ds01_spawner.home.build_context import files_for
from ds01_spawner.home.builds import Wanted
from ds01_spawner.home.image_places import DOCKERFILE, Place, place_of, place_of_image
from ds01_spawner.home.images import catalogue_of
from ds01_spawner.home.requirement_files import renewed, requirements_of
from ds01_spawner.recipes.catalogue import Framework, UseCase
from ds01_spawner.recipes.dockerfile import written
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.outlook import estimate, hints
from ds01_spawner.recipes.packages import image_name
from ds01_spawner.recipes.recipe import Recipe, dumped, loaded
from ds01_widgets.models import image_choices
from ds01_widgets.models.image_choices import FRAMEWORK, NAME, REQUIREMENTS, Choices


class Keeper:
    """Files of an image, for their place.

    Args:
        place: Where they belong.
        files: Their text, by name.

    Raises:
        InvalidRequest: What is there cannot be read.
    """

    def __init__(self, place: Place, files: Mapping[str, str]) -> None:
        self._place = place
        self._files = files
        self._before = {name: place.read(name) for name in files}

    def write(self) -> None:
        """Put them there.

        Raises:
            InvalidRequest: They cannot be written.
        """
        for name, text in self._files.items():
            self._place.write(text, name)

    def undo(self) -> None:
        """Make everything as it was.

        Raises:
            InvalidRequest: It cannot be written.
        """
        for name, text in self._before.items():
            if text is not None:
                self._place.write(text, name)
        self._place.remove(name for name, text in self._before.items() if text is None)


class ImageDraft:
    """What an image is to be, out of what the server declares.

    Args:
        options: What the server declares.
        taken: Names of images that there are.

    Attributes:
        options: What the server declares.
        taken: Names of images that there are.
        choices: What is chosen.
        name: What the image is to be called.
        changing: Whether it is an image that there is already.
        by_hand: The Dockerfile as somebody wrote it; `None` where it follows the choices.
        fresh: Whether everything is fetched anew.
        required: The file with packages that was given, as it was typed.
        kept_as: The name under which the Dockerfile of a new image has been written.
        notes: What else there is to know of what was chosen.
    """

    def __init__(self, options: m.ImageOptions, taken: tuple[str, ...] = ()) -> None:
        self.options = options
        self.catalogue = catalogue_of(options)
        self.taken = taken
        self.choices = Choices()
        self.name = ""
        self.changing = False
        self.by_hand: str | None = None
        self.fresh = False
        self.required = ""
        self.kept_as = ""
        self.notes: tuple[str, ...] = ()
        self._written: Mapping[str, str] = {}
        self._renewed: Mapping[str, str] = {}
        self._unreadable = ""
        self._fit()

    def declare(self, options: m.ImageOptions, taken: tuple[str, ...]) -> None:
        """The server declares something else now: what it does not offer any more is replaced."""
        self.options, self.catalogue, self.taken = options, catalogue_of(options), taken
        self._fit()

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """Those that can be built here."""
        return image_choices.offered(self.options, self.catalogue)

    @property
    def use_cases(self) -> tuple[UseCase, ...]:
        """Those that are offered."""
        return self.catalogue.use_cases

    @property
    def framework(self) -> Framework | None:
        """The one that is chosen."""
        return next((each for each in self.frameworks if each.key == self.choices.framework), None)

    @property
    def use_case(self) -> UseCase:
        """The one that is chosen."""
        return self.catalogue.use_case(self.choices.use_case)

    def require(self, path: str) -> None:
        """Have packages read from a file, too; an empty path is none."""
        self.required, self._unreadable, self._written = path.strip(), "", {}
        names: tuple[str, ...] = ()
        if self.required:
            try:
                lists = requirements_of(self.place(), self.required)
                names, self._written, self.notes = lists.names, lists.written, lists.notes
            except DS01Error as exc:
                self._unreadable = str(exc)
        self.choices = replace(self.choices, requirements=names)

    @property
    def recipe(self) -> Recipe | None:
        """What the choices come to; `None` where they come to nothing."""
        if self.framework is None or self.choices.faults():
            return None
        return self.choices.recipe()

    @property
    def faults(self) -> dict[str, str]:
        """What has to be put right before it can be built, in words, by field."""
        found = self.choices.faults() if self.by_hand is None else {}
        if not self.frameworks:
            found[FRAMEWORK] = "Nothing can be built here: no base image is on this server."
        if self._unreadable:
            found[REQUIREMENTS] = self._unreadable
        if fault := self._name_fault():
            found[NAME] = fault
        return found

    @property
    def estimate(self) -> str:
        """About how large it is going to be, in words; empty where nobody can tell."""
        recipe = self.recipe
        if recipe is None or self.by_hand is not None:
            return ""
        base = self._base()
        found = estimate(recipe, self.catalogue, base.size_bytes if base else None)
        words = f"The image takes about {size(found.size_bytes)}."
        if found.guessed:
            words += f" How large {', '.join(found.guessed)} is, nobody knows before."
        largest = self.options.largest_bytes
        if largest is not None and found.size_bytes > largest:
            words += f" An image may take {size(largest)} here: leave something out."
        return words

    @property
    def hints(self) -> tuple[str, ...]:
        """What may go wrong, or is not as it seems."""
        recipe = self.recipe
        if recipe is None or self.by_hand is not None:
            return ()
        base = self._base()
        found = hints(recipe, self.catalogue)
        if base is not None and not base.present:
            return (*found, "What it is built on has to be fetched first: that takes a while.")
        return found

    @property
    def dockerfile(self) -> str:
        """What is built: as somebody wrote it, else of the choices; empty where they are wrong."""
        return self._of_choices() if self.by_hand is None else self.by_hand

    def write(self, text: str) -> None:
        """Have this built, whatever is chosen; what the choices say, or nothing, undoes that."""
        self.by_hand = None if not text.strip() or text == self._of_choices() else text

    def open(self, name: str, text: str | None, recipe: str | None) -> None:
        """Go on with an image that there is.

        Args:
            name: What it is called.
            text: Its Dockerfile, where there is one.
            recipe: What it was made of, as the image says it.

        Raises:
            InvalidRequest: Nothing that can be read tells what it was made of.
        """
        there = None if text is None else kept(text)
        made_of = there.recipe if there is not None else None
        if made_of is None and recipe is not None:
            made_of = loaded(recipe)
        self.name = name
        self.required, self._unreadable, self._written, self.notes = "", "", {}, ()
        self._renewed = {}
        self.choices = Choices() if made_of is None else image_choices.of_recipe(made_of)
        self.required = next(iter(self.choices.requirements), "")
        self._fit()
        self.by_hand = text if there is not None and there.edited else None

    @property
    def kept_text(self) -> str | None:
        """The Dockerfile that is kept under this name; `None` where there is none."""
        try:
            return self.place().read() if self.name else None
        except DS01Error:
            return None

    @property
    def is_kept(self) -> bool:
        """Whether a Dockerfile is kept already under the name of a new image."""
        return not self.changing and self.kept_as != self.name and self.kept_text is not None

    def place(self) -> Place:
        """Where the Dockerfile is kept.

        Raises:
            DS01Error: Nothing can be called so, or it may be one of several.
        """
        if self.changing:
            return place_of_image(self.name, None)
        return place_of(self.name or "unnamed", None)

    def wanted(self) -> Wanted:
        """What is to be built. Files made of others are made anew.

        Raises:
            DS01Error: A file that it needs cannot be read.
        """
        place, text = self.place(), self.dockerfile
        recipe = kept(text).recipe
        if recipe is not None and self.changing:
            lists = renewed(place, recipe.requirements)
            self._renewed, self.notes = lists.written, lists.notes
        files = {**files_for(place.folder, text), **self._renewed, **self._written}
        said = None if recipe is None else dumped(recipe)
        return Wanted(self.name, text, files, place.shown, said, self.fresh)

    def keeper(self) -> "Keeper":
        """Writes the Dockerfile, as it is now, and what it reads to their place.

        Raises:
            DS01Error: They have no place, or what is there cannot be read.
        """
        files = {**self._renewed, **self._written, DOCKERFILE: self.dockerfile}
        return Keeper(self.place(), files)

    def _name_fault(self) -> str:
        if not self.name:
            return "Give the image a name, such as thesis."
        try:
            image_name(self.name)
        except DS01Error as exc:
            return str(exc)
        if self.changing:
            return ""
        if self.name in self.taken:
            return f"You have an image called {self.name}: change that, or choose another name."
        if self.is_kept:
            return f"{self.place().shown} is there already: open it, or choose another name."
        return ""

    def _of_choices(self) -> str:
        recipe = self.recipe
        if recipe is None:
            return ""
        try:
            return written(
                recipe, self.catalogue, image_name(self.name) if self.name else "unnamed"
            )
        except DS01Error:
            return ""

    def _base(self) -> m.BaseOption | None:
        framework = self.framework
        base = "" if framework is None else framework.base
        return next((each for each in self.options.bases if each.reference == base), None)

    def _fit(self) -> None:
        self.choices, notes = image_choices.fitting(self.choices, self.frameworks, self.catalogue)
        self.notes = notes or self.notes
