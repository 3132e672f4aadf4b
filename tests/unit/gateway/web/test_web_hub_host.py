from pathlib import Path

from ds01_spawner.gateway.web.application import site_of
from ds01_spawner.gateway.web.handler import CONTENT_POLICY, content_policy
from fakes.api_lab import ApiLab

HOST = "https://gpu.example.edu"
ENVIRONMENT = {"JUPYTERHUB_API_TOKEN": "t", "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api"}


def test_pages_lead_to_the_hub_where_it_is(tmp_path: Path) -> None:
    lab = ApiLab(tmp_path)
    assert site_of(lab.served, ENVIRONMENT).hub_prefix == "/hub/"
    elsewhere = site_of(lab.served, {**ENVIRONMENT, "JUPYTERHUB_HOST": HOST})
    assert (elsewhere.hub_prefix, elsewhere.base) == (f"{HOST}/hub/", f"{HOST}/")
    lab.api.threads.close()


def test_only_logo_and_forms_reach_a_hub_on_another_host() -> None:
    before, after = CONTENT_POLICY.split("; "), content_policy(HOST).split("; ")
    changed = [now for then, now in zip(before, after, strict=True) if then != now]
    assert changed == [f"img-src 'self' data: {HOST}", f"form-action 'self' {HOST}"]
