from html import unescape

import pytest

from fakes.web_lab import WebLab, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


@pytest.mark.parametrize(
    ("part", "short", "long"),
    [
        ("ledger", "The platform has a fault", "The ledger cannot be used: database is locked."),
        ("policy", "The lab's settings cannot be read", "There is no valid policy yet."),
    ],
)
async def test_a_page_tells_administrators_what_is_wrong_and_others_that_there_is_a_fault(
    lab: WebLab, part: str, short: str, long: str
) -> None:
    if part == "ledger":
        lab.api.lab.ledger.locked = True  # type: ignore[attr-defined]
    else:
        lab.api.lab.policy.broken = True
    alices = unescape(text_of((await lab.browser("alice").get()).html))
    assert short in alices
    assert long not in alices
    boss = text_of((await lab.browser("boss").get()).html)
    assert long in boss
    assert short not in boss
