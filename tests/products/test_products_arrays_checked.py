"""Arrays are checked as files are, and take lists as `open_raster` does."""

import datetime
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from spectralgpt.bands import Sensor, sensor
from spectralgpt.errors import BandError, RasterError
from spectralgpt.products import as_pixels, open_raster
from spectralgpt.raster import Pixels


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
