"""Snapshots are beside this file; `DS01_WRITE_SNAPSHOTS=1 pytest` writes them anew."""

import os
import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.gateway.docker.dockerfile.parsing import Instruction, parse_dockerfile
from ds01_spawner.gateway.docker.dockerfile.plan import plan_build
from ds01_spawner.recipes import clients
from ds01_spawner.recipes.catalogue import Catalogue
from ds01_spawner.recipes.dockerfile import written
from ds01_spawner.recipes.dockerfile_reading import kept, step_of, steps
from ds01_spawner.recipes.recipe import Recipe, dumped, loaded, with_packages
from ds01_spawner.recipes.starter import STARTER

SNAPSHOTS = Path(__file__).parent / "dockerfiles"
FRAMEWORKS = [each.key for each in STARTER.frameworks]
USE_CASES = [each.key for each in STARTER.use_cases]
EVERYWHERE = replace(STARTER, host_settings=True, notices_from="ds01/starter:latest")
EVERYTHING = Recipe(
    "jax-cpu",
    "audio",
    pip=("numpy>=1.26,<3", 'tomli; python_version < "3.11"', "gymnasium[mujoco]"),
    apt=("g++",),
    requirements=("requirements.txt", "base.txt"),
)


def check(name: str, text: str) -> None:
    path = SNAPSHOTS / f"{name}.Dockerfile"
    if os.environ.get("DS01_WRITE_SNAPSHOTS"):
        path.write_text(text)
    assert path.read_text() == text


def instructions(text: str) -> tuple[Instruction, ...]:
    """As the gateway reads them."""
    dockerfile = parse_dockerfile(text.encode())
    plan_build(dockerfile, {})
    return dockerfile.instructions


def words(text: str) -> list[str]:
    """What a shell makes of all RUN instructions."""
    return [
        word
        for each in instructions(text)
        if each.name == "RUN"
        for word in shlex.split(each.rest, comments=False)
    ]


@pytest.mark.parametrize("use_case", USE_CASES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_dockerfile_of_each_framework_and_use_case(framework: str, use_case: str) -> None:
    text = written(Recipe(framework, use_case), STARTER, "thesis")
    instructions(text)
    check(f"{framework}-{use_case}", text)


@pytest.mark.parametrize(
    ("name", "recipe", "catalogue"),
    [
        ("everything", EVERYTHING, STARTER),
        ("everything-everywhere", EVERYTHING, EVERYWHERE),
        ("least", Recipe("cpu", jupyter=False, data_science=False), STARTER),
        ("least-everywhere", Recipe("cpu", jupyter=False, data_science=False), EVERYWHERE),
    ],
)
def test_the_dockerfile_of_other_choices(name: str, recipe: Recipe, catalogue: Catalogue) -> None:
    text = written(recipe, catalogue, "thesis")
    instructions(text)
    check(name, text)


def test_a_pinned_package_reaches_pip_as_it_was_typed() -> None:
    text = written(EVERYTHING, STARTER, "thesis")
    assert "numpy>=1.26,<3" in words(text)
    assert 'tomli; python_version < "3.11"' in words(text)


def test_what_changes_seldom_comes_first() -> None:
    text = written(EVERYTHING, STARTER, "thesis")
    marks = ("'openssh-server'", "'jax'", "'jupyterlab", "'pandas'", "'librosa'", "'g++'", "COPY")
    places = [text.index(mark) for mark in marks[:5]] + [text.index("numpy>=1.26,<3'")]
    assert places == sorted(places)


def test_nobody_becomes_root_and_nothing_of_a_person_is_in_it() -> None:
    text = written(EVERYTHING, EVERYWHERE, "thesis")
    assert "sudo" not in text
    assert instructions(text)[-2].emitted() == "USER 1000:1000"


def test_a_server_of_it_has_the_wizards_and_the_program() -> None:
    text = written(Recipe("cpu"), EVERYWHERE, "thesis")
    for package in ("ds01_spawner", "ds01_cli", "ds01_widgets"):
        assert f"dist-packages/{package} /opt/ds01/platform/{package}/" in text
    assert "> /opt/ds01/bin/ds01 && chmod 755 /opt/ds01/bin/ds01" in text
    pinned = Recipe("cpu", pip=("pydantic==2.12.0",))
    last = [word for word in words(written(pinned, EVERYWHERE, "t")) if "pydantic" in word]
    assert last == ["pydantic>=2.12", "pydantic==2.12.0"], "what somebody pins comes later"


@pytest.mark.parametrize(
    ("recipe", "catalogue"),
    [(Recipe("cpu", jupyter=False), EVERYWHERE), (Recipe("cpu"), STARTER)],
    ids=["no-server", "nowhere-to-take-them-from"],
)
def test_an_image_without_wizards_has_nothing_of_them(recipe: Recipe, catalogue: Catalogue) -> None:
    text = written(recipe, catalogue, "thesis")
    assert "ds01_widgets" not in text
    assert "'typer" not in text


def test_what_the_wizards_need_is_what_the_package_asks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["cli"], *extras["widgets"]]
    assert sorted(clients.PACKAGES) == sorted(asked)


def test_settings_of_the_server_stay_in_a_stage_that_is_not_kept() -> None:
    last = written(EVERYTHING, EVERYWHERE, "thesis").rpartition("\nFROM ")[2]
    assert "/run/host" not in last
    assert "PIP_CONFIG_FILE" not in last
    assert ".ds01-host" not in written(EVERYTHING, STARTER, "thesis")


