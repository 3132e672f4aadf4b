"""The steps of a first day: each finds what is done already, and does what is missing.

Nothing is undone, and nothing that is there is changed, so that each may be taken again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.words import gpu_words
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.home import folders, ssh_files
from ds01_spawner.recipes.first_steps import FILE, Ready

FOLDERS, KEY, VSCODE, CONTAINER, FIRST_STEPS = NAMES = (
    "folders",
    "key",
    "vscode",
    "container",
    "first-steps",
)
"""The steps, in their order."""

OPEN, DONE, THERE, SKIPPED, FAILED = "open", "done", "there", "skipped", "failed"
"""What became of one: nothing yet; done now; it was so before; left out; tried in vain."""

CONTAINER_NAME = "first"
"""What the first container is called."""

_RUNNING = "running"
_KNOWN = "Your containers know the key of this computer already."
_PRIVATE = "PRIVATE KEY"
_PUBLIC = re.compile(r"(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]{20,}(?: [^\r\n]*)?")
_MAKE_ONE = (
    "On your own computer, make one with ssh-keygen -t ed25519; then paste the file that ends in"
    " .pub."
)


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one step.

    Attributes:
        name: One of `NAMES`.
        state: `open`, `done`, `there` (it was so before), `skipped`, `failed`.
        words: The same for people.
    """

    name: str
    state: str
    words: str


def look_for_folders() -> Step:
    """Whether one's folders are there."""
    if not folders.on_server():
        return Step(FOLDERS, SKIPPED, "Your folders are on the server, not on this computer.")
    missing = folders.missing()
    if not missing:
        return Step(FOLDERS, THERE, "Your folders are there: ~/projects, ~/data.")
    return Step(FOLDERS, OPEN, f"To be made: {_listed(missing)}.")


def make_folders() -> Step:
    """Folders, made where they are missing.

    Raises:
        DS01Error: One cannot be made.
    """
    found = look_for_folders()
    if found.state == SKIPPED:
        return found
    made = [name for name in folders.FOLDERS if folders.make(Path.home() / name)]
    if not made:
        return look_for_folders()
    return Step(FOLDERS, DONE, f"Folders made: {_listed(made)}.")


def look_for_key(client: Client) -> Step:
    """Whether one's containers know any key.

    Raises:
        DS01Error: The API does not say.
    """
    keys = client.ssh_keys().keys
    here = _key_here()
    if here and any(_same(each.key, here) for each in keys):
        return Step(KEY, THERE, _KNOWN)
    if keys:
        named = ", ".join(each.comment or each.fingerprint for each in keys)
        return Step(KEY, THERE, f"Your containers know a key already: {named}.")
    return Step(KEY, OPEN, "Your containers know no key of yours yet.")


def make_key(client: Client) -> Step:
    """The key of this computer: the private half is made here and never leaves it.

    What `ssh` reads stays as it is where it is there: a home may be on several machines.

    Raises:
        DS01Error: None can be made, or the API does not take it.
    """
    where = ssh_files.files()
    if where.config.exists() and where.known_hosts.exists() and _is_known(client, _key_here()):
        return Step(KEY, THERE, _KNOWN)
    where, is_new = ssh_files.prepare(client, None)
    if is_new:
        return Step(KEY, DONE, f"Your containers know the key of this computer: {where.identity}.")
    return Step(KEY, THERE, _KNOWN)


def add_key(client: Client, text: str) -> Step:
    """The public half of a key that was made elsewhere, told to the API.

    Raises:
        DS01Error: It is no public key; a private one is never sent.
    """
    line = " ".join(text.split())
    if _PRIVATE in text:
        raise InvalidRequest(
            "That is the private half of a key. It was not sent, and nobody may have it.",
            "Paste the other file, the one that ends in .pub.",
        )
    if not _PUBLIC.fullmatch(line):
        said = "Nothing was pasted." if not line else "That is not the public half of a key."
        raise InvalidRequest(said, _MAKE_ONE)
    if not ssh_files.registered(client, line):
        return Step(KEY, THERE, "Your containers know that key already.")
    return Step(KEY, DONE, "Your containers know the key of your computer now.")


