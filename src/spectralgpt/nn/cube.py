"""The Cube: a batch in the model, made from pixels and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Shaped
from torch import Tensor

from spectralgpt.bands import Alignment, Band, BandSet, align
from spectralgpt.errors import RasterError
from spectralgpt.nn.normalization import Normalization, Scaling, ScalingKind, extremes

LARGEST = 1e30
"""No reflectance is above: the normalization would overflow, and attention spread it to all its neighbours."""


@runtime_checkable
class PixelsLike(Protocol):
    """What a cube is made from: the fields of Pixels, NumPy arrays or tensors, with or without a batch axis in front.

    values ([batch,] date, band, row, column) stored; valid the same shape or None; scale, offset (band,);
    bands; days ([batch,] date) since 1970 UTC, -1 unknown; gsd metres, one number or (batch,), NaN unknown.
    """

    @property
    def values(self) -> Any: ...
    @property
    def valid(self) -> Any: ...
    @property
    def scale(self) -> Any: ...
    @property
    def offset(self) -> Any: ...
    @property
    def bands(self) -> Sequence[Band]: ...
    @property
    def days(self) -> Any: ...
    @property
    def gsd(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Cube:
    """Normalized values and what is valid.

    valid: None means all (decided by who builds the cube, so that no step has to look). days: since 1970, -1 unknown.
    gsd: metres, NaN unknown. scaling undoes the normalization. What stands under invalid pixels reaches no output.
    """

    values: Float[Tensor, "batch date band height width"]
    valid: Bool[Tensor, "batch date band height width"] | None
    bands: BandSet
    days: Int32[Tensor, "batch date"]
    gsd: Float[Tensor, " batch"]
    scaling: Scaling

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Batch, date, band, height, width."""
        n, t, b, h, w = self.values.shape
        return n, t, b, h, w

    def filled(self) -> Float[Tensor, "batch date band height width"]:
        """Values with the fill where nothing valid is."""
        return self.values if self.valid is None else torch.where(self.valid, self.values, self.scaling.fill)

    def reflectance(self) -> Float[Tensor, "batch date band height width"]:
        """The values in reflectance; where not valid: NaN."""
        values = self.scaling.reflectance(self.values)
        return values if self.valid is None else torch.where(self.valid, values, torch.nan)

    def all_valid(self) -> Bool[Tensor, "batch date band height width"]:
        """What is valid, also where that is all."""
        return torch.ones_like(self.values, dtype=torch.bool) if self.valid is None else self.valid

    def at_date(self, date: int) -> "Cube":
        """The cube of one of its dates."""
        one = slice(date, date + 1)
        return replace(
            self,
            values=self.values[:, one],
            valid=None if self.valid is None else self.valid[:, one],
            days=self.days[:, one],
            scaling=replace(self.scaling, centre=self.scaling.centre[:, one], scale=self.scaling.scale[:, one]),
        )

    def part(self, samples: slice) -> "Cube":
        """The cube of some of its samples."""
        return replace(
            self,
            values=self.values[samples],
            valid=None if self.valid is None else self.valid[samples],
            days=self.days[samples],
            gsd=self.gsd[samples],
            scaling=replace(self.scaling, centre=self.scaling.centre[samples], scale=self.scaling.scale[samples]),
        )

    def without_time_and_scale(self) -> "Cube":
        """The cube with its days and GSD unknown."""
        return replace(self, days=torch.full_like(self.days, -1), gsd=torch.full_like(self.gsd, torch.nan))

    def stacks_with(self, other: "Cube") -> bool:
        """Whether both can be one batch."""
        units = (self.scaling.kind, self.scaling.eight_bit) == (other.scaling.kind, other.scaling.eight_bit)
        return units and self.bands == other.bands and self.shape[1:] == other.shape[1:]

    def stacked(self, other: "Cube") -> "Cube":
        """One batch of both, the other behind."""
        valid = None
        if self.valid is not None or other.valid is not None:
            valid = torch.cat([each.all_valid() for each in (self, other)])
        return replace(
            self,
            values=torch.cat([self.values, other.values]),
            valid=valid,
            days=torch.cat([self.days, other.days]),
            gsd=torch.cat([self.gsd, other.gsd]),
            scaling=replace(
                self.scaling,
                centre=torch.cat([self.scaling.centre, other.scaling.centre]),
                scale=torch.cat([self.scaling.scale, other.scaling.scale]),
            ),
        )

    def to(self, device: torch.device | str) -> "Cube":
        """The cube on a device."""
        scaling = replace(self.scaling, centre=self.scaling.centre.to(device), scale=self.scaling.scale.to(device))
        return replace(
            self,
            values=self.values.to(device),
            valid=None if self.valid is None else self.valid.to(device),
            days=self.days.to(device),
            gsd=self.gsd.to(device),
            scaling=scaling,
        )


