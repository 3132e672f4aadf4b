"""The production-like host, started once for all its tests."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import pytest

from host import machine

REPORT = "---- report ----"
_INSIDE = f"""
set -u
mkdir -p /opt/ds01/src && cd /opt/ds01/src && tar -x || exit 90
export PYTHONPATH=/opt/ds01/src:/opt/ds01/src/tests:/opt/ds01/lib PYTHONDONTWRITEBYTECODE=1
for check in tests/host/inside/check_*.py; do
    python3 -m pytest -c /dev/null --rootdir=. --import-mode=importlib -p no:cacheprovider -q \\
        --timeout=120 --junitxml=$check.xml $check >$check.log 2>&1 &
done
wait
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
        output, *reports = host.run(_INSIDE, host.ship(), seconds=600).split(REPORT)
    if not reports:
        pytest.fail(f"The checks inside did not run:\n{output}", pytrace=False)
    return {
        f"{case.get('classname', '')}::{case.get('name', '')}": "\n".join(
            element.text or element.get("message") or element.tag for element in case
        )
        for report in reports
        for case in ET.fromstring(report.strip()).iter("testcase")
    }
