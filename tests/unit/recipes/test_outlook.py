import pytest

from ds01_spawner.recipes.outlook import estimate, hints
from ds01_spawner.recipes.recipe import Recipe
from ds01_spawner.recipes.starter import STARTER

GB = 1024**3


def plain(**facts: object) -> Recipe:
    usual: dict[str, object] = {"framework": "cpu", "jupyter": True, "data_science": False}
    return Recipe(**{**usual, **facts})  # type: ignore[arg-type]


def test_a_framework_for_gpus_is_some_gigabytes_and_one_without_is_not() -> None:
    assert 5 * GB < estimate(plain(framework="pytorch"), STARTER).size_bytes < 8 * GB
    assert estimate(plain(framework="pytorch-cpu"), STARTER).size_bytes < 2 * GB
    assert estimate(plain(framework="tensorflow"), STARTER).size_bytes > 5 * GB
    assert estimate(plain(jupyter=False), STARTER).size_bytes < GB


def test_each_phase_and_package_makes_it_larger_once() -> None:
    before = estimate(plain(), STARTER).size_bytes
    assert estimate(plain(data_science=True), STARTER).size_bytes > before
    assert estimate(plain(use_case="audio"), STARTER).size_bytes > before + 300 * 1024**2
    with_pandas = estimate(plain(data_science=True), STARTER).size_bytes
    assert estimate(plain(data_science=True, pip=("pandas==2.2",)), STARTER).size_bytes == (
        with_pandas
    )


def test_the_base_counts_as_large_as_it_is_and_what_nobody_knows_is_named() -> None:
    found = estimate(plain(pip=("my-own-thing",), apt=("sl",)), STARTER, 3 * GB)
    assert found.size_bytes > 3 * GB
    assert found.guessed == ("my-own-thing", "sl")


@pytest.mark.parametrize(
    ("recipe", "hint"),
    [
        (plain(pip=("sklearn",)), "is called scikit-learn"),
        (plain(pip=("cv2",)), "is called opencv-python-headless"),
        (plain(framework="pytorch", pip=("tensorflow",)), "a second framework beside PyTorch"),
        (plain(framework="pytorch", pip=("torch==2.1",)), "brings torch already"),
        (plain(data_science=True, pip=("pandas",)), "need not list it"),
        (plain(data_science=True, pip=("pandas<2",)), "installed over it"),
        (plain(use_case="cv", pip=("pillow",)), "comes with Computer vision"),
        (plain(pip=("opencv-python", "opencv-python-headless")), "Take only one of"),
        (plain(pip=("opencv-python",)), "opencv-python-headless does without"),
        (plain(apt=("python3-numpy",)), "find numpy only as a Python package"),
        (plain(pip=("flash-attn",)), "needs a GPU"),
        (plain(jupyter=False), "cannot be started from the hub's page"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_people_stumble_over_is_said(recipe: Recipe, hint: str) -> None:
    assert any(hint in each for each in hints(recipe, STARTER))


def test_nothing_is_said_of_what_is_well() -> None:
    assert hints(plain(pip=("rich", "einops>=0.8"), apt=("python3-dev", "ffmpeg")), STARTER) == ()
