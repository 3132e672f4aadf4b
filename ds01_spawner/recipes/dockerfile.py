"""A Dockerfile of what somebody chose; and what a Dockerfile says that somebody chose.

Written for the classic builder (no `RUN --mount`, no here-documents). What changes seldom comes
first, so that a build begins where something has changed. Packages go into one virtual environment
on top of whatever Python the base has. Nothing in it knows a person: containers run as whoever
starts them, with their uid, whatever an image says.

Where builds need settings of the server to reach a package index, these are copied into a stage of
which the image takes the environment alone.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Iterable

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.recipes import clients, ssh_server
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue
from ds01_spawner.recipes.packages import apt_packages, image_name, pip_name, pip_packages
from ds01_spawner.recipes.recipe import Recipe, dumped

HOST_FOLDER = ".ds01-host"
"""In the context of a build: what the server adds to it."""

HOST_PLACE = "/run/host"
"""Where that is in the stage that is not kept."""

ENVIRONMENT = "/opt/ds01"
PLATFORM = f"{ENVIRONMENT}/platform"
"""In the image: what DS01 brings, which is no package of a person's."""

PACKAGE_LIST = f"{ENVIRONMENT}/packages.txt"
"""In the image: what was in it when it was built, as `pip list --format=freeze` says it."""

RECIPE_MARK = "# ds01-recipe: "
DIGEST_MARK = "# ds01-hash: "
_REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]{0,511}")
_INDEX = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~/+-]*)?")
_UNSAFE_TEXT = re.compile(r"[^A-Za-z0-9 ,.:;()+/_-]+")
_HEALTH = (
    "{ exec 3<>/dev/tcp/127.0.0.1/8888; } 2>/dev/null || exit 0; "
    r"printf 'HEAD / HTTP/1.0\r\n\r\n' >&3; read -r -t 8 _ <&3"
)


def written(recipe: Recipe, catalogue: Catalogue, name: str) -> str:
    """The Dockerfile of an image.

    Args:
        recipe: What was chosen.
        catalogue: What there is to choose from.
        name: What the image is called.

    Raises:
        NotFound: The catalogue has not what was chosen.
        InvalidRequest: A name cannot stand in a Dockerfile.
    """
    head = (
        f"# Image {image_name(name)}: {_plain(recipe.sentence(catalogue))}.",
        "# Written by ds01 image create. Change it as you like: ds01 sees that you did, builds",
        "# what you wrote, and writes over it only when you say --overwrite.",
        f"{RECIPE_MARK}{dumped(recipe)}",
    )
    body = "\n".join(["", *_Writer(recipe, catalogue, name).lines(), ""])
    top = "\n".join(head)
    return f"{top}\n{DIGEST_MARK}{digest(top, body)}\n{body}"


def digest(top: str, body: str) -> str:
    """Tells whether a Dockerfile is as it was written.

    Args:
        top: The lines before the one with the digest.
        body: Those after it.
    """
    return hashlib.sha256(f"{top}\n{body}".encode()).hexdigest()[:32]


