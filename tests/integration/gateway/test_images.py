import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ds01_spawner.operations.allocation.disk_room import LEAST_FREE_BYTES, DiskRoom
from integration.gateway.image_lab import ImageLab, Person, engine_docker, image_lab

BASE = "ds01test/busybox:latest"


@pytest.fixture
async def lab(tmp_path: Path, tiny_image: str) -> AsyncIterator[ImageLab]:
    async with image_lab(tmp_path, tiny_image) as running:
        yield running


async def made(person: Person, name: str, mark: str = "x") -> str:
    """An image of a person's own; its id."""
    done = await person.build(f"FROM {BASE}\nLABEL mark={mark}", "-t", name)
    assert done.code == 0, done.err
    return str((await person.inspect(name))["Id"])


async def names(person: Person, *arguments: str) -> list[str]:
    done = await person.docker("images", "--format", "{{.Repository}}:{{.Tag}}", *arguments)
    assert done.code == 0, done.err
    return sorted(done.lines)


async def test_a_list_has_ones_own_and_the_shared_images(lab: ImageLab) -> None:
    await made(lab.alice, "web:1")
    await made(lab.bob, "secret")
    assert await names(lab.alice) == [BASE, "web:1"]
    assert await names(lab.bob) == [BASE, "secret:latest"]


async def test_lists_are_filtered_in_ones_own_names(lab: ImageLab) -> None:
    await made(lab.alice, "web:1", "one")
    await made(lab.alice, "web:2", "two")
    await made(lab.alice, "lab/tool", "three")
    assert await names(lab.alice, "web") == ["web:1", "web:2"]
    assert await names(lab.alice, "--filter", "reference=*:1") == ["web:1"]
    assert await names(lab.alice, "--filter", "reference=lab/*") == ["lab/tool:latest"]
    assert await names(lab.alice, "--filter", "label=mark=two") == ["web:2"]
    assert await names(lab.alice, "--filter", "dangling=true") == []
    assert BASE in await names(lab.alice, "--filter", "before=web:1")
    refused = await lab.alice.docker("images", "--filter", "nonsense=1")
    assert refused.code != 0


async def test_an_image_is_found_by_every_name_and_id(lab: ImageLab) -> None:
    full = await made(lab.alice, "web:1")
    for ref in ("web:1", f"ds01-{lab.alice.user}/web:1", full, full[7:], full[7:19], full[7:15]):
        assert (await lab.alice.inspect(ref))["Id"] == full


@pytest.mark.parametrize(
    "command",
    [
        ["image", "inspect", "{}"],
        ["history", "{}"],
        ["save", "{}"],
        ["tag", "{}", "mine"],
        ["rmi", "{}"],
        ["rmi", "-f", "{}"],
    ],
)
async def test_somebody_elses_image_does_not_exist(lab: ImageLab, command: list[str]) -> None:
    full = await made(lab.bob, "secret")
    for ref in ("secret", f"ds01-{lab.bob.user}/secret", full, full[7:19], full[:12]):
        done = await lab.alice.docker(*[each.format(ref) for each in command])
        assert "No such image" in done.err
        assert not done.out.strip("[]\n")
    assert (await lab.bob.inspect("secret"))["Id"] == full


async def test_an_image_outside_the_catalogue_does_not_exist(lab: ImageLab) -> None:
    mark = f"ds01test/hidden-{lab.alice.user}:latest"
    engine_docker("build", "-t", mark, "-", given=f"FROM {BASE}\nLABEL h={mark}".encode())
    try:
        full = engine_docker("image", "inspect", "-f", "{{.Id}}", mark)
        for ref in (mark, full, full[7:19]):
            assert "No such image" in (await lab.alice.docker("image", "inspect", ref)).err
        assert mark not in await names(lab.alice, "-a")
    finally:
        engine_docker("rmi", mark)


async def test_tags_stay_in_ones_own_namespace(lab: ImageLab) -> None:
    done = await lab.alice.docker("tag", BASE, "mine:2")
    assert done.code == 0, done.err
    assert await names(lab.alice) == [BASE, "mine:2"]
    assert await names(lab.bob) == [BASE]
    refused = await lab.alice.docker("tag", BASE, f"ds01-{lab.bob.user}/mine")
    assert "somebody else" in refused.err


