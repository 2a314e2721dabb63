"""The sensor file that reads a known sensor's bands with another scale and offset, in words to follow to the letter."""

from collections.abc import Sequence

from spectralgpt.bands.band import Band
from spectralgpt.bands.catalogue import is_sensor, sensor
from spectralgpt.bands.wavelength_names import sensors_at_wavelengths
from spectralgpt.errors import Advice, argument

FILE = "mine.toml"

MOST_SENSORS = 3
"""Most sensors that are advised for a list of wavelengths."""


def in_own_sensor(name: str, scale: float, offset: float) -> str:
    """What to do for bands of a sensor to be read with this scale and offset: the lines of a sensor file, each in
    backticks, and the argument. name: of a known sensor; of another, its own file is to be changed."""
    lines = [f"scale = {scale:.6g}", f"offset = {offset:g}"]
    if not is_sensor(name):
        return f"write {' and '.join(f'`{line}`' for line in lines)} into the sensor file"
    known = sensor(name)
    nodata = [] if known.nodata is None else [f"nodata = {known.nodata:g}"]
    lines = [f'bands_of = "{name}"', f'level = "{known.level}"', *nodata, *lines]
    return f"write a file {FILE} with the lines {', '.join(f'`{line}`' for line in lines)}, and give " + argument(
        "bands", FILE
    )


def at_wavelengths_with_scale(bands: Sequence[Band]) -> tuple[str, tuple[Advice, ...]]:
    """What to do about digital numbers of bands that are known by their wavelengths only, and advice."""
    listed = ", ".join(f"{band.wavelength:g}" for band in bands)
    lines = [f"wavelengths = [{listed}]", "scale = 0.0001", "offset = 0"]
    do = (
        f"If they are reflectance x 10000, write a file {FILE} with the lines "
        f"{', '.join(f'`{line}`' for line in lines)} (else with their own scale and offset), and give it"
    )
    of = sensors_at_wavelengths([band.wavelength for band in bands])[:MOST_SENSORS]
    do += ", or choose the sensor that has these wavelengths:" if of else ":"
    return do, (("bands", FILE), *(("bands", each.name) for each in of))
