import pytest

from ds01_spawner.client.models import Changed
from ds01_spawner.gateway.web.policy import NAMELESS, who_alike
from fakes.api_lab import POLICY
from fakes.web_lab import WebLab, section, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


async def test_students_see_their_own_limits_and_no_preview(lab: WebLab) -> None:
    shown = await lab.browser("alice").get("policy")
    assert "max_gpu_slots" in section(shown.html, "explained")
    assert 'id="preview" hidden' in shown.html
    others = await lab.browser("alice").get("policy?user=bob")
    assert "max_gpu_slots" not in section(others.html, "explained")


async def test_managers_see_anybodys_with_what_sets_them(lab: WebLab) -> None:
    shown = await lab.browser("mia").get("policy?user=bob")
    said = text_of(section(shown.html, "explained"))
    assert "bob" in said
    assert "resource-limits.yaml" in said or "the defaults" in said


async def test_an_edited_file_is_tried_and_nothing_is_written(lab: WebLab) -> None:
    lab.api.container("alice")
    file = lab.api.config / "resource-limits.yaml"
    before = file.read_text()
    edited = POLICY.replace("max_gpu_slots: 2", "max_gpu_slots: 7", 1)
    browser = lab.browser("mia")
    await browser.get("policy")
    told = await browser.send("policy", "preview", text=edited)
    assert told.status == 200
    said = text_of(section(told.html, "preview"))
    assert "would change" in said
    assert "max_gpu_slots 2 7" in said
    assert "max_gpu_slots: 7" in said  # what was pasted is still there
    assert file.read_text() == before


def test_whom_the_same_changes_meet_stand_together() -> None:
    def more(user: str | None, after: str) -> Changed:
        return Changed(user=user, key="max_gpu_slots", before="2", after=after)

    found = who_alike([more("anna", "3"), more("bob", "4"), more("çelik", "3"), more(None, "3")])
    assert [people for people, _ in found] == [["anna", "çelik", NAMELESS], ["bob"]]
    assert [[each.after for each in changes] for _, changes in found] == [["3"], ["4"]]


async def test_a_broken_file_is_explained_by_line(lab: WebLab) -> None:
    browser = lab.browser("mia")
    await browser.get("policy")
    told = await browser.send("policy", "preview", text="defaults: {max_gpu_slot: 1}\n")
    said = text_of(section(told.html, "preview"))
    assert "This file would be refused." in said
    assert "line 1" in said
    assert "max_gpu_slot" in said


async def test_students_cannot_try_a_file(lab: WebLab) -> None:
    browser = lab.browser("alice")
    await browser.get("policy")
    told = await browser.send("policy", "preview", text=POLICY)
    assert told.status == 403
