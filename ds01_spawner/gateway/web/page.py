"""What a page is made of: its sections, what may be done on it, and who may look."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from ds01_spawner.client.models import Role, Wire
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.api.ask import StreamEvent
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.web.asking import Questions
from ds01_spawner.gateway.web.utilisation import Utilisation

Facts = Mapping[str, object]


@dataclass(frozen=True)
class Visit:
    """One look at a page, by one person.

    Attributes:
        requester: Who looks.
        ask: Asks the API in their name; what is asked twice in a visit is answered once.
        query: Parameters of the page's address; only the API knows which are right.
        zone: The server's time zone.
        utilisation: How busy the GPUs were of late.
        form: What was sent with an action that was refused, or that answers with the page.
        answer: What such an action answered.
        problem: Why it was refused.
    """

    requester: Requester
    ask: Questions
    query: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    utilisation: Utilisation = field(default_factory=Utilisation)
    form: Mapping[str, str] = field(default_factory=dict)
    answer: Wire | None = None
    problem: DS01Error | None = None


@dataclass(frozen=True)
class Section:
    """A part of a page: the template `PAGE/ID.html`, with what `read` returns.

    Attributes:
        id: Its id on the page.
        title: Its heading.
        read: What its template is given; `None` where there is nothing to show, not even that.
            What it raises is shown in the section's place.
        live: Whether it is rendered again while somebody looks.
    """

    id: str
    title: str
    read: Callable[[Visit], Awaitable[Facts | None]]
    live: bool = True


@dataclass(frozen=True)
class Beginning:
    """How something begins that goes on when nobody listens.

    Attributes:
        asks: What is sent, from the form.
        goes_on: Whether an event says that it was not refused.
        leads: Where the browser goes then, from the hub's prefix, the person and the form.
    """

    asks: Callable[[Mapping[str, str]], Mapping[str, object]]
    goes_on: Callable[[StreamEvent], bool]
    leads: Callable[[str, str, Mapping[str, str]], str]


@dataclass(frozen=True)
class Action:
    """Something to do on a page: a form whose button is `<button name="do" value="NAME">`.

    Attributes:
        name: What the button says it is.
        operation: The API's; its role and rate count.
        said: What is told when it is done, from the answer and the form. Without, it changes
            nothing, and the page is shown with the answer.
        parts: Fields that are parts of the path.
        query: Fields that are parameters; empty ones are left out.
        body: Fields of what is sent; empty ones are left out.
        beginning: Of what goes on by itself, and answers with events; then only `operation` counts.
    """

    name: str
    operation: str
    said: Callable[[Any, Mapping[str, str]], str] | None = None
    parts: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    beginning: Beginning | None = None


@dataclass(frozen=True)
class Page:
    """One row of the table.

    Attributes:
        name: Its folder of templates, and its address below the service; `path` says where.
        label: What it is called in the navigation.
        title: Its heading.
        sections: From top to bottom.
        role: Who may look.
        actions: What may be done on it.
        lead: A sentence below the heading.
    """

    name: str
    label: str
    title: str
    sections: tuple[Section, ...]
    role: Role = Role.STUDENT
    actions: tuple[Action, ...] = ()
    lead: str = ""

    @property
    def path(self) -> str:
        """Below the service's prefix; the first page is the prefix itself."""
        return "" if self.name == FIRST else self.name


FIRST = "me"
