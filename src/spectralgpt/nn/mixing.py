"""Mixup, cutmix and random erasing of cubes: what fine-tuning does to a batch after its crops.

All draws are functions of keys. What a batch is mixed by is drawn on the host, so no step waits for a device.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from spectralgpt.draws import beta, keys, uniform
from spectralgpt.errors import OptionError
from spectralgpt.nn.cube import Cube
from spectralgpt.nn.dropping import Key
from spectralgpt.nn.noise import ERASED, noise_of

MIXED, CUT, SHARE, BOX_ROW, BOX_COLUMN = range(5)
"""What is drawn for a step."""
MIXING = 0x313D
"""Separates these draws from others with the same key."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How a batch is mixed: samples 0 and 1 with each other, 2 and 3, and so on; one that is left over with itself.

    The paper pairs a batch with its reverse. The order within a batch is random, so both draw the same pairs as often;
    but neighbours stay together when a step is divided into batches of even size, or among processes.

    share: of each sample itself in its target; the rest is its partner's. box: rows and columns that cutmix takes from
    the partner; None for mixup, which takes values from both everywhere.
    """

    share: float
    box: tuple[slice, slice] | None = None

    def cube(self, cube: Cube) -> Cube:
        """The mixed cube. Days, GSD and scaling cannot be mixed: they are those of the larger share.

        Where mixup has only one valid value, it is taken whole; where it has none, nothing is valid. Cutmix takes
        validity together with values.
        """
        partner = _swapped_cube(cube)
        values, valid = self._mixed(cube, partner) if self.box is None else self._cut(cube, partner, self.box)
        return replace(cube if self.share >= 0.5 else partner, values=values, valid=valid)

    def shares(self, target: Float[Tensor, "batch *axes"]) -> Float[Tensor, "batch *axes"]:
        """Targets of whole images: shares of the classes, or of labels that apply."""
        return self.share * target + (1 - self.share) * _swapped(target)

    def mask(self, mask: Shaped[Tensor, "batch *axes height width"]) -> Shaped[Tensor, "batch *axes height width"]:
        """Targets per pixel, or where they are known, cut as the cube is. OptionError for mixup, as two classes at one
        pixel are no class."""
        if self.box is None:
            raise OptionError("mixup: found targets per pixel", "one target per image", "Use cutmix alone for masks")
        return _with_box(mask, _swapped(mask), self.box)

    def _mixed(self, cube: Cube, partner: Cube) -> tuple[Tensor, Tensor | None]:
        mixed = self.share * cube.values + (1 - self.share) * partner.values
        if cube.valid is None or partner.valid is None:
            return mixed, None
        one = torch.where(cube.valid, cube.values, torch.where(partner.valid, partner.values, 0.0))
        return torch.where(cube.valid & partner.valid, mixed, one), cube.valid | partner.valid

    def _cut(self, cube: Cube, partner: Cube, box: tuple[slice, slice]) -> tuple[Tensor, Tensor | None]:
        values = _with_box(cube.values, partner.values, box)
        if cube.valid is None or partner.valid is None:
            return values, None
        return values, _with_box(cube.valid, partner.valid, box)


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which batches are mixed, and how (the paper's fine-tuning: mixup 0.8, cutmix 1).

    mixup, cutmix: shapes of the beta distributions from which a batch's share is drawn; 0: never. switch: part of the
    batches that take cutmix, where both are possible. probability: part of the batches that are mixed at all.
    OptionError for values from which nothing can be drawn.
    """

    mixup: float | int = 0.0
    cutmix: float | int = 0.0
    switch: float | int = 0.5
    probability: float | int = 1.0

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"mixing.{name}: found {getattr(self, name)}", "0, or a shape above it")
        for name in ("switch", "probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"mixing.{name}: found {getattr(self, name)}", "a share from 0 to 1")

    def drawn(self, draw: int, height: int, width: int) -> Mix | None:
        """How the batches of a step are mixed, None for not at all. draw: the step's key. height, width: of the cube,
        pixels.

        The same for all batches of a step, however it is divided.
        """
        cuts = self.cutmix > 0 and (not self.mixup or _drawn(draw, CUT) < self.switch)
        shape = self.cutmix if cuts else self.mixup
        if not shape or not _drawn(draw, MIXED) < self.probability:
            return None
        share = beta(shape, MIXING + SHARE, draw)
        if not cuts:
            return Mix(share)
        # as in the released recipe: the centre is uniform, so at the image's edge the box is smaller
        rows, columns = (
            _side(size, (1 - share) ** 0.5, _drawn(draw, what))
            for size, what in ((height, BOX_ROW), (width, BOX_COLUMN))
        )
        taken = (rows.stop - rows.start) * (columns.stop - columns.start)
        return Mix(1 - taken / (height * width), (rows, columns))


@dataclass(frozen=True, slots=True)
class Erasing:
    """Random erasing: in part of the samples, the pixels of a rectangle are not valid, in all bands and dates.

    They are not filled with noise or a mean, since absence is what the model has a way to treat: tokens without a
    valid pixel are absent. probability: part of the samples. area: of the rectangle, share of the image (uniform).
    aspect: its width divided by its height is from `aspect` to 1 / aspect (log-uniform). OptionError for values from
    which nothing can be drawn.
    """

    probability: float | int = 0.25
    area: tuple[float | int, float | int] = (0.02, 1 / 3)
    aspect: float | int = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise OptionError(f"erasing.probability: found {self.probability}", "a share from 0 to 1")
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise OptionError(f"erasing.area: found {self.area}", "two shares above 0 and up to 1, the smaller first")
        if not 0 < self.aspect <= 1:
            raise OptionError(f"erasing.aspect: found {self.aspect}", "a ratio above 0 and up to 1")

    def cube(self, cube: Cube, key: Key) -> Cube:
        """The cube with its rectangles erased; its `valid` is never None. key: one per sample."""
        height, width = cube.shape[-2:]
        erases, area, aspect, row, column = noise_of(key, ERASED, 5).T
        area = height * width * (self.area[0] + (self.area[1] - self.area[0]) * area)
        ratio = self.aspect ** (1 - 2 * aspect)
        rows = _inside(row, (area / ratio).sqrt(), height)
        columns = _inside(column, (area * ratio).sqrt(), width)
        erased = (erases < self.probability)[:, None, None] & rows[:, :, None] & columns[:, None, :]
        return replace(cube, valid=cube.all_valid() & ~erased[:, None, None])


def _drawn(draw: int, what: int) -> float:
    return float(uniform(keys(MIXING + what, draw)))


def _side(size: int, share: float, centre: float) -> slice:
    """Rows or columns of a box: `share` of `size`, around a centre from 0 to below 1, inside the image."""
    half, middle = int(size * share) // 2, int(size * centre)
    return slice(max(0, middle - half), min(size, middle + half))


def _inside(place: Float[Tensor, " batch"], length: Float[Tensor, " batch"], size: int) -> Shaped[Tensor, "batch size"]:
    """Which rows or columns are in each sample's rectangle, of `length`, from 1 to `size` of them."""
    length = length.round().clamp(1, size)[:, None]
    start = (place[:, None] * (size - length + 1)).floor()
    every = torch.arange(size, device=place.device)
    return (every >= start) & (every < start + length)


def _swapped(x: Shaped[Tensor, "batch *axes"]) -> Shaped[Tensor, "batch *axes"]:
    """Each sample's partner in its place."""
    even = len(x) // 2 * 2
    # not an index: PyTorch copies one from the host, and waits for the device
    pairs = x[:even].reshape(even // 2, 2, *x.shape[1:])
    return torch.cat([pairs.flip(1).flatten(0, 1), x[even:]])


def _swapped_cube(cube: Cube) -> Cube:
    scaling = replace(cube.scaling, centre=_swapped(cube.scaling.centre), scale=_swapped(cube.scaling.scale))
    return replace(
        cube,
        values=_swapped(cube.values),
        valid=None if cube.valid is None else _swapped(cube.valid),
        days=_swapped(cube.days),
        gsd=_swapped(cube.gsd),
        scaling=scaling,
    )


def _with_box(
    own: Shaped[Tensor, "batch *axes height width"],
    other: Shaped[Tensor, "batch *axes height width"],
    box: tuple[slice, slice],
) -> Shaped[Tensor, "batch *axes height width"]:
    result = own.clone()
    result[(..., *box)] = other[(..., *box)]
    return result
