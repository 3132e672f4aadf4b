"""`ds01`, typed by somebody on the server."""

import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

from integration.gateway.people import Done, Person

SECONDS = 120


def ds01(
    person: Person, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> Done:
    """How `ds01 …` ends, run as that person without a terminal."""
    account = person.account
    groups = ",".join(map(str, os.getgrouplist(account.name, account.gid)))
    # The interpreter may be where only root may look; the gateway sees the person's uid.
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    ran = subprocess.run(
        [
            *("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}"),
            *(f"--groups={groups}", *reads),
            *(sys.executable, "-m", "ds01_cli.main", *arguments),
        ],
        cwd=account.home,
        env={
            "HOME": account.home,
            "PATH": "/usr/bin:/bin",
            "DS01_GATEWAY_SOCKET": str(person.socket),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return Done(ran.returncode, ran.stdout, ran.stderr)
