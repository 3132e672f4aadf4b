import json

import pytest

from ds01_spawner.domain.errors import PlatformFault
from fakes.api_lab import ApiLab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

FAULT = PlatformFault("The ledger /x/ledger.sqlite cannot be used.", "Move it away.")
SHORT = "The platform has a fault, so this cannot be done now; what runs goes on."
SETTINGS = (
    "The lab's settings cannot be read right now, so nothing can be started; what runs goes on."
)


@pytest.mark.parametrize("user", ["alice", "mia"])
async def test_of_a_ledger_that_cannot_be_used_people_are_told_no_more_than_that(
    lab: ApiLab, user: str
) -> None:
    lab.lab.ledger.locked = True  # type: ignore[attr-defined]
    told = await lab.ask(user, "GET", "/me")
    assert (told.status, told.body["detail"]) == (503, SHORT)
    assert told.body["next_step"] == "Tell your administrator."


async def test_an_administrator_is_told_what_is_wrong_with_it(lab: ApiLab) -> None:
    lab.lab.ledger.locked = True  # type: ignore[attr-defined]
    told = await lab.ask("boss", "GET", "/me")
    assert (told.status, told.body["type"]) == (503, "urn:ds01:problem:unavailable")
    assert told.body["detail"] == "The ledger cannot be used: database is locked."


@pytest.mark.parametrize(
    ("user", "said"),
    [("alice", SETTINGS), ("mia", SETTINGS), ("boss", "There is no valid policy yet.")],
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/servers/options", None),
        ("POST", "/containers/plan", {"name": "run"}),
        ("GET", "/me", None),
    ],
)
async def test_without_a_valid_policy_nothing_starts_and_only_administrators_are_told_why(  # noqa: PLR0917 - a table
    lab: ApiLab, method: str, path: str, body: object, user: str, said: str
) -> None:
    lab.lab.policy.broken = True
    told = await lab.ask(user, method, path, body)
    assert (told.status, told.body["detail"]) == (503, said)


@pytest.mark.parametrize(
    ("user", "said"), [("alice", SHORT), ("boss", "The ledger /x/ledger.sqlite cannot be used.")]
)
async def test_a_start_that_the_hub_refuses_is_told_by_the_role_of_who_asked(
    lab: ApiLab, user: str, said: str
) -> None:
    lab.spawning.people[user] = {}
    lab.spawning.failure = FAULT
    told = await lab.ask(user, "POST", "/servers", {})
    text = told.body if isinstance(told.body, str) else json.dumps(told.body)
    assert said in text
