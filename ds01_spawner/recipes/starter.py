"""The catalogue of a server whose administrator has written none.

It needs no container registry: everything comes from Debian's and Python's package indexes, on the
base image that the installation makes.
"""

from ds01_spawner.recipes import ssh_server
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue, Framework, UseCase

BASE = "ds01/base:bookworm"
_PYTORCH_CPU = "https://download.pytorch.org/whl/cpu"

_FRAMEWORKS = (
    Framework(
        "pytorch",
        "PyTorch",
        BASE,
        "Deep learning on a GPU; what most courses and papers use.",
        family="pytorch",
        packages=("torch", "torchvision", "torchaudio"),
        gpu=True,
    ),
    Framework(
        "tensorflow",
        "TensorFlow",
        BASE,
        "Deep learning on a GPU with TensorFlow and Keras.",
        family="tensorflow",
        packages=("tensorflow[and-cuda]",),
        gpu=True,
    ),
    Framework(
        "jax",
        "JAX",
        BASE,
        "Fast numerical programs on a GPU, with gradients.",
        family="jax",
        packages=("jax[cuda12]", "flax", "optax"),
        gpu=True,
    ),
    Framework(
        "cpu",
        "CPU only",
        BASE,
        "Python without a deep-learning framework: small, and no GPU is needed.",
    ),
    Framework(
        "pytorch-cpu",
        "PyTorch, CPU only",
        BASE,
        "PyTorch without a GPU: small, for courses and for trying things out.",
        family="pytorch",
        packages=("torch", "torchvision", "torchaudio"),
        index=_PYTORCH_CPU,
    ),
    Framework(
        "tensorflow-cpu",
        "TensorFlow, CPU only",
        BASE,
        "TensorFlow and Keras without a GPU.",
        family="tensorflow",
        packages=("tensorflow-cpu",),
    ),
    Framework(
        "jax-cpu",
        "JAX, CPU only",
        BASE,
        "JAX without a GPU.",
        family="jax",
        packages=("jax", "flax", "optax"),
    ),
)

_USE_CASES = (
    UseCase(
        "ml",
        "Machine learning",
        "Tables and classical models: gradient boosting, search for good settings.",
        ("lightgbm", "optuna", "xgboost"),
        apt=("libgomp1",),
    ),
    UseCase(
        "cv",
        "Computer vision",
        "Images and video.",
        ("albumentations", "imageio", "opencv-python-headless", "pillow", "scikit-image"),
        of_family={"pytorch": ("timm", "torchmetrics")},
    ),
    UseCase(
        "nlp",
        "Language",
        "Text: tokens, models that are trained already, data sets.",
        ("datasets", "nltk", "sentencepiece", "tokenizers", "transformers"),
        of_family={"pytorch": ("accelerate", "evaluate")},
    ),
    UseCase(
        "rl",
        "Reinforcement learning",
        "Agents and their environments.",
        ("gymnasium[classic-control]",),
        of_family={"pytorch": ("stable-baselines3",)},
    ),
    UseCase(
        "audio",
        "Audio",
        "Sound and speech.",
        ("librosa", "soundfile"),
        apt=("ffmpeg", "libsndfile1"),
    ),
    UseCase(
        "ts",
        "Time series",
        "Forecasts, and what is odd in a series.",
        ("sktime", "statsforecast", "statsmodels"),
    ),
    UseCase(
        "llm",
        "Large language models",
        "Running and tuning large models.",
        ("datasets", "huggingface-hub", "safetensors", "sentencepiece", "transformers"),
        of_family={"pytorch": ("accelerate", "peft", "trl")},
    ),
    UseCase(NO_USE_CASE, "Custom", "Nothing more than what you list yourself."),
)

STARTER = Catalogue(
    frameworks=_FRAMEWORKS,
    jupyter=("ipykernel==7.*", "ipywidgets==8.*", "jupyterhub==6.1.*", "jupyterlab==4.*"),
    data_science=("matplotlib", "pandas", "scikit-learn", "scipy", "seaborn"),
    use_cases=_USE_CASES,
    tools=(
        *("ca-certificates", "curl", "git", "less", "nano", "procps", "python3", "python3-venv"),
        *ssh_server.PACKAGES,
    ),
)
