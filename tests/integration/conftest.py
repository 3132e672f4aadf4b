"""What tests against the real engine share."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET, DockerEngine

TINY_IMAGE = "ds01test/busybox:latest"


@pytest.fixture(scope="session")
def tiny_image() -> str:
    """An image of 2 MB with a shell and the usual tools, made from Debian's busybox-static."""
    present = subprocess.run(
        ["docker", "image", "inspect", TINY_IMAGE], capture_output=True, check=False
    )
    if present.returncode != 0:
        subprocess.run(
            ["docker", "import", "-", TINY_IMAGE],
            input=_busybox_tree(),
            capture_output=True,
            check=True,
        )
    return TINY_IMAGE


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """The adapter on this machine's engine."""
    engine = DockerEngine(DEFAULT_SOCKET)
    yield engine
    engine.close()


def _busybox_tree() -> bytes:
    binary = shutil.which("busybox")
    if binary is None:
        pytest.fail("busybox is missing: apt-get install busybox-static (script/bootstrap does)")
    listed = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True)
    content = Path(binary).read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tree:
        for folder, mode in (("tmp", 0o1777), ("etc", 0o755), ("bin", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tree.addfile(entry)
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = len(content), 0o755
        tree.addfile(program, io.BytesIO(content))
        for applet in set(listed.stdout.split()) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tree.addfile(link)
    return buffer.getvalue()
