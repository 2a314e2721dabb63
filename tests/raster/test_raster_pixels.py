"""Pixels of arrays: which are valid, and how they become reflectance."""

import datetime
from functools import partial

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made_rasters import distinct
from rasterio.crs import CRS

from spectralgpt.bands import Band, sensor
from spectralgpt.errors import BandError, RasterError
from spectralgpt.products import as_pixels
from spectralgpt.raster import Grid

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

THREE = "s2-l1c:B2,B3,B10"


def test_an_array_with_a_sensor_is_enough():
    pixels = made_pixels(distinct(13, 5, 6), bands="s2-l1c", gsd=10)
    assert pixels.shape == (1, 13, 5, 6)
    assert pixels.bands == sensor("s2-l1c").bands
    assert pixels.valid is None
    assert (set(pixels.scale), set(pixels.offset)) == ({1e-4}, {0.0})
    assert pixels.days.tolist() == [-1]
    assert pixels.gsd == 10
    assert pixels.grid.shape == (5, 6)
    assert np.allclose(pixels.reflectance()[0], distinct(13, 5, 6) * 1e-4)


def test_nothing_is_subtracted_in_unsigned_integers():
    values = np.array([[[0, 999, 1000, 65535]]], np.uint16)
    pixels = made_pixels(values, bands="B02", scale=1e-4, offset=-0.1)
    assert pixels.values.dtype == np.uint16
    assert pixels.reflectance().dtype == np.float32
    assert pixels.reflectance().ravel() == pytest.approx([-0.1, -0.0001, 0.0, 6.4535], abs=1e-7)


def test_a_scale_a_band():
    pixels = made_pixels(np.ones((2, 3, 4), np.uint16), bands="B02,B03", scale=[2, 3], offset=[0, 10])
    assert pixels.reflectance()[0, :, 0, 0].tolist() == [2, 13]


def test_floats_below_two_are_reflectance():
    assert made_pixels(distinct(3, 8, 8, "float32"), bands=THREE).scale.tolist() == [1, 1, 1]
    assert made_pixels(distinct(3, 8, 8).astype("float32"), bands=THREE).scale.tolist() == [1e-4] * 3


def test_dates_become_days():
    values = np.stack([distinct(1, 2, 3)] * 3)
    pixels = made_pixels(values, bands="B02", dates=["2016-01-02", None, datetime.date(2020, 5, 1)])
    assert pixels.days.tolist() == [16802, -1, 18383]
    assert pixels.days.dtype == np.int32


def test_gsd_comes_from_the_grid():
    grid = Grid(CRS.from_epsg(32618).to_wkt(), Affine(20, 0, 435730, 0, -20, 4179460), 5, 6)
    assert made_pixels(distinct(1, 5, 6), bands="B02", grid=grid).gsd == pytest.approx(20, rel=1e-3)


def test_hyperspectral_bands_are_given_as_they_are():
    bands = [Band("mine", f"{w}", float(w), 10.0, 5.0) for w in range(400, 2400, 10)]
    pixels = made_pixels(distinct(200, 4, 4), bands=bands)
    assert pixels.bands == tuple(bands)
    assert set(pixels.scale) == {1.0}
    of_sentinel = made_pixels(distinct(2, 4, 4), bands=sensor("s2-l2a").bands[:2])
    assert set(of_sentinel.scale) == {1e-4}


@given(
    hnp.arrays("float32", (2, 3, 4, 5), elements=st.sampled_from([0.1, 0.2, np.nan, np.inf, -np.inf, -9999.0])),
    st.sampled_from([None, -9999.0, np.nan]),
    hnp.arrays(bool, st.sampled_from([(2, 3, 4, 5), (3, 4, 5), (4, 5)])),
)
def test_nan_infinity_nodata_and_what_is_given_as_invalid_are_not_valid(values, nodata, own_mask):
    values[0, 0, 0, 0], own_mask[..., 0, 0] = 0.5, True
    expected = np.isfinite(values) & own_mask
    if nodata == -9999.0:
        expected &= values != np.float32(-9999)
    for fill in (0, -9999, -32768):  # in all three bands at once
        expected &= ~(values == np.float32(fill)).all(axis=1, keepdims=True)
    pixels = made_pixels(values, bands=THREE, valid=own_mask, nodata=nodata, scale=1)
    assert np.array_equal(np.ones(values.shape, bool) if pixels.valid is None else pixels.valid, expected)
    assert (pixels.valid is None) is bool(expected.all())
    assert np.array_equal(pixels.values, values, equal_nan=True), "values stay as they stand"


@pytest.mark.parametrize("nodata", [300, -1, 0.5, np.nan])
def test_a_nodata_that_bytes_cannot_hold_marks_nothing(nodata):
    assert made_pixels(np.zeros((1, 2, 2), np.uint8), bands="B02", nodata=nodata, scale=1).valid is None


def test_a_nodata_told_in_double_precision_is_found_in_floats():
    lowest = -3.4028234663852886e38
    for marked in (lowest, -3.40282347e38, -1.7976931348623157e308):
        values = np.array([[[0.5, marked if marked > -1e39 else -np.inf]]]).astype(np.float32)
        pixels = made_pixels(values, bands="B02", nodata=marked, scale=1)
        assert pixels.valid.tolist() == [[[[True, False]]]]
        pixels.reflectance()


@pytest.mark.parametrize(
    ("values", "how", "says"),
    [
        (np.zeros((2, 2), np.uint8), {}, "shape"),
        (np.zeros((1, 0, 2), np.uint8), {}, "without any values"),
        (np.zeros((1, 2, 2), complex), {}, "found an array of complex128"),
        (np.full((1, 2, 2), np.nan), {}, "no valid value"),
        (np.zeros((1, 2, 2)), {"valid": np.ones((3, 3), bool)}, r"valid: found shape \(3, 3\)"),
        (np.zeros((1, 2, 2)), {"scale": [1, 2]}, "scale: found 2 values"),
        (np.zeros((1, 2, 2)), {"dates": ["2020-01-01", "2021-01-01"]}, "dates: found 2 for 1 date"),
        (np.zeros((1, 2, 2)), {"dates": ["last May"]}, "found 'last May' for a date"),
        (np.zeros((1, 2, 2)), {"grid": Grid(None, Affine.identity(), 3, 3)}, "a grid of"),
    ],
)
def test_what_does_not_fit_is_said(values, how, says):
    with pytest.raises(RasterError, match=says):
        made_pixels(values, bands="B02", **how)


def test_bands_that_do_not_fit_are_said():
    with pytest.raises(BandError, match="found 4 bands without names; expected the 13 of s2-l1c"):
        made_pixels(distinct(4, 2, 2), bands="s2-l1c")
