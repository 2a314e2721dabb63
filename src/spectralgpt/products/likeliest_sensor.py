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
from spectralgpt.bands.proposals import RGB, proposals
from spectralgpt.checks.order import GAIN, ODD, USUAL_ODDNESS
from spectralgpt.checks.typical import CIRRUS_CENTRE, REFLECTANCE_BELOW, likeliest_order, typical
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

CIRRUS_HALF = 40.0
"""nm around the centre of cirrus."""

SURELY = 2.0
"""Times the check's own limit, as fewer windows are read here: a right choice must not be dropped."""

Quantiles = Float[np.ndarray, "quantile band"]

Candidate = tuple[Sensor, Mapping[int, Band]]
"""A sensor, and the band that each index of the file would be."""


def with_oddness(evidence: Evidence, stored: Sequence[StoredBand]) -> Evidence:
    """The evidence with what the pixels say about the sensors; as it is where at most one has all the names, or the
    pixels cannot be read. stored: all bands of the file, in its order."""
    candidates = _candidates(evidence)
    nameless = not any(each.name for each in written_names(evidence.names))
    if len(candidates) < (1 if nameless else 2):
        return evidence
    indices = sorted({index for _, read in candidates.values() for index in read})
    try:
        quantiles = np.stack([_quantiles(stored[index]) for index in indices], axis=1)
    except (RasterError, RasterioError):
        return evidence
    found: dict[str, float] = {}
    for choice, (each, read) in candidates.items():
        columns = [indices.index(index) for index in read]
        here, bands, of = quantiles[:, columns], list(read.values()), [stored[index] for index in read]
        odd = oddness(each, bands, here, of)
        if odd is not None:
            found[choice] = math.inf if nameless and is_contradicted(each, bands, here, of) else odd
    if nameless and len(stored) == RGB:
        found = _of_either_order(found, candidates)
    least = min((odd for odd in found.values() if math.isfinite(odd)), default=0.0)
    return replace(evidence, odder=tuple((choice, odd - least) for choice, odd in found.items()))


def _of_either_order(found: Mapping[str, float], candidates: Mapping[str, Candidate]) -> dict[str, float]:
    """The oddness of each choice in the better of its orders: red and blue look alike when they are exchanged."""
    sets = {choice: frozenset(candidates[choice][1].values()) for choice in found}
    return {choice: min(odd for other, odd in found.items() if sets[other] == sets[choice]) for choice in found}


def oddness(each: Sensor, bands: Sequence[Band], quantiles: Quantiles, stored: Sequence[StoredBand]) -> float | None:
    """How odd an image is by a sensor, per band: minus twice the logarithm of its density, but for a constant.

    quantiles: 2 %, 50 % and 98 % of stored values. None where numbers do not become reflectance, or too few bands have
    usual values.
    """
    reference = typical(each.level)
    columns, spectra = _spectra(each, bands, quantiles, stored)
    if len(columns) < FEWEST_BANDS:
        return None
    distance = float(reference.oddness(spectra, columns, np.arange(len(columns))[None])[0]) + reference.volume(columns)
    return distance + IMPOSSIBLE * float(((spectra < IMPOSSIBLE_BELOW) | (spectra > IMPOSSIBLE_ABOVE)).mean())


def is_contradicted(each: Sensor, bands: Sequence[Band], quantiles: Quantiles, stored: Sequence[StoredBand]) -> bool:
    """Whether the check of an image with these bands would suspect their order, or spectra unlike any, or whether most
    reflectance would be negative. Arguments as in `oddness`."""
    columns, spectra = _spectra(each, bands, quantiles, stored)
    if len(columns) < FEWEST_BANDS:
        return False
    _, as_named, least = likeliest_order(typical(each.level), spectra, columns)
    swapped = (as_named - least) * len(columns) > SURELY * GAIN and least < USUAL_ODDNESS
    return swapped or as_named > ODD or float(np.median(spectra)) < IMPOSSIBLE_BELOW


def _spectra(
    each: Sensor, bands: Sequence[Band], quantiles: Quantiles, stored: Sequence[StoredBand]
) -> tuple[list[int], Float[np.ndarray, "quantile usual"]]:
    """The bands with usual values, by their index there, and their reflectance."""
    scaled = [_reflectance(each, one, quantiles[:, index]) for index, one in enumerate(stored)]
    pairs = [
        (here, values)
        for band, here, values in zip(bands, typical(each.level).same(bands), scaled, strict=True)
        if here is not None and values is not None and np.isfinite(values).all() and not band.is_thermal
    ]
    reflectance = np.array([values for _, values in pairs], np.float64).reshape(len(pairs), len(quantiles)).T
    return [here for here, _ in pairs], reflectance


def _candidates(evidence: Evidence) -> Mapping[str, Candidate]:
    """The sensors that have all the names, or what a nameless file may be, with the band of each index."""
    names = [each.name for each in written_names(evidence.names)]
    if not any(names):
        return {each.choice: (each.sensor, _of_ground(each.bands)) for each in proposals(len(names), evidence)}
    kept = {index: name for index, name in enumerate(names) if name and not is_auxiliary(name)}
    if not kept:
        return {}
    knowing = (each for each in sensors() if each.names_files and all(map(each.knows, kept.values())))
    return {each.name: (each, {index: each.band(name) for index, name in kept.items()}) for each in knowing}


def _of_ground(bands: Sequence[Band]) -> dict[int, Band]:
    """The bands without cirrus: it is nearly 0, and by its logarithm would outweigh all others."""
    return {i: band for i, band in enumerate(bands) if abs(band.wavelength - CIRRUS_CENTRE) > CIRRUS_HALF}


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
