"""Lists of Pixels become a batch, and what is no Pixels gets a sentence."""

import numpy as np
import pytest
import torch

from made_weights import small_weights
from spectralgpt.bands import sensor
from spectralgpt.errors import RasterError
from spectralgpt.products import as_pixels
from spectralgpt.raster import Pixels

BANDS = sensor("spectralgpt-12").bands


def pixels(seed: int, side: int = 16, count: int = 12, **options) -> Pixels:
    values = np.random.default_rng(seed).integers(100, 4000, (count, side, side)).astype("u2")
    return as_pixels(values, bands=BANDS[:count], gsd=10, trust_input=True, **options)


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("valid", [None, np.broadcast_to(np.arange(16) > 3, (16, 16))])
def test_a_list_is_a_batch(kind, valid):
    model = small_weights()
    several = [pixels(1, dates=["2020-05-01"]), pixels(2, valid=valid), pixels(3)]
    batch = model.cube(kind(several))
    assert batch.shape == (3, 1, 12, 16, 16)
    assert (batch.valid is None) == (valid is None)
    assert batch.days.tolist() == [[18383], [-1], [-1]]
    together = model.embed(batch)
    for index, each in enumerate(several):
        assert torch.allclose(together[index], model.embed(model.cube(each))[0], atol=1e-5)


def test_a_list_of_one_is_that_one():
    model = small_weights()
    assert torch.equal(model.cube([pixels(1)]).values, model.cube(pixels(1)).values)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (np.ones((12, 16, 16)), "an object of type ndarray"),
        (torch.ones(12, 16, 16), "an object of type Tensor"),
        ("image.tif", "an object of type str"),
        (None, "an object of type NoneType"),
        ([np.ones((12, 16, 16))], "an object of type ndarray"),
        ([], "an empty list"),
    ],
)
def test_anything_else_gets_a_sentence(given, found):
    with pytest.raises(RasterError, match=f"found {found} for a cube; expected Pixels, or a list of Pixels.*as_pixels"):
        small_weights().cube(given)


@pytest.mark.parametrize(
    ("other", "what"), [({"side": 24}, "shape"), ({"count": 11}, "shape"), ({"dates": ["2020-01-01"] * 2}, "shape")]
)
def test_pixels_that_are_no_batch(other, what):
    if "dates" in other:
        values = np.ones((2, 12, 16, 16), "u2")
        second = as_pixels(values, bands=BANDS, trust_input=True)
    else:
        second = pixels(2, **other)
    with pytest.raises(RasterError, match=f"found Pixels of different {what} in one list"):
        small_weights().cube([pixels(1), second])


def test_pixels_of_other_bands_are_no_batch():
    one, two = (
        as_pixels(np.ones((2, 16, 16), "u2"), bands=bands, trust_input=True)
        for bands in ("s2-l2a:B2,B3", "s2-l2a:B3,B2")
    )
    with pytest.raises(RasterError, match=r"different bands in one list .s2-l2a B2, s2-l2a B3; s2-l2a B3, s2-l2a B2"):
        small_weights().cube([one, two])
