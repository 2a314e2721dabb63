"""Features of a frozen model: a vector for each image, a map of vectors for the places of an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from spectralgpt.bands import align
from spectralgpt.errors import WeightsError, check_choice
from spectralgpt.nn import Cube, Precision, computing_in, resolved_precision
from spectralgpt.raster import OneDate, Pixels, Readable
from spectralgpt.scenes import tiled
from spectralgpt.tasks import Embeddings
from spectralgpt.version import RULES
from spectralgpt.weights import PretrainedModel

IMAGES_AT_ONCE = 16
"""Images that the model computes together."""

ReadOutName = Literal["auto", "mean", "layers"]

Asked = Callable[[Cube], Float[Tensor, "image value"]]
"""What is asked of a model for each image of a cube."""


@dataclass(frozen=True, eq=False)
class EncoderImages:
    """Vectors of images from a frozen model.

    own: the file's bands in groups of their own. read_out: `auto`, the measured read-out of the weights, or `mean`
    where they have none; `mean`, the last block's normed features averaged over present tokens; `layers`, mean and log
    standard deviation per group after a third, two thirds and all of the blocks and before the first, not standardized.
    batch: images computed together; on a CPU it does not change a bit of the result, on a GPU rounding may differ.

    An image larger than the model's window is cut into windows of nearly equal size that do not overlap; its vector is
    the mean of theirs, each weighted by its number of places with a valid pixel.
    """

    model: PretrainedModel
    own: bool = False
    precision: Precision = "auto"
    read_out: ReadOutName = "auto"
    batch: int = IMAGES_AT_ONCE

    def __post_init__(self) -> None:
        check_choice("read_out", self.read_out, ("auto", "mean", "layers"))

    @cached_property
    def name(self) -> str:
        return name_of(self.model)

    @cached_property
    def identity(self) -> str:
        return identity_of(self.model, f"images, {self.read_out}", self.own, self.precision)

    def of(self, images: Sequence[Pixels]) -> Float32[np.ndarray, "image value"]:
        """Vectors of images of one shape and with the same bands, scale and offset; 0 where nothing is valid."""
        return of_images(self.model, images, self._vectors, self.own, self.precision, self.batch)

    def _vectors(self, cube: Cube) -> Float[Tensor, "image value"]:
        depth = self.model.config.size.depth
        if self.read_out == "layers":
            return self.model.image_statistics(cube, sorted({0, depth // 3, 2 * depth // 3, depth}))
        if self.read_out == "auto":
            return self.model.embed(cube, "image")
        (features,) = self.model.features(cube, at=(depth,))
        return features.sum(dim=(1, 2, 3, 4)) / self.model.present(cube).flatten(1).sum(dim=1).clamp(min=1)[:, None]


@dataclass(frozen=True, eq=False)
class EncoderPlaces:
    """Vectors of the places of an image from a frozen model, each date alone, by the windows and blending of maps.

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
        return identity_of(self.model, "places", self.own, self.precision)

    @property
    def reduce(self) -> int:
        return self.model.config.patch

    def of(
        self, image: Readable
    ) -> tuple[Float32[np.ndarray, "date row column value"], Bool[np.ndarray, "date row column"]]:
        """Vectors of the places (0 where a date has no valid pixel), and which have one."""
        answers, maps, valid = Embeddings.of(self.model), [], []
        for date in range(image.shape[0]):
            values, known = tiled(
                OneDate(image, date), self.model, answers, batch=self.batch, own=self.own, precision=self.precision
            )
            maps.append(values.transpose(1, 2, 0))
            valid.append(known[0])
        return np.stack(maps), np.stack(valid)


def name_of(model: PretrainedModel) -> str:
    """A frozen model in words, like `SpectralGPT 0d57c98f`."""
    return f"{model.task.class_name} {model.fingerprint()[:8]}"


def identity_of(model: PretrainedModel, what: str, own: bool, precision: Precision) -> str:
    """What the numbers that a model makes of an image depend on."""
    computed = f"{resolved_precision(precision, model.device)} on {model.device.type}"
    return f"weights {model.fingerprint()}; {what}; {'own' if own else 'model'} bands; {computed}; rules {RULES}"


