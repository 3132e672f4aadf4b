"""Every endpoint of the Docker API, and who may use it: the table that decides.

What is not here does not exist. https://docs.docker.com/reference/api/engine/
"""

# ruff: noqa: E501 - a table is read by the row

from dataclasses import dataclass
from enum import StrEnum


class Access(StrEnum):
    """Who may use an endpoint. Administrators may use all of them, and their use is in the log."""

    READ = "read"
    """Everybody; the answer shows nothing of anybody else."""

    OWN = "own"
    """For what is one's own; anything else is answered as if it did not exist."""

    CREATE = "create"
    """Makes something, within one's limits."""

    ADMIN = "admin"
    """Administrators."""

    NEVER = "never"
    """Nobody: it would give away what is everybody's."""


class Payload(StrEnum):
    """What a request's body is."""

    NONE = "none"
    JSON = "json"
    STREAM = "stream"
    HIJACK = "hijack"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table.

    Attributes:
        method: HTTP method; `GET` rows that Docker also answers for `HEAD` have a row of their own.
        path: Path without version. `{id}` is one segment; `{ref}` is an image reference, with
            slashes.
        access: Who may use it.
        query: The parameters it knows, separated by spaces; others are dropped.
        payload: What its body is.
    """

    method: str
    path: str
    access: Access
    query: str = ""
    payload: Payload = Payload.NONE

    @property
    def name(self) -> str:
        """`GET /containers/{id}/json`: what handlers register for."""
        return f"{self.method} {self.path}"


_R, _O, _C, _A, _N = Access.READ, Access.OWN, Access.CREATE, Access.ADMIN, Access.NEVER
_J, _S, _H = Payload.JSON, Payload.STREAM, Payload.HIJACK
_ATTACH = "detachKeys logs stream stdin stdout stderr"
_BUILD = (
    "dockerfile t extrahosts remote q nocache cachefrom pull rm forcerm memory memswap cpushares "
    "cpusetcpus cpuperiod cpuquota buildargs shmsize squash labels networkmode platform target "
    "outputs version session buildid ulimits cgroupparent securityopt isolation"
)

# fmt: off
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET",    "/_ping",                       _R),
    Endpoint("HEAD",   "/_ping",                       _R),
    Endpoint("GET",    "/version",                     _R),
    Endpoint("GET",    "/info",                        _R),
    Endpoint("GET",    "/events",                      _O, "since until filters"),
    Endpoint("GET",    "/system/df",                   _O, "type verbose"),
    Endpoint("POST",   "/auth",                        _R, "", _J),

    Endpoint("GET",    "/containers/json",             _O, "all limit size filters before since"),
    Endpoint("POST",   "/containers/create",           _C, "name", _J),
    Endpoint("POST",   "/containers/prune",            _O, "filters"),
    Endpoint("GET",    "/containers/{id}/json",        _O, "size"),
    Endpoint("GET",    "/containers/{id}/top",         _O, "ps_args"),
    Endpoint("GET",    "/containers/{id}/logs",        _O, "follow stdout stderr since until timestamps tail details"),
    Endpoint("GET",    "/containers/{id}/changes",     _O),
    Endpoint("GET",    "/containers/{id}/export",      _O),
    Endpoint("GET",    "/containers/{id}/stats",       _O, "stream one-shot"),
    Endpoint("GET",    "/containers/{id}/archive",     _O, "path"),
    Endpoint("HEAD",   "/containers/{id}/archive",     _O, "path"),
    Endpoint("PUT",    "/containers/{id}/archive",     _O, "path noOverwriteDirNonDir copyUIDGID", _S),
    Endpoint("POST",   "/containers/{id}/start",       _O, "detachKeys"),
    Endpoint("POST",   "/containers/{id}/stop",        _O, "t signal"),
    Endpoint("POST",   "/containers/{id}/restart",     _O, "t signal"),
    Endpoint("POST",   "/containers/{id}/kill",        _O, "signal"),
    Endpoint("POST",   "/containers/{id}/pause",       _O),
    Endpoint("POST",   "/containers/{id}/unpause",     _O),
    Endpoint("POST",   "/containers/{id}/wait",        _O, "condition"),
    Endpoint("POST",   "/containers/{id}/resize",      _O, "h w"),
    Endpoint("POST",   "/containers/{id}/rename",      _O, "name"),
    Endpoint("POST",   "/containers/{id}/update",      _O, "", _J),
    Endpoint("POST",   "/containers/{id}/attach",      _O, _ATTACH, _H),
    Endpoint("GET",    "/containers/{id}/attach/ws",   _N),
    Endpoint("POST",   "/containers/{id}/exec",        _O, "", _J),
    Endpoint("DELETE", "/containers/{id}",             _O, "v force link"),
    Endpoint("POST",   "/exec/{id}/start",             _O, "", _H),
    Endpoint("POST",   "/exec/{id}/resize",            _O, "h w"),
    Endpoint("GET",    "/exec/{id}/json",              _O),

    Endpoint("GET",    "/images/json",                 _O, "all filters shared-size digests manifests"),
    Endpoint("POST",   "/images/create",               _C, "fromImage fromSrc repo tag message changes platform", _S),
    Endpoint("POST",   "/images/prune",                _O, "filters"),
    Endpoint("GET",    "/images/search",               _A, "term limit filters"),
    Endpoint("GET",    "/images/get",                  _O, "names platform"),
    Endpoint("POST",   "/images/load",                 _A, "quiet platform", _S),
    Endpoint("GET",    "/images/{ref}/json",           _O, "manifests platform"),
    Endpoint("GET",    "/images/{ref}/history",        _O, "platform"),
    Endpoint("GET",    "/images/{ref}/get",            _O, "platform"),
    Endpoint("POST",   "/images/{ref}/tag",            _C, "repo tag"),
    Endpoint("POST",   "/images/{ref}/push",           _A, "tag platform"),
    Endpoint("DELETE", "/images/{ref}",                _O, "force noprune"),
    Endpoint("GET",    "/distribution/{ref}/json",     _O),
    Endpoint("POST",   "/commit",                      _C, "container repo tag comment author pause changes", _J),
    Endpoint("POST",   "/build",                       _C, _BUILD, _S),
    Endpoint("POST",   "/build/prune",                 _O, "all filters keep-storage reserved-space max-used-space min-free-space"),
    Endpoint("POST",   "/build/cancel",                _N, "id"),
    Endpoint("POST",   "/session",                     _N, "", _H),
    Endpoint("POST",   "/grpc",                        _N, "", _H),

    Endpoint("GET",    "/networks",                    _O, "filters"),
    Endpoint("POST",   "/networks/create",             _C, "", _J),
    Endpoint("POST",   "/networks/prune",              _O, "filters"),
    Endpoint("GET",    "/networks/{id}",               _O, "verbose scope"),
    Endpoint("DELETE", "/networks/{id}",               _O),
    Endpoint("POST",   "/networks/{id}/connect",       _O, "", _J),
    Endpoint("POST",   "/networks/{id}/disconnect",    _O, "", _J),

    Endpoint("GET",    "/volumes",                     _O, "filters"),
    Endpoint("POST",   "/volumes/create",              _C, "", _J),
    Endpoint("POST",   "/volumes/prune",               _O, "filters"),
    Endpoint("GET",    "/volumes/{id}",                _O),
    Endpoint("PUT",    "/volumes/{id}",                _N, "version", _J),
    Endpoint("DELETE", "/volumes/{id}",                _O, "force"),

    Endpoint("GET",    "/plugins",                     _A, "filters"),
    Endpoint("GET",    "/plugins/privileges",          _A, "remote"),
    Endpoint("POST",   "/plugins/pull",                _A, "remote name", _J),
    Endpoint("POST",   "/plugins/create",              _A, "name", _S),
    Endpoint("GET",    "/swarm",                       _N),
    Endpoint("POST",   "/swarm/init",                  _N, "", _J),
    Endpoint("POST",   "/swarm/join",                  _N, "", _J),
    Endpoint("GET",    "/nodes",                       _N, "filters"),
    Endpoint("GET",    "/services",                    _N, "filters status"),
    Endpoint("POST",   "/services/create",             _N, "", _J),
    Endpoint("GET",    "/tasks",                       _N, "filters"),
    Endpoint("GET",    "/secrets",                     _N, "filters"),
    Endpoint("POST",   "/secrets/create",              _N, "", _J),
    Endpoint("GET",    "/configs",                     _N, "filters"),
    Endpoint("POST",   "/configs/create",              _N, "", _J),
)
# fmt: on
