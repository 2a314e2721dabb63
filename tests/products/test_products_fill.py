"""Fill that nobody declared: one value in all bands of a pixel at once."""

from pathlib import Path

import numpy as np
import pytest
from made_rasters import distinct, write

from spectralgpt.checks import check
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.raster import Window

NAMES = ["B02", "B03", "B04", "B08"]
EDGE, SINGLE = np.s_[:, :10], np.s_[1, 20:30]
KINDS = [
    ("float32", 0),
    ("float64", -9999),
    ("float32", -32768),
    ("int16", -9999),
    ("int16", -32768),
    ("uint16", 65535),
]


def invalid(path: Path, bands: str = "s2-l2a", **how) -> np.ndarray:
    with open_raster(path, bands=bands, **how) as raster:
        pixels = raster.read()
    return np.zeros(pixels.shape, bool)[0] if pixels.valid is None else ~pixels.valid[0]


def scene(path: Path, dtype: str, fill: float, bands: int = 4, **how) -> Path:
    """Fill in all bands of the first rows, and in one band of others, where it is dark water."""
    values = distinct(bands, 64, 48, dtype)
    values[EDGE] = fill
    if bands > 1:
        values[SINGLE] = fill
    return write(path, values, names=NAMES[:bands], **how)


def edge(bands: int = 4) -> np.ndarray:
    true = np.zeros((bands, 64, 48), bool)
    true[EDGE] = True
    return true


@pytest.mark.parametrize(("dtype", "fill"), KINDS)
def test_one_value_in_all_bands_is_fill_and_in_one_band_is_not(tmp_path, dtype, fill):
    assert np.array_equal(invalid(scene(tmp_path / "a.tif", dtype, fill)), edge())


@pytest.mark.parametrize(("dtype", "fill"), KINDS)
def test_the_bands_that_are_read_and_the_window_do_not_matter(tmp_path, dtype, fill):
    path = scene(tmp_path / "a.tif", dtype, fill)
    for bands in ("s2-l2a:B03", "s2-l2a:B02,B03", "s2-l2a:B08,B03,B02"):
        assert np.array_equal(invalid(path, bands), edge(bands.count("B0")))
    with open_raster(path, bands="s2-l2a:B03,B04") as raster:
        valid = raster.read(Window(5, 3, 20, 11)).valid
    assert valid is not None
    assert np.array_equal(~valid[0], edge(2)[:, 5:25, 3:14])


@pytest.mark.parametrize(("dtype", "fill"), KINDS)
def test_none_switches_it_off(tmp_path, dtype, fill):
    assert not invalid(scene(tmp_path / "a.tif", dtype, fill), nodata="none").any()


@pytest.mark.parametrize("bands", [1, 2])
@pytest.mark.parametrize(("dtype", "fill"), KINDS)
def test_one_or_two_bands_are_left_alone(tmp_path, dtype, fill, bands):
    assert not invalid(scene(tmp_path / "a.tif", dtype, fill, bands)).any()


@pytest.mark.parametrize(("dtype", "fill"), KINDS)
def test_bands_of_a_folder_decide_together(tmp_path, dtype, fill):
    values = distinct(4, 64, 48, dtype)
    values[EDGE], values[SINGLE] = fill, fill
    for name, band in zip(NAMES, values, strict=True):
        write(tmp_path / f"scene_{name}.tif", band[None])
    assert np.array_equal(invalid(tmp_path), edge())
    assert np.array_equal(invalid(tmp_path, "s2-l2a:B03"), edge(1))


@pytest.mark.parametrize(("dtype", "fill"), KINDS)
def test_an_image_of_nothing_else_is_refused_as_empty(tmp_path, dtype, fill):
    path = write(tmp_path / "a.tif", np.full((4, 64, 48), fill, dtype), names=NAMES)
    with pytest.raises(RasterError, match="found no valid"), open_raster(path, bands="s2-l2a") as raster:
        check(raster)


def test_zero_is_measured_where_integers_declare_another_value(tmp_path):
    assert not invalid(scene(tmp_path / "a.tif", "int16", 0, nodata=-1)).any()
    assert np.array_equal(invalid(scene(tmp_path / "b.tif", "float32", 0, nodata=-1)), edge())


@pytest.mark.parametrize(("dtype", "fill"), KINDS)
def test_it_is_counted_and_said(tmp_path, dtype, fill):
    path = scene(tmp_path / "a.tif", dtype, fill)
    with open_raster(path, bands="s2-l2a") as raster:
        notes = [note for note in check(raster, trust=True).notes if "in all bands" in note]
        share = edge(1)[0].mean()
    (note,) = notes
    assert f"{share:.2%} of the sampled pixels are {fill:g} in all bands" in note
    assert "nodata='none'" in note
    with open_raster(path, bands="s2-l2a", nodata="none") as raster:
        assert not [each for each in check(raster, trust=True).notes if "in all bands" in each]
