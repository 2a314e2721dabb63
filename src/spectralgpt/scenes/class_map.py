"""A scene into a map of classes: with probabilities, entropy and polygons, in one pass."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer, Shaped
from numpy.typing import NDArray

from spectralgpt.bands import Alignment
from spectralgpt.checks import Verdict
from spectralgpt.nn import Precision
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Grid, Profile, Raster, ResultMark, Window
from spectralgpt.raster.areas import row_areas
from spectralgpt.raster.geopackage import ClassPolygon, write_polygons
from spectralgpt.raster.polygons import polygons_of_rows
from spectralgpt.raster.tags import CLASSES_TAG, LAYER_TAG
from spectralgpt.report.evaluation import class_colours
from spectralgpt.report.evaluation.colours import rgb
from spectralgpt.scenes.class_answers import ClassAnswers
from spectralgpt.scenes.class_layers import PERCENT_NODATA, ClassAreas, ClassLayers, ClassTargets
from spectralgpt.scenes.course import USUAL_COURSE, Course
from spectralgpt.scenes.maker import Notes, Piece
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.provenance import scene_provenance
from spectralgpt.scenes.run import SecondRaster, run_scene
from spectralgpt.scenes.windows import scene_alignment
from spectralgpt.tasks import Class
from spectralgpt.weights import PretrainedModel

DRAWN_SIDE = 1024
"""Largest side of the map in its picture; of larger maps every second, every third, ... pixel is drawn."""

LABEL_LAYER, PROBABILITY_LAYER, ENTROPY_LAYER = "labels", "probabilities", "entropy"
"""Values of the tag of layers."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassSummary:
    """Sums over the map. picture: values of some pixels, -1 where not valid. polygons: their number; cuts: rows between
    which they are cut."""

    sums: ClassAreas
    picture: Integer[np.ndarray, "row column"]
    polygons: int | None
    cuts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ClassMaker:
    """The maker of a map of classes.

    answers: about the scene. layers: what is stored. polygons: where they are written, None: nowhere. tags: of all
    results.
    """

    raster: Raster
    answers: ClassAnswers[Any]
    layers: ClassLayers
    tags: Mapping[str, str]
    polygons: Path | None = None
    min_area: float | int = 0

    @property
    def plan(self) -> Plan:
        return self.answers.plan

    @cached_property
    def grid(self) -> Grid:
        return self.raster.grid.coarsened(self.plan.reduce)

    @property
    def bands(self) -> int:
        return self.layers.bands

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.layers.dtype

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        """With a colour each."""
        known = self.layers.classes.classes
        colours = class_colours([each.colour for each in known])
        return tuple(Class(each.name, colour) for each, colour in zip(known, colours, strict=True))

    @cached_property
    def _areas(self) -> Float64[np.ndarray, " row"]:
        return row_areas(self.grid)

    def read(self, windows: Sequence[Window]) -> Any:
        return self.answers.read(windows)

    def compute(
        self, pixels: Any
    ) -> tuple[Float[np.ndarray, "window channel row column"], Bool[np.ndarray, "window #channel row column"]]:
        return self.answers.answer(pixels)

    def stored(self, piece: Piece[Any]) -> Shaped[np.ndarray, "band row column"]:
        return self.layers.stored(self.answers.probabilities(piece.values), piece.valid[0])

    def notes(self, piece: Piece[Any], stored: Shaped[np.ndarray, "band row column"]) -> Notes:
        known = stored[0] != self.layers.nodata
        rows, _ = piece.window.slices
        return _noted(ClassAreas.of(self.layers.of_each(stored), known, self._areas[rows]))

    def joined(self, notes: Iterable[Notes]) -> Notes:
        return _noted(_summed(notes))

    def merged(self, notes: Iterable[Notes], rows: Sequence[NDArray[Any]]) -> ClassSummary:
        """Also writes the polygons, from all rows anew, so that it may be called again."""
        count: int | None = None
        found = _Cuts([])
        if self.polygons is not None:
            names = [each.name for each in self.classes]
            count = write_polygons(self.polygons, self._polygons(rows, found), names, self.grid.crs, self._tags(""))
        return ClassSummary(_summed(notes), _picture(rows, self.layers, self.grid.shape), count, tuple(found.rows))

    def profile(self, summary: ClassSummary) -> Profile:
        several = self.layers.classes.several
        return Profile(
            grid=self.grid,
            count=self.layers.mapped,
            dtype=self.dtype.name,
            nodata=self.layers.nodata,
            descriptions=self._names if several else ("class",),
            tags=self._tags(LABEL_LAYER if several else ""),
            interleave="band",
            resampling="nearest",
            categories=() if several else self._names,
            colours=() if several else tuple(rgb(each.colour or "") for each in self.classes),
        )

    def encoded(self, stored: NDArray[Any], profile: Profile) -> NDArray[Any]:
        return stored[: self.layers.mapped]

    def beside(self, targets: ClassTargets) -> list[SecondRaster]:
        """The rasters of probabilities and of entropy."""
        found = []
        if targets.probabilities is not None:
            profile = self._percent_profile(PROBABILITY_LAYER, self._names)
            found.append(SecondRaster(targets.probabilities, profile, self.layers.percent))
        if targets.entropy is not None:
            profile = self._percent_profile(ENTROPY_LAYER, ("entropy, percent of the largest",))
            found.append(SecondRaster(targets.entropy, profile, self.layers.uncertainty))
        return found

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.classes)

    def _tags(self, layer: str) -> dict[str, str]:
        classes = json.dumps([asdict(each) for each in self.classes])
        return {**self.tags, CLASSES_TAG: classes, **({LAYER_TAG: layer} if layer else {})}

    def _percent_profile(self, layer: str, names: tuple[str, ...]) -> Profile:
        return Profile(
            grid=self.grid,
            count=len(names),
            dtype="uint8",
            nodata=PERCENT_NODATA,
            descriptions=names,
            tags=self._tags(layer),
            interleave="band",
        )

    def _polygons(self, rows: Sequence[NDArray[Any]], cuts: "_Cuts") -> Iterator[ClassPolygon]:
        """Of each class, or of each label, which may lie on one another."""
        several = self.layers.classes.several

        def inside(values: NDArray[Any]) -> Bool[np.ndarray, "row column"]:
            return np.asarray(values == 1 if several else values != self.layers.nodata)

        for band in range(self.layers.mapped):
            blocks = (block[band] for block in rows)
            found = polygons_of_rows(blocks, inside, self.grid, self.min_area, cuts.add)
            yield from (replace(each, value=band) for each in found) if several else found


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """rows: the first below each cut."""

    rows: list[int]

    def add(self, row: int) -> None:
        if row not in self.rows:
            self.rows.append(row)


