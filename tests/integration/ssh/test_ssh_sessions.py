"""What the real OpenSSH client does with a container, on the server and through a hub."""

import re
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.domain.names import user_slug
from integration.gateway.gateway_process import engine_docker, eventually
from integration.ssh.house import SSH_IMAGE, House, Seat

pytestmark = pytest.mark.timeout(240, func_only=True)
MEGABYTES = 3


def in_container(seat: Seat, host: str, *command: str) -> str:
    return seat.person.docker("exec", host.removesuffix(".ds01"), *command)


def processes(seat: Seat, host: str) -> str:
    return seat.person.docker("top", host.removesuffix(".ds01"), "-o", "pid,stat,args")


def test_a_command_has_its_streams_and_its_exit_code(way: Seat, host: str) -> None:
    done = way.shell("echo in | ssh $F $H 'cat; echo err >&2; exit 7'", H=host)
    assert (done.code, done.out, done.err) == (7, "in\n", "err\n")


def test_a_session_is_the_person_in_the_containers_own_environment(way: Seat, host: str) -> None:
    mine = in_container(way, host, "env", "-0").split("\0")
    done = way.ssh(host, "env -0")
    theirs = dict(entry.split("=", 1) for entry in done.out.split("\0") if entry)
    for entry in mine:
        name, _, value = entry.partition("=")
        if name and name not in {"HOSTNAME", "TERM"}:
            assert theirs[name] == value, name
    assert theirs["NVIDIA_VISIBLE_DEVICES"].startswith(("MIG-", "GPU-"))
    assert theirs["ODD"].startswith("it's")
    assert way.ssh(host, "whoami; id -u; pwd").out.split() == [
        *(way.person.name, str(way.person.account.uid), way.person.account.home)
    ]


def test_a_login_shell_keeps_the_images_path(way: Seat, host: str) -> None:
    assert way.ssh(host, "bash -lc 'echo $PATH'").out.startswith("/opt/own/bin:")


def test_a_shell_has_a_terminal_of_the_right_size(way: Seat, host: str) -> None:
    terminal = way.terminal(host)
    try:
        terminal.wait_for("$ ", 40)
        terminal.type("stty size; tty; echo $PATH; shopt login_shell\r")
        terminal.wait_for("41 101")
        terminal.wait_for("/dev/pts/")
        terminal.wait_for("/opt/own/bin:")
        terminal.resize(50, 120)
        terminal.type("sleep 0.5; stty size\r")
        terminal.wait_for("50 120")
        terminal.type("sh -c 'echo be''gun; exec sleep 100'\r")
        terminal.wait_for("begun")
        terminal.type("\x03")
        terminal.type("exit 5\r")
        assert terminal.end() == 5
    finally:
        terminal.close()


@pytest.mark.parametrize(
    "program", ["scp -O", "scp", "sftp", "rsync"], ids=lambda name: str(name).replace(" ", "")
)
def test_files_come_and_go_whole(way: Seat, host: str, program: str) -> None:
    work = way.folder / secrets.token_hex(4)
    script = {
        "sftp": "printf 'put a /tmp/%s\\nget /tmp/%s b\\n' $N $N | sftp -q $F -b - $H",
        "rsync": 'rsync -e "ssh $F" a $H:/tmp/$N && rsync -e "ssh $F" $H:/tmp/$N b',
    }.get(program, f"{program} -q $F a $H:/tmp/$N && {program} -q $F $H:/tmp/$N b")
    done = way.shell(
        f"mkdir {work} && cd {work} && head -c {MEGABYTES}000000 /dev/urandom > a && {script}"
        " && cmp a b && echo same",
        H=host,
        N=work.name,
    )
    assert "same" in done.out, done


def test_nothing_secret_is_on_a_command_line(way: Seat, host: str) -> None:
    session = way.popen(host, "echo ready; cat")
    try:
        assert session.stdout is not None
        assert session.stdout.readline() == b"ready\n"
        secret = [way.variables.get("DS01_TOKEN", "open sesame"), "open sesame"]
        seen = b"\n".join(_command_lines()).decode(errors="replace")
        assert "session.sh" in seen
        assert not any(each in seen for each in secret)
    finally:
        session.communicate(timeout=20)


