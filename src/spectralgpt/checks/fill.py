"""Values of pixels without data that no metadata declare."""

import numpy as np
from jaxtyping import Bool

from spectralgpt.checks.flags import NAMED, Flag
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample
from spectralgpt.errors import argument
from spectralgpt.raster.fill import FEWEST_TO_DECIDE, USUAL_FILL

FILL_SHARE = 0.005
"""A value equal in all bands of a pixel, in more than this share of the pixels, is fill unless it is reflectance."""

ALL_FILL = 0.9
"""Share of such pixels from which on an image is refused: it is as good as empty."""

NEAR_MARK, BETWEEN, BESIDE_ZERO = 0.1, 0.1, 0.001
"""A value of one or two bands stands apart where values as near to it as the first of its size (0: as the last,
reflectance) are less than the second as frequent as it is."""

LARGE_SHARE, GREY_SHARE = 0.05, 0.5
"""Share of pixels with one value in all bands from which on it may be fill although it would be reflectance; the same
of all other pixels, below which bands differ elsewhere."""


def undeclared_fill(sample: PixelSample) -> tuple[PixelSample, list[Flag]]:
    """The sample without pixels that hold one value in all bands, in many places, outside 0 to 1 reflectance; and a
    flag that names the values as they are stored. In reflective bands of one scale and offset only."""
    if not sample.judges_fill:
        return sample, []
    alike = sample.reflective
    if alike.sum() < FEWEST_TO_DECIDE:
        return _fill_of_few(sample)
    scaling = _one_scaling(sample)
    if scaling is None:
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
    scale, offset = scaling
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


def _one_scaling(sample: PixelSample) -> tuple[float, float] | None:
    """Scale and offset of the reflective bands, None where they differ."""
    alike = sample.reflective
    pairs = {(float(each), float(by)) for each, by in zip(sample.scale[alike], sample.offset[alike], strict=True)}
    return pairs.pop() if len(pairs) == 1 else None


def _fill_of_few(sample: PixelSample) -> tuple[PixelSample, list[Flag]]:
    """The same for one or two bands, in which only usual fill is taken for it, and where it stands apart."""
    spoilt, found = np.zeros(sample.values.shape, bool), dict[float, float]()
    for band in np.flatnonzero(sample.reflective).tolist():
        values = sample.values[:, band]
        for mark in _marks_of(sample, band):
            here = values == np.float32(mark * sample.scale[band] + sample.offset[band])
            if here.sum() >= TOO_FEW_PIXELS and here.mean() > FILL_SHARE and _apart(sample, band, mark, here):
                spoilt[:, band] |= here
                found[mark] = max(found.get(mark, 0.0), float(here.mean()))
    left = sample.without(spoilt)
    # a constant image is no fill
    if not found or np.isnan(left.values[:, sample.reflective]).all():
        return sample, []
    marks = sorted(found, key=lambda mark: -found[mark])
    shares = " and ".join(f"{mark:g} in {found[mark]:.1%}" for mark in marks)
    return left, [
        Flag(
            "fill",
            (),
            f"found the stored value {shares} of the pixels, apart from all others; expected measured values, or "
            "nodata that the file declares. If nothing was measured there, give "
            f"{argument('nodata', ','.join(f'{mark:g}' for mark in marks))}",
        )
    ]


def _marks_of(sample: PixelSample, band: int) -> list[float]:
    """Usual fill that the stored type of a band can hold; 0 in floats only, as in whole numbers it may be measured."""
    if np.isinf(sample.top[band]):
        return [0.0, *map(float, USUAL_FILL)]
    largest = (sample.top[band] - sample.offset[band]) / sample.scale[band]
    return [65535.0] if round(largest) == np.iinfo(np.uint16).max else [*map(float, USUAL_FILL)]


def _apart(sample: PixelSample, band: int, mark: float, here: Bool[np.ndarray, "date pixel"]) -> bool:
    """Whether hardly any other value is near the mark."""
    zero = mark * sample.scale[band] + sample.offset[band]
    near = NEAR_MARK * abs(mark) * sample.scale[band] if mark else BESIDE_ZERO
    beside = (np.abs(sample.values[:, band] - zero) < near) & ~here
    return bool(beside.sum() < BETWEEN * here.sum())


def likely_fill(sample: PixelSample) -> tuple[PixelSample, list[str]]:
    """The sample without pixels that hold one value in all bands which would be reflectance, but is in many: in a
    twentieth, or in a two-hundredth where it is 0 and another value is declared as nodata; and notes on them."""
    alike, scaling = sample.reflective, _one_scaling(sample)
    if not sample.judges_fill or alike.sum() < FEWEST_TO_DECIDE or scaling is None:
        return sample, []
    values = sample.values[:, alike]
    first = values[:, 0]
    equal = (values == first[:, None]).all(axis=1) & (first >= 0) & (first <= 1)
    each, counts = np.unique(first[equal], return_counts=True)
    scale, offset = scaling
    stored = np.round((each.astype(np.float64) - offset) / scale, 6)
    shares = counts / first.size
    found = (shares > np.where(stored == 0, FILL_SHARE, LARGE_SHARE)) & (counts >= TOO_FEW_PIXELS)
    others = int((~np.isnan(first)).sum() - counts[found].sum())
    if not found.any() or counts[~found].sum() >= GREY_SHARE * others:
        return sample, []
    filled = equal & np.isin(first, each[found])
    return sample.without(np.broadcast_to(filled[:, None], sample.values.shape)), [
        f"{share:.1%} of the sampled pixels are {value:.7g} in all bands, as where nothing was measured; read as "
        f"valid. If they hold no data, give {argument('nodata', f'{value:.7g}')}"
        for value, share in zip(stored[found][:NAMED], shares[found], strict=False)
    ]


def notes_on_fill(sample: PixelSample) -> list[str]:
    """Notes on pixels that are not valid because all bands hold a usual fill value there that no metadata declare."""
    return [
        f"{max(share, 1e-4):.2%} of the sampled pixels are {value:g} in all bands, which is taken for fill although no "
        f"metadata declare it; read as not valid. If it was measured, give {argument('nodata', 'none')}"
        for value, share in sample.filled
    ]
