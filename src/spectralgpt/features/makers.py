"""What makes features: a frozen model, or a baseline."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.raster import Pixels, Readable


@runtime_checkable
class ImageMaker(Protocol):
    """Makes a vector for each image."""

    @property
    def name(self) -> str:
        """In words, like `tiny SpectralGPT 0d57c98f`."""

    @property
    def identity(self) -> str:
        """Everything that its numbers depend on besides the image, as text: the key of the cache."""

    def of(self, images: Sequence[Pixels]) -> Float32[np.ndarray, "image value"]:
        """Vectors of images of one shape and with the same bands, scale and offset. The vector of an image does not
        depend on the others. BandError when the bands cannot be used."""


@runtime_checkable
class PlaceMaker(Protocol):
    """Makes a map of features for one image, one vector per `reduce` x `reduce` pixels and date."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    @property
    def reduce(self) -> int:
        """Pixels along one place: the model's patch, or 1 for features of pixels."""

    def of(
        self, image: Readable
    ) -> tuple[Float32[np.ndarray, "date row column value"], Bool[np.ndarray, "date row column"]]:
        """Features of each date alone, and where a date has any; ceil(height / reduce) rows, likewise columns."""
