"""Attempts to get out of one's bounds, refused: seen from past the gateway, nothing came of them.

Every row is tried as an unprivileged person. What is not refused but loses its teeth is in
`test_escapes_neutral.py`, what is tried from within containers in `test_escapes_inside.py`.
"""

import shlex
from typing import Any

import pytest

from integration.gateway.escape_bodies import BODIES
from integration.gateway.escape_lab import Scene, as_json, assert_understood, attempted, unchanged
from integration.gateway.escape_options import OPTIONS
from integration.gateway.escape_requests import REQUESTS
from integration.gateway.raw_http import ask


def test_there_are_attempts_enough() -> None:
    rows = [row[0] for row in (*OPTIONS, *BODIES, *REQUESTS)]

    assert len(rows) >= 80
    for table in (OPTIONS, BODIES, REQUESTS):
        names = [row[0] for row in table]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("options", "says"), [row[1:] for row in OPTIONS], ids=[r[0] for r in OPTIONS]
)
def test_options_of_docker_create(scene: Scene, options: str, says: str) -> None:
    with attempted(scene) as name, unchanged(scene):
        told = scene.attacker.refused(
            *("create", "--name", name, *shlex.split(scene.filled(options)), scene.image, "true")
        )

    assert_understood(told, scene.filled(says))


@pytest.mark.parametrize(("body", "says"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES])
def test_bodies_of_create(scene: Scene, body: Any, says: str) -> None:
    person, content = scene.attacker, as_json(scene.filled_body(body))
    with attempted(scene) as name, unchanged(scene):
        target = f"/v1.41/containers/create?name={name}"
        told = person.run(lambda: ask(person.socket, "POST", target, content))

    assert told.status in {400, 403, 404}, told
    assert_understood(told.message, says)


@pytest.mark.parametrize("row", [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_other_requests(scene: Scene, row: tuple[str, str, Any, int, str]) -> None:
    method, target, body, status, says = row
    person = scene.attacker
    sent = scene.filled_body(body)
    with unchanged(scene):
        told = person.run(lambda: ask(person.socket, method, scene.filled(target), sent))

    assert told.status == status, told
    if status >= 400:
        assert_understood(told.message, says)
