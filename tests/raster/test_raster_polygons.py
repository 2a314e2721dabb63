"""Polygons of a map of classes: their areas, holes and cuts, and the GeoPackage that holds them."""

import sqlite3
import struct
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.features import rasterize, shapes

from made_class_maps import class_rows, polygons_and_memory
from spectralgpt.errors import TargetError
from spectralgpt.raster import Grid, Profile, geopackage, polygons, write_raster
from spectralgpt.raster.areas import row_areas
from spectralgpt.raster.geopackage import ClassPolygon, geopackage_tags, write_polygons
from spectralgpt.raster.polygons import polygons_of_rows

UTM_WKT, DEGREES = CRS.from_epsg(32618).to_wkt(), CRS.from_epsg(4326).to_wkt()
TENS = Affine(10, 0, 5e5, 0, -10, 4e6)
NAMES_OF_CLASSES = ("forest", "water", "soil", "town")


def grid_of(values: np.ndarray, crs: str | None = UTM_WKT, transform: Affine = TENS) -> Grid:
    return Grid(crs, transform, *values.shape)


def found_in(values: np.ndarray, grid: Grid, blocks: int = 1, **how) -> list[ClassPolygon]:
    return list(polygons_of_rows(np.array_split(values, blocks), lambda some: some != 255, grid, **how))


