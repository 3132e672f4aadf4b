"""A trial beside a lab on one engine: neither bounds nor stops what the other's people run."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ds01_spawner.composition import Directories, Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.labels import ContainerLabels, Interface
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.names import container_name
from ds01_spawner.operations.lifecycle.subjects import Memory

_POLICY = """
default_group: student
defaults:
  idle_timeout: 1m
  max_runtime: 1h
  aggregate: {{pids: {pids}}}
groups:
  student: {{}}
"""
_LONG_AGO = datetime.now(UTC) - timedelta(days=2)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def installation(folder: Path, pids: int) -> Iterator[Platform]:
    config = folder / "config"
    config.mkdir(parents=True)
    (config / "resource-limits.yaml").write_text(_POLICY.format(pids=pids))
    (config / "gpu-config.yaml").write_text(
        json.dumps({"source": "simulated", "simulated": {"seed": secrets.token_hex(4)}})
    )
    platform = Platform(Directories(config, folder, folder / "events.jsonl"), actor="test")
    try:
        yield platform
    finally:
        platform.cgroups.take_down()
        platform.engine.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Platform]:
    with installation(tmp_path / "lab", 300) as made:
        yield made


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Platform]:
    with installation(tmp_path / "trial", 20) as made:
        yield made


@contextmanager
def running(image: str, name: str, marks: dict[str, str], *options: str) -> Iterator[str]:
    pairs = [f"--label={key}={value}" for key, value in marks.items()]
    command = ("run", "-d", "--network=none", *pairs, *options, "--name", name, image)
    made = docker(*command, "sleep", "600")
    try:
        yield made
    finally:
        docker("rm", "-f", made)


def pass_over(platform: Platform) -> set[str]:
    """One pass of an installation; what its lifecycle decided about."""
    platform.reconciler(None, grace=timedelta(0)).run()
    plan = platform.lifecycle(None).plan(Memory(), platform.clock.mark())
    return {each.subject.container.id for each in plan.decisions}


def test_a_trial_leaves_the_people_of_the_lab_alone(
    lab: Platform, trial: Platform, tiny_image: str
) -> None:
    user = f"two{secrets.token_hex(4)}"
    limits = lab.policy.current().limits(user, ())
    parent = lab.aggregates.apply(limits, user)
    own = ContainerLabels(
        user=user,
        name="run",
        interface=Interface.HUB,
        instance=lab.instance,
        image=tiny_image,
        created_at=_LONG_AGO,
        cgroup_parent=parent,
        priority=0,
        group=limits.group,
    ).to_labels()
    older = {labels.LEGACY_USER: user}
    with (
        running(tiny_image, container_name("run", user), own, "--cgroup-parent", parent) as made,
        running(tiny_image, f"{user}-older", older) as unmarked,
    ):
        trial.aggregates.apply(trial.policy.current().limits(user, ()), user)
        decided = pass_over(trial)

        usage = lab.cgroups.usage(limits.group, user)
        assert usage is not None
        assert usage.limits == AggregateLimits(pids=300)
        assert not {made, unmarked} & decided
        assert pass_over(lab) & {made, unmarked} == {made}
        assert trial.cgroups.parent(limits.group, user) != parent
        trial.cgroups.take_down()
        assert lab.cgroups.usage(limits.group, user) == usage
        states = docker("inspect", "-f", "{{.State.Status}}", made, unmarked).split()
        assert states == ["running", "running"]
