"""An area from a GeoJSON file: its window, its mask, and files that contain no area."""

import json
import math
import pickle

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import PLACE, UTM, distinct, write
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs
from real_rasters import BOTH

from spectralgpt.errors import OptionError
from spectralgpt.products import open_raster
from spectralgpt.raster import Grid, Window
from spectralgpt.raster.area import Area, read_area

GRID = Grid(CRS.from_user_input(UTM).to_wkt(), PLACE, 200, 150)
DEGREES = Grid(CRS.from_epsg(4326).to_wkt(), Affine(1e-4, 0, 2, 0, -1e-4, 49), 300, 400)
AT_180 = Grid(DEGREES.crs, Affine(0.01, 0, 179.5, 0, -0.01, 0.5), 100, 100)
FIJI = Grid(CRS.from_epsg(32701).to_wkt(), Affine(1000, 0, 100000, 0, -1000, 8250000), 300, 200)


def saved(folder, document, name="area.geojson"):
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def in_degrees(grid, corners):
    """Longitudes and latitudes of (column, row)."""
    t = grid.transform
    xs, ys = zip(*((t.a * u + t.b * v + t.c, t.d * u + t.e * v + t.f) for u, v in corners), strict=True)
    longitudes, latitudes = to_crs(grid.crs, "EPSG:4326", xs, ys)
    return [list(pair) for pair in zip(longitudes, latitudes, strict=True)]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in ring] for ring in rings]}


def collection(*each):
    return {"type": "GeometryCollection", "geometries": list(each)}


def box(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def test_a_box_in_degrees_is_its_pixels(tmp_path):
    window, area = read_area(saved(tmp_path, polygon(in_degrees(GRID, box(20, 30, 70.25, 90)))), GRID)
    assert window == Window(30, 20, 60, 51)
    assert np.array_equal(area.mask(window)[:, :50], np.ones((60, 50), bool))
    assert not area.mask(window)[:, 50].any(), "the centres of the last column lie outside"
    mask = area.mask(GRID.whole)
    assert mask.sum() == 60 * 50
    assert mask[30:90, 20:70].all()


def test_edges_are_straight_in_their_own_crs(tmp_path):
    """A degree along the 60th parallel is 100 m from the chord in UTM."""
    grid = Grid(CRS.from_epsg(32633).to_wkt(), Affine(100, 0, 440000, 0, -100, 6700000), 600, 1200)
    _, area = read_area(saved(tmp_path, polygon(box(14.2, 60, 15.8, 60.2))), grid)
    rows, columns = np.mgrid[:600, :1200] + 0.5
    x, y = 440000 + 100 * columns, 6700000 - 100 * rows
    longitudes, latitudes = (np.reshape(v, x.shape) for v in to_crs(grid.crs, "EPSG:4326", x.ravel(), y.ravel()))
    inside = (longitudes > 14.2) & (longitudes < 15.8) & (latitudes > 60) & (latitudes < 60.2)
    assert (area.mask(grid.whole) != inside).sum() <= 5, "but for a 1024th of a pixel"
    assert inside.sum() > 1e5


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-40, 190), st.integers(-40, 240)), min_size=3, max_size=9), st.data())
def test_a_window_holds_the_bits_of_the_whole(corners, data):
    """Corners in the middles of pixels: edges pass through centres, where rounding would show."""
    ring = (*[(u / 4 + 0.5, v / 4 + 0.5) for u, v in corners], (corners[0][0] / 4 + 0.5, corners[0][1] / 4 + 0.5))
    area = Area(((ring,),))
    row, column = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 40))
    window = Window(row, column, data.draw(st.integers(1, 60 - row)), data.draw(st.integers(1, 50 - column)))
    whole = area.mask(Window(0, 0, 60, 50))
    assert np.array_equal(area.mask(window), whole[window.slices])
    again = area.seen_from(window)
    assert np.array_equal(again.mask(Window(0, 0, *window.shape)), whole[window.slices])
    assert pickle.loads(pickle.dumps(area)) == area
    assert len({area, Area(((ring,),))}) == 1


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.data())
def test_so_does_one_of_odd_corners(tmp_path_factory, seed, data):
    random = np.random.default_rng(seed)
    corners = random.uniform((-50, -50), (200, 250), (7, 2)).tolist()
    folder = tmp_path_factory.mktemp("area")
    corners[0] = [75.0, 100.0]  # no triangle so thin that it contains no pixel
    _, area = read_area(saved(folder, polygon(in_degrees(GRID, corners))), GRID)
    whole = area.mask(GRID.whole)
    row, column = data.draw(st.integers(0, 199)), data.draw(st.integers(0, 149))
    window = Window(row, column, data.draw(st.integers(1, 200 - row)), data.draw(st.integers(1, 150 - column)))
    assert np.array_equal(area.mask(window), whole[window.slices])


