from collections.abc import Mapping
from pathlib import Path

import pytest

from ds01_spawner.client import places
from ds01_spawner.client.places import behind_hub, from_environment
from ds01_spawner.client.sse import read_events
from ds01_spawner.domain.errors import InvalidRequest, Unavailable


@pytest.mark.parametrize(
    ("environment", "address", "token"),
    [
        ({"DS01_GATEWAY_SOCKET": "/tmp/x.sock"}, "http://localhost/ds01/", None),
        (
            {"DS01_URL": "https://hub.example.org", "DS01_TOKEN": "t"},
            "https://hub.example.org/services/ds01/api/",
            "t",
        ),
        (
            {"DS01_URL": "http://127.0.0.1:8000/base/", "JUPYTERHUB_API_TOKEN": "s"},
            "http://127.0.0.1:8000/base/services/ds01/api/",
            "s",
        ),
        (
            {
                "DS01_API_URL": "http://172.17.0.1:8450/services/ds01/api",
                "JUPYTERHUB_API_TOKEN": "s",
            },
            "http://172.17.0.1:8450/services/ds01/api/",
            "s",
        ),
        (
            {
                "JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.org/base/hub/",
                "JUPYTERHUB_API_TOKEN": "s",
            },
            "https://hub.example.org/base/services/ds01/api/",
            "s",
        ),
    ],
)
def test_the_environment_says_where_the_api_is(
    environment: Mapping[str, str], address: str, token: str | None
) -> None:
    with from_environment(environment) as client:
        assert str(client._http.base_url) == address
        said = client._http.headers.get("Authorization")
        assert said == (None if token is None else f"token {token}")


def test_authorities_are_loaded_only_where_they_vouch_for_somebody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = list[str]()
    monkeypatch.setattr(
        "ssl.SSLContext.load_verify_locations", lambda *_args, **more: loaded.append(str(more))
    )
    behind_hub("http://127.0.0.1:8000", "t").close()
    assert loaded == []
    behind_hub("https://hub.example.org", "t").close()
    assert len(loaded) == 1


def test_without_anything_the_usual_socket_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "USUAL_SOCKET", str(tmp_path / "none.sock"))
    with pytest.raises(Unavailable, match="There is no gateway here"):
        from_environment({})


def test_an_address_without_a_token_is_not_enough() -> None:
    with pytest.raises(Unavailable, match="nothing says who asks"):
        from_environment({"DS01_URL": "https://hub.example.org"})


@pytest.mark.parametrize("url", ["http://hub.example.org/", "ftp://x/", "hub.example.org", ""])
def test_a_token_does_not_travel_for_everybody_to_read(url: str) -> None:
    with pytest.raises(InvalidRequest):
        behind_hub(url, "t")


def test_events_are_read_as_browsers_read_them() -> None:
    lines = [
        ": comment",
        "event: a",
        "data: 1",
        "data:2",
        "id: 5",
        "",
        "",
        "data: last",
        "",
        "event: unfinished",
        "data: x",
    ]
    assert list(read_events(lines)) == [("a", "1\n2"), ("message", "last")]
