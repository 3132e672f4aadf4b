from pathlib import Path

import pytest

from ds01_spawner.composition import Directories


@pytest.mark.parametrize(
    ("environment", "is_main"),
    [
        ({}, True),
        ({"DS01_STATE_DIR": ""}, True),
        ({"DS01_STATE_DIR": "/var/lib/ds01/"}, True),
        ({"DS01_STATE_DIR": "/var/lib/../lib/ds01"}, True),
        ({"DS01_STATE_DIR": "/var/lib/ds01/trial"}, False),
        ({"DS01_STATE_DIR": "/srv/ds01"}, False),
    ],
    ids=["default", "empty", "named", "named otherwise", "below", "elsewhere"],
)
def test_the_installation_in_the_default_state_folder_is_the_main_one(
    environment: dict[str, str], is_main: bool
) -> None:
    assert Directories.from_environment(environment).is_main is is_main


def test_a_link_to_the_default_state_folder_is_the_main_one(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to("/var/lib/ds01")
    assert Directories.from_environment({"DS01_STATE_DIR": str(tmp_path / "state")}).is_main
