"""Why an endpoint is not for people: one sentence for each, with what to do instead."""

from collections.abc import Mapping

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.gateway.endpoints import ENDPOINTS, Access
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

NO_BUILDKIT = (
    "BuildKit is not offered here, because its build steps cannot be kept within your limits.",
    "Set DOCKER_BUILDKIT=0, and use nothing in the Dockerfile that only BuildKit knows.",
)
_SWARM = (
    "Swarm is not offered here: this is one machine, shared by its people.",
    "Run several containers with docker compose.",
)
_PLUGINS = (
    "Plugins are part of the engine, which everybody shares; they are for administrators.",
    "Ask an administrator if a driver is missing.",
)
_SECRETS = (
    "Swarm's secrets and configs are not offered here.",
    "Keep the file in your home with mode 0600 and mount it read-only: -v $HOME/FILE:/FILE:ro.",
)

CLOSED: Mapping[str, tuple[str, str]] = {
    "GET /containers/{id}/attach/ws": (
        "Attaching over a web socket is not offered here.",
        "Use docker attach.",
    ),
    "GET /images/search": (
        "Searching a registry from this server is not offered.",
        "Search in the registry's own pages; docker pull fetches what the administrator allows.",
    ),
    "POST /images/load": (
        "Loading images from an archive is for administrators: nothing says where they come from.",
        "Build the image here, or ask an administrator to load it.",
    ),
    "POST /images/{ref}/push": (
        "Pushing images is for administrators: this server's data stays here.",
        "Push from your own machine, where you build from the same Dockerfile.",
    ),
    "POST /build/cancel": NO_BUILDKIT,
    "POST /session": NO_BUILDKIT,
    "POST /grpc": NO_BUILDKIT,
    "PUT /volumes/{id}": (
        "Cluster volumes are not offered here.",
        "Remove the volume and create it anew: docker volume rm, docker volume create.",
    ),
    "GET /plugins": _PLUGINS,
    "GET /plugins/privileges": _PLUGINS,
    "POST /plugins/pull": _PLUGINS,
    "POST /plugins/create": _PLUGINS,
    "GET /swarm": _SWARM,
    "POST /swarm/init": _SWARM,
    "POST /swarm/join": _SWARM,
    "GET /nodes": _SWARM,
    "GET /services": _SWARM,
    "POST /services/create": _SWARM,
    "GET /tasks": _SWARM,
    "GET /secrets": _SECRETS,
    "POST /secrets/create": _SECRETS,
    "GET /configs": _SECRETS,
    "POST /configs/create": _SECRETS,
}
"""By endpoint: what is refused, and what to do instead."""


def refused_endpoints() -> frozenset[str]:
    """Every endpoint that nobody but an administrator, or nobody at all, may use."""
    closed = {Access.ADMIN, Access.NEVER}
    return frozenset(endpoint.name for endpoint in ENDPOINTS if endpoint.access in closed)


class Closed:
    """Answers what people may not do at all."""

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {endpoint: _refusing(endpoint) for endpoint in refused_endpoints()}


def _refusing(endpoint: str) -> Handler:
    async def refuse(_call: Call, _reply: Reply) -> None:
        raise Forbidden(*CLOSED[endpoint])

    return refuse
