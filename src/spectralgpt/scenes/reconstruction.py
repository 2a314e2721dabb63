"""A scene rebuilt from what is left visible."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32
from numpy.typing import NDArray

from spectralgpt.bands import Alignment, BandSet
from spectralgpt.nn import Hide, Precision, aligned_reflectance, computing_in, hidden_tokens
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Layout, Raster, Verdict, Window
from spectralgpt.scenes.plan import plan_scene
from spectralgpt.scenes.provenance import scene_provenance
from spectralgpt.scenes.run import run_scene
from spectralgpt.scenes.windows import read_windows, scene_alignment
from spectralgpt.weights import SpectralGPT

SAMPLE_SIDE = 512
"""Largest side of the part of a scene that is kept for a figure, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The middle of a scene on one date, in reflectance (NaN where not valid), for a figure."""

    bands: BandSet
    truth: Float32[np.ndarray, "band row column"]
    rebuilt: Float32[np.ndarray, "band row column"]
    hidden: Bool[np.ndarray, "band row column"]


@dataclass(frozen=True, slots=True, eq=False)
class SceneReconstruction:
    """fingerprint: of the weights. error: root mean square error of each band over its hidden pixels, in reflectance,
    bands that were named first.

    spread: standard deviation of the truth there, which is the error of a guess that knows the band's mean.
    hidden: share of the valid pixels that was hidden.
    """

    fingerprint: str
    alignment: Alignment
    error: dict[str, float]
    spread: dict[str, float]
    hidden: float
    sample: Sample


def reconstruct_scene(
    raster: Raster,
    model: SpectralGPT,
    target: Path,
    *,
    verdict: Verdict,
    hide: str = "0.75",
    seed: int = 0,
    own: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    precision: Precision = "auto",
    progress: Progress = silent,
) -> SceneReconstruction:
    """Write the scene with its hidden parts rebuilt: the input where visible, the prediction where hidden.

    The model's bands in the model's order, date by date, in the input's dtype, scale, offset and nodata, rounded and
    clipped; in float32 reflectance where several file bands make one, or bands differ in scale or offset. Pixels that
    are not valid in the input are nodata. A named band hides its whole group. What a share hides depends on the seed
    and the place on the scene only. Raises InputError for what the user can mend.
    """
    alignment = scene_alignment(raster, model, own)
    bandset, dates, patch = alignment.bandset, raster.shape[0], model.config.patch
    wanted = Hide.parse(hide, bandset, raster.days)
    side = model.config.window(len(bandset.groups), dates)
    plan = plan_scene(*raster.grid.shape, patch=patch, side=side, overlap=overlap, batch=batch)
    writing = _Writing.of(raster, alignment)
    found = _Errors(len(bandset))
    sample = _SampleRows(raster, patch, dates_hidden=wanted.dates)

    def hidden_at(window: Window) -> Bool[np.ndarray, "date group row column"]:
        rows = np.arange(window.row // patch, -(-window.end_row // patch))
        columns = np.arange(window.column // patch, -(-window.end_column // patch))
        return hidden_tokens(wanted, seed, dates, len(bandset.groups), rows, columns)

    def apply(windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        pixels = read_windows(raster, windows)
        hidden = torch.from_numpy(np.stack([hidden_at(window) for window in windows])).to(model.device)
        with torch.inference_mode(), computing_in(precision, model.device):
            cube = model.cube(pixels, own=own, reconstructing=True)
            rebuilt = model.reconstruct(cube, hidden)
            reflectance = cube.scaling.reflectance(rebuilt.predicted.float())
            scored = rebuilt.hidden if cube.valid is None else rebuilt.hidden & cube.valid
        return reflectance.flatten(1, 2).float().cpu().numpy(), scored.flatten(1, 2).cpu().numpy()

    def compose(window: Window, predicted: NDArray[np.float64], _: NDArray[np.bool_]) -> NDArray[Any]:
        pixels = raster.read(window)
        reflectance, valid = aligned_reflectance(pixels, alignment)
        truth = reflectance[0].numpy()
        known = np.ones(truth.shape, bool) if valid is None else valid[0].numpy()
        tokens = hidden_at(window)[:, bandset.group_of_band]
        hidden = tokens.repeat(patch, axis=-2).repeat(patch, axis=-1)[..., : window.height, : window.width]
        prediction = predicted.reshape(truth.shape)
        found.add(truth, prediction, hidden & known, known)
        sample.add(window, truth, np.where(hidden, prediction, truth), hidden, known)
        return writing.stored(pixels.values, truth, prediction, hidden, known).reshape(-1, *window.shape)

    provenance = scene_provenance(
        raster,
        model,
        verdict,
        alignment,
        plan,
        own=own,
        overlap=overlap,
        precision=precision,
        verb={"verb": "reconstruct", "hide": hide, "seed": seed},
    )
    tags = {**raster.tags, **provenance.tags}

    def layout(_: Iterable[NDArray[Any]]) -> Layout:
        return writing.layout(raster, bandset, tags)

    run_scene(plan, apply, compose, layout, target, provenance.journal, progress=progress)
    error, spread = found.by_band(bandset.names, wanted.bands)
    return SceneReconstruction(provenance.fingerprint, alignment, error, spread, found.share, sample.sample(bandset))


class _Writing:
    """How values are stored: as the input stores them, or as float32 reflectance where that cannot be."""

    def __init__(
        self, dtype: np.dtype[Any], scale: float, offset: float, nodata: float | None, taken: tuple[int, ...] | None
    ):
        self.dtype, self.scale, self.offset, self.taken = dtype, scale, offset, taken
        self.told = nodata
        self.invalid_seen = False

    @classmethod
    def of(cls, raster: Raster, alignment: Alignment) -> "_Writing":
        taken, units = alignment.taken_alone, set(zip(raster.scale, raster.offset, strict=True))
        if taken is None or len(units) > 1:
            return cls(np.dtype(np.float32), 1.0, 0.0, math.nan, None)
        nodata = raster.nodata
        if nodata is None and raster.dtype.kind == "f":
            nodata = math.nan
        return cls(raster.dtype, raster.scale[0], raster.offset[0], nodata, taken)

    @property
    def nodata(self) -> float:
        """The input's, else the number at the end of the type that least images use."""
        if self.told is not None:
            return self.told
        limits = np.iinfo(self.dtype)
        return float(limits.max if limits.min == 0 else limits.min)

    def stored(
        self,
        values: NDArray[Any],
        truth: NDArray[np.float32],
        prediction: NDArray[np.float64],
        hidden: NDArray[np.bool_],
        known: NDArray[np.bool_],
    ) -> NDArray[Any]:
        """[date, band, row, column] in the result's dtype."""
        visible = truth if self.taken is None else values[:, self.taken]
        predicted = (prediction - self.offset) / self.scale
        if self.dtype.kind != "f":
            limits = np.iinfo(self.dtype)
            predicted = np.clip(np.rint(predicted), limits.min, limits.max)
        result = np.where(hidden, predicted.astype(self.dtype), visible.astype(self.dtype))
        if self.dtype.kind != "f":
            # what happens to be the nodata value would be lost: a prediction, or a value beside a mask
            result[known & (result == self.nodata)] = self.nodata + (1 if self.nodata < limits.max else -1)
        if not known.all():
            self.invalid_seen = True
            result[~known] = self.nodata
        return result

    def layout(self, raster: Raster, bandset: BandSet, tags: dict[str, str]) -> Layout:
        dates, count = raster.shape[0], len(bandset)
        names = [date or f"date {number}" for number, date in enumerate(raster.dates, 1)]
        plain = (self.scale, self.offset) == (1.0, 0.0)
        return Layout(
            grid=raster.grid,
            count=dates * count,
            dtype=self.dtype.name,
            # an input that tells no nodata and is valid everywhere has no need of one
            nodata=self.nodata if self.told is not None or self.invalid_seen else None,
            descriptions=tuple(band if dates == 1 else f"{band}, {name}" for name in names for band in bandset.names),
            scale=() if plain else (self.scale,) * (dates * count),
            offset=() if plain else (self.offset,) * (dates * count),
            tags=tags,
            interleave="band",
        )


