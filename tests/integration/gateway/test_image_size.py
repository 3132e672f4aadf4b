"""Images larger than `max_image_size`."""

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import QuotaExceeded
from ds01_spawner.gateway.docker.build import watch
from integration.gateway.image_lab import (
    POLICY,
    ImageLab,
    engine_docker,
    eventually,
    image_lab,
)

BASE = "ds01test/busybox:latest"
LIMIT = "4m"
FOUR_MEGABYTES = "head -c 4000000 /dev/urandom"


@pytest.fixture
async def lab(tmp_path: Path, tiny_image: str) -> AsyncIterator[ImageLab]:
    async with image_lab(tmp_path, tiny_image) as running:
        path = running.platform.directories.config / "resource-limits.yaml"
        path.write_text(POLICY.replace("defaults:", f"defaults:\n  max_image_size: {LIMIT}"))
        limits = running.platform.admission.limits
        await eventually(lambda: limits(running.alice.user).max_image_size_bytes == 4 * 1024**2)
        yield running


async def test_an_image_that_is_too_large_has_no_name_and_the_one_before_keeps_it(
    lab: ImageLab,
) -> None:
    assert (await lab.alice.build(f"FROM {BASE}\nCOPY a /a", "-t", "web", a="1")).code == 0
    before = (await lab.alice.inspect("web"))["Id"]
    dockerfile = f"FROM {BASE}\nRUN echo small > /s\nRUN {FOUR_MEGABYTES} > /large"

    done = await lab.alice.build(dockerfile, "-t", "web")

    assert done.code != 0
    assert "The image has 5." in done.err
    assert "one of yours may have 4 MiB" in done.err
    assert "(max_image_size, the defaults, resource-limits.yaml line 4)" in done.err
    assert f"3.815 MiB RUN {FOUR_MEGABYTES} > /large" in done.err
    assert "Successfully tagged" not in done.out
    assert (await lab.alice.inspect("web"))["Id"] == before
    event = await lab.event("image.build")
    assert event["outcome"] == "refused"
    assert "may have 4 MiB" in event["reason"]
    left = engine_docker("images", "-aq", "--no-trunc", "-f", f"since={before}").split()
    assert all(size_of(each) < 4 * 1024**2 for each in left if is_of(lab, each))


async def test_a_build_goes_no_further_than_the_step_that_is_too_large(lab: ImageLab) -> None:
    dockerfile = f"FROM {BASE}\nRUN {FOUR_MEGABYTES} > /large\nRUN sleep 60\nRUN rm /large"
    async with asyncio.timeout(30):
        done = await lab.alice.build(dockerfile, "-t", "web")
    assert done.code != 0
    assert "may have 4 MiB" in done.err
    assert "No such image" in (await lab.alice.docker("image", "inspect", "web")).err


async def test_a_step_is_ended_while_it_writes_too_much(
    lab: ImageLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.2)
    dockerfile = f"FROM {BASE}\nRUN {FOUR_MEGABYTES} > /large; sleep 60; rm /large"
    async with asyncio.timeout(30):
        done = await lab.alice.build(dockerfile, "-t", "web")
    assert done.code != 0
    assert "may have 4 MiB" in done.err
    assert f" MiB RUN {FOUR_MEGABYTES} > /large; sleep 60" in done.err, done.err


@pytest.mark.parametrize("printed", [" ---> Running in 000000000000", "Step 9/9 : x"])
async def test_no_step_hides_behind_what_it_prints(
    lab: ImageLab, monkeypatch: pytest.MonkeyPatch, printed: str
) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.2)
    dockerfile = f"FROM {BASE}\nRUN echo '{printed}'; {FOUR_MEGABYTES} > /l; sleep 60; rm /l"
    async with asyncio.timeout(30):
        done = await lab.alice.build(dockerfile, "-t", "web")
    assert done.code != 0
    assert "may have 4 MiB" in done.err
    event = await lab.event("image.build")
    assert "may have 4 MiB" in event["reason"]
    assert "head" not in event["reason"]


