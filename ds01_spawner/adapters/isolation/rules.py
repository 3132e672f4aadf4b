"""A fence as rules of iptables, and what is missing of them. Pure.

Two chains look at the interface that a packet came in by, and two more decide:

    FORWARD → DOCKER-USER → DS01-FORWARD-tag → DS01-OUT-tag    what goes through the host
    INPUT                 → DS01-INPUT-tag   → DS01-HOST-tag   what goes to the host

They only take away. What they let pass goes on to the engine's rules and the administrator's.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ds01_spawner.domain.fence import Fence

_OWN = "DS01-"
_DOCKER = "DOCKER-USER"
_ANSWERS = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
_SAME_BRIDGE = "-m physdev --physdev-is-bridged -j RETURN"

_NAMES = 53


class Family(IntEnum):
    """Internet protocol."""

    V4 = 4
    V6 = 6


_REFUSE = {Family.V4: "-j REJECT --reject-with icmp-admin-prohibited", Family.V6: "-j DROP"}


@dataclass(frozen=True, slots=True)
class Saved:
    """The filter table as `iptables-save` prints it.

    Attributes:
        chains: Rules of each chain, in order, without `-A CHAIN`.
    """

    chains: dict[str, list[str]]

    @classmethod
    def parse(cls, text: str) -> "Saved":
        """What the printed table holds."""
        chains: dict[str, list[str]] = {}
        for line in text.splitlines():
            if line.startswith(":"):
                chains.setdefault(line[1:].split()[0], [])
            elif line.startswith("-A "):
                _, chain, *rule = line.split(" ", 2)
                chains.setdefault(chain, []).append(" ".join(rule))
        return cls(chains)

    def forward_hook(self) -> str:
        """The chain where what goes through the host is looked at first.

        The engine keeps DOCKER-USER before its own rules whatever it does. Where it does not, or
        something comes before, FORWARD itself.
        """
        rules = [rule for rule in self.chains.get("FORWARD", ()) if not _is_ours(rule)]
        return _DOCKER if rules[:1] == [f"-j {_DOCKER}"] and _DOCKER in self.chains else "FORWARD"

    def is_hooked(self, chain: str, hook: str) -> bool:
        """Whether `hook` jumps to `chain` before anything that is not ours."""
        for rule in self.chains.get(hook, ()):
            if rule == f"-j {chain}":
                return True
            if not _is_ours(rule):
                return False
        return False

    def jumps(self, chain: str) -> list[str]:
        """The chains that jump to `chain`, once for each rule that does."""
        return [
            name for name, rules in self.chains.items() for rule in rules if rule == f"-j {chain}"
        ]


def chain_names(tag: str) -> tuple[str, str, str, str]:
    """Forward, out, input, host: the chains of an installation."""
    return (
        f"{_OWN}FORWARD-{tag}",
        f"{_OWN}OUT-{tag}",
        f"{_OWN}INPUT-{tag}",
        f"{_OWN}HOST-{tag}",
    )


def fence_rules(fence: Fence, family: Family, *, bridged: bool) -> dict[str, list[str]]:
    """Rules by chain.

    Args:
        fence: What passes.
        family: Of which addresses.
        bridged: Whether the kernel shows what stays within one bridge (br_netfilter). The rule for
            that would load the module where it is not, and then all the host's bridges are
            filtered, those of virtual machines too.
    """
    same = [_SAME_BRIDGE] if bridged else []
    forward, out, to_host, host = chain_names(fence.tag)
    ways_in = [f"{fence.prefix}+", *fence.interfaces]
    if family is Family.V4:
        decided = {out: [*same, *_out(fence)], host: _host(fence)}
    else:
        decided = {out: [*same, _REFUSE[family]], host: [_REFUSE[family]]}
    digest = _digest(fence, decided)
    return {
        forward: [f'-i {way} -m comment --comment "{digest}" -j {out}' for way in ways_in],
        to_host: [f'-i {way} -m comment --comment "{digest}" -j {host}' for way in ways_in],
        **decided,
    }


def faults(saved: Saved, fence: Fence, family: Family, *, bridged: bool) -> list[str]:
    """What keeps the fence from being in force, in sentences."""
    forward, _, to_host, _ = chain_names(fence.tag)
    found = []
    for chain, rules in fence_rules(fence, family, bridged=bridged).items():
        there = saved.chains.get(chain)
        if there is None:
            found.append(f"The chain {chain} (IPv{family:d}) is missing.")
        elif len(there) != len(rules) or _digests(there) != _digests(rules):
            found.append(f"The chain {chain} (IPv{family:d}) holds other rules.")
    for chain, hook in ((forward, saved.forward_hook()), (to_host, "INPUT")):
        if not saved.is_hooked(chain, hook):
            found.append(f"{hook} (IPv{family:d}) does not begin with the jump to {chain}.")
    return found


def restore_text(saved: Saved, fence: Fence, family: Family, *, bridged: bool) -> str:
    """What `iptables-restore --noflush` reads to put the fence up, in one step."""
    forward, _, to_host, _ = chain_names(fence.tag)
    rules = fence_rules(fence, family, bridged=bridged)
    lines = ["*filter", *(f":{chain} - [0:0]" for chain in rules)]
    lines += [f"-A {chain} {rule}" for chain in rules for rule in rules[chain]]
    for chain, hook in ((forward, saved.forward_hook()), (to_host, "INPUT")):
        if saved.is_hooked(chain, hook) and saved.jumps(chain) == [hook]:
            continue
        lines += [f"-D {place} -j {chain}" for place in saved.jumps(chain)]
        lines.append(f"-I {hook} 1 -j {chain}")
    return "\n".join([*lines, "COMMIT", ""])


def removal_text(saved: Saved, tag: str) -> str:
    """What `iptables-restore --noflush` reads to take a fence down; empty without one."""
    chains = [chain for chain in chain_names(tag) if chain in saved.chains]
    if not chains:
        return ""
    jumps = [f"-D {place} -j {chain}" for chain in chains for place in saved.jumps(chain)]
    gone = [line for chain in chains for line in (f"-F {chain}",)]
    return "\n".join(["*filter", *jumps, *gone, *(f"-X {chain}" for chain in chains), "COMMIT", ""])


def _out(fence: Fence) -> list[str]:
    refuse = _REFUSE[Family.V4]
    ways = [f"{fence.prefix}+", *fence.interfaces]
    return [
        _ANSWERS,
        *(f"-o {way} {refuse}" for way in ways),
        *_name_rules(fence),
        *(f"-d {each} -j RETURN" for each in fence.allowed),
        *(f"-d {each} {refuse}" for each in fence.blocked),
        *([] if fence.internet else [refuse]),
    ]


def _host(fence: Fence) -> list[str]:
    return [
        _ANSWERS,
        *_name_rules(fence),
        *(
            f"-p {each.transport} -m {each.transport} --dport {each.port} -j RETURN"
            for each in fence.host_ports
        ),
        _REFUSE[Family.V4],
    ]


def _name_rules(fence: Fence) -> list[str]:
    return [
        f"-d {server}/32 -p {transport} -m {transport} --dport {_NAMES} -j RETURN"
        for server in fence.nameservers
        for transport in ("udp", "tcp")
    ]


def _digest(fence: Fence, decided: dict[str, list[str]]) -> str:
    text = repr((fence, decided))
    return f"ds01 {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _digests(rules: Sequence[str]) -> set[str]:
    return {rule.split('--comment "')[1].split('"')[0] for rule in rules if '--comment "' in rule}


def _is_ours(rule: str) -> bool:
    return rule.startswith(f"-j {_OWN}")
