"""`carbon.yaml` and its time series, read anew when they change."""

from pathlib import Path

from ds01_spawner.adapters.text_files import read_text
from ds01_spawner.domain.carbon import Rates, Series
from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.usage_look import Intensity
from ds01_spawner.policy.carbon import CarbonConfig, intensity_of, parse_carbon, parse_series

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
        return intensity_of(config, self._read_series(config))

    def rates(self) -> Rates:
        """The same of what can be read, or could be before; the constant where no series is."""
        notes: list[str] = []
        try:
            config = self.config()
        except PolicyError as exc:
            config = self._config[1]
            notes.append(_note(exc, "What it said before" if self._config[0] else ""))
        try:
            series = self._read_series(config)
        except PolicyError as exc:
            path, _, series = self._series
            if path != self._path_of(config):
                series = Series()
            before = "What it said before" if series.times else ""
            constant = "the constant in carbon.yaml" if config.intensity is not None else ""
            notes.append(_note(exc, ", else ".join(filter(None, [before, constant]))))
        return Rates(intensity_of(config, series), series, tuple(notes))

    def _path_of(self, config: CarbonConfig) -> Path:
        return self._directory / (config.series or "")

    def _read_series(self, config: CarbonConfig) -> Series:
        if config.series is None:
            return Series()
        path = self._path_of(config)
        stamp = _stamp(path)
        if stamp is None or (path, stamp) != self._series[:2]:
            self._series = path, stamp, parse_series(read_text(path), str(path))
        return self._series[2]


def _note(error: PolicyError, instead: str) -> str:
    first, more = error.problems[0], len(error.problems) - 1
    said = f"{first}{f', and {more} more' if more else ''}."
    if not instead:
        return f"{said} Nothing is known of emissions meanwhile."
    return f"{said} {instead[0].upper()}{instead[1:]} counts meanwhile."


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
