"""Values of pixels without data that no metadata declare."""

import numpy as np

from spectralgpt.checks.flags import NAMED, Flag
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample
from spectralgpt.errors import argument
from spectralgpt.raster.fill import FEWEST_TO_DECIDE

FILL_SHARE = 0.005
"""A value equal in all bands of a pixel, in more than this share of the pixels, is fill unless it is reflectance."""

ALL_FILL = 0.9
"""Share of such pixels from which on an image is refused: it is as good as empty."""


def undeclared_fill(sample: PixelSample) -> tuple[PixelSample, list[Flag]]:
    """The sample without pixels that hold one value in all bands, in many places, outside 0 to 1 reflectance; and a
    flag that names the values as they are stored. In reflective bands of one scale and offset only."""
    if not sample.judges_fill:
        return sample, []
    alike = sample.reflective
    pairs = {(scale, offset) for scale, offset in zip(sample.scale[alike], sample.offset[alike], strict=True)}
    if alike.sum() < FEWEST_TO_DECIDE or len(pairs) != 1:
        return sample, []
    values = sample.values[:, alike]
    first = values[:, 0]
    equal = (values == first[:, None]).all(axis=1) & ((first < 0) | (first > 1))
    found, counts = np.unique(first[equal], return_counts=True)
    often = (counts > FILL_SHARE * first.size) & (counts >= TOO_FEW_PIXELS)
    if not often.any():
        return sample, []
    # a constant image is no fill
    if not (~np.isnan(first) & ~np.isin(first, found[often])).any():
        return sample, []
    filled = equal & np.isin(first, found[often])
    scale, offset = pairs.pop()
    digits = 7 if np.isinf(sample.top[alike]).any() else 12
    stored = [(value - offset) / scale for value in found[often][np.argsort(-counts[often])].astype(np.float64)]
    texts = [f"{value if digits == 7 else round(value):.{digits}g}" for value in stored[:NAMED]]
    names = ", ".join(texts)
    flag = Flag(
        "fill" if filled.mean() < ALL_FILL else "units",
        (),
        f"found the stored value {names} in all bands of {filled.mean():.1%} of the pixels; expected data, or nodata "
        f"that the file declares. If these pixels hold no data, give {argument('nodata', ','.join(texts))}",
    )
    return sample.without(np.broadcast_to(filled[:, None], sample.values.shape)), [flag]


def notes_on_fill(sample: PixelSample) -> list[str]:
    """Notes on pixels that are not valid because all bands hold a usual fill value there that no metadata declare."""
    return [
        f"{max(share, 1e-4):.2%} of the sampled pixels are {value:g} in all bands, which is taken for fill although no "
        f"metadata declare it; read as not valid. If it was measured, give {argument('nodata', 'none')}"
        for value, share in sample.filled
    ]
