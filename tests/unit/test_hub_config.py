import os
from pathlib import Path

import pytest
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

CONFIG = Path(__file__).parents[2] / "hub_config" / "jupyterhub_config.py"


def loaded() -> Config:
    found: Config = PyFileConfigLoader(CONFIG.name, path=str(CONFIG.parent)).load_config()
    return found


def test_tokens_of_services_do_not_stay_where_the_proxy_gets_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GATEWAY_URL", raising=False)
    monkeypatch.setenv("GATEWAY_TOKEN", "of-the-gateway")
    monkeypatch.setenv("PEOPLE_TOKEN", "of-people")

    services = {each["name"]: each for each in loaded().JupyterHub.services}

    assert services["ds01"]["url"] == "http://127.0.0.1:483"  # as ds01-gateway-api.socket has it
    assert services["ds01"]["api_token"] == "of-the-gateway"
    assert services["ds01-people"]["api_token"] == "of-people"
    assert not {"of-the-gateway", "of-people"} & set(os.environ.values())
    assert "api_token" not in services["ds01-culler"]


def test_without_tokens_there_is_the_lifecycle_service_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("GATEWAY_TOKEN", "PEOPLE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert [each["name"] for each in loaded().JupyterHub.services] == ["ds01-culler"]
