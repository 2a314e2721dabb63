"""A folder of single-band files, each on its own grid, is one image by georeference."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import PLACE, distinct, land, write
from rasterio.warp import Resampling, reproject

from spectralgpt.errors import BandError, OptionError, RasterError
from spectralgpt.products import open_raster
from spectralgpt.raster import Window

EAST, NORTH = PLACE.c, PLACE.f
# of the demo scene: the grids share neither origin nor extent
GRIDS = {
    "B02": (10, EAST, NORTH, 97, 93),
    "B05": (20, EAST - 10, NORTH, 48, 47),
    "B01": (60, EAST - 10, NORTH + 20, 16, 16),
}


def ground(name: str, image) -> np.ndarray:
    """A band as its grid samples an image, a function of metres east and south of the finest grid's corner."""
    gsd, east, north, height, width = GRIDS[name]
    x = east - EAST + gsd * (np.arange(width) + 0.5)
    y = NORTH - north + gsd * (np.arange(height) + 0.5)
    return image(x[None, :], y[:, None])


def make(folder, image, dtype="float64", **how):
    folder.mkdir()
    for name, (gsd, east, north, _, _) in GRIDS.items():
        write(
            folder / f"s2_{name}.tif",
            ground(name, image)[None].astype(dtype),
            transform=Affine(gsd, 0, east, 0, -gsd, north),
            **how,
        )
    return folder


@pytest.fixture(scope="module")
def random_folder(tmp_path_factory):
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("scene") / "scene"
    return make(folder, lambda x, y: random.integers(1, 9999, np.broadcast(x, y).shape), "uint16", nodata=0)


def test_the_finest_grid_is_the_grid_of_all(random_folder):
    with open_raster(random_folder, bands="s2-l1c") as raster:
        assert raster.grid.shape == (97, 93)
        assert raster.grid.transform == PLACE
        assert [band.name for band in raster.bands] == ["B1", "B2", "B5"], "in the order of the files' names"
        assert len(raster.paths) == 3
    with open_raster(random_folder, bands="s2-l1c:B1,B5") as raster:
        assert raster.grid.shape == (48, 47), "the finest of what is read"


def test_a_plane_is_exact_wherever_there_is_something_between(tmp_path):
    # bilinear interpolation keeps a plane, wherever the grids' origins lie
    folder = make(tmp_path / "scene", lambda x, y: 1.9 + x * 1e-5 - 3e-5 * y)
    with open_raster(folder, bands="s2-l1c") as raster:
        pixels = raster.read()
    expected = ground("B02", lambda x, y: 1.9 + x * 1e-5 - 3e-5 * y)
    inside = np.s_[3:-8, 3:-8]
    for band in range(3):
        assert np.allclose(pixels.values[0, band][inside], expected[inside], atol=1e-12, rtol=0)


def test_values_are_those_of_gdals_warper(random_folder):
    with open_raster(random_folder, bands="s2-l1c") as raster:
        pixels = raster.read()
    for band, name in ((0, "B01"), (2, "B05")):
        with rasterio.open(random_folder / f"s2_{name}.tif") as dataset:
            warped = np.zeros(raster.grid.shape)
            reproject(
                dataset.read(1).astype(float),
                warped,
                src_transform=dataset.transform,
                dst_transform=PLACE,
                src_crs=dataset.crs,
                dst_crs=dataset.crs,
                resampling=Resampling.bilinear,
                tolerance=0,
            )
        valid = pixels.valid[0, band]
        assert np.abs(warped - pixels.values[0, band])[valid].max() <= 0.5 + 1e-6, "but for rounding"


