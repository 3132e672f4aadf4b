"""What an image is going to be like, before it is built: about how large, and what may go wrong.

Nothing is looked up. Sizes are those of wheels for Linux on x86-64, installed in November 2026,
with about what comes along; those of packages that bring CUDA are guesses. Hints are on what people
stumble over most.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ds01_spawner.recipes.catalogue import Catalogue, Framework
from ds01_spawner.recipes.packages import pip_name
from ds01_spawner.recipes.recipe import Recipe

_MB = 1024**2
_BASE = 350 * _MB
_TOOLS = 200 * _MB
_UNKNOWN_PIP = 25
_UNKNOWN_APT = 30
_CPU_INDEX = "/cpu"

_PIP = {
    "accelerate": 5,
    "albumentations": 10,
    "chromadb": 320,
    "dask": 20,
    "datasets": 185,
    "diffusers": 65,
    "evaluate": 5,
    "fastai": 60,
    "flax": 70,
    "gymnasium": 10,
    "huggingface-hub": 15,
    "imageio": 5,
    "ipykernel": 60,
    "ipywidgets": 10,
    "jax": 400,
    "jupyterhub": 95,
    "jupyterlab": 130,
    "keras": 50,
    "langchain": 60,
    "librosa": 220,
    "lightgbm": 15,
    "lightning": 20,
    "llvmlite": 175,
    "matplotlib": 75,
    "mlflow": 300,
    "nltk": 20,
    "numba": 210,
    "numpy": 75,
    "opencv-contrib-python": 210,
    "opencv-python": 190,
    "opencv-python-headless": 155,
    "optuna": 40,
    "pandas": 90,
    "peft": 10,
    "pillow": 25,
    "plotly": 70,
    "polars": 140,
    "pyarrow": 170,
    "scikit-image": 35,
    "scikit-learn": 55,
    "scipy": 145,
    "seaborn": 5,
    "sentencepiece": 6,
    "sktime": 60,
    "soundfile": 5,
    "spacy": 180,
    "stable-baselines3": 10,
    "statsforecast": 220,
    "statsmodels": 70,
    "sympy": 80,
    "tensorboard": 40,
    "tensorflow": 1900,
    "tensorflow-cpu": 1500,
    "timm": 20,
    "tokenizers": 15,
    "torch": 5600,
    "torchaudio": 15,
    "torchvision": 25,
    "transformers": 140,
    "trl": 10,
    "vllm": 1600,
    "xgboost": 500,
}
"""Megabytes with what usually comes along, by pip's name."""

_WITH_CUDA = {"tensorflow": 5400, "jax": 4400}
"""The same for those that bring CUDA with an extra."""

_TORCH_FOR_CPU = 800

_APT = {
    "build-essential": 270,
    "cmake": 90,
    "default-jdk": 450,
    "ffmpeg": 330,
    "gfortran": 110,
    "graphviz": 40,
    "libgomp1": 1,
    "libsndfile1": 10,
    "nodejs": 180,
    "pandoc": 190,
    "python3-dev": 60,
    "r-base": 450,
    "texlive-full": 5500,
    "texlive-latex-base": 250,
    "texlive-latex-extra": 700,
}

_IMPORTED_AS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "gym": "gymnasium",
    "pil": "pillow",
    "pytorch": "torch",
    "pytorch-lightning": "lightning",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What people ask for, and what it is called on PyPI now."""

_FRAMEWORKS = {
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "tensorflow-cpu": "TensorFlow",
    "jax": "JAX",
}
_FAMILIES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX"}
_OPENCV = frozenset(
    {
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    }
)
_NEEDS_SCREEN = frozenset({"opencv-python", "opencv-contrib-python"})
_PYTHON_OF_DEBIAN = re.compile(r"python3?-(?P<name>.+)")
_NO_LIBRARY = frozenset({"dev", "distutils", "full", "minimal", "pip", "setuptools", "venv"})
_WITHOUT_GPU = frozenset({"bitsandbytes", "cupy", "cupy-cuda12x", "flash-attn", "vllm"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how large an image is going to be.

    Attributes:
        size_bytes: About so much.
        guessed: Packages whose size nobody knows, and that are counted as small ones.
    """

    size_bytes: int
    guessed: tuple[str, ...] = ()


