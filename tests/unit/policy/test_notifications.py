import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.policy.json_schema import render_notifications_schema
from ds01_spawner.policy.notifications import (
    Channel,
    Notifications,
    is_address,
    parse_addresses,
    parse_notifications,
)

CONFIG = Path(__file__).parents[3] / "config"
SHIPPED = CONFIG / "notifications.yaml"
MAIL = "mailtos://ds01:hunter2@mail.uni.example?from=ds01@uni.example&to={address}"
TEXT = f"""
channels:
  mail:
    url: "{MAIL}"
    for: [final_warning, stopped]
    addresses: "{{user}}@uni.example"
    addresses_file: people.yaml
  chat:
    url_file: chat.url
"""


def parsed(text: str = TEXT) -> Notifications:
    return parse_notifications(text, "notifications.yaml")


def channel(url: str = MAIL, template: str | None = "{user}@uni.example") -> Channel:
    lines = [f'    url: "{url}"', *([f'    addresses: "{template}"'] if template else [])]
    found = parsed("\n".join(["channels:", "  mail:", *lines]))
    return found.channel("mail", url, {"alice": "a.liddell@uni.example"})


def uncommented(text: str) -> str:
    head, _, rest = text.partition("\nchannels:\n")
    return "\n".join([head, "channels:", *(line.removeprefix("#") for line in rest.splitlines())])


def test_the_shipped_file_names_no_channel() -> None:
    assert parsed(SHIPPED.read_text()).entries == {}


def test_what_the_shipped_file_shows_can_be_used_as_it_stands() -> None:
    found = parsed(uncommented(SHIPPED.read_text())).entries
    assert list(found) == ["mail", "lab-chat"]
    assert found["mail"].url_file == "mail.url"


def test_the_shipped_schema_is_current() -> None:
    shipped = (CONFIG / "notifications.schema.json").read_text()
    assert shipped == render_notifications_schema(), (
        "run: ds01 policy schema notifications > config/notifications.schema.json"
    )


@pytest.mark.parametrize("text", [SHIPPED.read_text(), uncommented(SHIPPED.read_text()), TEXT])
def test_the_schema_accepts_what_can_be_read(text: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(render_notifications_schema()))
    assert validator.is_valid(yaml.safe_load(text))


def test_a_channel_is_for_every_kind_of_notice_unless_it_says_so() -> None:
    entries = parsed().entries
    assert entries["mail"].kinds == (NoticeKind.FINAL_WARNING, NoticeKind.STOPPED)
    assert entries["chat"].kinds == tuple(NoticeKind)


@pytest.mark.parametrize(
    ("url", "template", "user", "given"),
    [
        (MAIL, "{user}@uni.example", "bob", "to=bob%40uni.example"),
        (MAIL, "{user}@uni.example", "alice", "to=a.liddell%40uni.example"),
        (MAIL, "{user}", "bob@x.org", "to=bob%40x.org"),
        (MAIL, "{user}@uni.example", "Jürgen", "to=J%C3%BCrgen%40uni.example"),
        ("json://h.example/{user}", None, "Jü&/?#x", "json://h.example/J%C3%BC%26%2F%3F%23x"),
        ("slack://A/B/C/{address}", "@{user}", "bob", "slack://A/B/C/%40bob"),
        ("json://h.example/all", None, "bob", "json://h.example/all"),
    ],
)
def test_an_address_is_put_in_as_an_url_wants_it(
    url: str, template: str | None, user: str, given: str
) -> None:
    assert (channel(url, template).url_for(user) or "").endswith(given)


@pytest.mark.parametrize(
    "user", ["bob,eve", "bob eve", "bob;eve", "b<ob>", "bob\neve", "bob@x.org", '"bob', ""]
)
def test_nobody_is_written_to_at_an_address_that_is_more_or_less_than_one(user: str) -> None:
    assert channel().url_for(user) is None


def test_an_example_is_an_address_that_the_channel_would_have() -> None:
    assert channel().example.endswith("to=a.liddell%40uni.example")
    sms = parsed("channels:\n  a:\n    url: x://{address}\n    addresses_file: f\n")
    assert sms.channel("a", "x://{address}", {"bob": "+49123"}).example == "x://%2B49123"
    assert sms.channel("a", "x://{address}", {}).example == "x://somebody%40uni.example"


def test_somebody_without_an_address_is_not_written_to() -> None:
    found = parsed("channels:\n  a:\n    url: x://{address}\n    addresses_file: f\n")
    assert found.channel("a", "x://{address}", {}).url_for("bob") is None


