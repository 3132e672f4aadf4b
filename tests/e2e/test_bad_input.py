"""What the REST API is sent by mistake or on purpose, and the sentence it is answered with."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.hub import Hub, Person, docker, eventually


@pytest.fixture(scope="module")
def person(running_hub: Hub) -> Person:
    return running_hub.person("careless")


@pytest.fixture(autouse=True)
def nothing_is_made(running_hub: Hub, person: Person) -> Iterator[None]:
    allocated = len(running_hub.events("gpu.allocate", person.name))
    yield
    assert not person.inspect()
    assert len(running_hub.events("gpu.allocate", person.name)) == allocated


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (
            {"gpus": 1},
            400,
            "Unknown server option: gpus. Use image, gpu, gpu_count, wait, project.",
        ),
        ({"labels": {"ds01.user": "root"}}, 400, "Unknown server option: labels."),
        ({"mounts": [{"Source": "/"}], "environment": {}}, 400, "options: environment, mounts."),
        ({"volumes": {"/": "/host"}}, 400, "Unknown server option: volumes."),
        ({"extra_host_config": {"privileged": True}}, 400, "option: extra_host_config."),
        ({"gpu": 1}, 400, "gpu must be text, not 1."),
        ({"gpu": ["mig"]}, 400, "gpu must be text, not ['mig']."),
        ({"gpu": "lots"}, 400, "'lots' is not a GPU size. Use none, mig, full, a profile"),
        ({"gpu": "9g.90gb"}, 400, "9g.90gb"),
        ({"gpu": "mig", "gpu_count": "2"}, 400, "gpu_count must be a whole number, not '2'."),
        ({"gpu": "mig", "gpu_count": True}, 400, "gpu_count must be a whole number, not True."),
        ({"gpu": "mig", "gpu_count": 1.5}, 400, "gpu_count must be a whole number, not 1.5."),
        (
            {"gpu": "mig", "gpu_count": -1},
            400,
            "-1 GPU slots cannot be requested. Ask for 1 to 64.",
        ),
        ({"gpu": "mig", "gpu_count": 0}, 400, "0 GPU slots cannot be requested."),
        ({"gpu": "mig", "gpu_count": 10**30}, 400, "GPU slots cannot be requested."),
        ({"gpu": "mig", "gpu_count": 2}, 403, "one container may have 1. Ask for 1"),
        ({"gpu": "full"}, 403, "Whole GPUs are not part of your limits"),
        ({"wait": "yes"}, 400, "wait must be true or false, not 'yes'."),
        ({"image": 7}, 400, "image must be text, not 7."),
        ({"image": "debian:latest"}, 403, "debian:latest"),
        ({"image": "ds01-other/x"}, 403, "ds01-other/x"),
        ({"image": "../../etc"}, 400, "'../../etc' is not an image reference"),
        ({"image": "starter; rm -rf /"}, 400, "is not an image reference"),
        ({"project": "../../etc"}, 400, "'../../etc' cannot name a project."),
        ({"project": "a" * 64}, 400, "cannot name a project. Use 1 to 63 letters"),
        ({"project": 5}, 400, "project must be text, not 5."),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else None,
)
def test_options_are_refused_with_a_sentence(
    person: Person, options: dict[str, Any], status: int, message: str
) -> None:
    answer = person.ask(**options)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ("jupyter", "A server cannot be called jupyter"),
        ("UPPER", ""),
        ("a" * 31, ""),
        ("under_score", ""),
        ("-dash", ""),
    ],
)
def test_server_names_are_refused(person: Person, server: str, message: str) -> None:
    answer = person.ask(server)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["message"]


def test_no_refusal_leaves_a_traceback(running_hub: Hub, person: Person) -> None:
    assert person.ask(gpu="lots").status_code == 400
    assert "Traceback" not in running_hub.log.split(person.name, 1)[1]


@pytest.fixture
def policy(hub: Hub) -> Iterator[Hub]:
    """The hub, with its policy file put back afterwards."""
    file = hub.config / "resource-limits.yaml"
    good = file.read_text()
    yield hub
    file.write_text(good)


def test_broken_policy_while_running_changes_nothing(policy: Hub) -> None:
    file = policy.config / "resource-limits.yaml"
    person = policy.person("steady")
    file.write_text(file.read_text().replace("memory: 16g", "memory: lots", 1))
    person.start(gpu="mig")
    assert person.inspect()["HostConfig"]["Memory"] == 16 * 1024**3
    event = eventually(lambda: policy.events("policy.invalid"))[-1]
    assert event["resource"] == str(file)
    assert "defaults.memory: expected a size such as 512m" in event["details"]["problems"][0]


def test_without_a_valid_policy_nothing_starts_and_everything_can_stop(policy: Hub) -> None:
    file = policy.config / "resource-limits.yaml"
    good = file.read_text()
    runs, comes = policy.person("stays"), policy.person("comes")
    runs.start()
    policy.stop()
    file.write_text(good.replace("memory: 16g", "memory: lots", 1))
    policy.start()
    line = good[: good.index("memory: 16g")].count("\n") + 1

    answer = comes.ask()
    assert answer.status_code == 503
    said = answer.json()["message"]
    assert "The lab's settings cannot be read right now, so nothing can be started" in said
    assert "Tell your administrator." in said
    assert str(file) not in said
    answer = Person(policy, f"{policy.prefix}-admin").ask()
    assert answer.status_code == 503
    assert f"{file}:{line}" in answer.json()["message"]
    runs.ready()
    runs.stop()

    file.write_text(good)
    comes.start_patiently()
    assert docker("ps", "--quiet", "--filter", f"name={comes.container()}")
