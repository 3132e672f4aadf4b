"""`notifications.yaml`: the channels that notices go through, and people's addresses there.

What is in an `url` is secret: no message quotes it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.policy.document import Document, Section, found, read_document, validate
from ds01_spawner.policy.values import blank_is_empty, text_of
from ds01_spawner.policy.yaml_reader import Blank

TERMINAL = "terminal"
"""The channel that is always there: the open terminals of a container."""

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_PLACES = frozenset({"user", "address"})
_ADDRESS = re.compile(r"[^\s,;:<>\"'\\()\[\]]{1,320}")

_HIDDEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


def url_fault(url: str) -> str:
    """What is wrong with an apprise address, without quoting it; empty when nothing is."""
    if _URL.fullmatch(url) is None:
        return "expected an apprise address such as mailto://user:password@mail.uni.example"
    unknown = sorted(set(_PLACEHOLDER.findall(url)) - _PLACES)
    if unknown:
        return f"{{{unknown[0]}}} stands for nothing; expected {{user}} or {{address}}"
    return ""


def is_address(text: str) -> bool:
    """Whether `text` is one address: no list of them, and nothing that could end it."""
    return _ADDRESS.fullmatch(text) is not None and text[1:].count("@") <= 1


def is_blank(text: str) -> bool:
    """Whether a file holds nothing but comments."""
    lines = text.removeprefix("\ufeff").splitlines()
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


def _url(value: object) -> str:
    text = text_of(value, "expected an apprise address").strip()
    if fault := url_fault(text):
        raise ValueError(fault)
    return text


def _url_text(value: object) -> object:
    # Not quoted by a message, whatever it is.
    if isinstance(value, (Mapping, list)) and not isinstance(value, Blank):
        raise ValueError("expected an apprise address in quotes")  # noqa: TRY004
    return SecretStr(_url(value))


def _mapping(value: object, expected: str) -> object:
    if isinstance(value, Mapping):
        return value
    raise ValueError(expected)


def _channel_name(text: str) -> str:
    if _KEY.fullmatch(text) is None:
        raise ValueError(f"expected lower-case letters, digits and hyphens; found {found(text)}")
    if text == TERMINAL:
        raise ValueError(f"{TERMINAL} is always there; give this channel another name")
    return text


def _kind(value: object) -> NoticeKind:
    expected = f"expected one of {', '.join(NoticeKind)}"
    text = text_of(value, expected)
    if text not in set(NoticeKind):
        raise ValueError(f"{expected}; found {found(text)}")
    return NoticeKind(text)


def _some(kinds: tuple[NoticeKind, ...]) -> tuple[NoticeKind, ...]:
    if not kinds:
        raise ValueError(f"expected at least one of {', '.join(NoticeKind)}")
    return kinds


def _template(value: object) -> str:
    expected = "expected an address with {user} in it, such as {user}@uni.example"
    text = text_of(value, expected)
    if _PLACEHOLDER.findall(text) != ["user"] or not is_address(text.replace("{user}", "x")):
        raise ValueError(f"{expected}; found {found(text)}")
    return text


def _file(value: object) -> str:
    text = text_of(value, "expected the name of a file").strip()
    if not text or "\0" in text:
        raise ValueError(f"expected the name of a file; found {found(value)}")
    return text


FileName = Annotated[str, BeforeValidator(_file)]


class ChannelEntry(Section):
    """One way to people."""

    model_config = _HIDDEN

    key_hints = MappingProxyType(
        {
            **dict.fromkeys(("kinds", "on", "events", "when"), "write for"),
            **dict.fromkeys(("address", "to", "recipients"), "write addresses"),
        }
    )

    url: (
        Annotated[
            SecretStr,
            BeforeValidator(_url_text),
            WithJsonSchema({"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9+.-]*://"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Where apprise sends it; {user} and {address} stand for the person's",
        examples=["mailtos://ds01:password@mail.uni.example?to={address}"],
    )
    url_file: FileName | None = Field(
        default=None,
        description="File that holds the url instead, so that no secret is in this one; relative "
        "to this file's folder",
    )
    kinds: Annotated[
        tuple[
            Annotated[
                NoticeKind,
                BeforeValidator(_kind),
                WithJsonSchema({"type": "string", "enum": list(NoticeKind)}),
            ],
            ...,
        ],
        BeforeValidator(blank_is_empty),
        AfterValidator(_some),
    ] = Field(
        default=tuple(NoticeKind),
        alias="for",
        description="The notices that go through it; absent: all",
        json_schema_extra={"minItems": 1, "uniqueItems": True},
    )
    addresses: (
        Annotated[
            str,
            BeforeValidator(_template),
            WithJsonSchema({"type": "string", "pattern": r"\{user\}"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Everybody's address there",
        examples=["{user}@uni.example"],
    )
    addresses_file: FileName | None = Field(
        default=None,
        description="File with a line `user: address` for each person; asked before `addresses`; "
        "relative to this file's folder",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, value: object) -> object:
        # Whoever forgets `url:` writes the address here.
        return _mapping(value, "expected url: and the other keys of the channel beneath it")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("expected either url or url_file")
        if self.url is not None and (fault := self.placeholder_fault(self.url.get_secret_value())):
            raise ValueError(fault)
        return self

    @property
    def has_addresses(self) -> bool:
        """Whether it says where people are."""
        return self.addresses is not None or self.addresses_file is not None

    def placeholder_fault(self, url: str) -> str:
        """What is wrong between its url and its addresses; empty when nothing is."""
        asks = "{address}" in url
        if asks and not self.has_addresses:
            return "the url asks for {address}; expected addresses or addresses_file"
        if self.has_addresses and not asks:
            return "addresses are given and the url does not ask for {address}"
        return ""


class NotificationsDocument(Section):
    """The whole file."""

    model_config = _HIDDEN

    channels: Annotated[
        dict[Annotated[str, AfterValidator(_channel_name)], ChannelEntry],
        BeforeValidator(lambda value: _mapping(value, "expected channels by name beneath it")),
    ] = Field(
        description="Channels by a short name; nothing after the colon: none",
        json_schema_extra={"type": ["object", "null"]},
    )


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that can be used.

    Attributes:
        name: What the file calls it.
        url: Where apprise sends it, placeholders included; secret.
        kinds: The notices that go through it.
        template: Everybody's address, with `{user}` in it, or `None`.
        addresses: People's own addresses.
    """

    name: str
    url: SecretStr
    kinds: frozenset[NoticeKind]
    template: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_personal(self) -> bool:
        """Whether what goes there reaches one person alone."""
        return _PLACEHOLDER.search(self.url.get_secret_value()) is not None

    @property
    def example(self) -> str:
        """An address as it is for somebody: somebody's own where there is one."""
        own = next(iter(self.addresses.values()), None)
        address = own or (self.template or "{user}@uni.example").replace("{user}", "somebody")
        return self._filled("somebody", address)

    def url_for(self, user: str) -> str | None:
        """Where a notice for `user` goes; `None` when they have no address that could be used."""
        address = self.addresses.get(user)
        if address is None and self.template is not None and is_address(user):
            address = self.template.replace("{user}", user)
        places = {"user": user, "address": address or ""}
        url = self.url.get_secret_value()
        if not all(is_address(places[name]) for name in _PLACEHOLDER.findall(url)):
            return None
        return self._filled(user, address or "")

    def _filled(self, user: str, address: str) -> str:
        places = {"user": quote(user, safe=""), "address": quote(address, safe="")}
        return _PLACEHOLDER.sub(lambda match: places[match[1]], self.url.get_secret_value())


