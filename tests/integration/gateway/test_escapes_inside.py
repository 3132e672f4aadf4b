"""Attempts from within a container, with what the person may have there."""

import stat
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from integration.gateway.escape_images import build, member, sent, trap
from integration.gateway.escape_lab import Scene, assert_understood, attempted, engine
from integration.gateway.raw_http import ask

SCRIPTS = {
    "be-root": "su -c id; setuidgid 0 id; chroot / id; unshare -r id; nsenter -t 1 -m id",
    "mount": "mount -t proc none /mnt; mount -t tmpfs none /tmp; mount -o remount,rw /run/ds01",
    "device": "mknod /tmp/x b 254 0; mknod /tmp/y c 1 1; cat /dev/vda; cat /dev/kmsg",
    "kernel": "echo 1 > /proc/sys/kernel/core_pattern; echo b > /proc/sysrq-trigger; rmmod x",
    "cgroups": "echo $$ > /sys/fs/cgroup/devices/cgroup.procs; mkdir /sys/fs/cgroup/memory/x",
    "host-network": "ifconfig lo down; route del default; arping -c 1 -I eth0 10.201.0.1",
    "host-name": "hostname owned; dmesg; reboot -f",
    "write-read-only": "echo x > /share/x; echo x > /run/ds01/x; rm -r /share/doc",
    "others": "kill -9 1000; renice -n -5 1; chrt -f 5 true; ionice -c 1 true",
}


@pytest.fixture(scope="module")
def container(scene: Scene) -> Iterator[str]:
    name = scene.attacker.named("inside")
    scene.attacker.docker(
        *("run", "-d", "--name", name, "-v", "/usr/share:/share", "-v", f"{scene.folder}:/work"),
        *(scene.image, "sleep", "1000"),
    )
    yield name
    scene.attacker.docker("rm", "-f", name)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_nothing_that_is_roots_can_be_done(scene: Scene, container: str, script: str) -> None:
    before = sorted(Path("/usr/share").iterdir())
    for command in script.split("; "):
        done = scene.attacker.try_docker("exec", container, "sh", "-c", command)
        assert done.code != 0 or "uid=0" not in done.out, command
        if "id" not in command.split():
            assert done.code != 0, (command, done)
    assert sorted(Path("/usr/share").iterdir()) == before
    assert scene.attacker.inspect(container)["State"]["Running"]


def test_a_container_has_only_its_owners_rights(scene: Scene, container: str) -> None:
    seen = scene.attacker.docker("exec", container, "cat", "/proc/self/status", "/proc/self/cgroup")

    assert "CapEff:\t0000000000000000" in seen
    assert "CapBnd:\t0000000000000000" in seen
    assert "NoNewPrivs:\t1" in seen
    assert "Seccomp:\t2" in seen


def test_an_image_cannot_name_groups_so_that_they_are_the_servers(scene: Scene) -> None:
    """The engine looks groups up by name before number, even a person's own primary one."""
    account = scene.attacker.account
    for gid in sorted({account.gid, *account.group_ids}):
        lines = f"root:x:0:\n{gid}:x:42:\n"
        done = build(scene, "FROM {image}\nCOPY group /etc/group\n", group=lines)
        assert done.code == 0, done.err
        try:
            with attempted(scene) as name:
                told = scene.attacker.refused(
                    "create", "--name", name, "-v", "/etc:/e", trap(scene), "cat", "/e/shadow"
                )
                assert_understood(told, f"calls a group {gid}")
        finally:
            scene.attacker.try_docker("rmi", trap(scene))


@pytest.mark.parametrize(
    "change",
    [
        "chown {uid} /etc/group",
        "chmod 666 /etc/group",
        "chown {uid} /etc",
        "chmod 777 /etc",
        "mv /etc/group /g && ln -s /g /etc/group",
    ],
)
def test_nor_can_its_groups_be_changed_later(scene: Scene, change: str) -> None:
    done = build(scene, f"FROM {{image}}\nRUN touch /etc/group && {change}\n")
    assert done.code == 0, done.err
    try:
        with attempted(scene) as name:
            told = scene.attacker.refused(
                "create", "--name", name, "-v", "/etc:/e", trap(scene), "id"
            )
            assert_understood(told, "No folder of the server can be mounted")
    finally:
        scene.attacker.try_docker("rmi", trap(scene))


