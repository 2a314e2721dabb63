"""What a user's choice of bands means: a sensor, wavelengths, or a list of names."""

from spectralgpt.bands.catalogue import from_wavelengths, is_sensor, read_sensor, read_wavelengths, sensor
from spectralgpt.bands.sensor import Sensor
from spectralgpt.errors import BandError, argument

MOST_POSITIONS = 20
"""Whole numbers below this are no wavelengths, not even in micrometres: they count bands."""


def chosen_sensor(choice: str) -> Sensor | None:
    """The sensor that a choice means; None if it is a list of names. BandError for numbers that count bands."""
    word = choice.strip()
    if word.lower().endswith(".toml"):
        return read_sensor(word)
    if word.lower().endswith((".csv", ".txt")):
        return read_wavelengths(word)
    if is_sensor(word):
        return sensor(word)
    words = [part for part in word.split(",") if part.strip()]
    numbers = [number for number in map(_number, words) if number is not None]
    if not numbers or len(numbers) < len(words):
        return None
    if all(number < MOST_POSITIONS and number.is_integer() for number in numbers):
        raise BandError(
            f"{argument('bands', choice)} looks like positions, but bands are never matched by position",
            do="Give names like B02,B03 or wavelengths in nm",
        )
    return from_wavelengths(numbers)


def is_list(choice: str) -> bool:
    """Whether a choice picks bands by name, not a whole sensor."""
    return chosen_sensor(choice) is None


def choice_count(choice: str | None) -> int | None:
    """The number of bands that a choice names, None without a choice."""
    if choice is None:
        return None
    chosen = chosen_sensor(choice)
    return len(chosen.bands) if chosen is not None else sum(1 for word in choice.split(",") if word.strip())


def _number(text: str) -> float | None:
    try:
        return float(text.strip().lower().removesuffix("nm"))
    except ValueError:
        return None
