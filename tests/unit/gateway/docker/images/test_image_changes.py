import json
from typing import Any

import pytest

from ds01_spawner.domain.errors import DS01Error, Forbidden
from ds01_spawner.gateway.docker.images.changes import checked_changes, commit_config, owner_change
from ds01_spawner.gateway.docker.reading.go_json import Fields

CONTAINER: dict[str, Any] = {
    "Config": {
        "Labels": {"ds01.user": "alice", "ds01.gpu.uuids": "GPU-1", "aime.mlc": "x", "a": "b"},
        "Env": ["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=GPU-1", "DS01_CONTAINER=web"],
    }
}


def config(body: Any = None) -> dict[str, Any]:
    return commit_config(Fields.of(json.dumps(body).encode()), CONTAINER, "alice")


def test_changes_are_said_anew() -> None:
    given = ['CMD  ["sh"]', "env A=b \\\n C=d", " ", "LABEL a=b\nUSER 1"]
    assert checked_changes(given) == ['CMD ["sh"]', "ENV A=b  C=d", "LABEL a=b", "USER 1"]
    assert owner_change("Al.Ice@x").startswith('LABEL ds01.image.owner="al-ice-x.')


@pytest.mark.parametrize(
    "change",
    [
        "RUN x",
        "ONBUILD RUN x",
        "FROM x",
        "HEALTHCHECK CMD x",
        "LABEL ds01.user=bob",
        'LABEL "aime.mlc.USER"=bob',
        "ENV a=b\nONBUILD RUN x",
        "nonsense",
    ],
)
def test_other_changes_are_refused(change: str) -> None:
    with pytest.raises(DS01Error):
        checked_changes([change])


def test_a_commit_forgets_what_the_platform_said() -> None:
    assert config() == {
        "Labels": {
            "ds01.user": "",
            "ds01.gpu.uuids": "",
            "aime.mlc": "",
            "ds01.image.owner": "alice",
        },
        "Env": ["NVIDIA_VISIBLE_DEVICES=void", "DS01_CONTAINER="],
    }


def test_a_commit_takes_what_an_image_may_say() -> None:
    said = config(
        {
            "cmd": ["x"],
            "User": "1",
            "ExposedPorts": {"80/tcp": {}},
            "Env": ["A=b"],
            "Labels": {"c": "d"},
            "Hostname": "h",
            "Tty": True,
        }
    )
    assert said["Cmd"] == ["x"]
    assert said["User"] == "1"
    assert said["ExposedPorts"] == {"80/tcp": {}}
    assert said["Env"][0] == "A=b"
    assert said["Labels"]["c"] == "d"
    assert "Hostname" not in said


@pytest.mark.parametrize(
    "body", [{"Labels": {"ds01.user": "bob"}}, {"OnBuild": ["RUN x"]}, {"Healthcheck": {"a": 1}}]
)
def test_a_commit_takes_nothing_else(body: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        config(body)


def test_a_commit_of_a_hubs_server_forgets_its_tokens() -> None:
    names = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "DS01_API_TOKEN")
    server = {"Config": {"Env": [f"{name}=secret" for name in names]}}

    told = commit_config(Fields.of(b"{}"), server, "alice")

    assert told["Env"] == [f"{name}=" for name in names]