class _Writer:
    def __init__(self, recipe: Recipe, catalogue: Catalogue, name: str) -> None:
        self._recipe = recipe
        self._catalogue = catalogue
        self._name = name
        self._framework = catalogue.framework(recipe.framework)
        self._use_case = catalogue.use_case(recipe.use_case)
        self._base = _checked(_REFERENCE, self._framework.base)

    def lines(self) -> Iterable[str]:
        staged = self._catalogue.host_settings
        yield f"FROM {self._base}" + " AS tools" * staged
        yield from self._tools()
        if staged:
            yield from (
                "",
                "FROM tools AS packages",
                "# Package index and certificates of the server, for this stage alone: the image",
                "# is made from the next one. Outside DS01 leave the next two lines out.",
                f"COPY {HOST_FOLDER}/ {HOST_PLACE}/",
                f"ENV PIP_CONFIG_FILE={HOST_PLACE}/pip.conf",
            )
        yield from self._packages()
        if staged:
            yield from ("", "FROM tools")
            yield from self._apt()
            yield from (
                "# All packages, without what was needed to fetch them.",
                f"COPY --from=packages {ENVIRONMENT} {ENVIRONMENT}",
            )
        yield from self._ending()

    def _tools(self) -> Iterable[str]:
        yield "# Tools that every image has: Python, a shell's usual programs, and what SSH needs."
        after = (
            *ssh_server.DEEDS,
            "install -d -m 1777 /workspace /home/ds01",
            f"echo '{ssh_server.profile(f'{ENVIRONMENT}/bin:$PATH')}' > /etc/profile.d/ds01.sh",
        )
        yield from _apt_run(self._catalogue.tools, after)

    def _apt(self) -> Iterable[str]:
        if self._use_case.apt:
            yield f"# What packages for {_plain(self._use_case.title)} need of the system."
            yield from _apt_run(self._use_case.apt)
        if self._recipe.apt:
            yield "# Packages of the system that you chose."
            yield from _apt_run(self._recipe.apt)

    def _packages(self) -> Iterable[str]:
        framework, catalogue, recipe = self._framework, self._catalogue, self._recipe
        find = 'import sysconfig; print(sysconfig.get_path("purelib"))'
        yield from (
            "# The Python environment that all packages go into; it sees those of the base.",
            f"RUN python3 -m venv --system-site-packages {ENVIRONMENT} \\",
            f" && {{ python3 -c '{find}'; echo {PLATFORM}; }} \\",
            f"      > \"$({ENVIRONMENT}/bin/python -c '{find}')/ds01.pth\" \\",
            f" && {ENVIRONMENT}/bin/python -m pip install --no-cache-dir --upgrade pip",
            f"ENV PATH={ENVIRONMENT}/bin:$PATH VIRTUAL_ENV={ENVIRONMENT}",
        )
        title = _plain(framework.title)
        yield from _pip_run(f"Framework: {title}", framework.packages, framework.index)
        if recipe.jupyter:
            yield from self._jupyter()
        if recipe.data_science:
            yield from _pip_run("Data science", catalogue.data_science)
        yield from self._apt()
        if recipe.use_case != NO_USE_CASE:
            title = _plain(self._use_case.title)
            yield from _pip_run(f"Use case: {title}", self._use_case.packages_for(framework))
        yield from self._requirements()
        yield from _pip_run("Packages that you chose", recipe.pip)
        yield "# What is in it now: ds01 image save-from tells by this what came later."
        yield f"RUN python -m pip list --format=freeze > {PACKAGE_LIST}"

    def _jupyter(self) -> Iterable[str]:
        # Made here: pip makes none of a package that the base has. What people install in their
        # home can break a notebook, but never the way in.
        after = [_program("jupyterhub-singleuser", "jupyterhub.singleuser")]
        if not self._catalogue.notices_from:
            yield from _pip_run("Jupyter", self._catalogue.jupyter, after=after)
            return
        named = {pip_name(each) for each in self._catalogue.jupyter}
        needed = (each for each in clients.PACKAGES if pip_name(each) not in named)
        packages = (*self._catalogue.jupyter, *needed)
        after.append(_program("ds01", "ds01_cli.main"))
        yield from _pip_run("Jupyter, and what the wizards of DS01 need", packages, after=after)

    def _requirements(self) -> Iterable[str]:
        files = self._recipe.requirements
        if not files:
            return
        yield "# Packages of the project, read whenever the image is built."
        for name in files:
            yield f"COPY {json.dumps([name, f'/tmp/requirements/{name}'])}"  # noqa: S108 - in the image
        path = shlex.quote(f"/tmp/requirements/{files[0]}")  # noqa: S108 - in the image
        yield f"RUN python -m pip install --no-cache-dir --requirement {path}"

    def _ending(self) -> Iterable[str]:
        yield from self._notices()
        if self._catalogue.host_settings:
            yield f"ENV PATH={ENVIRONMENT}/bin:$PATH VIRTUAL_ENV={ENVIRONMENT}"
        environment = "ENV LANG=C.UTF-8 SHELL=/bin/bash HOME=/home/ds01"
        if self._framework.gpu:
            environment += " NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        title = _plain(self._recipe.sentence(self._catalogue))
        yield from (
            "# Containers run as whoever starts them; this user is for elsewhere.",
            environment,
            f'LABEL org.opencontainers.image.title="{image_name(self._name)}" \\',
            f'      org.opencontainers.image.description="{title}" \\',
            f'      org.opencontainers.image.base.name="{self._base}"',
        )
        if self._recipe.jupyter:
            check = json.dumps(["bash", "-c", _HEALTH])
            yield from (
                "EXPOSE 8888",
                "# A Jupyter server that does not answer is not well; none at all is.",
                f"HEALTHCHECK --interval=5m --timeout=10s --start-period=2m CMD {check}",
            )
        yield from ("WORKDIR /workspace", "USER 1000:1000")
        yield 'CMD ["jupyterhub-singleuser"]' if self._recipe.jupyter else 'CMD ["bash"]'

    def _notices(self) -> Iterable[str]:
        if not self._catalogue.notices_from:
            return
        source = f"COPY --from={_checked(_REFERENCE, self._catalogue.notices_from)}"
        yield "# What DS01 has to tell is shown in terminals and in JupyterLab."
        yield f"{source} /etc/bash.bashrc /etc/bash.bashrc"
        if self._recipe.jupyter:
            lab = "share/jupyter/labextensions/ds01-notices"
            config = "etc/jupyter/jupyter_server_config.d"
            yield f"{source} /usr/local/{lab}/ {ENVIRONMENT}/{lab}/"
            yield f"{source} /usr/local/{config}/ds01_notices.json {ENVIRONMENT}/{config}/"
            packages = "/usr/local/lib/python3*/dist-packages"
            yield f"{source} {packages}/ds01_notices.py {PLATFORM}/"
            yield "# Wizards for notebooks, and ds01 for terminals."
            for each in clients.FOLDERS:
                yield f"{source} {packages}/{each} {PLATFORM}/{each}/"


