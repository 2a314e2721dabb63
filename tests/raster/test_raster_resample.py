"""Reading on another grid: averages and bilinear values are GDAL's, a window's bits are the whole's."""

import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_rasters import PLACE, UTM, distinct, land, write
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as to_crs
from rasterio.warp import transform_bounds
from real_rasters import real

from spectralgpt.errors import OptionError
from spectralgpt.products import open_raster
from spectralgpt.raster import Grid, Window
from spectralgpt.raster import raster as module
from spectralgpt.raster.grid import applied, composed
from spectralgpt.raster.resample import SourcePlaces, places, resampled, touched

WKT = CRS.from_user_input(UTM).to_wkt()
FINE = Grid(WKT, PLACE, 97, 93)


def in_crs(crs: str, height: int, width: int) -> Grid:
    """About the same number of 10 m pixels in another CRS, over the same ground, from PLACE on."""
    found = CRS.from_user_input(crs)
    bounds = (PLACE.c, PLACE.f - 10 * height, PLACE.c + 10 * width, PLACE.f)
    west, south, east, north = transform_bounds(UTM, found, *bounds)
    step = Affine((east - west) / width, 0, west, 0, (south - north) / height, north)
    return Grid(found.to_wkt(), step, height, width)


def on(values: np.ndarray, source: Grid, target: Grid, valid: np.ndarray | None = None) -> np.ndarray:
    """Our values of the whole target, 0 where there are none, and which are valid."""
    at = places(target, target.whole, source)
    cut = (slice(None), *at.taps.slices)
    out = np.zeros((1, *target.shape), values.dtype)
    true = None if valid is None else valid[None][cut]
    resampled(values[None][cut], true, at, at.taps, out)
    return out[0], at.covered() if true is None else touched(true, at, at.taps)[0]


def warped(values: np.ndarray, source: Grid, target: Grid, how: Resampling, nodata: float | None = None) -> np.ndarray:
    """GDAL's values. It interpolates the places within a row, within a tolerance that cannot be 0."""
    size = {"height": source.height, "width": source.width, "count": 1, "dtype": values.dtype}
    onto = {"crs": target.crs, "transform": target.transform, "height": target.height, "width": target.width}
    with MemoryFile() as memory:
        place = {"crs": source.crs, "transform": source.transform, "nodata": nodata}
        with memory.open(driver="GTiff", **size, **place) as dataset:
            dataset.write(values, 1)
        with memory.open() as dataset, WarpedVRT(dataset, resampling=how, tolerance=1e-9, **onto) as warp:
            return warp.read(1)


def inner(at: SourcePlaces, source: Grid) -> np.ndarray:
    """Where the whole footprint lies on the source: beyond its edge GDAL counts the outermost pixels several times."""
    known = at.covered()
    for axis, size in ((at.rows, source.height), (at.columns, source.width)):
        known = known & (axis.index[0] > 0) & (axis.index[-1] < size - 1)
    return known


@pytest.fixture(scope="module")
def city():
    """Bands of 10, 20 and 60 m of a real scene, as they are."""
    found = {}
    for name in ("B02", "B05", "B01"):
        with rasterio.open(real(f"oscd/bercy/imgs_1/*_{name}.tif")) as dataset:
            found[name] = dataset.read(1), Grid(dataset.crs.to_wkt(), dataset.transform, *dataset.shape)
    return found


def assert_gdals(values, source, target, how):
    at = places(target, target.whole, source)
    known = inner(at, source)
    assert known.mean() > 0.8
    exact, _ = on(values.astype(float), source, target)
    wanted = warped(values.astype(float), source, target, how)
    assert np.abs(exact - wanted)[known].max() < 1e-2, "of thousands: places differ by less than 1e-6 pixels"
    rounded, _ = on(values, source, target)
    of_gdal = warped(values, source, target, how)
    near = np.abs(exact % 1 - 0.5) < 1e-2  # the last bits decide how a half is rounded
    assert np.array_equal(rounded[known & ~near], of_gdal[known & ~near])
    assert np.abs(rounded.astype(int) - of_gdal)[known].max() <= 1
    assert near.mean() < 0.3


