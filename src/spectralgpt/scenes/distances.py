"""Two dates of a scene into a map of distances: how far apart the embeddings of each place are.

The vectors of each date are made from this date alone, without its day: the same pixels on two days are no change. Then

    distance = root mean square, over the values, of (after - before - common) / spread

common: the median over the scene of after - before, per value: what the whole scene has in common, like the season, the
sun or haze, is no change. spread: the standard deviation of the value over the places of a date, both dates taken
together: at a distance of 1, a place differs from itself as much as places of the scene differ from their mean.

On eight OSCD pairs, ranked by it, changed places come before others more often than by the cosine of both vectors or by
the length of their difference (docs/change.md has the figures).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
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
        """The vectors before, then those after, and which places have both. Each is made from the pixels that are valid
        at both dates, as a hole in one of them, like that which a cloud or a shift leaves, would look like change."""
        both = None if cube.valid is None else cube.valid.all(dim=1, keepdim=True).expand_as(cube.valid)
        cube = replace(cube, days=torch.full_like(cube.days, -1), valid=both)
        dates = [cube.at_date(date) for date in (0, 1)]
        vectors = [model.embed(date, "place").permute(0, 3, 1, 2) for date in dates]
        present = [model.present(date).any(dim=(1, 2)) for date in dates]
        return torch.cat(vectors, dim=1), (present[0] & present[1])[:, None]

    def both(
        self, values: Float64[np.ndarray, "channel row column"]
    ) -> tuple[Float64[np.ndarray, "value row column"], Float64[np.ndarray, "value row column"]]:
        """Before and after, from blended values."""
        before, after = values[: self.values], values[self.values :]
        return (_unit(before), _unit(after)) if self.unit else (before, after)

    def stored(
        self, values: Float64[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channel row column"]
    ) -> Float32[np.ndarray, "value row column"]:
        """After minus before, NaN where not valid."""
        before, after = self.both(values)
        return np.where(valid[:1], after - before, np.nan).astype(np.float32)


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

    def distances(self, differences: Float32[np.ndarray, "value row column"]) -> Float32[np.ndarray, "row column"]:
        """NaN where there is no difference."""
        known = self.spread > 0
        apart = (differences[known] - self.common[known, None, None]) / self.spread[known, None, None]
        if not known.any():
            return np.where(np.isnan(differences[0]), np.nan, 0).astype(np.float32)
        squares: Float64[np.ndarray, "row column"] = np.square(apart.astype(np.float64)).mean(axis=0)
        return np.asarray(np.sqrt(squares), np.float32)


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
        return self.vectors.values

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
        sampled = np.concatenate(list(_sampled(rows, self.plan)), axis=1)
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
        return profile.change.distances(stored)[None]


def _sampled(rows: Sequence[NDArray[Any]], plan: Plan) -> Iterator[Float32[np.ndarray, "value place"]]:
    """The differences at every n-th row and column, one block row at a time."""
    every = max(1, math.isqrt(plan.output_shape[0] * plan.output_shape[1] // SAMPLED_PLACES))
    for block in rows:
        some = block[:, ::every, ::every].reshape(len(block), -1)
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
