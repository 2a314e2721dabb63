"""How the bands of a file become the bands of a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectralgpt.bands.band import Band
from spectralgpt.bands.bandset import BandSet
from spectralgpt.errors import BandError


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The plan that takes a file's bands to a cube's.

    bandset: the cube's bands. matrix: weight of each file band in each cube band, not yet divided by the weights of
    those that are valid at a pixel. taken and merged say `model band <- file bands`; dropped: the file's bands that no
    band of the model takes; missing: the model's bands that the file does not feed.
    """

    bandset: BandSet
    matrix: Float[np.ndarray, "cube file"]
    taken: tuple[str, ...]
    merged: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def feeding(self) -> tuple[tuple[int, ...], ...]:
        """For each of the cube's bands the file's bands that feed it, as indices, at least one."""
        return tuple(tuple(int(i) for i in np.flatnonzero(row > 0)) for row in self.matrix)

    @property
    def taken_alone(self) -> tuple[int, ...] | None:
        """For each of the cube's bands the one file band that it takes; None where several are averaged."""
        return tuple(fed[0] for fed in self.feeding) if all(len(fed) == 1 for fed in self.feeding) else None


def align(bands: Sequence[Band], model: BandSet, own: bool = False) -> Alignment:
    """The plan that takes these bands, in the file's order, to the model.

    A model band takes the file bands whose centre lies within half its FWHM, each file band feeding only the nearest
    such model band (tie: the shorter); several are averaged with weights exp(-4 ln 2 (d wavelength)^2 / FWHM^2). All
    others are dropped. own: groups of the file's own bands instead, every one of them. Permuting the file's bands
    permutes the columns of the matrix and changes nothing else.

    BandError when the model knows none of the bands; it names `--bands-as own`.
    """
    if own:
        return _own(bands, model.slots)
    weights = np.zeros((len(model), len(bands)))
    for column, band in enumerate(bands):
        row = fed(band, model.bands)
        if row is not None:
            weights[row, column] = _weight(band, model.bands[row])
    there = np.flatnonzero(weights.any(axis=1))
    if not len(there):
        raise BandError(
            f"found the bands {_listed(bands)}, none of which the model knows; expected some of "
            f"{_listed(model.bands)}, each within half its width. "
            "To use every band in groups of its own, say --bands-as own"
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


def fed(band: Band, model: Sequence[Band]) -> int | None:
    """Which model band this file band feeds."""
    distances = ((abs(band.wavelength - each.wavelength), each.wavelength, row) for row, each in enumerate(model))
    reaching = [(far, wavelength, row) for far, wavelength, row in distances if far <= model[row].fwhm / 2]
    return min(reaching)[2] if reaching else None


def _weight(band: Band, model: Band) -> float:
    """A Gaussian of the model band's FWHM, read at the file band's centre: 1 in the middle, 1/2 at the edge."""
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