def ring_of(points) -> tuple:
    """The same for a ring, wherever it starts."""
    corners = np.asarray(points)[:-1].round().astype(int).tolist()
    first = corners.index(min(corners))
    return tuple(map(tuple, corners[first:] + corners[:first]))


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 16),
    columns=st.integers(1, 16),
    blocks=st.integers(1, 6),
    edges=st.sampled_from([5, 20, 60]),
    most=st.sampled_from([0.3, 0.5, 0.6, 0.8]),
)
@settings(deadline=None, max_examples=40, phases=[Phase.generate])
def test_joined_over_strips_they_are_those_of_the_whole_map(seed, rows, columns, blocks, edges, most):
    """Ring by ring what GDAL finds in all rows at once, from strips of one row on; near the share of one class from
    which on it is in one part over the whole map, with holes that touch each other and the outer ring at corners."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((rows, columns)) < most, 1, rng.choice([0, 2, 255], (rows, columns))).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(polygons, "POLYGON_EDGES", edges)
        found = found_in(values, Grid(None, Affine.identity(), rows, columns), min(blocks, rows))
    joined = [(each.value, ring_of(each.rings[0]), sorted(map(ring_of, each.rings[1:]))) for each in found]
    whole = [
        (int(value), ring_of(shape["coordinates"][0]), sorted(map(ring_of, shape["coordinates"][1:])))
        for shape, value in shapes(values, mask=values != 255, connectivity=4)
    ]
    assert sorted(joined) == sorted(whole)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 20), columns=st.integers(1, 20), blocks=st.integers(1, 4))
@settings(deadline=None, max_examples=40, phases=[Phase.generate])
def test_polygons_drawn_again_are_the_map(seed, rows, columns, blocks):
    """To the pixel, whatever the block rows, also where they are cut; areas are those of the pixels."""
    values = np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), (rows, columns))
    grid = grid_of(values)
    with pytest.MonkeyPatch.context() as patched:
        if seed % 2:
            patched.setattr(polygons, "POLYGON_EDGES", 12)
            patched.setattr(polygons, "OPEN_POINTS", 200)
        found = found_in(values, grid, min(blocks, rows))
    drawn = np.full(values.shape, 255, np.uint8)
    for each in found:
        geometry = {"type": "Polygon", "coordinates": [ring.tolist() for ring in each.rings]}
        inside = rasterize([(geometry, 1)], values.shape, transform=grid.transform).astype(bool)
        assert each.pixels == inside.sum()
        assert each.area == 100 * each.pixels
        assert (drawn[inside] == 255).all(), "no pixel is in two"
        drawn[inside] = each.value
    np.testing.assert_array_equal(drawn, values)


def test_small_parts_are_left_out_unless_they_touch_a_cut(monkeypatch):
    values = np.zeros((40, 30), np.uint8)
    values[3:5, 3:6] = 1  # 600 square metres
    values[18:22, 10:12] = 1  # 800, and 400 on each side of the row where a strip ends
    values[30, 20] = 2  # 100
    grid = grid_of(values)
    for blocks in (1, 2):
        monkeypatch.setattr(polygons, "POLYGON_PIXELS", 1200 // blocks)
        found = [(each.value, each.pixels) for each in found_in(values, grid, blocks, min_area=600)]
        assert sorted(found) == [(0, 1185), (1, 6), (1, 8)]
        assert sorted(each.pixels for each in found_in(values, grid, blocks, min_area=601)) == [8, 1186 - 1]
    cuts: list[int] = []
    monkeypatch.setattr(polygons, "OPEN_POINTS", 10)
    cut = found_in(values, grid, 2, min_area=601, cut_at=cuts.append)
    assert sorted(each.pixels for each in cut) == [4, 4, 590, 595]
    assert cuts == [20]


@pytest.mark.parametrize("height", [50, 200])
def test_what_is_held_does_not_grow_with_the_height(height, monkeypatch):
    """Points of the polygons that reach the end of a strip: no more in a map that is higher."""
    monkeypatch.setattr(polygons, "POLYGON_PIXELS", 20 * 25)
    monkeypatch.setattr(polygons, "OPEN_POINTS", 600)
    cuts: list[int] = []
    grid = Grid(UTM_WKT, TENS, height, 20)
    found = list(polygons_of_rows(class_rows("noisy", height, 20), lambda some: some != 255, grid, cut_at=cuts.append))
    assert sum(each.pixels for each in found) == 20 * height
    assert cuts == []
    monkeypatch.setattr(polygons, "OPEN_POINTS", 100)
    list(polygons_of_rows(class_rows("noisy", height, 20), lambda some: some != 255, grid, cut_at=cuts.append))
    assert len(cuts) >= height / 50, "they are counted"


@pytest.mark.long
def test_memory_of_the_process_does_not_grow_with_the_height():
    small, large = (polygons_and_memory("calm", rows, 2000) for rows in (2000, 8000))
    assert large[0] > 3 * small[0]
    assert large[1] < small[1] + 20


def test_corners_do_not_join_and_holes_are_rings():
    values = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 255]], np.uint8)
    found = found_in(values, grid_of(values))
    assert sorted((each.value, each.pixels) for each in found) == [(0, 9), (1, 1), (1, 1)]
    ring = np.zeros((5, 6), np.uint8)
    ring[1:4, 1:5], ring[2, 2:4] = 1, 2
    (outer,) = [each for each in found_in(ring, grid_of(ring)) if each.value == 1]
    assert (outer.pixels, [len(each) for each in outer.rings]) == (10, [5, 5])
    assert outer.rings[0].min(axis=0).tolist() == [5e5 + 10, 4e6 - 40]
    assert outer.rings[1].max(axis=0).tolist() == [5e5 + 40, 4e6 - 20]


def test_areas_on_the_ground():
    """Of UTM's pixels; of degrees, by the latitude of each row; none without a CRS."""
    values = np.zeros((100, 4), np.uint8)
    assert (row_areas(grid_of(values)) == 100).all()
    assert np.isnan(row_areas(grid_of(values, None))).all()
    degrees = grid_of(values, DEGREES, Affine(0.1, 0, 10, 0, -0.1, 60))
    areas = row_areas(degrees)
    # at 60 degrees north a degree east is 55.8 km, at 50 it is 71.7 km; a degree north is 111.4 and 111.2 km
    assert areas[0] == pytest.approx(55_802 * 111_412 / 100, rel=2e-3)
    assert areas[-1] == pytest.approx(71_697 * 111_230 / 100, rel=2e-3)
    assert (np.diff(areas) > 0).all()
    exact = [grid_of(values[:1], DEGREES, Affine(0.1, 0, 10, 0, -0.1, 60 - row / 10)).pixel_metres for row in (33, 58)]
    np.testing.assert_allclose(areas[[33, 58]], exact, rtol=1e-5)


