import pytest

from ds01_spawner.gateway.api.log_frames import LogFrames


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


SAID = frame(1, "grün".encode()) + frame(2, b"oops\n") + frame(1, b"") + frame(1, b"end\n")


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_the_text_is_the_same_however_it_comes(size: int) -> None:
    frames = LogFrames(tty=False)
    parts = [SAID[place : place + size] for place in range(0, len(SAID), size)]
    assert "".join(frames.text(part) for part in parts) == "grünoops\nend\n"


def test_a_character_is_not_torn_by_the_other_output() -> None:
    frames = LogFrames(tty=False)
    first, second = "ü".encode()[:1], "ü".encode()[1:]
    said = frame(1, first) + frame(2, b"!") + frame(1, second)
    assert frames.text(said) == "!ü"


def test_a_terminals_output_has_no_frames() -> None:
    frames = LogFrames(tty=True)
    assert frames.text(b"\x01\0\0\0\0\0\0\x01$ ") == "\x01\0\0\0\0\0\0\x01$ "


def test_what_is_no_text_is_shown_as_such() -> None:
    assert LogFrames(tty=False).text(frame(1, b"\xff\n")) == "�\n"
