from datetime import timedelta

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.domain.errors import QuotaExceeded, Unavailable
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.web import asking
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.ports import HubStep, ServerState
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
        "There were no notices for you.",
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
    assert "My server is kept running." in text_of((await browser.get()).html)


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
    assert "A container that nobody uses stops after 2 hours." in said
    assert "max_gpu_slots" in said


async def test_an_image_is_deleted_unless_it_is_used(lab: WebLab) -> None:
    lab.api.link.answers["GET /images/json"] = Answer(200, [THESIS])
    browser = lab.browser("alice")
    shown = await browser.get()
    assert "thesis 8.4 GB" in text_of(section(shown.html, "images"))
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


async def test_a_server_that_starts_is_shown_with_its_place_and_its_start_is_cancelled(
    lab: WebLab,
) -> None:
    lab.api.waiting("alice", "thesis")
    lab.api.lab.held_lately(timedelta(hours=2))
    lab.api.spawning.add("alice", "thesis", ServerState.STARTING, image="starter", gpu="mig")
    lab.api.hub.add("alice", "thesis")
    browser = lab.browser("alice")
    html = (await browser.get()).html
    said = text_of(section(html, "work"))
    assert "thesis JupyterLab server waiting for a GPU, place 1 of 1" in said
    assert "Expected wait: " in said
    assert "Image Starter" in said
    assert 'href="/hub/spawn-pending/alice/thesis"' in html
    assert 'id="waiting" hidden' in html, "it is shown once"
    assert form_of_button(html, "stop-server") == {"name": "thesis"}
    assert (await browser.send("", "stop-server", name="thesis")).status == 303
    assert lab.api.hub.stopped == [("alice", "thesis")]


async def test_a_server_that_is_stopped_is_started_again_as_it_was(lab: WebLab) -> None:
    lab.api.spawning.add(
        "alice", "thesis", ServerState.STOPPED, image="starter", gpu="mig", project="p"
    )
    lab.api.spawning.told = [HubStep("limits", "…"), HubStep("create", "…")]
    lab.api.spawning.may_end.clear()
    browser = lab.browser("alice")
    html = (await browser.get()).html
    assert "thesis JupyterLab server stopped" in text_of(section(html, "work"))
    again = form_of_button(section(html, "work"), "start-server")
    assert again is not None
    told = await browser.send("", "start-server", **again)
    assert (told.status, told.headers["Location"]) == (303, "/hub/spawn-pending/alice/thesis")
    (started,) = lab.api.spawning.started
    assert started == (
        "alice",
        "thesis",
        {"image": "starter", "gpu": "mig", "gpu_count": 1, "project": "p", "wait": True},
    )


async def test_a_server_is_started_by_a_form_that_leads_to_the_page_that_waits(
    lab: WebLab,
) -> None:
    lab.api.spawning.people["alice"] = {}
    lab.api.spawning.told = [HubStep("limits", "…"), HubStep("queue", "…", 1, 2, "Busy.")]
    lab.api.spawning.may_end.clear()
    browser = lab.browser("alice")
    form = section((await browser.get()).html, "start")
    assert '<option value="starter" selected>Starter</option>' in form
    assert 'name="gpu_count"' not in form, "one server may have one"
    assert "Whole GPU" not in form, "they are for other groups"
    told = await browser.send(
        "", "start-server", name="thesis", image="starter", gpu="mig", gpu_count="2", wait="true"
    )
    assert (told.status, told.headers["Location"]) == (303, "/hub/spawn-pending/alice/thesis")
    ((_user, name, options),) = lab.api.spawning.started
    assert (name, options["gpu_count"], options["wait"]) == ("thesis", 2, True)


async def test_a_start_that_says_nothing_more_is_left_to_the_page_that_waits(
    lab: WebLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "BEGINNING_SECONDS", 0.05)
    lab.api.spawning.people["alice"] = {}
    lab.api.spawning.told = [HubStep("limits", "…")]
    lab.api.spawning.may_end.clear()
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.send("", "start-server", gpu="none")
    assert (told.status, told.headers["Location"]) == (303, "/hub/spawn-pending/alice")
    assert lab.api.spawning.people["alice"][""].state is ServerState.STARTING


async def test_a_start_that_is_refused_is_told_with_figures_and_nothing_is_forgotten(
    lab: WebLab,
) -> None:
    lab.api.spawning.people["alice"] = {}
    lab.api.spawning.refusal = QuotaExceeded(
        "2 of 2 GPU slots in use (run).",
        "ds01 container retire run",
        limit="max_gpu_slots",
        used=2,
        asked=1,
        allowed=2,
        holders=("run",),
    )
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.send("", "start-server", name="thesis", image="starter", gpu="none")
    assert told.status == 403
    said = text_of(told.html)
    assert "You may have 2 GPUs at a time, and run has 2. Stop one of your servers first." in said
    assert "ds01 container retire" not in said
    assert 'name="name" value="thesis"' in section(told.html, "start")
    assert "checked" not in section(told.html, "start"), "it was not to wait"


@pytest.mark.parametrize("name", ["Ümlaut", "jupyter", "../x"])
async def test_a_name_that_none_can_have_is_refused_in_words(lab: WebLab, name: str) -> None:
    lab.api.spawning.people["alice"] = {}
    browser = lab.browser("alice")
    await browser.get()
    told = await browser.send("", "start-server", name=name, gpu="none")
    assert told.status == 400
    assert "container" not in text_of(told.html.partition("<h2")[0])
    assert lab.api.spawning.started == []


async def test_without_the_hub_what_the_engine_has_is_shown_and_what_is_missing_said(
    lab: WebLab,
) -> None:
    lab.api.server("alice")
    lab.api.spawning.down = True
    html = (await lab.browser("alice").get()).html
    said = text_of(section(html, "work"))
    assert "My server JupyterLab server running" in said
    assert "Servers that are starting or stopped are not shown. The hub does not answer." in said
    assert "The hub does not answer." in text_of(section(html, "start"))


async def test_a_page_that_is_looked_at_does_not_ask_the_hub_each_time(lab: WebLab) -> None:
    lab.api.server("alice")
    lab.api.spawning.add("alice")
    asked: list[str] = []
    servers = lab.api.spawning.servers

    async def counted(user: str) -> object:
        asked.append(user)
        return await servers(user)

    lab.api.spawning.servers = counted  # type: ignore[method-assign, assignment]
    alice, recent = Requester("alice", Role.STUDENT), timedelta(seconds=2)
    for _ in range(3):
        look = asking.Questions(lab.api.served, alice, "id", max_age=recent)
        await look("listServers", m.Servers)
    assert asked == ["alice"]
    await lab.browser("alice").get()
    assert asked == ["alice", "alice"], "a page that is loaded is as fresh as can be"
