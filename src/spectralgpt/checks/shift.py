"""Whether the bands of an image lie on one another: phase correlation of the edges in bands next to one another."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Complex, Float, Float32

from spectralgpt.checks.flags import Flag, listed
from spectralgpt.checks.offset import CIRRUS_BAND, VISIBLE
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.errors import first_few

MISPLACED, MISPLACED_ACROSS = 1.5, 4.0
"""Pixels of the coarser band from which on two bands do not lie on one another; pixels of the image where they belong
to different parts of the spectrum: over forests, near infrared is bright beside the shadows that the others show."""

SPECTRAL_PARTS = 690.0, 1300.0
"""nm, between visible, near infrared and shortwave infrared."""

REACH = 12
"""Largest shift that is looked for, in pixels of the image along either axis."""

CLEAR, OVER_ZERO = 9.0, 1.5
"""A shift is clear where its correlation is the first times the spread of all shifts, and the second times that of no
shift. (In clean images no shift at all is mostly at 20 to 60 times.)"""

LEAST_SIDE, FEWEST_VALID = 32, 0.5
"""Side in pixels and share of usable pixels below which a window shows no shift."""

COARSE, MOST_BANDS = 3.0, 16
"""Bands with pixels the first times the finest are left out, and of very many bands only so many are compared."""

CLOUD = 0.2
"""Reflectance in every visible band above which a pixel may be cloud, which each band sees elsewhere. (Leaving out
places near clouds, too, would lose more shifts than false alarms.)"""


@dataclass(frozen=True, slots=True)
class PixelShift:
    """How far a band lies from another, in pixels of the image."""

    rows: int
    columns: int

    def near(self, other: "PixelShift") -> bool:
        return max(abs(self.rows - other.rows), abs(self.columns - other.columns)) <= 1

    def __str__(self) -> str:
        return f"{self.rows} rows and {self.columns} columns"


def shifted(sample: PixelSample) -> list[Flag]:
    """One flag on bands that lie elsewhere than their neighbours in wavelength, in over half of the windows.

    A neighbour one further must agree, as chance does not repeat itself. Without the cirrus band and coarse ones.
    """
    bands = _compared(sample)
    seen = _Edges(sample, [(0, band) for band in bands])
    found: dict[tuple[int, int], PixelShift] = {}
    for at, (one, other) in enumerate(pairwise(bands)):
        shift = seen.shift(at, at + 1, _limit(sample, one, other))
        others = [(at - 1, at + 1)] if at > 0 else []
        others += [(at, at + 2)] if at + 2 < len(bands) else []
        if shift is not None and (not others or any(_agrees(seen, *pair, shift) for pair in others)):
            found[one, other] = shift
    if not found:
        return []
    in_pairs = [band for pair in found for band in pair]
    twice = [band for band in dict.fromkeys(in_pairs) if in_pairs.count(band) > 1]
    names = tuple(sample.names[band] for band in sorted(twice or set(in_pairs)))
    pairs = [f"{sample.names[b]} lies {shift} from {sample.names[a]}" for (a, b), shift in found.items()]
    return [
        Flag(
            "shift",
            names,
            f"found {listed(names)} not on the pixels of the other bands ({first_few(pairs, 3)}); expected one place. "
            "Make the bands again from the product, all on one grid; clouds alone look so, too",
        )
    ]


def notes_on_dates(sample: PixelSample) -> tuple[str, ...]:
    """A line where dates do not lie on one another: also the ground moves, and clouds do."""
    bands = _compared(sample)
    dates = min((len(window) for window in sample.windows), default=0)
    if dates < 2 or not bands:
        return ()
    band = min(bands, key=lambda each: abs(sample.bands[each].wavelength - 665))
    # enough to see it, however long the series is
    chosen = list(range(dates))[:: -(-dates // 6)]
    seen = _Edges(sample, [(date, band) for date in chosen])
    limit = _limit(sample, band, band)
    found = {date: seen.shift(0, at, limit) for at, date in enumerate(chosen) if at}
    off = [f"date {date + 1} lies {shift} from date 1" for date, shift in found.items() if shift is not None]
    return (f"dates that do not lie on one another: {first_few(off, 3)}",) if off else ()


def _compared(sample: PixelSample) -> list[int]:
    """Bands that show edges of the ground, in wavelength order."""
    sunlit = np.flatnonzero(sample.reflective)
    finest = min((sample.bands[band].gsd for band in sunlit), default=1.0)
    bands = [
        int(band)
        for band in sunlit
        if not CIRRUS_BAND[0] < sample.bands[band].wavelength < CIRRUS_BAND[1]
        and not sample.bands[band].gsd > COARSE * finest
    ]
    bands.sort(key=lambda band: sample.bands[band].wavelength)
    return bands[:: max(1, -(-len(bands) // MOST_BANDS))]


def _limit(sample: PixelSample, one: int, other: int) -> float:
    """From how many pixels of the image on two bands are shifted."""
    parts = {int(np.searchsorted(SPECTRAL_PARTS, sample.bands[band].wavelength)) for band in (one, other)}
    coarser = max(sample.bands[one].gsd, sample.bands[other].gsd)
    ratio = coarser / sample.gsd
    limit = MISPLACED * max(1.0, float(ratio) if np.isfinite(ratio) else 1.0)
    return limit if len(parts) == 1 else max(limit, MISPLACED_ACROSS)


def _agrees(seen: "_Edges", one: int, other: int, shift: PixelShift) -> bool:
    again = seen.shift(one, other, 1.0)
    return again is not None and again.near(shift)


class _Edges:
    """The edges in each (date, band) of each window, as spectra, made once."""

    def __init__(self, sample: PixelSample, layers: list[tuple[int, int]]):
        windows = [window for window in sample.windows if min(window.shape[2:]) >= LEAST_SIDE]
        visible = [band for band in _compared(sample) if sample.bands[band].wavelength < VISIBLE]
        self.shapes = [(window.shape[2], window.shape[3]) for window in windows]
        self.spectra = [_spectra(window, layers, visible) for window in windows]

    def shift(self, one: int, other: int, limit: float) -> PixelShift | None:
        """How far a layer lies from another where over half of the windows agree on more than `limit` pixels."""
        shifts, windows = [], 0
        for spectra, shape in zip(self.spectra, self.shapes, strict=True):
            first, second = spectra[one], spectra[other]
            if first is None or second is None:
                continue
            windows += 1
            found = clear_shift(second * np.conj(first), shape)
            if found is not None and np.hypot(found.rows, found.columns) >= limit:
                shifts.append(found)
        if not shifts:
            return None
        middle = PixelShift(int(np.median([s.rows for s in shifts])), int(np.median([s.columns for s in shifts])))
        return middle if 2 * sum(each.near(middle) for each in shifts) > windows else None


def _spectra(
    window: Float32[np.ndarray, "date band row column"], layers: list[tuple[int, int]], visible: list[int]
) -> list[Complex[np.ndarray, "frequency half"] | None]:
    """The spectrum of each (date, band), from where it is valid and no cloud."""
    clear = {date: _clear(window[date, visible]) for date in {date for date, _ in layers}}
    return [
        _spectrum(window[date, band], np.asarray(~np.isnan(window[date, band]) & clear[date])) for date, band in layers
    ]


def _clear(visible: Float32[np.ndarray, "band row column"]) -> Bool[np.ndarray, "row column"]:
    """Where there is no cloud; everywhere without a visible band."""
    return np.asarray(~(visible > CLOUD).all(axis=0)) if len(visible) else np.ones(visible.shape[1:], bool)


def _spectrum(image: np.ndarray, usable: np.ndarray) -> Complex[np.ndarray, "frequency half"] | None:
    """The spectrum of an image's edges, which look alike also where contrasts are inverted, as red and near infrared
    are; None without enough usable pixels."""
    if usable.mean() < FEWEST_VALID:
        return None
    rows, columns = np.gradient(np.where(np.isnan(image), np.nanmean(image), image))
    edges = np.sqrt(rows * rows + columns * columns).astype(np.float64)  # np.hypot takes five times as long
    seen = edges[usable]
    middle, top = seen.mean(), int(0.99 * (seen.size - 1))
    edges = np.minimum(np.where(usable, edges, middle), np.partition(seen, top)[top]) - middle
    taper = np.outer(np.hanning(edges.shape[0]), np.hanning(edges.shape[1]))
    return np.asarray(np.fft.rfft2(edges * taper))


def clear_shift(product: Complex[np.ndarray, "frequency half"], shape: tuple[int, int]) -> PixelShift | None:
    """The shift, perhaps 0, that a cross spectrum shows clearly. Half whitened: noise counts in full otherwise."""
    size = np.abs(product)
    if not size.max() > 0:
        return None
    correlation: Float[np.ndarray, "row column"] = np.fft.irfft2(
        product / np.sqrt(np.maximum(size, 1e-12 * size.max())), shape
    )
    near = np.roll(correlation, (REACH, REACH), (0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]
    row, column = divmod(int(near.argmax()), near.shape[1])
    peak, spread = near[row, column], correlation.std()
    if peak < CLEAR * spread or ((row, column) != (REACH, REACH) and peak < OVER_ZERO * near[REACH, REACH]):
        return None
    return PixelShift(row - REACH, column - REACH)
