"""SSH into one's own containers."""

from ds01_spawner.client.models.base import Wire


class SshIdentity(Wire):
    """Who somebody is in their containers, whichever."""

    user: str
    """The name to log in with."""
    home: str
    """One's home there."""
    host_keys: tuple[str, ...]
    """The public keys of all of one's containers, as `ssh-ed25519 AAAA…`."""
    keys: int
    """How many SSH keys of one's own open them."""


class SshAccess(Wire):
    """A container that is ready for a connection."""

    name: str
    """What its owner calls it."""
    user: str
    """The name to log in with."""
    host_keys: tuple[str, ...]
    """Its public keys, as `ssh-ed25519 AAAA…`; it must show one of them."""
    command: tuple[str, ...]
    """Run in the container, it speaks SSH on its standard streams."""
    started: bool
    """Whether the container was stopped, and has been started."""
