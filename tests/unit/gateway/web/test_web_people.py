from datetime import timedelta
from urllib.parse import urlencode

import pytest

from ds01_spawner.operations.usage.report import Question, Report
from fakes.web_lab import WebLab, section, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


async def test_who_holds_what(lab: WebLab) -> None:
    lab.api.server("alice")
    lab.api.container("bob", "work")
    html = section((await lab.browser("mia").get("people")).html, "list")
    said = text_of(html)
    assert "alice" in said
    assert "1 running" in said
    assert 'href="/services/ds01/policy?user=alice"' in html
    assert 'href="/services/ds01/events?user=alice"' in html


async def test_who_is_in_another_installation_alone_is_not_there(lab: WebLab) -> None:
    lab.api.server("alice")
    lab.api.elsewhere("alice", "trial")
    lab.api.elsewhere("bobby")
    html = section((await lab.browser("mia").get("people")).html, "list")
    assert "bobby" not in html
    (row,) = [each for each in html.split("<tr>") if ">alice<" in each]
    assert "1 running" in text_of(row)
    assert '<td data-label="GPU slots" class="ds01-figure">1</td>' in row


async def test_a_gpu_that_another_installation_leaves_idle_is_not_told_of(lab: WebLab) -> None:
    lab.api.elsewhere("bobby")
    lab.api.lab.clock.advance(timedelta(minutes=20))
    now = lab.api.lab.clock.now()
    for looks in range(60, -1, -1):
        at = now - looks * timedelta(seconds=15)
        lab.site.utilisation.record(at, dict.fromkeys(lab.api.lab.states(), 0.0))
    said = text_of(section((await lab.browser("mia").get("people")).html, "idle"))
    assert "Every GPU that somebody holds did something" in said


async def test_people_come_in_pages(lab: WebLab) -> None:
    for user in ("alice", "bob", "cleo"):
        lab.api.container(user)
    mia = lab.browser("mia")
    first = section((await mia.get("people?limit=2")).html, "list")
    assert "More people" in first
    rest = section((await mia.get("people?cursor=bob")).html, "list")
    assert "cleo" in rest
    assert "alice" not in rest
    assert "From the beginning" in rest


async def test_a_gpu_that_does_nothing_is_named_after_ten_minutes(lab: WebLab) -> None:
    lab.api.server("alice")
    now = lab.api.lab.clock.now()
    slot = next(slot for slot, user in lab.api.lab.taken().items() if user == "alice")
    mia = lab.browser("mia")
    quiet = "Every GPU that somebody holds did something"
    assert quiet in text_of(section((await mia.get("people")).html, "idle"))
    lab.api.lab.clock.advance(timedelta(minutes=20))
    for looks in range(60, -1, -1):
        at = now + timedelta(minutes=20) - looks * timedelta(seconds=15)
        lab.site.utilisation.record(at, {slot: 0.0})
    said = text_of(section((await mia.get("people")).html, "idle"))
    assert "alice jupyter" in said
    assert "since" in said


async def test_everybodys_month_is_read_once_for_all_who_look(
    lab: WebLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = lab.api.api.platform.reports
    asked: list[Question] = []

    def counted(question: Question) -> Report:
        asked.append(question)
        return answer(question)

    answer = reports.report
    monkeypatch.setattr(reports, "report", counted)
    for user in ("mia", "boss", "mia"):
        browser = lab.browser(user)
        assert (await browser.get("people")).status == 200
        token = browser.cookies["_xsrf"]
        assert '"id": "list"' in await browser.hear(f"live/people?{urlencode({'_xsrf': token})}")
    assert len(asked) == 1
    assert (await lab.browser("alice").get("people")).status == 403
    assert (await lab.browser("alice").get("history")).status == 200
    assert [each.user for each in asked[1:]] == ["alice"]


async def test_a_parameter_that_is_not_known_is_named(lab: WebLab) -> None:
    shown = await lab.browser("mia").get("people?colour=red")
    assert "colour" in text_of(section(shown.html, "list"))
