"""Images that somebody builds to get out of their bounds."""

import io
import shlex
import tarfile
from pathlib import Path

from integration.gateway.escape_lab import Scene
from integration.gateway.people import Done


def build(scene: Scene, dockerfile: str, *options: str, **files: str) -> Done:
    """How the attacker's build of a Dockerfile and files ends; its name is `trap-…`."""
    folder = scene.folder / "build"
    wanted = {"Dockerfile": dockerfile, **files}
    written = " && ".join(
        f"printf %s {shlex.quote(scene.filled(text))} > {folder}/{name}"
        for name, text in wanted.items()
    )
    flags = shlex.join(map(scene.filled, options))
    return scene.attacker.shell(
        f"mkdir -p {folder} && {written} && DOCKER_BUILDKIT=0 docker build -q -t {trap(scene)} "
        f"{flags} {folder}; ended=$?; rm -r {folder}; exit $ended"
    )


def trap(scene: Scene) -> str:
    """What the attacker calls the image."""
    return scene.attacker.named("trap")


def sent(scene: Scene, members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """An archive of these members, whatever they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return scene.filled(buffer.getvalue().decode("latin-1")).encode("latin-1")


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    """One header."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, link, mode
    return found


def kept(path: Path) -> str:
    """What a file holds, for those who look whether it was changed."""
    return path.read_text()
