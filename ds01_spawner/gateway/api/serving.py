"""Everything that answers, by operation: what both listeners serve."""

from collections.abc import Mapping
from typing import Protocol

from tornado.web import Application, RequestHandler

from ds01_spawner.gateway.api.admin import Admin
from ds01_spawner.gateway.api.application import SOCKET_PREFIX, application
from ds01_spawner.gateway.api.ask import Answer, Api
from ds01_spawner.gateway.api.attribution import AttributionRows
from ds01_spawner.gateway.api.bridge import ReplyConnection
from ds01_spawner.gateway.api.builds import Builds
from ds01_spawner.gateway.api.containers import Containers
from ds01_spawner.gateway.api.creating import Creating
from ds01_spawner.gateway.api.gpus import Gpus
from ds01_spawner.gateway.api.handler import Served
from ds01_spawner.gateway.api.history import History
from ds01_spawner.gateway.api.image_details import ImageDetails
from ds01_spawner.gateway.api.images import Images, listed_by
from ds01_spawner.gateway.api.keys import Keys
from ds01_spawner.gateway.api.logs import Logs
from ds01_spawner.gateway.api.me import Me
from ds01_spawner.gateway.api.pausing import Pausing
from ds01_spawner.gateway.api.policies import Policies
from ds01_spawner.gateway.api.queue import Queue
from ds01_spawner.gateway.api.requester import Requester, by_kernel
from ds01_spawner.gateway.api.servers import Servers
from ds01_spawner.gateway.api.ssh import SshDoor
from ds01_spawner.gateway.api.stats import Stats
from ds01_spawner.gateway.api.usage import UsageRows
from ds01_spawner.gateway.rates import Rate, Rates


class _Group(Protocol):
    def handlers(self) -> Mapping[str, Answer]: ...


def served_by(api: Api, rate: Rate | None = None) -> Served:
    """The answers that stand on `api`; one for all listeners of a process.

    Args:
        api: What the API stands on.
        rate: How often one person may ask.
    """
    queue, builds, creating, stats = Queue(api), Builds(api), Creating(api), Stats(api)
    logs, servers = Logs(api), Servers(api)
    listed = listed_by(api.engine)
    groups: tuple[_Group, ...] = (
        Me(api),
        Containers(api),
        logs,
        creating,
        Pausing(api),
        stats,
        servers,
        Gpus(api),
        AttributionRows(api),
        UsageRows(api),
        queue,
        Images(api, listed),
        ImageDetails(api, listed),
        builds,
        History(api),
        Policies(api),
        Keys(api),
        SshDoor(api),
        Admin(api),
    )
    return Served(
        api=api,
        answers={name: answer for group in groups for name, answer in group.handlers().items()},
        streams={
            **queue.streams(),
            **builds.streams(),
            **creating.streams(),
            **stats.streams(),
            **logs.streams(),
            **servers.streams(),
        },
        rates=Rates(rate),
    )


def socket_application(served: Served) -> Application:
    """The API on the Unix socket; to be served by a `Bridge`."""
    return application(served, _kernel, SOCKET_PREFIX)


async def _kernel(handler: RequestHandler) -> Requester | None:
    connection = handler.request.connection
    return by_kernel(connection.caller) if isinstance(connection, ReplyConnection) else None
