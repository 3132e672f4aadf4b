"""Commands for people run away from the server, on macOS and Windows too."""

import subprocess
import sys

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.table import Command, Group

ON_THE_SERVER = {"admin", "policy"}
UNIX_ONLY = ("pwd", "grp", "fcntl", "termios", "tty", "resource")
OF_THE_PLATFORM = {"client", "domain", "handbook", "home", "recipes"}


def modules(group: Group) -> set[str]:
    found = set()
    for entry in group.entries.values():
        found |= {entry.module} if isinstance(entry, Command) else modules(entry)
    return found


def test_their_modules_need_nothing_of_unix_and_nothing_of_the_server() -> None:
    entries = {name: e for name, e in PROGRAM.entries.items() if name not in ON_THE_SERVER}
    code = f"""
import importlib, sys
for name in {UNIX_ONLY}:
    sys.modules[name] = None
for module in {sorted(modules(Group("All.", entries)))}:
    importlib.import_module(module)
rooms = {{name.split(".")[1] for name in sys.modules if name.startswith("ds01_spawner.")}}
print(sorted(rooms - {OF_THE_PLATFORM}))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.stderr == ""
    assert ran.stdout == "[]\n"
