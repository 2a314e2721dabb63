"""A scene into a map of a model's answers, whatever its task."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped, UInt8
from numpy.typing import NDArray

from spectralgpt.bands import Alignment
from spectralgpt.checks import Verdict
from spectralgpt.nn import Precision
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Grid, Profile, Raster, ResultMark, Window
from spectralgpt.raster.tags import CLASSES_TAG, CLIPPED_TAG, VALID_SHARE
from spectralgpt.report.evaluation.colours import rgb
from spectralgpt.scenes.changed import coloured_classes
from spectralgpt.scenes.course import USUAL_COURSE, Course
from spectralgpt.scenes.maker import Notes, Piece
from spectralgpt.scenes.picture import component_picture
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.provenance import scene_provenance
from spectralgpt.scenes.run import SecondRaster, run_scene
from spectralgpt.scenes.windows import (
    Answering,
    WindowBatch,
    read_windows,
    scene_alignment,
    scene_scaling,
    windows_plan,
)
from spectralgpt.tasks import Answers
from spectralgpt.weights import PretrainedModel

INT8_NODATA, LARGEST_CODE = -128, 127

SHARE_ROUNDING = 1e-6
"""What rounding and blending change of a share at most."""


@dataclass(frozen=True, slots=True, eq=False)
class MapSummary:
    """largest: the largest magnitude per band, of an int8 map with scales of its own. clipped: the share of values
    beyond the largest code, of one with given scales. picture: (row, column, RGBA), if requested."""

    largest: Float32[np.ndarray, " band"] | None
    clipped: float | None
    picture: UInt8[np.ndarray, "row column 4"] | None


@dataclass(frozen=True, slots=True, eq=False)
class AnswerMaker:
    """The maker of a map.

    int8: float answers become codes from -127 to 127 and nodata -128. scale: of these codes, per band; None: the
    band's largest magnitude in this map / 127. picture: draw the first three principal components of float answers.
    names: of the map's bands. least_valid: the valid share is stored as a band of its own, after the others, and places
    with less have none; None: it is not kept. The other fields are those of `map_scene`.
    """

    raster: Raster
    answering: Answering
    names: tuple[str, ...]
    plan: Plan
    tags: Mapping[str, str]
    int8: bool = False
    scale: tuple[float, ...] | None = None
    picture: bool = False
    least_valid: float | int | None = None

    @property
    def answers(self) -> Answers:
        return self.answering.answers

    @property
    def grid(self) -> Grid:
        return self.raster.grid.coarsened(self.plan.reduce)

    @property
    def bands(self) -> int:
        return len(self.names) + (self.least_valid is not None)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.answers.dtype

    def read(self, windows: Sequence[Window]) -> WindowBatch:
        return read_windows(self.raster, windows)

    def compute(
        self, pixels: WindowBatch
    ) -> tuple[Float[np.ndarray, "window channel row column"], Bool[np.ndarray, "window #channel row column"]]:
        return self.answering.of(pixels)

    def stored(self, piece: Piece[WindowBatch]) -> Shaped[np.ndarray, "band row column"]:
        if self.least_valid is None:
            return self.answers.stored(piece.values, piece.valid)
        share = piece.values[-1:]
        enough = share >= self.least_valid - SHARE_ROUNDING
        vectors = self.answers.stored(piece.values[:-1], piece.valid[:-1] & enough)
        return np.concatenate([vectors, share.astype(vectors.dtype)])

    def notes(self, piece: Piece[WindowBatch], stored: Shaped[np.ndarray, "band row column"]) -> Notes:
        if not self.int8:
            return {}
        magnitudes = np.abs(self._mapped(stored))
        if self.scale is not None:
            beyond = magnitudes > LARGEST_CODE * np.array(self.scale, np.float32)[:, None, None]
            return {"clipped": int(beyond.sum()), "known": int((~np.isnan(magnitudes)).sum())}
        return {"largest": np.nanmax(magnitudes, axis=(1, 2), initial=0.0).tolist()}

    def joined(self, notes: Iterable[Notes]) -> Notes:
        if not self.int8:
            return {}
        if self.scale is not None:
            every = list(notes)
            return {name: sum(each[name] for each in every) for name in ("clipped", "known")}
        # the shortest digits that give the same float32: maps of embeddings may have many thousand bands
        return {"largest": [float(str(value)) for value in self._largest(notes)]}

    def merged(self, notes: Iterable[Notes], rows: Sequence[NDArray[Any]]) -> MapSummary:
        largest, clipped = None, None
        if self.int8 and self.scale is None:
            largest = self._largest(notes)
        elif self.int8:
            counts = self.joined(notes)
            clipped = counts["clipped"] / max(1, counts["known"])
        return MapSummary(
            largest,
            clipped,
            component_picture(_MappedRows(rows, len(self.names)), self.plan.output_shape) if self.picture else None,
        )

    def profile(self, summary: MapSummary) -> Profile:
        classes = coloured_classes(self.answers.classes)
        places = self.plan.reduce > 1
        scale = self.scale if self.int8 and self.scale is not None else ()
        if summary.largest is not None:
            scale = tuple(float(value) / LARGEST_CODE or 1.0 for value in summary.largest)
        tags = dict(self.tags)
        if classes:
            tags[CLASSES_TAG] = json.dumps([asdict(each) for each in classes])
        if summary.clipped is not None:
            tags[CLIPPED_TAG] = f"{summary.clipped:.6f}"
        return Profile(
            grid=self.grid,
            count=len(self.names),
            dtype="int8" if self.int8 else self.dtype.name,
            nodata=INT8_NODATA if self.int8 else self.answers.nodata,
            descriptions=self.names,
            scale=scale,
            tags=tags,
            # pixel: all values of a place are read together
            interleave="pixel" if places else "band",
            block=128 if places else 512,
            resampling="nearest" if classes else "average",
            categories=tuple(each.name for each in classes),
            colours=tuple(rgb(each.colour or "") for each in classes),
        )

    def encoded(self, stored: NDArray[Any], profile: Profile) -> NDArray[Any]:
        stored = self._mapped(stored)
        if not self.int8:
            return stored
        scale = np.array(profile.scale, np.float32)[:, None]
        # of a value that is 0 everywhere: 0 / 0 would be NaN, so nodata in valid places
        scale[scale == 0] = 1.0
        codes = np.empty(stored.shape, np.int8)
        for row in range(stored.shape[1]):  # row by row, as all at once would take several times the memory
            scaled = np.rint(stored[:, row] / scale)
            codes[:, row] = np.where(np.isnan(scaled), INT8_NODATA, np.clip(scaled, -LARGEST_CODE, LARGEST_CODE))
        return codes

    def _largest(self, notes: Iterable[Notes]) -> Float32[np.ndarray, " band"]:
        largest = np.zeros(len(self.names), np.float32)
        for each in notes:
            largest = np.fmax(largest, np.array(each["largest"], np.float32))
        return largest

    def _mapped(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The map's bands, without the share."""
        return stored[: len(self.names)]

    def share_profile(self) -> Profile:
        """The layout of the raster of shares: percent, on the map's grid."""
        return Profile(grid=self.grid, count=1, dtype="uint8", descriptions=(VALID_SHARE,), tags=self.tags, block=128)


