"""`carbon.yaml` and its time series, read anew when they change."""

from pathlib import Path

from ds01_spawner.adapters.text_files import read_text
from ds01_spawner.domain.usage_look import Intensity
from ds01_spawner.policy.carbon import (
    CarbonConfig,
    Series,
    intensity_of,
    parse_carbon,
    parse_series,
)

CARBON_FILE = "carbon.yaml"

Stamp = tuple[int, int, int] | None


class CarbonFiles:
    """What a kilowatt-hour emits, and who says so.

    Args:
        directory: Where the file is, if it is there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / CARBON_FILE
        self._config: tuple[Stamp, CarbonConfig] = (None, CarbonConfig())
        self._series: tuple[Path, Stamp, Series] = (directory, None, Series())

    def config(self) -> CarbonConfig:
        """What the file says; without it, nothing is known.

        Raises:
            PolicyError: It names file, line, key and what was expected.
        """
        stamp = _stamp(self._path)
        if stamp is None:
            return CarbonConfig()
        if stamp != self._config[0]:
            self._config = stamp, parse_carbon(read_text(self._path), str(self._path))
        return self._config[1]

    def intensity(self) -> Intensity:
        """What a kilowatt-hour emits at a moment.

        Raises:
            PolicyError: The file, or the series, cannot be read.
        """
        config = self.config()
        if config.series is None:
            return intensity_of(config, Series())
        path = self._directory / config.series
        stamp = _stamp(path)
        if stamp is None or (path, stamp) != self._series[:2]:
            self._series = path, stamp, parse_series(read_text(path), str(path))
        return intensity_of(config, self._series[2])


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
