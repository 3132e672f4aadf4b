from datetime import timedelta

import pytest

from ds01_spawner.client.models import Role
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.wire.call import Answer
from fakes.web_lab import PREFIX, WebLab, form_of_button, section, text_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8 alice@laptop"
)
THESIS = {"RepoTags": ["ds01-alice/thesis:latest"], "Size": 9 * 10**9, "Created": 1_769_000_000}


async def test_what_i_have_is_listed_with_what_lies_ahead(lab: WebLab) -> None:
    lab.api.server("alice")
    lab.api.container("alice", "run")
    lab.api.container("bob", "secret-work")
    shown = await lab.browser("alice").get()
    said = text_of(section(shown.html, "work"))
    assert "My server JupyterLab server running stops in 24 hours" in said
    assert "Stops when nobody has used it for 2 hours." in said
    assert "run container running" in said
    assert "secret-work" not in shown.html
    assert "/user/alice/" in section(shown.html, "work")


async def test_somebody_new_is_told_what_there_is_nothing_of(lab: WebLab) -> None:
    shown = await lab.browser("alice").get()
    assert shown.status == 200
    said = text_of(shown.html)
    for nothing in (
        "You have no servers and no containers.",
        "You have no images of your own.",
        "You have no keys here.",
        "Nothing was said to you.",
    ):
        assert nothing in said
    assert 'id="waiting" hidden' in shown.html


async def test_a_container_is_stopped_and_that_is_said_once(lab: WebLab) -> None:
    lab.api.container("alice", "run")
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.send("", "stop", name="run")
    assert (told.status, told.headers.get("Location")) == (303, PREFIX), told.html
    assert "run is stopped." in text_of((await browser.get()).html)
    assert "run is stopped." not in text_of((await browser.get()).html)
    assert [each["user"] for each in lab.api.events("container.stop")] == ["alice"]


async def test_a_server_is_kept_running(lab: WebLab) -> None:
    lab.api.server("alice")
    lab.api.lab.clock.advance(timedelta(hours=1))
    browser = lab.browser("alice")
    shown = await browser.get()
    assert form_of_button(shown.html, "extend") == {"name": "jupyter"}
    assert (await browser.send("", "extend", name="jupyter")).status == 303
    assert "jupyter is kept running." in text_of((await browser.get()).html)


@pytest.mark.parametrize("do", ["retire", "stop"])
async def test_what_runs_is_given_back(lab: WebLab, do: str) -> None:
    lab.api.container("alice", "run")
    browser = lab.browser("alice")
    assert form_of_button((await browser.get()).html, do) == {"name": "run"}
    assert (await browser.send("", do, name="run")).status == 303
    said = text_of(section((await browser.get()).html, "work"))
    assert ("run container stopped" in said) == (do == "stop")


async def test_what_is_stopped_is_started_or_removed(lab: WebLab) -> None:
    lab.api.container("alice", "run")
    browser = lab.browser("alice")
    await browser.get()
    await browser.send("", "stop", name="run")
    shown = await browser.get()
    assert form_of_button(shown.html, "start") == {"name": "run"}
    assert form_of_button(shown.html, "retire") is None
    assert (await browser.send("", "remove", name="run")).status == 303
    assert "You have no servers" in text_of((await browser.get()).html)


async def test_what_runs_is_not_removed_and_the_page_says_why(lab: WebLab) -> None:
    lab.api.container("alice", "run")
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.send("", "remove", name="run")
    assert told.status == 409
    assert "run is running. Stop it first" in text_of(told.html)
    assert "run container running" in text_of(told.html), "the page is there, too"


async def test_a_place_in_the_queue_is_given_up(lab: WebLab) -> None:
    ticket = lab.api.waiting("alice")
    browser = lab.browser("alice")
    shown = await browser.get()
    assert "place 1 of 1" in text_of(section(shown.html, "waiting"))
    assert form_of_button(shown.html, "leave") == {"ticket": ticket.id}
    assert (await browser.send("", "leave", ticket=ticket.id)).status == 303
    assert 'id="waiting" hidden' in (await browser.get()).html


async def test_limits_say_how_much_is_used_and_who_set_them(lab: WebLab) -> None:
    lab.api.server("alice")
    said = text_of(section((await lab.browser("alice").get()).html, "limits"))
    assert "GPU slots 1 of 2 the defaults, resource-limits.yaml line 3" in said
    assert "A container that nobody uses stops after 2h." in said
    assert "max_gpu_slots" in said


async def test_an_image_is_deleted_unless_it_is_used(lab: WebLab) -> None:
    lab.api.link.answers["GET /images/json"] = Answer(200, [THESIS])
    browser = lab.browser("alice")
    shown = await browser.get()
    assert "thesis:latest 8.4 GB" in text_of(section(shown.html, "images"))
    assert form_of_button(shown.html, "delete-image") == {"name": "thesis:latest"}
    lab.api.link.answers["DELETE /images/ds01-alice/thesis:latest"] = Answer(200, [])
    assert (await browser.send("", "delete-image", name="thesis:latest")).status == 303
    assert lab.api.events("image.delete")[0]["user"] == "alice"


async def test_keys_are_added_and_removed(lab: WebLab) -> None:
    browser = lab.browser("alice")
    await browser.get()
    assert (await browser.send("", "add-key", key=KEY)).status == 303
    shown = await browser.get()
    assert "alice@laptop" in section(shown.html, "keys")
    found = form_of_button(shown.html, "remove-key")
    assert found is not None
    assert (await browser.send("", "remove-key", **found)).status == 303
    assert "You have no keys here." in text_of((await browser.get()).html)


async def test_a_key_that_is_none_is_refused_and_not_forgotten(lab: WebLab) -> None:
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.send("", "add-key", key="<b>no key</b>")
    assert told.status == 400
    assert "&lt;b&gt;no key&lt;/b&gt;</textarea>" in told.html
    assert "<b>no key" not in told.html


async def test_a_part_that_cannot_be_read_takes_nothing_else_with_it(
    lab: WebLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_ask: object) -> None:
        raise Unavailable("The engine does not answer.", "Try again in a minute.")

    monkeypatch.setitem(lab.api.served.answers, "listImages", broken)
    shown = await lab.browser("alice").get()
    assert shown.status == 200
    assert "The engine does not answer. Try again" in text_of(section(shown.html, "images"))
    assert "You have no keys here." in text_of(shown.html)


async def test_names_are_never_marks(lab: WebLab) -> None:
    hostile = '"><script>alert(1)</script>'
    lab.api.link.answers["GET /images/json"] = Answer(
        200, [{**THESIS, "RepoTags": [f"ds01-alice/{hostile}:latest"]}]
    )
    browser = lab.browser("alice")
    await browser.get()
    assert (await browser.send("", "add-key", key=f"{KEY}{hostile}")).status in {303, 400}
    shown = await browser.get(f"?q={hostile}")
    assert "<script>alert" not in shown.html
    assert "&lt;script&gt;alert" in shown.html
    told = await browser.send("", "stop", name=hostile)
    assert (told.status, "<script>alert" in told.html) == (404, False)


async def test_umlauts_and_long_names_are_shown(lab: WebLab) -> None:
    name = "größe-der-äußerst-langen-übung-" * 4
    lab.api.link.answers["GET /images/json"] = Answer(
        200, [{**THESIS, "RepoTags": [f"ds01-alice/{name}:latest"]}]
    )
    assert name in (await lab.browser("alice").get()).html


async def test_an_administrator_has_a_page_too(lab: WebLab) -> None:
    assert Role.ADMIN.includes(Role.STUDENT)
    assert (await lab.browser("boss").get()).status == 200