def percent(stored: NDArray[Any]) -> NDArray[np.uint8]:
    """The share, the last stored band, in whole percent, rounded down; at least 1 where something is valid."""
    share = stored[-1:]
    return np.where(share > 0, np.maximum(1, np.floor(100 * share + 100 * SHARE_ROUNDING)), 0).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _MappedRows(Sequence[NDArray[Any]]):
    """Block rows with their first `bands` bands only, read when accessed."""

    rows: Sequence[NDArray[Any]]
    bands: int

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "_MappedRows": ...
    def __getitem__(self, index: int | slice) -> "NDArray[Any] | _MappedRows":
        if isinstance(index, slice):
            return _MappedRows(self.rows[index], self.bands)
        return self.rows[index][: self.bands]


@dataclass(frozen=True, slots=True, eq=False)
class SceneMap:
    """The written map: fingerprint of the weights, alignment of the bands; rows, columns and bands of the map; its
    picture, if requested (row, column, RGBA). blocks_resumed: block rows that an interrupted run had finished."""

    fingerprint: str
    alignment: Alignment
    rows: int
    columns: int
    bands: int
    picture: UInt8[np.ndarray, "row column 4"] | None
    blocks_resumed: int = 0


def map_scene(
    raster: Raster,
    model: PretrainedModel,
    answers: Answers,
    target: Path,
    *,
    verdict: Verdict,
    verb: Mapping[str, object],
    dtype: Literal["int8"] | None = None,
    scale: Sequence[float] | None = None,
    picture: bool = False,
    least_valid: float | int | None = None,
    own: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    precision: Precision = "auto",
    mark: ResultMark | None = None,
    course: Course = USUAL_COURSE,
    progress: Progress = silent,
) -> SceneMap:
    """Write the map of the model's answers.

    verb: its name and parameters, for the tags. dtype: int8 stores float answers as codes with a scale per band:
    `scale`, repeated where the map stacks several vectors, or by default its largest magnitude in the map / 127;
    default: the answers' own type. picture: draw their first three principal components. least_valid: the valid share
    of a place below which it has no answer; shares are then written beside the map (`share_target`); for float answers,
    one per place. mark: of the command, which may replace the map unasked. course: whether an interrupted run is
    continued (`run_scene`). Raises InputError for what the user can fix: bands, too many dates, an unwritable target.
    """
    alignment = scene_alignment(raster, model, own)
    names = answers.names(alignment.bandset, raster.dates)
    plan = windows_plan(raster, model, alignment, overlap=overlap, batch=batch, reduce=answers.reduce)
    scaling = scene_scaling(raster, model, alignment, own)
    provenance = scene_provenance(
        raster, model, verdict, alignment, plan, own=own, overlap=overlap, precision=precision, verb=verb, mark=mark
    )
    maker = AnswerMaker(
        raster=raster,
        answering=Answering(
            model, answers, alignment, scaling, max(raster.grid.shape), own, precision, share=least_valid is not None
        ),
        names=names,
        plan=plan,
        tags=provenance.tags,
        int8=dtype == "int8",
        scale=None if scale is None else tuple(map(float, scale)) * (len(names) // len(scale)),
        picture=picture,
        least_valid=least_valid,
    )
    shares = [SecondRaster(share_target(target), maker.share_profile(), percent)] if least_valid is not None else []
    resumed: list[int] = []
    summary = run_scene(
        plan,
        maker,
        target,
        provenance.journal,
        beside=shares,
        course=course,
        resumed=resumed.append,
        progress=progress,
    )
    shape = *plan.output_shape, len(maker.names)
    return SceneMap(provenance.fingerprint, alignment, *shape, summary.picture, resumed[0])


def share_target(target: Path) -> Path:
    """The raster of valid shares beside a map: `map.valid.tif` beside `map.tif`."""
    return target.with_suffix(".valid.tif")
