"""Why a build failed, from what it told: in words, with the package, its line, and what to do."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ds01_spawner.recipes.dockerfile_reading import Step, step_of, steps

_STEP = re.compile(r"^Step \d+/\d+ : (?P<told>.*)$", re.MULTILINE)
_NO_MATCH = re.compile(
    r"Could not find a version that satisfies the requirement (?P<wanted>.+?) "
    r"\((?:from (?P<by>[^)]*?)\) \()?from versions: (?P<versions>[^)]*)\)"
)
_NETWORK = re.compile(
    r"Temporary failure in name resolution|Could not resolve host|Temporary failure resolving"
    r"|Failed to establish a new connection|Network is unreachable|Connection timed out"
    r"|Read timed out|Connection reset by peer|Could not connect to|Max retries exceeded"
)
_CONFLICT = re.compile(r"ResolutionImpossible|conflicting dependencies")
_CAUSE = re.compile(r"^ {4}(?P<line>\S.* depends on .*|The user requested .*)$", re.MULTILINE)
_APT_MISSING = re.compile(
    r"E: (?:Unable to locate package|Package '?(?P<gone>\S+?)'? has no installation) ?(?P<name>\S*)"
)
_APT_VERSION = re.compile(r"E: Version '(?P<version>[^']+)' for '(?P<name>[^']+)' was not found")
_WHEEL = re.compile(
    r"(?:Failed building wheel for|Failed to build|Could not build wheels for) '?(?P<name>[\w.-]+)"
)
_PYTHON = re.compile(r"Package '?(?P<name>[\w.-]+)'? requires a different Python: (?P<why>[^\n]+)")
_PIP_FILE = re.compile(r"Could not open requirements file|COPY failed:[^\n]*(?:not found|no such)")
_TOO_LARGE = re.compile(
    r"(?P<what>The image has [^\n]*?\(max_image_size,[^\n]*?)(?= Leave out what it need not|$)",
    re.MULTILINE,
)
_CUT = 5
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What went wrong.

    Attributes:
        what: In a sentence.
        fix: What to do about it.
        line: Of the Dockerfile, from 1; `None` where it has none.
        step: What the step does, in words; may be empty.
        package: Which package, where it is one's fault.
    """

    what: str
    fix: str
    line: int | None = None
    step: str = ""
    package: str = ""


def explained(log: str, dockerfile: str, failure: str = "") -> Explanation:
    """Why a build of `dockerfile` failed.

    Args:
        log: What it told, at least the end of it.
        dockerfile: What was built.
        failure: What the builder said at last.
    """
    known = steps(dockerfile)
    told = _STEP.findall(log)
    step = step_of(told[-1], known) if told else None
    last = log[log.rfind("\nStep ") + 1 :] + f"\n{failure}"
    for find in (
        _large,
        _disk,
        _memory,
        _versions,
        _python,
        _conflict,
        _apt,
        _certificates,
        _network,
    ):
        if (found := find(last)) is not None:
            return _placed(found, step)
    for find in (_wheel, _file):
        if (found := find(last)) is not None:
            return _placed(found, step)
    what = failure.strip() or "The build ended without saying why."
    return _placed(
        Explanation(what, "The lines above the failure say more: run it again with --verbose."),
        step,
    )


def _placed(found: Explanation, step: Step | None) -> Explanation:
    if step is None:
        return found
    line = step.line
    if found.package:
        name = re.compile(rf"['\"\s]{re.escape(found.package)}(?![\w-])", re.IGNORECASE)
        line = next(
            (step.line + n for n, text in enumerate(step.lines) if name.search(f" {text}")), line
        )
    return Explanation(found.what, found.fix, line, step.title, found.package)


