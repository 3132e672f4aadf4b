import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.recipes.packages import (
    apt_package,
    apt_packages,
    image_name,
    pip_package,
    pip_packages,
)


@pytest.mark.parametrize(
    "text",
    [
        "numpy",
        "numpy>=1.26,<3",
        "numpy >= 1.26, < 3",
        "jax[cuda12]==0.8.*",
        "scikit-learn~=1.5",
        'tomli; python_version < "3.11"',
        "ours @ https://example.org/ours-1.0-py3-none-any.whl",
        "ours @ git+https://example.org/lab/ours@v1.0",
        "torch==2.9.1+cpu",
    ],
)
def test_a_package_stays_as_it_was_typed(text: str) -> None:
    assert pip_package(text) == text


def test_single_quotes_of_a_marker_become_double_ones() -> None:
    assert pip_package("tomli; python_version < '3.11'") == 'tomli; python_version < "3.11"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-r other.txt",
        "--index-url=https://example.org",
        "numpy; rm -rf /",
        "numpy && curl example.org",
        "$(id)",
        "`id`",
        "numpy\nRUN id",
        "numpy\\",
        "nümpy",
        "https://example.org/x.whl",
        "x @ file:///etc/passwd",
        "x @ git+ssh://git@example.org/x",
        "x @ https://user:secret@example.org/x.whl",
        "x @ https://",
        "x" * 301,
        "x; python_version < '3' or '$(id)' == '\\'",
    ],
)
def test_anything_else_is_no_package(text: str) -> None:
    with pytest.raises(InvalidRequest):
        pip_package(text)


def test_of_two_versions_of_a_package_the_last_one_counts() -> None:
    assert pip_packages(["numpy<2", "pandas", "NumPy==2.1"]) == ("NumPy==2.1", "pandas")


def test_a_password_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidRequest, match="could read it") as refused:
        pip_package("x @ https://user:secret@example.org/x.whl")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["g++", "ffmpeg", "libsndfile1", "python3.11", "ffmpeg=7:5.1-0+b1"]
)
def test_names_of_debian_packages(text: str) -> None:
    assert apt_package(text) == text


@pytest.mark.parametrize(
    "text", ["curl-", "-y", "a", "curl;id", "curl id", "CURL", "curl=", "x=$(id)", "curl/sid", ""]
)
def test_what_apt_would_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        apt_package(text)


def test_too_many_packages_are_refused_with_the_figure() -> None:
    with pytest.raises(InvalidRequest, match="201 apt packages are more than the 200"):
        apt_packages(f"lib{number}" for number in range(201))


@pytest.mark.parametrize("text", ["thesis", "my-first.image_2", "a"])
def test_names_of_images(text: str) -> None:
    assert image_name(text) == text


@pytest.mark.parametrize("text", ["Thesis", "a b", "-a", "a-", "a/b", "a:b", "a--b", "", "x" * 64])
def test_what_no_image_can_be_called(text: str) -> None:
    with pytest.raises(InvalidRequest):
        image_name(text)
