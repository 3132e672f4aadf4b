"""Who runs the services, and so what helps one that does not run. Pure."""

import shlex
from dataclasses import dataclass
from pathlib import PurePath

_PREFIX = "ds01-"
_OF_THE_HUB = frozenset({"ds01-culler", "ds01-hub"})
_USUAL_PORT = 8000


@dataclass(frozen=True, slots=True)
class Keeper:
    """What to type where a service does not run, or should be looked at.

    Attributes:
        demo: What starts all that a demo lacks; empty where systemd runs the services.
        logs: The folder of a demo's logs.
    """

    demo: str = ""
    logs: str = ""

    def start(self, service: str) -> str:
        """For one that does not run."""
        return self._demo(service) or f"systemctl start {service}"

    def restart(self, service: str) -> str:
        """For one that may run, and does not do its work."""
        return self._demo(service) or f"{self.status(service)}; systemctl restart {service}"

    def status(self, service: str) -> str:
        """For one of which nothing is known."""
        return self._demo(service) or f"systemctl status {service}"

    def log(self, service: str) -> str:
        """For one that says why."""
        if not self.demo:
            return f"journalctl -u {service}"
        name = "hub" if service in _OF_THE_HUB else service.removeprefix(_PREFIX)
        return f"tail {shlex.quote(f'{self.logs}/{name}.log')}"

    def _demo(self, service: str) -> str:
        return f"{self.demo}; {self.log(service)}" if self.demo else ""


SYSTEMD = Keeper()


def demo_keeper(checkout: PurePath, state: PurePath, port: str) -> Keeper:
    """Of a demo: its script, which starts what does not run and leaves what does.

    Args:
        checkout: Where `script/demo` is.
        state: The demo's state folder.
        port: Of its hub, as the demo has written it down; anything else is left out.
    """
    number = port.strip()
    words = [str(checkout / "script" / "demo")]
    if number.isdecimal() and number != str(_USUAL_PORT):
        words += ["--port", number]
    if state != checkout / ".state" / f"demo-{number}":
        words += ["--state", str(state)]
    return Keeper(shlex.join(words), str(state))
