"""`ds01 image create` as a person types it, with real packages: needs an index of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Done, Person

BASE = "ds01/base:bookworm"
LEAST = ("--no-jupyter", "--no-data-science")
SECONDS = 900

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        subprocess.run(
            ["docker", "image", "inspect", BASE], capture_output=True, check=False
        ).returncode
        != 0,
        reason=f"needs {BASE}: script/bootstrap",
    ),
]


class Program:
    """`ds01`, typed by somebody on the server."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.home = Path(person.account.home)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        account = self.person.account
        groups = ",".join(map(str, os.getgrouplist(account.name, account.gid)))
        # The interpreter may be where only root may look; the gateway sees the person's uid.
        reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        return subprocess.Popen(
            [
                *("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}"),
                *(f"--groups={groups}", *reads),
                *(sys.executable, "-m", "ds01_cli.main", *arguments),
            ],
            cwd=account.home,
            env={
                "HOME": account.home,
                "PATH": "/usr/bin:/bin",
                "DS01_GATEWAY_SOCKET": str(self.person.socket),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Done:
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=SECONDS)
        return Done(process.returncode, out, err)

    def done(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.code == 0, done.err + done.out
        return done.out

    def dockerfile(self, name: str) -> Path:
        return self.home / "ds01-images" / name / "Dockerfile"


@pytest.fixture(scope="module", autouse=True)
def nothing_left(alice: Person) -> Iterator[None]:
    """What later builds might have used again goes at the end."""
    yield
    Program(alice).done("image", "prune", "--yes")


@pytest.fixture
def ds01(alice: Person) -> Iterator[Program]:
    yield Program(alice)
    mark = f"ds01-{alice.name}/"
    for each in engine_docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines():
        if each.startswith(mark) and alice.mark in each:
            engine_docker("image", "rm", each, check=False)
    for folder in (Path(alice.account.home) / "ds01-images").glob(f"*{alice.mark}*"):
        shutil.rmtree(folder)


def python_in(image: str, program: str) -> str:
    return engine_docker("run", "--rm", "--user", "54321:54321", "--cap-drop", "ALL", image,
                         "python", "-c", program)  # fmt: skip


def test_a_framework_is_built_and_works_for_whoever_starts_it(
    gateway: Gateway, ds01: Program
) -> None:
    name = ds01.person.named("real-jax")
    pins = ("--pip", "numpy>=1.26,<3")
    told = json.loads(
        ds01.done("image", "create", name, "--framework", "jax-cpu", *LEAST, *pins, "--json")
    )
    assert told["build"]["state"] == "done"
    assert told["build"]["size_bytes"] > 100 * 1024**2
    reference = told["build"]["name"]
    program = "import jax; print(jax.numpy.arange(3).sum(), jax.devices()[0].platform)"
    assert python_in(reference, program) == "3 cpu"
    versions = "import numpy; print(numpy.__version__ < '3', numpy.__version__ >= '1.26')"
    assert python_in(reference, versions) == "True True"
    _nothing_of_the_server_is_left(reference)
    assert "numpy" in engine_docker("run", "--rm", reference, "cat", "/opt/ds01/packages.txt")
    assert f"{name} " in ds01.done("image", "list", "--own")
    assert "CPU only" in ds01.done("image", "show", name)
    events = gateway.events("image.build", ds01.person.name)
    assert (events[-1]["outcome"], events[-1]["interface"]) == ("ok", "api")


def _nothing_of_the_server_is_left(reference: str) -> None:
    history = engine_docker("history", "--no-trunc", reference)
    assert "/run/host" not in history
    assert "PIP_CONFIG_FILE" not in history
    look = "ls -d /run/host; pip config list; ls /etc/ssh/ssh_host_* ; which sudo"
    done = engine_docker("run", "--rm", reference, "sh", "-c", f"({look}) 2>/dev/null; true")
    assert done == ""


_BY_HAND = (
    "folder=$(python -m site --user-site)/rich-14.0.0.dist-info; mkdir -p $folder; "
    r"printf 'Metadata-Version: 2.1\nName: rich\nVersion: 14.0.0\n' > $folder/METADATA; "
    "touch $folder/INSTALLER; exec sleep 600"
)


def test_an_image_is_changed_saved_to_from_a_container_and_deleted(ds01: Program) -> None:
    name, container = ds01.person.named("real-life"), ds01.person.named("by-hand")
    ds01.done("image", "create", name, "--framework", "cpu", *LEAST)
    ds01.done("image", "update", name, "--add", "six==1.16.0")
    reference = f"ds01-{ds01.person.name}/{name}:latest"
    assert python_in(reference, "import six; print(six.__version__)") == "1.16.0"
    ds01.person.docker("run", "-d", "--name", container, name, "sh", "-c", _BY_HAND)
    wanted = eventually(
        lambda: json.loads(ds01.done("image", "save-from", container, "--dry-run", "--json"))[
            "packages"
        ]
    )
    assert wanted == [{"package": "rich==14.0.0", "before": ""}]
    ds01.done("image", "save-from", container, "--yes")
    assert "'rich==14.0.0'" in ds01.dockerfile(name).read_text()
    assert python_in(reference, "import rich; print('rich')") == "rich"
    used = json.loads(ds01.done("image", "list", "--own", "--json"))["images"]
    assert name in {each["title"].removesuffix(":latest") for each in used}
    ds01.person.docker("rm", "-f", container)
    ds01.done("image", "delete", name, "--yes", "--with-dockerfile")
    assert name not in ds01.done("image", "list", "--own")
    assert not ds01.dockerfile(name).parent.exists()


def test_a_failing_package_names_its_line_and_the_fix(ds01: Program) -> None:
    name = ds01.person.named("real-failing")
    wanted = ("--pip", "numpy", "--pip", "ds01-no-such-package-at-all")
    done = ds01.run("image", "create", name, "--framework", "cpu", *LEAST, *wanted)
    assert done.code == 1
    lines = ds01.dockerfile(name).read_text().splitlines()
    line = next(n for n, each in enumerate(lines, 1) if "'ds01-no-such-package-at-all'" in each)
    assert f"Line {line} of ~/ds01-images/{name}/Dockerfile" in done.err
    assert "pip finds no package called ds01-no-such-package-at-all" in done.err
    assert "Is it spelled as on PyPI?" in done.err
    assert name not in ds01.done("image", "list", "--own")


def test_cancelling_leaves_nothing(gateway: Gateway, ds01: Program) -> None:
    name = ds01.person.named("real-cancelled")
    mine = ("ps", "-aq", "--filter", f"label=ds01.image.owner={ds01.person.name}")
    before = set(engine_docker(*mine).split())
    process = ds01.begin(
        *("image", "create", name, "--framework", "cpu", "--pip", "matplotlib", "--verbose")
    )
    assert process.stderr is not None
    deadline = time.monotonic() + SECONDS
    for line in process.stderr:
        assert time.monotonic() < deadline
        if "Collecting" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "Cancelled: nothing was built." in err
    assert not ds01.dockerfile(name).exists()
    assert name not in ds01.done("image", "list", "--own")
    eventually(lambda: not set(engine_docker(*mine).split()) - before)
    assert gateway.events("image.build", ds01.person.name)[-1]["reason"] == "cancelled"
