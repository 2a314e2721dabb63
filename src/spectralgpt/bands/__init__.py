"""Bands, sensors, band sets, and how a file's bands become a model's. Knows no torch, and no files but sensors'."""

from spectralgpt.bands.align import Alignment, align
from spectralgpt.bands.band import NUMBERED, Band, canonical
from spectralgpt.bands.bandset import BandSet, Group
from spectralgpt.bands.catalogue import (
    Sensor,
    from_wavelengths,
    is_sensor,
    read_sensor,
    read_wavelengths,
    sensor,
    sensors,
)
from spectralgpt.bands.identify import (
    Evidence,
    Identity,
    bands_of,
    choice_count,
    identify,
    is_alias,
    is_list,
    sensor_in_name,
)

__all__ = [
    "NUMBERED",
    "Alignment",
    "Band",
    "BandSet",
    "Evidence",
    "Group",
    "Identity",
    "Sensor",
    "align",
    "bands_of",
    "canonical",
    "choice_count",
    "from_wavelengths",
    "identify",
    "is_alias",
    "is_list",
    "is_sensor",
    "read_sensor",
    "read_wavelengths",
    "sensor",
    "sensor_in_name",
    "sensors",
]
