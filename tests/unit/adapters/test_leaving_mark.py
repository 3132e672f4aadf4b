from pathlib import Path

import pytest

from ds01_spawner.adapters.leaving_mark import LeavingMark
from ds01_spawner.domain.errors import Unavailable


def test_it_is_another_after_each_who_left(tmp_path: Path) -> None:
    mark, elsewhere = (LeavingMark(tmp_path / "leaving-mark") for _ in range(2))
    before = elsewhere.seen()
    assert before == elsewhere.seen()
    mark.renew()
    first = elsewhere.seen()
    assert first != before
    assert first == elsewhere.seen()
    mark.renew()
    assert elsewhere.seen() != first


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        LeavingMark(tmp_path / "none" / "leaving-mark").renew()
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be read"):
        LeavingMark(tmp_path / "file" / "leaving-mark").seen()
