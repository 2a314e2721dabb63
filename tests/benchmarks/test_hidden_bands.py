"""Errors of hidden bands and dates: what is judged, what is fitted, and means over places with their intervals."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from hidden_bands import ALL, HIDDEN, Errors, hidden_with, one_date, rmse, samples_of, tiles  # noqa: E402
from pixel_regression import Fitted, drawn, spectra_of  # noqa: E402
from place_intervals import compared, place_means, verdict  # noqa: E402

import spectralgpt  # noqa: E402
from spectralgpt.weights.untrained import untrained  # noqa: E402

BANDS = "s2-l2a:B02,B03,B04,B08"


def image(shape: tuple[int, int], dates: int = 1):
    values = np.arange(dates * 4 * shape[0] * shape[1], dtype=np.uint16).reshape(dates, 4, *shape) + 1
    days = [f"2020-0{1 + date}-01" for date in range(dates)]
    return spectralgpt.as_pixels(values, bands=BANDS, gsd=10, dates=days, trust_input=True)


def row(name: str, group: str, part: str, path: str) -> dict[str, str]:
    return {"set": name, "group": group, "part": part, "path": path}


def test_two_dates_of_a_site_are_one_sample_and_sites_of_a_group_stay_apart():
    rows = [
        row("bark_beetle", "sites_1", "choose", f"bark/images_{year}/geojson_{site}.tif")
        for site in (7, 8)
        for year in (2020, 2019)
    ]
    rows += [row("oscd", "paris", "choose", f"oscd/paris/imgs_{date}") for date in (1, 2)]
    rows += [row("eurosat_more", "eurosat_3", "choose", f"more/Forest_{number}.tif") for number in (1, 2)]
    rows += [row("eurosat", "eurosat_4", "report", "ms/River_1.tif"), row("hls_water", "c", "choose", "hls/1.tif")]
    found = samples_of(rows, Path("/data"), "choose")
    assert [(each.set, each.place, len(each.paths)) for each in found] == [
        ("bark_beetle", "sites_1", 2),
        ("bark_beetle", "sites_1", 2),
        ("oscd", "paris", 2),
        ("eurosat_more", "eurosat_3", 1),
        ("eurosat_more", "eurosat_3", 1),
    ]
    first = found[0].paths
    assert first == tuple(f"/data/bark/images_{year}/geojson_7.tif@{year}-09-15" for year in (2019, 2020))


@pytest.mark.parametrize(
    ("shape", "sizes"), [((38, 47), [(38, 47)]), ((64, 64), [(64, 64)]), ((130, 200), [(64, 64)] * 6)]
)
def test_large_images_are_cut_and_small_ones_stay_whole(shape, sizes):
    assert [each.shape[2:] for each in tiles(image(shape))] == sizes


def test_one_date_has_its_day_and_values():
    pixels = image((3, 5), dates=2)
    second = one_date(pixels, 1)
    assert np.array_equal(second.values[0], pixels.values[1])
    assert second.days.tolist() == [pixels.days[1]]


def test_spectra_are_of_pixels_valid_in_all_bands_and_none_of_an_image_without_a_band():
    pixels = image((2, 3))
    valid = np.ones(pixels.values.shape, bool)
    valid[0, 1, 0, 2] = False
    holed = spectralgpt.as_pixels(pixels.values, bands=pixels.bands, gsd=10, valid=valid, trust_input=True)
    found = spectra_of(holed, ("B4", "B2"))
    assert found is not None
    assert found.shape == (6, 2), "the hole is in a band that was not asked for"
    both = spectra_of(holed, ("B4", "B3"))
    assert both is not None
    assert np.allclose(both[:, 0], np.delete(pixels.reflectance()[0, 2].ravel(), 2))
    assert spectra_of(pixels, ("B4", "B12")) is None


def test_equally_many_pixels_of_each_image_the_same_by_each_call():
    images = [np.full((size, 2), number, np.float32) for number, size in enumerate((1000, 5, 300))]
    found = drawn(images, 120, 0)
    assert np.bincount(found[:, 0].astype(int)).tolist() == [40, 5, 40]
    ramp = [np.arange(500.0)[:, None]]
    assert np.array_equal(drawn(ramp, 50, 3), drawn(ramp, 50, 3))
    assert not np.array_equal(drawn(ramp, 50, 3), drawn(ramp, 50, 4))
    assert len(np.unique(drawn(ramp, 50, 3))) == 50


def test_fitted_ways_see_the_visible_bands_alone():
    random = np.random.default_rng(0)
    one, two = random.random((2, 2000)).astype(np.float32)
    fitted = Fitted(("B2", "B3", "B4"), np.column_stack([one, two, 0.2 + 0.5 * one + 0.3 * two]), {})
    new = np.array([[0.3, 0.9, 7.0], [0.8, 0.1, 7.0]], np.float32)
    exact = 0.2 + 0.5 * new[:, 0] + 0.3 * new[:, 1]
    visible = ("B2", "B3")
    assert np.allclose(fitted.predicted("linear", "B4", visible, new), exact, atol=1e-5)
    assert np.allclose(fitted.predicted("boosting", "B4", visible, new), exact, atol=0.03)
    assert np.allclose(fitted.predicted("mean", "B4", visible, new), fitted.spectra[:, 2].mean(), atol=1e-6)
    alone = fitted.predicted("linear", "B4", ("B2",), new)
    assert np.allclose(alone, 0.35 + 0.5 * new[:, 0], atol=0.02), "the mean of the band that is not seen"


def test_the_whole_group_of_a_named_band_is_hidden():
    model = untrained()
    groups = [{band.name for band in group.bands} for group in model.config.bands.groups]
    for wanted in HIDDEN.values():
        found = hidden_with(model, wanted)
        assert set(wanted) <= found
        assert all(group <= found or not group & found for group in groups)


def test_root_mean_square_by_hand_and_nan_without_a_pixel():
    assert rmse(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == pytest.approx(math.sqrt(2.5))
    assert math.isnan(rmse(np.empty(0), np.empty(0)))


def test_a_place_counts_once_however_many_images_it_has():
    assert place_means([1.0, 3.0, 5.0, math.nan], ["b", "b", "a", "c"]) == {"a": 5.0, "b": 2.0}
    values, places = [0.1] * 9 + [0.5], ["many"] * 9 + ["one"]
    assert compared({"model": values}, places, "model")["model"]["value"] == pytest.approx(0.3)
    by_image = compared({"model": values}, places, "model", by_place=False)["model"]["value"]
    assert by_image == pytest.approx(0.14)


def test_paired_differences_are_sharper_than_what_they_are_of():
    random = np.random.default_rng(1)
    hard = random.uniform(0.1, 0.9, 40)
    places = [f"place {number}" for number in range(40)]
    found = compared({"model": hard - 0.05, "other": hard, "gap": [math.nan, *hard[1:]]}, places, "model")
    other = found["other"]
    assert other["difference"] == pytest.approx(-0.05, abs=1e-4)
    assert np.ptp(other["difference_interval"]) < 1e-3 < np.ptp(other["interval"])
    assert verdict(other, lower_is_better=True).endswith("better")
    assert verdict(other, lower_is_better=False).endswith("worse")
    assert "difference" not in found["model"]


def test_one_place_has_no_interval():
    found = compared({"model": [0.1, 0.2], "other": [0.2, 0.3]}, ["paris", "paris"], "model")
    assert found["other"]["interval"] == [None, None]
    assert verdict(found["other"], lower_is_better=True) == "-0.1000, one place"


def test_an_image_without_a_pixel_counts_for_no_way():
    errors = Errors([], [])
    for value, place in ((0.1, "a"), (0.3, "b"), (math.nan, "c")):
        errors.add({band: {"model": value, "linear": 2 * value} for band in ("B5", "B6")}, place)
    found = errors.summary()["bands"]
    assert list(found) == ["B5", "B6", ALL]
    assert found[ALL]["linear"]["value"] == pytest.approx(0.4)
    assert found["B5"]["linear"]["difference"] == pytest.approx(-0.2)
