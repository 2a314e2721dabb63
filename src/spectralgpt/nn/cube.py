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
from spectralgpt.nn.filling import filled_patches
from spectralgpt.nn.normalization import Normalization, Scaling
from spectralgpt.nn.pipeline import fixed_scaling, normalized, reflectance
from spectralgpt.nn.stored_images import Feeding, StoredImages


@runtime_checkable
class PixelsLike(Protocol):
    """The input of a cube: the fields of Pixels, as NumPy arrays or tensors, with or without a batch axis in front.

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

    valid: None means all (decided when the cube is built, so that no later step has to check). days: since 1970, -1
    unknown. gsd: metres, NaN unknown. scaling undoes the normalization. Values under invalid pixels reach no output.
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
        """The values, with a constant where not valid, to be shown or compared; models take `in_patches`."""
        return self.values if self.valid is None else torch.where(self.valid, self.values, self.scaling.fill)

    def in_patches(self, patch: int) -> Float[Tensor, "batch date band rows columns"]:
        """The values padded to whole patches, as models take them: what is not valid is filled from the valid pixels
        of its own patch (`filled_patches`)."""
        return filled_patches(self.values, self.valid, self.bands, patch, self.scaling.fill)

    def reflectance(self) -> Float[Tensor, "batch date band height width"]:
        """The values in reflectance; NaN where not valid."""
        values = self.scaling.reflectance(self.values)
        return values if self.valid is None else torch.where(self.valid, values, torch.nan)

    def all_valid(self) -> Bool[Tensor, "batch date band height width"]:
        """`valid` as a tensor, also if it is None."""
        return torch.ones_like(self.values, dtype=torch.bool) if self.valid is None else self.valid

    def at_date(self, date: int) -> "Cube":
        """The cube at one date."""
        one = slice(date, date + 1)
        return replace(
            self,
            values=self.values[:, one],
            valid=None if self.valid is None else self.valid[:, one],
            days=self.days[:, one],
            scaling=replace(self.scaling, centre=self.scaling.centre[:, one], scale=self.scaling.scale[:, one]),
        )

    def part(self, samples: slice) -> "Cube":
        """The cube of these samples."""
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

    def stacked(self, *others: "Cube") -> "Cube":
        """All as one batch, the samples of this cube first."""
        cubes = (self, *others)
        return replace(
            self,
            values=torch.cat([each.values for each in cubes]),
            valid=torch.cat([each.all_valid() for each in cubes])
            if any(each.valid is not None for each in cubes)
            else None,
            days=torch.cat([each.days for each in cubes]),
            gsd=torch.cat([each.gsd for each in cubes]),
            scaling=replace(
                self.scaling,
                centre=torch.cat([each.scaling.centre for each in cubes]),
                scale=torch.cat([each.scaling.scale for each in cubes]),
            ),
        )

    def cut(self, rows: slice, columns: slice) -> "Cube":
        """The cube of these rows and columns."""
        valid = None if self.valid is None else self.valid[..., rows, columns]
        return replace(self, values=self.values[..., rows, columns], valid=valid)

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
    reconstructing: bool = False,
    image_side: int | None = None,
    scaling: Scaling | None = None,
    alignment: Alignment | None = None,
) -> Cube:
    """Pixels aligned with the model's bands and normalized.

    own: the file's bands in groups of their own instead of the model's. reconstructing: parts will be hidden
    (Normalization). image_side: the longer side of the image, pixels, when these are a window of it. scaling: another
    cube's, for windows of one image that share the extremes of the whole. alignment: of these bands with the model's,
    if already planned; `own` is then ignored.
    Several file bands in one model band: their mean over valid values with the alignment's weights.
    Floats that are not finite, or above 1e30, are not valid. Raises BandError when the model recognizes none of the
    bands, RasterError when the fields do not fit together.
    """
    stored = _stored(pixels, alignment or align(pixels.bands, model_bands, own=own))
    batch, dates, *sides = stored.values.shape
    device = stored.values.device
    if scaling is None:
        kind = normalization.kind_for(image_side or max(sides[-2:]), trained_side, reconstructing)
        scaling = fixed_scaling(kind, normalization, stored.feeding, (batch, dates), device)
    values, valid, scaling = normalized(stored, scaling)
    days = torch.as_tensor(np.asarray(pixels.days), dtype=torch.int32).reshape(-1, dates)
    gsd = torch.as_tensor(np.asarray(pixels.gsd), dtype=torch.float32).reshape(-1)
    return Cube(
        values=values,
        valid=valid,
        bands=stored.feeding.bands,
        days=days.expand(batch, -1).to(device),
        gsd=gsd.expand(batch).to(device),
        scaling=scaling,
    )


def aligned_reflectance(
    pixels: PixelsLike, alignment: Alignment
) -> tuple[Float[Tensor, "batch date band height width"], Bool[Tensor, "batch date band height width"] | None]:
    """Reflectance of the alignment's bands (0 where not valid), and where it is valid (None: everywhere)."""
    return reflectance(_stored(pixels, alignment))


def _stored(pixels: PixelsLike, alignment: Alignment) -> StoredImages:
    values: Shaped[Tensor, "*axes"] = _tensor(pixels.values)
    values = values[None] if values.ndim == 4 else values
    _check(pixels, values, alignment)
    feeding = Feeding.of(pixels.bands, alignment)
    used = list(feeding.used)
    scale, offset = (
        torch.as_tensor(each, dtype=torch.float64).expand(len(pixels.bands))[None, None, used, None, None]
        for each in (pixels.scale, pixels.offset)
    )
    valid = None if pixels.valid is None else _tensor(pixels.valid).reshape(values.shape).bool()
    return StoredImages(values, valid, scale.to(values.device), offset.to(values.device), feeding)


def _check(pixels: PixelsLike, values: Shaped[Tensor, "*axes"], alignment: Alignment) -> None:
    """RasterError when the fields do not fit together."""
    if values.ndim != 5 or values.shape[2] != len(pixels.bands):
        raise RasterError(
            f"found values of shape {tuple(values.shape)} for {len(pixels.bands)} bands",
            "([batch,] date, band, row, column)",
        )
    if alignment.matrix.shape[1] != len(pixels.bands):
        raise RasterError(
            f"found an alignment of {alignment.matrix.shape[1]} bands for pixels of {len(pixels.bands)}",
            "one of the same bands",
        )
    batch, dates = values.shape[:2]
    days, valid = np.asarray(pixels.days), pixels.valid
    if days.shape not in ((dates,), (batch, dates)):
        raise RasterError(f"found days of shape {days.shape} for {dates} dates", "one per date")
    if valid is not None and tuple(valid.shape) not in (tuple(values.shape), tuple(values.shape[1:])):
        raise RasterError(
            f"found `valid` of shape {tuple(valid.shape)}", f"{tuple(values.shape)}, the shape of the values"
        )


def _tensor(values: Any) -> Tensor:
    if isinstance(values, np.ndarray):
        # torch accepts no negative strides (a mirrored image) or foreign byte order, and warns about read-only memory
        values = np.require(values, values.dtype.newbyteorder("="), ["C", "W"])
    return torch.as_tensor(values)