OUTER, HOLE = box(10, 20, 60, 80), box(30, 40, 40, 60)


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda each: each,
        lambda each: {"type": "Feature", "properties": {}, "geometry": each},
        lambda each: {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "geometry": None},
                {"type": "Feature", "geometry": {"type": "Point", "coordinates": [0, 0]}},
                {"type": "Feature", "geometry": each},
            ],
        },
        lambda each: {
            "type": "GeometryCollection",
            "geometries": [{"type": "GeometryCollection", "geometries": [each]}],
        },
        lambda each: {"type": "MultiPolygon", "coordinates": [each["coordinates"]]},
    ],
)
def test_all_of_geojson(tmp_path, wrap, close):
    rings = [in_degrees(GRID, ring) for ring in (OUTER, HOLE)]
    rings = [[[*corner, 17.5] for corner in ring] for ring in (rings if close else [r[:-1] for r in rings])]
    window, area = read_area(saved(tmp_path, wrap({"type": "Polygon", "coordinates": rings})), GRID)
    assert window == Window(20, 10, 60, 50)
    expected = np.ones((60, 50), bool)
    expected[20:40, 20:30] = False
    assert np.array_equal(area.mask(window), expected)


def test_polygons_are_joined_and_one_that_crosses_itself_is_even_odd(tmp_path):
    bow = [(0, 0), (100, 100), (100, 0), (0, 100)]
    both = {
        "type": "GeometryCollection",
        "geometries": [polygon(in_degrees(GRID, r)) for r in (bow, box(0, 0, 9, 100))],
    }
    window, area = read_area(saved(tmp_path, both), GRID)
    mask = area.mask(window)
    assert (mask[50, 95], mask[50, 5], mask[5, 50], mask[95, 50]) == (True, True, False, False)
    assert mask[:, :8].all()


@pytest.mark.parametrize(
    "crs",
    [
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32618"}},
        {"type": "name", "properties": {"name": "EPSG:32618"}},
        {"type": "EPSG", "properties": {"code": 32618}},
    ],
)
def test_the_crs_that_the_file_names(tmp_path, crs):
    corners = [[PLACE.c + 10 * u, PLACE.f - 10 * v] for u, v in box(20, 30, 70.25, 90)]
    window, area = read_area(saved(tmp_path, polygon(corners) | {"crs": crs}), GRID)
    assert window == Window(30, 20, 60, 51)
    assert area.polygons[0][0] == tuple((float(u), float(v)) for u, v in box(20, 30, 70.25, 90)), "not one bit off"
    longitude = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    there = polygon(in_degrees(GRID, box(20, 30, 70.25, 90))) | {"crs": longitude}
    assert read_area(saved(tmp_path, there), GRID) == (window, area)


@pytest.mark.parametrize("name", ["EPSG:32v18", "EPSG:", "EPSG:99999", "nowhere", 7.5])
def test_a_crs_that_is_none(tmp_path, name):
    named = {"crs": {"type": "name", "properties": {"name": name}}}
    with pytest.raises(OptionError, match=r"found the CRS .*unknown; expected a name like EPSG:32631"):
        read_area(saved(tmp_path, polygon(box(20, 30, 70, 90)) | named), GRID)


