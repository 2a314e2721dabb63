"""The offset of Sentinel-2 that attributes and coordinates of arrays state, and the warning where only a date is."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_rasters import distinct

from spectralgpt import products
from test_products_arrays import COLUMNS, ROWS, labels, library  # noqa: F401, a fixture

as_pixels = partial(products.as_pixels, trust_input=True)  # made-up values are no spectra

NAMES = ("B02", "B03", "B04")
LATE = ("2022-03-01", "2022-03-11")


def coordinates(days: tuple[str, ...], **more: Any) -> dict[str, Any]:
    time = {"time": (("time",), np.array(days, "datetime64[ns]"), {})}
    return labels() | time | {key: (("time",), [value] * len(days), {}) for key, value in more.items()}


def cube(made: SimpleNamespace, days=LATE, dtype="uint16", attrs=None, coords=None):
    values = np.stack([distinct(3, ROWS, COLUMNS, dtype)] * len(days))
    where = coordinates(days, **(coords or {})) | {"band": (("band",), np.array(NAMES, object), {})}
    return made.array(values, ("time", "band", "y", "x"), where, attrs)


def dataset(made: SimpleNamespace, days=LATE, dtype="uint16", attrs=None, coords=None):
    values, where = distinct(3, ROWS, COLUMNS).astype(dtype), coordinates(days, **(coords or {}))
    return made.dataset(
        {
            name: made.array(np.stack([values[band]] * len(days)), ("time", "y", "x"), where, attrs)
            for band, name in enumerate(NAMES)
        }
    )


@pytest.mark.parametrize(
    ("how", "offset"),
    [
        ({"attrs": {"BOA_ADD_OFFSET": -1000}}, -0.1),
        ({"attrs": {"BOA_ADD_OFFSET": "-1000"}, "dtype": "int16"}, -0.1),
        ({"coords": {"s2:processing_baseline": "05.09"}}, -0.1),
        ({"coords": {"s2:processing_baseline": "02.14"}}, 0.0),
        ({"coords": {"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": True}}, 0.0),
    ],
)
@pytest.mark.parametrize("make", [cube, dataset])
def test_attributes_and_coordinates_state_it(library, make, how, offset):  # noqa: F811
    values = make(library, **how)
    assert as_pixels(values).offset == pytest.approx([offset] * 3)
    assert as_pixels(values, offset=-0.05).offset == pytest.approx([-0.05] * 3)


@pytest.mark.parametrize("make", [cube, dataset])
def test_a_late_date_warns(library, make):  # noqa: F811
    with pytest.warns(UserWarning, match="may include the .1000"):
        assert as_pixels(make(library)).offset == pytest.approx([0.0] * 3)
    assert as_pixels(make(library), scale=1e-4, offset=-0.1).offset == pytest.approx([-0.1] * 3)


def test_a_late_date_that_is_given_warns():
    with pytest.warns(UserWarning, match="offset=-0.1"):
        as_pixels(distinct(12, 8, 8), bands="s2-l2a", dates=["2022-06-01"])


@pytest.mark.parametrize(
    ("how", "given"),
    [
        ({"days": ("2021-03-01", "2022-01-24")}, {}),
        ({}, {"bands": "hls-s30", "gsd": 30}),
        ({"attrs": {"scale_factor": 1e-4, "add_offset": -0.1}}, {}),
        ({}, {"offset": 0.0}),
    ],
)
def test_other_arrays_do_not_warn(library, how, given):  # noqa: F811
    as_pixels(cube(library, **how), **given)


@pytest.mark.parametrize("darker", [0.03, 0.08])
def test_reflectance_with_dark_places_does_not_warn(darker):
    as_pixels(distinct(12, 8, 8, "float32") - darker, bands="s2-l2a", dates=["2022-06-01"])


@pytest.mark.parametrize("bands", ["s2-l2a", "s2-l1c:B1,B2,B3,B4,B5,B6,B7,B8,B8A,B9,B11,B12", "spectralgpt-12"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", [{}, {"scale": 1}])
def test_reflectance_that_may_include_it_warns(bands, dtype, given):
    values = distinct(12, 8, 8, dtype)
    with pytest.warns(UserWarning, match="may include the .1000 .* give offset=-0.1$"):
        as_pixels(values, bands=bands, dates="2022-06-01", **given)
    followed = as_pixels(values, bands=bands, dates="2022-06-01", offset=-0.1)
    np.testing.assert_allclose(followed.reflectance()[0], values - 0.1, atol=1e-6)
    as_pixels(values, bands=bands, dates="2022-01-24")


def test_reflectance_under_an_attribute_warns(library):  # noqa: F811
    with pytest.warns(UserWarning, match="although 1000 was added by the tag BOA_ADD_OFFSET.* give offset=-0.1$"):
        as_pixels(cube(library, dtype="float32", attrs={"BOA_ADD_OFFSET": "-1000"}))


@pytest.mark.parametrize("attrs", [{"BOA_ADD_OFFSET": "500"}, {"processing_baseline": "new"}])
@pytest.mark.parametrize("make", [cube, dataset])
def test_what_cannot_be_used_warns(library, make, attrs):  # noqa: F811
    days = ("2021-03-01", "2021-03-11")
    with pytest.warns(UserWarning, match="the array: found .*; expected .*Not used: give offset=-0.1, or 0"):
        assert as_pixels(make(library, attrs=attrs, days=days)).offset == pytest.approx([0.0] * 3)


@pytest.mark.parametrize("text", ["5.09", 5.09, "N0510"])
@pytest.mark.parametrize("key", ["s2:processing_baseline", "sentinel:processing_baseline"])
@pytest.mark.parametrize("as_attribute", [True, False])
def test_baselines_of_items_in_any_form(library, key, text, as_attribute):  # noqa: F811
    values = cube(library, **{"attrs" if as_attribute else "coords": {key: text}})
    assert as_pixels(values).offset == pytest.approx([-0.1] * 3)


@pytest.mark.parametrize(
    ("bands", "scale", "offset"),
    [("s2-l2a:B2,B3,B4", 1e-4, 0.0), ("landsat8-c2l2:B2,B3,B4", 2.75e-5, -0.2), ("hls-s30:B2,B3,B4", 1e-4, 0.0)],
)
def test_scale_and_offset_alone_leave_the_other_as_it_is(bands, scale, offset):
    values = distinct(3, 8, 8)
    usual = as_pixels(values, bands=bands)
    assert (usual.scale[0], usual.offset[0]) == (scale, offset)
    moved = as_pixels(values, bands=bands, offset=-0.1)
    assert (moved.scale.tolist(), moved.offset.tolist()) == ([scale] * 3, [-0.1] * 3)
    assert as_pixels(values, bands=bands, scale=scale).offset.tolist() == [offset] * 3
    assert as_pixels(values, bands=bands, scale=2e-3).offset.tolist() == [0.0] * 3, "it belongs to another scale"


def test_a_scale_alone_keeps_what_attributes_state(library):  # noqa: F811
    assert as_pixels(cube(library, attrs={"BOA_ADD_OFFSET": -1000}), scale=1e-4).offset == pytest.approx([-0.1] * 3)
    packed = cube(library, attrs={"scale_factor": 2e-4, "add_offset": -0.05})
    assert as_pixels(packed, scale=2e-4).offset == pytest.approx([-0.05] * 3)
    assert as_pixels(packed, offset=0).scale == pytest.approx([2e-4] * 3)
