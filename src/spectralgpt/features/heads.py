"""Probabilities by weights that have a head: of images, and of pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from spectralgpt.features.encoder import IMAGES_AT_ONCE, identity_of, name_of, of_images
from spectralgpt.nn import Cube, Precision
from spectralgpt.raster import Pixels, Readable
from spectralgpt.scenes import tiled
from spectralgpt.tasks import ClassMap
from spectralgpt.weights import PretrainedModel


@dataclass(frozen=True, eq=False)
class ImageProbabilities:
    """Probabilities of images by weights for classification: an ImageMaker with a value per class.

    own: the file's bands in groups of their own. batch: images computed together. An image larger than the model's
    window has the mean of the probabilities of windows, as in EncoderImages.
    """

    model: PretrainedModel
    own: bool = False
    precision: Precision = "auto"
    batch: int = IMAGES_AT_ONCE

    @cached_property
    def name(self) -> str:
        return name_of(self.model)

    @cached_property
    def identity(self) -> str:
        return identity_of(self.model, "probabilities of images", self.own, self.precision)

    def of(self, images: Sequence[Pixels]) -> Float32[np.ndarray, "image class"]:
        """Probabilities for images of one shape and with the same bands, scale and offset; NaN where nothing is
        valid."""
        return of_images(self.model, images, self._probabilities, self.own, self.precision, self.batch)

    def _probabilities(self, cube: Cube) -> Float[Tensor, "image class"]:
        probabilities: Tensor = self.model.predict(cube).probabilities  # type: ignore[operator]
        return probabilities


@dataclass(frozen=True, eq=False)
class PixelProbabilities:
    """Probabilities of the pixels of an image by weights for segmentation or change, by the windows and blending of
    maps: the most likely class is the one that a map has.

    own: the file's bands in groups of their own. batch: windows computed together.
    """

    model: PretrainedModel
    own: bool = False
    precision: Precision = "auto"
    batch: int = 8

    @cached_property
    def name(self) -> str:
        return name_of(self.model)

    @cached_property
    def identity(self) -> str:
        return identity_of(self.model, "probabilities of pixels", self.own, self.precision)

    def of(self, image: Readable) -> tuple[Float32[np.ndarray, "row column class"], Bool[np.ndarray, "row column"]]:
        """Probabilities, 0 where nothing is valid, and where something is. A change needs two dates."""
        logits, valid = tiled(
            image, self.model, ClassMap.of(self.model), batch=self.batch, own=self.own, precision=self.precision
        )
        return np.where(valid, softmax(logits), np.float32(0)).transpose(1, 2, 0), valid[0]


def softmax(logits: Float32[np.ndarray, "class row column"]) -> Float32[np.ndarray, "class row column"]:
    """Probabilities over the first axis."""
    powers = np.exp(logits - logits.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))
