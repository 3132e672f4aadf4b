"""Whatever is asked for, what is made stays within its bounds."""

import copy
import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ds01_spawner.adapters.docker_engine.group_file import MASKED_PATHS
from ds01_spawner.adapters.docker_engine.payload import (
    CONFIG_WINNERS,
    HOST_WINNERS,
    container_payload,
)
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.options.user import IMAGE_USER_CAPABILITIES
from fakes.docker_askers import ALICE, IMAGE_USER_LIMITS, LIMITS, NOTICES, asked, body, made

DANGEROUS: list[tuple[str, Any]] = [
    ("Privileged", True),
    ("PidMode", "host"),
    ("IpcMode", "host"),
    ("UTSMode", "host"),
    ("UsernsMode", "host"),
    ("CgroupnsMode", "host"),
    ("NetworkMode", "host"),
    ("NetworkMode", "container:web"),
    ("CgroupParent", "/"),
    ("CapAdd", ["ALL"]),
    ("CapAdd", ["CHOWN"]),
    ("CapDrop", []),
    ("SecurityOpt", ["seccomp=unconfined"]),
    ("SecurityOpt", []),
    ("MaskedPaths", []),
    ("ReadonlyPaths", []),
    ("Devices", [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}]),
    ("DeviceCgroupRules", ["a *:* rwm"]),
    ("DeviceRequests", [{"Count": -1, "Capabilities": [["gpu"]]}]),
    ("DeviceRequests", [{"DeviceIDs": ["0"]}]),
    ("Sysctls", {"kernel.shmmax": "1"}),
    ("OomKillDisable", True),
    ("OomScoreAdj", -1000),
    ("Runtime", "nvidia"),
    ("Runtime", "kata"),
    ("Binds", ["/:/host"]),
    ("Binds", ["data:/data"]),
    ("Mounts", [{"Type": "bind", "Source": "/", "Target": "/host"}]),
    ("VolumesFrom", ["web"]),
    ("Memory", 2**40),
    ("Memory", 2**30),
    ("MemorySwap", -1),
    ("MemorySwap", 2**40),
    ("NanoCpus", 10**12),
    ("NanoCpus", 10**9),
    ("CpuQuota", -1),
    ("CpuPeriod", 1_000_000),
    ("PidsLimit", -1),
    ("PidsLimit", 10**6),
    ("ShmSize", 2**40),
    ("CpuShares", 10**5),
    ("BlkioDeviceReadBps", [{"Path": "/dev/sda", "Rate": 2**40}]),
    ("RestartPolicy", {"Name": "always"}),
    ("PublishAllPorts", True),
    ("PortBindings", {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}]}),
    ("PortBindings", {"80/tcp": [{"HostIp": "::", "HostPort": "8080"}]}),
    ("Labels", {"ds01.user": "bob", "ds01.gpu.uuids": "GPU-1", "ds01.managed": "false"}),
    ("User", "root"),
    ("Env", ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_MIG_CONFIG_DEVICES=all"]),
    ("Image", "busybox"),
    ("Ulimits", [{"Name": "rtprio", "Soft": 99, "Hard": 99}]),
    ("HostConfig", {"Privileged": True}),
    ("NetworkingConfig", {"EndpointsConfig": {"host": {}}}),
]
PASSING: list[tuple[str, Any]] = [
    ("Memory", 2**30),
    ("MemorySwap", -1),
    ("NanoCpus", 10**9),
    ("PidsLimit", -1),
    ("ShmSize", 2**20),
    ("IpcMode", "shareable"),
    ("CapDrop", []),
    ("CapDrop", ["ALL"]),
    ("SecurityOpt", []),
    ("SecurityOpt", ["no-new-privileges"]),
    ("NetworkMode", "bridge"),
    ("NetworkMode", "container:web"),
    ("Binds", ["data:/data"]),
    ("DeviceRequests", [{"Count": -1, "Capabilities": [["gpu"]]}]),
    ("Runtime", "nvidia"),
    ("PublishAllPorts", True),
    ("PortBindings", {"80/tcp": [{"HostIp": "::", "HostPort": "8080"}]}),
    ("RestartPolicy", {"Name": "on-failure"}),
    ("BlkioDeviceReadBps", [{"Path": "/dev/other", "Rate": 1}]),
    ("OomScoreAdj", 500),
    ("LogConfig", {"Type": "none"}),
    ("Init", True),
]
ODD = {"s": "\u017f", "k": "\u212a", "S": "\u017f", "K": "\u212a"}


