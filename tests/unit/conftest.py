"""No network in unit tests; those marked `enable_socket` may use loopback."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

from ds01_spawner.client import places


@pytest.fixture(autouse=True, scope="session")
def no_gateway_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A demo that runs beside the tests is not found by what looks for a gateway."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "USUAL_SOCKET", str(tmp_path_factory.mktemp("run") / "docker.sock"))
        yield


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("enable_socket"):
        socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    else:
        disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
