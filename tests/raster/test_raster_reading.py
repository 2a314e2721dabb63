"""Opening a file and reading it: values, validity, scale, dates, threads."""

import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_rasters import PLACE, UTM, distinct, write
from rasterio.warp import reproject, transform
from real_rasters import real, real_all

from spectralgpt.checks import check
from spectralgpt.errors import BandError, RasterError
from spectralgpt.products import as_pixels, open_raster
from spectralgpt.raster import DATE_TAG, SENSOR_TAG, Window, trusted

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

NAMES = ["B02", "B03", "B10"]


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", distinct(3, 40, 50), names=NAMES)


def test_a_file_is_read_as_it_stands(scene):
    with open_raster(scene) as raster:
        assert raster.shape == (1, 3, 40, 50)
        assert [band.name for band in raster.bands] == ["B2", "B3", "B10"]
        assert raster.sensor.name == "s2-l1c"
        assert raster.gsd == pytest.approx(10, rel=1e-3)
        assert (raster.grid.transform, raster.grid.shape) == (PLACE, (40, 50))
        assert raster.paths == (str(scene),)
        assert (raster.dates, raster.days, raster.nodata) == (("",), (-1,), 0.0)
        assert (raster.dtype, raster.scale, raster.offset) == (np.dtype("uint16"), (1e-4,) * 3, (0.0,) * 3)
        pixels = raster.read()
    assert np.array_equal(pixels.values[0], distinct(3, 40, 50))
    assert pixels.valid is None
    assert pixels.bands == raster.bands
    assert pixels.days.tolist() == [-1]


def test_the_repr_is_short(scene, tmp_path):
    with open_raster(scene) as raster:
        assert repr(raster) == (
            "<Raster s2-l1c: bands B2, B3, B10; dates unknown; 40 x 50 pixels, GSD 10 m, EPSG:32618>"
        )
    many = write(tmp_path / "many_2020-05-01.tif", distinct(20, 8, 9, "float32") / 10, crs=None, transform=None)
    with open_raster(many, bands=",".join(str(nm) for nm in range(400, 600, 10))) as raster:
        assert repr(raster) == (
            "<Raster wavelengths: bands 400 nm to 590 nm (20); dates 2020-05-01; 8 x 9 pixels, GSD unknown, no CRS>"
        )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 39), st.integers(0, 49), st.data())
def test_a_window_holds_what_the_whole_holds_there(scene, row, column, data):
    window = Window(row, column, data.draw(st.integers(1, 40 - row)), data.draw(st.integers(1, 50 - column)))
    with open_raster(scene) as raster:
        pixels = raster.read(window)
        assert pixels.grid == raster.grid.window(window)
    assert np.array_equal(pixels.values[0], distinct(3, 40, 50)[(..., *window.slices)])


@pytest.mark.parametrize("window", [Window(-1, 0, 5, 5), Window(0, 46, 5, 5), Window(0, 0, 41, 50)])
def test_a_window_must_lie_in_the_grid(scene, window):
    with open_raster(scene) as raster, pytest.raises(ValueError, match="leaves the grid of 40 x 50"):
        raster.read(window)


def test_bands_are_chosen_by_name(scene):
    with open_raster(scene, bands="B10,B2") as raster:
        assert [band.name for band in raster.bands] == ["B10", "B2"]
        assert np.array_equal(raster.read().values[0], distinct(3, 40, 50)[[2, 0]])


def test_a_nameless_file_is_read_as_the_sensor_that_one_says(tmp_path):
    path = write(tmp_path / "patch.tif", distinct(13, 8, 9))
    with pytest.raises(BandError, match=r"found 13 bands without names.*bands='"):
        open_raster(path)
    with open_raster(path, bands="eurosat") as raster:
        assert [band.name for band in raster.bands][-1] == "B8A"
        assert raster.read().values[0, 12, 0, 0] == 13000


def test_a_single_band_file_may_be_named_by_its_path(tmp_path):
    path = write(tmp_path / "T18SVG_20160501_B8A_20m.tif", distinct(1, 8, 9))
    with open_raster(path, bands="s2-l1c") as raster:
        assert [band.name for band in raster.bands] == ["B8A"]
        assert raster.dates == ("2016-05-01",)


