"""What an error path has to be like."""

import json
from collections.abc import Sequence

from fakes.cli_scene import TOKEN, Ended

KEY = frozenset({".config/ds01/id_ed25519", ".config/ds01/id_ed25519.pub"})
CONFIG = frozenset({".config/ds01/known_hosts", ".config/ds01/ssh_config", ".ssh/config"})
PAGE = ".config/ds01/first-steps.md"
WITH_KEY = frozenset({"ssh", "ssh-config", "vscode", "cp", "port-forward", "user-setup"})
"""Commands that make a key first; it is used when they are typed again."""


def check_one_line(ended: Ended, code: int) -> None:
    """One line that begins with the program's name; before it only what was under way."""
    said = f"{ended.out}\n{ended.err}"
    assert "Traceback" not in said, said
    assert TOKEN not in said, said
    assert ended.code == code, said
    *before, last = ended.err.splitlines()
    assert last.startswith("ds01: "), said
    assert not [each for each in before if each.startswith("ds01: ")], said
    what, _, what_next = last.removeprefix("ds01: ").partition(". ")
    assert what, said
    assert what_next, said


def check_faults(ended: Ended, code: int) -> None:
    """A line for each fault of a file: which file, where, and what was expected."""
    said = f"{ended.out}\n{ended.err}"
    assert "Traceback" not in said, said
    assert (ended.code, ended.out) == (code, ""), said
    assert len([each for each in ended.err.splitlines() if ".yaml:" in each]) == 1, said
    assert len(ended.err.splitlines()) <= 3, said


def check_interrupted(ended: Ended) -> None:
    """Nothing is said to be wrong."""
    said = f"{ended.out}\n{ended.err}"
    assert "Traceback" not in said, said
    assert ended.code == 130, said
    assert "ds01: " not in ended.err, said


def check_output(ended: Ended, typed: Sequence[str], *, may_say: bool) -> None:
    """Nothing, or for programs JSON."""
    if "--json" in typed:
        assert not ended.out or json.loads(ended.out), ended.out
    elif not may_say:
        assert ended.out == "", ended.out


def check_whole(ended: Ended, command: str) -> None:
    """What has changed in a home are whole things, each of use by itself."""
    whole = KEY | CONFIG if command in WITH_KEY else frozenset()
    if command == "user-setup":
        whole |= {PAGE}
    if command == "container retire":
        whole |= {"ds01-images/mine/Dockerfile"}  # what was saved before
    assert ended.changed <= whole, ended.changed
    assert all(ended.after.get(each) for each in ended.changed), ended.changed
    assert len(ended.changed & KEY) != 1, ended.changed
