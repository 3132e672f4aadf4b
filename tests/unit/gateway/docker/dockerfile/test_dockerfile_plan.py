import pytest

from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest
from ds01_spawner.gateway.docker.dockerfile.parsing import parse_dockerfile
from ds01_spawner.gateway.docker.dockerfile.plan import Base, Plan, plan_build
from ds01_spawner.gateway.docker.dockerfile.rules import check_trigger

ID = "sha256:" + "a" * 64
MARK = 'LABEL ds01.image.owner="alice"'


def plan(text: str, build_args: dict[str, str | None] | None = None) -> Plan:
    return plan_build(parse_dockerfile(text.encode()), build_args or {})


def rewritten(text: str, base: Base | None = None, **build_args: str) -> list[str]:
    found = plan(text, dict(build_args))
    bases = dict.fromkeys(found.images, base or Base(ID))
    return found.rewritten(bases, "alice").splitlines()


def test_images_are_named_by_id_and_marked_from_their_first_layer() -> None:
    assert rewritten("FROM --platform=linux/amd64 web:1\nRUN x") == [
        f"FROM --platform=linux/amd64 {ID}",
        MARK,
        "RUN x",
    ]


def test_stages_are_no_images() -> None:
    text = "FROM web AS One\nFROM ONE\nCOPY --from=0 a b\nFROM scratch\nCOPY --from=One a b\n"
    assert plan(text).images == ("web",)
    assert rewritten(text) == [
        f"FROM {ID} AS one",
        MARK,
        "FROM one",
        "COPY --from=0 a b",
        "FROM scratch",
        MARK,
        "COPY --from=one a b",
    ]


def test_what_is_copied_from_is_an_image_too() -> None:
    text = "FROM web\nCOPY --chown=1 --from=tools:2 a b"
    assert plan(text).images == ("web", "tools:2")
    assert f"COPY --chown=1 --from={ID} a b" in rewritten(text)


def test_a_stage_cannot_be_copied_from_while_it_is_built() -> None:
    assert plan("FROM web AS secret\nCOPY --from=secret a b").images == ("web", "secret")
    assert plan("FROM web\nCOPY --from=later a b\nFROM web AS later").images == ("web", "later")
    with pytest.raises(InvalidRequest, match="no earlier stage"):
        plan("FROM web\nCOPY --from=0 a b")


def test_arguments_choose_the_base() -> None:
    text = "ARG T=1\nARG NAME=web:${T}\nFROM ${NAME}\nARG T"
    assert plan(text).images == ("web:1",)
    assert plan(text, {"T": "2"}).images == ("web:2",)
    assert plan(text, {"NAME": "other", "T": None}).images == ("other",)
    assert plan("FROM $UNDECLARED-x", {"UNDECLARED": "y"}).images == ("-x",)


