from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.web_lab import WebLab, web_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[WebLab]:
    async with web_lab(tmp_path) as lab:
        yield lab
