"""Reflectance to the units of a model and back: part of the weights, as a model is right in no other units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from spectralgpt.bands import Band

ScalingKind = Literal["standard", "min_max", "two_sigma"]
ASINH_REFLECTANCE = 0.02
LARGEST_STATISTIC, SMALLEST_DIVISOR = 1e6, 1e-12
"""Beyond what any image has, and still numbers that float32 holds and can be divided by."""
SMALLEST_SD = 1e-3
"""Smallest standard deviation of statistics: a constant band (a test image, a faulty sensor) may not divide by zero."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """What was done to the values of a batch, so that it can be undone.

    standard: y = (asinh(r / 0.02) - centre) / scale: log-like above 2 % reflectance, linear below, defined for
    negatives. min_max: y = (r - centre) / scale. two_sigma: the same, clipped to [0, 1], to 8 bits if eight_bit.
    centre, scale: (batch, date, band), in units of asinh(r / 0.02) or of reflectance r.
    """

    kind: ScalingKind
    centre: Float[Tensor, "batch date band"]
    scale: Float[Tensor, "batch date band"]
    eight_bit: bool = False

    @property
    def fill(self) -> float:
        """The value of pixels without one: the middle of the normalized range."""
        return 0.0 if self.kind == "standard" else 0.5

    def normalize(
        self, reflectance: Float[Tensor, "batch date band height width"]
    ) -> Float[Tensor, "batch date band height width"]:
        """Normalized values, without unit."""
        return self.normalize_(reflectance.clone())

    def normalize_(
        self, reflectance: Float[Tensor, "batch date band height width"]
    ) -> Float[Tensor, "batch date band height width"]:
        """The same in place, which saves the memory of a second batch."""
        centre, scale = self._axes(reflectance)
        if self.kind == "standard":
            return _asinh_(reflectance.div_(ASINH_REFLECTANCE)).sub_(centre).div_(scale)
        values = reflectance.sub_(centre).div_(scale)
        if self.kind == "two_sigma":
            values.clamp_(0, 1)
            if self.eight_bit:
                # torch.floor of the 8-bit value: the released images are truncated, not rounded
                values.mul_(255).floor_().div_(255)
        return values

    def reflectance(
        self, normalized: Float[Tensor, "batch date band height width"]
    ) -> Float[Tensor, "batch date band height width"]:
        """Reflectance of normalized values; values that two_sigma clipped stay at the bound."""
        centre, scale = self._axes(normalized)
        values = normalized * scale + centre
        return ASINH_REFLECTANCE * torch.sinh(values) if self.kind == "standard" else values

    def _axes(self, values: Tensor) -> tuple[Tensor, Tensor]:
        centre, scale = self.centre.to(values.device, values.dtype), self.scale.to(values.device, values.dtype)
        return centre[..., None, None], scale[..., None, None]


def _asinh_(x: Tensor) -> Tensor:
    """torch.asinh_ up to rounding (1e-7), in a third of the time on CPUs, where it would be a third of augmentation.

    asinh x = log1p(x + x^2 / (1 + sqrt(1 + x^2))) for x >= 0; x (x / ...) is finite where x^2 is not.
    """
    size = x.abs()
    root = (size * size).add_(1).sqrt_().add_(1)
    result = torch.div(size, root, out=root).mul_(size).add_(size).log1p_()
    return torch.copysign(result, x, out=x)


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Mean and standard deviation of a band: of asinh(r / 0.02) for `standard`, of reflectance r otherwise."""

    band: Band
    mean: float | int
    sd: float | int

    def __post_init__(self) -> None:
        for name in ("mean", "sd"):
            object.__setattr__(self, name, float(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Normalization:
    """The input units of the weights.

    standard: by fixed statistics; it keeps radiometry, so that dates can be compared. min_max (released weights): each
    band of each image to [0, 1] by its own extremes; large images and reconstruction take two_sigma (mean +- 2 sd to
    [0, 1]), as the extremes of a large image say little and those of an image with hidden parts are unknown.
    """

    kind: Literal["standard", "min_max"]
    statistics: tuple[BandStatistics, ...]
    eight_bit: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("standard", "min_max"):
            raise ValueError(f"found the kind {self.kind!r}; expected standard or min_max")
        if not self.statistics or any(not each.sd > 0 for each in self.statistics):
            raise ValueError("expected statistics of at least one band, each with a standard deviation above 0")
        for each in self.statistics:
            if not (abs(each.mean) <= LARGEST_STATISTIC and SMALLEST_DIVISOR <= each.sd <= LARGEST_STATISTIC):
                raise ValueError(
                    f"{each.band.name}: found mean {each.mean} and standard deviation {each.sd}; expected a mean up to "
                    f"{LARGEST_STATISTIC:g} and a deviation from {SMALLEST_DIVISOR:g} to {LARGEST_STATISTIC:g}"
                )

    def kind_for(self, side: int, trained: int, reconstructing: bool) -> ScalingKind:
        """For weights of min_max: min_max up to twice the trained side (pixels), two_sigma above and to reconstruct."""
        if self.kind == "standard":
            return "standard"
        return "two_sigma" if reconstructing or side > 2 * trained else "min_max"

    def fixed(self, kind: ScalingKind, bands: Sequence[Band], sources: Sequence[Sequence[Band]]) -> NDArray[np.float64]:
        """Centre and scale (2, band) from statistics.

        bands: of the cube. sources: for each, the bands of the file that feed it. A band that is fed by a single band
        with statistics of its own takes those; any other is interpolated in ln wavelength over the statistics of one
        sensor: that of the file, else the first.
        """
        known = {(each.band.sensor, each.band.name): (each.mean, each.sd) for each in self.statistics}
        result = np.empty((2, len(bands)))
        for column, (band, behind) in enumerate(zip(bands, sources, strict=True)):
            own = known.get((behind[0].sensor, behind[0].name)) if len(behind) == 1 else None
            result[:, column] = own or self._interpolated(band.wavelength, behind[0].sensor if behind else band.sensor)
        if kind == "standard":
            return result
        mean, sd = result
        return np.stack([mean - 2 * sd, 4 * sd])

    def _interpolated(self, wavelength: float, sensor: str) -> tuple[float, float]:
        sensors = [each.band.sensor for each in self.statistics]
        chosen = sensor if sensor in sensors else sensors[0]
        nodes = sorted((s.band.wavelength, s.mean, s.sd) for s in self.statistics if s.band.sensor == chosen)
        at, mean, sd = np.array(nodes).T
        x = np.log(wavelength)
        return float(np.interp(x, np.log(at), mean)), float(np.interp(x, np.log(at), sd))

    @classmethod
    def fitted(
        cls, bands: Sequence[Band], reflectance: Float[np.ndarray, "pixel band"], valid: Bool[np.ndarray, "pixel band"]
    ) -> "Normalization":
        """`standard` statistics of a sample of pixels. ValueError if a band has no valid pixel."""
        if not valid.any(axis=0).all():
            raise ValueError(
                f"found no valid pixel in {[b.name for b, v in zip(bands, valid.T, strict=True) if not v.any()]}"
            )
        values = np.arcsinh(reflectance.astype(np.float64) / ASINH_REFLECTANCE)
        statistics = []
        for column, band in enumerate(bands):
            seen = values[valid[:, column], column]
            statistics.append(BandStatistics(band, float(seen.mean()), max(float(seen.std()), SMALLEST_SD)))
        return cls("standard", tuple(statistics))
