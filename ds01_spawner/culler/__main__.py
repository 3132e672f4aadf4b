"""`python -m ds01_spawner.culler`: the service, as the hub or systemd starts it."""

import logging
import os
import sys

from ds01_spawner.composition import open_platform
from ds01_spawner.culler.service import run


def main() -> None:
    """Run until the process is ended."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    run(
        open_platform(actor="culler"),
        hub_url=os.environ.get("JUPYTERHUB_API_URL"),
        hub_token=os.environ.get("JUPYTERHUB_API_TOKEN"),
    )


if __name__ == "__main__":
    main()
