from collections.abc import Mapping
from pathlib import Path

import pytest

from ds01_spawner.adapters.build_settings import BuildSettings, read_build_settings


def settings(folder: Path, **changes: object) -> Mapping[str, bytes]:
    return read(folder, **changes).files


def read(folder: Path, **changes: object) -> BuildSettings:
    usual: dict[str, object] = {
        "environment": {},
        "pip_files": (),
        "own_certificates": folder / "none",
    }
    return read_build_settings(**(usual | changes))  # type: ignore[arg-type]


def test_a_server_like_any_other_gives_nothing(tmp_path: Path) -> None:
    assert settings(tmp_path) == {}


def test_certificates_of_the_servers_own_go_along(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    found = settings(tmp_path, environment={"SSL_CERT_FILE": str(bundle)})
    assert found[".ds01-host/ca.crt"] == b"certificates"
    assert found[".ds01-host/pip.conf"] == b"[global]\ncert = /run/host/ca.crt\n"


def test_of_pips_settings_the_addresses_go_along_without_the_servers_folders(
    tmp_path: Path,
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://pypi.example.org/simple\nfind-links = /opt/wheels\n"
        "extra-index-url = file:///opt/x https://more.example.org\ntimeout = 5\n"
    )
    found = settings(tmp_path, pip_files=(file,), environment={"PIP_TIMEOUT": "9"})
    assert found[".ds01-host/pip.conf"].decode().splitlines() == [
        "[global]",
        "extra-index-url = https://more.example.org",
        "index-url = https://pypi.example.org/simple",
        "timeout = 9",
    ]


def test_what_the_administrator_names_comes_first(tmp_path: Path) -> None:
    bundle = tmp_path / "house.pem"
    bundle.write_text("house")
    index = {"index-url": "https://pypi.example.org/simple"}
    found = settings(tmp_path, bundle=bundle, pip=index, environment={"PIP_INDEX_URL": "other"})
    assert found[".ds01-host/ca.crt"] == b"house"
    assert b"index-url = https://pypi.example.org/simple" in found[".ds01-host/pip.conf"]


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        settings(tmp_path, bundle=tmp_path / "missing.pem")


def test_a_broken_file_of_pips_is_no_setting(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("index-url = https://example.org\n")
    assert settings(tmp_path, pip_files=(file, tmp_path / "none")) == {}


def test_passwords_of_the_servers_index_are_in_no_file(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://lab:hush@pypi.example.org/simple\n")
    environment = {"PIP_PROXY": "http://lab:hush@proxy.example.org:3128"}
    found = read(tmp_path, pip_files=(file,), environment=environment)
    assert found.withheld == ("index-url", "proxy")
    assert found.files[".ds01-host/pip.conf"].decode().splitlines() == [
        "[global]",
        "index-url = https://pypi.example.org/simple",
        "proxy = http://proxy.example.org:3128",
    ]


def test_certificates_with_a_private_key_are_for_nobody(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    with pytest.raises(OSError, match="private key"):
        settings(tmp_path, bundle=bundle)