def test_it_can_be_read_back() -> None:
    text = written(EVERYTHING, EVERYWHERE, "thesis")
    assert kept(text).recipe == EVERYTHING
    assert not kept(text).edited


@pytest.mark.parametrize("ending", ["\r\n", " \n"], ids=["of windows", "with spaces"])
def test_other_line_endings_are_no_change(ending: str) -> None:
    assert not kept(written(EVERYTHING, STARTER, "thesis").replace("\n", ending)).edited


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'librosa'", "'librosa<1'"),
        ('"audio"', '"cv"'),
        ("# Framework", "# My framework"),
        ("# ds01-hash: ", "# ds01-hash: 0"),
        ("\nFROM", "\nRUN true\nFROM"),
    ],
)
def test_a_change_by_hand_is_seen(old: str, new: str) -> None:
    assert kept(written(EVERYTHING, STARTER, "thesis").replace(old, new, 1)).edited


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FROM x\n",
        "# ds01-recipe: nonsense\nFROM x\n",
        '# ds01-recipe: {"framework": 1}\nFROM x\n',
    ],
)
def test_a_dockerfile_of_somebody_elses_is_one_that_was_written_by_hand(text: str) -> None:
    assert kept(text).recipe is None
    assert kept(text).edited


def test_steps_have_titles_and_are_recognised_as_the_builder_tells_them() -> None:
    text = written(EVERYTHING, STARTER, "thesis")
    known = steps(text)
    for each in instructions(text):
        if each.name == "RUN":
            step = step_of(each.emitted(), known)
            assert step is not None
            assert step.title
            assert text.splitlines()[step.line - 1].startswith("RUN")
    assert step_of("LABEL ds01.image.owner=alice", known) is None


def test_what_the_catalogue_has_no_more_is_told() -> None:
    with pytest.raises(NotFound, match="no framework 'mxnet'"):
        written(Recipe("mxnet"), STARTER, "thesis")


def test_packages_are_added_replaced_and_removed() -> None:
    first = with_packages(
        Recipe("cpu", pip=("numpy<2", "polars"), apt=("ffmpeg",)), add=["numpy<3"]
    )
    assert first.pip == ("numpy<3", "polars")
    second = with_packages(first, remove=["Polars", "ffmpeg"], apt=["g++"])
    assert (second.pip, second.apt) == (("numpy<3",), ("g++",))
    with pytest.raises(InvalidRequest, match=r"pandas is not among .* \(g\+\+, numpy\)"):
        with_packages(second, remove=["pandas"])


anything = st.text(max_size=60) | st.sampled_from(
    [
        "numpy\nRUN id",
        "a' && id #",
        "a\\",
        "a; python_version < '3' #' && id",
        "x @ https://e/$(id)",
        "# escape=`",
        "<<EOF",
        "a`id`",
        "a$HOME",
        "a\r\nUSER root",
    ]
)
plausible = st.from_regex(
    r"[A-Za-z][A-Za-z0-9._-]{0,8}(\[[a-z]{1,4}\])?([<>=!~]=?[0-9.*]{1,6})?", fullmatch=True
)


@settings(deadline=None)
@given(st.lists(anything | plausible, max_size=4), st.lists(anything | plausible, max_size=3))
def test_no_word_of_a_person_becomes_an_instruction_or_a_command(
    pip: list[str], apt: list[str]
) -> None:
    try:
        recipe = Recipe("cpu", pip=tuple(pip), apt=tuple(apt))
    except InvalidRequest:
        return
    text = written(recipe, EVERYWHERE, "thesis")
    plain = written(
        replace(recipe, pip=("x",) * bool(recipe.pip), apt=("xx",) * bool(recipe.apt)),
        EVERYWHERE,
        "thesis",
    )

    def shape(dockerfile: str) -> list[tuple[str, list[str]]]:
        gone = {*recipe.pip, *recipe.apt, "x", "xx"}
        return [
            (each.name, [word for word in shlex.split(each.rest) if word not in gone])
            if each.name == "RUN"
            else (each.name, [each.rest])
            for each in instructions(dockerfile)
            if each.name != "LABEL"
        ]

    assert shape(text) == shape(plain)
    assert kept(text).recipe == recipe
    assert not kept(text).edited


@settings(deadline=None)
@given(anything)
def test_no_name_becomes_an_instruction(name: str) -> None:
    try:
        text = written(Recipe("cpu"), STARTER, name)
    except InvalidRequest:
        return
    assert re.fullmatch(r"[a-z0-9._-]+", name)
    assert len(instructions(text)) == len(instructions(written(Recipe("cpu"), STARTER, "x")))


@given(
    st.dictionaries(
        st.sampled_from(["framework", "pip", "jupyter", "use_case"]),
        st.none() | st.text() | st.lists(st.text()) | st.booleans(),
    )
)
def test_a_recipe_is_read_or_refused(said: dict[str, object]) -> None:
    import json  # noqa: PLC0415

    try:
        recipe = loaded(json.dumps(said))
    except InvalidRequest:
        return
    assert loaded(dumped(recipe)) == recipe


@given(st.text(max_size=300))
def test_any_text_is_read_back_without_a_fault(text: str) -> None:
    assert kept(text).edited
    steps(text)
