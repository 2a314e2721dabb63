"""The layers of a map of classes as they are stored: classes, percentages, entropy; and their counts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Integer, Shaped
from numpy.typing import NDArray

from spectralgpt.scenes.class_answers import AnsweredClasses

PERCENT_NODATA = 255


@dataclass(frozen=True, slots=True)
class ClassLayers:
    """Which layers a map has, and their bands in the stored rows.

    probabilities: a band per class, whole percent. entropy: a band, in percent of the largest.
    """

    classes: AnsweredClasses
    probabilities: bool = False
    entropy: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8; uint16 for more classes than it holds beside nodata."""
        return np.dtype(np.uint8 if len(self.classes) <= np.iinfo(np.uint8).max else np.uint16)

    @property
    def nodata(self) -> int:
        return int(np.iinfo(self.dtype).max)

    @property
    def mapped(self) -> int:
        """Bands of the map: the class, or one per class where several may apply: 1 where it does, 0 where not."""
        return len(self.classes) if self.classes.several else 1

    @property
    def bands(self) -> int:
        """Stored bands: the map's, the likeliest class where several may apply, percentages, entropy."""
        return self.entropy_band + self.entropy

    @property
    def likeliest_band(self) -> int:
        """The stored band of the likeliest class, by which pictures are drawn."""
        return self.mapped if self.classes.several else 0

    @property
    def percent_bands(self) -> slice:
        return slice(self.likeliest_band + 1, self.entropy_band)

    @property
    def entropy_band(self) -> int:
        return self.likeliest_band + 1 + len(self.classes) * self.probabilities

    def stored(
        self, likely: Float64[np.ndarray, "class row column"], known: Bool[np.ndarray, "row column"]
    ) -> Shaped[np.ndarray, "band row column"]:
        """All layers from probabilities; nodata where not known."""
        answered = self.classes.answered(likely)
        stored = np.empty((self.bands, *known.shape), self.dtype)
        if self.classes.several:
            stored[: self.mapped] = answered
            stored[self.likeliest_band] = likely.argmax(axis=0)
        else:
            stored[0] = answered.argmax(axis=0)
        stored[: self.likeliest_band + 1, ~known] = self.nodata
        if self.probabilities:
            of_each = percentages(likely, exact=not self.classes.several)
            stored[self.percent_bands] = np.where(known, of_each, PERCENT_NODATA)
        if self.entropy:
            of_all = 100 * entropy_share(likely, several=self.classes.several)
            stored[self.entropy_band] = np.where(known, np.rint(of_all), PERCENT_NODATA)
        return stored

    def of_each(self, stored: NDArray[Any]) -> Bool[np.ndarray, "class row column"]:
        """Where each class is answered, from stored bands."""
        if self.classes.several:
            return np.asarray(stored[: self.mapped] == 1)
        return np.asarray(stored[:1] == np.arange(len(self.classes))[:, None, None])

    def percent(self, stored: NDArray[Any]) -> NDArray[np.uint8]:
        """The layer of percentages."""
        return stored[self.percent_bands].astype(np.uint8)

    def uncertainty(self, stored: NDArray[Any]) -> NDArray[np.uint8]:
        """The layer of entropy."""
        return stored[self.entropy_band :].astype(np.uint8)


@dataclass(frozen=True, slots=True)
class ClassTargets:
    """Files beside a map; None for those that are not wanted. min_area: of polygons, square metres."""

    probabilities: Path | None = None
    entropy: Path | None = None
    polygons: Path | None = None
    min_area: float | int = 0

    @property
    def all(self) -> list[Path]:
        return [each for each in (self.probabilities, self.entropy, self.polygons) if each is not None]


@dataclass(frozen=True, slots=True, eq=False)
class ClassAreas:
    """Pixels of the map and square metres per class, and of all with an answer."""

    pixels: Integer[np.ndarray, " class"]
    area: Float64[np.ndarray, " class"]
    valid: int
    valid_area: float
    total: int

    @classmethod
    def of(
        cls,
        of_each: Bool[np.ndarray, "class row column"],
        known: Bool[np.ndarray, "row column"],
        areas: Float64[np.ndarray, " row"],
    ) -> "ClassAreas":
        """Of a part of the map. areas: of a pixel of each row."""
        rows, valid = of_each.sum(axis=2), known.sum(axis=1)
        return cls(rows.sum(axis=1), rows @ areas, int(valid.sum()), float(valid @ areas), known.size)

    def __add__(self, other: "ClassAreas") -> "ClassAreas":
        return ClassAreas(
            self.pixels + other.pixels,
            self.area + other.area,
            self.valid + other.valid,
            self.valid_area + other.valid_area,
            self.total + other.total,
        )


def percentages(likely: Float64[np.ndarray, "class row column"], *, exact: bool) -> NDArray[np.float64]:
    """Whole percent of probabilities. exact: those of a pixel sum to 100, as the largest remainders are rounded up."""
    percent = 100 * likely
    if not exact:
        return np.asarray(np.rint(percent))
    whole = np.floor(percent)
    missing = 100 - whole.sum(axis=0)
    order = np.argsort(whole - percent, axis=0, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(likely))[:, None, None], axis=0)
    return np.asarray(whole + (ranks < missing))


def entropy_share(
    likely: Float64[np.ndarray, "class row column"], *, several: bool
) -> Float64[np.ndarray, "row column"]:
    """Shannon's entropy as a share of the largest there can be: 0 where one class is certain, 1 where all are equally
    likely. several: the mean over the classes of that of each, which applies or does not."""
    if several:
        return np.asarray((_surprise(likely) + _surprise(1 - likely)).mean(axis=0) / np.log(2))
    return np.asarray(_surprise(likely).sum(axis=0) / np.log(max(2, len(likely))))


def _surprise(likely: NDArray[np.float64]) -> NDArray[np.float64]:
    """- p ln p, 0 for p = 0."""
    return np.asarray(-likely * np.log(np.where(likely > 0, likely, 1.0)))
