"""The exporter on this machine's platform."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ds01_spawner import __version__
from ds01_spawner.adapters.doors import HttpSocket
from ds01_spawner.adapters.event_tail import EventTail
from ds01_spawner.adapters.gpu_faults import GpuFaults
from ds01_spawner.adapters.hub_api import environment_in
from ds01_spawner.adapters.policy_files import PolicyFiles
from ds01_spawner.composition import GATEWAY_FILE, SERVICE_FILE, Platform
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.exporter.reading import Parts, Reading
from ds01_spawner.exporter.services import ANSWER_SECONDS, ServiceWatch

HOMES = Path("/home")
_HUB_URL = "JUPYTERHUB_API_URL"


class _Silence:
    """Who reads the policy to count writes nothing about it: others do."""

    def append(self, event: Event) -> None:
        """Nothing."""


def reading_of(platform: Platform, environment: Mapping[str, str] = os.environ) -> Reading:
    """What a scrape reads."""
    directories = platform.directories
    policy = PolicyFiles(directories.config, platform.clock, _Silence(), actor="exporter")
    watch = ServiceWatch(
        now=platform.clock.now,
        hub_url=hub_url(directories.config, environment),
        gateway=HttpSocket(str(directories.gateway_socket), ANSWER_SECONDS).answers,
        culler_file=directories.state / "metrics" / "culler.prom",
    )

    return Reading(
        Parts(
            clock=platform.clock,
            engine=lambda: platform.engine,
            probe=lambda: platform.probe,
            ledger=lambda: platform.ledger,
            policy=lambda: policy,
            usage=lambda: platform.usage,
            attribution=platform.attribution_of,
            events=EventTail(directories.events),
            log_file=directories.events,
            faults=GpuFaults().counts,
            ledger_bytes=lambda: size_of(directories.ledger),
            places=_places(platform),
            services=watch.look,
            excluded=platform.excluded_gpus,
            version=__version__,
        )
    )


def hub_url(config: Path, environment: Mapping[str, str]) -> str | None:
    """The hub's API, as the services beside it are told where it is; `None` where nobody says."""
    beside = (environment_in(config / name) for name in (GATEWAY_FILE, SERVICE_FILE))
    told = (each.get(_HUB_URL) for each in (environment, *beside))
    return next((url.rstrip("/") + "/" for url in told if url), None)


def size_of(ledger: Path) -> int:
    """Bytes of the ledger's file, and of what is not yet in it."""
    total = 0
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            total += Path(f"{ledger}{suffix}").stat().st_size
    return total


def _places(platform: Platform) -> Callable[[], Mapping[str, str]]:
    """Folders whose disks are looked at; the engine's once it has said which."""
    known = {
        "state": str(platform.directories.state),
        "events": str(platform.directories.events.parent),
    }
    if HOMES.is_dir():
        known["homes"] = str(HOMES)

    def places() -> Mapping[str, str]:
        if "engine" not in known:
            with suppress(Unavailable):
                known["engine"] = platform.engine.info().data_root
        return {place: folder for place, folder in known.items() if Path(folder).is_dir()}

    return places
