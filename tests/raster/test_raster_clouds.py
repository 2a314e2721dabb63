"""Cloud layers: what they say, where they lie, and that clouds are not valid in any band."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from made_rasters import PLACE, distinct, write
from rasterio.crs import CRS

from spectralgpt.products import open_raster
from spectralgpt.raster import Grid, Window
from spectralgpt.raster.clouds import CloudLayer, layer_says_cloudy

SCL = tuple((255, value) for value in (3, 8, 9, 10))
NAMES = ("B2", "B3")


def layer(path, values, gsd=10, east=0, cloudy=SCL, **how):
    """A cloud layer of [row, column] in pixels of gsd, so many metres east of the scene's corner."""
    transform = Affine(gsd, 0, PLACE.c + east, 0, -gsd, PLACE.f)
    write(path, values[None], transform=transform, **how)
    grid = Grid(CRS.from_epsg(32618).to_wkt(), transform, *values.shape)
    return CloudLayer("scl", str(path), 1, grid, cloudy)


def opened(tmp_path, clouds, gsd=None, **how):
    path = write(tmp_path / "scene.tif", distinct(2, 40, 50), names=NAMES, **how)
    raster = open_raster(path, bands="s2-l2a", gsd=gsd)
    return replace(raster, clouds=(clouds,), without_clouds=True)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=3), st.booleans())
def test_a_pixel_is_cloudy_as_its_bits_say(cloudy, as_floats):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = layer_says_cloudy(values.astype(np.float32) if as_floats else values, tuple(cloudy))
    for value in range(256):
        told = any(value & mask == wanted for mask, wanted in cloudy) if cloudy else value != 0
        assert found.flat[value] == told


def test_bits_beyond_a_byte_and_what_is_no_number():
    assert layer_says_cloudy(np.array([1 << 15, 1 << 14], np.uint16), ((1 << 15, 1 << 15),)).tolist() == [True, False]
    floats = np.array([np.nan, np.inf, -np.inf, 8.0, 0.0], np.float32)
    assert layer_says_cloudy(floats, SCL).tolist() == [False, False, False, True, False]
    assert layer_says_cloudy(floats, ()).tolist() == [False, False, False, True, False]


def test_clouds_are_not_valid_in_any_band(tmp_path):
    scl = np.full((40, 50), 4, np.uint8)
    scl[3:7, 5] = 8
    scl[10, 10:20] = 3
    with opened(tmp_path, layer(tmp_path / "scl.tif", scl), nodata=1000) as raster:
        pixels, part = raster.read(), raster.read(Window(2, 3, 20, 30))
        cloudy = raster.cloudy()
        assert np.array_equal(raster.cloudy(Window(2, 3, 20, 30)), cloudy[:, 2:22, 3:33])
        kept = replace(raster, without_clouds=False).read()
        assert pickle.loads(pickle.dumps(raster)) == raster
        assert len({raster, pickle.loads(pickle.dumps(raster))}) == 1
    assert np.array_equal(cloudy[0], (scl == 8) | (scl == 3))
    assert np.array_equal(pixels.values[0], distinct(2, 40, 50))
    assert np.array_equal(pixels.valid[0], ~cloudy & (pixels.values[0] != 1000))
    assert np.array_equal(part.valid, pixels.valid[:, :, 2:22, 3:33])
    assert np.array_equal(kept.valid[0], kept.values[0] != 1000), "told of, but kept"


def test_a_coarser_layer_is_placed_by_georeference(tmp_path):
    scl = np.full((20, 24), 4, np.uint8)
    scl[4, 6] = 9
    with opened(tmp_path, layer(tmp_path / "scl.tif", scl, gsd=20, east=-10)) as raster:
        cloudy = raster.cloudy()
        outside = raster.read().valid
    expected = np.zeros((1, 40, 50), bool)
    expected[0, 8:10, 11:13] = True
    assert np.array_equal(cloudy, expected), "beyond the layer nothing is known of clouds"
    assert np.array_equal(~outside, np.broadcast_to(expected[:, None], (1, 2, 40, 50)))


def test_a_coarser_pixel_is_cloudy_where_any_under_it_is(tmp_path):
    scl = np.full((40, 50), 4, np.uint8)
    scl[5, 7] = scl[20, 30] = scl[39, 49] = 10
    clouds = layer(tmp_path / "scl.tif", scl)
    with opened(tmp_path, clouds, gsd=25) as raster:
        found = np.argwhere(raster.cloudy()[0]).tolist()
        assert found == [[2, 2], [2, 3], [8, 12], [15, 19]]
        assert np.array_equal(raster.read(Window(1, 1, 9, 9)).valid, raster.read().valid[..., 1:10, 1:10])


def test_a_mask_of_ones_own_is_cloudy_where_it_is_not_zero(tmp_path):
    mask = np.zeros((40, 50), np.float32)
    mask[0, 0], mask[1, 1], mask[2, 2], mask[3, 3] = 1, 0.5, np.nan, 255
    with opened(tmp_path, layer(tmp_path / "mask.tif", mask, cloudy=(), nodata=255)) as raster:
        assert np.argwhere(raster.cloudy()[0]).tolist() == [[0, 0], [1, 1]]


def test_dates_with_and_without(tmp_path):
    scl = np.full((40, 50), 4, np.uint8)
    scl[:5] = 9
    clouds = layer(tmp_path / "scl.tif", scl)
    paths = [write(tmp_path / f"20{year}-01-01.tif", distinct(2, 40, 50), names=NAMES) for year in (20, 21)]
    with open_raster(paths, bands="s2-l2a") as raster:
        assert raster.cloudy() is None
        raster = replace(raster, clouds=(None, clouds), without_clouds=True)
        valid, cloudy = raster.read().valid, raster.cloudy()
    assert valid[0].all()
    assert not cloudy[0].any()
    assert np.array_equal(cloudy[1], scl == 9)
    assert np.array_equal(valid[1, 0], scl != 9)
    with raster, pytest.raises(ValueError, match="leaves the grid"):
        raster.cloudy(Window(0, 0, 41, 5))


def test_the_mask_of_the_command_line(tmp_path):
    path = write(tmp_path / "scene.tif", distinct(2, 40, 50), names=NAMES)
    mask = np.zeros((1, 40, 50), np.uint8)
    mask[0, 7, 9:12] = 1
    clouds = write(tmp_path / "clouds.tif", mask)
    with open_raster(path, bands="s2-l2a", clouds=str(clouds)) as raster:
        assert np.array_equal(raster.read().valid[0], np.broadcast_to(mask == 0, (2, 40, 50)))