class _Errors:
    """Sums over the hidden valid pixels of each band, block row by block row."""

    def __init__(self, bands: int):
        self._sums = np.zeros((4, bands))
        self._known = 0

    def add(
        self,
        truth: NDArray[np.float32],
        prediction: NDArray[np.float64],
        scored: NDArray[np.bool_],
        known: NDArray[np.bool_],
    ) -> None:
        exact = truth.astype(np.float64)
        terms = (np.ones_like(exact), exact, exact**2, (prediction - exact) ** 2)
        self._sums += [np.where(scored, term, 0.0).sum(axis=(0, 2, 3)) for term in terms]
        self._known += int(known.sum())

    @property
    def share(self) -> float:
        return float(self._sums[0].sum() / max(1, self._known))

    def by_band(self, names: Sequence[str], first: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
        """Error and spread of the bands of which something was hidden."""
        error, spread = {}, {}
        for name in (*first, *(name for name in names if name not in first)):
            count, total, squares, errors = self._sums[:, names.index(name)]
            if count:
                error[name] = math.sqrt(errors / count)
                spread[name] = math.sqrt(max(0.0, squares / count - (total / count) ** 2))
        return error, spread


class _SampleRows:
    """Keeps the middle of the scene on the first date of which something is hidden."""

    def __init__(self, raster: Raster, patch: int, dates_hidden: tuple[int, ...]):
        height, width = raster.grid.shape
        rows, columns = min(height, SAMPLE_SIDE), min(width, SAMPLE_SIDE)
        # on whole patches: a figure speaks of places
        top, left = ((side - part) // 2 // patch * patch for side, part in ((height, rows), (width, columns)))
        self._part = Window(top, left, rows, columns)
        self._date = dates_hidden[0] if dates_hidden else 0
        self._rows: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []

    def add(
        self,
        window: Window,
        truth: NDArray[np.float32],
        rebuilt: NDArray[np.float64],
        hidden: NDArray[np.bool_],
        known: NDArray[np.bool_],
    ) -> None:
        inside = self._part.intersection(window)
        if inside is not None:
            rows, columns = inside.seen_from(window).slices
            there = (self._date, slice(None), rows, columns)
            values = (np.where(known[there], each[there], np.nan).astype(np.float32) for each in (truth, rebuilt))
            self._rows.append((*values, hidden[there]))  # type: ignore[arg-type]

    def sample(self, bandset: BandSet) -> Sample:
        truth, rebuilt, hidden = (np.concatenate(each, axis=1) for each in zip(*self._rows, strict=True))
        return Sample(bandset, truth, rebuilt, hidden)
