"""Pixels in memory as a Raster, for everything that takes one."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from spectralgpt.bands import Sensor, sensors
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.window import Window


@dataclass(frozen=True, slots=True, repr=False)
class PixelsRaster(Raster):
    """A Raster without files. Its path is `array` with the first digits of a digest of the pixels, so that results of
    different arrays are never taken for one another."""

    pixels: Pixels = field(kw_only=True, hash=False)

    @property
    def gsd(self) -> float:
        return self.pixels.gsd

    def read(self, window: Window | None = None) -> Pixels:
        return self.pixels.read(window)


def raster_of(pixels: Pixels) -> PixelsRaster:
    """Pixels as a Raster. The sensor is that of the bands, with its level where it is a known one."""
    path = f"array {_digest(pixels)[:12]}"
    layers = tuple(
        Layer(path, index, band, pixels.grid, pixels.dtype.name, float(scale), float(offset), None, False, 0)
        for index, (band, scale, offset) in enumerate(zip(pixels.bands, pixels.scale, pixels.offset, strict=True), 1)
    )
    return PixelsRaster(
        layers=(layers,) * len(pixels.days),
        grid=pixels.grid,
        days=tuple(map(int, pixels.days)),
        sensor=_sensor_of(pixels),
        dtype=pixels.dtype,
        scale=tuple(map(float, pixels.scale)),
        offset=tuple(map(float, pixels.offset)),
        nodata=None,
        pixels=pixels,
    )


def _sensor_of(pixels: Pixels) -> Sensor:
    names = {band.sensor for band in pixels.bands}
    known = [each for each in sensors() if names == {each.name}]
    if known:
        return known[0]
    return Sensor(
        name=" and ".join(sorted(names)),
        title="bands given by the user",
        level="",
        bands=pixels.bands,
        scale=None,
        offset=None,
        nodata=None,
        source="as given by the user",
        names_files=False,
    )


def _digest(pixels: Pixels) -> str:
    """Of values and validity, band by band, so that little is copied."""
    found = hashlib.sha256(f"{pixels.shape} {pixels.dtype} {pixels.days.tolist()}".encode())
    for array in (pixels.values, pixels.valid):
        for date in () if array is None else array:
            for band in date:
                found.update(np.ascontiguousarray(band).data)
    return found.hexdigest()
