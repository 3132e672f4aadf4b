import pytest

from ds01_spawner.domain.spreadsheet import text_cell


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_text_is_a_formula(first: str) -> None:
    assert text_cell(f"{first}1+1") == f"'{first}1+1"


@pytest.mark.parametrize("text", ["", "thesis", "a=b", "1-2", "(total)"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert text_cell(text) == text
