import json

import pytest

from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest, QuotaExceeded
from ds01_spawner.domain.limits import AggregateLimits, Limits
from ds01_spawner.gateway.docker.build.options import (
    BuildOptions,
    BuildSite,
    build_options,
    builder_query,
    names_of,
)

LIMITS = Limits(
    max_cpus=4.0,
    memory_bytes=8 * 1024**3,
    memory_swap_bytes=9 * 1024**3,
    shm_size_bytes=1024**3,
    aggregate=AggregateLimits(cpus=2.0),
)
SITE = BuildSite("alice", "/ds01/student/alice", "ds01-alice", ".dockerfile.x")


def query(limits: Limits = LIMITS, /, **asked: str | list[str]) -> dict[str, list[str]]:
    given = {name: [text] if isinstance(text, str) else text for name, text in asked.items()}
    return builder_query(build_options(given), limits, SITE)


def test_a_build_is_bounded_although_nobody_asked() -> None:
    assert query() == {
        "dockerfile": [".dockerfile.x"],
        "networkmode": ["ds01-alice"],
        "cgroupparent": ["/ds01/student/alice"],
        "version": ["1"],
        "rm": ["1"],
        "forcerm": ["1"],
        "memory": [str(8 * 1024**3)],
        "memswap": [str(9 * 1024**3)],
        "cpuperiod": ["100000"],
        "cpuquota": ["200000"],
        "shmsize": [str(1024**3)],
    }


def test_without_limits_shared_memory_is_not_64_mib() -> None:
    unlimited = Limits(
        max_cpus=None, memory_bytes=None, memory_swap_bytes=None, shm_size_bytes=None
    )
    found = query(unlimited)
    assert found["shmsize"] == [str(1024**4)]
    assert not found.keys() & {"memory", "memswap", "cpuquota"}


def test_less_may_be_asked_for() -> None:
    found = query(
        memory="104857600", memswap="-1", cpuperiod="50000", cpuquota="25000", shmsize="1048576"
    )
    assert found["memory"] == ["104857600"]
    assert found["memswap"] == [str(2 * 104857600)]
    assert (found["cpuperiod"], found["cpuquota"]) == (["100000"], ["50000"])
    assert found["shmsize"] == ["1048576"]
    narrow = query(cpusetcpus="0-1", cpushares="512")
    assert (narrow["cpusetcpus"], narrow["cpushares"]) == (["0-1"], ["512"])


@pytest.mark.parametrize(
    "asked",
    [
        {"memory": str(16 * 1024**3)},
        {"cpuperiod": "1000", "cpuquota": "3000"},
        {"shmsize": str(2 * 1024**3)},
    ],
)
def test_more_is_refused_with_the_figure(asked: dict[str, str]) -> None:
    with pytest.raises(QuotaExceeded, match="your limit is"):
        query(LIMITS, **asked)


def test_what_the_client_says_of_place_and_owner_counts_for_nothing() -> None:
    found = query(
        cgroupparent="/elsewhere",
        rm="0",
        forcerm="0",
        labels=json.dumps({"ds01.image.owner": "bob", "aime.mlc.USER": "bob", "a": "b"}),
    )
    assert found["cgroupparent"] == ["/ds01/student/alice"]
    assert json.loads(found["labels"][0]) == {"a": "b"}
    assert found["rm"] == found["forcerm"] == ["1"]


def test_what_is_harmless_is_passed_on() -> None:
    found = query(
        t=["web", "web:2", ""],
        buildargs='{"A": "1", "B": null}',
        extrahosts=["db:10.0.0.1", "v6:[::1]", "h:host-gateway"],
        target="builder",
        platform="linux/amd64",
        nocache="1",
        q="true",
        ulimits='[{"Name": "nofile", "Soft": 10, "Hard": 20}]',
        securityopt="null",
        squash="0",
        isolation="default",
    )
    assert "t" not in found
    assert json.loads(found["buildargs"][0]) == {"A": "1", "B": None}
    assert found["extrahosts"] == ["db:10.0.0.1", "v6:[::1]", "h:host-gateway"]
    assert found["target"] == ["builder"]
    assert found["nocache"] == ["1"]
    assert "q" not in found
    assert json.loads(found["ulimits"][0]) == [{"Name": "nofile", "Soft": 10, "Hard": 20}]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"version": "2"}, Forbidden),
        ({"session": "x"}, Forbidden),
        ({"outputs": "[]x"}, Forbidden),
        ({"remote": "https://example.org"}, Forbidden),
        ({"remote": "client-session"}, Forbidden),
        ({"squash": "1"}, Forbidden),
        ({"isolation": "hyperv"}, Forbidden),
        ({"securityopt": '["seccomp=unconfined"]'}, Forbidden),
        ({"networkmode": "host"}, Forbidden),
        ({"networkmode": "container:x"}, Forbidden),
        ({"networkmode": "ds01-bob"}, Forbidden),
        ({"buildargs": "[]x"}, InvalidRequest),
        ({"buildargs": '["a"]'}, InvalidRequest),
        ({"buildargs": '{"a": 1}'}, InvalidRequest),
        ({"labels": '{"a": null}'}, InvalidRequest),
        ({"labels": '{"a": "1", "a": "2"}'}, InvalidRequest),
        ({"cachefrom": '{"a": "b"}'}, InvalidRequest),
        ({"memory": "x"}, InvalidRequest),
        ({"cpusetcpus": "x"}, InvalidRequest),
        ({"platform": "../x"}, InvalidRequest),
        ({"target": "a b"}, InvalidRequest),
        ({"extrahosts": "nonsense"}, InvalidRequest),
        ({"extrahosts": "a:fe80::1%eth0"}, InvalidRequest),
        ({"ulimits": '[{"Name": "rtprio", "Soft": 1, "Hard": 1}]'}, Forbidden),
        ({"ulimits": '[{"Name": "nofile", "Soft": 1, "Hard": 99999999}]'}, Forbidden),
    ],
    ids=str,
)
def test_what_leads_out_of_the_bounds_is_refused(
    asked: dict[str, str], error: type[DS01Error]
) -> None:
    with pytest.raises(error):
        query(LIMITS, **asked)


def test_an_image_is_named_in_ones_own_namespace_and_after_the_build() -> None:
    asked = build_options({"t": ["web", "web:2", "", "web:latest"]})
    assert names_of(asked, "alice") == ("ds01-alice/web:latest", "ds01-alice/web:2")
    assert "t" not in builder_query(asked, LIMITS, SITE)


@pytest.mark.parametrize("name", ["ds01-bob/x", "x@sha256:" + "0" * 64])
def test_a_name_that_cannot_be_ones_own_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        names_of(BuildOptions(tags=(name,)), "alice")
