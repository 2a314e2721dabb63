"""The five sizes of the model and its whole configuration."""

import math
from dataclasses import dataclass

from spectralgpt.bands import BandSet
from spectralgpt.errors import OptionError


@dataclass(frozen=True, slots=True)
class Size:
    """Width, depth and heads of encoder and decoder; an MLP is four times as wide as its block."""

    dim: int
    depth: int
    heads: int
    decoder_dim: int
    decoder_depth: int
    decoder_heads: int

    def __post_init__(self) -> None:
        for dim, heads in ((self.dim, self.heads), (self.decoder_dim, self.decoder_heads)):
            if dim % heads:
                raise ValueError(f"found width {dim} and {heads} heads; expected a multiple of the heads")


SIZES = {
    "tiny": Size(192, 12, 3, 192, 4, 6),
    "small": Size(384, 12, 6, 256, 4, 8),
    "base": Size(768, 12, 12, 512, 4, 16),
    "large": Size(1024, 24, 16, 512, 4, 16),
    "huge": Size(1280, 32, 16, 512, 4, 16),
}
"""base, large and huge are those of the paper; tiny and small keep its proportions, for laptops."""

SPECTRUM_NODES = tuple(400 * (2500 / 400) ** (k / 11) for k in range(12))
"""Nodes of our own spectrum tables: 12, evenly in ln wavelength from 400 to 2500 nm."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """All that is needed to build a model.

    bands: the model's own bands in wavelength order, in native groups of one size.
    patch: side of a patch, pixels. image: side of the training images, pixels.
    place_nodes: rows and columns of the place table. spectrum_nodes: wavelengths (nm) of the spectrum table's nodes.
    joint_positions: the encoder has one table for group and place together, like the released classifiers.
    descriptors: pretraining also predicts the image's descriptors (descriptors.py). conditional_mean: the decoder
    adds to an estimate from the bands that are visible at the same pixel (conditional_mean.py), by a mixture of so
    many `gaussians`.
    """

    size: Size
    bands: BandSet
    patch: int = 8
    image: int = 128
    place_nodes: tuple[int, int] = (16, 16)
    spectrum_nodes: tuple[float, ...] = SPECTRUM_NODES
    joint_positions: bool = False
    descriptors: bool = False
    conditional_mean: bool = False
    gaussians: int = 1

    @property
    def slots(self) -> int:
        """Number of bands that share a token."""
        return self.bands.slots

    @property
    def token_values(self) -> int:
        """Number of values of a token: slots x patch rows x patch columns, in this order."""
        return self.slots * self.patch**2

    def window(self, groups: int, dates: int) -> int:
        """Side in pixels of the windows of a scene: about 1024 tokens, at least 4 places, at most the larger of 128
        pixels and the side of the training images.

        Raises OptionError above 4096 tokens, which are too many for attention at once.
        """
        largest = max(128, self.image) // self.patch
        places = max(4, min(math.isqrt(1024 // (groups * dates)), largest))
        tokens = groups * dates * places**2
        if tokens > 4096:
            raise OptionError(
                f"found {dates} dates of {groups} band groups, {tokens} tokens in the smallest window",
                "at most 4096",
                "Choose fewer dates, like",
                ("dates", "2024-05-01,2024-07-10"),
            )
        return self.patch * places
