"""Images as they usually are, drawn from the packaged statistics."""

import numpy as np
from made_rasters import write

from spectralgpt.bands import Band, sensor
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.checks.suspicions import suspicions
from spectralgpt.checks.typical import typical

TOA, SURFACE = sensor("s2-l1c"), sensor("s2-l2a")
NAMES = tuple(f"B{name[1:]:0>2}" if name != "B8A" else name for name in TOA.names)
"""B01 to B12: only Sentinel-2 products write them this way."""


LANDSAT = sensor("landsat8-c1sr")
OLI = ("B2", "B3", "B4", "B5", "B6", "B7")
AS_OLI = [1, 2, 3, 8, 10, 11]
"""Of the 12 bands of `usual(of=SURFACE)`, those that resemble OLI's."""


def image(path, values: np.ndarray, dtype: str, bands=NAMES, **how):
    """A file of stored values (band, pixel) in this type."""
    side = int(np.sqrt(values.shape[1]))
    values = values[:, : side * side].reshape(len(values), side, side)
    whole = np.dtype(dtype).kind in "iu"
    return write(path, (np.round(values) if whole else values).astype(dtype), names=bands, **how)


def usual(seed: int = 0, pixels: int = 4096, of=TOA) -> np.ndarray:
    """Usual reflectance (band, pixel) of a sensor, drawn from the packaged statistics."""
    reference = typical(of.level)
    rng = np.random.default_rng(seed)
    # an image varies less than the world does
    logarithms = rng.multivariate_normal(
        reference.mean, reference.covariance / 2 + 0.002 * np.eye(len(of.bands)), pixels
    )
    return np.maximum(np.exp(logarithms) - reference.darkest, 1e-4).T.astype(np.float32)


def sampled(
    values: np.ndarray, of=TOA, bands: tuple[Band, ...] | None = None, scale: float = 1e-4, offset: float = 0.0
) -> PixelSample:
    """A sample of reflectance (band, pixel) or (date, band, pixel) that was stored as uint16."""
    dates = values if values.ndim == 3 else values[None]
    valid = (~np.isnan(dates)).mean(axis=(0, 2))
    each = np.ones(dates.shape[1])
    return PixelSample(
        bands or of.bands, of.level, dates, (65535 * scale + offset) * each, valid, scale * each, offset * each
    )


def kinds(values: np.ndarray, declared: bool = False, **how) -> list[str]:
    return [flag.kind for flag in suspicions(sampled(values, **how), declared)]