async def test_a_name_of_ones_own_comes_before_the_shared_one(lab: ImageLab) -> None:
    shared = (await lab.bob.inspect(BASE))["Id"]
    full = await made(lab.alice, BASE)
    assert full != shared
    assert (await lab.alice.inspect(BASE))["Id"] == full
    assert (await lab.bob.inspect(BASE))["Id"] == shared


async def test_removing_takes_ones_own_tag_alone(lab: ImageLab) -> None:
    full = engine_docker("image", "inspect", "-f", "{{.Id}}", BASE)
    await lab.alice.docker("tag", BASE, "mine")
    done = await lab.alice.docker("rmi", "-f", full)
    assert done.code == 0, done.err
    assert done.lines == ["Untagged: mine:latest"]
    assert engine_docker("image", "inspect", "-f", "{{.Id}}", BASE) == full
    assert (await lab.event("image.delete"))["user"] == lab.alice.user


@pytest.mark.parametrize("force", [(), ("-f",)], ids=["plain", "forced"])
async def test_what_is_shared_is_never_removed(lab: ImageLab, force: tuple[str, ...]) -> None:
    await lab.alice.docker("tag", BASE, "mine")
    done = await lab.alice.docker("rmi", *force, BASE)
    assert done.code != 0
    assert "shared with everybody" in done.err
    await lab.alice.docker("rmi", "mine")
    full = engine_docker("image", "inspect", "-f", "{{.Id}}", BASE)
    assert "shared with everybody" in (await lab.alice.docker("rmi", *force, full)).err


async def test_an_image_with_several_names_goes_by_its_id_when_forced(lab: ImageLab) -> None:
    full = await made(lab.alice, "one")
    await lab.alice.docker("tag", "one", "two")
    assert "must be forced" in (await lab.alice.docker("rmi", full)).err
    done = await lab.alice.docker("rmi", "-f", full)
    assert done.code == 0, done.err
    assert {"Untagged: one:latest", "Untagged: two:latest", f"Deleted: {full}"} <= set(done.lines)


async def test_force_does_not_reach_somebody_elses_container(lab: ImageLab) -> None:
    full = await made(lab.alice, "one")
    other = engine_docker("create", f"ds01-{lab.alice.user}/one", "true")
    try:
        assert (await lab.alice.docker("rmi", "-f", "one")).code != 0
        assert engine_docker("image", "inspect", "-f", "{{.Id}}", full) == full
    finally:
        engine_docker("rm", other)


async def test_pruning_takes_ones_own_unused_images(lab: ImageLab) -> None:
    old = await made(lab.alice, "web", "old")
    new = await made(lab.alice, "web", "new")
    bobs = await made(lab.bob, "web", "old")
    await made(lab.bob, "web", "new")
    done = await lab.alice.docker("image", "prune", "-f")
    assert done.code == 0, done.err
    assert old in done.out
    assert engine_docker("image", "inspect", "-f", "{{.Id}}", bobs) == bobs
    used = engine_docker("create", new, "true")
    kept = await lab.alice.docker("image", "prune", "-af")
    assert new not in kept.out
    engine_docker("rm", used)
    done = await lab.alice.docker("image", "prune", "-af")
    assert new in done.out
    assert "untagged: web:latest" in done.out
    assert await names(lab.alice) == [BASE]


async def test_an_image_is_saved(lab: ImageLab) -> None:
    await made(lab.alice, "web:1")
    path = lab.folder / "saved.tar"
    done = await lab.alice.docker("save", "-o", str(path), "web:1", BASE)
    assert done.code == 0, done.err
    assert path.stat().st_size > 1_000_000


