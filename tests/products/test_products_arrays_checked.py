"""Arrays are checked as files are, and take lists as `open_raster` does."""

import datetime
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from made_rasters import distinct

from spectralgpt.bands import Sensor, sensor
from spectralgpt.checks import check
from spectralgpt.errors import BandError, RasterError
from spectralgpt.products import as_pixels, open_raster
from spectralgpt.raster import Pixels, raster_of


@pytest.fixture(scope="module")
def scene(demo_scene: Path) -> Pixels:
    """Real Sentinel-2 digital numbers, 13 bands."""
    with open_raster(demo_scene) as raster:
        return raster.read(raster.grid.whole.__class__(100, 100, 128, 128))


def named(pixels: Pixels) -> dict[str, str]:
    return {"bands": "s2-l1c:" + ",".join(band.name for band in pixels.bands)}


def test_a_right_image_gives_no_warning(scene):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = as_pixels(scene.values, **named(scene))
    assert pixels.scale.tolist() == [1e-4] * 13
    reflectance = scene.reflectance()
    assert as_pixels(reflectance, **named(scene)).scale.tolist() == [1] * 13


@pytest.mark.parametrize("factor", [100, 0.001, 65535])
def test_other_units_are_refused_unless_trusted(scene, factor):
    values = (scene.reflectance() * factor).astype("f4")
    with pytest.raises(RasterError, match=r"the array: found values .*trust_input=True"):
        as_pixels(values, scale=1, **named(scene))
    assert as_pixels(values, scale=1, trust_input=True, **named(scene)).scale.tolist() == [1] * 13


def constant(scene: Pixels) -> np.ndarray:
    values = scene.values.copy()
    values[:, 4] = 1000
    return values


def copied(scene: Pixels) -> np.ndarray:
    values = scene.values.copy()
    values[:, 3] = values[:, 2]
    return values


def in_another_order(scene: Pixels) -> np.ndarray:
    return scene.values[:, ::-1]


@pytest.mark.parametrize(
    ("change", "found"),
    [(constant, "single value"), (copied, "same image in"), (in_another_order, "names that seem wrong|spectra unlike")],
)
def test_suspicions_are_warnings(scene, change, found):
    with pytest.warns(UserWarning, match=f"the array: found .*({found})"):
        as_pixels(change(scene), **named(scene))


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("bands", ["s2-l2a:B2,B3,B4", "landsat8-c2l2:B2,B3,B4"])
def test_bytes_are_not_reflectance(dtype, bands):
    values = np.arange(3 * 64, dtype=dtype).reshape(3, 8, 8) % 100
    with pytest.raises(RasterError, match=rf"digital numbers .{dtype}.*Give the arguments scale and offset"):
        as_pixels(values, bands=bands, trust_input=True)


def test_several_dates_need_days(scene):
    values = np.concatenate([scene.values, scene.values])
    with pytest.raises(RasterError, match=r"2 dates without days.*dates=\['2020-05-01', None\]"):
        as_pixels(values, **named(scene))
    for dates in (
        ["2020-05-01", None],
        "2020-05-01,2020-06-10",
        [datetime.date(2020, 5, 1), np.datetime64("2021-01-01")],
    ):
        assert as_pixels(values, dates=dates, **named(scene)).days[0] == 18383
    assert as_pixels(values, trust_input=True, **named(scene)).days.tolist() == [-1, -1]


def offset_advice(text: str) -> dict[str, float]:
    return {name: float(number) for name, number in re.findall(r"(scale|offset)=(-?\d[\d.e-]*\d|\d)", text)}


