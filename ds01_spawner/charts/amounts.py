"""What was used, as a figure with its unit: small enough units that nothing that was is 0. Pure."""

from ds01_spawner.charts.scale import figure

SMALL = 0.1
"""Of an hour, a kilowatt-hour, a kilogram: less is said in minutes, Wh, g."""

_MINUTES, _SECONDS = 60, 3600


def hours(gpu_hours: float) -> str:
    """A cell in a column of hours: `1,234.5`, `0.1`, `5 min`, `40 s`, `0.0`."""
    if gpu_hours >= SMALL or gpu_hours <= 0:
        return f"{gpu_hours:,.1f}"
    if round(gpu_hours * _SECONDS) >= _MINUTES:
        return f"{gpu_hours * _MINUTES:.0f} min"
    return f"{max(gpu_hours * _SECONDS, 1):.0f} s"


def energy(kwh: float) -> str:
    """`12.3 kWh`, `45 Wh`."""
    return _with_unit(kwh, "kWh", "Wh")


def emitted(kg: float) -> str:
    """What that emitted: `3.2 kg`, `8 g`."""
    return _with_unit(kg, "kg", "g")


def _with_unit(value: float, unit: str, small: str) -> str:
    if 0 < value < SMALL:
        return f"{figure(value * 1000)} {small}"
    return f"{figure(value)} {unit}"
