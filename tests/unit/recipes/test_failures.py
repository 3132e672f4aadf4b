import pytest

from ds01_spawner.gateway.docker.images.size_limit import SizeLimit
from ds01_spawner.recipes.dockerfile import written
from ds01_spawner.recipes.failures import explained
from ds01_spawner.recipes.recipe import Recipe
from ds01_spawner.recipes.starter import STARTER

DOCKERFILE = written(
    Recipe("cpu", "ml", pip=("numpy>=1.26,<3", "nosuchthing", "pandas==9"), apt=("nosuchlib",)),
    STARTER,
    "thesis",
)


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(DOCKERFILE.splitlines(), 1) if text in line)


def log(last: str, step: str = "Packages that you chose.") -> str:
    place = DOCKERFILE.splitlines().index(f"# {step}") + 1
    lines = []
    for line in DOCKERFILE.splitlines()[place:]:
        lines.append(line.rstrip("\\"))
        if not line.endswith("\\"):
            break
    return f"Step 1/9 : FROM x\n ---> 1\nStep 8/9 : {' '.join(lines)}\n ---> Running in 2\n{last}\n"


@pytest.mark.parametrize(
    ("told", "what", "fix", "line"),
    [
        (
            (
                "ERROR: Could not find a version that satisfies the requirement nosuchthing "
                "(from versions: none)\nERROR: No matching distribution found for nosuchthing"
            ),
            "pip finds no package called nosuchthing.",
            "spelled as on PyPI",
            "'nosuchthing'",
        ),
        (
            (
                "ERROR: Could not find a version that satisfies the requirement pandas==9 "
                "(from versions: 0.1, 2.3.2, 2.3.3)"
            ),
            "pandas exists, but not in a version that fits pandas==9.",
            "The newest ones are 0.1, 2.3.2, 2.3.3",
            "'pandas==9'",
        ),
        (
            (
                "ERROR: Cannot install numpy>=1.26 and x because these package versions have "
                "conflicting dependencies.\n\nThe conflict is caused by:\n    The user requested "
                "numpy<3,>=1.26\n    x 1.0 depends on numpy<1.20\n\nERROR: ResolutionImpossible"
            ),
            "x 1.0 depends on numpy<1.20",
            "Loosen a version",
            "'numpy>=1.26,<3'",
        ),
        (
            "error: could not write: No space left on device",
            "no room left on the server's disk",
            "ds01 image prune",
            "RUN python -m pip install --no-cache-dir \\",
        ),
        (
            "  Failed building wheel for pandas\nERROR: Failed to build pandas",
            "pandas has to be compiled here",
            "--apt build-essential",
            "'pandas==9'",
        ),
        (
            "ERROR: Package 'pandas' requires a different Python: 3.11.2 not in '>=3.12'",
            "pandas is not made for this Python: 3.11.2 not in '>=3.12'.",
            "another version",
            "'pandas==9'",
        ),
        (
            (
                "WARNING: [Errno -3] Temporary failure in name resolution\nERROR: Could not "
                "find a version that satisfies the requirement nosuchthing (from versions: none)"
            ),
            "could not be reached",
            "Try again",
            None,
        ),
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]",
            "trusted",
            "ca_bundle",
            None,
        ),
        ("Killed", "more memory than you have", "ds01 check-limits", None),
    ],
)
def test_why_pip_failed(told: str, what: str, fix: str, line: str | None) -> None:
    found = explained(log(told), DOCKERFILE, "The command returned a non-zero code: 1")
    assert what in found.what
    assert fix in found.fix
    assert found.step == "Packages that you chose"
    if line is not None and line.startswith("'"):
        assert found.line == line_of(line)


def test_why_apt_failed() -> None:
    told = log("E: Unable to locate package nosuchlib", "Packages of the system that you chose.")
    found = explained(told, DOCKERFILE)
    assert found.what == "apt finds no package called nosuchlib."
    assert found.line == line_of("'nosuchlib'")


def test_a_failure_that_nobody_knows_is_told_as_the_builder_told_it() -> None:
    found = explained("Step 1/2 : FROM x\n", DOCKERFILE, "The moon is in the way")
    assert found.what == "The moon is in the way"
    assert "--verbose" in found.fix


def test_an_earlier_step_is_not_blamed() -> None:
    before = "Step 1/9 : RUN true\nE: Unable to locate package other\n"
    found = explained(before + log("No space left on device"), DOCKERFILE)
    assert "no room" in found.what


def test_an_image_that_is_too_large_is_explained_as_the_gateway_does() -> None:
    limit = SizeLimit(40 * 1024**3, "group student, resource-limits.yaml line 31")
    refused = str(limit.refusal(41 * 1024**3, [{"CreatedBy": "/bin/sh -c x", "Size": 2**30}]))
    found = explained(log("Collecting numpy"), DOCKERFILE, refused)
    assert found.what.startswith("The image has 41 GiB; one of yours may have 40 GiB")
    assert found.what.endswith("Its largest steps: 1 GiB RUN x.")
    assert "ds01 check-limits -v" in found.fix
