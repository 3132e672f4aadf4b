import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.home.builds import Line, Progress, Wanted, failure, said_sizes
from fakes.api_app import build

DOCKERFILE = """\
# The base.
FROM starter
# Packages that you chose.
RUN python -m pip install \\
      'nmupy' \\
      'rich'
RUN true
"""
INSTALL = "Step 2/3 : RUN python -m pip install       'nmupy'       'rich'\n"


def test_progress_is_read_line_by_line_whatever_pieces_they_come_in() -> None:
    progress = Progress(DOCKERFILE)
    assert progress.words == ""
    assert list(progress.take("Step 1/3 : FROM sta")) == []
    (line,) = progress.take("rter\n ---")
    assert line == Line("Step 1/3 : FROM starter", is_step=True)
    assert progress.words == "Step 1 of 3: The base"
    found = list(progress.take(f"> 8a1f\n{INSTALL}Collecting rich\x1b[0m\n"))
    assert [each.is_step for each in found] == [False, True, False]
    assert found[2].is_news
    assert "\x1b" not in found[2].text
    assert (progress.number, progress.of, progress.title) == (2, 3, "Packages that you chose")


def test_a_step_that_the_builder_added_changes_nothing() -> None:
    progress = Progress(DOCKERFILE)
    list(progress.take(INSTALL))
    list(progress.take("Step 3/4 : LABEL ds01.user=alice\n"))
    assert progress.words == "Step 2 of 3: Packages that you chose"


def test_only_the_end_of_a_long_log_is_kept() -> None:
    progress = Progress(DOCKERFILE)
    for _ in range(50):
        list(progress.take("x" * 9_999 + "\n"))
    assert len(progress.log) == 400_000


def test_a_failure_names_line_and_step() -> None:
    log = f"{INSTALL}ERROR: No matching distribution\nERROR: Could not find a version that "
    log += "satisfies the requirement nmupy (from versions: none)\n"
    wanted = Wanted("thesis", DOCKERFILE, {}, "~/Dockerfile")
    error = failure(build("thesis", state="failed", failure="code 1"), log, wanted)
    assert "Line 5 of ~/Dockerfile (Packages that you chose): 'nmupy'." in error.message
    assert error.explanation.line == 5
    cancelled = failure(build("thesis", state="cancelled"), "", wanted)
    assert cancelled.message == "Somebody cancelled the build."


def test_sizes_are_told_where_they_are_known() -> None:
    assert said_sizes(build("x")) == ""
    assert said_sizes(build("x", size_bytes=1024**3)) == ", 1 GB"
    both = build("x", size_bytes=1024**3, previous_size_bytes=2 * 1024**3)
    assert said_sizes(both) == ", 1 GB (before: 2 GB)"


def test_a_request_has_all_of_it_and_one_that_is_too_long_is_refused() -> None:
    request = Wanted("thesis", DOCKERFILE, {"a": "b"}, recipe="r", fresh=True).request()
    assert (request.name, request.files, request.recipe) == ("thesis", {"a": "b"}, "r")
    assert request.no_cache
    assert request.pull
    with pytest.raises(InvalidRequest, match="the Dockerfile cannot be sent: dockerfile"):
        Wanted("thesis", "#" * 200_001, {}).request()
