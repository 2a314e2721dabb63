"""How the bands of a file become the bands of a model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectralgpt.bands.band import Band
from spectralgpt.bands.bandset import BandSet
from spectralgpt.errors import BandError

WIDEST_FEEDING = 4.0
"""Widest file band that feeds a model band, in FWHM of the model band: a wider one measures something else."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The plan that takes a file's bands to a cube's.

    bandset: the bands of the cube. matrix: weight of each file band in each cube band, not yet divided by the sum of
    the weights that are valid at a pixel. taken, merged: texts like `model band <- file bands`. dropped: bands of the
    file that feed no band of the model. missing: bands of the model that the file does not feed.
    """

    bandset: BandSet
    matrix: Float[np.ndarray, "cube file"]
    taken: tuple[str, ...]
    merged: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def feeding(self) -> tuple[tuple[int, ...], ...]:
        """For each band of the cube the indices of the file's bands that feed it, at least one."""
        return tuple(tuple(int(i) for i in np.flatnonzero(row > 0)) for row in self.matrix)

    @property
    def taken_alone(self) -> tuple[int, ...] | None:
        """For each band of the cube the index of the one file band that feeds it; None if several are averaged
        anywhere."""
        return tuple(fed[0] for fed in self.feeding) if all(len(fed) == 1 for fed in self.feeding) else None


def align(bands: Sequence[Band], model: BandSet, own: bool = False) -> Alignment:
    """The plan that takes these bands, in the order of the file, to the model.

    `fed` says which band feeds which; several file bands of one model band are averaged with weights
    exp(-4 ln 2 (d wavelength)^2 / FWHM^2), FWHM that of the model band. All others are dropped. own: all bands of the
    file instead, in groups of their own. Permuting the bands of the file permutes the columns of the matrix and
    changes nothing else.

    BandError, naming `bands_as`, if the model recognizes none of the bands.
    """
    if own:
        return _own(bands, model.slots)
    weights = np.zeros((len(model), len(bands)))
    for column, row in enumerate(fed(bands, model.bands)):
        if row is not None:
            weights[row, column] = _weight(bands[column], model.bands[row])
    there = np.flatnonzero(weights.any(axis=1))
    if not len(there):
        raise BandError(
            f"found the bands {_listed(bands)}, none of which the model recognizes",
            f"bands near some of these, and at most {WIDEST_FEEDING:g} times as wide: {_listed(model.bands)}",
            "To use all bands, in groups of their own:",
            ("bands_as", "own"),
        )
    rows = [(model.bands[row], _feeding(bands, weights[row])) for row in there]
    return Alignment(
        bandset=model.subset(int(row) for row in there),
        matrix=weights[there],
        taken=tuple(_arrow(band, fed) for band, fed in rows if len(fed) == 1),
        merged=tuple(_arrow(band, fed) for band, fed in rows if len(fed) > 1),
        dropped=tuple(sorted(band.name for column, band in enumerate(bands) if not weights[:, column].any())),
        missing=tuple(band.name for row, band in enumerate(model.bands) if row not in there),
    )


def _own(bands: Sequence[Band], slots: int) -> Alignment:
    bandset = BandSet.own(bands, slots)
    matrix = np.array([[float(band == each) for band in bands] for each in bandset.bands])
    assert (matrix.sum(axis=1) == 1).all(), "a band stands twice in a file"
    return Alignment(bandset, matrix, tuple(f"{name} <- {name}" for name in bandset.names), (), (), ())


def fed(bands: Sequence[Band], model: Sequence[Band]) -> tuple[int | None, ...]:
    """For each band of a file the index of the model band that it feeds; None if there is none.

    First, a file band feeds the nearest model band with a centre at most half the model band's FWHM away. Then a model
    band that nothing feeds may be fed by bands that are left over and wider than it, if the intervals touch: the
    distance of the centres is at most the mean of both FWHM; each feeds the nearest such band. No band feeds one less
    than a quarter as wide; panchromatic bands and those outside 400 to 2500 nm feed none. Tie: the shorter.
    """
    usable = [each.in_solar_range and not each.is_panchromatic for each in bands]
    first = [
        _nearest(band, model, range(len(model)), lambda to: to.fwhm / 2) if use else None
        for band, use in zip(bands, usable, strict=True)
    ]
    unfed = [row for row in range(len(model)) if row not in first]
    return tuple(
        row if row is not None or not use else _nearest_narrower(band, model, unfed)
        for band, row, use in zip(bands, first, usable, strict=True)
    )


def _nearest_narrower(band: Band, model: Sequence[Band], rows: Sequence[int]) -> int | None:
    """The row of the nearest model band that is narrower than a band and touches its interval."""
    narrower = [row for row in rows if model[row].fwhm < band.fwhm]
    return _nearest(band, model, narrower, lambda to: (to.fwhm + band.fwhm) / 2)


def _nearest(band: Band, model: Sequence[Band], rows: Sequence[int], reach: Callable[[Band], float]) -> int | None:
    """The row, among these, of the nearest model band within reach and at least a quarter as wide."""
    near = [
        (abs(band.wavelength - model[row].wavelength), model[row].wavelength, row)
        for row in rows
        if band.fwhm <= WIDEST_FEEDING * model[row].fwhm
    ]
    reached = [each for each in near if each[0] <= reach(model[each[2]])]
    return min(reached)[2] if reached else None


def _weight(band: Band, model: Band) -> float:
    """A Gaussian with the FWHM of the model band, at the centre of the file band: 1 in the middle, 1/2 at the edge."""
    return math.exp(-4 * math.log(2) * (band.wavelength - model.wavelength) ** 2 / model.fwhm**2)


def _feeding(bands: Sequence[Band], weights: Float[np.ndarray, " file"]) -> list[Band]:
    fed = [band for band, weight in zip(bands, weights, strict=True) if weight > 0]
    return sorted(fed, key=lambda band: (band.wavelength, band.identity))


def _arrow(model: Band, fed: Sequence[Band]) -> str:
    def named(band: Band) -> str:
        # a name alone misleads between sensors: B5 of one is B8A of another
        return band.name if band.sensor == model.sensor else f"{band.sensor} {band.name}"

    return f"{model.name} <- {', '.join(map(named, fed))}"


def _listed(bands: Sequence[Band]) -> str:
    shown = [f"{band.name} ({band.wavelength:g} nm)" for band in bands]
    return ", ".join(shown if len(shown) <= 16 else [*shown[:8], "...", *shown[-2:]])
