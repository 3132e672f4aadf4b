import pytest

from ds01_spawner.domain.image_size import LEAVE_OUT, REMOVE, ImageSizeLimit
from ds01_spawner.domain.units import amount_in_words

GIB = 1024**3


@pytest.mark.parametrize(
    ("largest", "size", "allowed"),
    [(40, 40 * GIB, True), (40, 40 * GIB + 1, False), (None, 2**62, True)],
)
def test_an_image_may_be_as_large_as_the_limit_and_no_larger(
    largest: int | None, size: int, *, allowed: bool
) -> None:
    limit = ImageSizeLimit(None if largest is None else largest * GIB)
    assert limit.allows(size) == allowed


def test_of_an_image_the_sizes_and_where_the_limit_is_set_are_told() -> None:
    error = ImageSizeLimit(40 * GIB, "the defaults").too_large(41 * GIB)
    assert error.message == (
        "The image has 41 GiB; one of yours may have 40 GiB (max_image_size, the defaults)."
    )
    assert (error.limit, error.asked, error.allowed) == ("max_image_size", 41 * GIB, 40 * GIB)
    assert error.next_step == LEAVE_OUT


def test_an_image_without_a_name_is_told_by_its_id_and_can_be_removed() -> None:
    image = "The image sha256:12"
    error = ImageSizeLimit(GIB).too_large(2 * GIB, image=image, next_step=REMOVE)
    assert str(error) == (
        "The image sha256:12 has 2 GiB; one of yours may have 1 GiB (max_image_size). "
        "Remove it: docker image rm. Or ask your administrator for more."
    )


def test_of_what_steps_wrote_the_log_says_nothing() -> None:
    error = ImageSizeLimit(GIB).too_large(3 * GIB, [("a", 0), ("b s3cret", 2 * GIB), ("c", GIB)])
    assert error.message.endswith("Its largest steps: 2 GiB b s3cret; 1 GiB c.")
    assert "s3cret" not in error.logged


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (64 * GIB, "64 GiB")],
)
def test_an_amount_in_words(size: int, words: str) -> None:
    assert amount_in_words(size) == words
