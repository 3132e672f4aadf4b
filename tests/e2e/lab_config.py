"""The configuration of the hubs under test."""

import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
STARTER = os.environ.get("DS01_STARTER_TAG", "ds01/starter:latest")


def prepare_config(folder: Path, prefix: str) -> None:
    """The shipped configuration with GPUs of this run's own, two more groups and a tiny image."""
    shutil.copytree(ROOT / "config", folder)
    gpus = folder / "gpu-config.yaml"
    gpus.write_text(re.sub(r"seed: \S+", f"seed: {prefix}", gpus.read_text(), count=1))
    limits = folder / "resource-limits.yaml"
    limits.write_text(limits.read_text().replace("\ngroups:\n", f"\ngroups:\n{_GROUPS}", 1))
    images = folder / "images.yaml"
    text = images.read_text().replace("\nimages:\n", f"\nimages:\n{_TINY}", 1)
    images.write_text(text.replace("ds01/starter:latest", STARTER))
    for group, people in _PEOPLE.items():
        names = "".join(f"{prefix}-{person}\n" for person in people)
        (folder / "groups" / f"{group}.members").write_text(names)


_TINY = """  tiny:
    reference: ds01test/busybox:latest
    title: Tiny
"""

_PEOPLE = {
    "brisk": ("brisk",),
    "crowd": ("crowd",),
    "drowsy": ("silent", "trainer", "sleeper", "keeper", "crashed"),
    "told": ("toast",),
    "overtime": ("overtime",),
}

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
  drowsy:
    idle_timeout: 20s
    gpu_hold_after_stop: 1s
    container_hold_after_stop: 60s
    policies: &quick
      startup_grace: 0s
      idle_detection_window: 2
      min_warning_lead: 4s
      keep_alive_max: 20s
      sigterm_grace: 5s
      cpu_idle_threshold: 50%
      network_idle_threshold: 1g
      high_demand_idle_reduction: 0%
  told:
    idle_timeout: 60s
    policies:
      startup_grace: 0s
      idle_detection_window: 2
      min_warning_lead: 40s
      keep_alive_max: 2m
      cpu_idle_threshold: 50%
      network_idle_threshold: 1g
      high_demand_idle_reduction: 0%
  overtime:
    max_runtime: 35s
    gpu_hold_after_stop: 1m
    container_hold_after_stop: 60s
    policies: *quick
"""
