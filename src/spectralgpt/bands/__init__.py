"""Bands, sensors, band sets, and how a file's bands become a model's. Knows no files and no torch."""

from spectralgpt.bands.align import Alignment, align
from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.bandset import BandSet, Group
from spectralgpt.bands.catalogue import Sensor, is_sensor, sensor, sensors
from spectralgpt.bands.identify import Identity, bands_of, identify

__all__ = [
    "Alignment",
    "Band",
    "BandSet",
    "Group",
    "Identity",
    "Sensor",
    "align",
    "bands_of",
    "canonical",
    "identify",
    "is_sensor",
    "sensor",
    "sensors",
]
