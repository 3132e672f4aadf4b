"""An image of 2 MB for tests and benchmarks that need containers and nothing in them."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

TINY_IMAGE = "ds01test/busybox:latest"


def make_tiny_image() -> str:
    """The image's reference; it is made from Debian's busybox-static unless it is there.

    Raises:
        RuntimeError: busybox is not installed.
    """
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


def _busybox_tree() -> bytes:
    binary = shutil.which("busybox")
    if binary is None:
        raise RuntimeError(
            "busybox is missing: apt-get install busybox-static (script/bootstrap does)"
        )
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
