"""Pages, their live parts and their forms: what is another's is not there."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ds01_spawner.client.models import Role
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.gateway.web.page import Action, Page
from ds01_spawner.gateway.web.pages import PAGES
from ds01_spawner.gateway.wire.call import Answer
from fakes.clock import EPOCH
from fakes.tried import ImagesOfBobby
from fakes.web_lab import WebLab, text_of, web_lab
from stubs.hub_users import model

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(120)]

SECRETS = ("bobby", "bobs-", "BOBS-KEY")
FOR_STUDENTS = [page for page in PAGES if page.role is Role.STUDENT]
FORMS = [(page, action) for page in PAGES for action in page.actions]
QUERIES = (
    *("", "?user=bobby", "?all=true", "?user=bobby&all=true", "?name=bobs-run", "?action=*"),
    *("?by=user", "?cursor=bobby", "?container=bobs-run._.bobby", "?user=alice&user=bobby"),
)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[WebLab]:
    """Bobby has everything that a page can show."""
    async with web_lab(tmp_path, people={"bobby": model("bobby")}) as lab:
        api = lab.api
        api.server("bobby", gpu="mig")
        api.container("bobby", "bobs-run")
        api.spawning.add("bobby")
        api.spawning.add("bobby", "bobs-server", image="bobs-image")
        api.waiting("bobby", "bobs-wait")
        with api.lab.ledger.transaction() as transaction:
            transaction.put_ssh_key(SshKey("bobby", "bobs-key", "ssh-rsa", "BOBS-KEY", "", EPOCH))
            notice = Notice("n1", "bobby", NoticeKind.STORAGE, api.lab.clock.now(), "bobs-n", "")
            transaction.put_notice(notice, [])
        tags = {"RepoTags": ["ds01-bobby/bobs-image:latest"], "Created": 1, "Size": 1}
        api.link.answers["GET /images/json"] = Answer(200, [tags])
        api.link.__class__ = ImagesOfBobby
        yield lab


def assert_silent(html: str, about: str = "") -> None:
    """Nothing of Bobby's is there; what was asked may stand in an address or a field."""
    text = html if not about else text_of(html)
    assert [each for each in SECRETS if each in text and each not in about] == []


@pytest.mark.parametrize("page", FOR_STUDENTS, ids=lambda page: page.name)
@pytest.mark.parametrize("query", QUERIES)
async def test_a_page_shows_nothing_of_another(lab: WebLab, page: Page, query: str) -> None:
    browser = lab.browser("alice")
    shown = await browser.get(f"{page.path}{query}")
    assert shown.status in {200, 400}
    assert_silent(shown.html, query)
    unlike = query.replace("bobby", "zobby").replace("bobs-", "zobs-")
    of_none = await browser.get(f"{page.path}{unlike}")
    assert of_none.status == shown.status
    said = shown.html.replace("bobby", "zobby").replace("bobs-", "zobs-")
    assert _without_time(said) == _without_time(of_none.html)


@pytest.mark.parametrize("page", FOR_STUDENTS, ids=lambda page: page.name)
@pytest.mark.parametrize("query", ["", "&user=bobby", "&all=true&user=bobby"])
async def test_live_parts_say_nothing_of_another(lab: WebLab, page: Page, query: str) -> None:
    browser = lab.browser("alice")
    await browser.get()
    token = browser.cookies["_xsrf"]
    heard = await browser.hear(f"live/{page.name}?_xsrf={token}{query}")
    assert "event: fresh" in heard
    live = [each.id for each in page.sections if each.live]
    assert all(f'"id": "{name}"' in heard for name in live)
    assert_silent(heard, query)


def _ways(action: Action) -> dict[str, dict[str, str]]:
    """Fields that name what is Bobby's, by what they name."""
    things = {
        "name": ("bobs-run", "bobs-run._.bobby", "jupyter", "bobs-server", "bobs-image"),
        "server": ("bobs-server",),
        "ticket": ("bobs-wait",),
        "key": ("bobs-key",),
    }
    found = {}
    for name in (*action.parts, *action.body):
        for text in things.get(name, ("bobs-thing",)):
            found[f"{name}={text}"] = {name: text}
    return found


@pytest.mark.parametrize(("page", "action"), FORMS, ids=lambda each: each.name)
async def test_no_form_does_anything_to_another(lab: WebLab, page: Page, action: Action) -> None:
    before = _of_bobby(lab)
    ticket = next(each.id for each in lab.api.lab.tickets() if each.user == "bobby")
    browser = lab.browser("alice")
    await browser.get()
    for way, fields in _ways(action).items():
        real = {name: ticket if name == "ticket" else text for name, text in fields.items()}
        extra = {"user": "bobby", "all": "true", "owner": "bobby"}
        told = await browser.send(page.path, action.name, **real, **extra)
        assert told.status in {303, 400, 403, 404, 409}, (way, told.html)
        if told.status == 303:
            assert action.name == "start-server", way  # of one's own, by that name
        assert_silent(told.html, " ".join((*real.values(), way)))
    assert _of_bobby(lab) == before


def _of_bobby(lab: WebLab) -> str:
    api = lab.api
    with api.lab.ledger.transaction() as transaction:
        keys = [each.id for each in transaction.ssh_keys("bobby")]
    containers = sorted(
        (each.name, each.state.value)
        for each in api.lab.engine.containers()
        if "bobby" in each.name
    )
    tickets = [each.id for each in api.lab.tickets() if each.user == "bobby"]
    started = [each for each in api.spawning.started if "bobby" in str(each)]
    changed = [each for each in api.link.asked if "bobby" in each.path and each.method != "GET"]
    return repr((keys, containers, tickets, api.hub.stopped, started, changed))


def _without_time(html: str) -> str:
    """A page without what changes from one look to the next."""
    return re.sub(r'(data-now|title|datetime)="[^"]*"|_xsrf=[^"&]*|value="2\|[^"]*"', "", html)


async def test_a_cookie_is_worth_nothing_to_somebody_else(lab: WebLab) -> None:
    bobby, alice = lab.browser("bobby"), lab.browser("alice")
    await bobby.get()
    await alice.get()
    alice.cookies["_xsrf"] = bobby.cookies["_xsrf"]
    alice.cookies["jupyterhub-session-id"] = "of-bobby"
    shown = await alice.get()
    assert_silent(shown.html)
    told = await alice.send("", "stop", name="bobs-run", xsrf=bobby.cookies["_xsrf"])
    assert told.status in {403, 404}
