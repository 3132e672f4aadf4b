"""The `SshFolder` port: what SSH servers in people's containers read, and the scripts around them.

`sshd_config`, `start.sh` and `session.sh` are shown in every container as they stand here.
"""

from ds01_spawner.adapters.ssh_folder.folder import FileSshFolder

__all__ = ["FileSshFolder"]
