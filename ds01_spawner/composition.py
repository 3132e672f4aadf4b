"""The one place where ports meet adapters."""

import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from functools import cached_property
from pathlib import Path

from ds01_spawner.adapters.account_keeper import ShadowTools
from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.adapters.activity import KernelActivity, KernelProcesses, KernelUsage
from ds01_spawner.adapters.address_files import AddressFiles
from ds01_spawner.adapters.block_device import disk_of
from ds01_spawner.adapters.build_settings import BuildSettings, read_build_settings
from ds01_spawner.adapters.carbon_files import CarbonFiles
from ds01_spawner.adapters.cgroups import open_cgroups
from ds01_spawner.adapters.channels import AppriseChannels
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.doors import (
    DaemonFile,
    DoorFolder,
    FileNodes,
    GroupFiles,
    HostFiles,
    HttpSocket,
    ListeningPorts,
)
from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.adapters.event_tail import EventTail
from ds01_spawner.adapters.gpu_nodes import KernelGpuNodes
from ds01_spawner.adapters.gpu_source import SIMULATION_STATE, open_probe
from ds01_spawner.adapters.hub_api import environment_in, hub_from
from ds01_spawner.adapters.isolation import (
    IptablesFilter,
    IsolationFile,
    ResolverFiles,
    hub_ports,
    remembered_ports,
)
from ds01_spawner.adapters.jupyter_servers import DirectJupyterServers
from ds01_spawner.adapters.keep_alive_files import WorkspaceKeepAliveFiles
from ds01_spawner.adapters.leaving_mark import LeavingMark
from ds01_spawner.adapters.ledger import LedgerLook, SqliteLedger
from ds01_spawner.adapters.machine_look import KernelMachineLook
from ds01_spawner.adapters.membership_files import MembershipFiles
from ds01_spawner.adapters.notice_board import FileNoticeBoard
from ds01_spawner.adapters.personal_paths.paths import UnixPaths
from ds01_spawner.adapters.policy_files import NoEvents, PolicyFiles
from ds01_spawner.adapters.process_table import KernelProcessTable
from ds01_spawner.adapters.ssh_folder import FileSshFolder
from ds01_spawner.adapters.staged_binds import KernelBindStage
from ds01_spawner.adapters.storage.meter import HomeMeter
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.adapters.system_zone import SystemZone
from ds01_spawner.adapters.text_files import read_text
from ds01_spawner.adapters.volume_folders import EngineVolumeFolders
from ds01_spawner.domain.door import Finding
from ds01_spawner.domain.errors import Forbidden, NotFound, PolicyError, Unavailable
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.grant import Site
from ds01_spawner.domain.image_size import REMOVE, ImageSizeLimit
from ds01_spawner.domain.keeper import SYSTEMD, Keeper, demo_keeper
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import cgroup_top, user_slug
from ds01_spawner.domain.repair import GRACE
from ds01_spawner.domain.strategies import STRATEGIES
from ds01_spawner.operations.allocation.admission import Admission, Rules
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.allocation.disk_room import DiskRoom
from ds01_spawner.operations.allocation.observe import Observer
from ds01_spawner.operations.allocation.readmission import Readmission
from ds01_spawner.operations.allocation.succession import Succession
from ds01_spawner.operations.attribution.owners import ContainerOwners
from ds01_spawner.operations.attribution.scan import Attribution
from ds01_spawner.operations.attribution.unmanaged import PastPlatform
from ds01_spawner.operations.audit.bounded_log import BoundedLog
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import Troubles
from ds01_spawner.operations.containers.binds import Binds
from ds01_spawner.operations.containers.launch import Launcher
from ds01_spawner.operations.containers.readiness import Readiness
from ds01_spawner.operations.containers.servers import Servers
from ds01_spawner.operations.containers.starts import Starts
from ds01_spawner.operations.containers.stillness import Stillness
from ds01_spawner.operations.doors.bare_metal import BareMetal
from ds01_spawner.operations.doors.doors import Doors
from ds01_spawner.operations.doors.isolation import Isolation
from ds01_spawner.operations.doors.listed import Machine
from ds01_spawner.operations.health.health import Health
from ds01_spawner.operations.health.machine import Machine as MachineHealth
from ds01_spawner.operations.health.machine import machine_checks
from ds01_spawner.operations.health.parts import Parts as PartsHealth
from ds01_spawner.operations.health.parts import part_checks
from ds01_spawner.operations.health.services import Services, service_checks
from ds01_spawner.operations.images.build_catalogue import build_catalogue
from ds01_spawner.operations.images.build_place import BuildPlaces
from ds01_spawner.operations.images.shelf import ImageShelf
from ds01_spawner.operations.lifecycle.board import Board
from ds01_spawner.operations.lifecycle.checks import Checks
from ds01_spawner.operations.lifecycle.enforce import Enforcer, Terms
from ds01_spawner.operations.lifecycle.keep_alive import KeepAlives
from ds01_spawner.operations.lifecycle.outlook import Outlook
from ds01_spawner.operations.lifecycle.pass_record import PassRecord
from ds01_spawner.operations.lifecycle.plan import Lifecycle
from ds01_spawner.operations.lifecycle.removals import Removals
from ds01_spawner.operations.lifecycle.stops import Patience, Stops
from ds01_spawner.operations.lifecycle.storage import Storage
from ds01_spawner.operations.lifecycle.survey import Survey
from ds01_spawner.operations.lifecycle.telling import Telling
from ds01_spawner.operations.notices.echoes import Echoes
from ds01_spawner.operations.notices.notify import Outbox
from ds01_spawner.operations.people.people import People
from ds01_spawner.operations.people.register import Register
from ds01_spawner.operations.people.removal import Departures
from ds01_spawner.operations.people.ssh_access import SshAccess
from ds01_spawner.operations.repair.leftovers import Leftovers
from ds01_spawner.operations.repair.reconcile import Reconciler
from ds01_spawner.operations.usage.books import Books
from ds01_spawner.operations.usage.report import Reports
from ds01_spawner.operations.usage.unmanaged_use import UnmanagedUse
from ds01_spawner.policy.gpu_config import GpuConfig, parse_gpu_config
from ds01_spawner.policy.image_references import is_image_id
from ds01_spawner.policy.images import ImageCatalogue, parse_images
from ds01_spawner.ports import Cgroups, ContainerList, GpuProbe, HubClient
from ds01_spawner.ports.attribution import StartWatch
from ds01_spawner.ports.people import HubPeople
from ds01_spawner.recipes.aime import Rows, read_rows
from ds01_spawner.recipes.catalogue import Catalogue

