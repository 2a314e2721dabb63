"""Scale and offset of the bands of an array: what the user gives, else what it states, else the sensor's convention."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped

from spectralgpt.bands import Band, Sensor, sensors
from spectralgpt.bands.fitting import DARK
from spectralgpt.checks.offset import may_be_left_in
from spectralgpt.checks.typical import looks_like_reflectance
from spectralgpt.errors import RasterError, argument
from spectralgpt.products.added import SCALE, SENTINEL_2, SINCE, Added, note_on_floats, possible, possible_in_floats
from spectralgpt.products.arrays.description import Packing
from spectralgpt.products.arrays.given import numbers_per_band

TINY = 0.01
"""A smaller scale would reduce reflectance to nothing: it is meant for digital numbers."""

Numbers = float | int | Sequence[float | int]
"""One number, or one per band."""


def scaling_of(
    bands: Sequence[Band],
    named: Sensor | None,
    stacked: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
    packings: Sequence[Packing],
    added: Added | None,
    scale: Numbers | None,
    offset: Numbers | None,
) -> tuple[list[float], list[float]]:
    """Scale and offset per band. An offset that is given alone leaves the scale as it is; so does a scale the offset
    that belongs to it."""
    if scale is None:
        scales, offsets = _stated_scaling(bands, named, stacked, valid, packings, added)
    else:
        scales = numbers_per_band(scale, len(bands), "scale")
        offsets = _offsets_beside(scales, bands, named, packings, added)
    return scales, offsets if offset is None else numbers_per_band(offset, len(bands), "offset")


def _offsets_beside(
    scales: Sequence[float],
    bands: Sequence[Band],
    named: Sensor | None,
    packings: Sequence[Packing],
    added: Added | None,
) -> list[float]:
    """The offset of each band where only the scale is given: that which the array states, or the sensor has, beside
    the same scale; 0 beside another."""
    known = {one.name: one for one in sensors()}
    offsets = []
    for scale, band, packing in zip(scales, bands, packings, strict=True):
        of_band = named or known.get(band.sensor)
        usual = (of_band.scale, of_band.offset) if of_band is not None else (None, None)
        if added is not None and scale != 1 and packing.scaling is None and is_of_sentinel_2(band, named):
            offsets.append(added.offset(scale))
            continue
        stated_scale, stated_offset = packing.scaling or usual
        same = stated_scale is not None and math.isclose(scale, stated_scale, rel_tol=1e-3)
        offsets.append(stated_offset if same and stated_offset is not None else 0.0)
    return offsets


def _stated_scaling(
    bands: Sequence[Band],
    named: Sensor | None,
    stacked: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
    packings: Sequence[Packing],
    added: Added | None,
) -> tuple[list[float], list[float]]:
    """Scale and offset per band, as the array states them, else by convention."""
    for packing in packings:
        if packing.undone is not None:
            raise RasterError(
                f"found integers with a scale of {packing.undone[0]:g} and an offset of {packing.undone[1]:g} in their "
                "encoding",
                "these in the attributes, or floats to which they were applied",
                "Give the arguments scale and offset",
            )
    stated = [packing.scaling for packing in packings]
    tiny = [band for band, scaling in enumerate(stated) if scaling is not None and abs(scaling[0]) < TINY]
    if tiny and stacked.dtype.kind == "f" and looks_like_reflectance(_only(stacked, valid, tiny)):
        raise RasterError(
            f"found floats that are reflectance, and attributes with a scale and offset for them, {stated[tiny[0]]}",
            "only one of them",
            "If the floats are right, give scale=1, offset=0",
        )
    unstated = [band for band, scaling in enumerate(stated) if scaling is None]
    scales = [scaling[0] if scaling else 1.0 for scaling in stated]
    offsets = [scaling[1] if scaling else 0.0 for scaling in stated]
    if unstated:
        part = stacked[:, unstated], None if valid is None else valid[:, unstated]
        usual = convention([bands[band] for band in unstated], named, *part)
        for band, usual_scale, usual_offset in zip(unstated, *usual, strict=True):
            scales[band], offsets[band] = usual_scale, usual_offset
            if added is not None and usual_scale != 1 and is_of_sentinel_2(bands[band], named):
                offsets[band] = added.offset(usual_scale)
    return scales, offsets


def is_of_sentinel_2(band: Band, named: Sensor | None) -> bool:
    return (named.name if named else band.sensor) in SENTINEL_2


@dataclass(frozen=True, slots=True, eq=False)
class UndeclaredUnits:
    """An array with the scale and offset by which it is read. named: the sensor that sets the conventions."""

    bands: Sequence[Band]
    named: Sensor | None
    stacked: Shaped[np.ndarray, "date band row column"]
    valid: Bool[np.ndarray, "date band row column"] | None
    packings: Sequence[Packing]
    scales: Sequence[float]
    offsets: Sequence[float]

    def unstated(self, scaled: bool) -> list[int]:
        """Bands of Sentinel-2 without an offset, and with nothing that states it. scaled: those of digital numbers,
        else those of reflectance."""
        return [
            index
            for index, (band, packing) in enumerate(zip(self.bands, self.packings, strict=True))
            if is_of_sentinel_2(band, self.named)
            and packing.scaling is None
            and self.offsets[index] == 0
            and (self.scales[index] != 1) is scaled
        ]


def notes_on_offset(units: UndeclaredUnits, added: Added | None, day: int) -> tuple[str, ...]:
    """What a user should know where nothing states whether Sentinel-2's values include 1000, or floats include it
    although something states it. day: the last one."""
    advice = f"give {argument('offset', -0.1)}"
    if added is None and units.unstated(scaled=True):
        return possible("the array", day, advice)
    floats = units.unstated(scaled=False)
    if units.stacked.dtype.kind != "f" or not floats or (added is not None and not added.number):
        return ()
    if added is not None:
        return (note_on_floats("the array", added, f"give {argument('offset', -added.number * SCALE)}"),)
    if day >= SINCE and may_be_left_in(_only(units.stacked, units.valid, floats)):
        return possible_in_floats("the array", day, advice)
    return ()


def _only(
    stacked: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
    bands: list[int],
) -> Shaped[np.ndarray, " value"]:
    return stacked[:, bands].ravel() if valid is None else stacked[:, bands][valid[:, bands]]


def convention(
    bands: Sequence[Band],
    named: Sensor | None,
    values: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
) -> tuple[list[float], list[float]]:
    """Scale and offset per band without metadata: the sensor's, but 1 and 0 for floats that are reflectance."""
    if values.dtype.kind == "f" and looks_like_reflectance(values.ravel() if valid is None else values[valid]):
        return [1.0] * len(bands), [0.0] * len(bands)
    known = {one.name: one for one in sensors()}
    scales, offsets = [], []
    for band in bands:
        of_band = named or known.get(band.sensor)
        scale, offset = (of_band.scale, of_band.offset) if of_band else (1.0, 0.0)
        brightest = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else math.inf
        # bytes are not reflectance x 10000; without a known sensor they are reflectance themselves
        if scale is None or offset is None or (of_band is not None and brightest * scale < DARK):
            raise RasterError(
                f"found digital numbers ({values.dtype}) of {band.sensor} {band.name}",
                "scale and offset from a product's metadata, or floats that are reflectance (below 2)",
                "Give the arguments scale and offset",
            )
        scales.append(scale)
        offsets.append(offset)
    return scales, offsets
