"""What is asked for, is not refused, and has no teeth: shown by the engine's own inspect."""

# ruff: noqa: E501 - a table is read by the row

import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from integration.gateway.escape_images import build, trap
from integration.gateway.escape_lab import Scene, as_json, assert_bounded, attempted, seen_by_root
from integration.gateway.raw_http import ask

OPTIONS = {
    "port-everywhere": "-p 0.0.0.0:18080:80",
    "port-everywhere-6": "-p '[::]:18081:80'",
    "port-any": "-P --expose 443",
    "label-user": "--label ds01.user={victim} --label ds01.managed=false",
    "label-protected": "--label ds01.protected=true --label ds01.priority=100",
    "label-gpus": "--label ds01.gpu.uuids=GPU-1 --label ds01.gpu.slots=0",
    "label-instance": "--label ds01.instance=other --label ds01.created_at=1970-01-01T00:00:00Z",
    "label-binds": '--label \'ds01.binds={"key":"x","binds":[["/","/x"]]}\'',
    "label-aime": "--label aime.mlc.USER={victim} --label aime.mlc.NAME=x",
    "label-hub": "--label ds01.interface=hub --label ds01.cgroup_parent=/",
    "variable-all": "-e NVIDIA_VISIBLE_DEVICES=none -e NVIDIA_GDS=enabled -e NVIDIA_MOFED=enabled",
    "variable-unset": "-e NVIDIA_VISIBLE_DEVICES",
    "variable-channels": "-e NVIDIA_IMEX_CHANNELS=all -e NVIDIA_MIG_CONFIG_DEVICES=all",
    "variable-ours": "-e DS01_USER={victim} -e DS01_HOME=/",
    "restart": "--restart on-failure:900",
    "log-size": "--log-opt max-size=900g --log-opt max-file=900",
    "ipc-shareable": "--ipc shareable",
    "uts-private": "--security-opt no-new-privileges",
    "swap-endless": "--memory 512m --memory-swap -1",
    "memory-none": "--memory 0 --cpus 0 --pids-limit -1",
    "dns": "--dns 127.0.0.53 --add-host host:host-gateway",
    "tmpfs": "--tmpfs /t:exec,size=900g,mode=4777,uid=0",
    "ulimits": "--ulimit memlock=-1 --ulimit core=-1",
    "device-reads": "--device-read-bps /dev/vda:900g",
    "own-folder": "-v {folder}:/work",
    "server-folder": "-v /usr/share:/share:rw",
}
BODIES: dict[str, dict[str, Any]] = {
    "nulls": {"HostConfig": {"Privileged": None, "CapAdd": None, "Devices": None}},
    "zeros": {"HostConfig": {"Privileged": False, "CapAdd": [], "Memory": 0, "PidsLimit": -1}},
    "empty-unknown": {"HostConfig": {"NewDanger": {"All": [{}]}}, "OtherDanger": ""},
    "masks-null": {"HostConfig": {"MaskedPaths": None, "ReadonlyPaths": None}},
    "network-off": {"NetworkDisabled": True, "HostConfig": {"NetworkMode": "bridge"}},
    "odd-case": {"hostCONFIG": {"MEMORY": 64 * 1024**2, "capDROP": ["CHOWN"]}},
    "label-odd": {"Labels": {"DS01.user": "{victim}", "ds01.USER": "{victim}", "ds01.": "x"}},
}
DOCKERFILES = {
    "user-root": "FROM {image}\nUSER root\n",
    "gpu-variables": (
        "FROM {image}\nENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all "
        "NVIDIA_GDS=enabled NVIDIA_MOFED=enabled NVIDIA_IMEX_CHANNELS=0\n"
    ),
    "ports": "FROM {image}\nEXPOSE 22 80\n",
    "volumes": "FROM {image}\nVOLUME /data /etc/ssh\n",
    "stop-signal": "FROM {image}\nSTOPSIGNAL SIGCONT\nHEALTHCHECK --interval=1s CMD true\n",
    "set-uid": "FROM {image}\nRUN cp /bin/busybox /bin/root && chmod 4755 /bin/root\n",
    "device-nodes": "FROM {image}\nRUN mknod /kmem c 1 1; mknod /disk b 254 0; chmod 666 /kmem /disk\n",
    "build-argument": "FROM {image}\nARG NVIDIA_VISIBLE_DEVICES=all\nENV A=$NVIDIA_VISIBLE_DEVICES\n",
}


