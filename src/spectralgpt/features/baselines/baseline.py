"""What a baseline is: features that need no training, beside which those of a model are judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.features.makers import ImageMaker, PlaceMaker
from spectralgpt.raster import Readable
from spectralgpt.tasks import TargetKind

SAME_METHOD = ""
"""A baseline's method where it is read with the one that reads the model."""


@runtime_checkable
class PixelMaker(Protocol):
    """Makes a vector for each pixel of an image, of all its dates together."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str:
        """Everything that its numbers depend on besides the image, as text."""

    def of(self, image: Readable) -> tuple[Float32[np.ndarray, "row column value"], Bool[np.ndarray, "row column"]]:
        """Features, 0 where a pixel has none, and which pixels have some."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline.

    method: the one by which it is read, like `trees`; SAME_METHOD, the one that reads the model. images, pixels: its
    makers, by the kind of labels.
    """

    name: str
    title: str
    method: str
    images: ImageMaker | None = None
    pixels: dict[TargetKind, PixelMaker] = field(default_factory=dict)

    @property
    def targets(self) -> tuple[TargetKind, ...]:
        """The kinds of labels that it has features for."""
        of_images: tuple[TargetKind, ...] = ("class", "classes") if self.images is not None else ()
        return (*of_images, *self.pixels)


@dataclass(frozen=True, slots=True)
class AllDates:
    """Features of pixels from those of each date: of one date, as they are; of several, the mean over the dates where
    a pixel is valid; of a pair, before, after, and after minus before, valid where both are."""

    places: PlaceMaker
    dates: Literal["mean", "pair"] = "mean"

    def __post_init__(self) -> None:
        assert self.places.reduce == 1, f"{self.places.name} has no features of pixels"

    @property
    def name(self) -> str:
        return self.places.name

    @property
    def identity(self) -> str:
        return f"{self.places.identity}, {self.dates} of dates"

    def of(self, image: Readable) -> tuple[Float32[np.ndarray, "row column value"], Bool[np.ndarray, "row column"]]:
        """See PixelMaker. ValueError for a pair that has not two dates."""
        values, valid = self.places.of(image)
        if self.dates == "mean":
            return _mean(values, valid), np.asarray(valid.any(axis=0))
        if len(values) != 2:
            raise ValueError(f"found {len(values)} dates; expected two, before and after")
        both = valid[0] & valid[1]
        before, after = values
        return np.concatenate([before, after, after - before], axis=-1) * both[..., None], both


def _mean(
    values: Float32[np.ndarray, "date row column value"], valid: Bool[np.ndarray, "date row column"]
) -> Float32[np.ndarray, "row column value"]:
    if len(values) == 1:
        return np.asarray(values[0] * valid[0, ..., None])
    share = (valid / np.maximum(valid.sum(axis=0), 1)).astype(np.float32)
    return np.asarray(np.einsum("drcv,drc->rcv", values, share))


def pixel_makers(places: PlaceMaker) -> dict[TargetKind, PixelMaker]:
    """Makers for masks, and for change from both dates with their difference."""
    return {"mask": AllDates(places), "change": AllDates(places, "pair")}


def listed(baselines: Sequence[Baseline]) -> dict[str, Baseline]:
    """By name, in this order; each name once."""
    named = {each.name: each for each in baselines}
    assert len(named) == len(baselines), "names of baselines differ"
    return named
