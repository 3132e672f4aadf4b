from datetime import timedelta

import pytest

from ds01_spawner.domain.occupancy import SlotState
from fakes.web_lab import WebLab, section, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


async def test_every_slot_is_shown_and_ones_own_is_marked(lab: WebLab) -> None:
    lab.api.server("alice")
    lab.api.container("bob", "secret-work", gpu="mig")
    html = section((await lab.browser("alice").get("gpus")).html, "slots")
    said = text_of(html)
    slots = len(lab.api.lab.states())
    assert html.count("<tr") == slots + 1
    assert html.count('<tr class="ds01-mine">') == 1
    assert "1 yours" in said
    assert "in use you My server" in said
    assert "in use somebody else" in said
    assert "bob" not in html
    assert "secret-work" not in html


async def test_managers_see_who_has_which(lab: WebLab) -> None:
    lab.api.container("bob", "work", gpu="mig")
    said = text_of(section((await lab.browser("mia").get("gpus")).html, "slots"))
    assert "in use bob work" in said


@pytest.mark.parametrize("user", ["alice", "mia", "boss"])
async def test_what_another_installation_has_is_taken_and_not_told_of(
    lab: WebLab, user: str
) -> None:
    lab.api.elsewhere("bob", "secret-work")
    lab.api.elsewhere(user, "own-work")
    html = section((await lab.browser(user).get("gpus")).html, "slots")
    said = text_of(html)
    assert said.count("in use another installation") == 2
    assert "yours" not in said
    assert "bob" not in html
    assert "-work" not in html
    free = list(lab.api.lab.states().values()).count(SlotState.FREE)
    assert html.count("ds01-slot-free") == free == len(lab.api.lab.states()) - 2


async def test_how_busy_a_slot_was_is_drawn(lab: WebLab) -> None:
    now = lab.api.lab.clock.now()
    slot = next(iter(lab.api.lab.states()))
    for minutes, used in ((30, 0.2), (29.9, 0.6), (29.8, 0.4)):
        lab.site.utilisation.record(now - timedelta(minutes=minutes), {slot: used})
    html = section((await lab.browser().get("gpus")).html, "slots")
    assert html.count("<polyline") == 1
    assert 'aria-label="40 % busy on average, 60 % at most"' in html
    assert "the graphs begin 30 minutes ago" in text_of(html)
