import time

import pytest
from docker.utils.build import PatternMatcher

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.dockerfile.ignore_file import is_ignored

FILES = [
    "Dockerfile",
    "*",
    "**",
    "Docker*",
    "**/Dockerfile",
    "sub",
    "sub/*",
    "*/*",
    "/Dockerfile",
    "./sub/",
    "sub/**",
    "a",
    "Doc?erfile",
    "*\n!Dockerfile",
    "*\n!sub",
    "*\n!sub/Dockerfile",
    "!Dockerfile\n*",
    "# Dockerfile",
    "",
    "[CD]ockerfile",
    "sub/**/Dockerfile",
]


@pytest.mark.parametrize("content", FILES)
@pytest.mark.parametrize("path", ["Dockerfile", "sub/Dockerfile", "sub/deep/Dockerfile"])
def test_it_means_what_docker_means(content: str, path: str) -> None:
    patterns = [line for line in content.splitlines() if line and not line.startswith("#")]
    expected = bool(patterns) and bool(PatternMatcher(patterns).matches(path))  # type: ignore[arg-type]
    assert is_ignored(path, content.encode()) is expected


def test_a_crafted_pattern_takes_no_time() -> None:
    began = time.monotonic()
    assert not is_ignored("a" * 1000, b"*a" * 200 + b"b")
    assert not is_ignored("/".join("a" * 200), b"**/*a/" * 100 + b"b")
    assert time.monotonic() - began < 2


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="5000 are allowed"):
        is_ignored("x", b"y\n" * 5001)
