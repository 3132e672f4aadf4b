"""Time from container start to the first HTTP answer: the starter image against a plain one.

`script/bench image`. Starts alternate, so that whatever else the machine does hits both alike.
Both get the environment that a hub gives, and a stand-in for the hub's API to talk to.
Exit 1 when the target is missed.
"""

import argparse
import http.client
import ipaddress
import os
import statistics
import sys
import time

import docker
from docker.models.containers import Container

from stubs.hub_api import hub_api, single_user_environment

STARTER = os.environ.get("DS01_STARTER_TAG", "ds01/starter:latest")
PLAIN = "ds01/plain:latest"
PAIRS = 10
TARGET_RATIO = 0.5
POLL_SECONDS = 0.01
PATIENCE_SECONDS = 60


def seconds_to_answer(
    client: docker.DockerClient, image: str, environment: dict[str, str]
) -> float:
    """How long one container of `image` takes from create to its first HTTP answer."""
    begin = time.perf_counter()
    container = client.containers.create(image, environment=environment, labels=["ds01-bench"])
    try:
        container.start()
        wait_for_http(container)
        return time.perf_counter() - begin
    finally:
        container.remove(force=True)


def wait_for_http(container: Container) -> None:
    """Ask every 10 ms until the server answers below 500.

    Raises:
        RuntimeError: It does not within a minute.
    """
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    address = networks["bridge"]["IPAddress"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address, 8888, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/user/alice/api")
            if connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                return
        except OSError:
            time.sleep(POLL_SECONDS)
        finally:
            connection.close()
    raise RuntimeError(f"no answer from {container.name}: {container.logs(tail=20).decode()}")


def main() -> int:
    """Measure, print a table, and say whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    pairs = parser.parse_args().pairs
    client = docker.from_env()
    # The engine's own bridge has the first address of its subnet, and may not say so.
    subnet = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]
    gateway = str(next(ipaddress.ip_network(subnet).hosts()))
    times: dict[str, list[float]] = {STARTER: [], PLAIN: []}
    with hub_api(gateway) as api_url:
        environment = single_user_environment(api_url)
        for number in range(pairs):
            for image in (STARTER, PLAIN) if number % 2 else (PLAIN, STARTER):
                times[image].append(seconds_to_answer(client, image, environment))
    print(f"container start to first HTTP answer, {pairs} alternating pairs")
    print(f"  {'image':<24}{'median':>10}{'fastest':>10}{'slowest':>10}")
    for image, seconds in times.items():
        row = (statistics.median(seconds), min(seconds), max(seconds))
        print(f"  {image:<24}" + "".join(f"{value:>8.2f} s" for value in row))
    ratio = statistics.median(times[STARTER]) / statistics.median(times[PLAIN])
    print(f"  ratio of medians {ratio:.2f}, target at most {TARGET_RATIO}")
    print("  targets met" if ratio <= TARGET_RATIO else "  TARGET MISSED")
    return 0 if ratio <= TARGET_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
