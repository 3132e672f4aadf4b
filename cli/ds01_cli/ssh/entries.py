"""Commands to get into containers with SSH and editors; they are at the top: `ds01 ssh`."""

from collections.abc import Mapping

from ds01_cli.frame.table import Command

SSH: Mapping[str, Command] = {
    "ssh": Command(
        "ds01_cli.ssh.shell",
        "ssh",
        "Open a shell in a container, or run one command there.",
        {"allow_interspersed_args": False},
    ),
    "vscode": Command("ds01_cli.ssh.vscode", "vscode", "Open a container in VS Code or Cursor."),
    "cp": Command("ds01_cli.ssh.copy", "cp", "Copy files into a container, or out of it."),
    "port-forward": Command(
        "ds01_cli.ssh.port_forward", "port_forward", "Reach a port of a container from here."
    ),
    "ssh-config": Command(
        "ds01_cli.ssh.config", "ssh_config", "Let ssh, scp, rsync and editors find your containers."
    ),
    "ssh-proxy": Command(
        "ds01_cli.ssh.proxy", "main", "Carry one SSH connection; ssh starts it for you."
    ),
}
