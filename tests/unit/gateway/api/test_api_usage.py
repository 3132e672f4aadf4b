from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.domain.gpu import CardPower, SlotActivity
from fakes.api_lab import ApiLab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


@pytest.fixture
def used(lab: ApiLab) -> ApiLab:
    """Alice had a slot for an hour, Bob for two."""
    lab.reconciler.run()
    lab.server("alice")
    lab.server("bob")
    for uuid in (slot.uuid for slot in lab.lab.probe.present.slots):
        lab.lab.probe.busy[uuid] = SlotActivity(0.5)
    for gpu in lab.lab.probe.present.gpus:
        lab.lab.probe.watts[gpu.uuid] = CardPower(100.0)
    for minute in range(120):
        lab.lab.clock.advance(timedelta(minutes=1))
        if minute == 60:
            lab.lab.stop("alice")
        if minute % 4 == 0 or minute == 119:
            lab.reconciler.run()
    return lab


def names(body: Any) -> list[str]:
    return [row["name"] for row in body["rows"]]


async def test_everybody_sees_their_own(used: ApiLab) -> None:
    told = await used.ask("alice", "GET", "/usage?by=user")
    assert told.status == 200
    assert (told.body["user"], names(told.body)) == ("alice", ["alice"])
    (row,) = told.body["rows"]
    assert row["gpu_hours"] == pytest.approx(61 / 60, abs=0.01)
    assert row["efficiency"] == pytest.approx(0.5)
    assert row["energy_kwh"] > 0
    assert row["co2e_kg"] is None
    assert row == {**told.body["total"], "name": "alice"}


async def test_managers_see_everybody_or_one_of_them(used: ApiLab) -> None:
    told = await used.ask("mia", "GET", "/usage")
    assert (told.body["by"], told.body["user"]) == ("user", None)
    assert names(told.body) == ["bob", "alice"]
    assert told.body["total"]["gpu_hours"] == pytest.approx(181 / 60, abs=0.01)
    told = await used.ask("mia", "GET", "/usage?user=bob&period=all")
    assert (told.body["by"], names(told.body)) == ("project", [""])
    told = await used.ask("mia", "GET", "/usage?by=group&period=year")
    assert names(told.body) == ["student"]


async def test_somebody_elses_usage_is_for_managers(used: ApiLab) -> None:
    assert (await used.ask("alice", "GET", "/usage?user=bob")).status == 403
    for path in ("/usage?by=group", "/usage?period=all", "/usage?by=user"):
        told = await used.ask("alice", "GET", path)
        assert told.body["total"]["gpu_hours"] < 1.2


async def test_other_days_can_be_named(used: ApiLab) -> None:
    day = used.lab.clock.now().date().isoformat()
    told = await used.ask("alice", "GET", f"/usage?since={day}T00:00:00Z")
    assert told.body["total"]["gpu_hours"] > 1
    told = await used.ask("alice", "GET", f"/usage?until={day}T00:00:00Z")
    assert told.body["rows"] == []
    told = await used.ask(
        "alice", "GET", f"/usage?since={day}T00:00:00Z&until=2020-01-01T00:00:00Z"
    )
    assert told.status == 400


async def test_a_series_is_told_as_the_total_is(used: ApiLab) -> None:
    for user, hours in (("alice", 61 / 60), ("mia", 181 / 60)):
        told = await used.ask(user, "GET", "/usage/series?period=month&step=day")
        body = told.body
        assert told.status == 200
        assert body["user"] == (user if user == "alice" else None)
        assert len(body["steps"]) == 30
        spent = [each["used"]["gpu_hours"] for each in body["steps"]]
        assert sum(spent) == pytest.approx(body["total"]["gpu_hours"], abs=1e-4)
        assert sum(spent) == pytest.approx(hours, abs=0.01)
        assert body["steps"][0]["missing_hours"] == 24
        assert body["steps"][-1]["used"]["name"] == body["steps"][-1]["begin"][:10]
    told = await used.ask("mia", "GET", "/usage/series?user=bob&period=year")
    assert (told.body["user"], told.body["step"]) == ("bob", "week")
    assert (await used.ask("alice", "GET", "/usage/series?user=bob")).status == 403
    assert (await used.ask("alice", "GET", "/usage/series?step=hour")).status == 400


@pytest.mark.parametrize("query", ["by=interface", "period=decade", "since=monday", "user="])
async def test_other_words_are_refused(lab: ApiLab, query: str) -> None:
    assert (await lab.ask("alice", "GET", f"/usage?{query}")).status == 400


async def test_a_series_that_is_too_long_for_anybody_costs_nothing(used: ApiLab) -> None:
    told = await used.ask("alice", "GET", "/usage/series?step=day&since=1970-01-01T00:00:00Z")
    assert told.status == 400
    assert "at most 4000" in told.body["detail"]


@pytest.mark.parametrize("route", ["/usage", "/usage/series"])
@pytest.mark.parametrize(
    "days",
    [
        "until=0001-01-01T00:00:00Z",
        "until=0001-01-01T00:00:00Z&period=year",
        "since=9999-12-31T23:59:59Z",
        "until=9999-12-31T23:59:59Z",
        "since=0001-01-01T00:00:00%2B14:00",
        "until=9999-12-31T23:59:59-14:00",
        "since=0001-01-01T00:00:00Z",
        "since=1970-01-01T00:00:00%2B14:00&period=all",
        "until=1970-01-01T00:00:00%2B14:00&period=year",
        "until=2999-12-31T23:59:59-14:00&period=all",
    ],
)
async def test_days_at_the_ends_of_the_calendar_are_no_fault_of_ours(
    used: ApiLab, route: str, days: str
) -> None:
    assert (await used.ask("alice", "GET", f"{route}?{days}")).status in {200, 400}


async def test_nobody_of_a_name_is_known_and_who_left_is(used: ApiLab) -> None:
    for path in ("/usage?user=nobodysuch", "/usage/series?user=nobodysuch"):
        told = await used.ask("mia", "GET", path)
        assert told.status == 404
        assert told.body["detail"] == "Nobody of the name nobodysuch is known."
    told = await used.ask("mia", "GET", "/usage?user=bob")
    assert (told.status, names(told.body)) == (200, [""])


async def test_what_could_be_mended_is_told_to_administrators(used: ApiLab) -> None:
    for path in ("/usage", "/usage/series"):
        for user, is_told in (("boss", True), ("mia", False), ("alice", False)):
            told = await used.ask(user, "GET", path)
            assert any("carbon.yaml" in note for note in told.body["notes"]) is is_told, user


async def test_a_broken_file_is_told_to_administrators_and_others_what_is_lacking(
    used: ApiLab,
) -> None:
    carbon = used.api.platform.directories.config / "carbon.yaml"
    carbon.write_text("intensity: lots\n")
    for path in ("/usage", "/usage/series"):
        for user, is_told in (("boss", True), ("mia", False), ("alice", False)):
            told = await used.ask(user, "GET", path)
            notes = "\n".join(told.body["notes"])
            assert "Where the figures for CO₂e come from cannot be read" in notes
            assert (f"{carbon}:1" in notes) is is_told, (user, notes)