async def test_a_full_disk_takes_no_image_more(
    lab: ImageLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(lab.alice, "web:1")
    archive = engine_docker_export(BASE)
    full = DiskRoom(lambda: "/", lambda _: LEAST_FREE_BYTES - 1)
    monkeypatch.setattr(lab.platform, "disk_room", full)
    for command in (("save", "-o", str(lab.folder / "x"), "web:1"), ("import", "-", "mine:4")):
        done = await lab.alice.docker(*command, given=archive)
        assert done.code != 0
        assert "disk is nearly full" in done.err


@pytest.mark.parametrize(
    ("label", "told"), [("LABEL a=$A$A", "holds a variable"), ("LABEL a=" + "x" * 33_000, "bytes")]
)
async def test_labels_that_would_fill_lists_are_not_imported(
    lab: ImageLab, label: str, told: str
) -> None:
    archive = engine_docker_export(BASE)
    done = await lab.alice.docker("import", "-c", label, "-", "grown:1", given=archive)
    assert done.code != 0
    assert told in done.err


async def test_an_archive_is_imported_with_few_changes(lab: ImageLab) -> None:
    archive = engine_docker_export(BASE)
    done = await lab.alice.docker(
        *("import", "-c", 'CMD ["sh"]', "-c", "LABEL a=b", "-", "mine:3"), given=archive
    )
    assert done.code == 0, done.err
    found = await lab.alice.inspect("mine:3")
    assert found["Config"]["Cmd"] == ["sh"]
    assert found["Config"]["Labels"] == {"a": "b", "ds01.image.owner": lab.alice.user}
    untagged = await lab.alice.docker("import", "-", given=archive)
    assert (await lab.alice.inspect(untagged.out.strip()))["RepoTags"] == []
    for change in ("LABEL ds01.user=bob", "ONBUILD RUN x", "ENV a=b \\\nONBUILD RUN x", "RUN x"):
        refused = await lab.alice.docker("import", "-c", change, "-", given=archive)
        assert refused.code != 0, change
    fetched = await lab.alice.docker("import", "http://127.0.0.1:1/x.tar", "mine")
    assert "fetched by the server" in fetched.err


async def test_a_commit_forgets_what_the_platform_said(lab: ImageLab) -> None:
    user = lab.alice.user
    marks = {
        "ds01.managed": "true",
        "ds01.user": user,
        "ds01.instance": lab.platform.instance,
        "ds01.gpu.uuids": "GPU-1",
        "a": "b",
    }
    flags = [part for key, text in marks.items() for part in ("--label", f"{key}={text}")]
    container = engine_docker(
        *("create", "--name", f"box._.{user}", *flags, "-e", "NVIDIA_VISIBLE_DEVICES=GPU-1"),
        *("-e", "KEPT=1", BASE, "true"),
    )
    try:
        done = await lab.alice.docker(
            *("commit", "-c", "ENV NEW=1", "-c", "LABEL c=d", "-m", "note", "box", "kept:1")
        )
        assert done.code == 0, done.err
        config = (await lab.alice.inspect("kept:1"))["Config"]
        assert {key: text for key, text in config["Labels"].items() if text} == {
            "a": "b",
            "c": "d",
            "ds01.image.owner": user,
        }
        assert {"KEPT=1", "NEW=1", "NVIDIA_VISIBLE_DEVICES=void"} <= set(config["Env"])
        assert config["Cmd"] == ["true"]
        assert "No such container" in (await lab.bob.docker("commit", container, "x")).err
        refused = await lab.alice.docker("commit", "-c", "LABEL ds01.user=bob", "box", "x")
        assert "platform's own" in refused.err
    finally:
        engine_docker("rm", container)


async def test_what_has_no_name_is_found_by_who_made_it(lab: ImageLab) -> None:
    full = await made(lab.alice, "web", "old")
    await made(lab.alice, "web", "new")
    assert (await lab.alice.inspect(full))["RepoTags"] == []
    assert full[7:19] in (await lab.alice.docker("images", "-q", "-f", "dangling=true")).lines
    assert "No such image" in (await lab.bob.docker("image", "inspect", full)).err
    reference, _image = await lab.images.image(lab.alice.caller, full[7:19])
    assert lab.platform.admission.rules.resolve_image(lab.alice.user, None, reference) == full


async def test_history_names_nobody_elses_tags(lab: ImageLab) -> None:
    await lab.bob.docker("tag", BASE, "theirs")
    await lab.alice.docker("tag", BASE, "mine")
    reply = await lab.alice.docker("history", "--format", "{{json .}}", BASE)
    assert reply.code == 0, reply.err
    assert lab.bob.user not in reply.out
    found = await lab.alice.inspect(BASE)
    assert sorted(found["RepoTags"]) == [BASE, "mine:latest"]
    listed = await lab.alice.docker("images", "--format", "{{json .}}")
    assert lab.bob.user not in json.dumps(listed.out)


def engine_docker_export(image: str) -> bytes:
    container = engine_docker("create", image, "true")
    try:
        return subprocess.run(
            ["docker", "export", container], capture_output=True, check=True
        ).stdout
    finally:
        engine_docker("rm", container)
