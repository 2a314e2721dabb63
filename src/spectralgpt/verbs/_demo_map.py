"""The demo's class map: a probe of a few labelled points, applied to a map of embeddings."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64, UInt8

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from spectralgpt.evaluation import Fitted
    from spectralgpt.raster import Raster, ResultMark

CLASSES = {
    "water": "#2c6fbb",
    "marsh": "#8a8f3c",
    "forest": "#14532d",
    "green field": "#7ccf4f",
    "bare field": "#c99a6b",
    "built-up": "#d1322d",
    "sand": "#f4e3a1",
}
"""The classes of the demo's labelled points, with their colours."""

FEWEST_POINTS = 10
"""On a scene with fewer of them no map is made."""

UNKNOWN = 255
ROWS = 64
"""Of places that are classified at once."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPoints:
    """Labelled points on a map. rows, columns: of their places. labels: indices of classes."""

    rows: Int64[np.ndarray, " point"]
    columns: Int64[np.ndarray, " point"]
    labels: Int64[np.ndarray, " point"]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class MappedClasses:
    """A class map. points: number of labelled points. right: of these, how many a probe of all others gets right."""

    points: int
    right: int


def map_classes(
    embeddings: Path, raster: "Raster", points: Path, target: Path, picture: Path, mark: "ResultMark"
) -> MappedClasses | None:
    """Write the class map of a scene, one pixel per place, and its picture; None where too few points lie on the scene.

    embeddings: the map of the scene. points: a table with longitude, latitude and class. Logistic regression is fitted
    to the embeddings at the points, with the strength that it has where nothing can be chosen.
    """
    import rasterio

    from spectralgpt.raster import Grid, Profile, overview, write_raster
    from spectralgpt.raster.tags import CLASSES_TAG
    from spectralgpt.report.class_map import save_class_map
    from spectralgpt.report.evaluation.colours import rgb
    from spectralgpt.report.pictures import natural

    with rasterio.open(embeddings) as dataset:
        found = labelled_points(points, dataset)
        if len(found) < FEWEST_POINTS or len(set(found.labels.tolist())) < 2:
            return None
        vectors = np.stack([_vector(dataset, *each) for each in zip(found.rows, found.columns, strict=True)])
        classes = np.concatenate(list(_classified(dataset, fitted(vectors, found.labels))))
        grid = Grid(dataset.crs.to_wkt(), dataset.transform, dataset.height, dataset.width)
    profile = Profile(
        grid=grid,
        count=1,
        dtype="uint8",
        nodata=UNKNOWN,
        descriptions=("class",),
        tags={**mark.tags, CLASSES_TAG: json.dumps(list(CLASSES.items()))},
        resampling="mode",
        palette=tuple(map(rgb, CLASSES.values())),
    )
    write_raster(target, classes[None], profile)
    right = int((np.array([*_left_out(vectors, found.labels)]) == found.labels).sum())
    shown = overview(raster)
    at = np.stack([(found.columns + 0.5) / classes.shape[1], (found.rows + 0.5) / classes.shape[0]], axis=1)
    save_class_map(
        picture,
        shown[natural([float(band.wavelength) for band in raster.bands])],
        np.where(classes == UNKNOWN, -1, classes.astype(np.int64)),
        list(CLASSES.items()),
        at,
        found.labels,
        f"{len(found)} labelled points, and a map of their classes from embeddings",
        mark.tags,
    )
    return MappedClasses(len(found), right)


def labelled_points(path: Path, dataset: "DatasetReader") -> LabelledPoints:
    """The points of a table that lie on a map where it is valid; none on a map without a CRS."""
    from rasterio.warp import transform

    from spectralgpt.raster.grid import applied

    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if dataset.crs is None:
        rows = []
    degrees = ([float(row[name]) for row in rows] for name in ("longitude", "latitude"))
    places = zip(*transform("EPSG:4326", dataset.crs, *degrees), strict=True) if rows else ()
    found = [applied(~dataset.transform, x, y) for x, y in places]
    column, row = np.floor(np.array(found).reshape(-1, 2)).astype(np.int64).T
    label = np.array([list(CLASSES).index(each["class"]) for each in rows], np.int64)
    inside = (row >= 0) & (row < dataset.height) & (column >= 0) & (column < dataset.width)
    inside[inside] = [
        bool(np.isfinite(_vector(dataset, *at)).all()) for at in zip(row[inside], column[inside], strict=True)
    ]
    return LabelledPoints(row[inside], column[inside], label[inside])


def fitted(vectors: Float32[np.ndarray, "point value"], labels: Int64[np.ndarray, " point"]) -> "Fitted":
    """A read-out of the classes, in the order of CLASSES."""
    from spectralgpt.evaluation import Targets
    from spectralgpt.evaluation.methods import find

    method = find("logistic")
    (read_out,) = method.fits(vectors, Targets.of_indices(labels, len(CLASSES)), [method.usual], 0)
    return read_out


def _left_out(vectors: Float32[np.ndarray, "point value"], labels: Int64[np.ndarray, " point"]) -> Iterator[int]:
    """The answer for each point by a read-out of all others."""
    for point in range(len(labels)):
        others = np.arange(len(labels)) != point
        read_out = fitted(vectors[others], labels[others])
        yield int(read_out.probabilities(vectors[point : point + 1]).argmax())


def _classified(dataset: "DatasetReader", read_out: "Fitted") -> Iterator[UInt8[np.ndarray, "row column"]]:
    """The class of each place, some rows at a time."""
    from rasterio.windows import Window

    for row in range(0, dataset.height, ROWS):
        values = dataset.read(window=Window(0, row, dataset.width, min(ROWS, dataset.height - row)))
        known = np.isfinite(values).all(axis=0)
        classes = np.full(known.shape, UNKNOWN, np.uint8)
        classes[known] = read_out.probabilities(np.ascontiguousarray(values[:, known].T)).argmax(axis=1)
        yield classes


def _vector(dataset: "DatasetReader", row: np.int64, column: np.int64) -> Float32[np.ndarray, " value"]:
    from rasterio.windows import Window

    return np.asarray(dataset.read(window=Window(int(column), int(row), 1, 1))[:, 0, 0])
