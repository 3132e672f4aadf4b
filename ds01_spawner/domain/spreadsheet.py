"""Cells of tables that somebody opens as a spreadsheet. Pure."""

_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What begins so is taken for a formula, by one program or another (OWASP, CSV injection)."""


def text_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in _FORMULA else text
