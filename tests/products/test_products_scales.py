"""A scale in the metadata of one band that is unlike those of the others is said when the image is opened."""

import pytest
from made_rasters import distinct, write

from spectralgpt.products import open_raster

BANDS = ("B02", "B03", "B04", "B08")


def image(tmp_path, scales, names=BANDS):
    return write(tmp_path / "a.tif", distinct(len(names), 16, 16), names=list(names), scales=scales)


def said(path, bands="s2-l2a"):
    with open_raster(path, bands=bands) as raster:
        return [each for each in raster.warnings if "found the scale" in each]


@pytest.mark.parametrize("odd", [-1.0, -1e-4, 1e-9, 1.0])
@pytest.mark.parametrize("number", range(4))
def test_one_band_of_four(tmp_path, odd, number):
    scales = [1e-4] * 4
    scales[number] = odd
    path = image(tmp_path, scales)
    (warning,) = said(path)
    assert warning.startswith(f"{path}: found the scale {odd:g} of B{BANDS[number][1:].lstrip('0')} beside 0.0001")
    rest = ",".join(f"B{name[1:].lstrip('0')}" for name in BANDS if name != BANDS[number])
    assert warning.endswith(f"leave the band out: bands='{rest}'")
    assert not said(path, ",".join(name for name in BANDS if name != BANDS[number]))


@pytest.mark.parametrize("scales", [[1e-4] * 4, [1e-4, 2e-4, 5e-5, 1e-3], [1e-5, 4e-4, 2e-4, 1e-4], [1.0] * 4])
def test_scales_of_one_product_may_differ(tmp_path, scales):
    assert not said(image(tmp_path, scales))


def test_of_two_bands_none_is_the_odd_one_unless_it_is_negative(tmp_path):
    assert not said(image(tmp_path, [1e-4, 1e-9], BANDS[:2]))
    assert len(said(image(tmp_path, [1e-4, -1e-4], BANDS[:2]))) == 1


def test_bands_of_heat_have_a_scale_of_their_own(tmp_path):
    names = [*(f"SR_B{number}" for number in range(1, 8)), "ST_B10"]
    path = write(tmp_path / "a.tif", distinct(8, 16, 16), names=names, scales=[2.75e-5] * 7 + [0.00341802])
    assert not said(path, "landsat8-c2l2")
