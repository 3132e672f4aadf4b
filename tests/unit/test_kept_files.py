from pathlib import Path

import pytest

from ds01_spawner.composition import Directories, Platform
from ds01_spawner.domain.errors import PolicyError, Unavailable


def platform(folder: Path) -> Platform:
    return Platform(Directories(folder, folder, folder / "events.jsonl"), actor="test")


def test_what_an_installation_is_called_is_made_once(tmp_path: Path) -> None:
    first = platform(tmp_path).instance
    assert len(first) == 12
    assert platform(tmp_path).instance == first
    assert platform(tmp_path / "other").instance != first


@pytest.mark.parametrize(
    ("content", "says"), [(b" \n", "is empty"), (b"\xff", "not UTF-8")], ids=["empty", "garbage"]
)
@pytest.mark.parametrize("name", ["instance-id", "cookie-secret"])
def test_a_broken_file_of_the_state_folder_is_no_id_and_no_secret(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = platform(tmp_path)
    with pytest.raises(Unavailable, match=rf"{name}.* {says}"):
        _ = found.instance if name == "instance-id" else found.cookie_secret


@pytest.mark.parametrize("name", ["gpu-config.yaml", "images.yaml"])
def test_settings_that_cannot_be_read_are_told_as_all_settings_are(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    found = platform(tmp_path)
    with pytest.raises(PolicyError, match=rf"{name}.*is a directory"):
        _ = found.gpu_config if name == "gpu-config.yaml" else found.images