def test_nodata_is_not_valid(tmp_path):
    values = distinct(3, 6, 7)
    values[0, 1, 2] = values[2, 5, 6] = 0
    path = write(tmp_path / "scene.tif", values, names=NAMES, nodata=0)
    with open_raster(path) as raster:
        assert raster.nodata == 0
        assert np.argwhere(~raster.read().valid).tolist() == [[0, 0, 1, 2], [0, 2, 5, 6]]
        assert raster.read(Window(2, 0, 3, 7)).valid is None


def test_nan_and_infinity_are_not_valid(tmp_path):
    values = distinct(3, 6, 7, "float32")
    values[0, 1, 2], values[1, 0, 0] = np.nan, np.inf
    with open_raster(write(tmp_path / "scene.tif", values, names=NAMES)) as raster:
        assert np.argwhere(~raster.read().valid).tolist() == [[0, 0, 1, 2], [0, 1, 0, 0]]


def test_a_mask_of_the_file_is_heeded(tmp_path):
    mask = np.full((6, 7), 255, np.uint8)
    mask[4, 1:3] = 0
    path = write(tmp_path / "scene.tif", distinct(3, 6, 7), names=NAMES, mask=mask)
    with open_raster(path) as raster:
        assert np.argwhere(~raster.read().valid)[:, 1:].tolist() == [[b, 4, c] for b in range(3) for c in (1, 2)]
        assert np.array_equal(raster.read().values[0], distinct(3, 6, 7))


def test_an_alpha_band_masks_and_is_no_band(tmp_path):
    values = distinct(4, 6, 7)
    values[3] = 65535
    values[3, 2, 5] = 0
    values[1, 0, 0] = 9
    path = write(tmp_path / "scene.tif", values, names=[*NAMES, None], nodata=9, alpha=4)
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3].name == "alpha"
    with open_raster(path) as raster:
        assert raster.shape[1] == 3
        expected = [[0, 2, 5], [1, 0, 0], [1, 2, 5], [2, 2, 5]]
        assert np.argwhere(~raster.read().valid)[:, 1:].tolist() == expected


def test_scale_and_offset_of_the_file_win(tmp_path):
    path = write(
        tmp_path / "scene.tif", distinct(3, 6, 7), names=NAMES, scales=(1e-4, 2e-4, 1e-4), offsets=(-0.1, -0.1, 0)
    )
    with open_raster(path) as raster:
        assert (raster.scale, raster.offset) == ((1e-4, 2e-4, 1e-4), (-0.1, -0.1, 0.0))
        reflectance = raster.read().reflectance()[0]
    expected = (
        distinct(3, 6, 7) * np.array([1e-4, 2e-4, 1e-4])[:, None, None] + np.array([-0.1, -0.1, 0])[:, None, None]
    )
    assert np.allclose(reflectance, expected, atol=1e-6)


@pytest.mark.parametrize(("factor", "scale"), [(1.0, 1.0), (1e4, 1e-4)])
def test_floats_without_a_scale_are_judged_by_their_values(tmp_path, factor, scale):
    values = distinct(3, 300, 310, "float32") * np.float32(factor)
    values[:, :290] = np.nan  # looking only at the corners would find nothing
    with open_raster(write(tmp_path / "scene.tif", values, names=NAMES)) as raster:
        assert raster.scale == (scale,) * 3


def test_one_pixel_in_the_dark_is_found(tmp_path):
    values = np.full((1, 1700, 1700), np.nan, np.float32)
    values[0, 1111, 777] = 0.25
    with open_raster(
        write(tmp_path / "scene_B10.tif", values, tiled=True, compress="deflate"), bands="s2-l1c"
    ) as raster:
        assert raster.scale == (1.0,)
        found = check(raster)
        assert found.text.startswith("valid pixels found\n")
        assert [flag.kind for flag in found.flags] == ["absent"], "one pixel is hardly an image"


