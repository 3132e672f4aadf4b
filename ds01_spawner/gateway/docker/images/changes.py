"""What `docker import` and `docker commit` may say of the image that they make. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.grant import GPU_VARIABLE, NO_GPU
from ds01_spawner.domain.labels import IMAGE_OWNER, RESERVED_LABELS
from ds01_spawner.domain.names import shown, user_slug
from ds01_spawner.gateway.docker.dockerfile.growth import Growth, check_inherited
from ds01_spawner.gateway.docker.dockerfile.parsing import DEFAULT_ESCAPE, parse_dockerfile
from ds01_spawner.gateway.docker.dockerfile.rules import check_instruction, check_labels
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.listing_bounds import check_labels_fit

MOST_CHANGES = 200
_ALLOWED = frozenset({"CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "USER", "VOLUME", "WORKDIR"})
_SITE_VARIABLES = ("DS01_", "JUPYTERHUB_", "JPY_")
"""Of the platform and of JupyterHub, the tokens of a server among them."""


def checked_changes(changes: Iterable[str]) -> list[str]:
    """The instructions that a client gives, each said anew on one line.

    Raises:
        InvalidRequest: One cannot be understood.
        Forbidden: One is not allowed here.
    """
    given = [change for change in changes if change.strip()]
    if len(given) > MOST_CHANGES:
        raise InvalidRequest(f"{len(given)} changes are given; {MOST_CHANGES} are allowed.")
    found: list[str] = []
    growth = Growth({})
    for change in given:
        for instruction in parse_dockerfile(change.encode("utf-8", "surrogateescape")).instructions:
            if instruction.name not in _ALLOWED:
                raise Forbidden(
                    f"--change {instruction.name} cannot be used here.",
                    f"Use {', '.join(sorted(_ALLOWED))}.",
                )
            check_instruction(instruction, DEFAULT_ESCAPE)
            growth.follow(instruction, DEFAULT_ESCAPE)
            found.append(instruction.emitted())
    return found


def check_plain_labels(changes: Iterable[str]) -> None:
    """Return when labels are as long as they are written, and not too long.

    Raises:
        InvalidRequest: A variable stands in one, or they are too long.
    """
    labels = [change for change in changes if change.startswith("LABEL ")]
    if bad := [change for change in labels if "$" in change]:
        raise InvalidRequest(f"{shown(bad[0])} holds a variable.", "Write its value out.")
    check_labels_fit({str(number): change for number, change in enumerate(labels)})


def owner_change(user: str) -> str:
    """The instruction that says whose an image is."""
    return f'LABEL {IMAGE_OWNER}="{user_slug(user)}"'


def commit_config(body: Fields, container: Mapping[str, Any], user: str) -> dict[str, Any]:
    """The body of a commit: what the client says, and no trace of what the platform said.

    The engine adds what the container has and the body does not say: labels, which would make every
    container of the image pass for this one, and the environment, in which its GPUs stand.

    Args:
        body: The client's.
        container: The engine's inspect JSON.
        user: Whose it is.

    Raises:
        InvalidRequest: Something has the wrong type.
        Forbidden: Something is said that cannot be.
    """
    said = body.text_entries("Labels")
    check_labels(list(said))
    config = container.get("Config") or {}
    check_labels_fit(config.get("Labels") or {}, said)
    variables = body.texts("Env") or ()
    check_inherited([*(config.get("Env") or ()), *variables], "the container")
    inherited = {
        name: "" for name in config.get("Labels") or {} if name.startswith(RESERVED_LABELS)
    }
    answer: dict[str, Any] = {
        "Labels": {**inherited, **said, IMAGE_OWNER: user_slug(user)},
        "Env": [*variables, *_forgotten(config.get("Env") or ())],
        **_spoken(
            {
                "Cmd": body.texts("Cmd"),
                "Entrypoint": body.texts("Entrypoint"),
                "User": body.text("User"),
                "WorkingDir": body.text("WorkingDir"),
                "ExposedPorts": {port: {} for port in body.entries("ExposedPorts")},
                "Volumes": {path: {} for path in body.entries("Volumes")},
            }
        ),
    }
    # Docker sends the container's whole configuration here or nothing; the rest of it says nothing
    # about an image.
    body.drop(
        *("Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty"),
        *("OpenStdin", "StdinOnce", "Image", "NetworkDisabled", "MacAddress", "StopTimeout"),
        *("StopSignal", "ArgsEscaped", "Shell"),
    )
    body.finish()
    return answer


def _spoken(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value
    }


def _forgotten(environment: Sequence[str]) -> list[str]:
    """Variables that the platform set, said again without what they said."""
    names = [text.partition("=")[0] for text in environment]
    return [
        f"{name}={NO_GPU if name == GPU_VARIABLE else ''}"
        for name in names
        if name == GPU_VARIABLE or name.startswith(_SITE_VARIABLES)
    ]
