import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.fence import HostPort, Transport
from ds01_spawner.policy.isolation import IsolationConfig, parse_isolation
from ds01_spawner.policy.json_schema import render_isolation_schema

CONFIG = Path(__file__).parents[3] / "config"
SHIPPED = CONFIG / "isolation.yaml"


def test_the_shipped_file_says_what_holds_without_one() -> None:
    assert parse_isolation(SHIPPED.read_text(), "isolation.yaml") == IsolationConfig()


def test_the_shipped_schema_is_current_and_accepts_the_shipped_file() -> None:
    shipped = (CONFIG / "isolation.schema.json").read_text()
    assert shipped == render_isolation_schema(), (
        "run: ds01 policy schema isolation > config/isolation.schema.json"
    )
    validator = jsonschema.Draft202012Validator(json.loads(shipped))
    assert validator.is_valid(yaml.safe_load(SHIPPED.read_text()))


def test_ports_and_ranges_are_read() -> None:
    found = parse_isolation(
        "host_ports: [8081, 53/udp]\nblocked_ranges: [10.0.0.0/8, 192.0.2.7]\nallowed_ranges:\n",
        "isolation.yaml",
    )

    assert found.host_ports == (HostPort(8081), HostPort(53, Transport.UDP))
    assert found.blocked_ranges == ("10.0.0.0/8", "192.0.2.7/32")
    assert found.allowed_ranges == ()
    assert found.internet


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("enabled: true\nhost_ports: [80, https]\n", 2, "host_ports.1"),
        ("host_ports: [0]\n", 1, "host_ports.0"),
        ("host_ports: [65536]\n", 1, "host_ports.0"),
        ("host_ports: [53/icmp]\n", 1, "host_ports.0"),
        ("blocked_ranges: [10.0.0.1/8]\n", 1, "blocked_ranges.0"),
        ("blocked_ranges: ['fd00::/8']\n", 1, "blocked_ranges.0"),
        ("internet: maybe\n", 1, "internet"),
        ("blocked: []\n", 1, "blocked"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, line: int, key: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_isolation(text, "isolation.yaml")

    (problem,) = caught.value.problems
    assert (problem.path, problem.line, problem.key) == ("isolation.yaml", line, key)
