"""The production-like host, started once for all its tests."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import pytest

from host import machine

MARK = "---- report ----"
_INSIDE = f"""
set -u
mkdir -p /opt/ds01/src && cd /opt/ds01/src && tar -x || exit 90
export PYTHONPATH=/opt/ds01/src:/opt/ds01/src/tests:/opt/ds01/lib PYTHONDONTWRITEBYTECODE=1
python3 -m pytest -c /dev/null --rootdir=. --import-mode=importlib -p no:cacheprovider -q \
    --timeout=120 --junitxml=/tmp/report.xml tests/host/inside/check_*.py
echo "{MARK}"
cat /tmp/report.xml
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
        output, _, report = host.run(_INSIDE, host.ship(), seconds=400).partition(MARK)
    if not report.strip():
        pytest.fail(f"The checks inside did not run:\n{output}", pytrace=False)
    return {
        f"{case.get('classname', '')}::{case.get('name', '')}": "\n".join(
            element.text or element.get("message") or element.tag for element in case
        )
        for case in ET.fromstring(report.strip()).iter("testcase")
    }
