"""Values too negative for reflectance: what they look like is said, and no offset is advised."""

import re

import numpy as np
import pytest
from made_rasters import write

from spectralgpt.checks import Flag, check, flags_of
from spectralgpt.errors import RasterError
from spectralgpt.products import as_pixels, open_raster
from usual_images import NAMES, SURFACE, TOA, usual

RNG = np.random.default_rng(3)


def decibels(reflectance: np.ndarray) -> np.ndarray:
    return 10 * np.log10(reflectance.clip(3e-3, 0.9))


def logarithms(reflectance: np.ndarray) -> np.ndarray:
    return np.log(reflectance.clip(1e-3, 0.9))


def standardized(reflectance: np.ndarray) -> np.ndarray:
    return (reflectance - reflectance.mean(1, keepdims=True)) / reflectance.std(1, keepdims=True)


def index(reflectance: np.ndarray) -> np.ndarray:
    return np.clip(standardized(reflectance) / 3, -1, 1)


def flags_in(tmp_path, values: np.ndarray, names, dtype="float32", bands="s2-l2a", **how) -> list[Flag]:
    side = int(np.sqrt(values.shape[1]))
    path = write(tmp_path / "a.tif", values[:, : side * side].reshape(-1, side, side).astype(dtype), names=names, **how)
    with open_raster(path, bands=bands) as raster:
        return list(check(raster, trust=True).flags)


@pytest.mark.parametrize(
    ("change", "looks"),
    [
        (decibels, "decibels or other logarithms"),
        (logarithms, "decibels or other logarithms"),
        (standardized, "standardized values"),
        (index, "an index like NDVI, or values scaled to -1 to 1"),
        (lambda reflectance: reflectance * 6 - 1.5, None),
    ],
)
@pytest.mark.parametrize(
    ("of", "bands", "dtype"), [(SURFACE, "s2-l2a", "float32"), (TOA, "s2-l1c", "float64"), (None, "s2-l2a", "float32")]
)
def test_what_they_look_like_is_said_and_no_offset_is_advised(tmp_path, change, looks, of, bands, dtype):
    values, names = change(usual(of=of or SURFACE)), (NAMES if of is TOA else SURFACE.names)
    if of is None:
        values, names = values[1:4], names[1:4]
    flags = flags_in(tmp_path, values, names, dtype, bands)
    (flag,) = [each for each in flags if each.kind in ("units", "scale", "offset")]
    assert flag.kind in ("units", "scale")
    assert (f"look like {looks}" if looks else "Give reflectance, or the scale and offset") in flag.text
    assert not re.search(r"gdal_edit|\.toml|offset [-\d]|offset=", flag.text)


@pytest.mark.parametrize("names", ["s2-l2a", "s2-l1c:B1,B2,B3,B4,B5,B6,B7,B8,B8A,B9,B11,B12"])
def test_arrays_of_decibels_are_refused(names):
    values = decibels(usual(of=SURFACE))[:, :4096].reshape(12, 64, 64).astype("f4")
    with pytest.raises(RasterError, match=r"the array: found 100% of the values below .*decibels or other logarithms"):
        as_pixels(values, bands=names)


@pytest.mark.parametrize("dtype", ["uint16", "int16"])
@pytest.mark.parametrize("stored", [-1000.0, -500.0, -200.0])
def test_an_offset_in_stored_units_is_named_and_the_advice_works(tmp_path, dtype, stored):
    values = usual(of=SURFACE).clip(0, 1) * 1e4 - stored
    how = {"scales": [1e-4] * 12, "offsets": [stored] * 12}
    (flag,) = [
        each
        for each in flags_in(tmp_path, values, SURFACE.names, dtype, **how)
        if each.kind in ("units", "scale", "offset")
    ]
    scale, offset = map(float, re.search(r"gdal_edit.py -scale (\S+) -offset (\S+) FILE", flag.text).groups())
    assert (scale, offset) == (pytest.approx(1e-4), pytest.approx(stored * 1e-4))
    how = {"scales": [scale] * 12, "offsets": [offset] * 12}
    assert not flags_in(tmp_path, values, SURFACE.names, dtype, **how)


@pytest.mark.parametrize("fill", [-999.0, -1.0, -32767.0])
def test_one_negative_value_in_single_bands_is_perhaps_nodata(tmp_path, fill):
    values = usual(of=SURFACE)[:, :4096].copy()
    values[RNG.random(values.shape) < 0.2] = fill
    (flag,) = [
        each
        for each in flags_in(tmp_path, values, SURFACE.names)
        if each.kind in ("units", "scale", "offset") and "below -0.3" in each.text
    ]
    assert f"give nodata='{fill:.6g}'" in flag.text


@pytest.mark.parametrize("subtracted", [0.1, 0.2])
@pytest.mark.parametrize("of", [SURFACE, TOA])
def test_an_offset_subtracted_too_often_stays_one(tmp_path, subtracted, of):
    names = NAMES if of is TOA else SURFACE.names
    flags = flags_in(tmp_path, usual(of=of) - subtracted, names, bands=of.name)
    assert "offset" in [each.kind for each in flags]


def test_right_pixels_pass():
    values = usual(of=SURFACE)[:, :4096].reshape(12, 64, 64).astype("f4")
    pixels = as_pixels(values, bands="s2-l2a")
    assert not flags_of(pixels, "L2A", declared=False)