def _program(name: str, module: str) -> str:
    """A shell command that makes a program of the environment, blind to packages in homes."""
    path = f"{ENVIRONMENT}/bin/{name}"
    lines = (
        rf"#!{ENVIRONMENT}/bin/python -s\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
    )
    return f"printf '{lines}' > {path} && chmod 755 {path}"


def _apt_run(packages: Iterable[str], after: Iterable[str] = ()) -> Iterable[str]:
    deeds = (
        "apt-get clean",
        "rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log",
        *after,
    )
    yield from (
        "RUN apt-get update \\",
        " && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\",
        *(f"      {_quoted(each)} \\" for each in apt_packages(packages)),
    )
    yield from _joined(deeds)


def _pip_run(
    title: str, packages: Iterable[str], index: str = "", after: Iterable[str] = ()
) -> Iterable[str]:
    wanted = pip_packages(packages)
    if not wanted:
        return
    extra = f" --extra-index-url {_quoted(_checked(_INDEX, index))}" if index else ""
    deeds = tuple(after)
    yield f"# {title}."
    yield f"RUN python -m pip install --no-cache-dir{extra} \\"
    *first, last = (f"      {_quoted(each)}" for each in wanted)
    yield from (f"{each} \\" for each in first)
    yield f"{last} \\" if deeds else last
    yield from _joined(deeds)


def _joined(deeds: tuple[str, ...]) -> Iterable[str]:
    for place, each in enumerate(deeds, 1):
        yield f" && {each}" + " \\" * (place < len(deeds))


def _quoted(text: str) -> str:
    """For a shell, in single quotes whatever it is: no word of a person's is read as anything."""
    quoted = shlex.quote(text)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def _plain(text: str) -> str:
    """For a comment or a label: letters, figures and a little punctuation."""
    return " ".join(_UNSAFE_TEXT.sub(" ", text).split())


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidRequest(
            f"{shown(text)} cannot stand in a Dockerfile.", "Tell your administrator: images.yaml."
        )
    return text
