"""What this server's builds need to reach a package index: pip's settings, and certificates.

People's builds are given it as files in a folder of the context, `HOST_FOLDER`, when their
Dockerfile names that folder. Generated Dockerfiles copy it into a stage that is not kept.
"""

import configparser
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ds01_spawner.recipes.dockerfile import HOST_FOLDER, HOST_PLACE

_BUNDLE = "ca.crt"
_HOST_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_HOST_OWN_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_PIP_FILES = (Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf"))
_ADDRESSES = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
_LARGEST = 4 * 1024**2


def read_build_settings(
    bundle: Path | None = None,
    pip: Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    pip_files: Iterable[Path] = _PIP_FILES,
    own_certificates: Path = _HOST_OWN_CERTIFICATES,
) -> dict[str, bytes]:
    """Files by their path in the context; none where this server is like any other.

    Args:
        bundle: Certificates to trust; `None`: the server's, where it has some of its own.
        pip: pip's settings, such as `index-url`; `None`: the server's.
        environment: Of this process.
        pip_files: Where the server's pip reads its settings.
        own_certificates: Where the server's own certificates are put by whoever looks after it.

    Raises:
        OSError: A file that was named cannot be read.
    """
    found = _pip_settings(environment, pip_files) if pip is None else dict(pip)
    trusted = bundle or _own_bundle(environment, own_certificates)
    files: dict[str, bytes] = {}
    if trusted is not None:
        with trusted.open("rb") as file:
            files[f"{HOST_FOLDER}/{_BUNDLE}"] = file.read(_LARGEST)
        found["cert"] = f"{HOST_PLACE}/{_BUNDLE}"
    if not found:
        return {}
    lines = [f"{name} = {value}" for name, value in sorted(found.items())]
    files[f"{HOST_FOLDER}/pip.conf"] = "\n".join(["[global]", *lines, ""]).encode()
    return files


def _own_bundle(environment: Mapping[str, str], own_certificates: Path) -> Path | None:
    """The server's certificates, if it trusts more than any other does."""
    named = next((environment[each] for each in _BUNDLE_VARIABLES if environment.get(each)), "")
    if named and Path(named).is_file():
        return Path(named)
    if any(own_certificates.glob("**/*.crt")) and _HOST_BUNDLE.is_file():
        return _HOST_BUNDLE
    return None


def _pip_settings(environment: Mapping[str, str], pip_files: Iterable[Path]) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    for path in pip_files:
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
    settings = dict(parser["global"]) if parser.has_section("global") else {}
    for name in _ADDRESSES:
        said = environment.get(f"PIP_{name.replace('-', '_').upper()}")
        if said:
            settings[name] = said
    return {
        name: value
        for name in _ADDRESSES
        # Folders of the server are not in the build.
        if (value := _without_files(settings.get(name, "")))
    }


def _without_files(value: str) -> str:
    return " ".join(each for each in value.split() if not each.startswith(("file:", "/")))
