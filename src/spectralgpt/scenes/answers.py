"""A scene into a map of a model's answers, whatever its task."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped, UInt8
from numpy.typing import NDArray

from spectralgpt.bands import Alignment
from spectralgpt.checks import Verdict
from spectralgpt.nn import Precision
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Grid, Profile, Raster, ResultMark, Window
from spectralgpt.scenes.maker import Notes, Piece
from spectralgpt.scenes.picture import component_picture
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
from spectralgpt.tasks import Answers
from spectralgpt.weights import PretrainedModel

INT8_NODATA = -128
CLASSES_TAG = "SPECTRALGPT_CLASSES"
"""The classes of a map, as JSON: a list of name and colour, by value."""


@dataclass(frozen=True, slots=True, eq=False)
class MapSummary:
    """largest: the largest magnitude per band, of an int8 map. picture: (row, column, RGBA), if requested."""

    largest: Float32[np.ndarray, " band"] | None
    picture: UInt8[np.ndarray, "row column 4"] | None


@dataclass(frozen=True, slots=True, eq=False)
class AnswerMaker:
    """The maker of a map.

    int8: float answers become codes from -127 to 127 with a scale per band (its largest magnitude / 127) and nodata
    -128. picture: draw the first three principal components of float answers. names: of the map's bands. The other
    fields are those of `map_scene`.
    """

    raster: Raster
    answering: Answering
    names: tuple[str, ...]
    plan: Plan
    tags: Mapping[str, str]
    int8: bool = False
    picture: bool = False

    @property
    def answers(self) -> Answers:
        return self.answering.answers

    @property
    def grid(self) -> Grid:
        return self.raster.grid.coarsened(self.plan.reduce)

    @property
    def bands(self) -> int:
        return len(self.names)

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
        return self.answers.stored(piece.values, piece.valid)

    def notes(self, piece: Piece[WindowBatch], stored: Shaped[np.ndarray, "band row column"]) -> Notes:
        if not self.int8:
            return {}
        return {"largest": np.nanmax(np.abs(stored), axis=(1, 2), initial=0.0).tolist()}

    def joined(self, notes: Iterable[Notes]) -> Notes:
        if not self.int8:
            return {}
        # the shortest digits that give the same float32: maps of embeddings may have many thousand bands
        return {"largest": [float(str(value)) for value in self._largest(notes)]}

    def merged(self, notes: Iterable[Notes], rows: Sequence[NDArray[Any]]) -> MapSummary:
        return MapSummary(
            self._largest(notes) if self.int8 else None,
            component_picture(rows, self.plan.output_shape) if self.picture else None,
        )

    def profile(self, summary: MapSummary) -> Profile:
        classes = [asdict(each) for each in self.answers.classes]
        places = self.plan.reduce > 1
        return Profile(
            grid=self.grid,
            count=self.bands,
            dtype="int8" if self.int8 else self.dtype.name,
            nodata=INT8_NODATA if self.int8 else self.answers.nodata,
            descriptions=self.names,
            scale=() if summary.largest is None else tuple(float(value) / 127 or 1.0 for value in summary.largest),
            tags={**self.tags, CLASSES_TAG: json.dumps(classes)} if classes else self.tags,
            # pixel: all values of a place are read together
            interleave="pixel" if places else "band",
            block=128 if places else 512,
            resampling="nearest" if classes else "average",
        )

    def encoded(self, stored: NDArray[Any], profile: Profile) -> NDArray[Any]:
        if not self.int8:
            return stored
        scale = np.array(profile.scale, np.float32)[:, None]
        codes = np.empty(stored.shape, np.int8)
        for row in range(stored.shape[1]):  # row by row, as all at once would take several times the memory
            scaled = np.rint(stored[:, row] / scale)
            codes[:, row] = np.where(np.isnan(scaled), INT8_NODATA, np.clip(scaled, -127, 127))
        return codes

    def _largest(self, notes: Iterable[Notes]) -> Float32[np.ndarray, " band"]:
        largest = np.zeros(self.bands, np.float32)
        for each in notes:
            largest = np.fmax(largest, np.array(each["largest"], np.float32))
        return largest


@dataclass(frozen=True, slots=True, eq=False)
class SceneMap:
    """The written map: fingerprint of the weights, alignment of the bands; rows, columns and bands of the map; its
    picture, if requested (row, column, RGBA)."""

    fingerprint: str
    alignment: Alignment
    rows: int
    columns: int
    bands: int
    picture: UInt8[np.ndarray, "row column 4"] | None


def map_scene(
    raster: Raster,
    model: PretrainedModel,
    answers: Answers,
    target: Path,
    *,
    verdict: Verdict,
    verb: Mapping[str, object],
    dtype: Literal["int8"] | None = None,
    picture: bool = False,
    own: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    precision: Precision = "auto",
    mark: ResultMark | None = None,
    progress: Progress = silent,
) -> SceneMap:
    """Write the map of the model's answers.

    verb: its name and parameters, for the tags. dtype: int8 stores float answers as codes with a scale per band;
    default: the answers' own type. picture: draw their first three principal components. mark: of the command, which
    may replace the map unasked. Raises InputError for what the user can fix: bands, too many dates, an unwritable
    target.
    """
    alignment = scene_alignment(raster, model, own)
    plan = windows_plan(raster, model, alignment, overlap=overlap, batch=batch, reduce=answers.reduce)
    scaling = scene_scaling(raster, model, alignment, own)
    provenance = scene_provenance(
        raster, model, verdict, alignment, plan, own=own, overlap=overlap, precision=precision, verb=verb, mark=mark
    )
    maker = AnswerMaker(
        raster=raster,
        answering=Answering(model, answers, alignment, scaling, max(raster.grid.shape), own, precision),
        names=answers.names(alignment.bandset, raster.dates),
        plan=plan,
        tags=provenance.tags,
        int8=dtype == "int8",
        picture=picture,
    )
    summary = run_scene(plan, maker, target, provenance.journal, progress=progress)
    return SceneMap(provenance.fingerprint, alignment, *plan.output_shape, maker.bands, summary.picture)
