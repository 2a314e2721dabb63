"""Two dates of a scene into a map of distances: how far apart the embeddings of each place are.

The vectors of each date are made from this date alone, without its day: the same pixels on two days are no change. Then

    distance = root mean square, over the values, of (after - before - common - context) / spread

common: the median over the scene of after - before, per value: what the whole scene has in common, like the season, the
sun or haze, is no change. spread: the standard deviation of the value over the places of a date, both dates taken
together: at a distance of 1, a place differs from itself as much as places of the scene differ from their mean.

context: the median over a window of after - before - common. A model sees each place among all others of its window, so
a change in a part of the window moves the vectors of all its places a little, and all in the same direction: without
this, a quarter of the unchanged places of such a window lay above the threshold. It is only taken out where it is
small, less than LARGEST_CONTEXT: a window of which most has changed differs by far more, and keeps its change.

On ten OSCD pairs, ranked by it, changed places come before others more often than by the cosine of both vectors or by
the length of their difference (docs/change.md has the figures).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Float64, Shaped
from numpy.typing import NDArray
from torch import Tensor

from spectralgpt.bands import Alignment, BandSet
from spectralgpt.checks import Verdict
from spectralgpt.nn import Backbone, Cube, Precision
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Grid, Profile, Raster, ResultMark, Window
from spectralgpt.scenes.course import USUAL_COURSE, Course
from spectralgpt.scenes.maker import Notes, Piece
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.provenance import scene_provenance
from spectralgpt.scenes.run import run_scene
from spectralgpt.scenes.windows import (
    Answering,
    WindowBatch,
    read_windows,
    scene_alignment,
    scene_scaling,
    windows_plan,
)
from spectralgpt.tasks import Class
from spectralgpt.weights import PretrainedModel

DISTANCE = "distance"
"""The name of the map's band."""

LARGEST_CONTEXT = 1.0
"""Distance that a window may have in common for it to be the context of a change elsewhere in the window: from half of
it on it counts less and less. The windows of four OSCD pairs have 0.2 to 0.5 in common, those of a made change of 50 x
80 pixels 0.1; places of the latter have a distance of 1.3."""

SAMPLED_PLACES = 50_000
"""About the largest number of places from which the common difference is taken."""


