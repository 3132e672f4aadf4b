"""Ports for what tests start."""

import random

PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to connections (ip_local_port_range)."""


def free_port() -> int:
    """A TCP port that nobody listens on, and that no connection is given meanwhile."""
    import socket  # noqa: PLC0415 - pytest-socket looks at the module's

    while True:
        port = random.choice(PORTS)
        with socket.socket() as listener:
            try:
                listener.bind(("", port))
            except OSError:
                continue
            return port