def make_cube(
    pixels: PixelsLike,
    model_bands: BandSet,
    normalization: Normalization,
    trained_side: int,
    *,
    own: bool = False,
    alignment: Alignment | None = None,
    reconstructing: bool = False,
    image_side: int | None = None,
    scaling: Scaling | None = None,
) -> Cube:
    """Pixels aligned with the model's bands and normalized.

    own: the file's bands in groups of their own instead of the model's. alignment: of these bands, where it is planned
    already, as for windows of one image. reconstructing: parts will be hidden
    (Normalization). image_side: the longer side of the image, pixels, when these are a window of it. scaling: another
    cube's, for windows of one image whose extremes were taken from the whole.
    Several file bands in one model band: their mean over valid values with the alignment's weights.
    Floats that are not finite, or above 1e30, are not valid. Raises BandError when the model knows none of the bands,
    RasterError when the fields do not fit together.
    """
    if alignment is None:
        alignment = align(pixels.bands, model_bands, own=own)
    reflectance, valid = aligned_reflectance(pixels, alignment)
    if scaling is None:
        side = image_side or max(reflectance.shape[-2:])
        kind = normalization.kind_for(side, trained_side, reconstructing)
        scaling = _scaling(kind, normalization, reflectance, valid, pixels.bands, alignment)
    batch = reflectance.shape[0]
    days = torch.as_tensor(np.asarray(pixels.days), dtype=torch.int32).reshape(-1, reflectance.shape[1])
    gsd = torch.as_tensor(np.asarray(pixels.gsd), dtype=torch.float32).reshape(-1)
    return Cube(
        values=scaling.normalize(reflectance),
        valid=valid,
        bands=alignment.bandset,
        days=days.expand(batch, -1).to(reflectance.device),
        gsd=gsd.expand(batch).to(reflectance.device),
        scaling=scaling,
    )


def aligned_reflectance(
    pixels: PixelsLike, alignment: Alignment
) -> tuple[Float[Tensor, "batch date band height width"], Bool[Tensor, "batch date band height width"] | None]:
    """Reflectance of the alignment's bands, and where it is valid; 0 where not, None where all is."""
    return _take(*_reflectance(pixels), pixels.bands, alignment)


def _reflectance(
    pixels: PixelsLike,
) -> tuple[Float[Tensor, "batch date band height width"], Bool[Tensor, "batch date band height width"] | None]:
    values: Shaped[Tensor, "*axes"] = _tensor(pixels.values)
    values = values[None] if values.ndim == 4 else values
    _check(pixels, values)
    # double, so that the last float32 digit is that of the exact product
    scale = torch.as_tensor(pixels.scale, dtype=torch.float64, device=values.device)[:, None, None]
    offset = torch.as_tensor(pixels.offset, dtype=torch.float64, device=values.device)[:, None, None]
    reflectance = (values.double() * scale + offset).float()
    valid = None if pixels.valid is None else _tensor(pixels.valid).reshape(values.shape).bool()
    if values.is_floating_point():
        # Pixels tell NaN and forgotten fills (3.4e38) as not valid; other sources of arrays may not
        finite = reflectance.abs() < LARGEST
        valid = finite if valid is None else valid & finite
    if valid is None:
        return reflectance, None
    return torch.where(valid, reflectance, 0.0), None if bool(valid.all()) else valid


def _check(pixels: PixelsLike, values: Shaped[Tensor, "*axes"]) -> None:
    """RasterError when the fields do not fit together."""
    if values.ndim != 5 or values.shape[2] != len(pixels.bands):
        raise RasterError(
            f"found values of shape {tuple(values.shape)} for {len(pixels.bands)} bands; expected ([batch,] date, "
            "band, row, column)."
        )
    batch, dates = values.shape[:2]
    days, valid = np.asarray(pixels.days), pixels.valid
    if days.shape not in ((dates,), (batch, dates)):
        raise RasterError(f"found days of shape {days.shape} for {dates} dates; expected one a date.")
    if valid is not None and tuple(valid.shape) not in (tuple(values.shape), tuple(values.shape[1:])):
        raise RasterError(f"found valid of shape {tuple(valid.shape)}; expected the values' {tuple(values.shape)}")


def _tensor(values: Any) -> Tensor:
    if isinstance(values, np.ndarray):
        # torch takes neither steps backwards (a mirrored image) nor foreign byte order, and warns of read-only memory
        values = np.require(values, values.dtype.newbyteorder("="), ["C", "W"])
    return torch.as_tensor(values)


def _take(
    reflectance: Float[Tensor, "batch date file height width"],
    valid: Bool[Tensor, "batch date file height width"] | None,
    bands: Sequence[Band],
    alignment: Alignment,
) -> tuple[Float[Tensor, "batch date band height width"], Bool[Tensor, "batch date band height width"] | None]:
    if alignment.taken_alone is not None:
        index = torch.tensor(alignment.taken_alone, device=reflectance.device)
        return reflectance[:, :, index], None if valid is None else valid[:, :, index]
    # in wavelength order, so that sums have one order whatever the file's is
    order = sorted(range(len(bands)), key=lambda i: (bands[i].wavelength, bands[i].name))
    weights = torch.from_numpy(alignment.matrix[:, order]).to(reflectance.device)
    index = torch.tensor(order, device=reflectance.device)
    values = reflectance[:, :, index].double()
    if valid is None:
        total = torch.einsum("bf,ntfhw->ntbhw", weights, values)
        return (total / weights.sum(dim=1)[:, None, None]).float(), None
    measured = valid[:, :, index]
    total = torch.einsum("bf,ntfhw->ntbhw", weights, torch.where(measured, values, 0.0))
    weight = torch.einsum("bf,ntfhw->ntbhw", weights, measured.double())
    some = weight > 0
    return (total / torch.where(some, weight, 1.0)).float(), some


def _scaling(
    kind: ScalingKind,
    normalization: Normalization,
    reflectance: Float[Tensor, "batch date band height width"],
    valid: Bool[Tensor, "batch date band height width"] | None,
    bands: Sequence[Band],
    alignment: Alignment,
) -> Scaling:
    if kind == "min_max":
        return Scaling(kind, *extremes(reflectance, valid))
    sources = [[bands[i] for i in fed] for fed in alignment.feeding]
    centre, scale = torch.from_numpy(normalization.fixed(kind, alignment.bandset.bands, sources)).float()
    shape = reflectance.shape[:3]
    eight_bit = kind == "two_sigma" and normalization.eight_bit
    return Scaling(
        kind, centre.expand(shape).to(reflectance.device), scale.expand(shape).to(reflectance.device), eight_bit
    )