def test_copies_go_no_further_than_the_person(scene: Scene, container: str) -> None:
    person, folder = scene.attacker, scene.folder
    person.shell(f"mkdir -p {folder}/in; ln -s /etc {folder}/in/etc; ln -s {folder} {folder}/in/up")
    for source in ("/work/in/etc/shadow", "/proc/1/root/etc/shadow", "/share/../../etc/shadow"):
        assert person.try_docker("cp", f"{container}:{source}", "-").out.count("root:") == 0
    told = person.refused("cp", "/bin/true", f"{container}:/share/true")
    assert_understood(told, "Read-only file system")
    assert not Path("/usr/share/true").exists()


@pytest.mark.parametrize(
    "entry",
    [
        member("../../../../work/up", mode=0o4755),
        member("dev", b"3"),
        member("disk", b"4"),
        member("hard", b"1", "/etc/passwd"),
        member("hard", b"1", "../../../etc/shadow"),
    ],
    ids=["dots", "character-device", "block-device", "hard-link", "hard-link-dots"],
)
def test_archives_bring_nothing_that_is_roots(scene: Scene, container: str, entry: object) -> None:
    person = scene.attacker
    target = f"/containers/{container}/archive?path=/work"
    content = sent(scene, [(entry, b"")])  # type: ignore[list-item]
    told = person.run(lambda: ask(person.socket, "PUT", target, content))

    assert told.status >= 400, told
    assert not any(
        stat.S_ISBLK(each.lstat().st_mode) or stat.S_ISCHR(each.lstat().st_mode)
        for each in scene.folder.rglob("*")
    )


def test_set_uid_files_come_out_harmless(scene: Scene, container: str) -> None:
    person = scene.attacker
    content = sent(scene, [(member("suid", mode=0o6755), b"x")])
    target = f"/containers/{container}/archive?path=/work"

    told = person.run(lambda: ask(person.socket, "PUT", target, content))

    assert told.status == 200, told
    made = (scene.folder / "suid").stat()
    assert made.st_uid == person.account.uid
    assert not made.st_mode & (stat.S_ISUID | stat.S_ISGID)


def test_the_gateways_own_socket_in_a_container_is_the_persons_own(scene: Scene) -> None:
    person, gateway = scene.attacker, scene.gateway.socket
    with attempted(scene) as name:
        person.docker(
            *("run", "-d", "--name", name, "-v", f"{gateway}:/var/run/docker.sock", scene.image),
            *("sleep", "100"),
        )
        mounts = person.docker("exec", name, "grep", "docker.sock", "/proc/mounts")
        assert len(mounts.splitlines()) == 1
        told = person.refused("exec", "-u", "0", name, "id")
        assert_understood(told, "never as root")


@pytest.mark.parametrize(
    "place", ["169.254.169.254:80", "{gateway_address}:22", "{docker0}:22", "127.0.0.1:22"]
)
def test_metadata_and_the_server_are_out_of_reach(scene: Scene, place: str) -> None:
    # A network of this installation's own: one that an earlier run left is in nobody's fence.
    person, network = scene.attacker, scene.words["my_network"]
    described = engine(f"/networks/{network}._.{person.name}")
    gateway_address = described["IPAM"]["Config"][0].get("Gateway") or str(
        next(ip_network(described["IPAM"]["Config"][0]["Subnet"]).hosts())
    )
    address, _, port = (
        place.replace("{gateway_address}", gateway_address).replace("{docker0}", "172.17.0.1")
    ).partition(":")

    done = person.try_docker(
        *("run", "--rm", "--network", network, scene.image, "nc", "-w", "2", address, port)
    )

    assert done.code != 0
    assert done.out == ""
    assert "can't connect" in done.err or "timed out" in done.err