@dataclass(frozen=True, slots=True, eq=False)
class MappedClasses:
    """The written map: fingerprint of the weights, alignment of the bands; rows and columns of the map, pixels of the
    scene along one of its pixels, whether several classes may apply to one, the classes with their colours, its
    summary, and the block rows that an interrupted run had finished."""

    fingerprint: str
    alignment: Alignment
    rows: int
    columns: int
    reduce: int
    several: bool
    classes: tuple[Class, ...]
    summary: ClassSummary
    blocks_resumed: int = 0


def map_classes(
    raster: Raster,
    model: PretrainedModel,
    answers: ClassAnswers[Any],
    target: Path,
    beside: ClassTargets,
    *,
    verdict: Verdict,
    verb: Mapping[str, object],
    own: bool = False,
    overlap: float = 0.25,
    precision: Precision = "auto",
    mark: ResultMark | None = None,
    course: Course = USUAL_COURSE,
    progress: Progress = silent,
) -> MappedClasses:
    """Write the map of the answers' classes, and the files beside it.

    The map has the class of each pixel, with colours and names, or, where several may apply, a band per class with 1
    and 0. Probabilities: a band per class in whole percent, which sum to 100 unless several may apply. Entropy: percent
    of the largest. Polygons: of the map, over sides of pixels. All are replaced together at the end, TARGET after the
    rasters beside it and the polygons after TARGET; after an InputError none is. verb: its name and parameters, for the
    tags. own, overlap, precision: how the answers were made. Raises InputError for what the user can fix.
    """
    alignment = scene_alignment(raster, model, own)
    plan = answers.plan
    provenance = scene_provenance(
        raster, model, verdict, alignment, plan, own=own, overlap=overlap, precision=precision, verb=verb, mark=mark
    )
    polygons = None if beside.polygons is None else beside.polygons.with_name(f".{beside.polygons.name}.new")
    layers = ClassLayers(answers.of, beside.probabilities is not None, beside.entropy is not None)
    resumed: list[int] = []
    maker = ClassMaker(raster, answers, layers, provenance.tags, polygons, beside.min_area)
    try:
        summary = run_scene(
            plan,
            maker,
            target,
            provenance.journal,
            beside=maker.beside(beside),
            course=course,
            resumed=resumed.append,
            progress=progress,
        )
        if polygons is not None and beside.polygons is not None:
            os.replace(polygons, beside.polygons)
    finally:
        if polygons is not None:
            polygons.unlink(missing_ok=True)
    return MappedClasses(
        provenance.fingerprint,
        alignment,
        *plan.output_shape,
        plan.reduce,
        answers.of.several,
        maker.classes,
        summary,
        resumed[0],
    )


def _noted(sums: ClassAreas) -> Notes:
    return {
        "pixels": sums.pixels.tolist(),
        "area": sums.area.tolist(),
        "valid": sums.valid,
        "valid_area": sums.valid_area,
        "total": sums.total,
    }


def _summed(notes: Iterable[Notes]) -> ClassAreas:
    total: ClassAreas | None = None
    for each in notes:
        one = ClassAreas(
            np.array(each["pixels"], np.int64),
            np.array(each["area"], np.float64),
            each["valid"],
            each["valid_area"],
            each["total"],
        )
        total = one if total is None else total + one
    assert total is not None, "a map has a piece"
    return total


def _picture(
    rows: Sequence[NDArray[Any]], layers: ClassLayers, shape: tuple[int, int]
) -> Integer[np.ndarray, "row column"]:
    """The likeliest class of every n-th pixel, so that no side is longer than DRAWN_SIDE; -1 where not valid."""
    apart, top, lines = -(-max(shape) // DRAWN_SIDE), 0, []
    for block in rows:
        lines.append(block[layers.likeliest_band, -top % apart :: apart, ::apart].astype(np.int32))
        top += block.shape[1]
    drawn = np.concatenate(lines)
    return np.where(drawn == layers.nodata, -1, drawn)