def test_the_sensor_in_the_tags_wins_over_a_guess(tmp_path):
    path = write(tmp_path / "scene.tif", distinct(1, 6, 7), names=["B02"], tags={SENSOR_TAG: "s2-l1c", "mine": "x"})
    with open_raster(path) as raster:
        assert (raster.sensor.name, raster.warnings) == ("s2-l1c", ())
        assert raster.tags == {SENSOR_TAG: "s2-l1c", "mine": "x"}
    with open_raster(write(tmp_path / "other.tif", distinct(1, 6, 7), names=["B02"])) as raster:
        assert raster.sensor.name == "s2-l2a"
        assert "bands='s2-l1c'" in raster.warnings[0]
        assert raster.warnings[0] in check(raster).text


def test_a_raster_pickles_compares_and_hashes(scene):
    with open_raster(scene) as raster:
        before = raster.read(Window(3, 4, 5, 6)).values
        again = pickle.loads(pickle.dumps(raster))
        assert again == raster
        assert hash(again) == hash(raster)
        with again:
            assert np.array_equal(again.read(Window(3, 4, 5, 6)).values, before)
    assert np.array_equal(raster.read(Window(3, 4, 5, 6)).values, before), "a closed raster opens again"
    raster.close()


def test_threads_read_at_the_same_time(scene, monkeypatch):
    opened, original = [], trusted.DatasetReader

    def counted(*args, **kwargs):
        opened.append(threading.get_ident())
        return original(*args, **kwargs)

    values = distinct(3, 40, 50)
    with open_raster(scene) as raster:
        monkeypatch.setattr(trusted, "DatasetReader", counted)
        ready = threading.Barrier(4)

        def work(seed: int) -> bool:
            ready.wait(timeout=30)
            random = np.random.default_rng(seed)
            for _ in range(50):
                row, column = (int(random.integers(0, size)) for size in (30, 40))
                window = Window(row, column, 10, 10)
                if not np.array_equal(raster.read(window).values[0], values[(..., *window.slices)]):
                    return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(4)))
    assert 1 <= len(opened) <= 4, "never more than threads read at the same time"


def test_a_file_without_georeference_is_no_warning(tmp_path):
    path = write(tmp_path / "scene.tif", distinct(3, 6, 7), names=NAMES, crs=None, transform=Affine.identity())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_raster(path) as raster:
            assert np.isnan(raster.gsd)
            assert raster.grid.crs is None
            raster.read()


def test_several_paths_are_dates_in_time_order(tmp_path):
    values = distinct(3, 6, 7)
    late = write(tmp_path / "S2_20200501T101010_20210101.tif", values + 2, names=NAMES)
    tagged = write(tmp_path / "b.tif", values + 1, names=NAMES, tags={DATE_TAG: "2019-07-08"})
    given = write(tmp_path / "c.tif", values, names=NAMES)
    with open_raster([late, tagged, f"{given}@2018-01-31"]) as raster:
        assert raster.dates == ("2018-01-31", "2019-07-08", "2020-05-01")
        assert raster.shape == (3, 3, 6, 7)
        assert np.array_equal(raster.read().values, np.stack([values, values + 1, values + 2]))
        assert raster.read().days.tolist() == list(raster.days)
    with open_raster(f"{tagged}@2021-01-01") as raster:
        assert raster.dates == ("2021-01-01",), "what one says wins over the metadata"


def test_bands_of_a_date_are_matched_by_name(tmp_path):
    values = distinct(3, 6, 7)
    one = write(tmp_path / "2019-01-01.tif", values, names=NAMES)
    two = write(tmp_path / "2020-01-01.tif", values[::-1], names=NAMES[::-1])
    with open_raster([two, one]) as raster:
        assert np.array_equal(raster.read().values, np.stack([values, values]))


def test_dates_that_differ_in_offset_become_reflectance(tmp_path):
    values = distinct(3, 6, 7)
    old = write(tmp_path / "2021-01-01.tif", values, names=NAMES)
    new = write(tmp_path / "2023-01-01.tif", values + 1000, names=NAMES, scales=(1e-4,) * 3, offsets=(-0.1,) * 3)
    with open_raster([old, new]) as raster:
        pixels = raster.read()
        assert (raster.dtype, set(raster.scale), set(raster.offset)) == (np.dtype("float32"), {1.0}, {0.0})
    assert np.allclose(pixels.reflectance(), values * 1e-4, atol=1e-6)