def test_a_channel_that_names_the_person_is_personal() -> None:
    assert channel().is_personal
    assert channel("json://h.example/{user}", None).is_personal
    assert not channel("json://h.example/all", None).is_personal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "n.yaml: the file is empty; expected a mapping of keys to values"),
        ("channels: json://HIDDEN", "n.yaml:1: channels: expected channels by name beneath it"),
        (
            "channels:\n  mail: json://u:HIDDEN@h",
            "n.yaml:2: channels.mail: expected url: and the other keys of the channel beneath it",
        ),
        (
            "channels:\n  mail: {url: HIDDEN}",
            (
                "n.yaml:2: channels.mail.url: expected an apprise address such as "
                "mailto://user:password@mail.uni.example"
            ),
        ),
        (
            "channels:\n  mail:\n    url: [HIDDEN]",
            "n.yaml:3: channels.mail.url: expected an apprise address in quotes",
        ),
        (
            "channels:\n  mail:\n    url: 'json://HIDDEN/{adress}'",
            (
                "n.yaml:3: channels.mail.url: {adress} stands for nothing; expected {user} or "
                "{address}"
            ),
        ),
        (
            "channels:\n  mail:\n    url: 'json://HIDDEN/{address}'",
            (
                "n.yaml:2: channels.mail: the url asks for {address}; expected addresses or "
                "addresses_file"
            ),
        ),
        (
            "channels:\n  mail: {url: 'json://HIDDEN', addresses: '{user}@x'}",
            "n.yaml:2: channels.mail: addresses are given and the url does not ask for {address}",
        ),
        (
            "channels:\n  mail: {for: [stopped]}",
            "n.yaml:2: channels.mail: expected either url or url_file",
        ),
        (
            "channels:\n  mail: {url: 'json://HIDDEN', url_file: x}",
            "n.yaml:2: channels.mail: expected either url or url_file",
        ),
        (
            "channels:\n  mail:\n    url: json://HIDDEN\n    for: [stoped]",
            (
                "n.yaml:4: channels.mail.for.0: expected one of warning, final_warning, stopped, "
                "storage; found 'stoped'"
            ),
        ),
        (
            "channels:\n  mail:\n    url: json://HIDDEN\n    for: []",
            (
                "n.yaml:4: channels.mail.for: expected at least one of warning, final_warning, "
                "stopped, storage"
            ),
        ),
        (
            "channels:\n  mail:\n    url: json://HIDDEN\n    fro: [stopped]",
            "n.yaml:4: channels.mail.fro: unknown key; did you mean for?",
        ),
        (
            "channels:\n  mail:\n    url: json://HIDDEN\n    kinds: [stopped]",
            "n.yaml:4: channels.mail.kinds: unknown key; write for",
        ),
        (
            "channels:\n  mail:\n    url: 'json://HIDDEN/{address}'\n    addresses: uni.example",
            (
                "n.yaml:4: channels.mail.addresses: expected an address with {user} in it, such as "
                "{user}@uni.example; found 'uni.example'"
            ),
        ),
        (
            "channels:\n  terminal: {url: json://HIDDEN}",
            "n.yaml:2: channels.terminal: terminal is always there; give this channel another name",
        ),
        (
            "channels:\n  E-Mail: {url: json://HIDDEN}",
            (
                "n.yaml:2: channels.E-Mail: expected lower-case letters, digits and hyphens; found "
                "'E-Mail'"
            ),
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_without_the_secret(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_notifications(text, "n.yaml")
    assert str(caught.value) == message
    assert "HIDDEN" not in str(caught.value.__cause__)
    assert "HIDDEN" not in repr(caught.value)


def test_an_url_out_of_a_file_is_checked_like_one_in_the_file() -> None:
    with pytest.raises(PolicyError, match=re.escape(":9: channels.chat.url_file: expected an app")):
        parsed().channel("chat", "", {})
    with pytest.raises(PolicyError, match=re.escape(":9: channels.chat.url_file: the url asks")):
        parsed().channel("chat", "json://h.example/{address}", {})


def test_a_secret_is_in_no_representation() -> None:
    assert "hunter2" not in f"{parsed().entries!r}{channel()!r}{channel()}"


def test_addresses_are_lines_of_person_and_address() -> None:
    text = "alice: a.liddell@uni.example # comment\nBob@x.org: '@bob'\n007: +49123\n"
    assert parse_addresses(text, "people.yaml") == {
        "alice": "a.liddell@uni.example",
        "Bob@x.org": "@bob",
        "007": "+49123",
    }
    with pytest.raises(PolicyError) as caught:
        parse_addresses("alice:\nbob: b@x.org, eve@x.org\ncem: [c@x.org]\n", "people.yaml")
    assert str(caught.value) == (
        "people.yaml:1: alice: expected one address; found nothing\n"
        "people.yaml:2: bob: expected one address; found 'b@x.org, eve@x.org'\n"
        "people.yaml:3: cem: expected one address; found a list"
    )


@pytest.mark.parametrize("text", ["a@b.example", "@alice", "+49 1"[:3], "u123", "ä@ö.example"])
def test_an_address_may_be_any_one_word(text: str) -> None:
    assert is_address(text)
