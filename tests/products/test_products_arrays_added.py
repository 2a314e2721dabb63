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
    values = np.stack([distinct(3, ROWS, COLUMNS)] * len(days)).astype(dtype)
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
        ({}, {"bands": "hls-s30"}),
        ({"attrs": {"scale_factor": 1e-4, "add_offset": -0.1}}, {}),
        ({}, {"offset": 0.0}),
    ],
)
def test_other_arrays_do_not_warn(library, how, given):  # noqa: F811
    as_pixels(cube(library, **how), **given)


def test_reflectance_does_not_warn():
    as_pixels(distinct(12, 8, 8, "float32"), bands="s2-l2a", dates=["2022-06-01"])