@pytest.mark.parametrize(
    ("crs", "number", "organization"),
    [
        (UTM_WKT, 32618, "EPSG"),
        (DEGREES, 4326, "EPSG"),
        (CRS.from_proj4("+proj=laea +lat_0=47 +lon_0=9 +units=m").to_wkt(), 100_000, "NONE"),
        (None, -1, "NONE"),
    ],
)
def test_a_geopackage_is_what_the_standard_asks_for(crs, number, organization, tmp_path):
    values = np.array([[0, 0, 1], [2, 2, 1]], np.uint8)
    grid = grid_of(values, crs)
    found = found_in(values, grid)
    tags = {"SPECTRALGPT_VERB": "predict", "text": "<&> é"}
    path = tmp_path / "a.gpkg"
    assert write_polygons(path, found, NAMES_OF_CLASSES, crs, tags) == 3
    first = path.read_bytes()
    assert struct.unpack(">I", first[68:72])[0] == 0x47504B47
    assert geopackage_tags(path) == tags
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        ((srs, *bounds),) = file.execute("SELECT srs_id, min_x, min_y, max_x, max_y FROM gpkg_contents")
        assert (srs, bounds) == (number, [5e5, 4e6 - 20, 5e5 + 30, 4e6])
        known = dict(file.execute("SELECT srs_id, organization FROM gpkg_spatial_ref_sys"))
        assert known[number] == organization
        assert {-1, 0, 4326} <= set(known)
        rows = list(file.execute("SELECT geom, value, class, pixels, area FROM classes ORDER BY value"))
    assert [row[1:4] for row in rows] == [(0, "forest", 2), (1, "water", 2), (2, "soil", 2)]
    for (geometry, *_), each in zip(rows, sorted(found, key=lambda one: one.value), strict=True):
        magic, version, flags, own, *envelope = struct.unpack("<2sBBi4d", geometry[:40])
        assert (magic, version, flags, own) == (b"GP", 0, 3, number)
        order, kind, rings, points = struct.unpack("<BIII", geometry[40:53])
        assert (order, kind, rings, points) == (1, 3, 1, 5)
        ring = np.frombuffer(geometry[53:], "<f8").reshape(-1, 2)
        np.testing.assert_array_equal(ring, each.rings[0])
        assert envelope == [ring[:, 0].min(), ring[:, 0].max(), ring[:, 1].min(), ring[:, 1].max()]
    write_polygons(path, found, NAMES_OF_CLASSES, crs, tags)
    assert path.read_bytes() == first, "the same polygons are the same file"


def test_a_geopackage_without_polygons(tmp_path):
    assert write_polygons(tmp_path / "a.gpkg", [], NAMES_OF_CLASSES, UTM_WKT, {}) == 0
    with sqlite3.connect(tmp_path / "a.gpkg") as file:
        assert file.execute("SELECT min_x FROM gpkg_contents").fetchall() == [(None,)]


def test_other_files_have_no_tags(tmp_path):
    (tmp_path / "text.gpkg").write_text("mine")
    (tmp_path / "empty.gpkg").touch()
    for name in ("text.gpkg", "empty.gpkg", "none.gpkg"):
        assert geopackage_tags(tmp_path / name) == {}
    assert not (tmp_path / "none.gpkg").exists()


def test_a_disk_that_refuses(tmp_path, monkeypatch):
    with pytest.raises(TargetError, match="cannot be written to"):
        write_polygons(tmp_path / "none" / "a.gpkg", [], NAMES_OF_CLASSES, None, {})

    def full(*arguments):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(geopackage, "_add_tags", full)
    with pytest.raises(TargetError, match=r"No space left on device\), found \S+ [kMGT]B free"):
        write_polygons(tmp_path / "a.gpkg", [], NAMES_OF_CLASSES, None, {})


def test_names_of_values_join_what_the_sidecar_holds(tmp_path):
    """A CRS that a GeoTIFF cannot hold lies in the sidecar, too."""
    import rasterio

    strange = CRS.from_proj4("+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +to_meter=0.01745")
    for name, crs in (("plain", UTM_WKT), ("strange", strange.to_wkt())):
        profile = Profile(grid_of(np.zeros((4, 5)), crs), 1, "uint8", 255, categories=("a & b", "c"))
        path = tmp_path / f"{name}.tif"
        write_raster(path, np.zeros((1, 4, 5), np.uint8), profile)
        text = (tmp_path / f"{name}.tif.aux.xml").read_text(encoding="utf-8")
        assert "<Category>a &amp; b</Category>" in text
        with rasterio.open(path) as dataset:
            assert dataset.crs == CRS.from_wkt(crs)
        write_raster(path, np.zeros((1, 4, 5), np.uint8), replace(profile, categories=()))
        assert name == "strange" or not (tmp_path / f"{name}.tif.aux.xml").exists()
    with pytest.raises(ValueError, match="categories of the only band"):
        Profile(grid_of(np.zeros((4, 5))), 2, "uint8", categories=("a",))
