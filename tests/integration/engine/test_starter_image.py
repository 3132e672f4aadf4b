"""The starter image does what a person expects of JupyterLab, as whoever the platform runs it."""

import http.client
import ipaddress
import json
import os
import re
import subprocess
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from integration.lab_container import IMAGE
from stubs.hub_api import TOKEN, hub_api, single_user_environment

PREFIX = "/user/alice"
AUTHORIZATION = {"Authorization": f"token {TOKEN}"}
PATIENCE_SECONDS = 30
STRANGER = (54321, 54322)
HOST_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


class Server:
    """A single-user server in a container, asked as alice."""

    def __init__(self, container: Container) -> None:
        self.container = container
        container.reload()
        self.address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, 8888, timeout=PATIENCE_SECONDS)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, PREFIX + path, content, AUTHORIZATION)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object = None) -> Any:
        status, content = self.ask(method, path, body)
        assert status < http.HTTPStatus.MULTIPLE_CHOICES, content
        return json.loads(content)

    def output(self, *command: str) -> str:
        # Not by docker-py: it loses what comes together with the head of the answer.
        done = subprocess.run(
            ["docker", "exec", str(self.container.id), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    async def run_in_kernel(self, code: str) -> str:
        kernel = self.json("POST", "/api/kernels", {"name": "python3"})["id"]
        url = f"ws://{self.address}:8888{PREFIX}/api/kernels/{kernel}/channels"
        socket = await websocket_connect(HTTPRequest(url, headers=AUTHORIZATION))
        message_id = uuid.uuid4().hex
        request = {
            "header": {"msg_id": message_id, "msg_type": "execute_request", "version": "5.3"},
            "parent_header": {},
            "metadata": {},
            "channel": "shell",
            "content": {"code": code, "silent": False},
        }
        await socket.write_message(json.dumps(request))
        printed = ""
        while True:
            raw = await socket.read_message()
            assert raw is not None, "the kernel closed its connection"
            message = json.loads(raw)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            assert message["msg_type"] != "error", message["content"]
            if message["msg_type"] == "stream":
                printed += message["content"]["text"]
            if message["content"].get("execution_state") == "idle":
                socket.close()
                return printed


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def server(
    client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """As the platform starts it for somebody whose uid the image does not know."""
    home = tmp_path_factory.mktemp("home")
    for folder in (home, *home.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o111)
    os.chown(home, *STRANGER)
    subnet = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]
    gateway = str(next(ipaddress.ip_network(subnet).hosts()))
    with hub_api(gateway) as api_url:
        container = client.containers.run(
            IMAGE,
            detach=True,
            init=True,
            user=f"{STRANGER[0]}:{STRANGER[1]}",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            environment=single_user_environment(api_url) | {"HOME": "/home/alice"},
            volumes={str(home): {"bind": "/home/alice"}},
            working_dir="/home/alice",
        )
        try:
            server = Server(container)
            wait_until_answers(server)
            yield server
        finally:
            container.remove(force=True)


def wait_until_answers(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            server.ask("GET", "/api")
        except OSError:
            assert time.monotonic() < deadline, server.container.logs().decode()
            time.sleep(0.05)
        else:
            return


def test_lab_page_opens(server: Server) -> None:
    status, page = server.ask("GET", "/lab")
    assert status == http.HTTPStatus.OK
    assert b"jupyter-config-data" in page


def test_stranger_is_refused(server: Server) -> None:
    connection = http.client.HTTPConnection(server.address, 8888, timeout=PATIENCE_SECONDS)
    connection.request("GET", f"{PREFIX}/api/contents", headers={"Authorization": "token other"})
    assert connection.getresponse().status == http.HTTPStatus.FORBIDDEN
    connection.close()


def test_server_runs_as_the_person_and_writes_their_home(server: Server) -> None:
    model = {"type": "file", "format": "text", "content": "hello"}
    server.json("PUT", "/api/contents/note.txt", model)
    owner = server.output("stat", "-c", "%u:%g", "/home/alice/note.txt")
    assert owner == f"{STRANGER[0]}:{STRANGER[1]}"


def test_notebooks_are_in_the_home_and_the_first_is_the_first_page(server: Server) -> None:
    listed = server.json("GET", "/api/contents/ds01-notebooks")["content"]
    assert "00-welcome.ipynb" in {each["name"] for each in listed}
    connection = http.client.HTTPConnection(server.address, 8888, timeout=PATIENCE_SECONDS)
    connection.request("GET", f"{PREFIX}/", headers=AUTHORIZATION)
    place = connection.getresponse().headers["Location"]
    connection.close()
    assert place.partition("?")[0] == f"{PREFIX}/lab/tree/ds01-notebooks/00-welcome.ipynb"


def test_a_home_that_cannot_be_written_keeps_nobody_out(client: docker.DockerClient) -> None:
    code = (
        "import importlib.machinery as m, importlib.util as u;"
        "l = m.SourceFileLoader('launcher', '/usr/local/bin/jupyterhub-singleuser');"
        "launcher = u.module_from_spec(u.spec_from_loader('launcher', l)); l.exec_module(launcher);"
        "launcher.hand_out_notebooks(); print('goes on')"
    )
    printed = client.containers.run(
        IMAGE, ["python3", "-c", code], environment={"HOME": "/proc"}, stderr=True, remove=True
    )
    assert b"No notebooks for beginners" in printed
    assert b"goes on" in printed


@pytest.mark.parametrize("command", ["ds01 --help", "ds01 gpu status", "ds01 events", "ds01 why"])
def test_the_command_line_is_there_without_the_services(server: Server, command: str) -> None:
    said = server.output(*command.split())
    assert "Traceback" not in said
    assert "usage: ds01" in said.lower() or said.startswith("ds01: There is no gateway here")
    assert server.output("sh", "-c", "command -v ds01-gateway") == ""


def test_terminal_opens(server: Server) -> None:
    name = server.json("POST", "/api/terminals")["name"]
    assert name in {terminal["name"] for terminal in server.json("GET", "/api/terminals")}
    assert server.ask("DELETE", f"/api/terminals/{name}")[0] == http.HTTPStatus.NO_CONTENT


async def test_kernel_runs_code_and_shows_widgets(server: Server) -> None:
    code = "import ipywidgets; print(ipywidgets.IntSlider(value=7).value)"
    assert await server.run_in_kernel(code) == "7\n"


def test_widget_extension_is_part_of_the_lab(server: Server) -> None:
    _, page = server.ask("GET", "/lab")
    assert b"@jupyter-widgets/jupyterlab-manager" in page


def test_notices_are_answered_below_the_path_of_the_server(server: Server) -> None:
    assert server.json("GET", "/ds01/notices") == {"version": 1, "notices": []}
    assert b"ds01-notices" in server.ask("GET", "/lab")[1]
    status, content = server.ask("POST", "/ds01/keep-running")
    assert status == http.HTTPStatus.CONFLICT, "the platform gave it no name"
    assert "not started by DS01" in json.loads(content)["message"]


def test_packages_of_the_person_do_not_reach_the_server(server: Server) -> None:
    asks = "import site; print(site.ENABLE_USER_SITE)"
    assert server.output("python3", "-c", asks) == "True"
    first_line = server.output("head", "-1", "/usr/local/bin/jupyterhub-singleuser")
    assert first_line == "#!/usr/bin/python3 -s"


def test_modules_held_back_at_start_work_when_wanted(client: docker.DockerClient) -> None:
    code = (
        "import importlib.machinery as m, importlib.util as u;"
        "l = m.SourceFileLoader('launcher', '/usr/local/bin/jupyterhub-singleuser');"
        "launcher = u.module_from_spec(u.spec_from_loader('launcher', l)); l.exec_module(launcher);"
        "launcher.single_user_main();"
        "import rfc3987_syntax, sqlalchemy.exc, jupyterhub.orm, jupyterhub.handlers.pages as pages;"
        "print(sqlalchemy.exc.SQLAlchemyError.__module__, jupyterhub.orm.User.__name__,"
        " issubclass(pages.HealthCheckHandler, jupyterhub.handlers.BaseHandler))"
    )
    printed = client.containers.run(IMAGE, ["python3", "-c", code], remove=True)
    assert printed.decode().split() == ["sqlalchemy.exc", "User", "True"]


def test_every_module_of_the_server_is_compiled(server: Server) -> None:
    verbose = "python3 -B -v -c 'import jupyter_server.serverapp, jupyterlab.labapp' 2>&1"
    loaded = server.output("sh", "-c", verbose)
    assert "matches /usr/local/lib/python3" in loaded
    assert re.findall(r"# code object from (/\S+\.py)$", loaded, re.MULTILINE) == []


def test_nothing_of_the_host_is_left_in_the_image(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    blocks = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
    container = client.containers.create(IMAGE)
    archive = tmp_path / "image.tar"
    try:
        subprocess.run(["docker", "export", "-o", archive, str(container.id)], check=True)
    finally:
        container.remove()
    own = set(blocks.findall(HOST_BUNDLE.read_bytes())) if HOST_BUNDLE.exists() else set()
    with tarfile.open(archive) as tree:
        names = tree.getnames()
        bundle = tree.extractfile(HOST_BUNDLE.relative_to("/").as_posix())
        assert bundle is not None
        own -= set(blocks.findall(bundle.read()))
    content = archive.read_bytes()
    assert [block for block in own if block in content] == []
    assert [
        name for name in names if name.startswith("run/host") or name.endswith("pip.conf")
    ] == []
    assert not any("host/" in step["CreatedBy"] for step in client.images.get(IMAGE).history())