@pytest.mark.parametrize(("name", "gsd"), [("B05", None), ("B01", None), ("B02", 35), ("B02", 60), ("B02", 61.3)])
def test_real_values_are_gdals(city, name, gsd):
    values, source = city[name]
    finest = city["B02"][1]
    target = finest if gsd is None else finest.at_gsd(gsd)
    assert_gdals(values, source, target, Resampling.bilinear if gsd is None else Resampling.average)


@pytest.mark.parametrize("ratio", [2, 2.5, 6])
def test_averages_on_a_utm_grid_are_gdals(city, ratio):
    values = city["B02"][0]
    source = Grid(WKT, PLACE, *values.shape)
    assert_gdals(values, source, source.at_gsd(10 * ratio), Resampling.average)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:32617", "EPSG:4326"])
@pytest.mark.parametrize(("gsd", "how"), [(35, Resampling.average), (8, Resampling.bilinear)])
def test_through_another_crs_they_are_gdals(city, crs, gsd, how):
    values = city["B02"][0]
    source = Grid(WKT, PLACE, *values.shape)
    target = in_crs(crs, *values.shape).at_gsd(gsd)
    assert target.gsd == pytest.approx(gsd, rel=0.01)
    assert_gdals(values, source, target, how)


def test_what_is_valid_of_an_average_is_gdals():
    random = np.random.default_rng(0)
    values = random.integers(1, 9999, (97, 93)).astype(np.uint16)
    values[random.random(values.shape) < 0.7] = 0
    values[40:80, 30:60] = 0
    target = FINE.at_gsd(20)
    found, valid = on(values, FINE, target, values > 0)
    wanted = warped(values, FINE, target, Resampling.average, nodata=0)
    assert np.array_equal(valid, wanted > 0), "a pixel is valid where any under it is"
    whole = np.s_[:-1, :-1]
    assert np.abs(found[whole].astype(int) - wanted[whole])[valid[whole]].max() <= 1


def test_an_average_is_the_hand_computed_one():
    values = np.arange(12, dtype=np.float64).reshape(3, 4)
    source = Grid(WKT, PLACE, 3, 4)
    found, _ = on(values, source, source.at_gsd(15))
    # 1.5 x 1.5 source pixels; the last column has one third on the source
    rows = np.array([[1, 0.5, 0], [0, 0.5, 1]])
    columns = np.array([[1, 0.5, 0, 0], [0, 0.5, 1, 0], [0, 0, 0, 1]])
    weights = np.einsum("ri,cj->rcij", rows, columns)
    assert np.allclose(found, (weights * values).sum((2, 3)) / weights.sum((2, 3)), atol=1e-12)


def test_halves_are_rounded_up_of_either_sign():
    source = Grid(WKT, PLACE, 2, 6)
    values = np.array([[1, 2, -1, -2, 7, 7], [2, 1, -2, -1, 7, 7]], np.int16)
    assert on(values, source, source.at_gsd(20))[0].tolist() == [[2, -1, 7]]