def dark(scene: Pixels) -> np.ndarray:
    """Real digital numbers with dark places, all above 0."""
    return np.clip(scene.values.astype(int) - 600, 1, None)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda reflectance: (reflectance + 0.1) * 1e4, "no value below 0.1"),
        (lambda reflectance: (reflectance + 0.1).astype("f4"), "no value below 0.1"),
        (lambda reflectance: (reflectance * 100).astype("f4"), "percent"),
        (lambda reflectance: reflectance * 1e3, "1000 times"),
        (lambda reflectance: (reflectance / 10).astype("f4"), "a tenth"),
    ],
)
def test_advice_on_arrays_is_arguments_and_works(scene, change, kind):
    names = {"bands": named(scene)["bands"].replace(",B10", ""), "dates": "2020-05-01"}
    reflectance = np.delete(dark(scene) / 1e4, 10, axis=1)
    values = change(reflectance)
    values = values.round().astype("u2") if values.dtype == np.float64 else values
    texts = warned(values, **names)
    (text,) = [each for each in texts if kind in each]
    assert not re.search(r"FILE|gdal_edit|\.toml|product with its metadata", text)
    followed = as_pixels(values, **names, **offset_advice(text), trust_input=True)
    np.testing.assert_allclose(followed.reflectance(), reflectance, atol=1e-3)
    left = warned(values, **names, **offset_advice(text))
    assert not [each for each in left if kind in each or "too bright" in each or "too dark" in each]


@pytest.mark.parametrize(("factor", "added", "kind"), [(1e4, 0.1, "offset"), (1, 0.1, "offset"), (100, 0, "units")])
def test_pixels_in_place_of_a_path_get_the_same_advice(scene, factor, added, kind):
    reflectance = np.delete(dark(scene) / 1e4, 10, axis=1)
    values = ((reflectance + added) * factor).astype("f4")
    names = named(scene)["bands"].replace(",B10", "")
    pixels = as_pixels(values, bands=names, trust_input=True)
    (text,) = [flag.text for flag in check(raster_of(pixels), trust=True).flags if flag.kind == kind]
    assert not re.search(r"FILE|gdal_edit|\.toml|product with its metadata", text)
    followed = as_pixels(values, bands=names, trust_input=True, **offset_advice(text))
    np.testing.assert_allclose(followed.reflectance(), reflectance, atol=1e-3)


