"""The objective of masked pretraining, and batches of crops of one image."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spectralgpt.nn import Cube, LossTerm, MaskedAutoencoder, MaskKind, draw_mask


@dataclass(frozen=True)
class Pretraining:
    """Rebuild what a drawn mask hides: the token and the spectral loss.

    mask_ratio: share hidden. generator: where masks are drawn from. normalized: the token loss in each token's own
    units. spectral_weight: default 1, but 0 with normalized targets, as the spectral loss is in the cube's units and
    one prediction cannot have both. decode_fraction: share of the places that the decoder sees besides the kept tokens,
    and that count; below 1 a step costs less and its losses are noisier.
    """

    generator: torch.Generator
    mask_ratio: float = 0.9
    mask_kind: MaskKind = "random"
    normalized: bool = False
    spectral_weight: float | None = None
    decode_fraction: float = 1.0

    def __call__(self, model: MaskedAutoencoder, cube: Cube) -> Mapping[str, LossTerm]:
        grid = model.grid_of(cube)
        present = None if cube.valid is None else model.present(cube).flatten(1)
        shape = (cube.shape[0], grid.dates, grid.groups, grid.places)
        mask = draw_mask(self.mask_kind, self.mask_ratio, shape, self.generator, present, cube.values.device)
        places = None
        if self.decode_fraction < 1:
            drawn = max(1, int(grid.places * self.decode_fraction))
            noise = torch.rand((cube.shape[0], grid.places), generator=self.generator, device=self.generator.device)
            places = noise.argsort(dim=1)[:, :drawn].to(cube.values.device)
        losses = model.losses(cube, mask, model(cube, mask, places), normalized=self.normalized, places=places)
        weight = self.spectral_weight if self.spectral_weight is not None else 0.0 if self.normalized else 1.0
        if weight == 0:
            return {"token": losses["token"]}
        return losses | {"spectral": replace(losses["spectral"], total=losses["spectral"].total * weight)}


def random_crops(cube: Cube, side: int, batch: int, rng: np.random.Generator) -> Iterator[Cube]:
    """Endless batches of square crops of one image (a cube of batch 1), turned and mirrored at random.

    side: pixels, at most the image's.
    """
    _, _, _, height, width = cube.shape
    while True:
        rows = rng.integers(0, height - side + 1, batch)
        columns = rng.integers(0, width - side + 1, batch)
        turns, mirrored = rng.integers(0, 4, batch), rng.integers(0, 2, batch)
        where = list(zip(rows.tolist(), columns.tolist(), turns.tolist(), mirrored.tolist(), strict=True))

        def crops(values: Tensor, where: list[tuple[int, int, int, int]] = where) -> Tensor:
            parts = (
                (torch.rot90(values[0, ..., r : r + side, c : c + side], turn, (-2, -1)), mirror)
                for r, c, turn, mirror in where
            )
            return torch.stack([part.flip(-1) if mirror else part for part, mirror in parts])

        valid = None if cube.valid is None else crops(cube.valid)
        yield replace(
            cube,
            values=crops(cube.values),
            # most crops of an image with holes have none, and attention without a mask is faster
            valid=None if valid is None or bool(valid.all()) else valid,
            days=cube.days.expand(batch, -1),
            gsd=cube.gsd.expand(batch),
            scaling=replace(
                cube.scaling,
                centre=cube.scaling.centre.expand(batch, -1, -1),
                scale=cube.scaling.scale.expand(batch, -1, -1),
            ),
        )
