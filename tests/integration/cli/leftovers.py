"""What is left of a command that was ended, and how far one is that is under way."""

import subprocess
import threading

from ds01_spawner.operations.allocation.gpu_status import read_gpu_status
from integration.cli.typing_people import SECONDS, Typist
from integration.gateway.gateway_process import Gateway


def first_line(process: "subprocess.Popen[str]", text: str) -> str:
    """The first line of what it tells with that in it; it is ended when none comes."""
    assert process.stderr is not None
    told = ""
    late = threading.Timer(SECONDS, process.kill)
    late.start()
    try:
        for line in process.stderr:
            told += line
            if text in line:
                return line
    finally:
        late.cancel()
    raise AssertionError(f"no {text!r} in {told!r}")


def nothing_of(gateway: Gateway, name: str, whose: Typist) -> bool:
    """Whether neither container, nor place in the queue, nor slot of it is there."""
    platform = gateway.platform
    names = [each.name for each in platform.engine.containers()]
    with platform.ledger.transaction() as transaction:
        names += [each.container_name for each in transaction.tickets()]
        names += [each.container_name for each in transaction.reservations()]
    slots = read_gpu_status(platform.admission, platform.gpu_config).slots
    names += [each.use.container or "" for each in slots]
    return f"{name}._.{whose.name}" not in names
