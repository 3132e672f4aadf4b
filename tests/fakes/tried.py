"""What a student tries to learn of another, or to do to them: one row for each thing to be asked.

Alice asks, and what she names is Bobby's. Tests send all of it, and `docs/who-sees-what.md` has it
as a table: a route, page or form without a row here fails them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from ds01_spawner.client.models import Role
from ds01_spawner.gateway.api.routes import ROUTES, Route
from ds01_spawner.gateway.web.pages import PAGES
from ds01_spawner.gateway.wire.call import Answer
from fakes.engine_link import Asked, FakeEngineLink

IMAGE_ID = f"{7:064}"
ROLES = {Role.STUDENT: "everybody", Role.MANAGER: "managers", Role.ADMIN: "administrators"}
OWN, NOT_ASKED, NOT_FOUND, FORBIDDEN, DONE = 200, 400, 404, 403, 202


@dataclass(frozen=True)
class Row:
    """One operation.

    Attributes:
        operation: Of the API's table.
        plain: The answer when nothing of another's is named.
        named: What the path names, if it does: a kind of `Thing`.
        user: The answer to `?user=bobby`; 400 where there is no such parameter.
        body: What is sent, where something is; with `"user": "bobby"` beside it, the answer is 400.
        query: Further parameters that are tried, each with its answer.
    """

    operation: str
    plain: int = OWN
    named: str = ""
    user: int = NOT_ASKED
    body: Mapping[str, object] | None = None
    query: Mapping[str, int] = field(default_factory=dict)

    @property
    def route(self) -> Route:
        """Its row of the API's table."""
        return next(each for each in ROUTES if each.operation == self.operation)


ROWS = (
    Row("getMe"),
    Row("listNotices", user=FORBIDDEN),
    Row("listContainers", user=FORBIDDEN, query={"all=true": OWN}),
    Row("createContainer", body={"image": "ds01-bobby/bobs-image", "gpu": "none"}, plain=FORBIDDEN),
    Row("planContainer", body={"image": "ds01-bobby/bobs-image", "gpu": "none"}),
    Row("getStats", user=FORBIDDEN, query={"all=true": OWN, "name=bobs-run": NOT_FOUND}),
    Row("followStats", user=FORBIDDEN, query={"all=true": OWN, "name=bobs-run": NOT_FOUND}),
    *(
        Row(each, NOT_FOUND, "container", FORBIDDEN)
        for each in (
            *("getContainer", "startContainer", "stopContainer", "restartContainer"),
            *("pauseContainer", "unpauseContainer", "retireContainer", "getLogs", "followLogs"),
        )
    ),
    Row("removeContainer", NOT_FOUND, "container", FORBIDDEN, query={"force=true": NOT_FOUND}),
    Row("extendContainer", NOT_FOUND, "container", FORBIDDEN, body={}),
    Row("getSshAccess", NOT_FOUND, "container"),
    Row("listServers"),
    Row("getServerOptions"),
    Row("startServer", body={"name": "x", "gpu": "none"}),
    Row("stopServer", NOT_FOUND, "server"),
    Row("listGpus"),
    Row("listGpuProcesses"),
    Row("listWorkloads", query={"unmanaged=true": OWN}),
    Row("getUsage", user=FORBIDDEN, query={"by=user": OWN, "by=user&period=all": OWN}),
    Row("getUsageSeries", user=FORBIDDEN, query={"period=all": OWN}),
    Row("listQueue", user=FORBIDDEN, query={"all=true": OWN}),
    Row("followQueue"),
    Row("leaveQueue", NOT_FOUND, "place"),
    Row("listImages"),
    Row("listBuilds"),
    Row("startBuild", DONE, body={"name": "mine", "dockerfile": "FROM starter\n"}),
    Row("followBuild", NOT_FOUND, "build"),
    Row("cancelBuild", NOT_FOUND, "build"),
    Row("pruneImages", query={"unused=true": OWN, "dry_run=false&unused=true": OWN}),
    Row("getImageOptions"),
    Row("getImage", NOT_FOUND, "image"),
    Row("deleteImage", NOT_FOUND, "image"),
    Row("listEvents", user=OWN, query={"action=*": OWN, "user=bobby&action=*": OWN}),
    Row("explainPolicy", user=FORBIDDEN),
    Row("previewPolicy", FORBIDDEN, user=FORBIDDEN, body={"text": "groups: {}"}),
    Row("listSshKeys"),
    Row("addSshKey", NOT_ASKED, body={"key": "no key"}),
    Row("getSsh"),
    Row("removeSshKey", NOT_FOUND, "key"),
    Row("listPeople", FORBIDDEN, user=FORBIDDEN),
    Row("reconcile", FORBIDDEN, user=FORBIDDEN, query={"dry_run=true": FORBIDDEN}),
    Row("getHealth", FORBIDDEN, user=FORBIDDEN),
)

WAYS = (
    *("name", "name in the engine", "id", "beginning of the id", "name, escaped", "NAME"),
    *("owner/name", "../owner/name"),
)


