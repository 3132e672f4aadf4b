"""Keeps the rules in force that fence people's containers in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import DS01Error, PolicyError, Unavailable
from ds01_spawner.domain.fence import Fence, HostPort
from ds01_spawner.domain.names import bridge_prefix, bridge_tag
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.policy.isolation import IsolationConfig
from ds01_spawner.ports.isolation import Bridge, Bridges, HostAddresses, PacketFilter

KEEP_EVERY = timedelta(minutes=1)
"""How often the gateway looks whether the rules are in force: other programs flush them."""

SERVICE = "gateway"
_INTERFACE = re.compile(r"^[A-Za-z0-9_.-]{1,15}\Z")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the fence stands.

    Attributes:
        enabled: Whether the configuration wants one.
        fence: The one that it wants.
        faults: What keeps it from being in force, in sentences; empty when it is.
    """

    enabled: bool
    fence: Fence
    faults: tuple[str, ...]

    @property
    def is_in_force(self) -> bool:
        """Whether it is wanted and there."""
        return self.enabled and not self.faults


class Isolation:
    """The fence around an installation's bridges. One thread at a time.

    New networks are inside from their first packet: rules go by the beginning of the interface's
    name. So an engine that does not answer, or a broken edit of the configuration, takes nothing
    away.

    Args:
        bridges: The engine's networks.
        packet_filter: Where the rules are.
        host: The host's name servers.
        config: Reads the configuration.
        audit: Where changes and troubles are written.
        instance: Id of this installation.
        is_main: Whether networks that tell no maker are its own.
        ports: Ports of the host that containers need whatever the configuration says.
    """

    def __init__(  # noqa: PLR0913 - what it stands on
        self,
        *,
        bridges: Bridges,
        packet_filter: PacketFilter,
        host: HostAddresses,
        config: Callable[[], IsolationConfig],
        audit: Audit,
        instance: str,
        is_main: bool,
        ports: Sequence[HostPort] = (),
    ) -> None:
        self._bridges = bridges
        self._filter = packet_filter
        self._host = host
        self._read_config = config
        self._audit = audit
        self._instance = instance
        self._is_main = is_main
        self._ports = tuple(ports)
        self._config = IsolationConfig()
        self._interfaces: tuple[str, ...] = ()
        self._troubles: tuple[str, ...] = ()
        self._owed: tuple[str, ...] = ()

    def look(self) -> Standing:
        """How the fence stands; changes nothing."""
        config, fence, troubles = self._wanted()
        if not config.enabled:
            return Standing(enabled=False, fence=fence, faults=troubles)
        try:
            faults = self._filter.faults(fence)
        except Unavailable as exc:
            faults = (str(exc),)
        return Standing(enabled=True, fence=fence, faults=(*troubles, *faults))

    def keep(self) -> Standing:
        """Put the fence up where it is not in force, or take it down where none is wanted.

        What could not be done is an event when it begins, and another when it is over; the next
        call tries again.

        Raises:
            Unavailable: The audit log cannot be written.
        """
        config, fence, troubles = self._wanted()
        try:
            faults = self._put_up(fence) if config.enabled else self._taken_down(fence)
        except Unavailable as exc:
            faults = (str(exc),)
        if self._owed:
            self._changed(fence, self._owed)
            self._owed = ()
        self._say((*troubles, *faults))
        return Standing(enabled=config.enabled, fence=fence, faults=(*troubles, *faults))

    def _put_up(self, fence: Fence) -> tuple[str, ...]:
        faults = self._filter.faults(fence)
        if not faults:
            return ()
        self._filter.put_up(fence)
        self._owed = faults
        return self._filter.faults(fence)

    def _taken_down(self, fence: Fence) -> tuple[str, ...]:
        self._filter.take_down(fence.tag)
        return ()

    def take_down(self) -> None:
        """Remove the fence until it is kept again.

        Raises:
            Unavailable: It could not be done, or not be written down.
        """
        self._filter.take_down(bridge_tag(self._instance))
        self._audit.write(
            "isolation.off", user=None, resource=bridge_tag(self._instance), interface=SERVICE
        )

    def _wanted(self) -> tuple[IsolationConfig, Fence, tuple[str, ...]]:
        """The configuration, the fence that it makes, and what could not be read for it."""
        troubles: list[str] = []
        try:
            self._config = self._read_config()
        except PolicyError as exc:
            troubles.append(f"The last good isolation.yaml stays in force: {exc}")
        try:
            self._interfaces = other_interfaces(
                self._bridges.bridges(), self._instance, is_main=self._is_main
            )
        except DS01Error as exc:
            troubles.append(f"Older networks may be outside the fence: {exc}")
        config = self._config
        fence = Fence(
            tag=bridge_tag(self._instance),
            prefix=bridge_prefix(self._instance),
            interfaces=self._interfaces,
            host_ports=tuple(sorted({*config.host_ports, *self._ports})),
            nameservers=self._host.nameservers(),
            blocked=config.blocked_ranges,
            allowed=config.allowed_ranges,
            internet=config.internet,
        )
        return config, fence, tuple(troubles)

    def _changed(self, fence: Fence, faults: Sequence[str]) -> None:
        self._audit.write(
            "isolation.on",
            user=None,
            resource=fence.tag,
            interface=SERVICE,
            reason=faults[0],
            details={
                "host_ports": [str(port) for port in fence.host_ports],
                "blocked": list(fence.blocked),
                "allowed": list(fence.allowed),
                "nameservers": list(fence.nameservers),
                "interfaces": list(fence.interfaces),
                "internet": fence.internet,
            },
        )

    def _say(self, troubles: tuple[str, ...]) -> None:
        if troubles == self._troubles:
            return
        if troubles or self._troubles:
            self._audit.write(
                "isolation.trouble",
                user=None,
                resource=bridge_tag(self._instance),
                interface=SERVICE,
                outcome="failed" if troubles else "ok",
                reason=" ".join(troubles) or "The rules are in force again.",
            )
        self._troubles = troubles


def other_interfaces(bridges: Sequence[Bridge], instance: str, *, is_main: bool) -> tuple[str, ...]:
    """Interfaces of an installation's bridges that are not called as the rules expect.

    Networks from before interfaces had such names, and those of an installation whose id was lost
    with its state folder: a bridge is one's own by its label or by a container of one's own on it.
    One that tells nothing is the main installation's: another's rules would cut it off.
    """
    prefix = bridge_prefix(instance)
    return tuple(
        sorted(
            bridge.interface
            for bridge in bridges
            if not bridge.interface.startswith(prefix)
            and _INTERFACE.match(bridge.interface)
            and _is_own(bridge, instance, is_main=is_main)
        )
    )


def _is_own(bridge: Bridge, instance: str, *, is_main: bool) -> bool:
    if bridge.labels.get(labels.MANAGED) != "true":
        return False
    maker = bridge.labels.get(labels.INSTANCE)
    if maker == instance or instance in bridge.instances:
        return True
    return is_main and maker is None and not bridge.instances
