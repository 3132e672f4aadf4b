"""The commands that VS Code's dev containers are made of: labels, long pipes, copies, ports."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration.gateway.gateway_process import eventually
from integration.gateway.people import Person
from integration.unix_people import as_person, own_folder

KEEP_RUNNING = """echo Container started
trap "exit 0" 15
exec "$@"
while sleep 1 & wait $!; do :; done"""
END = "end-of-answer"


@pytest.fixture(scope="module")
def project(alice: Person) -> Iterator[Path]:
    with own_folder(alice.account) as folder:
        as_person(alice.account, f"mkdir {folder}/.devcontainer; echo code > {folder}/main.py")
        yield folder


@pytest.fixture(scope="module")
def labels(project: Path) -> tuple[str, str]:
    return (
        f"devcontainer.local_folder={project}",
        f"devcontainer.config_file={project}/.devcontainer/devcontainer.json",
    )


@pytest.fixture(scope="module")
def dev(alice: Person, project: Path, labels: tuple[str, str], tiny_image: str) -> Iterator[str]:
    """The id of the project's container, made with the arguments that `devcontainer up` gives."""
    mount = f"type=bind,source={project},target=/workspaces/project,consistency=cached"
    marks = [part for label in labels for part in ("-l", label)]
    run = alice.popen(
        *("run", "--sig-proxy=false", "-a", "STDOUT", "-a", "STDERR", "--mount", mount, *marks),
        *("-l", 'devcontainer.metadata=[{"remoteEnv":{"A":"b"}}]', "--gpus", "all"),
        *("--entrypoint", "/bin/sh", tiny_image, "-c", KEEP_RUNNING, "-"),
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "Container started\n"
    run.kill()
    run.communicate()
    found = [part for label in labels for part in ("--filter", f"label={label}")]
    container_id = alice.docker("ps", "-q", "-a", "--no-trunc", *found)
    yield container_id
    alice.docker("rm", "-f", container_id)


class Shell:
    """A shell that is fed commands for as long as the window is open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str) -> str:
        """What a command prints."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{command}\necho {END}-$?\n")
        stdin.flush()
        lines = iter(stdout.readline, "")
        answer: list[str] = []
        for line in lines:
            if line.startswith(END):
                return "".join(answer)
            answer.append(line)
        raise AssertionError(f"ended: {answer}")


@contextmanager
def shell(person: Person, container: str, *more: str) -> Iterator[Shell]:
    process = person.popen("exec", "-i", *more, container, "/bin/sh")
    try:
        yield Shell(process)
        _, err = process.communicate("exit 0\n", timeout=20)
        assert (process.returncode, err) == (0, "")
    finally:
        process.kill()
        process.communicate()


def test_its_container_is_a_devcontainer_with_the_project_in_it(
    alice: Person, project: Path, labels: tuple[str, str], dev: str
) -> None:
    (shown,) = json.loads(alice.docker("inspect", "--type", "container", dev))

    marks = shown["Config"]["Labels"]
    assert marks["ds01.interface"] == "devcontainer"
    assert marks["ds01.gpu.slots"]
    assert {f"{key}={value}" for key, value in marks.items()} >= set(labels)
    assert marks["devcontainer.metadata"].startswith("[{")
    folder = next(each for each in shown["Mounts"] if each["Destination"] != "/run/ds01")
    assert (folder["Source"], folder["Destination"]) == (str(project), "/workspaces/project")
    assert shown["State"]["Running"]


def test_a_shell_answers_for_as_long_as_it_is_open(alice: Person, dev: str) -> None:
    with shell(alice, dev, "-u", str(alice.account.uid), "-e", "A=b") as opened:
        for number in range(40):
            assert opened.ask(f"echo {number} $A") == f"{number} b\n"
        assert opened.ask("id -u") == f"{alice.account.uid}\n"
        assert opened.ask("cat /workspaces/project/main.py") == "code\n"
        content = secrets.token_hex(100_000)
        assert opened.ask(f"printf %s {content} | wc -c") == "200000\n"
        with shell(alice, dev) as second:
            assert second.ask("echo other") == "other\n"


