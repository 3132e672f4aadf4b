"""What a person calls their things, and what the engine calls them.

In the engine, `web` of alice is `web._.alice`, be it a container, a network or a volume. What she
sees has no owner in it, so no two people's names can clash.
"""

from ds01_spawner.domain.names import SEPARATOR, user_slug


def engine_name(name: str, user: str) -> str:
    """The engine's name for what a person calls `name`; the other way round of `own_name`."""
    return f"{name.removeprefix('/')}{SEPARATOR}{user_slug(user)}"


def own_name(name: str, user: str) -> str:
    """What a person calls the thing that the engine calls `name`, slash or not; else unchanged."""
    ending = f"{SEPARATOR}{user_slug(user)}"
    return name.removesuffix(ending) if len(name) > len(ending) else name


def is_own_name(name: str, user: str) -> bool:
    """Whether a name of the engine's ends with its owner, and that is this person."""
    return own_name(name, user) != name


def without_number(name: str, uid: int) -> str:
    """A person's own name, where it ends with their user id: AIME's `mlc` names things so."""
    return name.removeprefix("/").removesuffix(f"{SEPARATOR}{uid}")
