from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.api_lab import ApiLab, api_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[ApiLab]:
    async with api_lab(tmp_path) as lab:
        yield lab