@dataclass(frozen=True, slots=True)
class DatePairVectors:
    """Vectors of places at two dates, each from this date alone, and their difference, after minus before.

    values: number per vector. unit: vectors get unit length once windows are blended, as those of a measured read-out.
    """

    reduce: int
    values: int
    unit: bool

    @classmethod
    def of(cls, model: Backbone) -> "DatePairVectors":
        """Those of a model."""
        return cls(model.config.patch, model.embedding_values, model.read_out is not None)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def nodata(self) -> float:
        return math.nan

    @property
    def classes(self) -> tuple[Class, ...]:
        return ()

    def names(self, bands: BandSet, dates: Sequence[str]) -> tuple[str, ...]:
        """Of the differences."""
        return tuple(f"after - before e{index}" for index in range(self.values))

    def answer(
        self, model: Any, cube: Cube
    ) -> tuple[Float[Tensor, "batch channel row column"], Bool[Tensor, "batch 1 row column"]]:
        """The vectors before, then those after, then the median over the window of after - before, the same for all its
        places; and which places have both.

        Each is made from the pixels that are valid at both dates, as a hole in one of them, like that which a cloud or
        a shift leaves, would look like change.
        """
        both = None if cube.valid is None else cube.valid.all(dim=1, keepdim=True).expand_as(cube.valid)
        cube = replace(cube, days=torch.full_like(cube.days, -1), valid=both)
        dates = [cube.at_date(date) for date in (0, 1)]
        vectors = [model.embed(date, "place").permute(0, 3, 1, 2) for date in dates]
        present = [model.present(date).any(dim=(1, 2)) for date in dates]
        known = (present[0] & present[1])[:, None]
        before, after = (F.normalize(each, dim=1) if self.unit else each for each in vectors)
        # not nanmedian, which takes the smaller of the two in the middle of an even number
        window = torch.where(known, after - before, torch.nan).flatten(2).nanquantile(0.5, dim=2)
        window = window.nan_to_num()[..., None, None].expand_as(vectors[0])
        return torch.cat([*vectors, window], dim=1), known

    def both(
        self, values: Float64[np.ndarray, "channel row column"]
    ) -> tuple[Float64[np.ndarray, "value row column"], Float64[np.ndarray, "value row column"]]:
        """Before and after, from blended values."""
        before, after = values[: self.values], values[self.values : 2 * self.values]
        return (_unit(before), _unit(after)) if self.unit else (before, after)

    def stored(
        self, values: Float64[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channel row column"]
    ) -> Float32[np.ndarray, "band row column"]:
        """After minus before, then what windows have in common of it; NaN where not valid."""
        before, after = self.both(values)
        apart = np.concatenate([after - before, values[2 * self.values :]])
        return np.where(valid[:1], apart, np.nan).astype(np.float32)


def _unit(vectors: Float64[np.ndarray, "value row column"]) -> Float64[np.ndarray, "value row column"]:
    length = np.sqrt(np.square(vectors).sum(axis=0))
    return np.asarray(vectors / np.where(length > 0, length, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class CommonChange:
    """What differences of vectors are measured by: their median over the scene, and the spread of the vectors over the
    places of a date; both per value. places: the number that have a vector at both dates."""

    common: Float32[np.ndarray, " value"]
    spread: Float32[np.ndarray, " value"]
    places: int

    def distances(
        self,
        differences: Float32[np.ndarray, "value row column"],
        windows: Float32[np.ndarray, "value row column"],
    ) -> Float32[np.ndarray, "row column"]:
        """Of differences, and of what the windows around each place have in common of these. NaN where there is no
        difference."""
        if not (self.spread > 0).any():
            return np.where(np.isnan(differences[0]), np.nan, 0).astype(np.float32)
        context = self._in_spreads(windows)
        context *= np.clip(2 - 2 * _root_mean_square(context) / LARGEST_CONTEXT, 0, 1)
        return _root_mean_square(self._in_spreads(differences) - context).astype(np.float32)

    def _in_spreads(
        self, differences: Float32[np.ndarray, "value row column"]
    ) -> Float64[np.ndarray, "known row column"]:
        """Without what the scene has in common, of the values that differ between places."""
        known = self.spread > 0
        common, spread = (each[known, None, None].astype(np.float64) for each in (self.common, self.spread))
        return np.asarray((differences[known] - common) / spread)


def _root_mean_square(values: Float64[np.ndarray, "value row column"]) -> Float64[np.ndarray, "row column"]:
    return np.asarray(np.sqrt(np.square(values).mean(axis=0)))


@dataclass(frozen=True, slots=True)
class DistanceProfile(Profile):
    """The layout of a map of distances, with what they are measured by."""

    change: CommonChange | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DistanceMaker:
    """The maker of a map of distances: block rows keep the differences of vectors, as what they have in common is known
    when the last is made."""

    raster: Raster
    answering: Answering
    vectors: DatePairVectors
    plan: Plan
    tags: Mapping[str, str]

    @property
    def grid(self) -> Grid:
        return self.raster.grid.coarsened(self.plan.reduce)

    @property
    def bands(self) -> int:
        return 2 * self.vectors.values

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.vectors.dtype

    def read(self, windows: Sequence[Window]) -> WindowBatch:
        return read_windows(self.raster, windows)

    def compute(
        self, pixels: WindowBatch
    ) -> tuple[Float[np.ndarray, "window channel row column"], Bool[np.ndarray, "window #channel row column"]]:
        return self.answering.of(pixels)

    def stored(self, piece: Piece[WindowBatch]) -> Shaped[np.ndarray, "band row column"]:
        return self.vectors.stored(piece.values, piece.valid)

    def notes(self, piece: Piece[WindowBatch], stored: Shaped[np.ndarray, "band row column"]) -> Notes:
        """Sums over the places of each date, per value."""
        known = piece.valid[0]
        dates = [vectors[:, known] for vectors in self.vectors.both(piece.values)]
        return {
            "places": int(known.sum()),
            "sums": [vectors.sum(axis=1).tolist() for vectors in dates],
            "squares": [np.square(vectors).sum(axis=1).tolist() for vectors in dates],
        }

    def joined(self, notes: Iterable[Notes]) -> Notes:
        every = list(notes)
        return {
            "places": sum(each["places"] for each in every),
            "sums": np.sum([each["sums"] for each in every], axis=0).tolist(),
            "squares": np.sum([each["squares"] for each in every], axis=0).tolist(),
        }

    def merged(self, notes: Iterable[Notes], rows: Sequence[NDArray[Any]]) -> CommonChange:
        found = self.joined(notes)
        places = max(1, found["places"])
        mean, squares = np.array(found["sums"]) / places, np.array(found["squares"]) / places
        variance: Float64[np.ndarray, "date value"] = squares - mean**2
        # rounding leaves a little of a value that is the same everywhere
        spread = np.sqrt(np.where(variance > 1e-10 * squares, variance, 0).mean(axis=0))
        sampled = np.concatenate(list(_sampled(rows, self.plan, self.vectors.values)), axis=1)
        common = np.median(sampled, axis=1) if sampled.shape[1] else np.zeros(len(spread))
        return CommonChange(common.astype(np.float32), spread.astype(np.float32), found["places"])

    def profile(self, summary: CommonChange) -> DistanceProfile:
        return DistanceProfile(
            grid=self.grid,
            count=1,
            dtype="float32",
            nodata=math.nan,
            descriptions=(DISTANCE,),
            tags=dict(self.tags),
            block=128,
            change=summary,
        )

    def encoded(self, stored: NDArray[Any], profile: Profile) -> NDArray[Any]:
        assert isinstance(profile, DistanceProfile), "the layout is of distances"
        assert profile.change is not None, "the layout of a scene knows what its places have in common"
        values = self.vectors.values
        return profile.change.distances(stored[:values], stored[values:])[None]


def _sampled(rows: Sequence[NDArray[Any]], plan: Plan, values: int) -> Iterator[Float32[np.ndarray, "value place"]]:
    """The differences, the first `values` bands, at every n-th row and column, one block row at a time."""
    every = max(1, math.isqrt(plan.output_shape[0] * plan.output_shape[1] // SAMPLED_PLACES))
    for block in rows:
        some = block[:values, ::every, ::every].reshape(values, -1)
        yield some[:, ~np.isnan(some[0])]


@dataclass(frozen=True, slots=True, eq=False)
class SceneDistances:
    """The written map: fingerprint of the weights, alignment of the bands, rows and columns of places, and the
    block rows that an interrupted run had finished."""

    fingerprint: str
    alignment: Alignment
    rows: int
    columns: int
    blocks_resumed: int = 0


def distance_scene(
    raster: Raster,
    model: PretrainedModel,
    target: Path,
    *,
    verdict: Verdict,
    verb: Mapping[str, object],
    own: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    precision: Precision = "auto",
    mark: ResultMark | None = None,
    course: Course = USUAL_COURSE,
    progress: Progress = silent,
) -> SceneDistances:
    """Write the map of a raster of two dates: float32, NaN where a date has no valid pixel; GSD is the scene's times
    the patch. verb: its name and parameters, for the tags. Errors as of `map_scene`."""
    vectors = DatePairVectors.of(model)
    alignment = scene_alignment(raster, model, own)
    plan = windows_plan(raster, model, alignment, overlap=overlap, batch=batch, reduce=vectors.reduce)
    scaling = scene_scaling(raster, model, alignment, own)
    provenance = scene_provenance(
        raster, model, verdict, alignment, plan, own=own, overlap=overlap, precision=precision, verb=verb, mark=mark
    )
    maker = DistanceMaker(
        raster,
        Answering(model, vectors, alignment, scaling, max(raster.grid.shape), own, precision),
        vectors,
        plan,
        provenance.tags,
    )
    resumed: list[int] = []
    run_scene(plan, maker, target, provenance.journal, course=course, resumed=resumed.append, progress=progress)
    return SceneDistances(provenance.fingerprint, alignment, *plan.output_shape, resumed[0])
