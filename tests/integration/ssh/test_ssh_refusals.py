"""Why there is no connection: one clear line each; and what starts when somebody connects."""

import json
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from integration.gateway.gateway_process import engine_docker, eventually
from integration.ssh.house import BASE_IMAGE, SSH_IMAGE, House, Seat

pytestmark = pytest.mark.timeout(240, func_only=True)


def made(seat: Seat, image: str, *options: str) -> str:
    """The name of a container that runs, or has run."""
    name = f"{seat.person.named('made')}-{secrets.token_hex(2)}"
    seat.person.docker("run", "-d", "--name", name, *options, image, "sleep", "3600")
    return name


def test_what_does_not_exist_and_what_is_anothers_are_the_same(
    way: Seat, host: str, bob: Seat
) -> None:
    theirs = made(bob, SSH_IMAGE)
    assert "no container called 'nothing'" in way.refused("nothing.ds01")
    assert f"There are: {host.removesuffix('.ds01')}" in way.refused("nothing.ds01")
    assert f"no container called '{theirs}'" in way.refused(f"{theirs}.ds01")
    full = f"{theirs}._.{bob.person.name}"
    assert f"no container called '{full}'" in way.refused(f"{full}.ds01")
    assert f"no container called '{host.removesuffix('.ds01')}'" in bob.refused(host)


def with_key(seat: Seat, key: Path) -> Seat:
    """The same seat, with another private key."""
    folder = seat.folder / secrets.token_hex(4)
    (folder / "settings").mkdir(parents=True)
    text = Path(seat.config).read_text()
    mine = f"{seat.folder}/settings/id_ed25519"
    assert mine in text
    (folder / "settings/ssh_config").write_text(text.replace(mine, f"{folder}/key"))
    shutil.copy(key, folder / "key")
    (folder / "key").chmod(0o600)
    shutil.chown(folder / "key", seat.person.account.uid)
    shutil.copytree(seat.folder / "bin", folder / "bin")
    return replace(seat, folder=folder)


def test_a_key_of_somebody_else_opens_nothing(way: Seat, host: str, bob: Seat) -> None:
    done = with_key(way, bob.folder / "settings/id_ed25519").ssh(host)
    assert done.code == 255
    assert "Permission denied (publickey)" in done.err


def test_keys_in_the_home_open_nothing(way: Seat, host: str, bob: Seat) -> None:
    home = way.person.account.home
    public = (bob.folder / "settings/id_ed25519.pub").read_text().strip()
    way.shell(f"mkdir -p {home}/.ssh && echo '{public}' > {home}/.ssh/authorized_keys")
    try:
        done = with_key(way, bob.folder / "settings/id_ed25519").ssh(host)
        assert (done.code, "Permission denied" in done.err) == (255, True)
    finally:
        way.shell(f"rm -f {home}/.ssh/authorized_keys")


def test_another_host_key_than_the_platform_says_is_refused(way: Seat, host: str) -> None:
    done = way.ssh(host, options="-o UserKnownHostsFile=/dev/null")
    assert done.code == 255
    assert "Host key verification failed" in done.err


def test_without_a_key_one_is_told_how_to_add_it(way: Seat, host: str) -> None:
    keys = way.person.shell(
        f"curl -s --unix-socket {way.person.socket} http://ds01/ds01/ssh-keys"
    ).out
    found = json.loads(keys)["keys"]
    for each in found:
        _curl(way, f"-X DELETE http://ds01/ds01/ssh-keys/{each['id']}")
    try:
        assert "No SSH key of yours is known here. Add one: ds01 ssh-config" in way.refused(host)
    finally:
        for each in found:
            _curl(
                way,
                "-H 'Content-Type: application/json' http://ds01/ds01/ssh-keys "
                f"-d '{json.dumps({'key': each['key']})}'",
            )
    assert way.ssh(host).code == 0


def _curl(seat: Seat, words: str) -> None:
    done = seat.person.shell(f"curl -sf --unix-socket {seat.person.socket} {words}")
    assert done.code == 0, done


def test_a_stopped_container_is_started(way: Seat) -> None:
    name = made(way, SSH_IMAGE)
    way.person.docker("stop", "-t", "0", name)
    done = way.ssh(f"{name}.ds01", "echo ok")
    assert (done.code, done.out) == (0, "ok\n")
    assert f"ds01: {name} was stopped; it has been started." in done.err


def test_capitals_in_a_name_are_found_although_ssh_makes_them_small(way: Seat) -> None:
    name = f"Made-{way.person.named('X')}-{secrets.token_hex(2)}"
    way.person.docker("run", "-d", "--name", name, SSH_IMAGE, "sleep", "3600")
    assert way.ssh(f"{name}.ds01", "echo $DS01_CONTAINER").out == f"{name}\n"


def test_one_that_is_stopped_is_said_to_be_where_the_policy_says_so(bob: Seat) -> None:
    name = made(bob, SSH_IMAGE)
    bob.person.docker("stop", "-t", "0", name)
    assert bob.refused(f"{name}.ds01") == (
        f"{name} does not run. Start it first: ds01 container start {name}"
    )


