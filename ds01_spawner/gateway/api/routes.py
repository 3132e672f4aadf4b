"""Everything that may be asked of the API: the table that decides, and that describes it.

What is not here does not exist. The OpenAPI document is made from it, and a test holds the handlers
to it.
"""

# ruff: noqa: E501 - a table is read by the row

import re
from dataclasses import dataclass
from functools import cached_property

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role, Wire


@dataclass(frozen=True)
class Route:
    """One row of the table.

    Attributes:
        method: HTTP method.
        path: Below the prefix; `{name}` is one segment.
        operation: What the handler is registered for, and what generated clients call it.
        role: Who may ask at all; what of others they get is the handler's business.
        answer: What a successful answer is; `None` for an event stream.
        summary: What it does, for people.
        query: Parameters.
        body: What is sent; `None` for nothing.
        status: Of a successful answer.
        errors: Statuses beside those that every route may answer with.
        stream: The events that it sends, by name, each with its model.
        cost: How much of one's rate it takes.
        repeatable: Whether `Idempotency-Key` makes a repetition answer what the first did.
    """

    method: str
    path: str
    operation: str
    role: Role
    answer: type[Wire] | None
    summary: str
    query: type[Wire] = m.NoQuery
    body: type[Wire] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    stream: tuple[tuple[str, type[Wire]], ...] = ()
    cost: int = 1
    repeatable: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The variable parts of the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def pattern(self) -> str:
        """The path as a regular expression with a group for each variable part."""
        return re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(self.path))


EVERY_STATUS = (400, 401, 403, 405, 413, 429, 503)
"""What any route may answer with."""

