"""The configuration of the hubs under test."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def prepare_config(folder: Path, prefix: str) -> None:
    """The shipped configuration with GPUs of this run's own, two more groups and a tiny image."""
    shutil.copytree(ROOT / "config", folder)
    gpus = folder / "gpu-config.yaml"
    gpus.write_text(re.sub(r"seed: \S+", f"seed: {prefix}", gpus.read_text(), count=1))
    limits = folder / "resource-limits.yaml"
    limits.write_text(limits.read_text().replace("\ngroups:\n", f"\ngroups:\n{_GROUPS}", 1))
    images = folder / "images.yaml"
    images.write_text(images.read_text().replace("\nimages:\n", f"\nimages:\n{_TINY}", 1))
    for group in ("brisk", "crowd"):
        (folder / "groups" / f"{group}.members").write_text(f"{prefix}-{group}\n")


_TINY = """  tiny:
    reference: ds01test/busybox:latest
    title: Tiny
"""

_GROUPS = """  brisk:
    gpu_hold_after_stop: 1s
    container_hold_after_stop: 2s
  crowd:
    max_gpu_slots: null
    max_gpu_slots_per_container: 12
    max_gpu_equivalents: null
    max_containers_per_user: null
    allow_full_gpu: true
    gpu_hold_after_stop: 1s
"""
