"""What attempts to escape are made with, and what must be true afterwards, past the gateway."""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from integration.gateway.gateway_process import Gateway
from integration.gateway.people import Person
from integration.gateway.raw_http import ask

_NOT_FOR_PEOPLE = re.compile(
    r"Traceback|OCI runtime|runc|goroutine|panic|errdefs|cannot unmarshal|File \"|asyncio|None\b"
    r"|Error:|Exception|failed inside the gateway"
)
_LEAST = 12
_TRIES = 5
_CLIENTS_OWN = re.compile(
    r"^(?:docker: )?(?:Error response from daemon: )?|\n*Run 'docker .*--help' for more information"
    r"|DEPRECATED: The legacy builder[^\n]*\n[^\n]*\n[^\n]*\n"
)


@dataclass(frozen=True)
class Scene:
    """Who attacks, and what there is to be had.

    Attributes:
        gateway: The gateway.
        attacker: Who tries.
        victim: Somebody else.
        image: An image that both may use.
        folder: The attacker's, with links that lead elsewhere.
        words: What `{word}` in an attempt stands for.
    """

    gateway: Gateway
    attacker: Person
    victim: Person
    image: str
    folder: Path
    words: dict[str, str]

    def filled(self, text: str) -> str:
        """`text` with its `{words}`; other braces are left alone."""
        return re.sub(r"\{(\w+)\}", lambda found: self.words.get(found[1], found[0]), text)

    def filled_body(self, body: Any) -> Any:
        """A body with its words filled in, keys among them."""
        if isinstance(body, str):
            return self.filled(body)
        if isinstance(body, list):
            return [self.filled_body(each) for each in body]
        if isinstance(body, dict):
            return {self.filled(key): self.filled_body(each) for key, each in body.items()}
        return body


def engine(path: str) -> Any:
    """The engine's answer to root; asked again where it broke off, as it does under load."""
    for _ in range(_TRIES):
        told = ask(Path(DEFAULT_SOCKET), "GET", path)
        assert told.status < 400, told
        with suppress(ValueError):
            return told.value
    raise AssertionError(told.body)


def everything(scene: Scene) -> dict[str, frozenset[str]]:
    """All that this installation, or this run of the tests, has in the engine."""
    instance, marks = scene.gateway.instance, (scene.attacker.mark, scene.victim.mark)

    def ours(entry: dict[str, Any], *names: str) -> bool:
        labels = entry.get("Labels") or {}
        return labels.get("ds01.instance") == instance or any(
            mark in name for mark in marks for name in names
        )

    containers = engine("/containers/json?all=1")
    volumes = engine("/volumes").get("Volumes") or ()
    networks = engine("/networks")
    images = engine("/images/json")
    return {
        "containers": frozenset(
            f"{each['Id']} {sorted(each['Names'])} {each['State']} "
            f"{sorted(each['NetworkSettings']['Networks'])}"
            for each in containers
            if ours(each, *each["Names"])
        ),
        "volumes": frozenset(each["Name"] for each in volumes if ours(each, each["Name"])),
        "networks": frozenset(each["Id"] for each in networks if ours(each, each["Name"])),
        "images": frozenset(
            f"{each['Id']} {tag}"
            for each in images
            for tag in each["RepoTags"] or ()
            if any(mark in tag for mark in marks) or tag == scene.image
        ),
    }


@contextmanager
def unchanged(scene: Scene) -> Iterator[None]:
    """Nothing was made, renamed, started, tagged or removed."""
    before = everything(scene)
    yield
    assert everything(scene) == before


@contextmanager
def attempted(scene: Scene) -> Iterator[str]:
    """A name that nothing has had; what has it afterwards is removed."""
    name = scene.attacker.named(f"try{secrets.token_hex(3)}")
    try:
        yield name
    finally:
        found = engine("/containers/json?all=1")
        if any(f"/{name}._.{scene.attacker.name}" in each["Names"] for each in found):
            scene.attacker.try_docker("rm", "-f", "-v", name)


def assert_understood(text: str, says: str) -> None:
    """A sentence that a person understands, with these words in it (a regular expression)."""
    plain = _CLIENTS_OWN.sub("", text).strip()
    assert re.search(says, plain), plain
    assert len(plain) > _LEAST, plain
    assert not _NOT_FOR_PEOPLE.search(plain), plain


