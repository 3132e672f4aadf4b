"""The packet filter that keeps people's containers in: `rules` is the text, `iptables` the deed."""

from ds01_spawner.adapters.isolation.host import (
    IsolationFile,
    ResolverFiles,
    hub_ports,
    remembered_ports,
)
from ds01_spawner.adapters.isolation.iptables import IptablesFilter

__all__ = ["IptablesFilter", "IsolationFile", "ResolverFiles", "hub_ports", "remembered_ports"]
