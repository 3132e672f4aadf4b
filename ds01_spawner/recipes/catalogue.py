"""What an image can be made of, in four phases: framework, Jupyter, data science, use case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.domain.names import shown

NO_USE_CASE = "custom"
"""The use case that adds nothing: whoever chooses it lists packages themselves."""

_MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Framework:
    """The first phase: an image to build on, and what is put into it first.

    Attributes:
        key: What it is called in commands: `pytorch`, `pytorch-2.11.0-aime`.
        title: For people.
        base: Reference of the image that it is built on.
        description: One sentence.
        family: Whose packages of a use case are added: `pytorch`, `tensorflow`, `jax`, or empty.
        packages: For pip; none when they are in the base.
        index: Address of another package index that has them; empty: the usual one.
        gpu: Whether it uses a GPU.
        version: Where the catalogue says so.
        architectures: GPU generations that it is for, in AIME's words; none: any.
    """

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


@dataclass(frozen=True, slots=True)
class UseCase:
    """The last phase: what work of one kind usually needs.

    Attributes:
        key: What it is called in commands: `cv`.
        title: For people.
        description: One sentence.
        packages: For pip.
        apt: Debian packages.
        of_family: More for pip, by the framework's family.
    """

    key: str
    title: str
    description: str = ""
    packages: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    of_family: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def packages_for(self, framework: Framework) -> tuple[str, ...]:
        """What it adds to an image with this framework."""
        return (*self.packages, *self.of_family.get(framework.family, ()))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that there is to choose from on one server.

    Attributes:
        frameworks: The one that is proposed comes first.
        jupyter: Packages of the second phase.
        data_science: Packages of the third phase.
        use_cases: In the order in which they are offered.
        tools: Debian packages of every image.
        notices_from: Image from which the platform's own parts are taken, notices and wizards;
            empty: none.
        host_settings: Whether builds are given the server's package index and certificates.
    """

    frameworks: tuple[Framework, ...]
    jupyter: tuple[str, ...]
    data_science: tuple[str, ...]
    use_cases: tuple[UseCase, ...]
    tools: tuple[str, ...] = ()
    notices_from: str = ""
    host_settings: bool = False

    def framework(self, key: str) -> Framework:
        """The framework of this key, in any case of letters; `NAME=VERSION` is `NAME-VERSION`.

        Raises:
            NotFound: There is none.
        """
        wanted = key.strip().lower().replace("==", "=").replace("=", "-")
        found = next((each for each in self.frameworks if each.key == wanted), None)
        if found is None:
            keys = [each.key for each in self.frameworks]
            begun = [each for each in keys if each.startswith(wanted[:4])]
            raise NotFound(f"There is no framework {shown(key)}.", _choose(begun or keys))
        return found

    def use_case(self, key: str) -> UseCase:
        """The use case of this key.

        Raises:
            NotFound: There is none.
        """
        wanted = key.strip().lower()
        found = next((each for each in self.use_cases if each.key == wanted), None)
        if found is None:
            keys = [each.key for each in self.use_cases]
            raise NotFound(f"There is no use case {shown(key)}.", _choose(keys))
        return found

    def bases(self) -> tuple[str, ...]:
        """References of the images that are built on, each once."""
        return tuple(dict.fromkeys(each.base for each in self.frameworks))


@dataclass(frozen=True, slots=True)
class Additions:
    """What an administrator changes about a catalogue; `None` keeps what is there.

    Attributes:
        frameworks: Added before those that are there; one of the same key takes its place.
        use_cases: The same.
        without: Keys of frameworks and use cases that are not offered.
        base: What frameworks that have no base of their own are built on.
        jupyter: Instead of the usual packages.
        data_science: The same.
        tools: The same.
        notices_from: Instead of where the platform's own parts are usually taken from.
        host_settings: Whether builds are given settings of the server.
        after: Frameworks that are offered after all others.
    """

    frameworks: tuple[Framework, ...] = ()
    use_cases: tuple[UseCase, ...] = ()
    without: tuple[str, ...] = ()
    base: str | None = None
    jupyter: tuple[str, ...] | None = None
    data_science: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    notices_from: str | None = None
    host_settings: bool = False
    after: tuple[Framework, ...] = ()


def changed(catalogue: Catalogue, additions: Additions) -> Catalogue:
    """A catalogue as an administrator wants it.

    Raises:
        InvalidRequest: No framework would be left, or no use case.
    """
    base = additions.base
    usual = [each if base is None else replace(each, base=base) for each in catalogue.frameworks]
    frameworks = _merged((*additions.frameworks, *usual, *additions.after), additions.without)
    use_cases = _merged((*additions.use_cases, *catalogue.use_cases), additions.without)
    if not frameworks or not use_cases:
        raise InvalidRequest("No framework, or no use case, is left to choose from.")

    def chosen(wanted: tuple[str, ...] | None, there: tuple[str, ...]) -> tuple[str, ...]:
        return there if wanted is None else wanted

    return Catalogue(
        frameworks=frameworks,
        use_cases=use_cases,
        jupyter=chosen(additions.jupyter, catalogue.jupyter),
        data_science=chosen(additions.data_science, catalogue.data_science),
        tools=chosen(additions.tools, catalogue.tools),
        notices_from=(
            catalogue.notices_from if additions.notices_from is None else additions.notices_from
        ),
        host_settings=additions.host_settings or catalogue.host_settings,
    )


_Entry = TypeVar("_Entry", Framework, UseCase)


def _merged(entries: Iterable[_Entry], without: Iterable[str]) -> tuple[_Entry, ...]:
    gone = set(without)
    by_key: dict[str, _Entry] = {}
    for each in entries:
        if each.key not in gone:
            by_key.setdefault(each.key, each)
    return tuple(by_key.values())


def _choose(keys: list[str]) -> str:
    more = f" … ({len(keys)} in all)" if len(keys) > _MOST_NAMED else ""
    return f"Choose one of {', '.join(keys[:_MOST_NAMED])}{more}."
