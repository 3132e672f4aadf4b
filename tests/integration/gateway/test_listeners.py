import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import Conflict, Unavailable
from ds01_spawner.gateway.__main__ import _api_listener
from ds01_spawner.gateway.listeners import OwnSocket, passed_sockets


def connected(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def test_everybody_may_connect_to_the_socket_once_it_is_there(tmp_path: Path) -> None:
    own = OwnSocket(tmp_path / "run" / "docker.sock")
    with own.listen():
        assert connected(own.path)
        assert stat.S_IMODE(own.path.stat().st_mode) == 0o666
    own.close()
    assert not own.path.exists()


def test_a_second_gateway_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    first, second = OwnSocket(tmp_path / "docker.sock"), OwnSocket(tmp_path / "docker.sock")
    with first.listen():
        with pytest.raises(Conflict, match="Another gateway listens"):
            second.listen()
        second.close()
        assert connected(first.path)
    first.close()


def test_what_a_killed_gateway_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    program = (
        "import os, pathlib, sys\n"
        "from ds01_spawner.gateway.listeners import OwnSocket\n"
        "OwnSocket(pathlib.Path(sys.argv[1])).listen()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert path.exists()
    assert not connected(path)
    own = OwnSocket(path)
    with own.listen():
        assert connected(path)
    own.close()


def test_a_file_in_the_way_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    path.write_text("somebody's")
    with pytest.raises(Unavailable, match="is not a socket"):
        OwnSocket(path).listen()
    assert path.read_text() == "somebody's"


def test_sockets_that_systemd_passes_are_taken_by_name(tmp_path: Path) -> None:
    path = tmp_path / "passed.sock"
    program = (
        "import os, sys\n"
        "from ds01_spawner.gateway.listeners import passed_sockets\n"
        "environment = {**os.environ, 'LISTEN_PID': str(os.getpid())}\n"
        "found = passed_sockets(environment)\n"
        "print(sorted(found), found['docker'].getsockname())\n"
    )
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "docker"}
        done = subprocess.run(
            [
                "bash",
                "-c",
                f'exec "{sys.executable}" -c "$1" 3<&{listening.fileno()}',
                "-",
                program,
            ],
            env=environment,
            pass_fds=[listening.fileno()],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == f"['docker'] {path}"


def test_sockets_passed_to_another_process_are_left_alone() -> None:
    assert passed_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == {}
    assert passed_sockets({}) == {}


def test_the_api_has_the_socket_that_systemd_passes_where_there_is_a_hub(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = {"JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1"}  # nothing could listen there
    with socket.create_server(("127.0.0.1", 0)) as passed:
        assert _api_listener(passed, {"JUPYTERHUB_API_TOKEN": "x", **url}) is passed
        assert _api_listener(passed, url) is None
        assert passed.fileno() == -1
    assert "gateway.env has no JUPYTERHUB_API_TOKEN" in caplog.text
    assert _api_listener(None, {}) is None