def _command_lines() -> list[bytes]:
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                found.append((each / "cmdline").read_bytes().replace(b"\0", b" "))
            except OSError:
                continue
    return found


def test_an_agent_is_not_forwarded(way: Seat, host: str) -> None:
    done = way.shell(
        "eval $(ssh-agent) >/dev/null; ssh -A $F $H 'echo agent:${SSH_AUTH_SOCK:-none}';"
        " ssh-agent -k >/dev/null",
        H=host,
    )
    assert "agent:none" in done.out


def test_twenty_sessions_at_once_leave_nothing_behind(way: Seat, host: str) -> None:
    script = (
        'for n in $(seq 20); do (ssh $F $H "echo session $n; sleep 2" > $D/$n 2>&1;'
        " echo code $? >> $D/$n) & done; wait; cat $D/*"
    )
    folder = way.folder / secrets.token_hex(4)
    done = way.shell(f"mkdir {folder}; {script}", H=host, D=str(folder))
    assert len(re.findall(r"^session \d+$", done.out, re.MULTILINE)) == 20, done.out
    assert done.out.count("code 0") == 20, done.out

    def quiet() -> bool:
        lines = processes(way, host).splitlines()[1:]
        return not any(line.split()[1].startswith("Z") or "sshd" in line for line in lines)

    eventually(quiet, what="no sshd and no zombie is left")


def test_a_connection_that_breaks_off_leaves_nothing_behind(way: Seat, host: str) -> None:
    session = way.popen(host, "echo ready; sleep 1000")
    assert session.stdout is not None
    assert session.stdout.readline() == b"ready\n"
    session.kill()
    session.communicate()
    eventually(lambda: "sshd" not in processes(way, host), what="its sshd ends")


def test_a_session_counts_as_activity(house: House, way: Seat, host: str) -> None:
    session = way.popen(host, "echo ready; cat")
    try:
        assert session.stdout is not None
        assert session.stdout.readline() == b"ready\n"
        platform = house.gateway.platform
        name = f"{host.removesuffix('.ds01')}._.{way.person.name}"
        container = platform.engine.container(name)
        assert container is not None
        assert platform.activity.samples([container])[container.id].sessions == 1
        assert platform.usage.ssh_sessions([container]) == {container.id: 1}
    finally:
        session.communicate(timeout=20)


def test_somebody_whom_only_the_hub_knows_gets_in(house: House, elsewhere: Seat) -> None:
    user, name = "zoë@example.org", f"hub-{secrets.token_hex(2)}"
    folder = elsewhere.folder / secrets.token_hex(4)
    folder.mkdir(mode=0o755)
    (folder / "bin").symlink_to(elsewhere.folder / "bin")
    shutil.chown(folder, elsewhere.person.account.uid)
    variables = {"DS01_URL": house.url, "DS01_TOKEN": house.token_of(user)}
    zoe = replace(elsewhere, folder=folder, variables=variables)
    assert zoe.shell("ds01 ssh-config --no-include").code == 0
    notices = house.gateway.platform.notice_board.folder(user)
    engine_docker(
        *("run", "-d", "--init", "--name", f"{name}._.{user_slug(user)}", "--user", "1000:1000"),
        *(
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "-v",
            f"{notices}:/run/ds01:ro",
        ),
        *("--label", "ds01.managed=true", "--label", f"ds01.user={user}"),
        *("--label", f"ds01.instance={house.gateway.instance}", "--label", f"ds01.name={name}"),
        *("--label", "ds01.interface=api", "--label", "ds01.created_at=2026-01-01T00:00:00Z"),
        *("-e", f"DS01_CONTAINER={name}", "-e", "JUPYTERHUB_USER=zoe", SSH_IMAGE, "sleep", "600"),
    )
    done = zoe.ssh(f"{name}.ds01", "id -u; whoami; echo $JUPYTERHUB_USER; pwd")
    assert done.out.split() == ["1000", user_slug(user), "zoe", "/home/jovyan"], done
