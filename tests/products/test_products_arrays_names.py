"""Names that only count the bands of an array, or of a file without names, are no names."""

import re
from functools import partial

import numpy as np
import pytest
from made_rasters import distinct, write

from spectralgpt import products
from spectralgpt.bands import sensor
from spectralgpt.errors import BandError

as_pixels = partial(products.as_pixels, trust_input=True)

COUNTING = ["Band {}", "b{}", "Layer_{}", "band_{}", "Band 0{}"]


def counting(form: str, count: int) -> list[str]:
    return [form.format(number) for number in range(1, count + 1)]


@pytest.mark.parametrize("form", COUNTING)
@pytest.mark.parametrize("count", [3, 4, 7, 12, 13])
def test_names_that_only_count_are_refused_with_advice_that_does_not_repeat_them(form, count):
    names = counting(form, count)
    with pytest.raises(BandError, match=r"without names .* only count them") as caught:
        as_pixels(distinct(count, 8, 8), bands=names)
    assert caught.value.advice
    for name, value in caught.value.advice:
        assert name == "bands"
        assert names[0] not in str(value)
        if not str(value).endswith(".toml"):
            assert len(as_pixels(distinct(count, 8, 8) / 1e4, bands=value).bands) == count


@pytest.mark.parametrize("form", COUNTING)
@pytest.mark.parametrize("name", ["s2-l2a", "s2-l1c", "eurosat", "landsat8-l1", "planetscope-8"])
def test_with_a_sensor_of_that_many_bands_they_are_read_in_its_order(form, name):
    known = sensor(name)
    names = counting(form, len(known.bands))
    pixels = as_pixels(distinct(len(names), 8, 8) / 1e4, bands=f"{name}:{','.join(names)}")
    assert pixels.bands == known.bands


@pytest.mark.parametrize("form", COUNTING)
@pytest.mark.parametrize("name", ["s2-l2a", "hls-l30", "landsat8-c2l2"])
def test_with_a_sensor_of_more_bands_they_are_refused(form, name):
    """Read as names, four bands of blue, green, red and near infrared would be B1 to B4."""
    with pytest.raises(BandError, match="found 4 bands without names"):
        as_pixels(distinct(4, 8, 8), bands=f"{name}:{','.join(counting(form, 4))}")


@pytest.mark.parametrize("form", ["B{}", "B0{}", "Band_0{}"])
def test_names_that_could_be_a_count_are_noted_and_the_advice_works(form):
    names = [form.format(number) if number < 10 else f"B{number}" for number in range(1, 13)]
    with pytest.warns(UserWarning, match="could also only count") as caught:
        as_pixels(distinct(12, 8, 8), bands=names)
    (choice,) = re.findall(r"choose bands='(.*)'", str(caught[0].message))
    assert as_pixels(distinct(12, 8, 8), bands=choice).bands == sensor("s2-l2a").bands


@pytest.mark.parametrize("form", COUNTING[:3])
def test_files_without_names_are_as_arrays(tmp_path, form):
    path = write(tmp_path / "a.tif", distinct(4, 8, 8))
    for prefix in ("", "s2-l2a:"):
        with pytest.raises(BandError, match="4 bands without names"):
            products.open_raster(path, bands=prefix + ",".join(counting(form, 4)))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["B02", "B03", "B04"], ["B2", "B3", "B4"]),
        (["s2-l2a:Band 2", "Band 3", "Band 4"], ["B2", "B3", "B4"]),
        (["s2-l2a:Band 1 (Blue)", "Band 2 (Green)", "Band 3 (Red)"], ["B2", "B3", "B4"]),
        (["s2-l1c:B2_median", "B3_median", "B4_median"], ["B2", "B3", "B4"]),
        (["s2-l1c:B1", "B2", "B3"], ["B1", "B2", "B3"]),
    ],
)
def test_other_names_stay_names(names, expected):
    pixels = as_pixels(np.asarray(distinct(3, 8, 8)), bands=names)
    assert [band.name for band in pixels.bands] == expected