@pytest.mark.parametrize("corners", [box(-180, -90, 180, 90), box(-100, 10, -50, 60), box(-360, -90, 0, 90)])
def test_what_is_much_larger_holds_all(tmp_path, corners):
    window, area = read_area(saved(tmp_path, polygon(corners)), GRID)
    assert window == GRID.whole
    assert area.mask(window).all()


@pytest.mark.parametrize("grid", [AT_180, FIJI])
@pytest.mark.parametrize("east", [-179.9, 180.1])
def test_across_the_antimeridian(tmp_path, grid, east):
    low, high = (-0.3, 0.2) if grid is AT_180 else (-17.5, -16.5)
    window, area = read_area(saved(tmp_path, polygon(box(179.8, high, east, low))), grid)
    mask = area.mask(grid.whole)
    rows, columns = np.argwhere(mask).mean(axis=0) + 0.5
    t = grid.transform
    ((longitude,), (latitude,)) = to_crs(grid.crs, "EPSG:4326", [t.a * columns + t.c], [t.e * rows + t.f])
    assert (longitude - 179.95 + 180) % 360 - 180 == pytest.approx(0, abs=0.02)
    assert latitude == pytest.approx((low + high) / 2, abs=0.01)
    metres = 111.2e3**2 * 0.3 * (high - low) * math.cos(math.radians((low + high) / 2))
    assert mask.sum() * grid.gsd**2 == pytest.approx(metres, rel=0.02)
    assert mask.sum() == area.mask(window).sum()


def test_a_hole_across_the_antimeridian(tmp_path):
    hole = box(-179.95, 0.1, -179.85, -0.1)
    window, area = read_area(saved(tmp_path, polygon(box(179.8, 0.2, -179.8, -0.3), hole)), AT_180)
    assert area.mask(window).sum() == 40 * 50 - 10 * 20


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, r"cannot be read \(No such file"),
        ("POLYGON((1 2, 3 4))", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("", "not valid JSON"),
        ([1, 2], "without a `type`"),
        ({}, "without a `type`"),
        ({"type": "FeatureCollection", "features": []}, r"found no polygons \(none\)"),
        ({"type": "FeatureCollection"}, r"found no polygons \(none\)"),
        ({"type": "Point", "coordinates": [2, 49]}, r"found no polygons \(only Point\)"),
        ({"type": "LineString", "coordinates": [[2, 49], [3, 49]]}, "only LineString"),
        ({"type": "Topology", "objects": {}}, "only Topology"),
        ({"type": ["Polygon"]}, "found no polygons"),
        ({"type": "Polygon"}, "a Polygon without coordinates"),
        ({"type": "MultiPolygon", "coordinates": 5}, "a MultiPolygon without coordinates"),
        ({"type": "Polygon", "coordinates": []}, "found no polygons"),
        ({"type": "Polygon", "coordinates": [[]]}, "at least 3 corners"),
        ({"type": "Polygon", "coordinates": [[[2, 49], [3, 49]]]}, "at least 3 corners"),
        ({"type": "Polygon", "coordinates": [[[2, 49], [3], [3, 50]]]}, "at least 3 corners"),
        ({"type": "Polygon", "coordinates": [[["a", "b"], ["c", "d"], ["e", "f"]]]}, "at least 3 corners"),
        ({"type": "Polygon", "coordinates": [[{"x": 1}, None, 3]]}, "at least 3 corners"),
        ('{"type": "Polygon", "coordinates": [[[2, NaN], [3, 4], [5, 6]]]}', "at least 3 corners"),
        (polygon([(2, 49), (3, 49), (4, 49)]), "an area of 0"),
        (polygon(box(435730, 4179460, 436000, 4179000)), r"the corner 435730, 4179460; .*Coordinates in metres"),
        (polygon(box(2, 48, 3, 91)), "found the corner 3, 91"),
        (polygon(box(2, 48, 3, 49)) | {"crs": {"type": "name", "properties": {"name": "my map"}}}, "the CRS .*my map"),
        (polygon(box(2, 48, 3, 49)) | {"crs": {"type": "link"}}, "the CRS .*link"),
        (polygon(box(2, 48, 3, 49)) | {"crs": [5]}, "which is unknown"),
        (polygon([(0, 80), (120, 80), (-120, 79)]), "around a pole"),
        (
            polygon(box(2, 48, 3, 49)),
            "lies at longitude 2.0000 to 3.0000, latitude 48.0000 to 49.0000, the image at",
        ),
        (polygon(in_degrees(GRID, box(-5, 0, -1, 5))), "does not overlap the image"),
        (polygon(in_degrees(GRID, box(5.1, 5.1, 5.4, 5.4))), "without the centre of any pixel"),
    ],
)
def test_files_that_are_no_area(tmp_path, document, says):
    path = str(tmp_path / "nothing.geojson") if document is None else saved(tmp_path, document)
    with pytest.raises(OptionError, match=says) as found:
        read_area(path, GRID)
    assert str(found.value).startswith(f"aoi='{path}': ")


