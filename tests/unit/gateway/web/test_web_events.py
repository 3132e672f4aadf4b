from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.web.events import moments
from fakes.web_lab import WebLab, section, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


async def stopped(lab: WebLab, *users: str) -> None:
    for user in users:
        lab.api.container(user, f"of-{user}")
        browser = lab.browser(user)
        await browser.get()
        assert (await browser.send("", "stop", name=f"of-{user}")).status == 303


async def test_students_find_their_own_whatever_they_ask(lab: WebLab) -> None:
    await stopped(lab, "alice", "bob")
    for page in ("events", "events?user=bob"):
        html = (await lab.browser("alice").get(page)).html
        assert "of-alice" in section(html, "found")
        assert "of-bob" not in html
        assert 'name="user"' not in html


async def test_managers_search_by_person_and_action(lab: WebLab) -> None:
    await stopped(lab, "alice", "bob")
    mia = lab.browser("mia")
    everything = section((await mia.get("events")).html, "found")
    assert "of-alice" in everything
    assert "of-bob" in everything
    his = section((await mia.get("events?user=bob&action=container.stop")).html, "found")
    assert "of-alice" not in his
    assert "container.stop" in his
    nothing = section((await mia.get("events?action=image.%2A")).html, "found")
    assert "Nothing is in the log about that." in text_of(nothing)


async def test_what_was_asked_stays_in_the_form_and_in_the_next_page(lab: WebLab) -> None:
    await stopped(lab, "alice", "bob")
    html = (await lab.browser("mia").get("events?action=container.%2A&limit=1")).html
    assert 'value="container.*"' in section(html, "search")
    assert "action=container.%2A&amp;limit=1&amp;cursor=" in section(html, "found")


async def test_days_are_days_of_the_server() -> None:
    found = moments("2026-03-01", "2026-03-01", ZoneInfo("Europe/Berlin"))
    assert found == {"since": "2026-02-28T23:00:00.000000Z", "until": "2026-03-01T23:00:00.000000Z"}
    assert moments(None, "", UTC) == {}


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "9999-12-31", "<script>"])
async def test_what_is_no_day_is_said(lab: WebLab, day: str) -> None:
    with pytest.raises(InvalidRequest, match="is no day"):
        moments(None, day, UTC)
    shown = await lab.browser("mia").get(f"events?until={day.replace('<', '%3C')}")
    assert "is no day" in text_of(section(shown.html, "found"))
    assert "<script>" not in section(shown.html, "found")
