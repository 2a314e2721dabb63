"""What is said of clouds that are not left out."""

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import land, write

from spectralgpt.checks import check
from spectralgpt.products import open_raster

REAL = Path(__file__).parents[1] / "images" / "landsat_more" / "c2l2_decimated"


def scene(path, cloudy_rows, layer="SCL", value=9):
    """100 x 100 pixels with this layer, cloudy in the first rows."""
    values = np.concatenate([land(100, 100, bands=4), np.zeros((1, 100, 100), np.uint16)])
    values[4, :cloudy_rows] = value
    return write(path, values, names=("B2", "B3", "B4", "B8", layer))


def said(path, **how):
    with open_raster(path, bands="s2-l2a:B2,B3,B4,B8", **how) as raster:
        verdict = check(raster)
    return [each for each in verdict.warnings if "cloud shadow" in each]


@pytest.mark.parametrize(("rows", "percent"), [(1, 1), (23, 23), (100, 100)])
@pytest.mark.parametrize(("layer", "value", "name"), [("SCL", 3, "scl"), ("QA_PIXEL", 8, "qa"), ("Fmask", 2, "fmask")])
def test_the_cloudy_share_and_the_option_are_said(tmp_path, rows, percent, layer, value, name):
    (line,) = said(scene(tmp_path / "scene.tif", rows, layer, value))
    assert f"about {percent}% of the pixels" in line
    assert f"({name})" in line
    assert line.endswith("give clouds='auto'")
    assert line.startswith(str(tmp_path / "scene.tif"))
    assert "\n" not in line


def test_nothing_is_said_without_clouds_or_with_the_option(tmp_path):
    clear, cloudy = scene(tmp_path / "clear.tif", 0), scene(tmp_path / "cloudy.tif", 50)
    assert said(clear) == []
    assert said(cloudy, clouds="auto") == []
    assert said(cloudy, clouds="scl") == []
    plain = write(tmp_path / "plain.tif", land(100, 100, bands=4), names=("B2", "B3", "B4", "B8"))
    assert said(plain) == []


def test_a_few_pixels_are_not_worth_a_warning(tmp_path):
    path = tmp_path / "scene.tif"
    values = np.concatenate([land(100, 100, bands=4), np.zeros((1, 100, 100), np.uint16)])
    values[4, 0, :99] = 9
    write(path, values, names=("B2", "B3", "B4", "B8", "SCL"))
    assert said(path) == []


def test_two_dates_have_one_line_with_their_mean(tmp_path):
    first, second = scene(tmp_path / "a.tif", 20), scene(tmp_path / "b.tif", 40, "Fmask", 2)
    (line,) = said([f"{first}@2020-05-01", f"{second}@2020-06-01"])
    assert re.search(r"about 30% .*\(scl, fmask\)", line)


def test_a_real_product_says_its_clouds(tmp_path):
    """Landsat 8, mostly cloud: every pixel of the small image is in the sample."""
    name = "LC08_L2SP_008059_20191201_20200825_02_T1_crop256"
    with rasterio.open(REAL / f"{name}.tif") as bands, rasterio.open(REAL / f"{name}_QA_PIXEL.tif") as quality:
        place = {"crs": bands.crs, "transform": bands.transform}
        for number in (2, 3, 4, 5):
            write(tmp_path / f"x_SR_B{number}.tif", bands.read([number]), nodata=0, **place)
        write(tmp_path / "x_QA_PIXEL.tif", quality.read(), nodata=1, **place)
    with open_raster(tmp_path, bands="landsat8-c2l2") as raster:
        verdict, cloudy = check(raster, trust=True), raster.cloudy().mean()
    assert cloudy > 0.5
    (line,) = [each for each in verdict.warnings if "cloud shadow" in each]
    assert f"about {cloudy:.0%} of the pixels" in line
    assert line in verdict.notes
