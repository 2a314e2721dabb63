"""What is checked before work starts: whether an image contains what it claims to contain."""

from dataclasses import dataclass

import numpy as np

from spectralgpt.bands import sensor
from spectralgpt.checks.suspicions import Flag, PixelSample, suspicions
from spectralgpt.errors import RasterError
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.sampling import LOOKS_ALONG, everything, sample
from spectralgpt.raster.window import Window

PIXELS, VALUES = 50_000, 20_000_000
"""Most pixels per band, and most values in all bands and dates, from which statistics are computed."""

BY_CONVENTION = ("by the convention of", "reflectance in floats")
"""Words by which facts mark a scale and offset that no metadata declare."""

REFUSED = ("conflict", "units")
"""Kinds of flags at which every verb stops unless the user trusts the input."""


@dataclass(frozen=True, slots=True)
class BandRow:
    """A band's statistics. wavelength: nm. q02, median, q98: reflectance, nan without valid pixels. valid: share of
    its pixels. flags: kinds of the flags that concern it.
    """

    name: str
    wavelength: float
    q02: float
    median: float
    q98: float
    valid: float
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    text: one line for the tags of a result. warnings: from opening and from the flags, one by one. read_from: what was
    read from where. fixed: those of these facts that state a scale or offset from metadata, not by convention. valid,
    clouds: shares of pixels; clouds None without a cloud layer.
    """

    text: str
    warnings: tuple[str, ...]
    read_from: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    table: tuple[BandRow, ...] = ()
    valid: float = 1.0
    clouds: float | None = None


def check(raster: Raster, trust: bool = False) -> Verdict:
    """The verdict on an image, from windows spread over it.

    RasterError when no pixel of any date and band is valid; unless trusted, also when metadata contradict how it is
    read, or its values are not reflectance.
    """
    source = ", ".join(raster.paths[:3])
    sample, clouds = look(raster)
    if not sample.valid.any():
        raise RasterError(
            f"{source}: found no valid pixel: all are nodata, NaN or masked", do="Give an image with data"
        )
    stated = [fact for fact in raster.facts if "offset" in fact or "scale" in fact]
    fixed = tuple(fact for fact in stated if not any(words in fact for words in BY_CONVENTION))
    conflicts = tuple(Flag("conflict", (), conflict) for conflict in raster.conflicts)
    offset_declared = bool(stated) and len(fixed) == len(stated)
    flags = (*conflicts, *suspicions(sample, offset_declared))
    refused = [flag for flag in flags if flag.kind in REFUSED]
    if refused and not trust:
        found = refused[0].text if refused[0] in conflicts else f"{source}: {refused[0].text}"
        raise RasterError(found, "", "To continue anyway, give", ("trust_input", True))
    warnings = (*raster.warnings, *(flag.text if flag in conflicts else f"{source}: {flag.text}" for flag in flags))
    return Verdict(
        text="; ".join(("valid pixels found", *raster.facts, *warnings)),
        warnings=warnings,
        read_from=raster.facts,
        fixed=fixed,
        flags=flags,
        table=_table(sample, flags),
        valid=float(sample.valid.mean()),
        clouds=clouds,
    )


def flags_of(pixels: Pixels, level: str, declared: bool) -> tuple[Flag, ...]:
    """What is suspected of pixels in memory. level: of the sensor. declared: whether metadata state how stored values
    become reflectance."""
    return suspicions(_sample_of(pixels, level), declared)


def _sample_of(pixels: Pixels, level: str) -> PixelSample:
    top = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else np.inf
    return PixelSample(
        bands=pixels.bands,
        level=level,
        values=_reflectance(pixels, _stride(pixels, 1)),
        top=top * pixels.scale + pixels.offset,
        valid=np.ones(len(pixels.bands)) if pixels.valid is None else pixels.valid.mean(axis=(0, 2, 3)),
    )


def look(raster: Raster) -> tuple[PixelSample, float | None]:
    """A sample of an image's pixels, and the share of cloudy ones; if none is valid, the first place with valid ones
    instead."""
    height, width = raster.grid.shape
    # dates are read together: fewer windows for many dates
    windows = list(sample(height, width, max(2, round(LOOKS_ALONG / np.sqrt(len(raster.days))))))
    seen = [_seen(raster, window, len(windows)) for window in windows]
    if not any(counts.any() for _, counts, _ in seen):
        rest = (_seen(raster, window, 1) for window in everything(height, width))
        seen = [next((each for each in rest if each[1].any()), seen[0])]
    pixels = sum(window.height * window.width for window in windows) * len(raster.days)
    cloudy = [clouds for _, _, clouds in seen if clouds is not None]
    dtypes = [np.dtype(layer.dtype) for layer in raster.layers[0]]
    return (
        PixelSample(
            bands=raster.bands,
            level=raster.sensor.level,
            values=np.concatenate([values for values, _, _ in seen], axis=2),
            top=np.array([np.iinfo(dtype).max if dtype.kind in "iu" else np.inf for dtype in dtypes]) * raster.scale
            + raster.offset,
            valid=np.sum([counts for _, counts, _ in seen], axis=0) / pixels,
            other=(sensor(raster.other_level).level, raster.other_level) if raster.other_level else None,
        ),
        float(np.mean(cloudy)) if cloudy else None,
    )


def _seen(raster: Raster, window: Window, windows: int) -> tuple[np.ndarray, np.ndarray, float | None]:
    """Of a window: reflectance (date, band, pixel) of its share of the sample, the number of valid pixels per band, and
    the share of cloudy ones."""
    pixels = raster.read(window)
    cloudy = raster.cloudy(window)
    return (
        _reflectance(pixels, _stride(pixels, windows)),
        np.full(len(raster.bands), pixels.values[:, 0].size)
        if pixels.valid is None
        else pixels.valid.sum(axis=(0, 2, 3)),
        None if cloudy is None else float(cloudy.mean()),
    )


def _stride(pixels: Pixels, windows: int) -> int:
    dates, bands, rows, columns = pixels.shape
    most = min(PIXELS, VALUES / (dates * bands)) / windows
    return max(1, int(np.ceil(np.sqrt(rows * columns / most))))


def _reflectance(pixels: Pixels, stride: int) -> np.ndarray:
    """Reflectance of every n-th pixel as (date, band, pixel), float32, nan where not valid."""
    thinned = (slice(None), slice(None), slice(None, None, stride), slice(None, None, stride))
    values = pixels.values[thinned].astype(np.float64)
    values = values * pixels.scale[:, None, None] + pixels.offset[:, None, None]
    if pixels.valid is not None:
        values[~pixels.valid[thinned]] = np.nan
    with np.errstate(over="ignore"):
        thin: np.ndarray = values.astype(np.float32).reshape(*values.shape[:2], -1)
    return thin


def _table(sample: PixelSample, flags: tuple[Flag, ...]) -> tuple[BandRow, ...]:
    quantiles = sample.quantiles()
    return tuple(
        BandRow(
            name=band.name,
            wavelength=float(band.wavelength),
            q02=float(quantiles[0, index]),
            median=float(quantiles[1, index]),
            q98=float(quantiles[2, index]),
            valid=float(sample.valid[index]),
            flags=tuple(dict.fromkeys(flag.kind for flag in flags if band.name in flag.bands)),
        )
        for index, band in enumerate(sample.bands)
    )
