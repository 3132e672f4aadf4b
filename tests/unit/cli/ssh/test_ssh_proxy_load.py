import subprocess
import sys

HEAVY = ("typer", "click", "rich", "httpx", "pydantic", "websockets", "ssl", "asyncio", "http")


def test_on_the_server_it_loads_next_to_nothing() -> None:
    code = f"""
import sys
from ds01_cli.main import run
run(["ssh-proxy", "thesis"])
print([name for name in {HEAVY} if name in sys.modules])
"""
    environment = {"DS01_GATEWAY_SOCKET": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[]\n", done.stdout


def test_through_the_hub_it_loads_websockets_and_not_the_client() -> None:
    code = f"""
import sys
import ds01_cli.ssh.proxy, ds01_cli.ssh.by_websocket, ds01_cli.ssh.websocket_line
print([name for name in {HEAVY[:5]} + ("asyncio",) if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", done.stdout
