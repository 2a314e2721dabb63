"""Every argument of as_pixels and open_raster, wrong in several ways, gets a sentence that begins with its name."""

import re
from typing import Any

import numpy as np
import pytest
from made_rasters import land, write

from spectralgpt.errors import InputError
from spectralgpt.products import as_pixels, open_raster

RGB = "s2-l2a:B2,B3,B4"

WRONG: dict[str, tuple[Any, ...]] = {
    "bands": ({}, 490, None, [None, "B2"], [["B2"]], {"B2": 1}, {"B2"}, b"B2", True, object(), np.zeros((2, 2)), "",
              []),
    "dates": (5, {}, b"2020", True, object(), [5], np.array([1, 2]), float("nan"), ["x"], "2020-13-01", []),
    "gsd": ("ten", "10", [10], {}, True, object(), np.zeros(3), 0, -5, float("nan"), float("inf")),
    "scale": ("x", [1, 2], {}, [], [None] * 3, True, np.zeros((3, 1)), ["a"] * 3, 0, float("nan"), [1, 0, 1]),
    "offset": ("x", [1, 2], {}, [], [None] * 3, True, object(), float("inf"), [0, 0, float("nan")]),
    "nodata": ("x", {}, [], object(), [None], ["x", 0], True, np.zeros((2, 2)), "", b"0"),
    "valid": (5, "x", [], {}, object(), True, [True, False], np.ones((2, 2), bool), np.ones((4, 40, 44), bool),
              np.ones((40, 44)), np.full((40, 44), 255, "u1")),
    "grid": (5, "x", {}, object(), (1, 2, 3)),
    "trust_input": ("x", 5, None, []),
}  # fmt: skip

OF_FILES: dict[str, tuple[Any, ...]] = {
    **{name: WRONG[name] for name in ("dates", "gsd", "nodata")},
    "bands": tuple(each for each in WRONG["bands"] if each is not None),
    "source": (5, None, {}, True, b"x", [None], [5], np.zeros((2, 2)), object(), "", " "),
    "aoi": (5, {}, True, ["a"], object(), "", b"x"),
    "clouds": (5, {}, True, object(), [None], "", []),
}


@pytest.fixture
def array() -> np.ndarray:
    return land(40, 44, bands=3).astype("u2")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_of_as_pixels(name, array):
    for value in WRONG[name]:
        refused = refusal(lambda value=value: as_pixels(array, **{"bands": RGB, "trust_input": True, name: value}))
        assert re.match(rf"{name}\b|the array", str(refused)), (value, str(refused))
        assert refused.expected or refused.do, (value, str(refused))


@pytest.mark.parametrize("name", OF_FILES)
def test_wrong_arguments_of_open_raster(name, tmp_path):
    path = write(tmp_path / "a.tif", land(40, 44, bands=3).astype("u2"), names=["B2", "B3", "B4"])
    for value in OF_FILES[name]:
        given = {"bands": "s2-l2a", name: value}
        refused = refusal(lambda given=given: open_raster(given.pop("source", path), **given))
        assert name in str(refused) or value == [], (value, str(refused))
        assert refused.expected or refused.do, (value, str(refused))


@pytest.mark.parametrize("gsd", [10, 10.0, np.float32(10), np.int64(10), np.array(10.0)])
def test_numbers_of_numpy_are_numbers(array, gsd):
    assert as_pixels(array, bands=RGB, gsd=gsd, trust_input=True).gsd == 10


@pytest.mark.parametrize(
    "valid",
    [np.arange(44) > 3, (np.arange(44) > 3)[None], np.broadcast_to(np.arange(44) > 3, (3, 40, 44)).astype("u1")],
)
def test_valid_is_true_where_something_was_measured(array, valid):
    if valid.ndim == 1:
        assert "valid: found shape (44,)" in str(refusal(lambda: as_pixels(array, bands=RGB, valid=valid)))
        return
    pixels = as_pixels(array, bands=RGB, valid=valid, trust_input=True)
    assert pixels.valid.mean() == 40 / 44


@pytest.mark.parametrize("valid", [list, np.asarray])
def test_valid_may_be_a_list_or_a_tensor(array, valid):
    torch = pytest.importorskip("torch")
    flags = np.arange(44) > np.zeros((40, 1)) + 3
    for given in (valid(flags.tolist()), torch.from_numpy(flags)):
        assert (~as_pixels(array, bands=RGB, valid=given, trust_input=True).valid).sum() == 3 * 4 * 40


@pytest.mark.parametrize(
    "dates", ["2020-05-01", np.datetime64("2020-05-01"), np.array(["2020-05-01"], "M8[ns]"), ["2020-05-01T10:00:00"]]
)
def test_dates_in_any_form(array, dates):
    assert as_pixels(array, bands=RGB, dates=dates, trust_input=True).days.tolist() == [18383]


def test_an_unknown_time_of_numpy_is_an_unknown_day(array):
    dates = np.array(["2020-05-01", "NaT"], "M8[ns]")
    pixels = as_pixels(np.stack([array, array]), bands=RGB, dates=dates, trust_input=True)
    assert pixels.days.tolist() == [18383, -1]


def refusal(call) -> InputError:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(("gsd", "said"), [(30, "pixels of 30 m"), (3, "pixels of 3 m"), (10, "pixels of 10 m")])
def test_the_pixel_size_chooses_the_advice(array, gsd, said):
    refused = refusal(lambda: as_pixels(array, bands=["B2", "B3", "B4"], gsd=gsd))
    listed = [str(value) for _, value in refused.advice]
    assert said in str(refused) or gsd == 3, str(refused)
    assert any(value.startswith("s2") for value in listed) == (gsd == 10) or gsd == 3, str(refused)