def seen_by_root(person: Person, name: str) -> dict[str, Any]:
    """The engine's inspect of somebody's container."""
    found: dict[str, Any] = engine(f"/containers/{name}._.{person.name}/json")
    return found


def assert_bounded(scene: Scene, found: dict[str, Any]) -> None:
    """The container is the attacker's, and has nothing that none may have."""
    host, config = found["HostConfig"], found["Config"]
    account, labels = scene.attacker.account, config["Labels"]
    assert labels["ds01.user"] == account.name
    assert labels["ds01.managed"] == "true"
    assert labels["ds01.instance"] == scene.gateway.instance
    assert labels.get("ds01.protected", "false") == "false"
    assert config["User"] == f"{account.uid}:{account.gid}"
    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["CgroupParent"] == labels["ds01.cgroup_parent"]
    assert host["CgroupParent"] == scene.gateway.platform.cgroups.parent("student", account.name)
    assert host["Runtime"] == "runc"
    for field in ("PidMode", "UTSMode", "UsernsMode", "Cgroup", "VolumeDriver"):
        assert host[field] == "", field
    for field in ("Devices", "DeviceCgroupRules", "Sysctls", "StorageOpt", "VolumesFrom", "Binds"):
        assert not host.get(field), field
    assert host["CgroupnsMode"] == "private"
    assert host["IpcMode"] in {"private", "none"}
    assert not host["OomKillDisable"]
    assert host["OomScoreAdj"] > 0
    assert host["PublishAllPorts"] is False
    assert "/proc/kcore" in host["MaskedPaths"]
    assert "/proc/sys" in host["ReadonlyPaths"]
    assert host["RestartPolicy"]["Name"] in {"no", "on-failure"}
    assert host["RestartPolicy"]["MaximumRetryCount"] <= 5
    assert host["LogConfig"]["Type"] in {"json-file", "local", "none"}
    assert 0 < host["Memory"] <= 512 * 1024**2
    assert 0 < host["MemorySwap"] <= 512 * 1024**2
    assert 0 < host["PidsLimit"] <= 256
    assert 0 < host["CpuQuota"] <= 2 * host["CpuPeriod"]
    assert 0 < host["ShmSize"] <= 64 * 1024**2
    _assert_mounts(scene, found)
    _assert_network(scene, found)
    _assert_devices(found)


def _assert_mounts(scene: Scene, found: dict[str, Any]) -> None:
    own = (f"{scene.gateway.run}/binds/", f"{scene.gateway.state}/notices/")
    for mount in found["HostConfig"].get("Mounts") or ():
        if mount["Type"] == "bind":
            assert mount["Source"].startswith(own), mount
            assert mount["BindOptions"] == {"Propagation": "rprivate"}, mount
        else:
            assert mount["Type"] == "volume", mount
            assert not (mount.get("VolumeOptions") or {}).get("DriverConfig"), mount


def _assert_network(scene: Scene, found: dict[str, Any]) -> None:
    host, name = found["HostConfig"], scene.attacker.name
    allowed = {"none", f"ds01-{name}"}
    networks = found["NetworkSettings"]["Networks"].keys()
    assert all(each in allowed or each.endswith(f"._.{name}") for each in networks), networks
    assert host["NetworkMode"] in {*allowed, *networks} or host["NetworkMode"].startswith(
        "container:"
    )
    for places in (host["PortBindings"] or {}).values():
        for place in places:
            assert place["HostIp"] == "127.0.0.1", place
            assert place["HostPort"] == "" or int(place["HostPort"].split("-")[0]) >= 1024, place


def _assert_devices(found: dict[str, Any]) -> None:
    granted = [
        each for each in found["Config"]["Labels"].get("ds01.gpu.uuids", "").split(",") if each
    ]
    variables = dict(each.partition("=")[::2] for each in found["Config"]["Env"])
    assert variables["NVIDIA_VISIBLE_DEVICES"] == (",".join(granted) or "void")
    requests = found["HostConfig"]["DeviceRequests"] or ()
    assert [each["DeviceIDs"] for each in requests] == ([granted] if granted else [])
    risky = {"NVIDIA_GDS", "NVIDIA_MOFED", "NVIDIA_IMEX_CHANNELS", "NVIDIA_MIG_CONFIG_DEVICES"}
    assert not risky & {each.partition("=")[0] for each in found["Config"]["Env"] if "=" in each}


def as_json(body: Any) -> bytes:
    """A body as it is sent; text is taken as it is."""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
