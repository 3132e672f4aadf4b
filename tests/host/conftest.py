"""The production-like host, started once for all its tests."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import pytest

from host import machine

REPORT = "---- report ----"
_AT_ONCE = 2
"""As many as the host has cores: their own bounds are for an emulated machine, not for a crowd."""

_INSIDE = f"""
set -u
mkdir -p /opt/ds01/src && cd /opt/ds01/src && tar -x || exit 90
export PYTHONPATH=/opt/ds01/src:/opt/ds01/src/tests:/opt/ds01/lib PYTHONDONTWRITEBYTECODE=1
# Once, what came without bytecode: each of many processes would compile all that it imports.
python3 -m compileall -q -j {_AT_ONCE} ds01_spawner tests || exit 91
check() {{
    python3 -m pytest -c /dev/null --rootdir=. --import-mode=importlib -p no:cacheprovider -q \\
        --durations=5 --timeout=400 --junitxml=$1.xml $1 >$1.log 2>&1
}}
export -f check
ls tests/host/inside/check_*.py | xargs -n 1 -P {_AT_ONCE} bash -c 'check "$0"' || :
cat tests/host/inside/*.log
for report in tests/host/inside/*.xml; do
    echo; echo "{REPORT}"
    cat $report
done
"""


@pytest.fixture(scope="session", params=os.environ.get("DS01_HOST_VARIANTS", "v2").split())
def outcomes(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """What each check inside came to: empty when it passed, else what went wrong."""
    if (reason := machine.missing()) is not None:
        reason = f"the production-like host cannot run: {reason}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; in CI it must", pytrace=False)
        pytest.skip(reason)
    image = machine.ensure_image(request.param)
    with machine.fresh_host(image) as host:
        output, *reports = host.run(_INSIDE, host.ship(), seconds=1200).split(REPORT)
    if len(reports) < len([*machine.HERE.glob("inside/check_*.py")]):
        pytest.fail(f"Not every check inside has reported:\n{output}", pytrace=False)
    return {
        f"{case.get('classname', '')}::{case.get('name', '')}": "\n".join(
            element.text or element.get("message") or element.tag for element in case
        )
        for report in reports
        for case in ET.fromstring(report.strip()).iter("testcase")
    }