_S, _M, _A = Role.STUDENT, Role.MANAGER, Role.ADMIN

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("GET",    "/me",                          "getMe",            _S, m.Me,             "Who you are, your limits with their origins, and what you have.", cost=3),
    Route("GET",    "/notices",                     "listNotices",      _S, m.Notices,        "What you were told, the newest first.", m.NoticesQuery),

    Route("GET",    "/containers",                  "listContainers",   _S, m.Containers,     "Your containers, and when each stops.", m.ContainersQuery),
    Route("POST",   "/containers",                  "createContainer",  _S, None,             "Make a container, after a wait for a GPU if need be. When the connection is closed before `end`, nothing is left.", body=m.CreateRequest, errors=(404, 409), stream=(("place", m.Place), ("step", m.Step), ("end", m.Container), ("problem", m.Problem)), cost=5),
    Route("POST",   "/containers/plan",             "planContainer",    _S, m.Plan,           "What such a request would come to now. Nothing is made.", body=m.CreateRequest, cost=5),
    Route("GET",    "/containers/stats",            "getStats",         _S, m.Stats,          "What your containers use.", m.StatsQuery, errors=(404,), cost=3),
    Route("GET",    "/containers/stats/events",     "followStats",      _S, None,             "What your containers use, every 2 s.", m.StatsQuery, errors=(404,), stream=(("stats", m.Stats), ("problem", m.Problem)), cost=3),
    Route("GET",    "/containers/{name}",           "getContainer",     _S, m.Container,      "One container.", m.OwnerQuery, errors=(404,)),
    Route("POST",   "/containers/{name}/start",     "startContainer",   _S, m.Container,      "Start a stopped container.", m.OwnerQuery, errors=(404, 409), cost=5, repeatable=True),
    Route("POST",   "/containers/{name}/stop",      "stopContainer",    _S, m.Container,      "Stop a container; it keeps its GPU for a while.", m.OwnerQuery, errors=(404, 409), cost=5, repeatable=True),
    Route("POST",   "/containers/{name}/restart",   "restartContainer", _S, m.Container,      "Stop a container and start it again.", m.OwnerQuery, errors=(404, 409), cost=5, repeatable=True),
    Route("POST",   "/containers/{name}/pause",     "pauseContainer",   _S, m.Container,      "Hold every process of a container still; it keeps its GPU and its memory.", m.OwnerQuery, errors=(404, 409), cost=5, repeatable=True),
    Route("POST",   "/containers/{name}/unpause",   "unpauseContainer", _S, m.Container,      "Let a paused container go on.", m.OwnerQuery, errors=(404, 409), cost=5, repeatable=True),
    Route("DELETE", "/containers/{name}",           "removeContainer",  _S, m.Removed,        "Remove a stopped container.", m.RemoveQuery, errors=(404, 409), cost=5, repeatable=True),
    Route("POST",   "/containers/{name}/retire",    "retireContainer",  _S, m.Removed,        "Stop a container and remove it: its GPU is free at once.", m.OwnerQuery, errors=(404, 409), cost=5, repeatable=True),
    Route("POST",   "/containers/{name}/extend",    "extendContainer",  _S, m.Extended,       "Keep a container running although nobody uses it.", m.OwnerQuery, m.ExtendRequest, errors=(404, 409), cost=5, repeatable=True),
    Route("GET",    "/containers/{name}/logs",      "getLogs",          _S, m.Logs,           "The last lines of a container's output.", m.LogsQuery, errors=(404,), cost=3),
    Route("GET",    "/containers/{name}/logs/events", "followLogs",     _S, None,             "A container's output: the last lines, and what comes.", m.LogsQuery, errors=(404,), cost=3, stream=(("log", m.LogText), ("end", m.LogEnd), ("problem", m.Problem))),

    Route("GET",    "/servers",                     "listServers",      _S, m.Servers,        "Your JupyterLab servers in the hub, running or not.", cost=2),
    Route("GET",    "/servers/options",             "getServerOptions", _S, m.ServerOptions,  "GPU sizes that a server of yours may have now, or after a wait.", cost=2),
    Route("POST",   "/servers",                     "startServer",      _S, None,             "Have the hub start a server, after a wait for a GPU if need be. It goes on when the connection is closed.", body=m.ServerRequest, errors=(404, 409), stream=(("place", m.Place), ("step", m.Step), ("end", m.Server), ("problem", m.Problem)), cost=5),
    Route("DELETE", "/servers/{name}",              "stopServer",       _S, m.Server,         "Have the hub stop a server, or break off its start; `jupyter` is the unnamed one.", errors=(404, 409), cost=5),

    Route("GET",    "/gpus",                        "listGpus",         _S, m.Gpus,           "Every GPU slot, and which are yours."),
    Route("GET",    "/gpus/processes",              "listGpuProcesses", _S, m.GpuProcesses,   "Your processes on GPU slots; everybody's for managers.", cost=3),
    Route("GET",    "/workloads",                   "listWorkloads",    _S, m.Workloads,      "Your running containers and what you run on GPUs beside them; everybody's for managers.", m.WorkloadsQuery, cost=3),
    Route("GET",    "/usage",                       "getUsage",         _S, m.UsageReport,    "What you used of the GPUs, how busy they were, for what energy; everybody for managers.", m.UsageQuery, errors=(404,), cost=5),
    Route("GET",    "/usage/series",                "getUsageSeries",   _S, m.UsageSeries,    "The same day by day, for graphs; with what nobody knows.", m.UsageSeriesQuery, errors=(404,), cost=5),
    Route("GET",    "/queue",                       "listQueue",        _S, m.Queue,          "Your places in the GPU queue; all of them for managers.", m.ContainersQuery),
    Route("GET",    "/queue/events",                "followQueue",      _S, None,             "Your places in the GPU queue, whenever one changes.", stream=(("queue", m.Queue), ("problem", m.Problem))),
    Route("DELETE", "/queue/{ticket}",              "leaveQueue",       _S, m.Removed,        "Give a place in the GPU queue up.", errors=(404, 409), cost=5),

    Route("GET",    "/images",                      "listImages",       _S, m.Images,         "What you may start: the catalogue, and images of your own.", cost=2),
    Route("GET",    "/images/builds",               "listBuilds",       _S, m.BuildList,      "Your builds, the newest first."),
    Route("POST",   "/images/builds",               "startBuild",       _S, m.Build,          "Build an image from a Dockerfile.", body=m.BuildRequest, status=202, errors=(409,), cost=20, repeatable=True),
    Route("GET",    "/images/builds/{build}/events", "followBuild",     _S, None,             "The log of a build, and how it ends.", errors=(404,), stream=(("log", m.BuildLog), ("end", m.Build), ("problem", m.Problem))),
    Route("DELETE", "/images/builds/{build}",       "cancelBuild",      _S, m.Build,          "Cancel a build.", errors=(404,), cost=5),
    Route("POST",   "/images/prune",                "pruneImages",      _S, m.Pruned,         "Delete images of your own that have no name and that no container needs.", m.PruneQuery, errors=(409,), cost=20),
    Route("GET",    "/images/options",              "getImageOptions",  _S, m.ImageOptions,   "What images may be made of here: what wizards offer.", cost=3),
    Route("GET",    "/images/{name}",               "getImage",         _S, m.ImageDetail,    "One image that you may start.", errors=(404,), cost=3),
    Route("DELETE", "/images/{name}",               "deleteImage",      _S, m.Removed,        "Delete an image of your own.", errors=(404, 409), cost=5),

    Route("GET",    "/events",                      "listEvents",       _S, m.Events,         "The audit log: what concerns you, or everything for managers.", m.EventsQuery, cost=5),

    Route("GET",    "/policy/explain",              "explainPolicy",    _S, m.PolicyExplanation, "Limits, and what says so.", m.OwnerQuery),
    Route("POST",   "/policy/preview",              "previewPolicy",    _M, m.Preview,        "Who an edited policy file would change, and how. Nothing is written.", body=m.PreviewRequest, cost=20),

    Route("GET",    "/ssh-keys",                    "listSshKeys",      _S, m.SshKeys,        "Your SSH public keys, as you left them here."),
    Route("POST",   "/ssh-keys",                    "addSshKey",        _S, m.SshKey,         "Add an SSH public key.", body=m.SshKeyRequest, status=201, errors=(409,), cost=5, repeatable=True),
    Route("GET",    "/ssh",                         "getSsh",           _S, m.SshIdentity,    "Who you are in your containers, and by which key they are known."),
    Route("POST",   "/containers/{name}/ssh",       "getSshAccess",     _S, m.SshAccess,      "Make a container ready for an SSH connection; one that is stopped is started where the policy says so.", errors=(404, 409), cost=3),
    Route("DELETE", "/ssh-keys/{key}",              "removeSshKey",     _S, m.Removed,        "Remove an SSH key.", errors=(404,), cost=5),

    Route("GET",    "/admin/people",                "listPeople",       _M, m.People,         "Everybody the platform knows, and what they have.", m.PageQuery, cost=5),
    Route("POST",   "/admin/reconcile",             "reconcile",        _A, m.Reconciliation, "Remove what a crash left behind.", m.ReconcileQuery, cost=20),
    Route("GET",    "/admin/health",                "getHealth",        _A, m.Health,         "Whether every part of the platform answers.", cost=5),
)
# fmt: on