CONFIG_VARIABLE = "DS01_CONFIG_DIR"
STATE_VARIABLE = "DS01_STATE_DIR"
SOCKET_VARIABLE = "DS01_ENGINE_SOCKET"
RUN_VARIABLE = "DS01_RUN_DIR"
SERVICE_FILE = "culler.env"
GATEWAY_FILE = "gateway.env"
PEOPLE_FILE = "people.env"
"""Settings of services, and of `ds01 admin user remove`, beside the policy."""

_DEFAULT_CONFIG = Path("/etc/ds01")
_DEFAULT_STATE = Path("/var/lib/ds01")
_DEFAULT_RUN = Path("/run/ds01")
_DEFAULT_EVENTS = Path("/var/log/ds01/events.jsonl")
_EXPORTER_VARIABLE = "DS01_EXPORTER_URL"
_EXPORTER_URL = "http://127.0.0.1:484/-/healthy"
_SECRETS = ("cookie-secret", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm")
_SECRET_SETTINGS = (SERVICE_FILE, GATEWAY_FILE, PEOPLE_FILE, "hub.env", "exporter.token")


@dataclass(frozen=True, slots=True)
class Directories:
    """Where this installation's files are.

    Attributes:
        config: Files that the administrator edits.
        state: Files that the platform writes.
        events: The audit log.
        engine_socket: The container engine's Unix socket.
        run: The gateway's socket, and mounts; gone after a boot.
    """

    config: Path
    state: Path
    events: Path
    engine_socket: str = "/var/run/docker.sock"
    run: Path = _DEFAULT_RUN

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Directories":
        """`DS01_CONFIG_DIR` and `DS01_STATE_DIR`, or /etc/ds01 and /var/lib/ds01.

        With `DS01_STATE_DIR` the audit log is in it; else it is /var/log/ds01/events.jsonl.
        """
        state = environment.get(STATE_VARIABLE)
        return cls(
            config=Path(environment.get(CONFIG_VARIABLE) or _DEFAULT_CONFIG),
            state=Path(state) if state else _DEFAULT_STATE,
            events=Path(state) / "events.jsonl" if state else _DEFAULT_EVENTS,
            engine_socket=environment.get(SOCKET_VARIABLE) or "/var/run/docker.sock",
            run=Path(environment.get(RUN_VARIABLE) or _DEFAULT_RUN),
        )

    @property
    def is_main(self) -> bool:
        """Whether this is the machine's own installation: the one in /var/lib/ds01.

        There is one such folder, so that of several installations on one engine no two can be it.
        """
        return self.state.resolve() == _DEFAULT_STATE.resolve()

    @property
    def is_demo(self) -> bool:
        """Whether it is a demo's, which goes away again and leaves the machine as it was."""
        return (self.state / ".ds01-demo").exists()

    @property
    def keeper(self) -> Keeper:
        """Who runs its services."""
        if not self.is_demo:
            return SYSTEMD
        try:
            port = (self.state / "port").read_text(encoding="ascii")
        except (OSError, ValueError):
            port = ""
        return demo_keeper(Path(__file__).resolve().parents[1], self.state.resolve(), port)

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.state / "ledger.sqlite"

    @property
    def gateway_socket(self) -> Path:
        """Where Docker clients find the gateway."""
        return self.run / "docker.sock"


class Platform:
    """Every part, made when it is first needed, so that one that is down stops only itself.

    Reading an attribute may block and may raise `Unavailable` or `PolicyError`; what raised is
    tried again at the next reading.
    """

    def __init__(self, directories: Directories, actor: str) -> None:
        self.directories = directories
        self.actor = actor
        self.clock = SystemClock()

    @cached_property
    def instance(self) -> str:
        """Id of this installation: made once, kept in the state folder."""
        return self._kept("instance-id", lambda: secrets.token_hex(6))

    @cached_property
    def cookie_secret(self) -> bytes:
        """Signs the cookies of the API: made once, kept in the state folder."""
        return bytes.fromhex(self._kept("cookie-secret", lambda: secrets.token_hex(32)))

    @cached_property
    def events(self) -> EventFile:
        """The audit log."""
        return EventFile(self.directories.events)

    @cached_property
    def audit(self) -> Audit:
        """Writes events in this process' name."""
        return Audit(self.clock, BoundedLog(self.events), self.actor)

    @cached_property
    def policy(self) -> PolicyFiles:
        """The policy in force."""
        return PolicyFiles(self.directories.config, self.clock, self.events)

    @cached_property
    def gpu_config(self) -> GpuConfig:
        """`gpu-config.yaml`; read once."""
        path = self.directories.config / "gpu-config.yaml"
        return parse_gpu_config(read_text(path), str(path)) if path.exists() else GpuConfig()

    @cached_property
    def images(self) -> ImageCatalogue:
        """`images.yaml`; read once."""
        path = self.directories.config / "images.yaml"
        return parse_images(read_text(path), str(path))

    @cached_property
    def build_settings(self) -> BuildSettings:
        """What builds are given to reach a package index; read once."""
        section = self.images.build
        if not section.host_settings:
            return BuildSettings()
        bundle = Path(section.ca_bundle) if section.ca_bundle else None
        try:
            return read_build_settings(bundle, section.pip.settings() if section.pip else None)
        except OSError as exc:
            raise Unavailable(
                f"The certificates for builds cannot be read: {exc}.",
                "Correct build.ca_bundle in images.yaml.",
            ) from exc

    @cached_property
    def build_catalogue(self) -> Catalogue:
        """What people are offered to make images of; read once."""
        section, aime = self.images.build, Rows(())
        if section.aime is not None:
            aime = read_rows(read_text(Path(section.aime.file)), section.aime.architecture)
        return build_catalogue(section, aime, host_settings=bool(self.build_settings.files))

    @cached_property
    def probe(self) -> GpuProbe:
        """The GPUs."""
        return open_probe(self.gpu_config, self.directories.state / SIMULATION_STATE)

    @cached_property
    def engine(self) -> DockerEngine:
        """The container engine."""
        return DockerEngine(self.directories.engine_socket)

    @cached_property
    def jupyter_servers(self) -> DirectJupyterServers:
        """Single-user servers, asked past the hub."""
        return DirectJupyterServers(self.engine, now=self.clock.now)

    @cached_property
    def keep_alive_files(self) -> WorkspaceKeepAliveFiles:
        """Keep-alive files in workspaces."""
        return WorkspaceKeepAliveFiles()

    @cached_property
    def cgroups(self) -> Cgroups:
        """Per-person cgroups."""
        top = cgroup_top(self.instance, is_main=self.directories.is_main)
        return open_cgroups(self.engine.info(), top=top)

    @cached_property
    def activity(self) -> KernelActivity:
        """What the kernel counts for containers."""
        return KernelActivity(self.engine.info(), self.engine)

    @cached_property
    def usage(self) -> KernelUsage:
        """What containers use."""
        return KernelUsage(self.engine.info(), self.engine)

    @cached_property
    def processes(self) -> KernelProcesses:
        """The processes of running containers."""
        return KernelProcesses(self.engine.info(), self.engine)

    @cached_property
    def aggregates(self) -> Aggregates:
        """The kernel's bounds on people."""
        return Aggregates(cgroups=self.cgroups, audit=self.audit)

    @cached_property
    def ledger(self) -> SqliteLedger:
        """Reservations, tickets, usage."""
        return SqliteLedger(self.directories.ledger)

    @cached_property
    def notice_board(self) -> FileNoticeBoard:
        """What people see inside their containers."""
        return FileNoticeBoard(self.directories.state / "notices", SystemZone())

    @cached_property
    def ssh_access(self) -> SshAccess:
        """Lets people in by SSH."""
        folder = FileSshFolder(self.directories.state / "notices")
        return SshAccess(accounts=self.accounts, ledger=self.ledger, folder=folder)

    @cached_property
    def accounts(self) -> UnixAccounts:
        """Unix accounts."""
        return UnixAccounts()

    @cached_property
    def observer(self) -> Observer:
        """Readings of engine and GPUs."""
        return Observer(self.clock, self.engine, self.probe, table=self.process_table)

    @cached_property
    def process_table(self) -> KernelProcessTable:
        """Who the processes of this machine are."""
        return KernelProcessTable()

    @cached_property
    def start_watch(self) -> StartWatch:
        """Tells the lifecycle service when containers start."""
        return self.engine.starts()

    @cached_property
    def past_platform(self) -> PastPlatform:
        """Looks after work on GPUs that was started past the platform."""
        return PastPlatform(
            clock=self.clock,
            policy=self.policy,
            ledger=self.ledger,
            engine=self.engine,
            table=self.process_table,
            attribution=self.attribution,
            outbox=self.outbox,
            audit=self.audit,
            zone=self.zone,
            is_main=self.directories.is_main,
        )

    @cached_property
    def bare_metal(self) -> BareMetal:
        """Access to the GPUs outside of containers."""
        return BareMetal(
            clock=self.clock,
            policy=self.policy,
            accounts=self.accounts,
            ledger=self.ledger,
            reader=self.ledger,
            nodes=KernelGpuNodes(self.directories.state / "bare-metal.lock"),
            channels=self.channels,
            audit=self.audit,
            zone=self.zone,
            holder=f"{os.uname().nodename}-{os.getpid()}-{secrets.token_hex(4)}",
            is_main=self.directories.is_main,
        )

    @cached_property
    def attribution(self) -> Attribution:
        """Whose everything is that runs on the GPUs."""
        return self.attribution_of(self.engine)

    def attribution_of(self, engine: ContainerList) -> Attribution:
        """The same, where somebody else asks the engine."""
        return Attribution(
            clock=self.clock,
            probe=self.probe,
            table=self.process_table,
            engine=engine,
            accounts=self.accounts,
            granted=self._granted_people,
            placed=self._containers_by_cgroup,
        )

    @cached_property
    def site(self) -> Site:
        """What containers' descriptions take from this installation."""
        return Site(
            instance=self.instance,
            is_main=self.directories.is_main,
            io_device=disk_of(Path(self.engine.info().data_root)),
        )

    @cached_property
    def admission(self) -> Admission:
        """Decides about launches."""
        return Admission(
            clock=self.clock,
            policy=self.policy,
            accounts=self.accounts,
            cgroups=self.cgroups,
            ledger=self.ledger,
            board=self.notice_board,
            observer=self.observer,
            audit=self.audit,
            rules=Rules(
                strategy=STRATEGIES[self.gpu_config.strategy],
                resolve_image=self._resolve_image,
                may_pull=self._may_pull,
                site=self.site,
                excluded_gpus=self.excluded_gpus,
                check_storage=self._check_storage,
            ),
        )

    @cached_property
    def launcher(self) -> Launcher:
        """Makes containers."""
        return Launcher(
            admission=self.admission,
            engine=self.engine,
            aggregates=self.aggregates,
            succession=self.succession,
            audit=self.audit,
            roots=self.engine,
        )

    @cached_property
    def starts(self) -> Starts:
        """Starts containers that exist."""
        return Starts(
            admission=self.admission,
            readmission=Readmission(
                clock=self.clock,
                ledger=self.ledger,
                observer=self.observer,
                admission=self.admission,
            ),
            engine=self.engine,
            aggregates=self.aggregates,
            succession=self.succession,
            outlook=self.outlook,
            audit=self.audit,
            readiness=Readiness(self.accounts, self.engine, self.binds, self.volume_folders),
            stillness=self.stillness,
        )

    @cached_property
    def image_shelf(self) -> ImageShelf:
        """What images are on this machine."""
        return ImageShelf(self.engine)

    @cached_property
    def disk_room(self) -> DiskRoom:
        """Looks whether the engine's disk has room."""
        return DiskRoom(lambda: self.engine.info().data_root)

    @cached_property
    def stillness(self) -> Stillness:
        """Keeps starts apart from what the engine copies as root."""
        return Stillness()

    @cached_property
    def succession(self) -> Succession:
        """Hands work on."""
        return Succession(clock=self.clock, policy=self.policy, ledger=self.ledger)

    @cached_property
    def binds(self) -> Binds:
        """Folders of the host in people's containers."""
        return Binds(
            UnixPaths(self._own_folders, self.directories.gateway_socket),
            KernelBindStage(self.directories.run),
            self.engine,
        )

    @cached_property
    def volume_folders(self) -> EngineVolumeFolders:
        """Folders of volumes."""
        return EngineVolumeFolders(lambda: Path(self.engine.info().data_root))

    def _own_folders(self) -> tuple[Path, ...]:
        """What no person mounts: what the platform and the engine keep."""
        engine = Path(self.engine.info().data_root)
        return self.directories.state, self.directories.run, engine

    @cached_property
    def isolation(self) -> Isolation:
        """The fence around people's containers."""
        beside = environment_in(self.directories.config / SERVICE_FILE)
        return Isolation(
            bridges=self.engine,
            packet_filter=IptablesFilter(),
            host=ResolverFiles(),
            config=IsolationFile(self.directories.config).current,
            audit=self.audit,
            instance=self.instance,
            is_main=self.directories.is_main,
            ports=remembered_ports(
                self.directories.state / "hub-ports",
                (*hub_ports(os.environ), *hub_ports(beside)),
            ),
        )

    @cached_property
    def build_places(self) -> BuildPlaces:
        """Places for builds of images."""
        return BuildPlaces(
            clock=self.clock,
            ledger=self.ledger,
            admission=self.admission,
            aggregates=self.aggregates,
        )

    @cached_property
    def doors(self) -> Doors:
        """Ways past the platform."""
        config, files = self.directories.config, (GATEWAY_FILE, SERVICE_FILE)
        machine = Machine(
            groups=GroupFiles(),
            nodes=FileNodes(),
            engine=DaemonFile(self.engine.said),
            files=HostFiles(),
            gateway=HttpSocket(str(self.directories.gateway_socket)),
            isolation=self.isolation,
            ports=ListeningPorts([os.environ, *(environment_in(config / each) for each in files)]),
            granted=self._granted_ids,
            keeper=self.directories.keeper,
        )
        return Doors(
            machine=machine,
            records=DoorFolder(self.directories.state / "doors"),
            clock=self.clock,
            audit=self.audit,
        )

    def health(self, hub: Callable[[], HubClient | None], *, inside: bool = False) -> Health:
        """Looks at everything; one for each who looks again and again.

        Args:
            hub: Gives the hub's API, where anything says where that is.
            inside: Whether the gateway itself looks, which needs not be asked whether it answers.
        """
        look, directories = KernelMachineLook(), self.directories
        care = LedgerLook(directories.ledger)
        # Who only looks leaves no line that a file is not valid: services say it.
        looked_at = PolicyFiles(directories.config, self.clock, NoEvents())

        def ledger() -> SqliteLedger:
            if "ledger" not in self.__dict__:
                self.ledger = care.opened()  # for the doors, too, which look for grants in it
            return self.ledger

        def doors() -> tuple[Finding, ...]:
            ledger()
            return self.doors.look()

        parts = PartsHealth(
            clock=self.clock,
            engine=lambda: self.engine,
            cgroups=lambda: self.cgroups,
            probe=lambda: self.probe,
            policy=lambda: self.policy if inside else looked_at,
            ledger=ledger,
            care=lambda: care,
            ledger_path=str(directories.ledger),
            accounts=self.accounts,
            images=lambda: self.images,
            machine=look,
            carbon=self.carbon.rates,
        )
        services = Services(
            clock=self.clock,
            ledger=ledger,
            hub=hub,
            public_url=self._said("JUPYTERHUB_PUBLIC_URL"),
            gateway=None if inside else HttpSocket(str(directories.gateway_socket)),
            exporter_url=self._said(_EXPORTER_VARIABLE) or _EXPORTER_URL,
            exporter_is_named=bool(self._said(_EXPORTER_VARIABLE)),
            machine=look,
            doors=doors if os.geteuid() == 0 else None,
            keeper=directories.keeper,
        )
        machine = MachineHealth(
            look=look,
            clock=self.clock,
            ledger=ledger,
            places=self._places,
            state=str(directories.state),
            config=str(directories.config),
            run=str(directories.run),
            events=str(directories.events),
            socket=str(directories.gateway_socket),
            secrets=(
                *(str(directories.state / name) for name in _SECRETS),
                *(str(directories.config / name) for name in _SECRET_SETTINGS),
            ),
        )
        return Health((*part_checks(parts), *machine_checks(machine), *service_checks(services)))

    def _places(self) -> Mapping[str, str]:
        """Folders that the platform writes to, by what is in them."""
        known = {
            "homes": "/home",
            "state": str(self.directories.state),
            "events": str(self.directories.events.parent),
        }
        with suppress(Unavailable):  # the check of the engine tells
            known["engine"] = self.engine.info().data_root
        return known

    def _said(self, variable: str) -> str:
        """What the environment says, or a file beside the policy; empty where neither does."""
        config = self.directories.config
        beside = (environment_in(config / name) for name in (GATEWAY_FILE, SERVICE_FILE))
        return next((each[variable] for each in (os.environ, *beside) if each.get(variable)), "")

    @cached_property
    def servers(self) -> Servers:
        """Stops containers."""
        return Servers(
            admission=self.admission,
            engine=self.engine,
            policy=self.policy,
            audit=self.audit,
        )

    @cached_property
    def storage_meter(self) -> HomeMeter:
        """Measures people's homes."""
        return HomeMeter(self.clock, self.directories.state / "homes")

    @cached_property
    def storage(self) -> Storage:
        """Compares homes with the storage limit."""
        return Storage(
            clock=self.clock,
            policy=self.policy,
            accounts=self.accounts,
            engine=self.engine,
            ledger=self.ledger,
            meter=self.storage_meter,
            audit=self.audit,
            post=self.outbox.post,
            instance=self.instance,
            is_main=self.directories.is_main,
            zone=self.zone,
        )

    @cached_property
    def zone(self) -> tzinfo:
        """Where this machine's clock hangs: what people are told is in its time."""
        return SystemZone()

    @cached_property
    def survey(self) -> Survey:
        """What is known of everybody's containers."""
        return Survey(policy=self.policy, engine=self.engine, admission=self.admission)

    @cached_property
    def outlook(self) -> Outlook:
        """What lies ahead of people's containers."""
        return Outlook(clock=self.clock, ledger=self.ledger, survey=self.survey)

    @cached_property
    def keep_alives(self) -> KeepAlives:
        """Keeps containers running although nobody uses them."""
        return KeepAlives(
            clock=self.clock, ledger=self.ledger, survey=self.survey, audit=self.audit
        )

    @cached_property
    def echoes(self) -> Echoes:
        """What this process writes to terminals."""
        return Echoes()

    @cached_property
    def outbox(self) -> Outbox:
        """Notices on their way to people."""
        return Outbox(
            clock=self.clock,
            ledger=self.ledger,
            engine=self.engine,
            processes=self.processes,
            channels=self.channels,
            audit=self.audit,
            zone=self.zone,
            echoes=self.echoes,
        )

    @cached_property
    def channels(self) -> AppriseChannels:
        """Ways to people outside their containers."""
        return AppriseChannels(self.directories.config, self.clock, self.events)

    @cached_property
    def telling(self) -> Telling:
        """What the lifecycle tells people."""
        return Telling(policy=self.policy, outbox=self.outbox, audit=self.audit, zone=self.zone)

    @cached_property
    def people(self) -> People:
        """Adds people."""
        return People(
            accounts=ShadowTools(),
            memberships=MembershipFiles(self.directories.config),
            addresses=AddressFiles(self.directories.config),
            policy=self.policy,
            audit=self.audit,
        )

    @cached_property
    def register(self) -> Register:
        """Lists people."""
        return Register(
            accounts=ShadowTools(),
            policy=self.policy,
            engine=self.engine,
            ledger=self.ledger,
            instance=self.instance,
        )

    @cached_property
    def leaving_mark(self) -> LeavingMark:
        """Tells that somebody has left the hub."""
        return LeavingMark(self.directories.state / "leaving-mark")

    def departures(self, hub: HubClient | None, hub_people: HubPeople | None) -> Departures:
        """Removes people.

        Args:
            hub: Told of their servers; without it, it finds out by itself that they stopped.
            hub_people: The hub's own list, where it can be asked.
        """
        return Departures(
            accounts=ShadowTools(),
            memberships=MembershipFiles(self.directories.config),
            addresses=AddressFiles(self.directories.config),
            things=self.engine,
            ssh_folder=FileSshFolder(self.directories.state / "notices"),
            engine=self.engine,
            ledger=self.ledger,
            servers=self.servers,
            hub=hub,
            hub_people=hub_people,
            mark=self.leaving_mark,
            audit=self.audit,
            instance=self.instance,
        )

    def lifecycle(self, hub: HubClient | None) -> Lifecycle:
        """Looks at containers and says what is due; one for each who looks again and again.

        Args:
            hub: Asked which servers exist and when they were used; without it, none are.
        """
        return Lifecycle(
            policy=self.policy,
            engine=self.engine,
            admission=self.admission,
            checks=Checks(activity=self.activity, jupyter=self.jupyter_servers),
            keep_alive_files=self.keep_alive_files,
            echoes=self.echoes,
            hub=hub,
        )

    def enforcer(
        self, hub: HubClient | None, *, executor: Executor, terms: Terms, recheck_after: timedelta
    ) -> Enforcer:
        """Makes the passes of the lifecycle service.

        Args:
            hub: Stops its servers; without it, they are left alone.
            executor: Where stops wait.
            terms: Who makes passes, and how long they may take.
            recheck_after: Between the look that leads to a stop and the one that confirms it.
        """
        lifecycle = self.lifecycle(hub)
        stops = Stops(
            clock=self.clock,
            ledger=self.ledger,
            engine=self.engine,
            hub=hub,
            lifecycle=lifecycle,
            telling=self.telling,
            audit=self.audit,
            patience=Patience(recheck_after),
        )
        return Enforcer(
            clock=self.clock,
            ledger=self.ledger,
            lifecycle=lifecycle,
            record=PassRecord(telling=self.telling, audit=self.audit),
            stops=stops,
            removals=Removals(
                clock=self.clock,
                ledger=self.ledger,
                engine=self.engine,
                admission=self.admission,
                audit=self.audit,
            ),
            board=Board(ledger=self.ledger, board=self.notice_board),
            processes=self.processes,
            troubles=Troubles(self.audit),
            executor=executor,
            terms=terms,
        )

    @cached_property
    def carbon(self) -> CarbonFiles:
        """What a kilowatt-hour emits."""
        return CarbonFiles(self.directories.config)

    @cached_property
    def books(self) -> Books:
        """Keeps the books of GPU slots."""
        return Books(
            ledger=self.ledger,
            events=EventTail(self.directories.events),
            probe=self.probe,
            instance=self.instance,
            rates=self.carbon.rates,
            unmanaged=self._unmanaged_use,
        )

    @property
    def _unmanaged_use(self) -> UnmanagedUse | None:
        """Of several installations on one engine the main one books it: it tells no maker."""
        if not self.directories.is_main:
            return None
        return UnmanagedUse(
            ContainerOwners(self.accounts),
            self.engine.container,
            lambda owner: owner.user is None and self.policy.current().unmanaged.spares(owner),
        )

    @cached_property
    def reports(self) -> Reports:
        """What was used."""
        return Reports(
            clock=self.clock, ledger=self.ledger, source=lambda: self.carbon.config().source
        )

    def reconciler(self, hub: HubClient | None, grace: timedelta = GRACE) -> Reconciler:
        """Repairs what crashes leave behind.

        Args:
            hub: Asked which servers exist; without it, hub containers are left alone.
            grace: Nothing younger is repaired.
        """
        leftovers = Leftovers(
            clock=self.clock,
            cgroups=self.cgroups,
            ledger=self.ledger,
            hub=hub,
            audit=self.audit,
            instance=self.instance,
            group_of=self.admission.group_of,
        )
        leftovers.recall()
        return Reconciler(
            clock=self.clock,
            policy=self.policy,
            engine=self.engine,
            ledger=self.ledger,
            admission=self.admission,
            aggregates=self.aggregates,
            audit=self.audit,
            hub=hub,
            leftovers=leftovers,
            books=self.books,
            grace=grace,
        )

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        """The text of a file of the state folder, made if there is none yet."""
        path = self.directories.state / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not path.exists():
            # Linked into place whole: another process never reads half of it.
            draft = path.with_name(f".{name}.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(make(), encoding="ascii")
            with suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()
        try:
            kept = read_text(path).strip()
        except PolicyError as exc:
            raise Unavailable(str(exc), "Restore the file.") from exc
        if not kept:
            raise Unavailable(f"{path} is empty.", "Restore the file.")
        return kept

    def _granted_people(self) -> frozenset[str]:
        return self.bare_metal.granted_people()

    def _granted_ids(self) -> frozenset[int]:
        return self.bare_metal.granted_ids()

    def _containers_by_cgroup(self) -> Mapping[str, tuple[str, str]]:
        return self.cgroups.containers()

    def _check_storage(self, user: str, limits: Limits) -> None:
        self.storage.check(user, limits)

    def _resolve_image(self, user: str, group: str | None, text: str) -> str:
        if is_image_id(text):
            # What has no name any more is its owner's alone.
            if self.images.allow_own_images and self.engine.image_owner(text) == user_slug(user):
                self._check_image_size(user, text)
                return text
            raise NotFound(f"No such image: {text}")
        if text:
            return self.images.resolve(user, group, text)
        default = self.images.default_for(group)
        if default is None:
            raise Forbidden("No image is offered to you.", "Ask the administrator for one.")
        return default.reference

    def _check_image_size(self, user: str, image_id: str) -> None:
        """What has a name was looked at when it got it; this may be a step of a failed build."""
        size = self.engine.image_bytes(image_id)
        limit = ImageSizeLimit(self.admission.limits(user).max_image_size_bytes)
        if not limit.allows(size):
            raise limit.too_large(size, image=f"The image {image_id}", next_step=REMOVE)

    def _may_pull(self, reference: str) -> bool:
        catalogue = self.images
        return (
            catalogue.entry(reference) is not None
            or catalogue.is_base(reference)
            or catalogue.is_pullable(reference)
        )

    def excluded_gpus(self, inventory: Inventory) -> frozenset[str]:
        """Cards (UUID) that interactive work is not given."""
        every = frozenset(gpu.uuid for gpu in inventory.gpus)
        return every - self.gpu_config.interactive_gpus(inventory)


def open_hub(
    directories: Directories, environment: Mapping[str, str] = os.environ
) -> HubClient | None:
    """The hub as the lifecycle service asks it, for an administrator beside it.

    By the environment, or else by the file that systemd starts the service with; `None` where
    neither says where the hub is, or the file is closed to whoever runs this.
    """
    return hub_from(environment) or hub_from(environment_in(directories.config / SERVICE_FILE))


def open_hub_people(
    directories: Directories, environment: Mapping[str, str] = os.environ
) -> HubPeople | None:
    """The hub's own list, for an administrator beside it; `None` where nothing says where it is.

    By the token that is for this alone; else by a service's, which may look and not remove.
    """
    files = (directories.config / name for name in (PEOPLE_FILE, SERVICE_FILE, GATEWAY_FILE))
    people, *services = (hub_from(environment_in(file)) for file in files)
    return next((each for each in (people, hub_from(environment), *services) if each), None)


def open_platform(directories: Directories | None = None, *, actor: str) -> Platform:
    """The platform of this machine.

    Args:
        directories: Where its files are; by default from the environment.
        actor: Name of the program, as events call it.
    """
    return Platform(directories or Directories.from_environment(), actor)
