import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.service import hub_url_from, named_servers_from


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        pytest.param({}, None, id="nothing-says"),
        pytest.param({"DS01_HUB_URL": "https://h.example"}, "https://h.example/", id="ours"),
        pytest.param(
            {"JUPYTERHUB_PUBLIC_HUB_URL": "https://h.example/x/hub/"},
            "https://h.example/x/",
            id="the-hubs",
        ),
        pytest.param(
            {"DS01_HUB_URL": "https://a/", "JUPYTERHUB_PUBLIC_HUB_URL": "https://b/hub/"},
            "https://a/",
            id="ours-first",
        ),
    ],
)
def test_says_where_people_reach_the_hub(environment: dict[str, str], url: str | None) -> None:
    assert hub_url_from(environment) == url


def test_how_many_named_servers_the_hub_allows_is_said_or_not_known() -> None:
    assert named_servers_from({}) is None
    assert named_servers_from({"DS01_NAMED_SERVERS": "10"}) == 10
    with pytest.raises(InvalidRequest, match="named_server_limit_per_user"):
        named_servers_from({"DS01_NAMED_SERVERS": "many"})
