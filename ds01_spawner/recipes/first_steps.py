"""The page that somebody reads after they were set up: how to get in, and what to do next. Pure."""

from dataclasses import dataclass

FILE = "first-steps.md"


@dataclass(frozen=True, slots=True)
class Ready:
    """What somebody has.

    Attributes:
        user: Their name on the server.
        container: A container of theirs that runs; empty for none.
        gpu: Its GPU slots in words; empty without any.
        hub_url: The hub in a browser; empty where it is not known.
        ssh: Whether this computer's `ssh` finds containers.
        folders: Whether their folders are on the machine that they type on.
    """

    user: str
    container: str = ""
    gpu: str = ""
    hub_url: str = ""
    ssh: bool = False
    folders: bool = False


def first_steps(ready: Ready) -> str:
    """The page, as Markdown."""
    name = ready.container or "NAME"
    parts = ["# First steps", _running(ready), "## Get in", _ways(ready, name)]
    if ready.container and ready.gpu:
        parts += [
            "## Is the GPU there?",
            _code(f"ds01 container exec {name} -- printenv NVIDIA_VISIBLE_DEVICES"),
        ]
    parts += ["## What you will need", _reference(name)]
    if ready.folders:
        parts += [
            "## Where things are",
            _FOLDERS,
        ]
    parts += ["## Help", _HELP]
    return "\n\n".join(parts) + "\n"


def _running(ready: Ready) -> str:
    if not ready.container:
        return f"You are set up, {ready.user}. Start a container: `ds01 container deploy`"
    gpu = f" with {ready.gpu}" if ready.gpu else ""
    return (
        f"You are set up, {ready.user}. Your container **{ready.container}** runs{gpu}. "
        "Containers are thrown away when you are done; your home folder and your images stay."
    )


def _ways(ready: Ready, name: str) -> str:
    ways = [("a shell here", f"ds01 container attach {name}")]
    if ready.ssh:
        ways += [("with SSH", f"ssh {name}.ds01"), ("in VS Code", f"ds01 vscode {name}")]
    if ready.hub_url:
        ways.append(("in a browser, with Jupyter", ready.hub_url))
    rows = [f"| {way} | `{how}` |" for way, how in ways]
    return "\n".join(["| how | what to type |", "|---|---|", *rows])


def _reference(name: str) -> str:
    rows = [
        ("What do I have, and when does it stop?", "ds01 container list"),
        ("What may I use?", "ds01 check-limits"),
        ("Why was it stopped, why do I wait?", "ds01 why"),
        ("Begin a project", "ds01 project init"),
        ("An image with my own packages", "ds01 image create"),
        ("I am done: give the GPU back", f"ds01 container retire {name}"),
    ]
    return "\n".join(["| question | answer |", "|---|---|", *(f"| {q} | `{a}` |" for q, a in rows)])


def _code(text: str) -> str:
    return f"```\n{text}\n```"


_FOLDERS = """\
`~/projects` is for your work, `~/data` for data. Your home folder stays, whatever happens to
containers."""

_HELP = """\
Every command has four kinds of help: `--help` is short, `--info` has everything with examples,
`--concepts` says why, and `--guided` explains each step while it is done. This page is kept as
`first-steps.md`, beside the key of `ds01`: `~/.config/ds01` on Linux."""