def test_a_date_on_another_grid_is_placed_by_georeference(tmp_path):
    values = distinct(3, 30, 40)
    one = write(tmp_path / "2019-01-01.tif", values, names=NAMES)
    shifted = Affine(10, 0, PLACE.c + 20, 0, -10, PLACE.f - 30)
    two = write(tmp_path / "2020-01-01.tif", values[:, 3:, 2:38], names=NAMES, transform=shifted)
    with open_raster([one, two], bands="s2-l1c") as raster:
        pixels = raster.read()
    assert np.array_equal(pixels.values[1, :, 3:, 2:38], values[:, 3:, 2:38])
    expected = np.zeros((30, 40), bool)
    expected[3:, 2:38] = True
    assert np.array_equal(pixels.valid[1], np.broadcast_to(expected, (3, 30, 40)))
    assert pixels.valid[0].all()


def test_a_date_in_another_crs_stays_in_its_place(tmp_path):
    # a bright place, in UTM and, copied by its nearest pixel, in degrees
    values = np.full((1, 60, 60), 100, np.uint16)
    values[0, 28:34, 40:46] = 5000
    one = write(tmp_path / "2019-01-01_B10.tif", values)
    (west, east), (south, north) = transform(UTM, "EPSG:4326", [PLACE.c, PLACE.c + 600], [PLACE.f - 600, PLACE.f])
    degrees = Affine((east - west) / 120, 0, west, 0, (south - north) / 120, north)
    copy = np.zeros((1, 120, 120), np.uint16)
    reproject(values, copy, src_transform=PLACE, src_crs=UTM, dst_transform=degrees, dst_crs="EPSG:4326")
    two = write(tmp_path / "2020-01-01_B10.tif", copy, crs="EPSG:4326", transform=degrees, nodata=0)
    with open_raster([one, two], bands="s2-l1c") as raster:
        pixels = raster.read()
        part = raster.read(Window(20, 33, 21, 17))
    assert np.array_equal(part.values, pixels.values[:, :, 20:41, 33:50])
    bright = pixels.values[:, 0] > 2500
    where = [np.argwhere(one).mean(axis=0) for one in bright]
    assert np.abs(where[0] - where[1]).max() < 0.3, "the copy's pixels are half as large"
    assert pixels.valid is None or pixels.valid[1, 0, 5:-5, 5:-5].all()


def test_many_files_hold_what_rasterio_reads():
    """Real files: an L1C scene, an L2A patch, a HLS chip are covered by their band names or refused in one message."""
    for path in real_all("s2_l1c_scenes/*.tif")[:3]:
        with open_raster(path) as raster, rasterio.open(path) as dataset:
            assert raster.sensor.name == "s2-l1c"
            assert np.array_equal(raster.read().values[0], dataset.read())
            assert raster.gsd == pytest.approx(10, rel=0.3)
            assert raster.dates != ("",)
            assert check(raster)
    with open_raster(real("eurosat_ms/*/*.tif"), bands="eurosat") as raster:
        pixels = raster.read()
        names = [band.name for band in raster.bands]
        mean = dict(zip(names, pixels.values[0].mean(axis=(1, 2)), strict=True))
        assert mean["B10"] < 60 < mean["B9"], "cirrus is dark, water vapour is not"
    with open_raster(real("s2_l2a_patches/eotdl_ship*.tif")) as raster:
        assert raster.sensor.name == "s2-l2a"
        assert raster.dates[0].startswith("2022-08")


