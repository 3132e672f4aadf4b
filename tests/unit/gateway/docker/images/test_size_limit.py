from ds01_spawner.domain.errors import Conflict
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit, logged_failure

GIB = 1024**3
LIMIT = SizeLimit(40 * GIB, "group student, resource-limits.yaml line 31")
HISTORY = [
    {"CreatedBy": "/bin/sh -c #(nop) COPY dir:1 in /data ", "Size": 2 * GIB},
    {"CreatedBy": "|1 A=b /bin/sh -c pip install torch", "Size": 30 * GIB},
    {"CreatedBy": "/bin/sh -c #(nop)  LABEL a=b", "Size": 0},
    {"CreatedBy": "", "Size": GIB},
    {"CreatedBy": "/bin/sh -c apt-get\x1b[2J", "Size": 3 * GIB},
]


def test_an_image_may_be_as_large_as_the_limit_and_no_larger() -> None:
    assert LIMIT.allows(40 * GIB)
    assert not LIMIT.allows(40 * GIB + 1)
    assert SizeLimit(None).allows(2**62)


def test_a_refusal_says_size_limit_its_place_and_the_largest_steps() -> None:
    error = LIMIT.refusal(41 * GIB, HISTORY)
    assert error.message == (
        "The image has 41 GiB; one of yours may have 40 GiB (max_image_size, group student, "
        "resource-limits.yaml line 31). Its largest steps: 30 GiB RUN pip install torch; "
        "3 GiB RUN apt-get\ufffd[2J; 2 GiB COPY dir:1 in /data."
    )
    assert (error.limit, error.asked, error.allowed) == ("max_image_size", 41 * GIB, 40 * GIB)
    assert error.next_step


def test_the_step_that_goes_on_is_among_the_largest() -> None:
    error = LIMIT.refusal(60 * GIB, HISTORY, going_on=("RUN wget", 25 * GIB))
    assert "30 GiB RUN pip install torch; 25 GiB RUN wget; 3 GiB" in error.message


def test_without_steps_the_sizes_alone_are_told() -> None:
    assert LIMIT.refusal(41 * GIB).message.endswith("line 31).")


def test_the_log_says_nothing_of_what_people_wrote_in_their_steps() -> None:
    error = LIMIT.refusal(41 * GIB, HISTORY)
    assert "pip install torch" in str(error)
    assert error.logged == (
        "The image has 41 GiB; one of yours may have 40 GiB (max_image_size, group student, "
        "resource-limits.yaml line 31)."
    )
    assert Conflict("Taken.", "Go.").logged == "Taken. Go."
    failed = "The command '/bin/sh -c login --as 'me'\n --with s3cret' returned a non-zero code: 7"
    assert logged_failure(failed) == "A step returned a non-zero code: 7"
    assert len(logged_failure("COPY failed: " + "x" * 5000)) <= 1000
