"""A production-like host: Debian 12, systemd, cgroup v2, Docker with the systemd driver.

It runs under QEMU without KVM. Building it and saving the state of the booted machine takes about
two minutes, once; each fresh host then starts from that state in seconds. Needs root.

    python tests/host/machine.py build          make and save it, unless that has been done
    python tests/host/machine.py run COMMAND    run a command in a fresh host
    python tests/host/machine.py shell          the same, interactively
    python tests/host/machine.py clean          remove what was saved
"""

import compileall
import contextlib
import fcntl
import hashlib
import io
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "debootstrap": "debootstrap",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mke2fs": "e2fsprogs",
}
EMULATOR = (
    *("-machine", "q35", "-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max"),
    *("-smp", "2", "-m", "2048", "-display", "none", "-no-reboot"),
    *("-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-rng-pci"),
)
KERNEL_ARGUMENTS = {
    "v2": "",
    "v1": "systemd.unified_cgroup_hierarchy=0",
}
TEST_REQUIREMENTS = ("pytest>=8.3", "pytest-timeout>=2.3")
OF_THE_HUB_ALONE = ("dockerspawner", "jinja2", "jupyterhub")
"""What the extra `hub` has for the hub, which does not run inside."""

SOURCES = ("ds01_spawner", "config", "tests/contracts", "tests/fakes", "tests/host/inside")
BUILD_SECONDS = 900
BOOT_SECONDS = 300
RESUME_SECONDS = 60


def missing() -> str | None:
    """Why the host cannot be built or started here, or `None`."""
    if os.geteuid() != 0:
        return "building the host needs root"
    if os.uname().machine != "x86_64":
        return f"the host is made for x86_64, this machine is {os.uname().machine}"
    packages = sorted({PROGRAMS[name] for name in PROGRAMS if shutil.which(name) is None})
    return f"not installed: {' '.join(packages)} (script/bootstrap --test)" if packages else None


@dataclass(frozen=True)
class Image:
    """What is saved for one variant of the host.

    Attributes:
        folder: Where disk, kernel and key lie.
        variant: `v2` or `v1`, the version of its cgroups.
        base: The disk as it was when the state was saved.
        state: The saved state.
    """

    folder: Path
    variant: str
    base: Path
    state: Path


def cache() -> Path:
    """Where hosts are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "ds01" / "host-vm"


def requirements() -> list[str]:
    """What the platform needs inside, as pip is told."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    named = project["project"]
    server = [
        each
        for each in named["optional-dependencies"]["hub"]
        if not each.startswith(OF_THE_HUB_ALONE)
    ]
    return [*named["dependencies"], *server, *TEST_REQUIREMENTS]


def ensure_image(variant: str = "v2") -> Image:
    """The saved host, built first where the recipe has changed. One builds, others wait."""
    folder = cache()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / _digest((HERE / "recipe.sh").read_bytes(), *requirements())
        _remove_others(folder, "", kept)
        if not kept.exists():
            _build(kept)
        version = subprocess.run(
            ["qemu-system-x86_64", "--version"], capture_output=True, check=True
        )
        warm_up = (HERE / "warm_up.sh").read_bytes()
        arguments = (*EMULATOR, KERNEL_ARGUMENTS[variant])
        saved = kept / f"{variant}-{_digest(version.stdout, warm_up, *arguments)}"
        _remove_others(kept, f"{variant}-", saved)
        image = Image(kept, variant, saved / "base.qcow2", saved / "state")
        if not image.state.exists():
            _save_booted(image)
        return image


def _digest(*parts: bytes | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else f"{part}\n".encode())
    return digest.hexdigest()[:12]


def _remove_others(folder: Path, prefix: str, kept: Path) -> None:
    for other in folder.iterdir():
        if other.is_dir() and other.name.startswith(prefix) and other != kept:
            shutil.rmtree(other)


def _build(kept: Path) -> None:
    making = kept.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    log = making / "build.log"
    with log.open("w") as output:
        done = subprocess.run(
            ["bash", HERE / "recipe.sh", making, sys.executable, *requirements()],
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=BUILD_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"The host could not be built, see {log}:\n{tail}")
    making.rename(kept)


def _save_booted(image: Image) -> None:
    image.base.parent.mkdir(exist_ok=True)
    disk = image.folder / "disk.ext4"
    _make_overlay(disk, "raw", image.base)
    with _emulator(image, image.base) as machine:
        machine.wait_for_ssh(BOOT_SECONDS)
        machine.run("bash -s", (HERE / "warm_up.sh").read_bytes(), BOOT_SECONDS)
        part = image.state.with_suffix(".part")
        machine.monitor("stop")
        machine.monitor("migrate-set-parameters", {"max-bandwidth": 4 * 1024**3})
        machine.monitor("migrate", {"uri": f"exec:cat >{shlex.quote(str(part))}"})
        machine.wait_for("query-migrate", "completed", BOOT_SECONDS)
        machine.monitor("quit")
        machine.process.wait(RESUME_SECONDS)
        part.rename(image.state)


@contextlib.contextmanager
def fresh_host(image: Image) -> "Iterator[Machine]":
    """A host in the saved state, gone with all that happened in it afterwards."""
    overlay = image.base.parent / f"run-{os.getpid()}-{time.monotonic_ns()}.qcow2"
    _make_overlay(image.base, "qcow2", overlay)
    try:
        with _emulator(
            image, overlay, "-incoming", f"exec:cat {shlex.quote(str(image.state))}"
        ) as m:
            m.wait_for("query-status", "paused", RESUME_SECONDS)
            m.monitor("cont")
            m.wait_for_ssh(RESUME_SECONDS)
            yield m
    finally:
        overlay.unlink(missing_ok=True)


