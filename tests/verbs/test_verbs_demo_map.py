"""The demo's class map: right where it is known, on the scene to the pixel, and none where there are too few points."""

import csv
import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import NAMES, PLACE, land, write
from rasterio.crs import CRS
from rasterio.warp import transform

import spectralgpt as sg
from spectralgpt.raster import Grid, ResultMark
from spectralgpt.report import save_class_map
from spectralgpt.verbs._demo_map import CLASS_COLOURS, labelled_points, map_classes

PLACES = PLACE @ Affine.scale(8)
WKT = CRS.from_epsg(32618).to_wkt()
LOCAL = 'LOCAL_CS["a plan",UNIT["metre",1]]'
WATER, FOREST = list(CLASS_COLOURS).index("water"), list(CLASS_COLOURS).index("forest")
TAGS = {
    "SPECTRALGPT_WEIGHTS": "0123456789abcdef",
    "SPECTRALGPT_RULES": "2",
    "SPECTRALGPT_SENSOR": "s2-l1c",
    "SPECTRALGPT_PARAMETERS": json.dumps({"verb": "embed", "bands": ["B1", "B2"]}),
}


def layout(rows: int, columns: int) -> np.ndarray:
    """Two classes that no flip, turn or shift maps onto one another."""
    row, column = np.mgrid[:rows, :columns]
    return np.where((row < rows // 4) | ((column < 3) & (row < rows // 2)), WATER, FOREST).astype(np.uint8)


def embeddings(path, classes: np.ndarray, crs: str | None = WKT, transform: Affine = PLACES):
    """Of each class a vector of its own, with noise; unknown in the last place."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(len(CLASS_COLOURS), 6))
    values = np.moveaxis(means[classes] + rng.normal(0, 0.05, (*classes.shape, 6)), -1, 0).astype(np.float32)
    values[3, -1, -1] = np.nan
    return write(path, values, crs=crs, transform=transform, tags=TAGS, nodata=np.nan)


def table(path, places, classes: np.ndarray, inside: float = 0.5):
    """Points in these places, as longitude and latitude."""
    xs, ys = zip(*(PLACES @ (column + inside, row + inside) for row, column in places), strict=True)
    longitudes, latitudes = transform("EPSG:32618", "EPSG:4326", xs, ys)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["longitude", "latitude", "class"])
        for (row, column), *degrees in zip(places, longitudes, latitudes, strict=True):
            within = 0 <= row < classes.shape[0] and 0 <= column < classes.shape[1]
            rows.writerow([*degrees, list(CLASS_COLOURS)[classes[row, column]] if within else "sand"])
    return path


# odd sides; a strip of 64 rows and a bit; a scene of which the picture shows every third pixel
@pytest.mark.parametrize(("height", "width"), [(203, 134), (530, 40), (45, 1034)])
def test_a_map_of_two_classes(tmp_path, monkeypatch, height, width):
    rows, columns = -(-height // 8), -(-width // 8)
    classes = layout(rows, columns)
    known = [(int(row), int(column)) for row in np.linspace(0, rows - 1, 6) for column in (0, 1, columns - 2)]
    points = table(tmp_path / "points.csv", [*known, (rows - 1, columns - 1), (-1, 0), (0, columns)], classes)
    scene = write(tmp_path / "scene.tif", land(height, width), names=NAMES)
    mark = ResultMark.of("demo", [scene])
    drawn = []
    monkeypatch.setattr(
        "spectralgpt.report.save_class_map",
        lambda *given, **named: drawn.append((given, named)) or save_class_map(*given, **named),
    )
    target, picture = tmp_path / "classes.tif", tmp_path / "classes.png"
    with sg.open_raster(scene) as raster:
        found = map_classes(embeddings(tmp_path / "map.tif", classes), raster, points, target, picture, mark)
        grid = raster.grid
    assert (found.points, found.right) == (18, 18)  # three are outside, or where nothing is known
    classes[-1, -1] = 255
    with rasterio.open(target) as dataset:
        np.testing.assert_array_equal(dataset.read(1), classes)
        assert (dataset.transform, dataset.crs) == (PLACES, CRS.from_wkt(grid.crs))
        assert dataset.xy(0, 0, offset="ul") == (grid.transform.c, grid.transform.f)
        assert dataset.colormap(1)[FOREST] == (0x14, 0x53, 0x2D, 255)
        assert ResultMark.among(dataset.tags()) == mark
    ((_, _, _, mask, *_), named) = drawn[0]
    assert named["size"] == (height, width)
    assert named["covered"] == (8 * rows, 8 * columns)
    assert mask.shape == (rows, columns)
    at = [(each.row, each.column) for each in named["points"]]
    assert at[:3] == [(8 * row + 4, 8 * column + 4) for row, column in known[:3]]
    assert picture.stat().st_size > 10_000


def test_inspect_names_the_classes(tmp_path):
    classes = layout(26, 17)
    points = table(tmp_path / "points.csv", [(row, column) for row in (0, 4, 9, 20) for column in (0, 5, 12)], classes)
    scene = write(tmp_path / "scene.tif", land(203, 134), names=NAMES)
    target = tmp_path / "classes.tif"
    with sg.open_raster(scene) as raster:
        source = embeddings(tmp_path / "map.tif", classes)
        map_classes(source, raster, points, target, tmp_path / "classes.png", ResultMark.of("demo", [scene]))
    found = sg.inspect(target)
    assert (found.kind, found.verb, found.weights, found.bands) == ("classes", "demo", "0123456789abcdef", ("B1", "B2"))
    assert list(found.classes) == list(CLASS_COLOURS)
    assert found.classes["water"] == pytest.approx(float((classes == WATER).mean()), abs=0.01)
    assert found.classes["sand"] == 0


@pytest.mark.parametrize("why", ["too few", "one class", "no CRS", "a plan", "unknown vectors", "elsewhere"])
def test_no_map(tmp_path, why):
    classes = layout(26, 17)
    places = [(row, column) for row in (0, 4, 9, 20) for column in (0, 5, 12)]
    if why == "too few":
        places = places[:9]
    if why == "one class":
        classes[:] = FOREST
    map_ = embeddings(
        tmp_path / "map.tif",
        classes,
        {"no CRS": None, "a plan": LOCAL, "elsewhere": "EPSG:32602"}.get(why, WKT),
    )
    if why == "unknown vectors":
        with rasterio.open(map_, "r+") as dataset:
            dataset.write(np.full((26, 17), np.nan, np.float32), 2)
    scene = write(tmp_path / "scene.tif", land(203, 134), names=NAMES)
    before = sorted(tmp_path.iterdir())
    points = table(tmp_path / "points.csv", places, classes)
    with sg.open_raster(scene) as raster:
        mark = ResultMark.of("demo", [scene])
        assert map_classes(map_, raster, points, tmp_path / "c.tif", tmp_path / "c.png", mark) is None
    assert sorted(tmp_path.iterdir()) == sorted([*before, points])


def test_a_point_belongs_to_the_place_that_it_lies_in(tmp_path):
    grid = Grid(WKT, PLACES, 26, 17)
    places = [(0, 0), (25, 16), (3, 11), (-1, 2), (2, -1), (26, 0), (0, 17)]
    for inside in (0.01, 0.5, 0.99):
        found = labelled_points(table(tmp_path / "points.csv", places, layout(26, 17), inside), grid)
        assert list(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == places[:3]
        assert found.labels.tolist() == [WATER, FOREST, WATER]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:6933"])
def test_points_on_maps_in_other_crs(tmp_path, crs):
    """Axes in the order of rasterio: longitude first."""
    points = table(tmp_path / "points.csv", [(3, 11), (20, 2)], layout(26, 17))
    corners = [PLACES @ (column, row) for row, column in ((0, 0), (26, 17))]
    (west, east), (north, south) = transform("EPSG:32618", crs, *zip(*corners, strict=True))
    there = Affine((east - west) / 17, 0, west, 0, (south - north) / 26, north)
    found = labelled_points(points, Grid(CRS.from_string(crs).to_wkt(), there, 26, 17))
    assert (found.rows.tolist(), found.columns.tolist()) == ([3, 20], [11, 2])


@pytest.mark.parametrize(
    "crs",
    ["EPSG:32602", "EPSG:32760", "EPSG:3031", "+proj=geos +h=35785831 +lon_0=140", "+proj=gnom +lat_0=-40 +lon_0=100"],
)
def test_on_the_other_side_of_the_earth_there_are_none(crs):
    from spectralgpt.verbs.demo import POINTS

    there = Grid(CRS.from_user_input(crs).to_wkt(), Affine(80, 0, 5e5, 0, -80, 5e6), 1000, 1000)
    assert len(labelled_points(POINTS, there)) == 0
    assert len(labelled_points(POINTS, Grid(None, Affine.identity(), 1000, 1000))) == 0
