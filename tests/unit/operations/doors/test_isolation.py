from dataclasses import dataclass, field

import pytest

from ds01_spawner.domain.errors import PolicyError, PolicyProblem, Unavailable
from ds01_spawner.domain.fence import HostPort
from ds01_spawner.domain.names import bridge_name, bridge_prefix
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.doors.isolation import Isolation, other_interfaces
from ds01_spawner.policy.isolation import IsolationConfig, parse_isolation
from ds01_spawner.ports.isolation import Bridge
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog
from fakes.packet_filter import FakeBridges, FakeHostAddresses, FakePacketFilter

HERE = "0123456789ab"
BROKEN = PolicyError((PolicyProblem("isolation.yaml", 3, "host_ports", "expected a port"),))


@dataclass
class Lab:
    bridges: FakeBridges = field(default_factory=FakeBridges)
    packet_filter: FakePacketFilter = field(default_factory=FakePacketFilter)
    events: FakeEventLog = field(default_factory=FakeEventLog)
    config: IsolationConfig | PolicyError = field(default_factory=IsolationConfig)

    def __post_init__(self) -> None:
        self.isolation = Isolation(
            bridges=self.bridges,
            packet_filter=self.packet_filter,
            host=FakeHostAddresses(),
            config=self._read,
            audit=Audit(FakeClock(), self.events, "gateway"),
            instance=HERE,
            is_main=True,
            ports=(HostPort(4321),),
        )

    def _read(self) -> IsolationConfig:
        if isinstance(self.config, PolicyError):
            raise self.config
        return self.config


@pytest.fixture
def lab() -> Lab:
    return Lab()


def bridge(interface: str, *instances: str, **marks: str) -> Bridge:
    labels = {"ds01.managed": "true", **{f"ds01.{key}": text for key, text in marks.items()}}
    return Bridge(f"net-{interface}", interface, labels, frozenset(instances))


def test_rules_are_put_up_once_and_kept(lab: Lab) -> None:
    assert not lab.isolation.look().is_in_force

    assert lab.isolation.keep().is_in_force
    assert lab.isolation.keep().is_in_force

    assert lab.isolation.look().is_in_force
    assert lab.packet_filter.calls.count("put_up") == 1
    assert lab.events.actions == ["isolation.on"]


def test_the_fence_is_what_the_configuration_says_and_what_the_hub_needs(lab: Lab) -> None:
    lab.config = parse_isolation(
        "host_ports: [8081]\nblocked_ranges: [10.9.0.0/16]\ninternet: false\n", "isolation.yaml"
    )

    (fence,) = (lab.isolation.keep().fence,)

    assert fence.prefix == bridge_prefix(HERE)
    assert fence.host_ports == (HostPort(4321), HostPort(8081))
    assert fence.blocked == ("10.9.0.0/16",)
    assert fence.nameservers == ("192.0.2.53",)
    assert not fence.internet


def test_rules_that_another_program_flushed_are_put_up_again(lab: Lab) -> None:
    lab.isolation.keep()
    lab.packet_filter.flush()

    assert lab.isolation.look().faults == ("The rules are missing.",)
    assert lab.isolation.keep().is_in_force
    assert lab.events.actions == ["isolation.on", "isolation.on"]


def test_a_filter_that_cannot_be_set_is_said_once_and_its_return_too(lab: Lab) -> None:
    lab.packet_filter.stuck = True

    assert not lab.isolation.keep().is_in_force
    assert not lab.isolation.keep().is_in_force
    lab.packet_filter.stuck = False
    assert lab.isolation.keep().is_in_force

    told = [(event.action, event.outcome) for event in lab.events.events]
    assert told == [
        ("isolation.trouble", "failed"),
        ("isolation.on", "ok"),
        ("isolation.trouble", "ok"),
    ]


def test_a_broken_edit_leaves_the_last_good_rules_and_is_said(lab: Lab) -> None:
    lab.config = parse_isolation("blocked_ranges: [10.9.0.0/16]", "isolation.yaml")
    lab.isolation.keep()
    lab.config = BROKEN

    standing = lab.isolation.keep()

    assert standing.fence.blocked == ("10.9.0.0/16",)
    assert "isolation.yaml:3: host_ports" in standing.faults[0]
    assert lab.events.actions == ["isolation.on", "isolation.trouble"]


def test_without_any_good_configuration_the_shipped_one_is_in_force(lab: Lab) -> None:
    lab.config = BROKEN

    lab.isolation.keep()

    (fence,) = lab.packet_filter.fences.values()
    assert "169.254.0.0/16" in fence.blocked


def test_an_engine_that_does_not_answer_takes_nothing_from_the_fence(lab: Lab) -> None:
    lab.bridges.found = (bridge("br-0123456789ab"),)
    lab.isolation.keep()
    lab.bridges.stuck = True

    standing = lab.isolation.keep()

    assert standing.fence.interfaces == ("br-0123456789ab",)
    assert "did not answer" in standing.faults[0]


def test_no_fence_stands_where_none_is_wanted(lab: Lab) -> None:
    lab.isolation.keep()
    lab.config = parse_isolation("enabled: false", "isolation.yaml")

    standing = lab.isolation.keep()

    assert not standing.enabled
    assert lab.packet_filter.fences == {}


@pytest.mark.parametrize("stuck", [False, True], ids=["put-up", "in-trouble"])
def test_what_the_log_did_not_take_is_said_the_next_time(lab: Lab, stuck: bool) -> None:
    lab.packet_filter.stuck = stuck
    lab.events.full = True
    with pytest.raises(Unavailable, match="no space left"):
        lab.isolation.keep()
    lab.events.full = False

    lab.isolation.keep()

    assert lab.events.actions == ["isolation.trouble" if stuck else "isolation.on"]
    assert bool(lab.packet_filter.fences) is not stuck


@pytest.mark.parametrize(
    ("found", "own"),
    [
        (bridge(bridge_name("ds01-alice", HERE), instance=HERE), False),
        (bridge("br-0123456789ab"), True),
        (bridge("br-0123456789ab", instance=HERE), True),
        (bridge("br-0123456789ab", HERE, instance="lost"), True),
        (bridge("br-0123456789ab", "another"), False),
        (bridge("br-0123456789ab", "another", HERE), True),
        (bridge("br-0123456789ab", instance="another"), False),
        (bridge("br-0123456789ab", HERE, managed=""), False),
        (bridge("docker0", managed=""), False),
        (bridge("two words", instance=HERE), False),
    ],
    ids=[
        "expected-name",
        "older",
        "own-label",
        "own-container",
        "older-of-another",
        "shared",
        "anothers",
        "administrators",
        "the-engines",
        "no-interface",
    ],
)
def test_an_older_bridge_is_ones_own_by_label_or_container(found: Bridge, own: bool) -> None:
    assert bool(other_interfaces([found], HERE, is_main=True)) is own


def test_an_older_bridge_that_tells_nothing_is_left_to_the_main_installation() -> None:
    older, own = bridge("br-0123456789ab"), bridge("br-ab0123456789", HERE)
    assert other_interfaces([older, own], HERE, is_main=False) == ("br-ab0123456789",)