def test_images_and_files_where_there_is_no_place(tmp_path):
    path = saved(tmp_path, polygon(box(2, 48, 3, 49)))
    with pytest.raises(OptionError, match="an image without a CRS"):
        read_area(path, Grid(None, Affine.identity(), 9, 9))
    with pytest.raises(OptionError, match="cannot be transformed to the image's CRS"):
        read_area(path, Grid('LOCAL_CS["a map of mine",UNIT["metre",1]]', PLACE, 9, 9))
    with pytest.raises(OptionError, match="is not a file"):
        read_area(str(tmp_path), GRID)
    (tmp_path / "image.tif").write_bytes(bytes(range(256)))
    with pytest.raises(OptionError, match="not valid JSON"):
        read_area(str(tmp_path / "image.tif"), GRID)


def test_an_image_is_cut_to_an_area(tmp_path):
    values = distinct(2, 200, 150)
    scene = write(tmp_path / "scene.tif", values, names=("B2", "B3"))
    ring = [(20.0, 30.0), (70.0, 30.0), (45.0, 90.0)]
    aoi = saved(tmp_path, polygon(in_degrees(GRID, ring)), "ä b.geojson")
    with open_raster(scene, bands="s2-l2a", aoi=aoi) as raster:
        assert raster.grid == GRID.window(Window(30, 20, 60, 50))
        pixels, part = raster.read(), raster.read(Window(13, 7, 30, 31))
        assert pickle.loads(pickle.dumps(raster)) == raster
    assert np.array_equal(pixels.values[0], values[:, 30:90, 20:70])
    rows, columns = np.mgrid[:60, :50] + 0.5
    inside = (columns > rows * 25 / 60) & (50 - columns > rows * 25 / 60)
    assert (pixels.valid[0] != inside).sum() <= 4
    assert np.array_equal(part.valid, pixels.valid[:, :, 13:43, 7:38])
    with open_raster(scene, bands="s2-l2a", aoi=aoi, gsd=20) as raster:
        assert raster.grid.shape == (30, 25)
        coarse = raster.read()
    assert np.array_equal(
        coarse.values[0, 0], np.floor(values[0, 30:90, 20:70].reshape(30, 2, 25, 2).mean((1, 3)) + 0.5)
    )
    assert 0.4 < coarse.valid.mean() < 0.6


@pytest.mark.parametrize("data", BOTH)
def test_real_areas_hold_their_scenes(data):
    """The outlines beside the scenes, which were cut by them."""
    for folder in sorted((data / "oscd").glob("*/")):
        with rasterio.open(next((folder / "imgs_1").glob("*_B02.tif"))) as dataset:
            grid = Grid(dataset.crs.to_wkt(), dataset.transform, *dataset.shape)
        window, area = read_area(str(folder / f"{folder.name}.geojson"), grid)
        assert area.mask(window).mean() > 0.97, folder.name
        assert window.height * window.width > 0.97 * grid.height * grid.width, folder.name
