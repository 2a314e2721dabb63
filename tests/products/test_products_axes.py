"""Arrays with their bands on another axis get the line that moves them; masks are what is not valid."""

import numpy as np
import pytest
from made_rasters import land

from spectralgpt.errors import InputError
from spectralgpt.products import as_pixels


@pytest.mark.parametrize(
    ("source", "choice", "move"),
    [
        (-1, "s2-l2a", "np.moveaxis(a, -1, 0)"),
        (1, "s2-l2a", "np.moveaxis(a, 1, 0)"),
        (-1, ["s2-l2a:B2", "B3", "B4"], "np.moveaxis(a, -1, 0)"),
    ],
)
def test_the_line_in_the_message_mends_the_array(source, choice, move):
    count = 12 if choice == "s2-l2a" else 3
    right = land(40, 44, bands=count).astype("u2")
    a = np.moveaxis(right, 0, source)
    with pytest.raises(InputError, match="Move the bands") as caught:
        as_pixels(a, bands=choice, trust_input=True)
    assert move in caught.value.do
    moved = np.moveaxis(a, source, 0)
    assert np.array_equal(as_pixels(moved, bands=choice, trust_input=True).values[0], right)


@pytest.mark.parametrize("form", [lambda a: a, lambda a: a[None], list])
def test_masked_values_are_not_valid(form):
    values = np.ma.masked_array(land(40, 44, bands=3).astype("u2"), mask=False)
    values[:, :4] = np.ma.masked
    pixels = as_pixels(form(values), bands="s2-l2a:B2,B3,B4", trust_input=True)
    assert pixels.valid.mean() == pytest.approx(0.9)
