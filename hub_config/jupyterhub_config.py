"""JupyterHub for a DS01 lab, in assignments only; docs/hub.md explains each, with PAM and OAuth."""

import os
from pathlib import Path

from ds01_spawner.spawner.pages import HANDLERS

c = get_config()

c.JupyterHub.spawner_class = "ds01"
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = set()

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "172.17.0.1"
c.JupyterHub.db_url = "sqlite:////var/lib/ds01/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/var/lib/ds01/jupyterhub_cookie_secret"
c.JupyterHub.template_paths = [str(Path(__file__).parent / "templates")]

c.JupyterHub.extra_handlers = HANDLERS

c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = 10
c.JupyterHub.cleanup_servers = False
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.init_spawners_timeout = 5

c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = 60

# Taken out: the proxy gets a copy of the hub's environment, and has no use for tokens.
gateway, gateway_url = os.environ.pop("GATEWAY_TOKEN", None), os.environ.get("GATEWAY_URL")
people = os.environ.pop("PEOPLE_TOKEN", None)
c.Spawner.environment = (
    {"DS01_API_URL": f"{gateway_url}/services/ds01/api/"} if gateway and gateway_url else {}
)
c.JupyterHub.custom_scopes = {
    "custom:ds01:manage": {"description": "See what everybody in the lab has and uses"},
    "custom:ds01:admin": {
        "description": "Look after the lab: act for everybody",
        "subscopes": ["custom:ds01:manage"],
    },
}
c.JupyterHub.services = [
    {
        "name": "ds01-culler",
        "command": ["python3", "-m", "ds01_spawner.culler"],
        "environment": {name: os.environ[name] for name in os.environ if name.startswith("DS01_")},
    },
    *(
        [
            {
                "name": "ds01",
                "url": gateway_url or "http://127.0.0.1:483",
                "api_token": gateway,
                "timeout": 1,
                "oauth_no_confirm": True,
                "oauth_client_allowed_scopes": ["custom:ds01:manage", "custom:ds01:admin"],
            }
        ]
        if gateway
        else []
    ),
    *([{"name": "ds01-people", "api_token": people, "display": False}] if people else []),
]
c.JupyterHub.load_roles = [
    {
        "name": "ds01-culler",
        "services": ["ds01-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
    *(
        [
            {
                "name": "ds01",
                "services": ["ds01"],
                "scopes": ["list:users", "read:users:activity", "read:servers", "servers"],
            },
            {"name": "user", "scopes": ["self", "access:services!service=ds01"]},
            {
                "name": "server",
                "scopes": [
                    "users:activity!user",
                    "access:servers!server",
                    "access:services!service=ds01",
                ],
            },
            {
                "name": "ds01-manager",
                "groups": ["ds01-manager"],
                "scopes": ["custom:ds01:manage"],
            },
        ]
        if gateway
        else []
    ),
    *(
        [
            {
                "name": "ds01-people",
                "services": ["ds01-people"],
                "scopes": ["read:users:name", "delete:users"],
            }
        ]
        if people
        else []
    ),
]