@dataclass(frozen=True)
class Thing:
    """Something, and how an address names it.

    Attributes:
        owner: Whose it is.
        name: What they call it.
        id: What the platform calls it.
        full: With its owner in it, as the engine calls it.
    """

    owner: str
    name: str
    id: str
    full: str

    def ways(self) -> Mapping[str, str]:
        """By what it is named, as segments of an address."""
        escaped = "".join(f"%{byte:02x}" for byte in self.name.encode())
        texts = (self.name, self.full, self.id, self.id[:12])
        return dict(
            zip(
                WAYS,
                (
                    *(quote(text, safe="") for text in texts),
                    escaped,
                    quote(self.name.upper(), safe=""),
                    quote(f"{self.owner}/{self.name}", safe=""),
                    quote(f"../{self.owner}/{self.name}", safe=""),
                ),
                strict=True,
            )
        )

    def replaced_in(self, text: str) -> str:
        """A text with what nobody has in this thing's place."""
        none = self.is_none()
        for one, other in (
            (self.full, none.full),
            (self.name, none.name),
            (self.name.upper(), none.name.upper()),
            (self.id, none.id),
            (self.id[:12], none.id[:12]),
            (self.owner, none.owner),
        ):
            text = text.replace(one, other)
        return text

    def is_none(self) -> "Thing":
        """The same of nobody: what does not exist, and looks alike."""

        nobody = f"z{self.owner[1:]}"

        def other(text: str) -> str:
            return text.replace(self.owner, nobody).replace("bobs-", "zobs-")

        digits = str.maketrans("0123456789abcdef", "fedcba9876543210")
        unlike = other(self.id) if "bob" in self.id else self.id.translate(digits)
        return Thing(nobody, other(self.name), unlike, other(self.full))


class ImagesOfBobby(FakeEngineLink):
    """An engine that has an image of Bobby's, and no other of anybody's."""

    def _answer(self, asked: Asked) -> Answer:
        named = asked.path.startswith("/images/") and asked.path != "/images/json"
        if not named or asked.path.startswith("/images/ds01/starter:latest"):
            return super()._answer(asked)
        tag = "ds01-bobby/bobs-image:latest"
        if unquote(asked.path).split("/", 2)[2].startswith((tag, IMAGE_ID)):
            facts = {"Id": f"sha256:{IMAGE_ID}", "RepoTags": [tag], "Config": {"Labels": {}}}
            return Answer(200, facts)
        return Answer(404, {"message": f"No such image: {asked.path}"})


def paths_of(row: Row, things: Mapping[str, Thing]) -> Iterator[tuple[str, str, str]]:
    """Each address that names Bobby's, the same of nobody, and in which way."""
    if not row.named:
        return
    thing = things[row.named]
    (part,) = row.route.names
    for way, text in thing.ways().items():
        twin = thing.is_none().ways()[way]
        mine, none = (row.route.path.replace(f"{{{part}}}", each) for each in (text, twin))
        yield way, mine, none


@dataclass(frozen=True)
class Claim:
    """A way to say who asks.

    Attributes:
        words: What it is.
        status: The answer, whatever is asked.
        headers: What is sent.
        query: Behind the address.
    """

    words: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


CLAIMS = (
    Claim("nothing", 401),
    Claim("a token that the hub does not know", 401, {"Authorization": "token unknown"}),
    Claim("a token in the address", 401, query="token=alice"),
    Claim("a password", 401, {"Authorization": "Basic YWxpY2U6YWxpY2U="}),
    Claim("a token for a server alone", 403, {"Authorization": "token elsewhere"}),
    Claim("a service's token", 403, {"Authorization": "token service"}),
    Claim("a cookie that nobody signed", 401, {"Cookie": "service-ds01=alice"}),
    Claim("a header that a proxy would set", 401, {"X-User": "alice", "X-Forwarded-User": "alice"}),
    Claim("a signed cookie, from another page (no XSRF token)", 401, {"Cookie": "SIGNED"}),
)


def ways_table() -> str:
    """The claims as Markdown."""
    rows = [f"| {each.words} | {each.status} |" for each in CLAIMS]
    return "\n".join(["| sent | answer |", "|---|---|", *rows])


def said(status: int) -> str:
    """An answer in words."""
    return "own" if status in {OWN, DONE} else str(status)


def api_table() -> str:
    """The rows as Markdown."""
    lines = [
        "| request | for | answer | another's, however named | `?user=` | further |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        route = row.route
        asked = "; ".join(f"`?{text}`: {said(status)}" for text, status in row.query.items())
        named = f"{row.plain}, as if there were none" if row.named else ""
        plain = "" if row.named else said(row.plain)
        lines.append(
            f"| `{route.method} {route.path}` | {ROLES[route.role]} | {plain} | {named}"
            f" | {said(row.user)} | {asked} |"
        )
    return "\n".join(lines)


def pages_table() -> str:
    """Pages and what can be done on them, as Markdown."""
    lines = [
        "| page | for | live | what may be done, each for one's own alone |",
        "|---|---|---|---|",
    ]
    for page in PAGES:
        live = "yes" if any(each.live for each in page.sections) else ""
        acts = ", ".join(f"`{each.name}`" for each in page.actions)
        lines.append(f"| {page.label} | {ROLES[page.role]} | {live} | {acts} |")
    return "\n".join(lines)
