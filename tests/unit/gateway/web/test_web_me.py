import pytest

from fakes.web_lab import WebLab, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


async def test_my_servers_and_containers_are_listed_with_what_lies_ahead(lab: WebLab) -> None:
    lab.api.server("alice")
    lab.api.container("bob", "secret-work")
    shown = await lab.browser("alice").get()
    assert shown.status == 200, shown.html
    said = text_of(shown.html)
    assert "My server JupyterLab server running" in said
    assert "secret-work" not in said


async def test_a_container_is_stopped_from_the_page(lab: WebLab) -> None:
    lab.api.container("alice", "run")
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.send("", "stop", name="run")
    assert (told.status, told.headers.get("Location")) == (303, "/services/ds01/"), told.html
    assert "run is stopped." in text_of((await browser.get()).html)
    assert "run is stopped." not in text_of((await browser.get()).html)
