import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.dockerfile.growth import LONGEST_INHERITED, check_inherited
from ds01_spawner.gateway.docker.dockerfile.parsing import parse_dockerfile
from ds01_spawner.gateway.docker.dockerfile.plan import plan_build
from ds01_spawner.gateway.docker.dockerfile.rules import check_trigger
from ds01_spawner.gateway.docker.images.changes import checked_changes

X = "x" * 1000


def plan(*lines: str, **given: str) -> None:
    plan_build(parse_dockerfile("\n".join(["FROM x", *lines]).encode()), given)


@pytest.mark.parametrize(
    "lines",
    [
        ("ENV A=x", *["ENV A=$A$A"] * 17),
        ("ENV A=x", *["ENV A $A${A}"] * 17),
        ("ENV A=x", *["ENV A=${A:-$A}$A"] * 17),
        ("ARG A=x", *["ARG A=$A$A"] * 17),
        ("ENV A=x", *["ENV A=$A$A B=$A"] * 17),
        ("ENV A=x K=A", *["ENV $K=$A$A"] * 17),
        ("ENV A=x", *['ENV "A"=$A$A'] * 17),
        ("ENV A=" + X, "LABEL a=" + "$A" * 70),
        ("ENV A=" + X, "WORKDIR /" + "$A" * 70),
        ("LABEL a=" + "$PATH" * 9,),
        ("ENV A=$A$A",) * 17,
        ("ARG A", "ENV B=" + "$A" * 10),
        tuple(f"ENV A{number}={'x' * 60_000}" for number in range(80)),
    ],
)
def test_variables_that_grow_from_line_to_line_are_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="may be too long"):
        plan(*lines)


def test_a_build_argument_is_as_long_as_it_was_given() -> None:
    plan("ARG A", "ENV B=" + "$A" * 40, A="short")
    with pytest.raises(InvalidRequest, match="may be too long"):
        plan("ARG A", "ENV B=" + "$A" * 40, A="x" * 2000)


def test_what_people_write_is_taken() -> None:
    plan(
        "ARG VERSION=3.11",
        "ENV CONDA=/opt/conda CUDA=/usr/local/cuda",
        *["ENV PATH=$CONDA/bin:$CUDA/bin:${PATH}"] * 200,
        "ENV LD_LIBRARY_PATH=$CUDA/lib:$LD_LIBRARY_PATH PYTHONPATH=$PYTHONPATH:/x",
        "LABEL version=$VERSION build=${CONDA}-${VERSION}",
        "RUN " + "echo $PATH $HOME $A $B; " * 100,
        "COPY a$VERSION /opt/$VERSION",
    )


def test_changes_of_an_image_do_not_grow_either() -> None:
    with pytest.raises(InvalidRequest, match="may be too long"):
        checked_changes(["ENV A=x", *["ENV A=$A$A"] * 17])


def test_what_later_builds_run_holds_one_variable() -> None:
    check_trigger("ENV A=$A:x")
    with pytest.raises(InvalidRequest, match="one variable"):
        check_trigger("ENV A=$A$A")


def test_what_an_image_hands_on_is_as_short_as_it_is_taken_to_be() -> None:
    check_inherited([f"A={'x' * LONGEST_INHERITED}"], "base")
    with pytest.raises(InvalidRequest, match="8,193 characters"):
        check_inherited(["B=1", f"A={'x' * (LONGEST_INHERITED + 1)}"], "base")
