"""Random convolutions: the responses of filters that are drawn once and never trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor
from torch.nn import functional

from spectralgpt.draws import keys, uniform
from spectralgpt.features.baselines.baseline import SAME_METHOD, Baseline, pixel_makers
from spectralgpt.features.baselines.spectra import Spectra, spectra_of
from spectralgpt.raster import Pixels, Readable

UNIT_REFLECTANCE = 0.02
"""Values are asinh(reflectance / this): like a logarithm above, linear below."""

FILTER_SIDES = (3, 5)
"""Sides of the filters (pixels)."""


@dataclass(frozen=True, slots=True)
class Filters:
    """`count` filters of each of the FILTER_SIDES, over all bands, with biases; then ReLU.

    Weights are uniform with mean 0, so that a response has the variance of its input; half of the filters have weights
    with the sum 0 in each band and so answer to edges alone. They depend on seed, side and the number of bands.
    """

    count: int
    seed: int = 0

    @property
    def identity(self) -> str:
        sides = ", ".join(f"{side} x {side}" for side in FILTER_SIDES)
        return f"{self.count} each of {sides}, seed {self.seed}"

    def responses(self, spectra: Spectra) -> Float32[np.ndarray, "date value row column"]:
        """Of each pixel; the image goes on beyond its edge with the pixels of the edge."""
        # about 0 for 10 % reflectance, so that filters of both signs answer
        values = torch.from_numpy(np.arcsinh(spectra.filled() / UNIT_REFLECTANCE) - np.float32(np.arcsinh(5)))
        filters = [self._drawn(side, len(spectra.bands)) for side in FILTER_SIDES]
        # dates one by one: a batch may round otherwise
        return np.concatenate([_answers(date[None], filters) for date in values])

    def _drawn(self, side: int, bands: int) -> tuple[Tensor, Tensor]:
        shape = (self.count, bands, side, side)
        numbers = uniform(keys(self.seed, side, bands, np.arange(int(np.prod(shape)) + self.count))) * 2 - 1
        weights, biases = numbers[: -self.count].reshape(shape), numbers[-self.count :]
        weights[: self.count // 2] -= weights[: self.count // 2].mean(axis=(2, 3), keepdims=True)
        scale = np.sqrt(3 / (bands * side * side))
        return torch.from_numpy((weights * scale).astype(np.float32)), torch.from_numpy(biases.astype(np.float32))


def _answers(
    values: Float32[Tensor, "1 band row column"], filters: Sequence[tuple[Tensor, Tensor]]
) -> Float32[np.ndarray, "1 value row column"]:
    parts = []
    for weights, biases in filters:
        half = weights.shape[-1] // 2
        padded = functional.pad(values, (half, half, half, half), mode="replicate")
        parts.append(functional.conv2d(padded, weights, biases).relu_())
    return np.asarray(torch.cat(parts, dim=1).numpy())


@dataclass(frozen=True, slots=True)
class ImageConvolutions:
    """Mean and standard deviation of each response over the pixels that are valid in any band, of all dates."""

    filters: Filters = Filters(128)
    name: str = "random convolutions"

    @property
    def identity(self) -> str:
        return f"random convolutions of images 1: {self.filters.identity}"

    def of(self, images: Sequence[Pixels]) -> Float32[np.ndarray, "image value"]:
        """See ImageMaker: two values per filter."""
        return np.stack([self._pooled(spectra_of(each)) for each in images])

    def _pooled(self, spectra: Spectra) -> Float32[np.ndarray, " value"]:
        responses = np.moveaxis(self.filters.responses(spectra), 1, 0)[:, spectra.seen].astype(np.float64)
        if not responses.size:
            return np.zeros(2 * len(responses), np.float32)
        return np.concatenate([responses.mean(axis=1), responses.std(axis=1)]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class PixelConvolutions:
    """The responses at each pixel."""

    filters: Filters = Filters(32)
    name: str = "random convolutions"
    reduce: int = 1

    @property
    def identity(self) -> str:
        return f"random convolutions of pixels 1: {self.filters.identity}"

    def of(
        self, image: Readable
    ) -> tuple[Float32[np.ndarray, "date row column value"], Bool[np.ndarray, "date row column"]]:
        """See PlaceMaker: a value per filter."""
        spectra = spectra_of(image.read())
        return np.ascontiguousarray(np.moveaxis(self.filters.responses(spectra), 1, -1)), spectra.seen


CONVOLUTIONS = Baseline(
    "convolutions",
    "random convolutions",
    SAME_METHOD,
    images=ImageConvolutions(),
    pixels=pixel_makers(PixelConvolutions()),
)