def _versions(log: str) -> Explanation | None:
    match = _NO_MATCH.search(log)
    if match is None:
        return None
    wanted, versions = match["wanted"].strip(), match["versions"].strip()
    found = _NAME.match(wanted)
    name = found[0] if found else wanted
    if _NETWORK.search(log) and versions in {"", "none"}:
        return _network(log)
    if versions in {"", "none"}:
        return Explanation(
            f"pip finds no package called {name}.",
            "Is it spelled as on PyPI? The name to install is not always the name to "
            "import: scikit-learn, not sklearn. It may also not exist for this Python.",
            package=name,
        )
    newest = [each.strip() for each in versions.split(",")][-_CUT:]
    return Explanation(
        f"{name} exists, but not in a version that fits {wanted}.",
        f"The newest ones are {', '.join(newest)}: ask for one of them, or for none in particular.",
        package=name,
    )


def _python(log: str) -> Explanation | None:
    match = _PYTHON.search(log)
    return match and Explanation(
        f"{match['name']} is not made for this Python: {match['why'].strip()}.",
        "Ask for another version of it, or choose a framework with another Python.",
        package=match["name"],
    )


def _conflict(log: str) -> Explanation | None:
    if not _CONFLICT.search(log):
        return None
    causes = [each["line"].strip() for each in _CAUSE.finditer(log)]
    detail = f" {'; '.join(causes[:_CUT])}." if causes else ""
    first = _NAME.search(causes[0].removeprefix("The user requested ")) if causes else None
    return Explanation(
        f"These packages cannot be installed together.{detail}",
        "Loosen a version that you asked for, or leave one of them out.",
        package=first[0] if first else "",
    )


def _apt(log: str) -> Explanation | None:
    if match := _APT_VERSION.search(log):
        return Explanation(
            f"There is no version {match['version']} of the apt package {match['name']}.",
            "Leave the version out to get the one that there is.",
            package=match["name"],
        )
    if match := _APT_MISSING.search(log):
        name = match["name"] or match["gone"] or ""
        return Explanation(
            f"apt finds no package called {name}.",
            "Look for it on https://packages.debian.org. A Python package goes to --pip instead.",
            package=name,
        )
    return None


def _wheel(log: str) -> Explanation | None:
    match = _WHEEL.search(log)
    return match and Explanation(
        f"{match['name']} has to be compiled here, and that failed.",
        "Add what it needs to compile: --apt build-essential --apt python3-dev; or ask for a "
        "version that is there ready-made.",
        package=match["name"],
    )


def _file(log: str) -> Explanation | None:
    return (
        Explanation(
            "A file that the Dockerfile copies or reads is not there.",
            "Put it beside the Dockerfile, or take it out: ds01 image update NAME --remove.",
        )
        if _PIP_FILE.search(log)
        else None
    )


def _sentence(pattern: str, what: str, fix: str) -> Callable[[str], Explanation | None]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda log: Explanation(what, fix) if compiled.search(log) else None


def _large(log: str) -> Explanation | None:
    match = _TOO_LARGE.search(log)
    return match and Explanation(
        match["what"],
        "What it need not hold, leave out: data belongs into folders, and what a step fetches and "
        "no longer needs it must delete itself. Your limit: ds01 check-limits -v.",
    )


_disk = _sentence(
    r"[Nn]o space left on device|Disk quota exceeded|disk is nearly full|not enough free space",
    "There is no room left on the server's disk.",
    "Make some: ds01 image prune; ds01 image delete NAME. If it stays full, tell your "
    "administrator.",
)
_memory = _sentence(
    r"(?:returned a non-zero code|exit code): 137|Cannot allocate memory|MemoryError|^Killed$",
    "The step needed more memory than you have, and was ended.",
    "Install large packages in steps, fewer at a time; ds01 check-limits shows your memory.",
)
_certificates = _sentence(
    r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed",
    "The package index could not be trusted: its certificate is not known in the build.",
    "Tell your administrator: build.ca_bundle in images.yaml.",
)
_network = _sentence(
    _NETWORK.pattern,
    "A server that the build needs could not be reached.",
    "Try again in some minutes; if it stays so, tell your administrator.",
)
