"""The sensor file that reads a known sensor's bands with another scale and offset, in words to follow to the letter."""

from spectralgpt.bands.catalogue import is_sensor, sensor
from spectralgpt.errors import argument

FILE = "mine.toml"


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
