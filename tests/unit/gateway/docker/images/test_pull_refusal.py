import pytest

from ds01_spawner.gateway.docker.images.pull import pull_refusal
from ds01_spawner.gateway.docker.reading.image_names import engine_reference

CHOICES = "You may fetch from docker.io/library/*."


# What buildx 0.13 and 0.29 ask for, after /grpc was refused.
@pytest.mark.parametrize(
    "asked", ["moby/buildkit:buildx-stable-1", "docker.io/moby/buildkit:buildx-stable-1"]
)
def test_who_builds_with_buildx_is_told_how_to_build_here(asked: str) -> None:
    refusal = pull_refusal(engine_reference(asked), CHOICES)
    assert "BuildKit" in refusal.message
    assert "DOCKER_BUILDKIT=0" in refusal.next_step


@pytest.mark.parametrize("asked", ["moby/buildkits:1", "evil.example.org/moby/buildkit:1"])
def test_other_images_are_refused_by_name(asked: str) -> None:
    refusal = pull_refusal(engine_reference(asked), CHOICES)
    assert refusal.message == f"The image {asked} may not be fetched."
    assert refusal.next_step == CHOICES