def test_the_escape_is_kept() -> None:
    assert rewritten("# escape=`\nFROM web\nRUN a\\b")[0] == "# escape=`"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("RUN x", "no build stage"),
        ("FROM", "one or three"),
        ("FROM a b", "one or three"),
        ("FROM a AS 1x", "build stage"),
        ("FROM a AS scratch", "build stage"),
        ("FROM $NOTHING", "blank"),
        ("FROM --platform=;x a", "cannot be understood"),
        ("FROM a\nCOPY --from=$x a b", "no variable"),
        ("FROM a\nCOPY --chmod=755 a b", "BuildKit"),
        ("FROM a\nCOPY --link a b", "BuildKit"),
        ("FROM a\nADD --checksum=sha256:0 a b", "BuildKit"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        plan(text)


@pytest.mark.parametrize(
    "instruction",
    [
        "ADD http://169.254.169.254/x /x",
        'ADD ["https://example.org/x", "/x"]',
        'ADD ["http:\\\\/\\\\/x", "/x"]',
        'ADD ht"tp"://x /x',
        "ADD http:\\//x /x",
        "ADD a http://x /x/",
        "ADD $SOURCE /x",
        'ADD ["${SOURCE}", "/x"]',
        "ADD git@example.org:x.git /x",
        "ADD ftp://x /x",
    ],
)
def test_nothing_is_fetched_by_the_server(instruction: str) -> None:
    with pytest.raises(Forbidden, match="ADD"):
        plan(f"FROM a\n{instruction}")


def test_files_are_added() -> None:
    assert "ADD --chown=1 x.tar.gz $HOME/" in rewritten("FROM a\nADD --chown=1 x.tar.gz $HOME/")


@pytest.mark.parametrize(
    "label",
    [
        "ds01.user=bob",
        'a=b "ds01.user"=bob',
        "a=b ds0\\1.user=bob",
        "ds01.user bob",
        "'ds01'.managed=true",
        "aime.mlc.USER=bob",
        "$KEY=bob",
        "a=b\tds01.gpu.uuids=GPU-1",
        "ds01.image.owner=bob",
        "a\x1cb=c ds01.user=x",
    ],
)
def test_nobody_labels_in_the_platforms_name(label: str) -> None:
    with pytest.raises(Forbidden, match="label"):
        plan(f"FROM a\nLABEL {label}")


def test_other_labels_are_kept() -> None:
    text = 'LABEL description="costs $5, see ds01.user=x" version=1'
    assert text in rewritten(f"FROM a\n{text}")


def test_what_a_base_says_in_the_platforms_name_is_emptied() -> None:
    base = Base(ID, {"ds01.user": "bob", "ds01.managed": "true", "a": "b", "ds01.x": ""})
    assert rewritten("FROM web", base)[1] == (
        'LABEL ds01.image.owner="alice" ds01.managed="" ds01.user=""'
    )


def test_a_bases_own_steps_do_not_run_in_the_platforms_name() -> None:
    with pytest.raises(Forbidden, match="carries the platform's label"):
        rewritten("FROM web", Base(ID, {"ds01.user": "bob"}, ("RUN x",)))
    assert rewritten("FROM web", Base(ID, {"ds01.image.owner": "alice"}, ("RUN x",)))[1] == MARK


@pytest.mark.parametrize(
    "trigger",
    [
        "ADD http://x /x",
        "COPY --from=ds01-bob/x a b",
        "LABEL ds01.user=bob",
        "ONBUILD RUN x",
        "FROM x",
        "RUN x\nRUN y",
        "RUN --mount=type=bind x",
        "",
    ],
)
def test_a_bases_own_steps_obey_the_same_rules(trigger: str) -> None:
    with pytest.raises(DS01Error):
        check_trigger(trigger)
    with pytest.raises(DS01Error):
        rewritten("FROM web", Base(ID, {}, (trigger,)))


@pytest.mark.parametrize("word", ["ONBUILD", "onbuild"])
@pytest.mark.parametrize(
    "trigger",
    [
        "ADD http://127.0.0.1/x /x",
        "add http://127.0.0.1/x /x",
        "COPY --from=ds01-bob/x a b",
        "copy --from=0 a b",
        "LABEL ds01.user=bob",
        'LABEL "ds01.gpu.uuids"=x',
        "ONBUILD RUN x",
        "FROM x",
        "RUN --mount=type=bind x",
        "# nothing",
        "",
    ],
)
def test_what_a_stage_leaves_to_the_next_obeys_the_same_rules(word: str, trigger: str) -> None:
    with pytest.raises(DS01Error):
        rewritten(f"FROM web AS a\n{word} {trigger}\nFROM a", Base(ID, {}, ()))


def test_ordinary_steps_are_left_to_the_next_stage() -> None:
    lines = rewritten("FROM web AS a\nONBUILD RUN make\nFROM a", Base(ID, {}, ()))
    assert "ONBUILD RUN make" in lines


def test_a_bases_ordinary_steps_are_fine() -> None:
    check_trigger("COPY --chown=1 . /app")
    check_trigger("RUN pip install -r requirements.txt")


@pytest.mark.parametrize(
    "line",
    [
        "WORKDIR /proc/self/fd/8",
        "WORKDIR '/proc'/self/fd/8",
        "WORKDIR /work/../sys/fs",
        "WORKDIR //dev/fd/8",
        "ONBUILD WORKDIR /proc/self/fd/8",
    ],
)
def test_no_step_begins_in_a_folder_of_the_kernels(line: str) -> None:
    with pytest.raises(Forbidden, match="is the kernel's"):
        plan_build(parse_dockerfile(f"FROM a\n{line}\n".encode()), {})


def test_steps_begin_in_folders_of_the_image() -> None:
    text = b"FROM a\nWORKDIR /process\nWORKDIR src\nWORKDIR /dev/shm\nWORKDIR $HOME\n"
    assert plan_build(parse_dockerfile(text), {}).images == ("a",)
