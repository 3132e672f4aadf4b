"""Rules of the packet filter in a network of the test's own."""

import os
import subprocess

import pytest

from monitoring.files import ROOT

CLOSE = ROOT / "config" / "monitoring" / "close-ports"
PRELUDE = """
set -eu
ip link set lo up
python3 -m http.server --bind 127.0.0.1 9090 >/dev/null 2>&1 & servers=$!
python3 -m http.server --bind 127.0.0.1 9095 >/dev/null 2>&1 & servers="$servers $!"
trap 'kill $servers' EXIT
reaches() {
    setpriv --reuid="$1" --clear-groups bash -c ": <>/dev/tcp/127.0.0.1/$2" 2>/dev/null &&
        echo "$1 $2" || :
}
for port in 9090 9095; do
    for attempt in {1..500}; do [ -z "$(reaches 0 $port)" ] || break; sleep 0.02; done
done
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="rules are root's to make")


def said_in_a_network_of_its_own(script: str) -> list[str]:
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", f"{PRELUDE}\n{script}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "CLOSE": str(CLOSE)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_people_do_not_reach_what_has_no_login() -> None:
    said = said_in_a_network_of_its_own(
        '"$CLOSE"; for who in 0 65534 1000; do reaches $who 9090; reaches $who 9095; done'
    )
    assert said == ["0 9090", "0 9095", "65534 9090", "65534 9095", "1000 9095"]


def test_to_close_twice_is_to_close_once_and_it_can_be_undone() -> None:
    script = '"$CLOSE"; iptables-save -t filter | grep -c MONITORING'
    once = said_in_a_network_of_its_own(script)
    assert said_in_a_network_of_its_own(f'"$CLOSE"; {script}') == once
    said = said_in_a_network_of_its_own(
        '"$CLOSE"; "$CLOSE" open; "$CLOSE" open; iptables-save; reaches 1000 9090'
    )
    assert said[-1] == "1000 9090"
    assert "MONITORING" not in "\n".join(said)
