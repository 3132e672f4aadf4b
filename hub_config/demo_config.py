"""The hub of script/demo: the lab's configuration on ports and in a folder of the demo's own."""

import os
from pathlib import Path

c = get_config()

load_subconfig(str(Path(__file__).with_name("jupyterhub_config.py")))

places = {name: os.environ[name] for name in ("DS01_STATE_DIR", "DS01_CONFIG_DIR", "DS01_DEMO")}
state = Path(places["DS01_STATE_DIR"])
people = set((state / "people").read_text().split())

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = (state / "password").read_text().strip()
c.Authenticator.allow_all = False
c.Authenticator.allowed_users = people
c.Authenticator.admin_users = {person for person in people if person.startswith("admin")}

c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ['DS01_DEMO_PORT']}"
c.JupyterHub.hub_ip = os.environ["DS01_DEMO_HUB_ADDRESS"]
c.JupyterHub.hub_port = int(os.environ["DS01_DEMO_HUB_PORT"])
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['DS01_DEMO_PROXY_PORT']}"
c.ConfigurableHTTPProxy.pid_file = str(state / "jupyterhub-proxy.pid")
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "jupyterhub_cookie_secret")
