"""How odd the pixels of a file would be by each of the sensors that its bands could be of.

Read only where the names leave it open, so that the refusal lists the likeliest sensor first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from spectralgpt.bands import Band, Sensor, sensors
from spectralgpt.bands.evidence import Evidence
from spectralgpt.bands.naming import is_auxiliary, written_names
from spectralgpt.checks.typical import REFLECTANCE_BELOW, typical
from spectralgpt.errors import RasterError
from spectralgpt.products.product import StoredBand
from spectralgpt.raster.handles import open_dataset
from spectralgpt.raster.sampling import sample

ALONG = 3
"""Windows along each axis that are read."""

FEWEST_BANDS = 3
"""Bands with usual values, below which nothing is concluded."""

IMPOSSIBLE, IMPOSSIBLE_BELOW, IMPOSSIBLE_ABOVE = 20.0, -0.01, 1.7
"""What a share of reflectance below the second or above the third adds to the oddness; usual spectra end at 0."""

Quantiles = Float[np.ndarray, "quantile band"]


def with_oddness(evidence: Evidence, stored: Sequence[StoredBand]) -> Evidence:
    """The evidence with what the pixels say about the sensors; as it is where at most one has all the names, or the
    pixels cannot be read. stored: all bands of the file, in its order."""
    candidates = _candidates(evidence)
    if len(candidates) < 2:
        return evidence
    indices = sorted({index for read in candidates.values() for index in read})
    try:
        quantiles = np.stack([_quantiles(stored[index]) for index in indices], axis=1)
    except (RasterError, RasterioError):
        return evidence
    found: dict[str, float] = {}
    for each, read in candidates.items():
        columns = [indices.index(index) for index in read]
        odd = oddness(each, list(read.values()), quantiles[:, columns], [stored[index] for index in read])
        if odd is not None:
            found[each.name] = odd
    least = min(found.values(), default=0.0)
    return replace(evidence, odder=tuple((name, odd - least) for name, odd in found.items()))


def oddness(each: Sensor, bands: Sequence[Band], quantiles: Quantiles, stored: Sequence[StoredBand]) -> float | None:
    """How odd an image is by a sensor, per band: minus twice the logarithm of its density, but for a constant.

    quantiles: 2 %, 50 % and 98 % of stored values. None where numbers do not become reflectance, or too few bands have
    usual values.
    """
    reference = typical(each.level)
    scaled = [_reflectance(each, one, quantiles[:, index]) for index, one in enumerate(stored)]
    pairs = [
        (here, values)
        for band, here, values in zip(bands, reference.same(bands), scaled, strict=True)
        if here is not None and values is not None and np.isfinite(values).all() and not band.is_thermal
    ]
    if len(pairs) < FEWEST_BANDS:
        return None
    columns, spectra = [here for here, _ in pairs], np.stack([values for _, values in pairs], axis=1)
    distance = float(reference.oddness(spectra, columns, np.arange(len(pairs))[None])[0]) + reference.volume(columns)
    return distance + IMPOSSIBLE * float(((spectra < IMPOSSIBLE_BELOW) | (spectra > IMPOSSIBLE_ABOVE)).mean())


def _candidates(evidence: Evidence) -> Mapping[Sensor, Mapping[int, Band]]:
    """The sensors that have all the names, or as many bands as a nameless file, with the band of each index."""
    names = [each.name for each in written_names(evidence.names)]
    if not any(names):
        counting = (each for each in sensors() if len(each.bands) == len(names))
        return {each: dict(enumerate(each.bands)) for each in counting}
    kept = {index: name for index, name in enumerate(names) if name and not is_auxiliary(name)}
    if not kept:
        return {}
    knowing = (each for each in sensors() if each.names_files and all(map(each.knows, kept.values())))
    return {each: {index: each.band(name) for index, name in kept.items()} for each in knowing}


def _reflectance(each: Sensor, stored: StoredBand, values: Float[np.ndarray, " quantile"]) -> np.ndarray | None:
    """As the band would be read by the sensor; None for numbers without scale."""
    if stored.scale is not None:
        return values * stored.scale + (stored.offset or 0.0)
    if np.dtype(stored.dtype).kind == "f" and values[-1] < REFLECTANCE_BELOW:
        return values
    if each.scale is None or each.offset is None:
        return None
    return values * each.scale + each.offset


def _quantiles(stored: StoredBand) -> Float[np.ndarray, " quantile"]:
    """2 %, 50 % and 98 % of a band's valid values in windows spread over it; nan without any."""
    with open_dataset(stored.path) as dataset:
        height, width = dataset.shape
        read = [
            dataset.read(stored.index, window=RasterioWindow(at.column, at.row, at.width, at.height))
            for at in sample(height, width, ALONG)
        ]
    values = np.concatenate([each.reshape(-1) for each in read]).astype(np.float64)
    values = values[np.isfinite(values) & (values != (math.nan if stored.nodata is None else stored.nodata))]
    return np.quantile(values, (0.02, 0.5, 0.98)) if values.size else np.full(3, math.nan)
