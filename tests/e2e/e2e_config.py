"""The hub of the end-to-end tests: the demo's, with a token for the tests."""

# mypy: disable-error-code="name-defined"
# ruff: noqa: F821 - JupyterHub gives get_config and load_subconfig

import os
from pathlib import Path

c = get_config()

load_subconfig(os.environ["DS01_E2E_DEMO_CONFIG"])

state = Path(os.environ["DS01_STATE_DIR"])
pace = {
    name: os.environ[name] for name in ("DS01_CULLER_PASS_SECONDS", "DS01_CULLER_GRACE_SECONDS")
}

c.Authenticator.allow_all = True
c.Authenticator.admin_users = set((state / "people").read_text().split())
c.Spawner.poll_interval = 1
c.DS01Spawner.concurrent_boots = 8
c.JupyterHub.services = [
    *(
        {**service, "environment": {**service.get("environment", {}), **pace}}
        for service in c.JupyterHub.services
    ),
    {"name": "e2e", "api_token": (state / "token").read_text()},
]
c.JupyterHub.load_roles = [
    *c.JupyterHub.load_roles,
    {
        "name": "e2e",
        "services": ["e2e"],
        "scopes": ["admin:users", "admin:servers", "access:servers", "read:hub", "tokens"],
    },
]