@dataclass(frozen=True, slots=True)
class Notifications:
    """`notifications.yaml` as it was read.

    Attributes:
        entries: Channels by name; files that they name have not been read.
        document: Where everything is in the file.
    """

    entries: Mapping[str, ChannelEntry]
    document: Document

    def channel(self, name: str, url: str, addresses: Mapping[str, str]) -> Channel:
        """The channel `name` with what its files say.

        Raises:
            PolicyError: The url of its file cannot be used.
        """
        entry = self.entries[name]
        if entry.url is None and (fault := url_fault(url) or entry.placeholder_fault(url)):
            raise PolicyError((self.document.problem(("channels", name, "url_file"), fault),))
        return Channel(name, SecretStr(url), frozenset(entry.kinds), entry.addresses, addresses)


def parse_notifications(text: str, path: str) -> Notifications:
    """The channels that `text` describes.

    Raises:
        PolicyError: It names file, line, key and what was expected; never an url.
    """
    document = read_document(text, path)
    return Notifications(validate(document, NotificationsDocument).channels, document)


def parse_addresses(text: str, path: str) -> dict[str, str]:
    """The addresses in a file of lines `user: address`.

    Raises:
        PolicyError: It names file, line and person.
    """
    if is_blank(text):
        return {}
    document = read_document(text, path)
    problems = []
    addresses: dict[str, str] = {}
    for user, value in document.data.items():
        if isinstance(value, str) and is_address(value.strip()):
            addresses[user] = value.strip()
        else:
            message = f"expected one address; found {found(value)}"
            problems.append(document.problem((user,), message))
    if problems:
        raise PolicyError(tuple(problems))
    return addresses
