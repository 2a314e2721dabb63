"""The demo's class map: a probe of a few labelled points, applied to a map of embeddings."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from spectralgpt.verbs._point_classes import PointClasses

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from spectralgpt.evaluation import Fitted
    from spectralgpt.raster import Grid, Profile, Raster, ResultMark

CLASS_COLOURS = {
    "water": "#2c6fbb",
    "marsh": "#8a8f3c",
    "forest": "#14532d",
    "green field": "#7ccf4f",
    "bare field": "#c99a6b",
    "built-up": "#d1322d",
    "sand": "#f4e3a1",
}
"""The classes of the demo's labelled points, by their values in the map."""

FEWEST_POINTS = 10
"""On a scene with fewer of them no map is made."""

UNKNOWN_CLASS = 255
MAP_STRIP = 64
"""Rows of places that are read at once: memory does not grow with the height of the map."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPoints:
    """Labelled points on a map. rows, columns: of their places. labels: values of their classes."""

    rows: Int64[np.ndarray, " point"]
    columns: Int64[np.ndarray, " point"]
    labels: Int64[np.ndarray, " point"]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def enough(self) -> bool:
        """Whether a map can be made from them."""
        return len(self) >= FEWEST_POINTS and len(np.unique(self.labels)) > 1

    def where(self, chosen: Bool[np.ndarray, " point"]) -> "LabelledPoints":
        return LabelledPoints(self.rows[chosen], self.columns[chosen], self.labels[chosen])


def map_classes(
    embeddings: Path, raster: "Raster", table: Path, target: Path, picture: Path, mark: "ResultMark"
) -> PointClasses | None:
    """Write the class map of a scene, one pixel per place, and its picture; None where too few points lie on the scene.

    embeddings: the map of the scene. table: of points, with longitude, latitude and class. Logistic regression is
    fitted to the embeddings at the points, with the strength that it has where nothing can be chosen.
    """
    from spectralgpt.raster import write_raster
    from spectralgpt.raster.handles import open_dataset

    with open_dataset(str(embeddings)) as dataset:
        grid, tags = _grid(dataset), dataset.tags()
        points = labelled_points(table, grid)
        if not points.enough:
            return None
        vectors = _vectors(dataset, points)
        known = np.isfinite(vectors).all(axis=1)
        points, vectors = points.where(known), vectors[known]
        if not points.enough:
            return None
        classes = np.concatenate(list(_classified(dataset, _fitted(vectors, points.labels))))
    right = sum(answer == label for answer, label in zip(_left_out(vectors, points.labels), points.labels, strict=True))
    result = PointClasses(len(points), int(right))
    write_raster(target, classes[None], _profile(grid, tags, mark, result))
    _draw(picture, raster, grid, classes, points, mark)
    return result


def labelled_points(table: Path, grid: "Grid") -> LabelledPoints:
    """The points of a table that lie on the grid of a map; none where it has no CRS, or one that is no place on
    Earth."""
    from rasterio.warp import transform

    from spectralgpt.raster.grid import applied
    from spectralgpt.raster.handles import GDAL_ERRORS

    with table.open(newline="") as file:
        given = list(csv.DictReader(file))
    degrees = ([float(each[name]) for each in given] for name in ("longitude", "latitude"))
    try:
        xs, ys, *_ = transform("EPSG:4326", grid.crs, *degrees) if grid.crs is not None and given else ([], [])
    except GDAL_ERRORS:  # no way from degrees to this CRS, or the points lie outside what it can show
        xs, ys = [], []
    places = [applied(~grid.transform, x, y) for x, y in zip(xs, ys, strict=True)]
    column, row = np.floor(np.array(places, np.float64).reshape(-1, 2)).T
    label = np.array([list(CLASS_COLOURS).index(each["class"]) for each in given[: len(places)]], np.int64)
    inside = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    return LabelledPoints(row[inside].astype(np.int64), column[inside].astype(np.int64), label[inside])


def _grid(dataset: "DatasetReader") -> "Grid":
    from spectralgpt.raster import Grid

    crs = None if dataset.crs is None else dataset.crs.to_wkt()
    return Grid(crs, dataset.transform, dataset.height, dataset.width)


def _strips(dataset: "DatasetReader") -> Iterator[tuple[int, Float32[np.ndarray, "value row column"]]]:
    """The map from top to bottom, and the first row of each strip."""
    from rasterio.windows import Window

    for row in range(0, dataset.height, MAP_STRIP):
        yield row, dataset.read(window=Window(0, row, dataset.width, min(MAP_STRIP, dataset.height - row)))


def _vectors(dataset: "DatasetReader", points: LabelledPoints) -> Float32[np.ndarray, "point value"]:
    """The embeddings at the points, NaN where nothing is known."""
    vectors = np.full((len(points), dataset.count), np.nan, np.float32)
    for first, values in _strips(dataset):
        here = (points.rows >= first) & (points.rows < first + values.shape[1])
        vectors[here] = values[:, points.rows[here] - first, points.columns[here]].T
    return vectors


def _fitted(vectors: Float32[np.ndarray, "point value"], labels: Int64[np.ndarray, " point"]) -> "Fitted":
    """A read-out of the classes."""
    from spectralgpt.evaluation import Targets
    from spectralgpt.evaluation.methods import find

    method = find("logistic")
    (read_out,) = method.fits(vectors, Targets.of_indices(labels, len(CLASS_COLOURS)), [method.usual], 0)
    return read_out


def _left_out(vectors: Float32[np.ndarray, "point value"], labels: Int64[np.ndarray, " point"]) -> Iterator[int]:
    """The answer for each point by a read-out of all others."""
    for point in range(len(labels)):
        others = np.arange(len(labels)) != point
        read_out = _fitted(vectors[others], labels[others])
        yield int(read_out.probabilities(vectors[point : point + 1]).argmax())


def _classified(dataset: "DatasetReader", read_out: "Fitted") -> Iterator[UInt8[np.ndarray, "row column"]]:
    """The class of each place, strip by strip."""
    for _, values in _strips(dataset):
        known = np.isfinite(values).all(axis=0)
        classes = np.full(known.shape, UNKNOWN_CLASS, np.uint8)
        if known.any():
            classes[known] = read_out.probabilities(np.ascontiguousarray(values[:, known].T)).argmax(axis=1)
        yield classes


def _profile(grid: "Grid", tags: dict[str, str], mark: "ResultMark", result: PointClasses) -> "Profile":
    """Of the map; what its embeddings were made from is what it was made from. tags: of the embeddings."""
    from spectralgpt.raster import Profile
    from spectralgpt.raster.tags import CLASSES_TAG, PARAMETERS_TAG
    from spectralgpt.report.evaluation.colours import rgb

    parameters = json.loads(tags[PARAMETERS_TAG]) | {"verb": mark.verb, "points": result.points}
    listed = [{"name": name, "colour": colour} for name, colour in CLASS_COLOURS.items()]
    own = {CLASSES_TAG: json.dumps(listed), PARAMETERS_TAG: json.dumps(parameters, sort_keys=True)}
    return Profile(
        grid=grid,
        count=1,
        dtype="uint8",
        nodata=UNKNOWN_CLASS,
        descriptions=("class",),
        tags={**tags, **own, **mark.tags},
        resampling="nearest",
        categories=tuple(CLASS_COLOURS),
        colours=tuple(map(rgb, CLASS_COLOURS.values())),
    )


def _draw(
    picture: Path,
    raster: "Raster",
    grid: "Grid",
    classes: UInt8[np.ndarray, "row column"],
    points: LabelledPoints,
    mark: "ResultMark",
) -> None:
    """Save the picture of the map beside the scene, with the points on it."""
    from spectralgpt.raster import overview
    from spectralgpt.report import LegendEntry, ShownPoint, save_class_map
    from spectralgpt.report.pictures import natural

    shown = natural([float(band.wavelength) for band in raster.bands])
    place = math.sqrt(grid.pixel_area / raster.grid.pixel_area)
    known = np.bincount(classes[classes != UNKNOWN_CLASS], minlength=len(CLASS_COLOURS))
    save_class_map(
        picture,
        overview(raster, shown),
        f"{len(points)} labelled points",
        np.where(classes == UNKNOWN_CLASS, -1, classes.astype(np.int64)),
        [
            LegendEntry(value, name, colour, int(count) / max(1, int(known.sum())))
            for value, ((name, colour), count) in enumerate(zip(CLASS_COLOURS.items(), known, strict=True))
        ],
        "A map of classes from embeddings and a few points",
        size=raster.grid.shape,
        covered=(round(grid.height * place), round(grid.width * place)),
        points=[
            ShownPoint(float((row + 0.5) * place), float((column + 0.5) * place), int(label))
            for row, column, label in zip(points.rows, points.columns, points.labels, strict=True)
        ],
        text=mark.tags,
    )