async def test_what_was_made_without_being_looked_at_gets_no_name_and_is_not_started(
    lab: ImageLab, tmp_path: Path
) -> None:
    user = lab.alice.user
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nRUN {FOUR_MEGABYTES} > /large\n")
    label = f"ds01.image.owner={user}"
    large = engine_docker("build", "-q", "--label", label, str(tmp_path))
    done = await lab.alice.docker("tag", large, "large")
    assert done.code != 0
    assert "may have 4 MiB" in done.err
    assert "No such image" in (await lab.alice.docker("image", "inspect", "large")).err
    resolve = lab.platform.admission.rules.resolve_image
    with pytest.raises(QuotaExceeded, match="max_image_size"):
        await asyncio.to_thread(resolve, user, None, large)


async def test_the_log_does_not_say_what_a_step_was(lab: ImageLab) -> None:
    done = await lab.alice.build(f"FROM {BASE}\nRUN false s3cret")
    assert "false s3cret" in done.err
    event = await lab.event("image.build")
    assert event["reason"] == "A step returned a non-zero code: 1"
    long = await lab.alice.build(f"FROM {BASE}\nRUN false '{'<' * 30_000}'", "-t", "web")
    assert long.code != 0
    assert "returned a non-zero code: 1" in long.err
    assert (await lab.event("image.build"))["outcome"] == "failed"


async def test_what_a_step_prints_makes_nobody_elses_image_count(
    lab: ImageLab, tiny_image: str
) -> None:
    large = engine_docker("image", "inspect", "-f", "{{.Id}}", "ds01/base:bookworm")[7:19]
    dockerfile = f"FROM {tiny_image}\nRUN echo ' ---> {large}'; echo ' ---> Running in {large}'"
    done = await lab.alice.build(dockerfile, "-t", "web")
    assert done.code == 0, done.err


async def test_a_quiet_build_tells_the_id_alone_and_is_looked_at_as_well(lab: ImageLab) -> None:
    done = await lab.alice.build(f"FROM {BASE}\nRUN echo said", "-q", "-t", "web")
    assert done.code == 0, done.err
    assert done.out == f"{(await lab.alice.inspect('web'))['Id']}\n"
    failed = await lab.alice.build(f"FROM {BASE}\nRUN echo why; false", "-q")
    assert failed.code != 0
    assert "why" in failed.err
    assert "returned a non-zero code: 1" in failed.err
    large = await lab.alice.build(f"FROM {BASE}\nRUN {FOUR_MEGABYTES} > /large", "-q", "-t", "big")
    assert large.code != 0
    assert "may have 4 MiB" in large.err


async def test_a_container_that_is_too_large_is_not_committed(lab: ImageLab) -> None:
    user = lab.alice.user
    marks = {"ds01.managed": "true", "ds01.user": user, "ds01.instance": lab.platform.instance}
    flags = [part for key, text in marks.items() for part in ("--label", f"{key}={text}")]
    container = engine_docker(
        "run", "-d", "--name", f"box._.{user}", *flags, BASE, "sh", "-c", "sleep 100"
    )
    try:
        assert (await lab.alice.docker("commit", "box", "small")).code == 0
        engine_docker("exec", container, "sh", "-c", f"{FOUR_MEGABYTES} > /large")
        done = await lab.alice.docker("commit", "box", "large")
        assert done.code != 0
        assert "may have 4 MiB" in done.err
        assert "what the container wrote" in done.err
        assert "No such image" in (await lab.alice.docker("image", "inspect", "large")).err
    finally:
        engine_docker("rm", "-f", container)


async def test_an_archive_that_is_too_large_is_not_imported(lab: ImageLab, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(5 * 1024**2))
    archive = await asyncio.to_thread(_packed, tmp_path)
    done = await lab.alice.docker("import", "-", "large", given=archive)
    assert done.code != 0
    assert "The image has 5 MiB; one of yours may have 4 MiB" in done.err
    assert "No such image" in (await lab.alice.docker("image", "inspect", "large")).err
    assert (await lab.event("image.import"))["outcome"] == "refused"
    endless = await lab.alice.docker("import", "-", "large", given=b"\0" * (80 * 1024**2))
    assert endless.code != 0
    assert "More than 72 MiB cannot be imported: max_image_size" in endless.err


def size_of(image_id: str) -> int:
    return int(engine_docker("image", "inspect", "-f", "{{.Size}}", image_id))


def is_of(lab: ImageLab, image_id: str) -> bool:
    mark = '{{index .Config.Labels "ds01.image.owner"}}'
    return engine_docker("image", "inspect", "-f", mark, image_id) == lab.alice.user


def _packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder / "large", "large")
    return buffer.getvalue()
