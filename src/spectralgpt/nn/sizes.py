"""The five sizes of the model and its whole configuration."""

import math
from dataclasses import dataclass

from spectralgpt.bands import BandSet
from spectralgpt.errors import OptionError

LARGEST_WIDTH, LARGEST_DEPTH = 16_384, 256
"""Of encoder and decoder: several times those of the largest published transformers for images."""

LARGEST_PATCH, LARGEST_IMAGE, LARGEST_TABLE = 256, 16_384, 1024
"""Side of a patch and of the training images (pixels); nodes along one axis of a table of positions."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width, depth and heads of encoder and decoder; an MLP is four times as wide as its block.

    Raises ValueError for widths beyond 1 to 16,384, depths beyond 1 to 256, and heads that do not divide their width.
    """

    dim: int
    depth: int
    heads: int
    decoder_dim: int
    decoder_depth: int
    decoder_heads: int

    def __post_init__(self) -> None:
        # first, so that no message below divides by them
        for name, largest in (
            ("dim", LARGEST_WIDTH),
            ("depth", LARGEST_DEPTH),
            ("heads", LARGEST_WIDTH),
            ("decoder_dim", LARGEST_WIDTH),
            ("decoder_depth", LARGEST_DEPTH),
            ("decoder_heads", LARGEST_WIDTH),
        ):
            if not 1 <= getattr(self, name) <= largest:
                raise ValueError(f"found {name} {_shown(getattr(self, name))}; expected 1 to {largest}")
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

    Raises OptionError for a patch beyond 1 to 256 px, an image beyond 1 to 16,384 px, tables without nodes or with more
    than 1024 along an axis, less than 1 Gaussian or more than 1024, wavelengths of nodes that are not increasing
    numbers above 0, and bands in groups that are not the model's own, in order.
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

    def __post_init__(self) -> None:
        for name, side, largest in (("patch", self.patch, LARGEST_PATCH), ("image", self.image, LARGEST_IMAGE)):
            if not 1 <= side <= largest:
                raise OptionError(f"{name}: found {_shown(side)}", f"a side in pixels, 1 to {largest}")
        nodes = self.spectrum_nodes
        for name, found in (("place_nodes", self.place_nodes), ("spectrum_nodes", (len(nodes),))):
            if not all(1 <= each <= LARGEST_TABLE for each in found):
                listed = " x ".join(map(_shown, found))
                raise OptionError(f"{name}: found {listed} nodes", f"1 to {LARGEST_TABLE} along each axis")
        if not all(0 < one < math.inf for one in nodes) or list(nodes) != sorted(nodes):
            raise OptionError(f"spectrum_nodes: found {list(nodes)[:12]}", "increasing wavelengths in nm, above 0")
        if not 1 <= self.gaussians <= LARGEST_TABLE:
            raise OptionError(f"gaussians: found {_shown(self.gaussians)}", f"1 to {LARGEST_TABLE}")
        if [group.native for group in self.bands.groups] != list(range(len(self.bands.groups))):
            raise OptionError(
                f"bands: found groups with the numbers {[group.native for group in self.bands.groups][:12]}",
                f"0 to {len(self.bands.groups) - 1}, in order",
            )

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


def _shown(number: int) -> str:
    """A number of a message; long ones rounded."""
    return str(number) if abs(number) < 1e15 else f"about 1e{len(str(abs(number))) - 1}"
