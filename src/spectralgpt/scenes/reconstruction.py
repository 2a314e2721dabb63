"""A scene rebuilt from what is left visible."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Shaped
from numpy.typing import NDArray

from spectralgpt.bands import Alignment, BandSet
from spectralgpt.checks import Verdict
from spectralgpt.metrics import ErrorSums, SimpleErrors
from spectralgpt.nn import Hide, PixelsLike, Precision, aligned_reflectance, computing_in, hidden_tokens
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Grid, Profile, Raster, ResultMark, Window, without_mark
from spectralgpt.scenes.course import USUAL_COURSE, Course
from spectralgpt.scenes.maker import Notes, Piece
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.provenance import scene_provenance
from spectralgpt.scenes.run import run_scene
from spectralgpt.scenes.simple import RebuiltPart, SimpleWay, simple_way
from spectralgpt.scenes.windows import WindowBatch, read_windows, scene_alignment, windows_plan
from spectralgpt.weights import SpectralGPT

SAMPLE_SIDE = 512
"""Largest side of the part of a scene that a figure shows, in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class FigureSample:
    """The middle of a scene on one date, in reflectance (NaN where not valid), for a figure.

    rebuilt: the truth where visible, the prediction where hidden, as stored (rounded and clipped to its type).
    """

    bands: BandSet
    truth: Float32[np.ndarray, "band row column"]
    rebuilt: Float32[np.ndarray, "band row column"]
    hidden: Bool[np.ndarray, "band row column"]


@dataclass(frozen=True, slots=True, eq=False)
class SceneReconstruction:
    """fingerprint: of the weights. error: root mean square error of each band over its hidden pixels, in reflectance,
    named bands first.

    spread: standard deviation of the truth there, which is the error of always guessing the band's mean.
    hidden: share of the valid pixels that was hidden. simple: the errors of a simple way to estimate the hidden pixels
    of this scene, and the model's on the same pixels. simple_share: their share of the hidden pixels. missing: why
    there are none, if so. blocks_resumed: block rows that an interrupted run had finished.
    """

    fingerprint: str
    alignment: Alignment
    error: dict[str, float]
    spread: dict[str, float]
    hidden: float
    simple: SimpleErrors
    simple_share: float
    missing: str
    sample: FigureSample
    blocks_resumed: int = 0


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
    mark: ResultMark | None = None,
    course: Course = USUAL_COURSE,
    progress: Progress = silent,
) -> SceneReconstruction:
    """Write the scene with its hidden parts rebuilt: the input where visible, the prediction where hidden.

    The model's bands in the model's order, date by date, in the input's dtype, scale, offset and nodata, rounded and
    clipped; in float32 reflectance where several file bands make one, or bands differ in scale or offset. Pixels that
    are not valid in the input are nodata. A named band hides its whole group. What a share hides depends only on the
    seed and the place in the scene. Raises InputError for what the user can fix.
    """
    alignment = scene_alignment(raster, model, own)
    plan = windows_plan(raster, model, alignment, overlap=overlap, batch=batch)
    wanted = Hide.parse(hide, alignment.bandset, raster.days)
    verb = {"verb": "reconstruct", "hide": hide, "seed": seed}
    provenance = scene_provenance(
        raster, model, verdict, alignment, plan, own=own, overlap=overlap, precision=precision, verb=verb, mark=mark
    )
    maker = ReconstructionMaker(
        raster=raster,
        model=model,
        plan=plan,
        alignment=alignment,
        hide=wanted,
        seed=seed,
        own=own,
        precision=precision,
        kept_as=StoredAs.of(raster, alignment),
        tags={**without_mark(raster.tags), **provenance.tags},
        simple=simple_way(wanted, alignment.bandset, raster.days, plan),
    )
    resumed: list[int] = []
    summary = run_scene(
        plan, maker, target, provenance.journal, course=course, resumed=resumed.append, progress=progress
    )
    error, spread = summary.sums.by_band(alignment.bandset.names, wanted.bands)
    return SceneReconstruction(
        fingerprint=provenance.fingerprint,
        alignment=alignment,
        error=error,
        spread=spread,
        hidden=summary.sums.hidden_share,
        simple=summary.simple,
        simple_share=sum(summary.simple.pixels.values()) / max(1.0, float(summary.sums.sums[0].sum())),
        missing=_missing(summary, maker.simple),
        sample=summary.sample,
        blocks_resumed=resumed[0],
    )


