"""An image as the baselines see it: reflectance by wavelength, and what is valid."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.bands import Band
from spectralgpt.errors import BandError
from spectralgpt.raster import Pixels

SHORTEST_USED, LONGEST_USED = 400.0, 2500.0
"""Bands outside these wavelengths (nm) do not measure reflected light."""

WANTED = {
    "blue": (490.0, 440.0, 520.0),
    "green": (560.0, 520.0, 600.0),
    "red": (665.0, 620.0, 690.0),
    "red edge": (705.0, 695.0, 730.0),
    "NIR": (865.0, 760.0, 900.0),
    "SWIR 1": (1610.0, 1550.0, 1750.0),
    "SWIR 2": (2200.0, 2080.0, 2350.0),
}
"""The bands that indices are made of: the wavelength looked for, and between which it may lie (nm). Sentinel-2's B8A is
the NIR, without it B8."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Reflectance in the order of wavelengths; 0 where not valid."""

    values: Float32[np.ndarray, "date band row column"]
    valid: Bool[np.ndarray, "date band row column"]
    bands: tuple[Band, ...]

    def date(self, date: int) -> "Spectra":
        """Those of one date."""
        return replace(self, values=self.values[date : date + 1], valid=self.valid[date : date + 1])

    @property
    def seen(self) -> Bool[np.ndarray, "date row column"]:
        """Where a pixel is valid in any band."""
        return np.asarray(self.valid.any(axis=1))

    def filled(self) -> Float32[np.ndarray, "date band row column"]:
        """Invalid values replaced by the mean of the band's valid ones on the date; 0 in a band without any."""
        counts = self.valid.sum(axis=(2, 3), keepdims=True)
        means = self.values.sum(axis=(2, 3), keepdims=True, dtype=np.float64) / np.maximum(counts, 1)
        return np.where(self.valid, self.values, means.astype(np.float32))

    def index_of(self, wanted: str) -> int | None:
        """The band nearest to one of WANTED, None where none is near."""
        target, low, high = WANTED[wanted]
        near = [(abs(band.wavelength - target), at) for at, band in enumerate(self.bands)
                if low <= band.wavelength <= high]  # fmt: skip
        return min(near)[1] if near else None


def spectra_of(image: Pixels) -> Spectra:
    """The image's reflectance by wavelength, so that the order of its bands does not matter. BandError without a band
    that measures reflected light."""
    used = [at for at, band in enumerate(image.bands) if SHORTEST_USED <= band.wavelength <= LONGEST_USED]
    if not used:
        raise BandError(
            f"found no band between {SHORTEST_USED:g} and {LONGEST_USED:g} nm", "at least one that measures reflectance"
        )
    used.sort(key=lambda at: (image.bands[at].wavelength, image.bands[at].fwhm, image.bands[at].name))
    reflectance = image.reflectance()[:, used]
    valid = np.ones(reflectance.shape, bool) if image.valid is None else image.valid[:, used]
    return Spectra(np.where(valid, reflectance, np.float32(0)), valid, tuple(image.bands[at] for at in used))