def test_a_turned_grid_is_placed_too(tmp_path):
    turned = Affine(8, 6, EAST - 100, 6, -8, NORTH)
    write(tmp_path / "2019-01-01_B10.tif", np.zeros((1, 20, 30)))
    rows, columns = np.mgrid[:90, :90] + 0.5
    x, y = EAST - 100 + 8 * columns + 6 * rows, NORTH + 6 * columns - 8 * rows
    write(tmp_path / "2020-01-01_B10.tif", (1e-3 * (x - EAST) + 2e-3 * (NORTH - y))[None], transform=turned)
    with open_raster([tmp_path / "2019-01-01_B10.tif", tmp_path / "2020-01-01_B10.tif"], bands="s2-l1c") as raster:
        pixels, part = raster.read(), raster.read(Window(7, 9, 11, 13))
    rows, columns = np.mgrid[:20, :30] + 0.5
    true = np.ones((20, 30), bool) if pixels.valid is None else pixels.valid[1, 0]
    assert true.sum() > 100
    assert np.allclose(pixels.values[1, 0][true], (1e-2 * columns + 2e-2 * rows)[true], atol=0.02)
    assert np.array_equal(part.values, pixels.values[:, :, 7:18, 9:22])


def test_a_bright_place_stays_where_it_is(tmp_path):
    def image(x, y):
        return 100 + 9000 * np.exp(-((x - 430) ** 2 + (y - 550) ** 2) / (2 * 80**2))

    with open_raster(make(tmp_path / "scene", image, "uint16"), bands="s2-l1c") as raster:
        pixels = raster.read()
    for band in pixels.values[0]:
        weight = band.astype(float) - 100
        rows, columns = 10 * (np.mgrid[:97, :93] + 0.5)
        centre = (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()
        # matched by index, without georeference, the 60 m band would lie 10 m east and 20 m south
        assert centre == pytest.approx((430, 550), abs=2)


def test_what_a_file_does_not_cover_is_not_valid(random_folder):
    with open_raster(random_folder, bands="s2-l1c") as raster:
        valid = raster.read().valid[0]
    for band, name in enumerate(("B01", "B02", "B05")):
        gsd, east, north, height, width = GRIDS[name]
        y, x = NORTH - 10 * (np.arange(97) + 0.5), EAST + 10 * (np.arange(93) + 0.5)
        rows = (y < north) & (y > north - gsd * height)
        columns = (x > east) & (x < east + gsd * width)
        assert np.array_equal(valid[band], rows[:, None] & columns[None, :])


@settings(max_examples=40)
@given(st.integers(0, 96), st.integers(0, 92), st.data())
def test_a_window_holds_the_bits_of_the_whole(random_folder, row, column, data):
    window = Window(row, column, data.draw(st.integers(1, 97 - row)), data.draw(st.integers(1, 93 - column)))
    with open_raster(random_folder, bands="s2-l1c") as raster:
        whole, part = raster.read(), raster.read(window)
    valid = whole.valid[(..., *window.slices)]
    assert np.array_equal(np.ones_like(valid) if part.valid is None else part.valid, valid)
    assert np.array_equal(part.values[valid], whole.values[(..., *window.slices)][valid])


def test_holes_are_nearest_and_never_bleed(tmp_path):
    folder = make(tmp_path / "scene", lambda x, y: 0 * x + 0 * y + 500, "float32")
    gsd, east, north, height, width = GRIDS["B05"]
    values = np.full((1, height, width), 500, np.float32)
    values[0, 10:14, 20] = np.nan
    values[0, 30, 5:8] = 0
    write(folder / "s2_B05.tif", values, transform=Affine(gsd, 0, east, 0, -gsd, north), nodata=0)
    with open_raster(folder, bands="s2-l1c") as raster:
        pixels = raster.read()
    valid = pixels.valid[0, 2]
    expected = np.ones((97, 93), bool)
    expected[20:28, 39:41] = expected[60:62, 9:15] = False  # 20 m pixels, half a pixel to the west
    expected[96:] = False
    expected[:, 93:] = False
    assert np.array_equal(valid, expected)
    assert (pixels.values[0, 2][valid] == 500).all(), "a valid pixel beside a hole is a mean of valid ones"


def test_a_mask_of_a_coarse_file_is_nearest(tmp_path):
    folder = make(tmp_path / "scene", lambda x, y: 0 * x + 0 * y + 500, "uint16")
    gsd, east, north, height, width = GRIDS["B05"]
    mask = np.full((height, width), 255, np.uint8)
    mask[3, 4] = 0
    values = np.full((1, height, width), 500, np.uint16)
    write(folder / "s2_B05.tif", values, transform=Affine(gsd, 0, east, 0, -gsd, north), mask=mask)
    with open_raster(folder, bands="s2-l1c") as raster:
        hole = np.argwhere(~raster.read(Window(0, 0, 20, 20)).valid[0, 2])
    assert hole.tolist() == [[row, column] for row in (6, 7) for column in (7, 8)]


def test_integers_are_rounded_not_cut(tmp_path):
    folder = tmp_path / "scene"
    folder.mkdir()
    write(folder / "a_B02.tif", distinct(1, 4, 4))
    coarse = np.array([[[10, 13], [10, 13]]], np.uint16)
    write(folder / "a_B05.tif", coarse, transform=Affine(20, 0, EAST, 0, -20, NORTH))
    with open_raster(folder, bands="s2-l1c") as raster:
        assert raster.read().values[0, 1].tolist() == [[10, 11, 12, 13]] * 4


@pytest.mark.parametrize(("scene", "height", "width"), [("demo_scene", 516, 516), ("large_scene", 1947, 1933)])
def test_the_demos_scene(request, scene, height, width):
    """Bands on three grids; in the large scene these share neither origin nor extent."""
    with open_raster(request.getfixturevalue(scene), bands="s2-l1c") as raster:
        assert raster.shape == (1, 13, height, width)
        assert raster.read(Window(height // 2, width // 2, 64, 64)).valid is None
        corner = raster.read(Window(0, 0, 8, 8))
        whole = raster.read(Window(0, 0, 300, width))
        assert np.array_equal(corner.values, whole.values[..., :8, :8])


def test_real_folders_at_native_grids(shared):
    city = shared / "data" / "oscd" / "bercy"
    dates = dict(line.split(": ") for line in (city / "dates.txt").read_text().splitlines() if ": " in line)
    assert len(dates) == 2
    with open_raster([f"{city / 'imgs_1'}@2016-01-01", f"{city / 'imgs_2'}@2017-01-01"]) as raster:
        assert raster.shape[:2] == (2, 13)
        assert raster.sensor.name == "s2-l1c"
        pixels = raster.read()
        red, edge = (pixels.values[0, raster.bands.index(raster.sensor.band(name))] for name in ("B4", "B5"))
    aligned, moved = (np.corrcoef(red[shift:].ravel(), edge[: len(edge) - shift].ravel())[0, 1] for shift in (0, 3))
    assert aligned > moved + 0.1, "10 m and 20 m lie on each other"


def test_other_files_are_left_out_and_said(tmp_path, random_folder):
    folder = make(tmp_path / "scene", lambda x, y: 0 * x + 0 * y + 500, "uint16")
    write(folder / "preview.tif", distinct(3, 5, 5, "uint8"))
    write(folder / "slope.tif", distinct(1, 5, 5))
    (folder / "broken.tif").write_text("no image")
    (folder / "notes.txt").write_text("B04")
    (folder / ".s2_B04.tif").write_text("hidden")
    with open_raster(folder, bands="s2-l1c") as raster:
        assert raster.shape[1] == 3
        assert raster.warnings == (
            f"{folder}: left out broken.tif (not readable), preview.tif (several bands), slope.tif (no band name)",
        )


def test_a_description_wins_over_a_files_name(tmp_path):
    write(tmp_path / "B01.tif", distinct(1, 5, 5), names=["B10"])
    with open_raster(tmp_path, bands="s2-l1c") as raster:
        assert [band.name for band in raster.bands] == ["B10"]


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ({}, RasterError, r"found a folder without images \(.tif"),
        ({"slope.tif": {}}, RasterError, r"found no image with a single band and its name among 1 \(slope.tif"),
        ({"a_B02.tif": {}, "b_B2.tif": {}}, BandError, "found the band name 'B2' more than once"),
        ({"a_B02.tif": {}, "a_B77.tif": {}}, BandError, "found band names 'B77'"),
        (
            {"a_B02.tif": {}, "a_B8A.tif": {"crs": None, "transform": Affine.identity(), "side": 4}},
            RasterError,
            "found bands of 8 x 8, 4 x 4 pixels, some without georeference",
        ),
        ({"2020-01-01_B02.tif": {}, "2021-01-01_B03.tif": {}}, RasterError, "found files of 2020-01-01 and 2021-01-01"),
    ],
)
def test_folders_that_are_no_image(tmp_path, files, error, says):
    for name, how in files.items():
        side = how.get("side", 8)
        write(tmp_path / name, distinct(1, side, side), **{k: v for k, v in how.items() if k != "side"})
    with pytest.raises(error, match=says):
        open_raster(tmp_path)
    if files.keys() == {"a_B02.tif", "a_B8A.tif"}:
        open_raster(tmp_path, bands="B02").close()


def clouds_beside(folder, **layers):
    """A folder of bands with cloud layers of these names, whose first rows are cloudy."""
    folder.mkdir()
    for name in ("B02", "B03", "B04"):
        write(folder / f"x_{name}.tif", land(64, 64, bands=1))
    for name, (rows, value, description) in layers.items():
        layer = np.zeros((1, 64, 64), np.uint16)
        layer[:, :rows] = value
        write(folder / f"x_{name}.tif", layer, names=(description,))
    return folder


LAYERS = {"SCL": (8, 9, None), "QA_PIXEL": (16, 8, "QA_PIXEL"), "Fmask": (32, 2, "Fmask")}


@pytest.mark.parametrize(("option", "rows"), [("scl", 8), ("qa", 16), ("FMASK", 32)])
def test_of_several_cloud_layers_the_one_that_is_named_is_read(tmp_path, option, rows):
    folder = clouds_beside(tmp_path / "bands", **LAYERS)
    with open_raster(folder, bands="s2-l2a", clouds=option) as raster:
        assert raster.warnings == ()
        valid = raster.read().valid[0, 0]
    assert not valid[:rows].any()
    assert valid[rows:].all()


def test_the_only_cloud_layer_is_read_by_another_name_with_a_warning(tmp_path):
    folder = clouds_beside(tmp_path / "bands", SCL=LAYERS["SCL"])
    with open_raster(folder, bands="s2-l2a", clouds="qa") as raster:
        assert any("has scl instead, which is used" in warning for warning in raster.warnings)
        assert not raster.read().valid[0, 0, :8].any()


def test_a_name_of_none_of_several_cloud_layers_is_refused(tmp_path):
    folder = clouds_beside(tmp_path / "bands", SCL=LAYERS["SCL"], Fmask=LAYERS["Fmask"])
    with pytest.raises(OptionError, match="clouds='qa': found the cloud layers fmask, scl"):
        open_raster(folder, bands="s2-l2a", clouds="qa")


def test_what_is_neither_a_layer_nor_a_file_names_the_argument(tmp_path):
    folder = clouds_beside(tmp_path / "bands")
    with pytest.raises(OptionError, match=r"clouds='nothing\.tif': there is no such file"):
        open_raster(folder, bands="s2-l2a", clouds="nothing.tif")


def test_bands_named_after_a_mask_are_bands(tmp_path):
    for name in ("B02", "B03"):
        write(tmp_path / f"x_Fmask_{name}.tif", land(8, 8, bands=1))
    with open_raster(tmp_path, bands="s2-l2a") as raster:
        assert [band.name for band in raster.bands] == ["B2", "B3"]
        assert raster.clouds == (None,)


def test_envi_files_as_gdal_writes_them_are_named_after_their_files(tmp_path):
    """Their header says Band 1, each of them."""
    for name, ending in (("B02", "dat"), ("B03", "dat"), ("B04", "bin")):
        write(tmp_path / f"x_{name}.{ending}", land(8, 8, bands=1), driver="ENVI")
    (tmp_path / "x_B05.dat").write_text("notes, no image: there is no header beside")
    with open_raster(tmp_path, bands="s2-l2a") as raster:
        assert [band.name for band in raster.bands] == ["B2", "B3", "B4"]
        assert raster.warnings == ()


def test_what_is_no_date_names_the_argument(tmp_path):
    folder = clouds_beside(tmp_path / "bands")
    with pytest.raises(RasterError, match=r"^dates='2020-13-01': found '2020-13-01' for a date"):
        open_raster(folder, bands="s2-l2a", dates="2020-13-01")
