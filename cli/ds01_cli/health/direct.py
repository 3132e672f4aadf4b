"""The checks, made on the server by whoever looks after it."""

import logging

from ds01_cli.admin.administrator import only_administrators, open_to_caller
from ds01_spawner.composition import open_hub
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.operations.health.health import health_json


def health() -> dict[str, object]:
    """What every check found, as `--json` prints it.

    Raises:
        Forbidden: It was no administrator who asked.
        Unavailable: There is no platform.
    """
    # What is wrong is told below; without a handler it would be on stderr from the log as well.
    logging.getLogger("ds01_spawner").addHandler(logging.NullHandler())
    platform = open_to_caller()
    only_administrators()
    state = platform.directories.state
    if not (state / "instance-id").exists():
        raise Unavailable(f"There is no platform in {state}: nothing of it has run there.")
    checks = platform.health(lambda: open_hub(platform.directories))
    taken_at = platform.clock.now()
    return health_json(checks.look(), taken_at)
