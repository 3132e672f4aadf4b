"""What this server's builds need to reach a package index: pip's settings, and certificates.

People's builds are given it as files in a folder of the context, `HOST_FOLDER`, when their
Dockerfile names that folder. Generated Dockerfiles copy it into a stage that is not kept.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ds01_spawner.policy.pip_settings import FILES, PipSettings, pip_settings
from ds01_spawner.recipes.dockerfile import HOST_FOLDER, HOST_PLACE

_BUNDLE = "ca.crt"
_HOST_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_HOST_OWN_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_PIP_FILES = tuple(map(Path, FILES))
_LARGEST = 4 * 1024**2
_SECRET = b"PRIVATE KEY"


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What builds are given.

    Attributes:
        files: By their path in the context; none where this server is like any other.
        withheld: pip's names of what they are not given, or not all of: it may be a password.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()


def read_build_settings(
    bundle: Path | None = None,
    pip: Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    pip_files: Iterable[Path] = _PIP_FILES,
    own_certificates: Path = _HOST_OWN_CERTIFICATES,
) -> BuildSettings:
    """What this server's builds are given.

    Args:
        bundle: Certificates to trust; `None`: the server's, where it has some of its own.
        pip: pip's settings, such as `index-url`; `None`: the server's.
        environment: Of this process.
        pip_files: Where the server's pip reads its settings.
        own_certificates: Where the server's own certificates are put by whoever looks after it.

    Raises:
        OSError: A file that was named cannot be read, or is not for everybody.
    """
    given = pip_settings(_texts(pip_files), environment) if pip is None else PipSettings(pip)
    found = dict(given.settings)
    trusted = bundle or _own_bundle(environment, own_certificates)
    files: dict[str, bytes] = {}
    if trusted is not None:
        with trusted.open("rb") as file:
            content = file.read(_LARGEST)
        if _SECRET in content:
            raise OSError(f"{trusted} holds a private key")
        files[f"{HOST_FOLDER}/{_BUNDLE}"] = content
        found["cert"] = f"{HOST_PLACE}/{_BUNDLE}"
    if not found:
        return BuildSettings(withheld=given.withheld)
    lines = [f"{name} = {value}" for name, value in sorted(found.items())]
    files[f"{HOST_FOLDER}/pip.conf"] = "\n".join(["[global]", *lines, ""]).encode()
    return BuildSettings(files, given.withheld)


def _texts(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        try:
            yield path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue


def _own_bundle(environment: Mapping[str, str], own_certificates: Path) -> Path | None:
    """The server's certificates, if it trusts more than any other does."""
    named = next((environment[each] for each in _BUNDLE_VARIABLES if environment.get(each)), "")
    if named and Path(named).is_file():
        return Path(named)
    if any(own_certificates.glob("**/*.crt")) and _HOST_BUNDLE.is_file():
        return _HOST_BUNDLE
    return None
