"""The files that close the GPUs' device nodes say what the documentation and the doors say."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ds01_spawner.operations.doors.nodes import PATTERNS

ROOT = Path(__file__).parents[2]
OPTIONS = ROOT / "config/modprobe/ds01-nvidia.conf"
RULES = ROOT / "config/udev/71-ds01-nvidia.rules"
GROUP = "ds01-bare-metal"


def said(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_driver_is_told_a_mode_that_lets_the_group_in_and_nobody_else() -> None:
    (line,) = said(OPTIONS)
    words = line.split()
    assert words[:2] == ["options", "nvidia"]
    options = dict(each.split("=") for each in words[2:])
    assert int(options["NVreg_DeviceFileMode"], 8) == 0o660
    assert options["NVreg_DeviceFileUID"] == "0"
    assert options["NVreg_DeviceFileGID"].isdecimal()


@pytest.mark.parametrize("node", ["nvidia0", "nvidia12", "nvidiactl", "nvidia-modeset"])
def test_udev_closes_the_nodes_that_the_doors_look_at(node: str) -> None:
    (rule,) = (line for line in said(RULES) if "KERNEL==" in line and "MODE=" in line)
    kernel = re.search(r'KERNEL=="([^"]+)"', rule)
    assert kernel is not None
    assert any(fnmatch(node, each) for each in kernel[1].split("|"))
    assert any(fnmatch(f"/dev/{node}", each) for each in PATTERNS)
    assert f'GROUP="{GROUP}", MODE="0660"' in rule


@pytest.mark.parametrize("node", ["nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps/nvidia-cap1"])
def test_what_reaches_no_gpu_alone_is_left_as_the_driver_makes_it(node: str) -> None:
    assert not any(fnmatch(f"/dev/{node}", each) for each in PATTERNS)


def test_the_documentation_names_both_files_and_the_group() -> None:
    text = (ROOT / "docs/bare-metal.md").read_text(encoding="utf-8")
    for words in (OPTIONS.relative_to(ROOT), RULES.relative_to(ROOT), f"groupadd --system {GROUP}"):
        assert str(words) in text