def of_images(
    model: PretrainedModel, images: Sequence[Pixels], asked: Asked, own: bool, precision: Precision, batch: int
) -> Float32[np.ndarray, "image value"]:
    """What is asked of a model for images of one shape with the same bands, each independent of the others."""
    alignment = align(images[0].bands, model.config.bands, own=own)
    vectors: dict[int, Float32[np.ndarray, " value"]] = {}
    with torch.inference_mode(), computing_in(precision, model.device):
        # only cubes that are wholly valid are computed without a mask, and the last bits may differ with one: an image
        # must not get a mask because another one has a hole
        waiting: dict[bool, list[tuple[int, Cube]]] = {False: [], True: []}
        for index, image in enumerate(images):
            cube = model.cube(image, own=own, alignment=alignment)
            together = waiting[cube.valid is None]
            together.append((index, cube))
            # of large images one at a time, as their windows fill a batch
            if len(together) * len(even_windows(model, cube)) >= batch:
                vectors |= _computed(model, together, asked)
                together.clear()
        for together in waiting.values():
            if together:
                vectors |= _computed(model, together, asked)
    return np.stack([vectors[index] for index in range(len(images))])


def _computed(
    model: PretrainedModel, together: Sequence[tuple[int, Cube]], asked: Asked
) -> dict[int, Float32[np.ndarray, " value"]]:
    """The answers for a batch of cubes, by the index of each: weighted means over windows."""
    cubes = [cube for _, cube in together]
    if len(cubes) == 1 and model.grid_of(cubes[0]).places == 1:
        # a product with one row is computed in another way than with several, and rounded differently
        cubes *= 2
    cube = cubes[0].stacked(*cubes[1:])
    windows = even_windows(model, cube)
    if len(windows) == 1:
        found = asked(cube)
    else:
        parts = [cube.cut(*window) for window in windows]
        weights = torch.stack([model.present(part).any(dim=2).any(dim=1).sum(dim=(1, 2)) for part in parts])
        found = _weighted_mean(torch.stack([asked(part) for part in parts]).float().cpu(), weights.cpu())
    rows = found.float().cpu().numpy()
    seen = np.ones(len(rows), bool) if cube.valid is None else cube.valid.flatten(1).any(dim=1).cpu().numpy()
    if not np.isfinite(rows[seen]).all():  # without a valid pixel there is no answer
        raise WeightsError(
            "the model answers with NaN or infinite values for an image",
            "finite numbers",
            "Compare the values of the image with what the weights expect (the verb `inspect`), or compute with",
            ("precision", "fp32"),
        )
    return {index: row for (index, _), row in zip(together, rows, strict=False)}


def _weighted_mean(
    answers: Float32[Tensor, "window image value"], weights: Int64[Tensor, "window image"]
) -> Float32[Tensor, "image value"]:
    """Means over windows; the first answer for an image without any weight."""
    seen = weights.bool()[..., None]
    # the answer for a window without a valid pixel may be NaN
    total = torch.where(seen, answers.double() * weights[..., None], 0.0).sum(dim=0)
    mean = total / weights.sum(dim=0).clamp(min=1)[:, None]
    return torch.where(seen.any(dim=0), mean.float(), answers[0])


def even_windows(model: PretrainedModel, cube: Cube) -> list[tuple[slice, slice]]:
    """Rows and columns of the fewest windows that fit the model and cover the cube without overlap, in whole places,
    with sizes that differ by at most one place."""
    grid, patch = model.grid_of(cube), model.config.patch
    most = model.config.window(grid.groups, grid.dates) // patch
    rows, columns = (
        [slice(start * patch, end * patch) for start, end in pairwise(_edges(places, -(-places // most)))]
        for places in (grid.rows, grid.columns)
    )
    return [(row, column) for row in rows for column in columns]


def _edges(places: int, parts: int) -> list[int]:
    return [places * part // parts for part in range(parts + 1)]
