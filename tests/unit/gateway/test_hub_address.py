import pytest

from ds01_spawner.gateway.service import hub_url_from


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
