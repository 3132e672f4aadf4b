from collections.abc import Mapping
from pathlib import Path

import pytest

CHECKS = sorted(path.stem for path in (Path(__file__).parent / "inside").glob("check_*.py"))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("check", CHECKS)
def test_passes_inside(check: str, outcomes: Mapping[str, str]) -> None:
    mine = {name: outcome for name, outcome in outcomes.items() if check in name}

    assert mine
    wrong = [f"{name}\n{outcome}" for name, outcome in mine.items() if outcome]
    if wrong:
        pytest.fail("\n\n".join(wrong), pytrace=False)
