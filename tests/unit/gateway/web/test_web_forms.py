"""What browsers send of a form."""

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.web.forms import form_of

MULTIPART = "multipart/form-data; boundary=x"


def part(name: str, value: str, file: str | None = None) -> str:
    of_file = "" if file is None else f'; filename="{file}"\r\nContent-Type: text/yaml'
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{of_file}\r\n\r\n{value}\r\n'


def sent(*parts: str) -> dict[str, str]:
    return form_of(MULTIPART, ("".join(parts) + "--x--\r\n").encode())


def test_text_is_read_where_no_file_was_chosen() -> None:
    assert sent(part("text", "a: 1"), part("text", "", file="")) == {"text": "a: 1"}


def test_a_file_is_read_instead_of_the_text() -> None:
    assert sent(part("text", "a: 1"), part("text", "b: ü", file="b.yaml")) == {"text": "b: ü"}


def test_neither_text_nor_file_is_an_empty_text() -> None:
    assert sent(part("text", ""), part("text", "", file="")) == {"text": ""}


def test_a_field_that_is_said_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'name' is given 2 times"):
        form_of("application/x-www-form-urlencoded", b"name=a&name=b")
