"""A small class opens the first notebook together: nobody's wizard fails, nobody sees another's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from e2e.classroom import LAB, Student
from e2e.house import House

PEOPLE = 10
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def students(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Student]]:
    # As in a server; each notebook here asks with its own token.
    for name, value in {
        "HOME": str(tmp_path),
        "DS01_API_URL": f"{house.hub.url}{LAB}api/",
        "JUPYTERHUB_API_TOKEN": "of-nobody",
    }.items():
        monkeypatch.setenv(name, value)
    people = [house.hub.person(f"class{number}") for number in range(PEOPLE)]
    made = [house.hub.request("POST", f"/users/{each.name}/tokens", note="e2e") for each in people]
    seats = [
        Student(house.hub.url, person.name, house.hub.password, str(answer.json()["token"]))
        for person, answer in zip(people, made, strict=True)
    ]
    yield seats
    for each in seats:
        each.leave()


def test_nobodys_wizard_fails_and_nobody_sees_another(
    house: House, students: list[Student]
) -> None:
    house.hub.user(students[0].name).ask()  # one has something that others could see
    with ThreadPoolExecutor(PEOPLE) as together:
        for deed in ("sign_in", "see_lab", "follow_queue", "open_welcome", "open_others"):
            doing = [together.submit(getattr(each, deed)) for each in students]
            for done in as_completed(doing, timeout=60):
                done.result()
            assert [failure for each in students for failure in each.failures] == [], deed
    names = {each.name for each in students}
    for each in students:
        assert {one.status // 100 for one in each.asked} <= {2, 3}
        told = "\n".join([*each.heard, *each.told])
        assert each.name in told
        assert [other for other in names - {each.name} if other in told] == []
