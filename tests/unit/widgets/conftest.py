"""Wizards against the API from memory, through the real client."""

from collections.abc import Iterator

import pytest

from fakes.api_app import FakeApi
from fakes.wizards import threads, wait_for


@pytest.fixture
def api() -> FakeApi:
    """What the wizards ask."""
    return FakeApi()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """After each test, every thread of the wizards has ended."""
    yield
    wait_for(lambda: not threads())
