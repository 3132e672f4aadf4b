"""Notebook wizards for people who never see a terminal.

`models` decide and ask the API, without a widget; `views` show them with ipywidgets. Long work
goes through `running`. May import of `ds01_spawner` the client, home, recipes, handbook and domain.
What the names below stand for is loaded when it is asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds01_widgets.concepts import concept
    from ds01_widgets.connecting import connect
    from ds01_widgets.views.extend_server import ExtendServer
    from ds01_widgets.views.gpu_status import GpuStatus
    from ds01_widgets.views.image_builder import ImageBuilder
    from ds01_widgets.views.launch_server import LaunchServer
    from ds01_widgets.views.my_limits import MyLimits
    from ds01_widgets.views.my_usage import MyUsage
    from ds01_widgets.views.onboarding import Onboarding
    from ds01_widgets.views.project_init import ProjectInit

__all__ = [
    "ExtendServer",
    "GpuStatus",
    "ImageBuilder",
    "LaunchServer",
    "MyLimits",
    "MyUsage",
    "Onboarding",
    "ProjectInit",
    "concept",
    "connect",
]

_PLACES = {
    "ExtendServer": "views.extend_server",
    "GpuStatus": "views.gpu_status",
    "ImageBuilder": "views.image_builder",
    "LaunchServer": "views.launch_server",
    "MyLimits": "views.my_limits",
    "MyUsage": "views.my_usage",
    "Onboarding": "views.onboarding",
    "ProjectInit": "views.project_init",
    "concept": "concepts",
    "connect": "connecting",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
