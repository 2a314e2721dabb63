"""Files without names get a list of names as advice, with one for each band; unknown sensors get similar names."""

import math

import pytest
from affine import Affine
from made_rasters import land, write

import spectralgpt
from spectralgpt.bands import Evidence, identify
from spectralgpt.errors import BandError
from spectralgpt.products import open_raster


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 8, 10, 12, 13])
@pytest.mark.parametrize("gsd", [10.0, 30.0, 3.0, math.nan])
def test_lists_in_advice_have_a_name_per_band(count, gsd):
    evidence = Evidence((None,) * count, "a.tif", gsd=gsd, dtype="uint16")
    with pytest.raises(BandError) as caught:
        identify(evidence, None)
    lists = [str(value) for _, value in caught.value.advice if "," in str(value) or count == 1]
    assert lists or (count >= 8 and caught.value.advice), str(caught.value)
    for value in lists:
        assert len(value.partition(":")[2].split(",") if ":" in value else value.split(",")) == count
        assert len(identify(evidence, value).bands) == count
    assert ": bands=" in str(caught.value)


def test_four_bands_of_ten_metres_are_like_those_of_sentinel_2():
    with pytest.raises(BandError, match=r"List the names .*bands='B02,B03,B04,B08'"):
        identify(Evidence((None,) * 4, "a.tif", gsd=10.0, dtype="uint16"), None)


@pytest.mark.parametrize(("count", "size"), [(3, 10), (4, 10), (6, 30), (4, 3)])
def test_the_list_opens_the_file(tmp_path, count, size):
    values = land(40, 44, bands=count).astype("u2")
    path = write(tmp_path / "a.tif", values, names=[None] * count, transform=Affine(size, 0, 435730, 0, -size, 4179460))
    with pytest.raises(BandError) as caught:
        open_raster(path)
    for name, value in caught.value.advice:
        with open_raster(path, **{name: value}) as raster:
            assert len(raster.bands) == count


@pytest.mark.parametrize(
    ("asked", "near"), [("s2l2a", "s2-l2a"), ("landsat-8", "landsat8-toa"), ("planet", "planetscope-4")]
)
def test_unknown_sensors_get_a_few_similar_names(asked, near):
    with pytest.raises(BandError, match=r"`spectralgpt sensors` lists all") as caught:
        spectralgpt.sensors(asked)
    assert near in caught.value.expected
    assert caught.value.expected.count(",") < 5


@pytest.mark.parametrize("asked", ["qqqq", "", "###"])
def test_without_a_similar_name_the_command_that_lists_them(asked):
    with pytest.raises(BandError, match=r"known sensors\. `spectralgpt sensors` lists all"):
        spectralgpt.sensors(asked)
