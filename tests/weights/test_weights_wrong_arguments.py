"""Every argument of model.cube, wrong in several ways, gets a sentence."""

import numpy as np
import pytest
import torch
from made_rasters import land

from spectralgpt.errors import InputError
from spectralgpt.products import as_pixels
from spectralgpt.weights import load_model

WRONG = {
    "pixels": (5, None, {}, [], "scene.tif", np.zeros((3, 16, 16)), torch.zeros(3, 16, 16), [np.zeros((3, 16, 16))]),
    "own": ("x", 5, None, []),
    "reconstructing": ("x", 5, None, []),
    "image_side": ("x", 12.5, [], True, 0, -5),
    "scaling": (5, "min_max", {}, []),
    "alignment": (5, "x", {}, []),
}


@pytest.fixture(scope="module")
def model():
    return load_model("untrained", "cpu")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_of_cube(model, name):
    pixels = as_pixels(land(16, 16, bands=3).astype("u2"), bands="s2-l2a:B2,B3,B4", trust_input=True)
    for value in WRONG[name]:
        with pytest.raises(InputError) as caught:
            model.cube(**{"pixels": pixels, name: value})
        assert caught.value.expected, (value, str(caught.value))
        assert name in str(caught.value) or "as_pixels" in str(caught.value), (value, str(caught.value))
