"""What an image needs so that its servers have the wizards and `ds01`, as the starter has. Pure.

They are copied from the starter image as `hub_config/images/clients/Dockerfile` puts them there:
no package index has this release. What they stand on is installed before people's own packages,
so that a version that somebody pins is the one that they get.
"""

PACKAGES = (
    "httpx>=0.28",
    "ipywidgets>=8.1",
    "packaging>=24",
    "platformdirs>=4.3",
    "pydantic>=2.12",
    "pyyaml>=6.0.2",
    "rich>=13.9",
    "typer>=0.15",
    "websockets>=14",
)
"""For pip: what `ds01[cli,widgets]` asks for."""

FOLDERS = ("ds01_spawner", "ds01_cli", "ds01_widgets")
"""In the site packages of the starter image."""
