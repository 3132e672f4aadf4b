import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.recipes.requirements import as_text, listed


def test_a_requirements_file_is_read_line_by_line() -> None:
    text = (
        "\ufeff# mine\nnumpy>=1.26,<3  # pinned\r\n\npandas[excel] \\\n  >=2\n"
        "-r base.txt\n-c limits.txt\n"
    )
    found = listed("requirements.txt", text)
    assert found.packages == ("numpy>=1.26,<3", "pandas[excel]   >=2")
    assert found.includes == ("base.txt", "limits.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-e .", "line 2: '-e .' is code on your disk"),
        ("./mine", "line 2"),
        (".", "line 2"),
        ("file:///x", "line 2"),
        ("not a package", "line 2: 'not a package' is not a package"),
        ("-r /etc/passwd", "line 2: '/etc/passwd' is not in the project's folder"),
        ("-r ../other.txt", "line 2"),
    ],
)
def test_what_cannot_work_is_told_with_its_line(line: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        listed("requirements.txt", f"numpy\n{line}\n")
    assert message in str(refused.value)


def test_options_and_hashes_are_for_pip() -> None:
    text = "--extra-index-url https://example.org/simple\nnumpy==2.1 --hash=sha256:00\n"
    assert len(listed("requirements.txt", text).packages) == 2


def test_a_pyproject_says_its_dependencies() -> None:
    text = (
        '[project]\nname = "x"\ndependencies = ["numpy>=1.26", "pandas"]\n'
        '[project.optional-dependencies]\nx = ["y"]\n'
    )
    found = listed("pyproject.toml", text)
    assert found.packages == ("numpy>=1.26", "pandas")
    assert "optional" in found.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "[project",
        '[project]\ndependencies = "numpy"',
        "[project]\ndependencies = [1]",
        "project = 1",
    ],
)
def test_a_broken_pyproject_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"pyproject\.toml"):
        listed("pyproject.toml", text)


def test_an_environment_of_condas_is_said_in_pips_words() -> None:
    text = """
name: thesis
channels: [conda-forge]
dependencies:
  - python=3.11
  - numpy=1.26
  - pandas>=2,<3
  - conda-forge::scikit-learn==1.5.0=py311_0
  - pytorch
  - cudatoolkit=12
  - pip
  - pip:
      - tomli; python_version < "3.11"
"""
    found = listed("environment.yml", text)
    assert found.packages == (
        "numpy==1.26.*",
        "pandas>=2,<3",
        "scikit-learn==1.5.0",
        "torch",
        'tomli; python_version < "3.11"',
    )
    assert "pytorch is called torch by pip." in found.notes
    assert "python=3.11 is left out: the image has its own python." in found.notes


@pytest.mark.parametrize(
    "text", ["[", "name: x", "dependencies: [1]", "dependencies: [{conda: [x]}]", "- x"]
)
def test_a_broken_environment_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"environment\.yml"):
        listed("environment.yml", text)


def test_another_file_is_no_list_of_packages() -> None:
    with pytest.raises(InvalidRequest, match=r"requirements\.txt"):
        listed("data.csv", "")


def test_what_was_made_of_another_file_says_so_and_is_read_again() -> None:
    found = listed("pyproject.toml", '[project]\ndependencies = ["numpy>=1.26,<3"]')
    text = as_text(found, "pyproject.toml")
    assert "pyproject.toml" in text.splitlines()[0]
    assert listed("requirements.txt", text).packages == found.packages