def test_pixels_have_the_fields_of_an_array(scene):
    with open_raster(scene) as raster:
        read = raster.read()
    made = made_pixels(distinct(3, 40, 50), bands="s2-l1c:B2,B3,B10", grid=read.grid)
    for field in ("values", "scale", "offset", "days"):
        assert np.array_equal(getattr(read, field), getattr(made, field))
    assert (read.bands, read.grid, read.gsd, read.valid) == (made.bands, made.grid, made.gsd, made.valid)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"name": "b.tif"}, r"b.tif: found no date in its metadata or name; expected one for each of 2 images.*@2020"),
        ({"name": "x_2019-01-01.tif", "transform": Affine(10, 0, 10, 0, -10, 0)}, "the date 2019-01-01 more than once"),
        ({"name": "2020-01-01.tif", "names": ["B02", "B03", "B04"]}, r"found other bands.*only here: .*B4; only there"),
        (
            {"name": "2020-01-01.tif", "names": ["B02", "B03", "B04"], "one": [f"B{n:02d}" for n in range(2, 13)]},
            r"found other bands.*only there: .*B7 and 5 more",
        ),
        ({"name": "2020-01-01.tif", "transform": Affine(10, 0, 0, 0, -10, 0)}, "does not overlap"),
        ({"name": "2020-01-01.tif", "crs": None, "transform": Affine.identity()}, "no georeference in one of them"),
    ],
)
def test_dates_that_do_not_fit_are_refused(tmp_path, second, says):
    first = second.get("one", NAMES)
    one = write(tmp_path / "2019-01-01.tif", distinct(len(first), 6, 7), names=first)
    how = {"names": NAMES} | {key: value for key, value in second.items() if key not in ("name", "one")}
    two = write(tmp_path / second["name"], distinct(3, 6, 7), **how)
    with pytest.raises(RasterError, match=says):
        open_raster([one, two])


def test_a_date_that_is_none(tmp_path, scene):
    with pytest.raises(RasterError, match="found '2020-13-01' for a date"):
        open_raster(f"{scene}@2020-13-01")
    with pytest.raises(RasterError, match="found no image"):
        open_raster([])
    odd = write(tmp_path / "me@home.tif", distinct(3, 6, 7), names=NAMES)
    open_raster(odd).close()


def test_zeros_of_a_sensor_that_means_nothing_by_them(tmp_path):
    """Sentinel-2 files often do not declare that 0 is nodata. Masks, declared nodata, and floats are trusted."""
    values = distinct(2, 8, 8)
    values[:, :, :3] = 0
    hole = np.zeros((8, 8), bool)
    hole[:, :3] = True
    plain = write(tmp_path / "plain.tif", values, names=("B02", "B03"))
    declared = write(tmp_path / "declared.tif", values, names=("B02", "B03"), nodata=7)
    masked = write(tmp_path / "masked.tif", values, names=("B02", "B03"), mask=~np.eye(8, dtype=bool))
    floats = write(tmp_path / "floats.tif", (values / 1e4).astype("float32"), names=("B02", "B03"))
    for path, expected in ((plain, ~hole), (declared, True), (masked, ~np.eye(8, dtype=bool)), (floats, True)):
        with open_raster(path, bands="s2-l1c") as raster:
            valid = raster.read().valid
        assert np.array_equal(
            np.ones((2, 8, 8), bool) if valid is None else valid[0], np.broadcast_to(expected, (2, 8, 8))
        )


@pytest.mark.parametrize("fill", [-3.4028234663852886e38, 3.4e38, -1.7e38])
def test_a_forgotten_fill_is_no_value(fill, tmp_path):
    values = distinct(2, 8, 8, "float32")
    values[1, 2:4, 5] = fill
    with open_raster(write(tmp_path / "in.tif", values, names=("B02", "B03")), bands="s2-l1c") as raster:
        valid = raster.read().valid
    assert (~valid[0, 1]).sum() == 2
    assert valid[0, 0].all()


UNIT = (1 / 255,) * 4
"""Scales of bytes that are reflectance."""


def test_a_fourth_band_of_bytes_is_a_band(tmp_path):
    """GDAL takes it for alpha; with a band's name, or counted in `bands`, it is a band."""
    values = distinct(4, 8, 8).astype("uint8")
    named = write(
        tmp_path / "named.tif", values, names=("B2", "B3", "B4", "B8"), photometric="RGB", alpha=4, scales=UNIT
    )
    nameless = write(tmp_path / "nameless.tif", values, photometric="RGB", alpha=4, scales=UNIT)
    for path, bands in ((named, "s2-l2a"), (nameless, "s2-l2a:B2,B3,B4,B8")):
        with open_raster(path, bands=bands) as raster:
            assert [band.name for band in raster.bands] == ["B2", "B3", "B4", "B8"]
            np.testing.assert_array_equal(raster.read().values[0], values)
    with open_raster(nameless, bands="B02,B03,B04") as raster:
        assert raster.shape[1] == 3