def _make_overlay(base: Path, base_format: str, overlay: Path) -> None:
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, overlay],
        check=True,
    )


class Machine:
    """A running emulator."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, key: Path, qmp: Path) -> None:
        self.process = process
        self._port = port
        self._key = key
        self._socket = socket.socket(socket.AF_UNIX)
        bound = time.monotonic() + RESUME_SECONDS
        while True:
            try:
                self._socket.connect(str(qmp))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self._check(bound, "QEMU's monitor")
        self._socket.settimeout(RESUME_SECONDS)
        self._lines = self._socket.makefile(encoding="utf-8")
        self._lines.readline()
        self.monitor("qmp_capabilities")

    def monitor(
        self, command: str, arguments: dict[str, object] | None = None
    ) -> dict[str, object]:
        """Run a monitor command; what it returned."""
        message = json.dumps({"execute": command, "arguments": arguments or {}})
        self._socket.sendall(message.encode() + b"\n")
        while True:
            answer = json.loads(self._lines.readline() or '{"error": "QEMU has ended"}')
            if "error" in answer:
                raise RuntimeError(f"QEMU refused {command}: {answer['error']}")
            if "return" in answer:
                result: dict[str, object] = answer["return"]
                return result

    def wait_for(self, query: str, status: str, seconds: float) -> None:
        """Wait until a query says so."""
        bound = time.monotonic() + seconds
        while (now := self.monitor(query).get("status")) != status:
            if now == "failed":
                raise RuntimeError(f"QEMU's {query} says: failed")
            self._check(bound, f"{query} to say {status}, it says {now}")

    def wait_for_ssh(self, seconds: float) -> None:
        """Wait until a shell can be had; sets the clock, which stood still while saved."""
        bound = time.monotonic() + seconds
        while self._ssh(f"date -s @{time.time():.0f}", b"", RESUME_SECONDS).returncode != 0:
            self._check(bound, "ssh")

    def run(self, command: str, content: bytes = b"", seconds: float = 300) -> str:
        """Run a command as root with that standard input; its output."""
        done = self._ssh(command, content, seconds)
        output = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"In the host, exit code {done.returncode}:\n{output}")
        return output

    def ship(self) -> bytes:
        """The platform's code and the tests that run inside, for `tar -x`.

        With the bytecode of this machine's Python: where it is the host's as well, nothing is left
        to compile there, which takes an emulated machine a minute.
        """
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for source in SOURCES:
                compileall.compile_dir(REPOSITORY / source, quiet=2)
                archive.add(REPOSITORY / source, source, filter=_without_rewritten)
        return buffer.getvalue()

    def ssh_command(self) -> list[str]:
        """The start of an ssh command line."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": "10",
            "BatchMode": "yes",
        }
        flags = [f"-o{name}={value}" for name, value in options.items()]
        return ["ssh", "-i", str(self._key), "-p", str(self._port), *flags, "root@127.0.0.1"]

    def _ssh(
        self, command: str, content: bytes, seconds: float
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.ssh_command(), command],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )

    def _check(self, bound: float, what: str) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"QEMU ended with {self.process.returncode} before {what}")
        if time.monotonic() > bound:
            raise TimeoutError(f"Waited in vain for {what}")
        time.sleep(0.1)

    def close(self) -> None:
        """End the emulator."""
        with contextlib.suppress(RuntimeError, OSError):
            self.monitor("quit")
        self._lines.close()
        self._socket.close()
        self.process.wait(RESUME_SECONDS)


@contextlib.contextmanager
def _emulator(image: Image, disk: Path, *arguments: str) -> Iterator[Machine]:
    port = _free_port()
    qmp = disk.with_suffix(".qmp")
    kernel_arguments = (
        f"root=/dev/vda rw console=ttyS0 quiet mitigations=off {KERNEL_ARGUMENTS[image.variant]}"
    )
    command: list[str | Path] = [
        # setpriv: the emulator ends with this process, however that ends.
        *("setpriv", "--pdeathsig", "TERM", "qemu-system-x86_64"),
        *EMULATOR,
        *("-serial", f"file:{disk.with_suffix('.console')}"),
        *("-qmp", f"unix:{qmp},server,nowait"),
        *("-kernel", image.folder / "vmlinuz", "-initrd", image.folder / "initrd"),
        *("-append", kernel_arguments.strip()),
        *("-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe"),
        *arguments,
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        with contextlib.closing(Machine(process, port, image.folder / "id", qmp)) as machine:
            yield machine
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(RESUME_SECONDS)
        qmp.unlink(missing_ok=True)
        disk.with_suffix(".console").unlink(missing_ok=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _without_rewritten(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """All but what pytest has compiled for itself."""
    return None if "-pytest-" in entry.name else entry


def main(arguments: list[str]) -> int:
    """The command line."""
    if (reason := missing()) is not None:
        sys.exit(reason)
    match arguments:
        case ["build"]:
            sys.stdout.write(f"{ensure_image().folder}\n")
        case ["clean"]:
            shutil.rmtree(cache(), ignore_errors=True)
        case ["shell"] | ["run", _, *_]:
            with fresh_host(ensure_image(os.environ.get("DS01_HOST_VARIANT", "v2"))) as machine:
                return subprocess.run(
                    [*machine.ssh_command(), *arguments[1:]], check=False
                ).returncode
        case _:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