def test_marks_are_kept_at_home(alice: Person, dev: str) -> None:
    with shell(alice, dev) as opened:
        opened.ask("mkdir -p ~/.devcontainer && date > ~/.devcontainer/.onCreateCommandMarker")
        assert opened.ask("cd; pwd; ls .devcontainer/.onCreateCommandMarker").splitlines() == [
            "/tmp",
            ".devcontainer/.onCreateCommandMarker",
        ]


def test_what_the_editor_writes_is_the_persons(alice: Person, project: Path, dev: str) -> None:
    with shell(alice, dev) as opened:
        opened.ask("echo new > /workspaces/project/new.py")

    assert (project / "new.py").stat().st_uid == alice.account.uid


def test_its_server_is_copied_in(alice: Person, dev: str) -> None:
    done = alice.shell(
        "mkdir -p vscode-server/bin && head -c 3000000 /dev/urandom > vscode-server/bin/node && "
        f"docker cp vscode-server/. {dev}:/tmp/vscode-server && "
        f"docker exec {dev} cat /tmp/vscode-server/bin/node | cmp - vscode-server/bin/node; "
        "code=$?; rm -r vscode-server; exit $code"
    )
    assert done.code == 0, done.err


def test_a_port_is_forwarded_through_a_command(alice: Person, dev: str) -> None:
    alice.docker("exec", "-d", dev, "nc", "-ll", "-p", "8123", "-e", "cat")
    forward = ("exec", "-i", dev, "nc", "127.0.0.1", "8123")
    eventually(lambda: alice.try_docker(*forward, stdin="").code == 0, what="it listens")
    pipes = [alice.popen(*forward) for _ in range(3)]
    try:
        for turn in range(20):
            for number, pipe in enumerate(pipes):
                assert pipe.stdin is not None
                assert pipe.stdout is not None
                pipe.stdin.write(f"{turn}-{number}\n")
                pipe.stdin.flush()
                assert pipe.stdout.readline() == f"{turn}-{number}\n"
    finally:
        for pipe in pipes:
            pipe.kill()
            pipe.communicate()


def test_it_is_found_again_by_events_when_it_starts(
    alice: Person, labels: tuple[str, str], dev: str
) -> None:
    watch = alice.popen(
        *("events", "--format", "{{json .}}", "--filter", "event=start"),
        *("--filter", f"label={labels[0]}", "--since", "0s"),
    )
    try:
        alice.docker("restart", "-t", "0", dev)
        assert watch.stdout is not None
        assert json.loads(watch.stdout.readline())["id"] == dev
    finally:
        watch.kill()
        watch.communicate()


def test_a_dockerfile_beside_the_context_is_built_with_features(
    alice: Person, project: Path, tiny_image: str
) -> None:
    tag = alice.named("vsc-project")
    text = (
        f"ARG BASE=placeholder\nFROM {tiny_image} AS stage\nRUN echo one > /one\n"
        'FROM stage AS target\nLABEL devcontainer.metadata="[{}]"\n'
    )
    as_person(alice.account, f"printf '%s' '{text}' > {project}/Dockerfile-with-features")

    alice.docker(
        *("build", "-f", f"{project}/Dockerfile-with-features", "-t", tag, "--target", "target"),
        *("--build-arg", "BASE=stage", f"{project}/.devcontainer"),
    )

    assert alice.docker("run", "--rm", tag, "cat", "/one") == "one"
    shown = alice.docker("inspect", "--type", "image", "-f", "{{json .Config.Labels}}", tag)
    assert json.loads(shown)["devcontainer.metadata"] == "[{}]"
    alice.docker("rmi", tag)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (("--cap-add=SYS_PTRACE",), "--cap-add SYS_PTRACE is not available here"),
        (("--security-opt", "seccomp=unconfined"), "would weaken what keeps containers apart"),
        (("-u", "vscode"), "containers run as you"),
        (("--privileged",), "would give a container the whole server"),
    ],
    ids=["ptrace", "seccomp", "user", "privileged"],
)
def test_run_arguments_that_are_refused_say_what_to_leave_out(
    alice: Person, tiny_image: str, wish: tuple[str, ...], says: str
) -> None:
    told = alice.refused("run", "--rm", *wish, tiny_image, "true")

    assert says in told
    assert "Leave" in told
