"""The exporter on this machine's platform."""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from ds01_spawner import __version__
from ds01_spawner.adapters.doors import HttpSocket
from ds01_spawner.adapters.event_tail import EventTail
from ds01_spawner.adapters.gpu_faults import GpuFaults
from ds01_spawner.adapters.hub_api import environment_in
from ds01_spawner.adapters.policy_files import PolicyFiles
from ds01_spawner.composition import GATEWAY_FILE, SERVICE_FILE, Directories, Platform
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
    metrics = directories.state / "metrics"
    policy = PolicyFiles(directories.config, platform.clock, _Silence(), actor="exporter")
    watch = ServiceWatch(
        now=platform.clock.now,
        hub_url=hub_url(directories.config, environment),
        gateway=HttpSocket(str(directories.gateway_socket), ANSWER_SECONDS).answers,
        culler_file=metrics / "culler.prom",
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
            faults=GpuFaults(platform.clock, metrics / "xids.json").counts,
            ledger_bytes=lambda: size_of(directories.ledger),
            places=partial(places_of, directories),
            data_root=lambda: platform.engine.info().data_root,
            services=watch.look,
            excluded=platform.excluded_gpus,
            version=__version__,
            instance=lambda: platform.instance,
        )
    )


def hub_url(config: Path, environment: Mapping[str, str]) -> str | None:
    """The hub's API, as the services beside it are told where it is; `None` where nobody says."""
    beside = (environment_in(config / name) for name in (GATEWAY_FILE, SERVICE_FILE))
    told = (each.get(_HUB_URL) for each in (environment, *beside))
    return next((url.rstrip("/") + "/" for url in told if url), None)


def size_of(ledger: Path) -> int:
    """Bytes of the ledger's file, of its write-ahead log and of the index of that."""
    total = 0
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            total += Path(f"{ledger}{suffix}").stat().st_size
    return total


def places_of(directories: Directories) -> Mapping[str, str]:
    """Folders whose disks are looked at; the engine says by itself where it is."""
    return {
        "homes": str(HOMES),
        "state": str(directories.state),
        "events": str(directories.events.parent),
    }
