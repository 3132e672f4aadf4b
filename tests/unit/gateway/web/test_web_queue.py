import pytest

from fakes.web_lab import PREFIX, WebLab, form_of_button, section, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


async def test_who_waits_sees_their_place_and_nobody_elses(lab: WebLab) -> None:
    lab.api.waiting("alice")
    mine = section((await lab.browser("alice").get("queue")).html, "tickets")
    assert "My server 1 of 1" in text_of(mine)
    others = section((await lab.browser("bob").get("queue")).html, "tickets")
    assert "You are not waiting for a GPU." in text_of(others)
    assert "alice" not in others


async def test_managers_see_everybody_and_only_administrators_end_it(lab: WebLab) -> None:
    ticket = lab.api.waiting("alice")
    seen = (await lab.browser("mia").get("queue")).html
    assert "jupyter alice 1 of 1" in text_of(section(seen, "tickets"))
    assert form_of_button(seen, "leave") is None
    boss = lab.browser("boss")
    assert form_of_button((await boss.get("queue")).html, "leave") == {"ticket": ticket.id}


async def test_a_place_is_given_up(lab: WebLab) -> None:
    ticket = lab.api.waiting("alice")
    browser = lab.browser("alice")
    await browser.get("queue")
    told = await browser.send("queue", "leave", ticket=ticket.id)
    assert (told.status, told.headers["Location"]) == (303, f"{PREFIX}queue")
    after = text_of((await browser.get("queue")).html)
    assert "My server no longer waits." in after
    assert "You are not waiting for a GPU." in after


async def test_somebody_elses_place_is_not_there(lab: WebLab) -> None:
    ticket = lab.api.waiting("alice")
    bob = lab.browser("bob")
    await bob.get("queue")
    told = await bob.send("queue", "leave", ticket=ticket.id)
    assert told.status == 404
    assert "There is no such place in the queue." in text_of(told.html)
    assert not lab.api.events("gpu.unqueue")
