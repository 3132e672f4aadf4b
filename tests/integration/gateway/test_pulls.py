import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from integration.gateway.image_lab import ImageLab, engine_docker, image_lab
from integration.registry import needs_registry, registry

BASE = "ds01test/busybox:latest"

__all__ = ["registry"]  # a fixture

pytestmark = needs_registry


@pytest.fixture
def pushed(registry: str, tiny_image: str) -> Iterator[dict[str, str]]:
    """What the registry has: an image that may be fetched, one that may not, one of the lab's."""
    found = {}
    for name in ("lab", "other", "catalogue"):
        reference = f"{registry}/{name}/{secrets.token_hex(4)}:1"
        dockerfile = f"FROM {tiny_image}\nLABEL of={reference}\nONBUILD RUN echo trigger-ran"
        engine_docker("build", "-t", reference, "-", given=dockerfile.encode())
        engine_docker("push", reference)
        engine_docker("rmi", reference)
        found[name] = reference
    yield found
    for reference in found.values():
        engine_docker("rmi", "-f", reference, check=False)


@pytest.fixture
async def lab(
    tmp_path: Path, tiny_image: str, registry: str, pushed: dict[str, str]
) -> AsyncIterator[ImageLab]:
    allowed = (f"{registry}/lab/*",)
    images = (tiny_image, pushed["catalogue"])
    async with image_lab(tmp_path, *images, pull_allowed=allowed) as running:
        yield running


async def test_what_the_allow_list_means_is_fetched_and_everybodys(
    lab: ImageLab, pushed: dict[str, str]
) -> None:
    done = await lab.alice.docker("pull", pushed["lab"])
    assert done.code == 0, done.err
    assert "Downloaded newer image" in done.out
    event = await lab.event("image.pull")
    assert (event["user"], event["resource"], event["outcome"]) == (
        lab.alice.user,
        pushed["lab"],
        "ok",
    )
    found = await lab.bob.inspect(pushed["lab"])
    digest = found["RepoDigests"][0]
    assert (await lab.bob.inspect(digest))["Id"] == found["Id"]
    start = lab.platform.admission.rules.resolve_image(lab.bob.user, None, pushed["lab"])
    assert start == pushed["lab"]
    assert "shared with everybody" in (await lab.bob.docker("rmi", pushed["lab"])).err
    by_digest = await lab.bob.docker("pull", digest)
    assert by_digest.code == 0, by_digest.err


async def test_anything_else_is_refused_with_what_may_be_fetched(
    lab: ImageLab, registry: str, pushed: dict[str, str]
) -> None:
    for reference in (pushed["other"], "busybox", f"{registry}/lab/a/b", "ds01-bob/x"):
        done = await lab.alice.docker("pull", reference)
        assert done.code != 0
        assert f"You may fetch from {registry}/lab/*" in done.err
    assert (await lab.event("image.pull"))["outcome"] == "refused"
    assert not engine_docker("images", "-q", pushed["other"])


async def test_the_catalogue_is_fetched_where_it_is_missing_and_never_replaced(
    lab: ImageLab, pushed: dict[str, str]
) -> None:
    first = await lab.alice.docker("pull", pushed["catalogue"])
    assert "Downloaded newer image" in first.out
    again = await lab.alice.docker("pull", pushed["catalogue"])
    assert again.code == 0, again.err
    assert "up to date" in again.out
    assert (await lab.event("image.pull"))["outcome"] == "ok"
    assert len([each for each in lab.events if each["action"] == "image.pull"]) == 1


async def test_what_the_registry_does_not_have_is_said(lab: ImageLab, registry: str) -> None:
    done = await lab.alice.docker("pull", f"{registry}/lab/absent:1")
    assert done.code != 0
    assert "manifest unknown" in done.err
    assert (await lab.event("image.pull"))["outcome"] == "failed"


async def test_two_may_fetch_the_same_at_once(lab: ImageLab, pushed: dict[str, str]) -> None:
    done = await asyncio.gather(
        lab.alice.docker("pull", pushed["lab"]), lab.bob.docker("pull", pushed["lab"])
    )
    assert [each.code for each in done] == [0, 0]


async def test_a_base_that_may_be_fetched_is_fetched_for_a_build(
    lab: ImageLab, pushed: dict[str, str]
) -> None:
    done = await lab.alice.build(f"FROM {pushed['lab']}\nRUN echo built", "-t", "web")
    assert done.code == 0, done.err
    assert "Downloaded newer image" in done.out
    assert "trigger-ran" in done.out
    assert f"FROM {pushed['lab']}" in done.out
    again = await lab.alice.build(f"FROM {pushed['lab']}\nRUN echo built", "--pull")
    assert again.code == 0, again.err
    assert "Using cache" not in again.out
    refused = await lab.alice.build(f"FROM {pushed['other']}")
    assert "No such image" in refused.err
    assert "You may fetch from" in refused.err


async def test_the_registry_is_asked_about_what_may_be_fetched_alone(
    lab: ImageLab, pushed: dict[str, str]
) -> None:
    answers = [
        await asyncio.to_thread(_asked, lab.alice.socket, f"/distribution/{reference}/json")
        for reference in (pushed["lab"], pushed["other"])
    ]
    assert [status for status, _ in answers] == [200, 403]
    assert b"sha256:" in answers[0][1]


def _asked(path: Path, target: str) -> tuple[int, bytes]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(
            f"GET /v1.41{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b""
        while part := client.recv(65536):
            answer += part
    return int(answer.split()[1]), answer
