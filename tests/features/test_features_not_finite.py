"""Vectors of images are finite, or there are none."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from spectralgpt.errors import WeightsError
from spectralgpt.features.encoder import EncoderImages
from spectralgpt.products import as_pixels
from spectralgpt.weights.untrained import untrained

made_pixels = partial(as_pixels, trust_input=True)


def images(model, side: int = 32):
    values = np.random.default_rng(0).integers(100, 4000, (12, side, side)).astype("u2")
    return [made_pixels(values, bands=model.config.bands.bands, gsd=10)]


@pytest.mark.parametrize("read_out", ["auto", "mean", "layers"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38])
def test_answers_that_are_not_finite(read_out, value):
    model = untrained("untrained")
    assert np.isfinite(EncoderImages(model, read_out=read_out).of(images(model))).all()
    with torch.no_grad():
        model.encoder.blocks[0].mlp.fc1.weight[:] = value
        model.encoder.blocks[0].mlp.fc2.weight[:] = value
    with pytest.raises(WeightsError, match="NaN or infinite values for an image") as caught:
        EncoderImages(model, read_out=read_out).of(images(model))
    assert caught.value.advice == (("precision", "fp32"),)
