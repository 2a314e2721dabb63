"""Pixels from all over an image, in reflectance: what every check looks at."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32

from spectralgpt.bands import Band

TOO_FEW_PIXELS = 16
"""Number of pixels below which nothing is concluded."""

Windows = tuple[Float32[np.ndarray, "date band _ _"], ...]
"""Whole windows of an image in reflectance, nan where not valid."""


@dataclass(frozen=True, slots=True, eq=False)
class PixelSample:
    """Pixels from all over an image.

    values: reflectance, nan where not valid; a pixel has the same place in every band. level: of the sensor. top: the
    largest number of the stored type in reflectance, infinite for floats. valid: share of valid pixels per band. scale,
    offset: reflectance = stored x scale + offset. windows: some whole windows. gsd: metres on the ground of their
    pixels, nan unknown. other: level and name of the sensor that it may be as well, where band names do not show the
    level. filled: values as stored that are fill although no metadata say so, and the share of the pixels that hold
    them in all bands. judges_fill: whether further such values are looked for. in_memory: whether they come from an
    array and not from a file.
    """

    bands: tuple[Band, ...]
    level: str
    values: Float32[np.ndarray, "date band pixel"]
    top: Float[np.ndarray, " band"]
    valid: Float[np.ndarray, " band"]
    scale: Float[np.ndarray, " band"]
    offset: Float[np.ndarray, " band"]
    windows: Windows = ()
    gsd: float = float("nan")
    other: tuple[str, str] | None = None
    filled: tuple[tuple[float, float], ...] = ()
    judges_fill: bool = True
    in_memory: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    @property
    def reflective(self) -> Bool[np.ndarray, " band"]:
        """Which bands measure reflected sunlight."""
        return np.array([band.in_solar_range for band in self.bands])

    def measured(self, band: int) -> Float32[np.ndarray, " value"]:
        """The valid values of a band in all dates."""
        values: np.ndarray = self.values[:, band].ravel()
        return np.asarray(values[~np.isnan(values)])

    def stored(self) -> Float[np.ndarray, "date band pixel"]:
        """The stored values, to within the rounding of float32."""
        values: np.ndarray = (self.values.astype(np.float64) - self.offset[:, None]) / self.scale[:, None]
        return values

    def without(self, spoilt: Bool[np.ndarray, "date band pixel"]) -> "PixelSample":
        """The sample with these values left out."""
        return replace(self, values=np.where(spoilt, np.float32(np.nan), self.values))

    def quantiles(self) -> Float[np.ndarray, "quantile band"]:
        """2 %, 50 % and 98 % of each band's valid values; nan without any."""
        found = np.full((3, len(self.bands)), np.nan)
        for band in range(len(self.bands)):
            values = self.measured(band)
            if values.size:
                found[:, band] = np.quantile(values, (0.02, 0.5, 0.98))
        return found