@st.composite
def spelled(draw: st.DrawFn, name: str) -> str:
    letters = [
        draw(st.sampled_from([char, char.lower(), char.upper(), ODD.get(char, char)]))
        for char in name
    ]
    return "".join(letters)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    value = copy.deepcopy(body())
    if draw(st.booleans()):
        value["HostConfig"] = {}
    host = value["HostConfig"]
    for name, passing in draw(st.lists(st.sampled_from(PASSING), max_size=4)):
        host.pop(name, None)
        host[draw(spelled(name))] = passing
    for name, dangerous in draw(st.lists(st.sampled_from(DANGEROUS), max_size=2)):
        key = name if draw(st.booleans()) else draw(spelled(name))
        place = value if draw(st.booleans()) else host
        if draw(st.booleans()):
            place.pop(name, None)
        place[key] = dangerous
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode()


def _check(payload: dict[str, Any], limits: Limits) -> None:
    host = payload["HostConfig"]
    assert host["Privileged"] is False
    assert {host["IpcMode"], host["CgroupnsMode"]} <= {"private", "none"}
    assert host["NetworkMode"] in {"ds01-alice", "container:1"}
    assert host["CgroupParent"] == "/ds01/student/alice"
    assert host["CapDrop"] == ["ALL"]
    allowed = IMAGE_USER_CAPABILITIES if limits.allow_image_user else frozenset()
    assert set(host.get("CapAdd", ())) <= allowed
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["DeviceRequests"] == []
    assert host.get("MaskedPaths", list(MASKED_PATHS)) == list(MASKED_PATHS)
    assert host["RestartPolicy"]["Name"] in {"no", "on-failure"}
    assert host["PublishAllPorts"] is False
    assert host["OomScoreAdj"] == 500
    assert 0 < host["Memory"] <= (limits.memory_bytes or 0)
    assert host["Memory"] <= host["MemorySwap"] <= (limits.memory_swap_bytes or 0)
    assert 0 < host["CpuQuota"] / host["CpuPeriod"] <= (limits.max_cpus or 0)
    assert 0 < host["PidsLimit"] <= (limits.pids_limit or 0)
    assert 0 < host["ShmSize"] <= (limits.shm_size_bytes or 0)
    (read,) = host["BlkioDeviceReadBps"]
    assert read["Path"] == "/dev/sda"
    assert read["Rate"] <= (limits.io_read_bps or 0)
    for places in host.get("PortBindings", {}).values():
        for place in places:
            assert place["HostIp"] == "127.0.0.1"
            assert place["HostPort"] == "" or int(place["HostPort"]) >= 1024
    binds = [mount for mount in host["Mounts"] if mount["Type"] == "bind"]
    assert all(mount["Source"].startswith("/run/ds01/binds/") for mount in binds[:-1])
    assert binds[-1]["Source"] == NOTICES
    assert not limits.allow_image_user or len(binds) == 1
    _check_identity(payload, limits)
    _check_keys(payload)


def _check_identity(payload: dict[str, Any], limits: Limits) -> None:
    if not limits.allow_image_user:
        assert payload["User"] == f"{ALICE.uid}:{ALICE.gid}"
    assert payload["Labels"]["ds01.user"] == "alice"
    assert payload["Labels"]["ds01.managed"] == "true"
    assert "ds01.gpu.uuids" not in payload["Labels"]
    variables = dict(entry.partition("=")[::2] for entry in payload["Env"])
    assert variables["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "NVIDIA_MIG_CONFIG_DEVICES" not in variables


def _check_keys(payload: dict[str, Any]) -> None:
    """Nothing reaches the engine in a spelling of the client's, or twice."""
    platform = container_payload(made(body()))
    known = {*platform, *CONFIG_WINNERS, "User", "NetworkingConfig"}
    assert set(payload) <= known
    host = {*platform["HostConfig"], *HOST_WINNERS, "CapAdd", "MaskedPaths"}
    assert set(payload["HostConfig"]) <= host
    for keys in (payload, payload["HostConfig"]):
        assert len({key.lower() for key in keys}) == len(keys)


@settings(max_examples=400, deadline=None)
@given(raw=bodies(), limits=st.sampled_from([LIMITS, IMAGE_USER_LIMITS]))
def test_nothing_that_is_asked_for_widens_what_is_made(raw: bytes, limits: Limits) -> None:
    value = json.loads(raw)
    try:
        wanted = asked(value, limits)
        spec = made(value, limits, network="container:1" if wanted.network.container else "")
    except DS01Error:
        event("refused")
        return
    event("made")
    _check(container_payload(spec), limits)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(sorted({name for name, _ in DANGEROUS} | body().keys())),
    inside=st.booleans(),
    value=json_values,
)
def test_a_field_of_any_value_is_read_or_refused_with_a_sentence(
    name: str, inside: bool, value: Any
) -> None:
    wanted = body()
    (wanted["HostConfig"] if inside and name != "HostConfig" else wanted)[name] = value
    try:
        spec = made(wanted)
    except DS01Error:
        event("refused")
        return
    event("made")
    if spec.network == "ds01-alice":
        _check(container_payload(spec), LIMITS)
