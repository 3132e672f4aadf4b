#!/usr/bin/python3 -s
"""Start the hub's single-user server without the imports that only a hub needs.

Nothing is taken away: each module held back here is imported for real when something uses it.
docs/images.md has the measurements.

`-s` keeps packages that a person installs into ~/.local out of the server's process, so that
they can break a kernel but never the way in.
"""

import gc
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

# jsonschema compiles 39 grammars at import to check the formats `iri` and `iri-reference`, which
# no schema of the server uses.
UNUSED = "rfc3987_syntax"
# The hub's database and pages, with the only names of them that are looked at while the server is
# imported: `jupyterhub.log` compares handlers with the hub's health check, `jupyterhub.utils`
# names the error of a database.
HELD_BACK = {
    "jupyterhub.handlers": {},
    "jupyterhub.handlers.pages": {"HealthCheckHandler": type("HealthCheckHandler", (), {})},
    "jupyterhub.orm": {},
    "jupyterhub.roles": {},
    "sqlalchemy": {},
    "sqlalchemy.exc": {"SQLAlchemyError": type("SQLAlchemyError", (Exception,), {})},
}
# What a browser gets to see first.
PAGE = "JUPYTERHUB_DEFAULT_URL"


class HeldBack(ModuleType):
    """Stands for a module until something wants more of it than the names it was given."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        real = importlib.import_module(self.__name__)
        if real is self:
            raise ImportError(f"{self.__name__}.{name} is needed to start: do not hold it back")
        return getattr(real, name)


def single_user_main() -> Callable[[], None]:
    """The entry point of `jupyterhub.singleuser`, imported light."""
    sys.modules[UNUSED] = None
    for name, attributes in HELD_BACK.items():
        sys.modules[name] = HeldBack(name)
        vars(sys.modules[name]).update(attributes)
    try:
        from jupyterhub.singleuser import main  # noqa: PLC0415 - this import is what is made light
    finally:
        for name in (UNUSED, *HELD_BACK):
            del sys.modules[name]
    return main


def hand_out_notebooks() -> None:
    """Put the notebooks for beginners into the home; who gets them now begins with the first.

    Whatever is in the way, such as a full disk, the server starts.
    """
    try:
        from ds01_widgets.handing_out import hand_out  # noqa: PLC0415 - an image may do without

        first = hand_out(Path.home())
        if first is not None and os.environ.get(PAGE, "/lab") == "/lab":
            os.environ[PAGE] = f"/lab/tree/{first.relative_to(Path.cwd())}"
    except (ImportError, OSError, ValueError, RuntimeError) as exc:
        sys.stderr.write(f"No notebooks for beginners: {exc}\n")


if __name__ == "__main__":
    # Nothing of what is imported is ever freed: collecting meanwhile costs 0.1 s.
    gc.disable()
    hand_out_notebooks()
    main = single_user_main()
    gc.freeze()
    gc.enable()
    sys.exit(main())
