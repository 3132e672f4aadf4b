"""JupyterHub for a DS01 lab: assignments only. docs/hub.md explains each and shows PAM and OAuth."""

import os

state = os.environ.get("DS01_STATE_DIR", "/var/lib/ds01")
port = os.environ.get("DS01_HUB_PORT", "8000")
api_port = os.environ.get("DS01_HUB_API_PORT", "8081")
proxy_api_port = os.environ.get("DS01_PROXY_API_PORT", "8001")
here = os.path.dirname(__file__)

c = get_config()

c.JupyterHub.spawner_class = "ds01"
c.JupyterHub.authenticator_class = os.environ.get("DS01_AUTHENTICATOR", "pam")

c.JupyterHub.bind_url = f"http://{os.environ.get('DS01_HUB_ADDRESS', '127.0.0.1')}:{port}"
c.JupyterHub.hub_ip = os.environ.get("DS01_HUB_API_ADDRESS", "172.17.0.1")
c.JupyterHub.hub_port = int(api_port)
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy_api_port}"
c.ConfigurableHTTPProxy.pid_file = f"{state}/jupyterhub-proxy.pid"

c.JupyterHub.db_url = f"sqlite:///{state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{state}/jupyterhub_cookie_secret"
c.JupyterHub.template_paths = [os.path.join(here, "templates")]

c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = 0
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = True

c.DS01Spawner.state_dir = state
c.DS01Spawner.default_url = "/lab"
