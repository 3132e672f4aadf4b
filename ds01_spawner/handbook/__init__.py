"""What the commands and ideas of the platform are, in words, for terminal and notebooks.

Pages are Markdown beside this file. This is `commands/container-deploy.md`:

```
# ds01 container deploy

One sentence.

## Info

Everything, with examples and edge cases.

## Concepts

[container](../concepts/container.md) [slot](../concepts/slot.md)

Why this command is as it is; may be empty.

## Guided

### choose

What is told before the step `choose`.
```

`concepts/container.md` explains one idea: a title, and text below it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ds01_spawner.domain.errors import NotFound

_LINK = re.compile(r"\[[^\]]+\]\(\.\./concepts/([a-z0-9-]+)\.md\)")
_SECTIONS = ("Info", "Concepts", "Guided")


@dataclass(frozen=True, slots=True)
class Concept:
    """One idea, explained.

    Attributes:
        name: Of its file.
        title: For people.
        text: Markdown below the title.
    """

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is said about one command.

    Attributes:
        command: Such as `container deploy`.
        summary: One sentence.
        info: Everything about it, with examples and edge cases; Markdown.
        ideas: Names of the concepts that it stands on, in the order in which to read them.
        why: What else there is to understand about it; Markdown, may be empty.
        steps: What is told before each step, by the step's name, in their order; Markdown.
    """

    command: str
    summary: str
    info: str
    ideas: tuple[str, ...]
    why: str
    steps: Mapping[str, str]


@cache
def page(command: str) -> Page:
    """The page of one command.

    Raises:
        NotFound: There is none.
    """
    name = f"{command.replace(' ', '-')}.md"
    title, lead, parts = _divided(_text("commands", name), "## ")
    if title != f"ds01 {command}" or tuple(parts) != _SECTIONS:
        raise ValueError(f"{name}: expected the title ds01 {command} and {_SECTIONS}")
    _, _, steps = _divided(f"# steps\n{parts['Guided']}", "### ")
    ideas = tuple(_LINK.findall(parts["Concepts"]))
    why = _LINK.sub("", parts["Concepts"]).strip()
    return Page(command, lead, parts["Info"], ideas, why, steps)


@cache
def concept(name: str) -> Concept:
    """One idea.

    Raises:
        NotFound: It is not explained.
    """
    title, text, _ = _divided(_text("concepts", f"{name}.md"), "## nothing")
    return Concept(name, title, text)


def commands() -> tuple[str, ...]:
    """Names of the files about commands, such as `container-deploy`."""
    return _names("commands")


def concepts() -> tuple[str, ...]:
    """Names of the ideas that are explained."""
    return _names("concepts")


def _names(folder: str) -> tuple[str, ...]:
    found = (each.name for each in (files(__name__) / folder).iterdir())
    return tuple(sorted(name.removesuffix(".md") for name in found if name.endswith(".md")))


def _text(folder: str, name: str) -> str:
    try:
        return (files(__name__) / folder / name).read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise NotFound(f"Nothing is written about {name.removesuffix('.md')}.") from exc


def _divided(text: str, mark: str) -> tuple[str, str, dict[str, str]]:
    """Title, what stands below it, and the parts that begin with `mark`, outside code blocks."""
    title, _, rest = text.strip().partition("\n")
    lead: list[str] = []
    parts: dict[str, list[str]] = {}
    current, in_code = lead, False
    for line in rest.splitlines():
        in_code ^= line.startswith("```")
        if line.startswith(mark) and not in_code:
            current = parts.setdefault(line.removeprefix(mark).strip(), [])
        else:
            current.append(line)
    ready = {name: "\n".join(lines).strip() for name, lines in parts.items()}
    return title.removeprefix("# ").strip(), "\n".join(lead).strip(), ready
