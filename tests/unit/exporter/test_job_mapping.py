from pathlib import Path

import pytest

from ds01_spawner.domain.gpu import MigInstance
from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.job_mapping import JobMapping
from fakes.exporter_lab import ExporterLab
from fakes.probe import card, machine


def lab_of(folder: Path) -> ExporterLab:
    first, second = card(0, "1g.5gb", "2g.10gb"), card(1)
    numbered = tuple(
        MigInstance(
            each.uuid, each.index, each.profile, each.memory_bytes, each.compute_slices, 7 + number
        )
        for number, each in enumerate(first.instances)
    )
    split = type(first)(first.uuid, first.index, first.name, first.memory_bytes, True, numbered, 7)
    lab = ExporterLab(present=machine(split, second))
    lab.exporter = Exporter(
        lab.reading, monotonic=lambda: lab.seconds, after=JobMapping(folder).write
    )
    return lab


def told(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_who_has_which_card_is_told_as_dcgm_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    lab = lab_of(folder)
    lab.lab.run("alice", "1g.5gb")
    lab.lab.run("carol", "full")
    lab.text()
    assert told(folder) == {"0.7": "jupyter._.alice\n", "1": "jupyter._.carol\n"}
    assert (folder / "1").stat().st_mode & 0o777 == 0o640
    assert folder.stat().st_mode & 0o007 == 0
    before = (folder / "1").stat().st_ino
    lab.lab.stop("alice")
    lab.lab.wait(3600)
    lab.text()
    assert told(folder) == {"1": "jupyter._.carol\n"}
    assert (folder / "1").stat().st_ino == before


def test_others_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("mine")
    (tmp_path / "3").write_text("of a card that nobody has\n")
    lab_of(tmp_path).text()
    assert told(tmp_path) == {"README": "mine"}


def test_what_is_not_known_stays_as_it_was(tmp_path: Path) -> None:
    lab = lab_of(tmp_path)
    lab.lab.run("carol", "full")
    lab.text()
    lab.lab.engine.stuck = True
    lab.text()
    lab.lab.engine.stuck, lab.lab.probe.stuck = False, True
    lab.text()
    assert told(tmp_path) == {"1": "jupyter._.carol\n"}


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    lab = lab_of(tmp_path / "file" / "jobs")
    for _ in range(3):
        assert lab.scrape().down() == set()
    assert caplog.text.count("cannot be written") == 1
