"""The argument `nodata`: stored values of pixels without data that the file does not declare, or declares wrongly."""

from pathlib import Path

import numpy as np
import pytest
from made_rasters import distinct, write

from spectralgpt.checks import check
from spectralgpt.errors import InputError, OptionError
from spectralgpt.products import open_raster

NAMES = ["B02", "B03", "B04", "B08"]
ZEROS, FILL, TWO = np.s_[1, 20:30], np.s_[:, :10], np.s_[:2, 50:]


@pytest.fixture
def scene(tmp_path) -> Path:
    """Declares 0, which is in one band; -9999 is in all of them, and -1 in two."""
    values = distinct(4, 64, 48, "int16")
    values[FILL], values[ZEROS], values[TWO] = -9999, 0, -1
    return write(tmp_path / "scene.tif", values, names=NAMES, nodata=0)


def invalid(path: Path, nodata: str | float | int | None, **how) -> np.ndarray:
    with open_raster(path, bands="s2-l2a", nodata=nodata, **how) as raster:
        pixels = raster.read()
    return np.zeros(pixels.shape, bool)[0] if pixels.valid is None else ~pixels.valid[0]


def where(*places: tuple) -> np.ndarray:
    true = np.zeros((4, 64, 48), bool)
    for place in places:
        true[place] = True
    return true


@pytest.mark.parametrize(
    ("nodata", "places", "declared"),
    [
        (None, [ZEROS, FILL], 0),
        ("-1", [ZEROS, FILL, TWO], 0),
        (-1, [ZEROS, FILL, TWO], 0),
        (-1.0, [ZEROS, FILL, TWO], 0),
        ("0, -1", [ZEROS, FILL, TWO], 0),
        ("none", [], None),
        ("None,-9999", [FILL], -9999),
        ("None,-1", [TWO], -1),
        ("nan", [ZEROS, FILL], 0),
        ("1e5,0.5", [ZEROS, FILL], 0),  # cannot occur
    ],
)
def test_given_values_count_beside_the_declared_one(scene, nodata, places, declared):
    assert np.array_equal(invalid(scene, nodata), where(*places))
    with open_raster(scene, nodata=nodata) as raster:
        assert raster.nodata == declared
        assert raster.given_nodata == ("" if nodata is None else str(nodata).replace(" ", ""))


def test_a_value_that_cannot_occur_is_said(scene):
    with open_raster(scene, bands="s2-l2a", nodata="1e5,0.5") as raster:
        assert raster.warnings == (f"{scene}: nodata 100000, 0.5 cannot occur in int16",)
    with open_raster(scene, bands="s2-l2a", nodata="-9999") as raster:
        assert raster.warnings == ()


@pytest.mark.parametrize("text", ["", "0;1", "minus one", "0,,1", "no"])
def test_any_other_text_is_refused(scene, text):
    with pytest.raises(OptionError, match="expected stored values like 0 or 0,-9999, or none"):
        open_raster(scene, nodata=text)


def test_none_also_ignores_the_convention_of_the_sensor_but_no_mask(tmp_path):
    values = distinct(4, 64, 48)
    values[ZEROS] = 0
    plain = write(tmp_path / "plain.tif", values, names=NAMES)
    assert np.array_equal(invalid(plain, None), where(ZEROS))
    assert not invalid(plain, "none").any()
    opaque = np.full((64, 48), 255, np.uint8)
    opaque[:5] = 0
    masked = write(tmp_path / "masked.tif", values, names=NAMES, mask=opaque)
    assert np.array_equal(invalid(masked, "none"), where(np.s_[:, :5]))


def test_fill_in_floats_decides_neither_units_nor_verdict(tmp_path):
    """65535 in every tenth row: without the argument, the numbers are no reflectance."""
    values = distinct(4, 64, 48, "float32")
    values[:, ::10] = 65535
    path = write(tmp_path / "floats.tif", values, names=NAMES)
    with open_raster(path, nodata="65535") as raster:
        assert raster.scale == (1.0,) * 4
        assert check(raster).valid == pytest.approx(1 - 7 / 64, abs=0.02)
    with pytest.raises(InputError), open_raster(path) as raster:
        check(raster)


def test_means_leave_the_given_values_out(scene):
    """At 20 m, pixels are means of the valid ones: -1 is in none."""
    with open_raster(scene, gsd=20, nodata="-1") as raster:
        pixels = raster.read()
    assert (pixels.values[pixels.valid] > 0).all()
    with open_raster(scene, gsd=20) as raster:
        assert (raster.read().values < 0).any()


def test_dates_may_need_different_values(tmp_path):
    paths = []
    for day, fill in (("2020-01-02", -9999), ("2020-03-04", -1)):
        values = distinct(4, 64, 48, "int16")
        values[FILL] = fill
        paths.append(write(tmp_path / f"a_{day}.tif", values, names=NAMES))
    with open_raster(paths, bands="s2-l2a", nodata="-9999,-1") as raster:
        valid = raster.read().valid
    assert valid is not None
    assert np.array_equal(~valid, np.stack([where(FILL)] * 2))