def estimate(recipe: Recipe, catalogue: Catalogue, base_bytes: int | None = None) -> Estimate:
    """About how large the image of a recipe is going to be.

    Args:
        recipe: What is chosen.
        catalogue: What there is to choose from.
        base_bytes: Size of the image that it is built on; `None` where nobody knows.

    Raises:
        NotFound: The catalogue has not what was chosen.
    """
    framework = catalogue.framework(recipe.framework)
    brought = {pip_name(each) for each in framework.packages}
    total, guessed = (_BASE if base_bytes is None else base_bytes) + _TOOLS, list[str]()
    by_name = {pip_name(each): each for each in _pip(recipe, catalogue)}
    for name, package in by_name.items():
        known = _pip_megabytes(package, framework, of_framework=name in brought)
        total += (_UNKNOWN_PIP if known is None else known) * _MB
        guessed += [name] * (known is None)
    for package in (*catalogue.use_case(recipe.use_case).apt, *recipe.apt):
        name = package.partition("=")[0]
        total += _APT.get(name, _UNKNOWN_APT) * _MB
        guessed += [name] * (name not in _APT)
    return Estimate(total, tuple(guessed))


def hints(recipe: Recipe, catalogue: Catalogue) -> tuple[str, ...]:
    """What may go wrong, or is not as it seems, in sentences.

    Raises:
        NotFound: The catalogue has not what was chosen.
    """
    framework = catalogue.framework(recipe.framework)
    own = {pip_name(each): each for each in recipe.pip}
    found = [
        *_of_names(own),
        *_of_framework(own, framework),
        *_of_phases(own, recipe, catalogue),
        *_of_system(recipe),
    ]
    if not recipe.jupyter:
        found.append(
            "Without Jupyter the image cannot be started from the hub's page, only as a container."
        )
    return tuple(found)


def _of_names(own: dict[str, str]) -> Iterator[str]:
    for name in own:
        if name in _IMPORTED_AS:
            yield f"{name}: the package to install is called {_IMPORTED_AS[name]}."
    if len(_OPENCV & own.keys()) > 1:
        several = ", ".join(sorted(_OPENCV & own.keys()))
        yield f"Take only one of {several}: they are the same module, and overwrite each other."
    for name in sorted(_NEEDS_SCREEN & own.keys()):
        yield f"{name} needs a screen's libraries; {name}-headless does without."


def _of_framework(own: dict[str, str], framework: Framework) -> Iterator[str]:
    family = _FAMILIES.get(framework.family, "")
    for name, title in _FRAMEWORKS.items():
        if name not in own:
            continue
        if family and title != family:
            yield (
                f"{name} is a second framework beside {framework.title}: the image grows by some "
                "GB, and the two may ask for different versions of CUDA."
            )
        elif family:
            yield (
                f"{framework.title} brings {name} already; another version of it may not fit the "
                "rest."
            )
    if not framework.gpu and (needing := sorted(_WITHOUT_GPU & own.keys())):
        yield f"{', '.join(needing)} needs a GPU, which {framework.title} does without."


def _of_phases(own: dict[str, str], recipe: Recipe, catalogue: Catalogue) -> Iterator[str]:
    phases = _phases(recipe, catalogue)
    for name, text in own.items():
        where = next((title for title, names in phases if name in names), None)
        if where is None or name in _FRAMEWORKS:
            continue
        pinned = Requirement(text).specifier
        yield (
            f"{name} comes with {where} already; yours is installed over it."
            if pinned
            else f"{name} comes with {where} already: you need not list it."
        )


def _phases(recipe: Recipe, catalogue: Catalogue) -> Iterable[tuple[str, set[str]]]:
    use_case = catalogue.use_case(recipe.use_case)
    packages = use_case.packages_for(catalogue.framework(recipe.framework))
    found = [(use_case.title, packages)]
    found += [("Jupyter", catalogue.jupyter)] * recipe.jupyter
    found += [("data science", catalogue.data_science)] * recipe.data_science
    return [(title, {pip_name(each) for each in names}) for title, names in found]


def _of_system(recipe: Recipe) -> Iterator[str]:
    for package in recipe.apt:
        name = package.partition("=")[0]
        match = _PYTHON_OF_DEBIAN.fullmatch(name)
        if match and match["name"] not in _NO_LIBRARY:
            yield (
                f"{name} is for the system's own Python; programs in the image find "
                f"{canonicalize_name(match['name'])} only as a Python package."
            )


def _pip(recipe: Recipe, catalogue: Catalogue) -> Iterator[str]:
    framework = catalogue.framework(recipe.framework)
    yield from framework.packages
    if recipe.jupyter:
        yield from catalogue.jupyter
    if recipe.data_science:
        yield from catalogue.data_science
    yield from catalogue.use_case(recipe.use_case).packages_for(framework)
    yield from recipe.pip


def _pip_megabytes(package: str, framework: Framework, *, of_framework: bool) -> int | None:
    wanted = Requirement(package)
    name = canonicalize_name(wanted.name)
    if name == "torch" and of_framework and framework.index.endswith(_CPU_INDEX):
        return _TORCH_FOR_CPU
    if any("cuda" in each for each in wanted.extras) and name in _WITH_CUDA:
        return _WITH_CUDA[name]
    return _PIP.get(name)