def look_for_editors() -> Step:
    """Whether `ssh` and editors on this computer find one's containers."""
    where = ssh_files.files()
    if not where.config.exists():
        return Step(VSCODE, SKIPPED, "VS Code is left for later: there is no key yet.")
    if ssh_files.is_included(where):
        return Step(VSCODE, THERE, "ssh and VS Code find your containers already.")
    return Step(VSCODE, OPEN, "ssh and VS Code do not look for your containers yet.")


def tell_editors() -> Step:
    """One line in one's own configuration of `ssh`, where it is missing.

    Raises:
        DS01Error: It cannot be written.
    """
    found = look_for_editors()
    if found.state != OPEN:
        return found
    ssh_files.include(ssh_files.files())
    return Step(VSCODE, DONE, "ssh and VS Code find your containers, as NAME.ds01.")


def look_for_configured() -> Step:
    """Whether `ssh` and editors find one's containers, here or on one's own computer.

    Nobody but its owner knows what is on another computer: `remember_configured` keeps it.
    """
    found = look_for_editors()
    if found.state != THERE and _configured_file().exists():
        return Step(VSCODE, THERE, "You set up VS Code on your own computer.")
    if found.state == THERE:
        return found
    return Step(VSCODE, OPEN, "VS Code on your own computer does not know your containers yet.")


def remember_configured() -> Step:
    """Keep that somebody set their own computer up.

    Raises:
        Unavailable: It cannot be written.
    """
    ssh_files.write(_configured_file(), "VS Code is set up on a computer of one's own.\n")
    return Step(VSCODE, DONE, "VS Code on your own computer finds your containers, as NAME.ds01.")


def look_for_container(containers: Iterable[m.Container]) -> Step:
    """Whether a container of one's own runs."""
    running = running_one(containers)
    if running is None:
        return Step(CONTAINER, OPEN, "No container of yours runs.")
    words = f"You have a container that runs: {running.name}{gpu_words(running)}."
    return Step(CONTAINER, THERE, words)


def first_container(*, image: str | None = None, without_gpu: bool = False) -> m.CreateRequest:
    """What is asked for."""
    return m.CreateRequest(
        name=CONTAINER_NAME,
        image=image,
        gpus=0 if without_gpu else 1,
        gpu="none" if without_gpu else None,
    )


def started(container: m.Container) -> Step:
    """The step after which one's first container runs."""
    return Step(CONTAINER, DONE, f"{container.name} runs{gpu_words(container)}.")


def running_one(containers: Iterable[m.Container]) -> m.Container | None:
    """The first that runs."""
    return next((each for each in containers if each.state == _RUNNING), None)


def ready(client: Client) -> Ready:
    """What somebody has, for the page of first steps.

    Raises:
        DS01Error: The API does not say.
    """
    me = client.me()
    running = running_one(me.containers)
    where = ssh_files.files()
    return Ready(
        user=me.user,
        container=running.name if running else "",
        gpu=gpu_words(running).removeprefix(", with ") if running else "",
        hub_url=me.hub_url or "",
        ssh=where.config.exists() and ssh_files.is_included(where),
        folders=folders.on_server(),
    )


def page_file() -> Path:
    """Where the page of first steps is kept."""
    return ssh_files.files().config.parent / FILE


def look_for_page() -> Step:
    """Whether the page of first steps is kept."""
    path = page_file()
    if path.exists():
        return Step(FIRST_STEPS, THERE, f"The first steps are in {path}.")
    return Step(FIRST_STEPS, OPEN, "You have not read the first steps yet.")


def keep_page(page: str) -> Step:
    """The page in a file of its own.

    Raises:
        Unavailable: It cannot be written.
    """
    path = page_file()
    ssh_files.write(path, page)
    return Step(FIRST_STEPS, DONE, f"The first steps are below, and in {path}.")


def _configured_file() -> Path:
    return ssh_files.files().config.with_name("own-computer.txt")


def _key_here() -> str:
    path = ssh_files.files().identity.with_suffix(".pub")
    return ssh_files.read(path).strip()


def _is_known(client: Client, line: str) -> bool:
    return bool(line) and any(_same(each.key, line) for each in client.ssh_keys().keys)


def _same(one: str, other: str) -> bool:
    return one.split()[:2] == other.split()[:2]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"~/{name}" for name in names)
