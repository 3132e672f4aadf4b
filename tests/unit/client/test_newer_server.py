"""Programs on laptops and in images that people made are older than their server."""

import json

import pytest
from pydantic import ValidationError

from ds01_spawner.client import models as m

NEWER = {
    "type": "urn:ds01:problem:policy",
    "title": "The policy is broken",
    "status": 503,
    "detail": "Line 3 is broken.",
    "severity": "only a newer server knows",
    "faults": [{"path": "a.yaml", "message": "no number", "column": 7}],
}


def test_what_only_a_newer_server_knows_is_left_out() -> None:
    problem = m.Problem.told(json.dumps(NEWER))
    assert problem.detail == "Line 3 is broken."
    assert problem.faults == (m.Fault(path="a.yaml", message="no number"),)


@pytest.mark.parametrize("changed", [{"status": None}, {"faults": [{"path": "a.yaml"}]}])
def test_what_is_missing_or_of_another_kind_is_not_made_up(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        m.Problem.told(json.dumps({**NEWER, **changed}))


def test_what_is_sent_to_the_server_is_held_to_the_letter() -> None:
    with pytest.raises(ValidationError):
        m.Problem.model_validate_json(json.dumps(NEWER))
