"""Bands, sensors, band sets, and how the bands of a file become those of a model. Reads no files except
sensors, and needs no torch."""

from spectralgpt.bands.align import Alignment, align
from spectralgpt.bands.band import NUMBERED, Band, canonical
from spectralgpt.bands.bandset import BandSet, Group
from spectralgpt.bands.candidates import sensor_in_name
from spectralgpt.bands.catalogue import (
    from_wavelengths,
    is_sensor,
    read_sensor,
    read_wavelengths,
    sensor,
    sensors,
)
from spectralgpt.bands.choice import choice_count, is_list
from spectralgpt.bands.evidence import Evidence, Identity
from spectralgpt.bands.identify import bands_of, identify
from spectralgpt.bands.naming import is_alias, is_auxiliary, names_a_band, only_count
from spectralgpt.bands.sensor import Sensor

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
    "is_auxiliary",
    "is_list",
    "is_sensor",
    "names_a_band",
    "only_count",
    "read_sensor",
    "read_wavelengths",
    "sensor",
    "sensor_in_name",
    "sensors",
]