def warned(values: np.ndarray, **options) -> list[str]:
    """Warnings, or the message of the refusal."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            as_pixels(values, **options)
        except RasterError as error:
            return [str(error)]
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("names", [["s2-l2a:B2", "B3", "B4"], "s2-l2a:B2,B3,B4", "s2-l1c:B2,B3,B4"])
def test_the_advice_of_a_late_date_works(scene, names):
    values = dark(scene)[:, 1:4].astype("u2") + 1000
    note = next(each for each in warned(values, bands=names, dates="2023-05-01") if "may include" in each)
    assert offset_advice(note) == {"offset": -0.1}
    left = warned(values, bands=names, dates="2023-05-01", offset=-0.1)
    assert not [each for each in left if "offset" in each or "too bright" in each]


@pytest.mark.parametrize(
    ("bands", "dates", "why"),
    [
        ("s2-l2a:B2,B3,B4", "2050-01-01", "future"),
        ("s2-l2a:B2,B3,B4", "2010-01-01", "before the launch of s2-l2a"),
        ("landsat8-c2l2:B2,B3,B4", datetime.date(2009, 1, 1), "before the launch of landsat8-c2l2"),
        ([490, 560, 665], "1969-01-01", "before 1970"),
        ("s2-l2a:B2,B3,B4", ["2020-05-01", "2020-05-01"], "2020-05-01 more than once"),
        ([490, 560, 665], ["2020-05-01", None, "2020-05-01"], "2020-05-01 more than once"),
    ],
)
def test_days_that_cannot_be_are_refused(scene, bands, dates, why):
    values = np.concatenate([scene.reflectance()[:, 1:4]] * (len(dates) if isinstance(dates, list) else 1))
    with pytest.raises(RasterError, match=f"the array: found the date .*{why}.*the argument `dates`"):
        as_pixels(values, bands=bands, dates=dates, trust_input=True)


@pytest.mark.parametrize(("fill", "dtype"), [(0, "f4"), (-9999, "f4"), (-9999, "i2"), (-32768, "i2"), (65535, "u2")])
def test_nodata_none_switches_off_undeclared_fill(fill, dtype):
    values = distinct(3, 16, 16, "float32" if dtype == "f4" else "uint16").astype(dtype)
    values[:, :4] = fill
    bands = {"bands": "s2-l2a:B2,B3,B4", "trust_input": True}
    assert as_pixels(values, **bands).valid.mean() == 0.75
    for none in ("none", ["none"]):
        valid = as_pixels(values, nodata=none, **bands).valid
        assert valid is None or valid.all()
    values[:, 5] = 7
    assert as_pixels(values, nodata=["none", 7], **bands).valid.mean() == 1 - 1 / 16


def test_nodata_none_keeps_the_check_from_looking_for_fill(scene):
    values = scene.values.copy()
    values[:, :, :16] = 12345
    assert any("12345" in each for each in warned(values, **named(scene)))
    assert not any("fill" in each for each in warned(values, nodata="none", **named(scene)))


@pytest.mark.parametrize("fill", [0, 65535])
def test_an_array_of_nothing_but_nodata_is_refused(fill):
    with pytest.raises(RasterError, match="the array: found no valid pixel"):
        as_pixels(np.full((3, 8, 8), fill, "u2"), bands="s2-l2a:B2,B3,B4", nodata=fill)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["B02", "B03"], "B02,B03"),
        (("B2", "B8A"), "B2,B8A"),
        ([490, 560], "490,560"),
        ([492.4, np.float64(559.8)], "492.4,559.8"),
        (["s2-l1c:B2", "B3"], "s2-l1c:B2,B3"),
    ],
)
def test_lists_mean_what_the_text_means(scene, given, text):
    values = scene.reflectance()[:, 1:3]
    assert as_pixels(values, bands=given).bands == as_pixels(values, bands=text).bands


def test_bands_themselves_are_taken(scene):
    assert as_pixels(scene.values, bands=scene.bands).bands == scene.bands
    known: Sensor = sensor("s2-l1c")
    assert as_pixels(scene.values[:, :2], bands=list(known.bands[1:3])).bands == known.bands[1:3]


def test_positions_are_no_bands(scene):
    with pytest.raises(BandError, match="positions"):
        as_pixels(scene.values[:, :3], bands=[1, 2, 3])


@pytest.mark.parametrize("nodata", [7, "7", [7, 9], "7,9"])
def test_nodata_is_one_value_or_several(nodata):
    values = np.arange(100, 400, dtype="i2").reshape(3, 10, 10)
    values[:, 0, 0], values[:, 0, 1] = 7, 9
    pixels = as_pixels(values, bands="s2-l2a:B2,B3,B4", nodata=nodata, trust_input=True)
    assert (~pixels.valid).sum() == (3 if nodata in (7, "7") else 6)


def test_open_raster_takes_lists(demo_scene):
    def opened(**options):
        with open_raster(demo_scene, **options) as raster:
            return raster.bands, raster.dates, raster.given_nodata

    for one, other in [
        ({"bands": ["B02", "B03"]}, {"bands": "B02,B03"}),
        ({"bands": ("s2-l1c:B2", "B3"), "nodata": [0, -9999]}, {"bands": "s2-l1c:B2,B3", "nodata": "0,-9999"}),
        ({"nodata": ["none", 5]}, {"nodata": "none,5"}),
    ]:
        assert opened(**one) == opened(**other)
    (date,) = opened()[1]
    if date:
        assert opened(dates=[date]) == opened(dates=date) == opened(dates=datetime.date.fromisoformat(date))


def test_the_check_costs_little(scene):
    values = scene.values[:, :, :64, :64]
    as_pixels(values, **named(scene))

    def took(**options) -> float:
        start = time.perf_counter()
        for _ in range(5):
            as_pixels(values, **named(scene), **options)
        return (time.perf_counter() - start) / 5

    assert min(took() for _ in range(3)) < 0.25
