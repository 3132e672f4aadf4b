"""Who has which GPU, in files that NVIDIA's dcgm-exporter reads: `--hpc-job-mapping-dir`.

A file for each card, named by its index, or `card.instance` for a MIG instance, with one job a
line: here the engine's name of the container. The index is that of the card among the driver's, as
DCGM has it; of an instance it is the driver's GPU instance id.
https://docs.nvidia.com/datacenter/dcgm/latest/reference/command-line-reference/dcgm-exporter.html
"""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

from ds01_spawner.domain.occupancy import SlotState
from ds01_spawner.exporter.view import View

_OURS = re.compile(r"^\d{1,4}(\.\d{1,4})?\Z")
_FOLDER_MODE, _FILE_MODE = 0o750, 0o640
"""Who has which GPU is for managers; a group is who runs dcgm-exporter, where that is not root."""

_log = logging.getLogger("ds01.exporter")


def mapping_of(view: View) -> Mapping[str, str] | None:
    """What each file says; `None` where it is not known who has what."""
    if view.occupancy is None or view.facts.cards is None:
        return None
    instances = {
        instance.uuid: f"{gpu.index}.{instance.gpu_instance_id}"
        for gpu in view.facts.cards.inventory.gpus
        for instance in gpu.instances
        if instance.gpu_instance_id is not None
    }
    found: dict[str, list[str]] = {}
    for use in view.occupancy.uses:
        if use.state not in {SlotState.ALLOCATED, SlotState.FOREIGN} or use.container is None:
            continue
        name = str(use.slot.gpu_index) if use.slot.is_full else instances.get(use.slot.uuid)
        if name is not None:
            found.setdefault(name, []).append(use.container)
    return {name: "".join(f"{job}\n" for job in sorted(jobs)) for name, jobs in found.items()}


class JobMapping:
    """Keeps the files of a folder. Others in it, whose names are none of a card, are left alone.

    Args:
        folder: Where; it is made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said = ""

    def write(self, view: View) -> None:
        """Let the folder say who has what now; what is not known stays as it was."""
        wanted = mapping_of(view)
        if wanted is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            for name, text in wanted.items():
                self._put(name, text)
            for path in self._folder.iterdir():
                if _OURS.match(path.name) and path.name not in wanted:
                    path.unlink(missing_ok=True)
        except OSError as exc:
            if str(exc) != self._said:
                self._said = str(exc)
                _log.warning("Who has which GPU cannot be written: %s", exc)
        else:
            self._said = ""

    def _put(self, name: str, text: str) -> None:
        """Whole, or not at all: who reads it never sees half of it."""
        path = self._folder / name
        try:
            if path.read_text(encoding="utf-8") == text:
                return
        except (OSError, UnicodeDecodeError):
            pass
        draft = self._folder / f".{name}.{os.getpid()}"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(_FILE_MODE)
        draft.replace(path)
