"""Images as a file stores them, and which of its bands feed those of a cube."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int32, Shaped
from torch import Tensor

from spectralgpt.bands import Alignment, Band, BandSet


@dataclass(frozen=True, slots=True, eq=False)
class Feeding:
    """Which bands of a file feed which bands of a cube.

    used: indices of the file bands that are read, in this order. sources: the file bands that feed each cube band.
    weights: of the used bands in each cube band, not yet divided by the weights of the valid ones; None when each cube
    band is one used band, in this order. runs: `used` as slices of bands that are neighbours in the file.
    """

    bands: BandSet
    used: tuple[int, ...]
    sources: tuple[tuple[Band, ...], ...]
    weights: Float64[np.ndarray, "band used"] | None
    runs: tuple[slice, ...]

    @classmethod
    def of(cls, bands: Sequence[Band], alignment: Alignment, kept: Sequence[int] | None = None) -> "Feeding":
        """bands: the file's. kept: indices of the alignment's bands that the cube has; None: all."""
        every = tuple(range(len(alignment.bandset)))
        kept = every if kept is None else tuple(kept)
        all_feeding = alignment.feeding
        feeding = [all_feeding[i] for i in kept]
        if all(len(fed) == 1 for fed in feeding):
            used, weights = [fed[0] for fed in feeding], None
        else:
            # in wavelength order, so that sums have the same order whatever the order in the file
            used = sorted({i for fed in feeding for i in fed}, key=lambda i: (bands[i].wavelength, bands[i].name))
            weights = alignment.matrix[np.ix_(kept, used)]
        together = (list(run) for _, run in groupby(enumerate(used), key=lambda pair: pair[1] - pair[0]))
        return cls(
            bands=alignment.bandset if kept == every else alignment.bandset.subset(kept),
            used=tuple(used),
            sources=tuple(tuple(bands[i] for i in fed) for fed in feeding),
            weights=weights,
            runs=tuple(slice(run[0][1], run[-1][1] + 1) for run in together),
        )

    @property
    def named(self) -> tuple[Band, ...]:
        """The file band where a single one feeds a cube band, as statistics are looked up by it; else the cube band."""
        pairs = zip(self.sources, self.bands.bands, strict=True)
        return tuple(behind[0] if len(behind) == 1 else band for behind, band in pairs)


@dataclass(frozen=True, slots=True, eq=False)
class StoredImages:
    """Images as they are stored.

    valid: None means all within the extent. scale, offset: of the bands that are used. extent: rows and columns of the
    image itself, the rest is padding; None: no padding. holes: whether pixels within the extent may be invalid; None:
    the pipeline checks, which makes the host of a GPU wait.
    """

    values: Shaped[Tensor, "batch date file row column"]
    valid: Bool[Tensor, "batch date file row column"] | None
    scale: Float64[Tensor, "#batch 1 used 1 1"]
    offset: Float64[Tensor, "#batch 1 used 1 1"]
    feeding: Feeding
    extent: Int32[Tensor, "batch 2"] | None = None
    holes: bool | None = None

    def part(self, samples: slice) -> "StoredImages":
        """Some of the images."""
        return replace(
            self,
            values=self.values[samples],
            valid=None if self.valid is None else self.valid[samples],
            scale=self.scale[samples],
            offset=self.offset[samples],
            extent=None if self.extent is None else self.extent[samples],
        )

    def to(self, device: torch.device) -> "StoredImages":
        """The images on a device; a copy from pinned memory does not wait."""
        return replace(
            self,
            values=self.values.to(device, non_blocking=True),
            valid=None if self.valid is None else self.valid.to(device, non_blocking=True),
            scale=self.scale.to(device, non_blocking=True),
            offset=self.offset.to(device, non_blocking=True),
            extent=None if self.extent is None else self.extent.to(device, non_blocking=True),
        )