@dataclass(frozen=True, slots=True, eq=False)
class MaskedWindows:
    """Pixels of windows, and the tokens that are hidden from the model.

    truth, known: their reflectance in the model's bands, and where it is valid.
    """

    pixels: WindowBatch
    truth: Float32[np.ndarray, "batch date band height width"]
    known: Bool[np.ndarray, "batch date band height width"]
    hidden: Bool[np.ndarray, "batch date group row column"]


@dataclass(frozen=True, slots=True)
class StoredAs:
    """How values are stored: as in the input, or as float32 reflectance where that is impossible.

    declared: the input's nodata. taken: for each band its index in the file, None where reflectance is stored.
    """

    dtype: np.dtype[Any]
    scale: float
    offset: float
    declared: float | None
    taken: tuple[int, ...] | None

    @classmethod
    def of(cls, raster: Raster, alignment: Alignment) -> "StoredAs":
        taken, units = alignment.taken_alone, set(zip(raster.scale, raster.offset, strict=True))
        if taken is None or len(units) > 1:
            return cls(np.dtype(np.float32), 1.0, 0.0, math.nan, None)
        nodata = raster.nodata
        if nodata is None and raster.dtype.kind == "f":
            nodata = math.nan
        return cls(raster.dtype, raster.scale[0], raster.offset[0], nodata, taken)

    @property
    def nodata(self) -> float:
        """The input's; otherwise the end of the type's range that images use least."""
        if self.declared is not None:
            return self.declared
        limits = np.iinfo(self.dtype)
        return float(limits.max if limits.min == 0 else limits.min)

    def stored(
        self,
        values: Shaped[np.ndarray, "date file row column"],
        truth: Float32[np.ndarray, "date band row column"],
        prediction: Float64[np.ndarray, "date band row column"],
        hidden: Bool[np.ndarray, "date band row column"],
        known: Bool[np.ndarray, "date band row column"],
    ) -> Shaped[np.ndarray, "date band row column"]:
        """The result's values, from the file's stored values, the truth and the prediction (both in reflectance)."""
        visible = truth if self.taken is None else values[:, self.taken]
        predicted = (prediction - self.offset) / self.scale
        if self.dtype.kind != "f":
            limits = np.iinfo(self.dtype)
            predicted = np.clip(np.rint(predicted), limits.min, limits.max)
        result = np.where(hidden, predicted.astype(self.dtype), visible.astype(self.dtype))
        if self.dtype.kind != "f":
            # a known value equal to nodata would be lost: a prediction, or an input value valid by a mask
            result[known & (result == self.nodata)] = self.nodata + (1 if self.nodata < limits.max else -1)
        if not known.all():
            result[~known] = self.nodata
        return result

    def reflectance(self, stored: Shaped[np.ndarray, "*axes"]) -> Float32[np.ndarray, "*axes"]:
        """The reflectance of stored values; meaningless where they are nodata."""
        return (stored.astype(np.float64) * self.scale + self.offset).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructionSummary:
    sums: ErrorSums
    simple: SimpleErrors
    sample: FigureSample


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructionMaker:
    """The maker of a rebuilt scene."""

    raster: Raster
    model: SpectralGPT
    plan: Plan
    alignment: Alignment
    hide: Hide
    seed: int
    own: bool
    precision: Precision
    kept_as: StoredAs
    tags: Mapping[str, str]
    simple: SimpleWay

    @property
    def grid(self) -> Grid:
        return self.raster.grid

    @property
    def bands(self) -> int:
        return self.raster.shape[0] * len(self.alignment.bandset)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.kept_as.dtype

    def read(self, windows: Sequence[Window]) -> MaskedWindows:
        pixels = read_windows(self.raster, windows)
        hidden = np.stack([self._hidden(window) for window in windows])
        return MaskedWindows(pixels, *_aligned(pixels, self.alignment), hidden)

    def compute(
        self, pixels: MaskedWindows
    ) -> tuple[Float32[np.ndarray, "window channel row column"], Bool[np.ndarray, "window 1 row column"]]:
        """The prediction in reflectance where pixels are hidden and valid; 0 elsewhere.

        These pixels are the same in every window that covers them, so blending needs no weights per channel.
        """
        batch, seen = pixels.pixels, pixels.pixels.seen
        # without a valid pixel nothing is hidden, and nothing needs a model
        values = np.zeros((len(seen), self.bands, *batch.values.shape[3:]), np.float32)
        if seen.any():
            values[seen] = self._rebuilt(batch if seen.all() else batch.chosen(seen), pixels.hidden[seen])
        return values, np.ones((len(values), 1, *values.shape[2:]), bool)

    def _rebuilt(
        self, pixels: WindowBatch, hidden: Bool[np.ndarray, "window date group placerow placecolumn"]
    ) -> Float32[np.ndarray, "window channel row column"]:
        tokens = torch.from_numpy(hidden).to(self.model.device)
        with torch.inference_mode(), computing_in(self.precision, self.model.device):
            cube = self.model.cube(pixels, own=self.own, alignment=self.alignment, reconstructing=True)
            rebuilt = self.model.reconstruct(cube, tokens)
            reflectance = cube.scaling.reflectance(rebuilt.predicted.float())
            scored = rebuilt.hidden if cube.valid is None else rebuilt.hidden & cube.valid
            values = torch.where(scored, reflectance, 0.0).flatten(1, 2)
        answer: Float32[np.ndarray, "window channel row column"] = values.float().cpu().numpy()
        return answer

    def stored(self, piece: Piece[MaskedWindows]) -> Shaped[np.ndarray, "band row column"]:
        height, width = piece.window.shape
        values = piece.pixels.pixels.values[piece.index, :, :, :height, :width]
        part = self._part(piece)
        truth, hidden, known = part.rebuilt
        return self.kept_as.stored(values, truth, part.prediction, hidden, known).reshape(-1, height, width)

    def notes(self, piece: Piece[MaskedWindows], stored: Shaped[np.ndarray, "band row column"]) -> Notes:
        part = self._part(piece)
        truth, hidden, known = part.rebuilt
        sums = ErrorSums.of(truth, part.prediction, hidden, known)
        return {"model": sums.notes, "simple": self.simple.of(part).notes}

    def joined(self, notes: Iterable[Notes]) -> Notes:
        sums, simple = self._sums(notes)
        return {"model": sums.notes, "simple": simple.notes}

    def merged(self, notes: Iterable[Notes], rows: Sequence[NDArray[Any]]) -> ReconstructionSummary:
        sums, simple = self._sums(notes)
        errors = self.simple.sums(simple).errors(self.simple.names, self.alignment.bandset.names)
        return ReconstructionSummary(sums, errors, self._sample(rows))

    def profile(self, summary: ReconstructionSummary) -> Profile:
        kept_as, bandset = self.kept_as, self.alignment.bandset
        dates, count = self.raster.shape[0], len(bandset)
        names = [date or f"date {number}" for number, date in enumerate(self.raster.dates, 1)]
        plain = (kept_as.scale, kept_as.offset) == (1.0, 0.0)
        return Profile(
            grid=self.grid,
            count=dates * count,
            dtype=kept_as.dtype.name,
            # an input that declares no nodata and is valid everywhere needs none
            nodata=None if kept_as.declared is None and summary.sums.all_known else kept_as.nodata,
            descriptions=tuple(band if dates == 1 else f"{band}, {name}" for name in names for band in bandset.names),
            scale=() if plain else (kept_as.scale,) * (dates * count),
            offset=() if plain else (kept_as.offset,) * (dates * count),
            tags=self.tags,
            interleave="band",
        )

    def encoded(self, stored: NDArray[Any], profile: Profile) -> NDArray[Any]:
        return stored

    def _part(self, piece: Piece[MaskedWindows]) -> RebuiltPart:
        """The window of a piece, and what was rebuilt of it."""
        shown, side = piece.pixels, (self.plan.side_rows, self.plan.side_columns)
        truth, known = shown.truth[piece.index], shown.known[piece.index]
        hidden = self._pixels_of(shown.hidden[piece.index], *side)
        prediction = piece.values.reshape(*truth.shape[:2], *piece.window.shape)
        return RebuiltPart(Window(piece.window.row, piece.window.column, *side), truth, hidden, known, prediction)

    def _hidden(self, window: Window) -> Bool[np.ndarray, "date group row column"]:
        """The hidden tokens of a window that starts on whole patches."""
        patch = self.plan.patch
        rows = np.arange(window.row // patch, -(-window.end_row // patch))
        columns = np.arange(window.column // patch, -(-window.end_column // patch))
        return hidden_tokens(
            self.hide, self.seed, self.raster.shape[0], len(self.alignment.bandset.groups), rows, columns
        )

    def _pixels_of(
        self, tokens: Bool[np.ndarray, "date group row column"], height: int, width: int
    ) -> Bool[np.ndarray, "date band height width"]:
        """The tokens as pixels of their bands, cut to height and width."""
        patch = self.plan.patch
        tokens = tokens[:, self.alignment.bandset.group_of_band, : -(-height // patch), : -(-width // patch)]
        return tokens.repeat(patch, axis=-2).repeat(patch, axis=-1)[..., :height, :width]

    def _sums(self, notes: Iterable[Notes]) -> tuple[ErrorSums, Any]:
        """The sums of the model, and those of the simple way."""
        (sums, simple), *others = (
            (ErrorSums.from_notes(each["model"]), self.simple.read(each["simple"])) for each in notes
        )
        for each, other in others:
            sums, simple = sums + each, simple + other
        return sums, simple

    def _sample(self, rows: Sequence[NDArray[Any]]) -> FigureSample:
        """The middle of the scene on the first hidden date, else the first: the truth is read again, the rest comes
        from the stored rows."""
        height, width = self.grid.shape
        shown_rows, shown_columns = min(height, SAMPLE_SIDE), min(width, SAMPLE_SIDE)
        # on whole patches, as a figure shows hidden places
        patch = self.plan.patch
        top, left = (
            (side - shown) // 2 // patch * patch for side, shown in ((height, shown_rows), (width, shown_columns))
        )
        part, date = Window(top, left, shown_rows, shown_columns), min(self.hide.dates, default=0)
        pixels = self.raster.read(part)
        one = slice(date, date + 1)
        valid = None if pixels.valid is None else pixels.valid[one]
        pixels = replace(pixels, values=pixels.values[one], valid=valid, days=pixels.days[one])
        truth, known = (each[0, 0] for each in _aligned(pixels, self.alignment))
        hidden = self._pixels_of(self._hidden(part)[one], *part.shape)[0]
        stored = self._stored_part(rows, part).reshape(self.raster.shape[0], *truth.shape)[date]
        rebuilt = np.where(hidden, self.kept_as.reflectance(stored), truth)
        truth, rebuilt = (np.where(known, each, np.nan).astype(np.float32) for each in (truth, rebuilt))
        return FigureSample(self.alignment.bandset, truth, rebuilt, hidden)

    def _stored_part(self, rows: Sequence[NDArray[Any]], part: Window) -> Shaped[np.ndarray, "band row column"]:
        parts = []
        for index, (start, stop) in enumerate(self.plan.block_rows):
            block = Window(start, 0, stop - start, self.grid.width)
            inside = part.intersection(block)
            if inside is not None:
                there = inside.seen_from(block).slices
                parts.append(rows[index][:, *there].copy())  # a view would hold the whole block row
        return np.concatenate(parts, axis=1)


def _missing(summary: ReconstructionSummary, way: SimpleWay) -> str:
    """Why nothing was measured; empty if anything was."""
    if summary.simple.model:
        return ""
    return way.missing if summary.sums.hidden_share else "nothing hidden"


def _aligned(
    pixels: PixelsLike, alignment: Alignment
) -> tuple[Float32[np.ndarray, "batch date band row column"], Bool[np.ndarray, "batch date band row column"]]:
    """Reflectance of the model's bands, and where it is valid."""
    reflectance, valid = aligned_reflectance(pixels, alignment)
    truth = reflectance.numpy()
    return truth, np.ones(truth.shape, bool) if valid is None else valid.numpy()
