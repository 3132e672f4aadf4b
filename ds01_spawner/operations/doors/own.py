"""Doors that the platform has of its own, and those that are only told of."""

from collections.abc import Callable
from dataclasses import dataclass

from ds01_spawner.domain.door import Finding
from ds01_spawner.operations.doors.isolation import Isolation
from ds01_spawner.operations.doors.kinds import Before
from ds01_spawner.ports.doors import GatewaySocket, SystemFiles

_FEW = 3
PROFILE = "/etc/profile.d/ds01-docker.sh"


@dataclass(frozen=True, slots=True)
class ProfileDoor:
    """Where people's Docker clients connect to."""

    files: SystemFiles
    gateway: GatewaySocket
    name: str = "docker-host"

    def look(self) -> Finding | None:
        """Whether shells are told of the gateway's socket."""
        is_open = self.files.read(PROFILE) != self._text()
        return Finding(
            name=self.name,
            is_open=is_open,
            what=f"{PROFILE} does not lead people's Docker clients to {self.gateway.path}."
            if is_open
            else f"{PROFILE} leads people's Docker clients to {self.gateway.path}.",
            why="Without it docker looks for the engine's own socket, and says permission denied.",
            changes=(self._change(),) if is_open else (),
        )

    def before(self) -> Before:
        """What the file says."""
        return {"text": self.files.read(PROFILE)}

    def close(self) -> None:
        """Write the file."""
        self.files.write(PROFILE, self._text())

    def reopen(self, before: Before) -> tuple[str, ...]:
        """Put back what was there."""
        text = before.get("text")
        self.files.write(PROFILE, text if isinstance(text, str) else None)
        return (f"{PROFILE} is {'as it was' if isinstance(text, str) else 'gone'}.",)

    def _change(self) -> str:
        return (
            f"{PROFILE} sets DOCKER_HOST=unix://{self.gateway.path} and DOCKER_BUILDKIT=0 in login"
            " shells of everybody but root, unless they are set already."
        )

    def _text(self) -> str:
        return (
            "# Written by ds01 admin doors: people's Docker clients use DS01's gateway.\n"
            'if [ "$(id -u)" -ne 0 ] && [ -z "${DOCKER_HOST:-}" ]; then\n'
            f"    export DOCKER_HOST=unix://{self.gateway.path}\n"
            '    export DOCKER_BUILDKIT="${DOCKER_BUILDKIT:-0}"\n'
            "fi\n"
        )


@dataclass(frozen=True, slots=True)
class IsolationDoor:
    """The fence around people's containers."""

    isolation: Isolation
    name: str = "isolation"

    def look(self) -> Finding | None:
        """Whether it is in force."""
        standing = self.isolation.look()
        if not standing.enabled:
            what = "isolation.yaml says enabled: false, so containers reach the host's addresses."
        elif standing.faults:
            more = len(standing.faults) - _FEW
            what = " ".join(standing.faults[:_FEW]) + (f" And {more} more." if more > 0 else "")
        else:
            ports = ", ".join(map(str, standing.fence.host_ports)) or "nothing"
            what = f"The rules are in force; of the host, containers reach {ports}."
        return Finding(
            name=self.name,
            is_open=not standing.is_in_force,
            what=what,
            why="Containers could reach the engine, the cloud's metadata and what listens on the"
            " host.",
            changes=("The rules are put up (iptables -S DOCKER-USER shows them).",)
            if standing.enabled and standing.faults
            else (),
            by_hand="ds01-gateway keeps them in force while it runs."
            if standing.enabled
            else "Set enabled: true in isolation.yaml.",
        )

    def before(self) -> Before:
        """Nothing: there are rules, or there are none."""
        return {}

    def close(self) -> None:
        """Put the rules up."""
        self.isolation.keep()

    def reopen(self, before: Before) -> tuple[str, ...]:
        """Take the rules down."""
        del before
        self.isolation.take_down()
        told = (
            "The rules are gone. A gateway that runs puts them up again within a minute, unless"
            " isolation.yaml says enabled: false."
        )
        return (told,)


@dataclass(frozen=True, slots=True)
class ToldDoor:
    """A door that is only told of: closing it is not for this program.

    Attributes:
        name: What it is called.
        why: Why it matters.
        found: Whether it is open, what was found, and what to do; `None`: there is no such thing.
    """

    name: str
    why: str
    found: Callable[[], tuple[bool, str, str] | None]

    def look(self) -> Finding | None:
        """What was found."""
        told = self.found()
        if told is None:
            return None
        is_open, what, by_hand = told
        return Finding(self.name, is_open, what, self.why, by_hand=by_hand if is_open else "")

    def before(self) -> Before:
        """Nothing is changed."""
        return {}

    def close(self) -> None:
        """Nothing is changed."""

    def reopen(self, before: Before) -> tuple[str, ...]:
        """Nothing was changed."""
        del before
        return ()
