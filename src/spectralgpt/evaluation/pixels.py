"""Labelled pixels: what gives their features, and a draw of them to fit read-outs to."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16, Int64

from spectralgpt.draws import keys
from spectralgpt.errors import DataError, counted
from spectralgpt.evaluation.method import Targets
from spectralgpt.raster import Window

BUDGET = 30_000
"""Pixels that are drawn at most, of all images together."""
STRIP = 2**16
"""Pixels of an image that are read at once; their features would fill the memory otherwise."""


@runtime_checkable
class DenseFeatures(Protocol):
    """Images with features and labels per pixel, read when they are needed."""

    def __len__(self) -> int:
        """Number of images."""

    def name(self, image: int) -> str:
        """Unique: what is drawn of an image depends on it."""

    def shape(self, image: int) -> tuple[int, int]:
        """Rows and columns."""

    def truth(self, image: int) -> Int16[np.ndarray, "row column"]:
        """Indices of classes, -1 where not labelled."""

    def features(self, image: int, window: Window) -> Float32[np.ndarray, "row column value"]:
        """Features of the pixels in a window; any numbers where not valid."""

    def valid(self, image: int, window: Window) -> Bool[np.ndarray, "row column"]:
        """Where there are features."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPixels:
    """Drawn pixels. image: the one that each is of; row: where in it, as a share of its rows."""

    features: Float32[np.ndarray, "sample value"]
    targets: Targets
    image: Int64[np.ndarray, " sample"]
    row: Float64[np.ndarray, " sample"]

    def of_images(self, images: Int64[np.ndarray, " image"]) -> Int64[np.ndarray, " drawn"]:
        """Numbers of the pixels of these images."""
        return np.flatnonzero(np.isin(self.image, images))


def sample_pixels(
    dense: DenseFeatures,
    images: Int64[np.ndarray, " image"],
    classes: int,
    seed: int = 0,
    *,
    budget: int = BUDGET,
    contents: Sequence[str] = (),
) -> DrawnPixels:
    """Labelled, valid pixels, as many of each class and image as there are, up to budget / (images x classes).

    Each counts as many pixels as it stands for: those of its class and image, per drawn one. What is drawn of an image
    depends on the seed, its content (a hash per image; its name where none are given), and the number of images and
    classes; neither on their order nor on other images' labels. DataError where no pixel is labelled and valid.
    """
    most = max(1, budget // max(1, len(images) * classes))
    features, labels, weights, owners, rows = [], [], [], [], []
    for image in images.tolist():
        height, width = dense.shape(image)
        drawn, label, weight = _drawn(
            dense, image, classes, seed, most, contents[image] if len(contents) else dense.name(image)
        )
        if not len(drawn):
            continue
        for window in strips(height, width):
            inside = drawn[(drawn >= window.row * width) & (drawn < window.end_row * width)] - window.row * width
            if len(inside):
                values = dense.features(image, window)
                features.append(values.reshape(-1, values.shape[-1])[inside])
        labels.append(label)
        weights.append(weight)
        owners.append(np.full(len(drawn), image, np.int64))
        rows.append(drawn // width / height)
    if not features:
        raise DataError(f"{counted(len(images), 'image')} without a pixel that is labelled and valid", "one or more")
    truth = np.concatenate(labels)[:, None] == np.arange(classes)
    targets = Targets(truth, False, np.concatenate(weights))
    return DrawnPixels(np.concatenate(features), targets, np.concatenate(owners), np.concatenate(rows))


def strips(height: int, width: int) -> Iterator[Window]:
    """Windows of whole rows that cover an image, from the top."""
    rows = max(1, STRIP // width)
    for row in range(0, height, rows):
        yield Window(row, 0, min(rows, height - row), width)


def _drawn(
    dense: DenseFeatures, image: int, classes: int, seed: int, most: int, content: str
) -> tuple[Int64[np.ndarray, " drawn"], Int64[np.ndarray, " drawn"], Float64[np.ndarray, " drawn"]]:
    """Numbers of the drawn pixels in the flat image, in order, their classes and weights: of each class, the pixels
    with the smallest keys."""
    height, width = dense.shape(image)
    valid = np.concatenate([dense.valid(image, window) for window in strips(height, width)])
    label = np.where(valid, dense.truth(image), -1).ravel()
    name = int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big", signed=True)
    drawn, weights = [], []
    for number in range(classes):
        found = np.flatnonzero(label == number)
        taken = found
        if len(found) > most:
            taken = found[np.argsort(keys(seed, name, found), kind="stable")[:most]]
        drawn.append(taken)
        weights.append(np.full(len(taken), len(found) / max(1, len(taken))))
    pixels, weight = np.concatenate(drawn), np.concatenate(weights)
    order = np.argsort(pixels)
    return pixels[order], label[pixels[order]].astype(np.int64), weight[order]
