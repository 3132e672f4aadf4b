"""Checks of the services: hub, gateway, lifecycle service, exporter, and what systemd says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from ds01_spawner.domain.door import Finding
from ds01_spawner.domain.health import NOT_INSTALLED, Level, Verdict, bad, doubtful, good, worst
from ds01_spawner.domain.keeper import SYSTEMD, Keeper
from ds01_spawner.domain.wording import span
from ds01_spawner.domain.work import LONGEST_GAP
from ds01_spawner.operations.doors.bare_metal import LEASE
from ds01_spawner.operations.health.health import Check
from ds01_spawner.ports import Clock, HubClient, Ledger
from ds01_spawner.ports.doors import GatewaySocket
from ds01_spawner.ports.health import MachineLook

UNITS = ("ds01-hub", "ds01-gateway", "ds01-culler", "ds01-exporter", "docker")
_SLOW_PASS = timedelta(minutes=3)
_CERTIFICATE_ENDS_SOON = timedelta(days=14)
_FEW = 8


@dataclass(frozen=True, slots=True)
class Services:
    """What is asked.

    Attributes:
        clock: The time.
        ledger: Where the lifecycle service writes its passes down.
        hub: The hub's API; `None` where nothing says where it is.
        public_url: Where people reach the hub, through its proxy; empty where nothing says.
        gateway: People's Docker socket; `None` for the gateway itself, which answers as it asks.
        exporter_url: What tells whether the exporter is there.
        exporter_is_named: Whether somebody said that address: then an exporter is expected.
        keeper: Who runs the services.
        machine: This machine.
        doors: Ways past the platform; `None` for who may not look.
    """

    clock: Clock
    ledger: Callable[[], Ledger]
    hub: Callable[[], HubClient | None]
    public_url: str
    gateway: GatewaySocket | None
    exporter_url: str
    machine: MachineLook
    doors: Callable[[], Sequence[Finding]] | None = None
    exporter_is_named: bool = False
    keeper: Keeper = SYSTEMD


def service_checks(services: Services) -> tuple[Check, ...]:
    """Checks of the services, in the order in which they are told."""
    found = [
        Check("hub", lambda: hub(services)),
        Check("proxy", lambda: proxy(services)),
        Check("lifecycle service", lambda: lifecycle(services)),
        Check("exporter", lambda: exporter(services), Level.WARN),
        Check("systemd", lambda: systemd(services), Level.WARN),
    ]
    if services.gateway is not None:
        socket = services.gateway
        found.insert(2, Check("gateway", lambda: gateway(socket, services.keeper)))
    if services.doors is not None:
        look = services.doors
        found.append(Check("doors", lambda: doors(look()), Level.WARN))
    return tuple(found)


def hub(services: Services) -> Verdict:
    """Whether the hub's API answers with a token of ours."""
    client = services.hub()
    if client is None:
        return doubtful(
            "Nothing says where the hub is, so it is not asked.",
            "Put JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN into culler.env: docs/hub.md.",
        )
    return good(f"It answers; servers: {len(client.servers())}.")


def proxy(services: Services) -> Verdict:
    """Whether people reach the hub, and how long its certificate lasts."""
    url = services.public_url
    if not url:
        return good(
            "Not looked at: nothing says where people reach the hub (JUPYTERHUB_PUBLIC_URL)."
        )
    answer = services.machine.ask(url)
    if answer is None:
        return bad(f"Nobody answers at {url}.", services.keeper.status("ds01-hub"))
    found = []
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        found.append(bad(f"{url} answers {answer.status}.", services.keeper.log("ds01-hub")))
    if answer.certificate_ends is not None:
        left = answer.certificate_ends - services.clock.now()
        if left <= _CERTIFICATE_ENDS_SOON:
            found.append(doubtful(f"Its certificate ends in {span(left)}.", "Renew it."))
    return worst(found, good(f"{url} answers."))


def gateway(socket: GatewaySocket, keeper: Keeper) -> Verdict:
    """Whether people's Docker clients are answered."""
    if socket.answers():
        return good(f"It answers at {socket.path}.")
    return bad(f"Nobody answers at {socket.path}.", keeper.start("ds01-gateway"))


def lifecycle(services: Services) -> Verdict:
    """When the lifecycle service last went round, and whether grants end."""
    mark = services.clock.mark()
    with services.ledger().transaction() as transaction:
        last = transaction.pass_mark()
        keeper = transaction.lease_holder(LEASE, mark)
        grants = transaction.bare_metal_grants()
    begin = services.keeper.start("ds01-culler")
    if last is None:
        return bad("The lifecycle service has never run.", begin)
    ago = mark.wall - last.wall
    when = f"The lifecycle service last ran at {last.wall:%Y-%m-%d %H:%M} UTC."
    if ago > LONGEST_GAP:
        return bad(when, begin)
    if grants and keeper is None:
        hint = services.keeper.restart("ds01-culler")
        return bad("Nothing ends access outside of containers.", hint)
    if ago > _SLOW_PASS:
        return doubtful(when, services.keeper.log("ds01-culler"))
    return good(f"Last pass {max(0, round(ago.total_seconds()))} s ago.")


def exporter(services: Services) -> Verdict:
    """Whether it answers, where there is one."""
    answer = services.machine.ask(services.exporter_url)
    if answer is not None and answer.status == HTTPStatus.OK:
        return good(f"It answers at {services.exporter_url}.")
    hint = services.keeper.restart("ds01-exporter")
    if answer is not None:
        said = f"It is asked at {services.exporter_url} and answers with {answer.status}."
        return bad(said, hint)
    unit = "ds01-exporter.service"
    if services.exporter_is_named or unit in (services.machine.units([unit]) or {}):
        return bad(f"Nobody answers at {services.exporter_url}.", hint)
    return good(f"{NOT_INSTALLED}: docs/monitoring.md.")


def systemd(services: Services) -> Verdict:
    """Whether the services run, and begin with the machine."""
    known = services.machine.units([f"{name}.service" for name in UNITS])
    if known is None:
        return good("This machine is not run by systemd.")
    found = []
    for name, unit in known.items():
        if unit.active == "failed":
            found.append(bad(f"{name} has failed.", f"journalctl -u {name}"))
        elif unit.active not in {"active", "activating", "reloading"} and unit.enabled:
            found.append(doubtful(f"{name} is {unit.active}.", f"systemctl start {name}"))
        elif unit.active == "active" and unit.enabled is False:
            found.append(
                doubtful(f"{name} does not begin with the machine.", f"systemctl enable {name}")
            )
    return worst(found, good(f"Every service is as it should be ({len(known)})."))


def doors(findings: Sequence[Finding]) -> Verdict:
    """How many ways lead past the platform."""
    opened = [each.name for each in findings if each.is_open]
    if not opened:
        return good(f"None of {len(findings)} is open.")
    more = len(opened) - _FEW
    shown = ", ".join(opened[:_FEW]) + (f" and {more} more" if more > 0 else "")
    return doubtful(f"{len(opened)} of {len(findings)} are open: {shown}.", "ds01 admin doors")
