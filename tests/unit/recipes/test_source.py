import pytest

from ds01_spawner.recipes.source import source_digest

ONE = ("FROM base\n", {"a.txt": "1", "b.txt": "2"})


def test_the_order_of_files_does_not_matter() -> None:
    assert source_digest(*ONE) == source_digest("FROM base\n", {"b.txt": "2", "a.txt": "1"})


@pytest.mark.parametrize(
    ("dockerfile", "files"),
    [
        ("FROM base\n\n", {"a.txt": "1", "b.txt": "2"}),
        ("FROM base\n", {"a.txt": "1", "b.txt": "3"}),
        ("FROM base\n", {"a.txt": "1"}),
        ("FROM base\n", {"a.txt": "12", "b.txt": ""}),
        ("FROM base\n", {"a.txt1": "", "b.txt": "2"}),
    ],
)
def test_whatever_differs_is_told_apart(dockerfile: str, files: dict[str, str]) -> None:
    assert source_digest(*ONE) != source_digest(dockerfile, files)