def test_one_that_ends_at_once_is_said_to(way: Seat) -> None:
    name = f"{way.person.named('ends')}-{secrets.token_hex(2)}"
    way.person.docker("run", "--name", name, SSH_IMAGE, "true")
    assert "was started, and ended at once. Its output says why" in way.refused(f"{name}.ds01")


def test_one_that_is_paused_is_said_to_be(way: Seat) -> None:
    name = made(way, SSH_IMAGE)
    way.person.docker("pause", name)
    assert "is paused. Let it go on first: ds01 container unpause" in way.refused(f"{name}.ds01")


def test_an_image_without_a_server_is_said_to_be(way: Seat) -> None:
    assert "has no SSH server" in way.refused(f"{made(way, BASE_IMAGE)}.ds01")


def test_an_image_that_does_not_know_who_i_am_is_said_to(way: Seat, stranger_image: str) -> None:
    said = way.refused(f"{made(way, stranger_image)}.ds01")
    assert f"does not know {way.person.name} (uid {way.person.account.uid})" in said


def test_one_that_runs_as_root_is_said_to(carol: Seat) -> None:
    name = made(carol, SSH_IMAGE, "--user", "0")
    assert "runs as root" in carol.refused(f"{name}.ds01")


def test_one_from_before_is_said_to_be(house: House, way: Seat) -> None:
    name = f"{way.person.named('old')}-{secrets.token_hex(2)}"
    engine_docker(
        *("run", "-d", "--name", f"{name}._.{way.person.name}"),
        *("--label", "ds01.managed=true", "--label", f"ds01.user={way.person.name}"),
        *("--label", f"ds01.instance={house.gateway.instance}", "--label", f"ds01.name={name}"),
        *("--label", "ds01.interface=docker", "--label", "ds01.created_at=2026-01-01T00:00:00Z"),
        *("--user", f"{way.person.account.uid}", SSH_IMAGE, "sleep", "600"),
    )
    assert "was made before SSH was offered here. Make it anew" in way.refused(f"{name}.ds01")


def test_a_wrong_token_and_one_that_has_expired_are_said_to_be(
    house: House, elsewhere: Seat, host: str
) -> None:
    variables = {**elsewhere.variables, "DS01_TOKEN": "wrong"}
    said = replace(elsewhere, variables=variables).refused(host)
    assert "does not accept your token: it has expired, or was revoked. Get another on" in said
    token = house.token_of(elsewhere.person.name, 1)
    expired = replace(elsewhere, variables={**elsewhere.variables, "DS01_TOKEN": token})

    def is_over() -> bool:
        headers = {"Authorization": f"token {token}"}
        return not requests.get(f"{house.url}/hub/api/user", headers=headers, timeout=10).ok

    eventually(is_over, what="the token expires")
    assert "does not accept your token" in expired.refused(host)


def test_nothing_in_the_folder_can_be_changed_from_inside(way: Seat, host: str) -> None:
    script = (
        "cd /run/ds01/ssh && for f in *; do test -w $f && echo $f; done;"
        " touch x && echo x; rm -f start.sh && echo rm"
    )
    done = way.ssh(host, script)
    assert done.out == ""
    listed = way.ssh(host, "stat -c '%u %a %n' /run/ds01/ssh /run/ds01/ssh/*").out
    assert {line.split()[0] for line in listed.splitlines()} == {"0"}
    assert {line.split()[1] for line in listed.splitlines()} == {"755", "644"}


def test_nobody_on_the_server_reads_the_key_of_a_container(
    house: House, at_server: Seat, bob: Seat
) -> None:
    key = house.gateway.state / f"notices/{at_server.person.name}/ssh/host_key"
    assert key.exists()
    house.gateway.state.chmod(0o755)
    for seat in (at_server, bob):
        assert seat.person.shell(f"test -r {house.gateway.state}").code == 0
        assert seat.person.shell(f"cat {key}").code != 0
    done = bob.person.try_docker("run", "--rm", "-v", f"{key.parent}:/x", BASE_IMAGE, "ls", "/x")
    assert done.code != 0


def test_a_hub_that_is_down_is_said_to_be_and_after_its_restart_all_is_well(
    house: House, elsewhere: Seat, at_server: Seat, host: str
) -> None:
    house.stop_hub()
    try:
        assert "cannot be reached" in elsewhere.refused(host)
        assert at_server.ssh(host).code == 0
    finally:
        house.start_hub()
    assert elsewhere.ssh(host, "echo ok").out == "ok\n"


def test_a_gateway_that_is_down_is_said_to_be(house: House, way: Seat, host: str) -> None:
    house.gateway.stop()
    try:
        said = way.refused(host)
        assert "gateway does not" in said
    finally:
        house.gateway.start()
    assert eventually(lambda: way.ssh(host).code == 0)
