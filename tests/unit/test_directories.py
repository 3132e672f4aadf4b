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


def test_a_demo_names_its_script_where_another_installation_names_systemd(tmp_path: Path) -> None:
    directories = Directories(tmp_path, tmp_path, tmp_path / "events.jsonl")
    assert directories.keeper.start("ds01-gateway") == "systemctl start ds01-gateway"
    (tmp_path / ".ds01-demo").touch()
    (tmp_path / "port").write_text("8123\n")
    script = Path(__file__).parents[2] / "script" / "demo"
    assert directories.keeper.demo == f"{script} --port 8123 --state {tmp_path}"
    assert script.exists()
    (tmp_path / "port").unlink()
    assert directories.keeper.demo == f"{script} --state {tmp_path}"