def created(scene: Scene, name: str, *arguments: str) -> dict[str, Any]:
    scene.attacker.docker("create", "--name", name, *arguments)
    return seen_by_root(scene.attacker, name)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_options_without_teeth(scene: Scene, options: str) -> None:
    with attempted(scene) as name:
        found = created(
            scene, name, *shlex.split(scene.filled(options)), scene.image, "sleep", "100"
        )

        assert_bounded(scene, found)
        assert scene.victim.name not in str(found["Config"])


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_without_teeth(scene: Scene, body: dict[str, Any]) -> None:
    person = scene.attacker
    with attempted(scene) as name:
        content = as_json({"Image": scene.image, "Cmd": ["true"], **scene.filled_body(body)})
        target = f"/v1.41/containers/create?name={name}"
        told = person.run(lambda: ask(person.socket, "POST", target, content))

        assert told.status == 201, told
        assert_bounded(scene, seen_by_root(person, name))


@pytest.mark.parametrize("change", [{"MemorySwap": -1}, {"Memory": 0}, {"PidsLimit": -1}])
def test_an_update_to_no_limit_leaves_the_limit(scene: Scene, change: dict[str, int]) -> None:
    person, mine = scene.attacker, scene.words["mine"]
    told = person.run(lambda: ask(person.socket, "POST", f"/containers/{mine}/update", change))

    assert told.status in {200, 403}, told
    assert_bounded(scene, seen_by_root(person, mine))


@pytest.fixture
def trapped(scene: Scene) -> Iterator[str]:
    yield trap(scene)
    scene.attacker.try_docker("rmi", "-f", trap(scene))


@pytest.mark.parametrize("dockerfile", DOCKERFILES.values(), ids=DOCKERFILES.keys())
def test_images_without_teeth(scene: Scene, trapped: str, dockerfile: str) -> None:
    done = build(scene, dockerfile)
    assert done.code == 0, done.err
    look = (
        "id -u; grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status; "
        "head -c 1 /kmem; head -c 1 /disk; mknod /tmp/d b 254 0; [ ! -e /bin/root ] || /bin/root id -u"
    )
    with attempted(scene) as name:
        found = created(scene, name, trapped, "sh", "-c", look)
        assert_bounded(scene, found)
        seen = scene.attacker.try_docker("start", "-a", name)

    uid = str(scene.attacker.account.uid)
    assert seen.lines[0] == uid
    assert "NoNewPrivs:\t1" in seen.lines
    assert "CapEff:\t0000000000000000" in seen.lines
    assert "CapBnd:\t0000000000000000" in seen.lines
    assert seen.lines[4:] in ([], [uid])
    assert "mknod: /tmp/d: Operation not permitted" in seen.err


def test_a_committed_container_forgets_what_the_platform_said(scene: Scene, trapped: str) -> None:
    person = scene.attacker
    with attempted(scene) as name:
        person.docker("create", "--gpus", "1", "--name", name, scene.image, "true")
        given = seen_by_root(person, name)["Config"]["Labels"]["ds01.gpu.uuids"]
        assert given
        person.docker("commit", "-c", "ENV NVIDIA_VISIBLE_DEVICES=all", name, trapped)
    with attempted(scene) as name:
        found = created(scene, name, trapped, "true")

        assert_bounded(scene, found)
        assert given not in str(found)


def test_own_volumes_are_handed_on_and_nothing_else(scene: Scene) -> None:
    person = scene.attacker
    with attempted(scene) as first, attempted(scene) as name:
        person.docker(
            *("create", "--name", first, "-v", f"{first}:/data", "-v", f"{scene.folder}:/work"),
            *(scene.image, "true"),
        )
        told = person.refused("create", "--name", name, "--volumes-from", first, scene.image)
        assert "is not handed on" in told
        person.docker("rm", first)
        person.docker("create", "--name", first, "-v", f"{first}:/data", scene.image, "true")
        found = created(scene, name, "--volumes-from", first, scene.image, "true")
        assert_bounded(scene, found)
        person.docker("rm", first, name)
        person.docker("volume", "rm", first)
