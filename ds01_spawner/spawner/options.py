"""What a person chose, from the form or through the REST API; nothing in it is trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ds01_spawner.domain import names
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.request import GpuRequest

_LONGEST_COUNT = 6
KEYS = ("image", "gpu", "gpu_count", "wait", "project")


@dataclass(frozen=True, slots=True)
class Options:
    """Validated `user_options`.

    Attributes:
        image: Catalogue key or reference; `None` for the default image.
        gpu: Slots wanted.
        wait: Whether to queue when nothing is free.
        project: Project name, or `None`.
    """

    image: str | None = None
    gpu: GpuRequest = field(default_factory=GpuRequest)
    wait: bool = True
    project: str | None = None


def parse_options(raw: object) -> Options:
    """The options that `user_options` spell.

    Raises:
        InvalidRequest: A key is unknown, or a value is of the wrong type.
    """
    if not isinstance(raw, Mapping):
        raise InvalidRequest("Server options must be an object.", f"Keys: {', '.join(KEYS)}.")
    unknown = sorted(str(key) for key in raw if key not in KEYS)
    if unknown:
        raise InvalidRequest(
            f"Unknown server option{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)[:200]}.",
            f"Use {', '.join(KEYS)}.",
        )
    count = raw.get("gpu_count", 1)
    if isinstance(count, bool) or not isinstance(count, int):
        raise InvalidRequest(f"gpu_count must be a whole number, not {names.shown(count)}.")
    wait = raw.get("wait", True)
    if not isinstance(wait, bool):
        raise InvalidRequest(f"wait must be true or false, not {names.shown(wait)}.")
    return Options(
        image=_text(raw, "image"),
        gpu=GpuRequest.parse(_text(raw, "gpu") or "none", count),
        wait=wait,
        project=_text(raw, "project"),
    )


def options_from_form(form: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """`user_options` from form fields, each a list of strings; empty fields are left out.

    A number that is none stays text, for `parse_options` to refuse. An unticked check box sends
    nothing, so the form marks itself with `ds01_form`: then a missing `wait` means false.
    """
    options: dict[str, object] = {}
    for key, values in form.items():
        value = values[0] if values else ""
        if key == "_xsrf" or not isinstance(value, str) or not value.strip():
            continue  # an uploaded file is no option
        value = value.strip()
        options[key] = value
    count = options.get("gpu_count")
    if isinstance(count, str) and count.isdecimal() and len(count) <= _LONGEST_COUNT:
        options["gpu_count"] = int(count)
    if options.pop("ds01_form", None) is not None:
        options["wait"] = options.get("wait") == "true"
    elif isinstance(options.get("wait"), str):
        options["wait"] = options["wait"] == "true"
    return options


def _text(raw: Mapping[object, object], key: str) -> str | None:
    value = raw.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidRequest(f"{key} must be text, not {names.shown(value)}.")
    return value
