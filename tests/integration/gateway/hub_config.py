"""The lab's hub without servers, culler and engine: for who may ask the API, and how."""

# mypy: disable-error-code="name-defined"
# ruff: noqa: F821 - JupyterHub gives get_config and load_subconfig

import os
from pathlib import Path

c = get_config()

load_subconfig(os.environ["HUB_UNDER_TEST"])

state = Path(os.environ["HUB_STATE"])
port = int(os.environ["HUB_PORT"])
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.extra_handlers = []
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.admin_users = {"boss"}
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = int(os.environ["HUB_API_PORT"])
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['HUB_PROXY_PORT']}"
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.JupyterHub.db_url = f"sqlite:///{state / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.JupyterHub.load_groups = {"ds01-manager": {"users": ["mia"]}}
c.JupyterHub.services = [
    *(service for service in c.JupyterHub.services if service["name"] != "ds01-culler"),
    {"name": "test", "api_token": os.environ["HUB_TEST_TOKEN"]},
]
c.JupyterHub.load_roles = [
    *(role for role in c.JupyterHub.load_roles if role["name"] != "ds01-culler"),
    {"name": "test", "services": ["test"], "scopes": ["admin:users", "tokens"]},
]