@settings(max_examples=60)
@given(st.floats(1.1, 9), st.floats(-40, 40), st.floats(-40, 40), st.booleans())
def test_a_plane_is_kept(ratio, east, south, turned_up):
    """The mean of a plane over a box is its value in the middle, except where flat pixels are cut."""
    rows, columns = np.mgrid[:97, :93] + 0.5
    values = 500 + 3 * rows - 7 * columns
    step = -1 if turned_up else 1
    transform = Affine(10 * ratio, 0, PLACE.c + east, 0, -10 * ratio * step, PLACE.f - south - (turned_up and 970))
    target = Grid(WKT, transform, math.ceil(97 / ratio), math.ceil(93 / ratio))
    found, valid = on(values, FINE, target)
    r, c = np.mgrid[: target.height, : target.width] + 0.5
    wanted = 500 + 3 * (south / 10 + (97 if turned_up else 0) + step * ratio * r) - 7 * (east / 10 + ratio * c)
    known = inner(places(target, target.whole, FINE), FINE)
    assert np.abs(found - wanted)[known].max() <= (3 + 7) * 0.25 / ratio + 1e-6
    assert valid[known].all()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Three grids, holes, an image of another date in degrees."""
    folder = tmp_path_factory.mktemp("reading")
    one = folder / "2020-01-01"
    one.mkdir()
    for gsd, name, side in ((10, "B02", 120), (20, "B05", 61), (60, "B01", 20)):
        values = land(side, side, seed=gsd, bands=1)
        values[0, side // 3 : side // 2, side // 4 : side // 2] = 0
        write(one / f"{name}.tif", values, transform=Affine(gsd, 0, PLACE.c, 0, -gsd, PLACE.f), nodata=0)
    two = folder / "2021-01-01.tif"
    values = land(130, 110, bands=3)
    values[:, 20:30, 10:90] = 0
    write(
        two,
        values,
        crs="EPSG:4326",
        transform=in_crs("EPSG:4326", 130, 110).transform,
        names=("B1", "B2", "B5"),
        nodata=0,
    )
    return [one, two]


@pytest.mark.parametrize("gsd", [None, 7.3, 10, 25, 60])
def test_a_window_holds_the_bits_of_the_whole_at_any_gsd(scene, gsd, monkeypatch):
    random = np.random.default_rng(1)
    with open_raster(scene, bands="s2-l2a", gsd=gsd) as raster:
        whole = raster.read()
        height, width = raster.grid.shape
        for strip in (2**19, 500):
            monkeypatch.setattr(module, "STRIP_PIXELS", strip)
            for _ in range(12):
                row, column = int(random.integers(height)), int(random.integers(width))
                window = Window(
                    row, column, int(random.integers(1, height - row + 1)), int(random.integers(1, width - column + 1))
                )
                part, cut = raster.read(window), (..., *window.slices)
                valid = np.ones(part.values.shape, bool) if part.valid is None else part.valid
                assert np.array_equal(valid, whole.valid[cut])
                assert np.array_equal(part.values[valid], whole.values[cut][valid])


def test_a_gsd_reads_averages_and_bilinear_values(scene):
    with open_raster(scene[0], bands="s2-l2a", gsd=20) as raster:
        assert (raster.grid.shape, raster.grid.transform.a, raster.gsd) == ((60, 60), 20, pytest.approx(20, rel=1e-3))
        pixels = raster.read()
    names = [band.name for band in pixels.bands]
    for name, file in (("B2", "B02"), ("B5", "B05")):
        with rasterio.open(scene[0] / f"{file}.tif") as dataset:
            stored = dataset.read(1).astype(float)
        if name == "B2":
            blocks = np.where(stored > 0, stored, np.nan).reshape(60, 2, 60, 2)
            known = np.isfinite(blocks).any(axis=(1, 3))
            stored = np.zeros((60, 60))
            stored[known] = np.floor(np.nanmean(blocks.transpose(0, 2, 1, 3).reshape(60, 60, 4)[known], axis=1) + 0.5)
        band = names.index(name)
        known = stored[:60, :60] > 0
        assert np.array_equal(pixels.valid[0, band], known)
        assert np.array_equal(pixels.values[0, band][known], stored[:60, :60][known]), name


@given(
    st.sampled_from([10.0, 0.6, 30.0]),
    st.floats(0.3, 500),
    st.integers(60, 400),
    st.integers(60, 400),
    st.booleans(),
)
@example(10.0, 10.0, 100, 100, False)
@example(10.0, 20.0, 101, 99, False)
def test_a_grid_of_a_gsd_covers_the_same_ground(size, gsd, height, width, south_up):
    grid = Grid(WKT, Affine(size, 0, 435730, 0, size if south_up else -size, 4179460), height, width)
    if min(height, width) * size < gsd:
        with pytest.raises(OptionError, match="less than one such pixel"):
            grid.at_gsd(gsd)
        return
    found = grid.at_gsd(gsd)
    assert (found.transform.c, found.transform.f) == (grid.transform.c, grid.transform.f)
    assert found.transform.a == pytest.approx(gsd, rel=1e-12), "UTM's own metres"
    assert found.transform.e == pytest.approx(math.copysign(gsd, grid.transform.e), rel=1e-12)
    for now, before in zip(found.shape, grid.shape, strict=True):
        assert before * size - 1e-5 * gsd <= now * gsd < before * size + gsd
    if gsd == size:
        assert found == grid


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:3857", Affine(10, 0, 0, 0, -10, 6446275)),
        ("EPSG:4326", Affine(1e-4, 0, 2, 0, -2e-4, 48.85)),
        (UTM, Affine(10, 0, 435730, 0, -20, 4179460)),
        (UTM, Affine(8, 6, 435730, 6, -8, 4179460)),
    ],
)
def test_the_gsd_is_that_on_the_ground_and_pixels_are_square(crs, transform):
    grid = Grid(CRS.from_string(crs).to_wkt(), transform, 200, 200).at_gsd(800)
    assert grid.gsd == pytest.approx(800, rel=2e-3)
    column, row = grid.width / 2, grid.height / 2
    corners = [applied(grid.transform, column + u, row + v) for u, v in ((0, 0), (1, 0), (0, 1))]
    xs, ys = to_crs(grid.crs, "EPSG:4326", *np.transpose(corners))
    east, north = 111.2e3 * math.cos(math.radians(ys[0])), 111.2e3
    right, down = (math.hypot(east * (xs[i] - xs[0]), north * (ys[i] - ys[0])) for i in (1, 2))
    assert right == pytest.approx(down, rel=0.01)


@pytest.mark.parametrize(
    ("grid", "gsd", "says"),
    [
        (FINE, 0, "gsd=0; expected a number of metres"),
        (FINE, -3.0, "above 0"),
        (FINE, math.nan, "gsd=nan"),
        (FINE, math.inf, "above 0"),
        (FINE, 5000, "found an image of 970 x 930 metres"),
        (FINE, 1e-3, r"970000 x 930000 pixels; expected at most 2\^31"),
        (FINE, 1e-320, r"at most 2\^31"),
        (Grid(None, Affine.identity(), 9, 9), 20, "without a georeference"),
        (Grid('LOCAL_CS["a map of mine",UNIT["metre",1]]', PLACE, 9, 9), 20, "without a georeference"),
    ],
)
def test_a_gsd_that_does_not_fit(grid, gsd, says):
    with pytest.raises(OptionError, match=says):
        grid.at_gsd(gsd)


@given(st.integers(-150, 150), st.integers(-150, 150), st.integers(1, 99), st.integers(1, 99))
def test_grids_of_the_same_pixels_know_their_offset(row, column, height, width):
    part = FINE.window(Window(row, column, height, width))
    assert part.offset_on(FINE) == (row, column)
    assert FINE.offset_on(part) == (-row, -column)
    half = Grid(WKT, composed(part.transform, Affine.translation(0.5, 0)), height, width)
    assert half.offset_on(FINE) is None
    assert part.coincides(FINE) == ((row, column, height, width) == (0, 0, 97, 93))


def test_files_of_the_same_pixels_are_read_as_they_stand(tmp_path, monkeypatch):
    """Dates with extents that differ by whole pixels need no resampling."""
    monkeypatch.delattr(module, "resampled")
    values = distinct(2, 30, 40)
    one = write(tmp_path / "2019-01-01.tif", values, names=("B2", "B3"))
    moved = composed(PLACE, Affine.translation(-4, 5))
    two = write(tmp_path / "2020-01-01.tif", values, names=("B2", "B3"), transform=moved)
    with open_raster([one, two], bands="s2-l2a") as raster:
        pixels, part = raster.read(), raster.read(Window(2, 30, 9, 10))
    assert np.array_equal(pixels.values[1, :, 5:, :36], values[:, :25, 4:])
    expected = np.zeros((30, 40), bool)
    expected[5:, :36] = True
    assert np.array_equal(pixels.valid[1], np.broadcast_to(expected, (2, 30, 40)))
    assert pixels.valid[0].all()
    assert np.array_equal(part.valid, pixels.valid[..., 2:11, 30:])
    assert np.array_equal(part.values[part.valid], pixels.values[..., 2:11, 30:][part.valid])
