"""The objective of masked pretraining."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from spectralgpt.nn import Cube, Mask, MaskedAutoencoder, MaskKind, Scored, draw_mask, draw_places
from spectralgpt.training.distribution import bare
from spectralgpt.training.flops import forward_flops
from spectralgpt.training.objective import Prepared


@dataclass(frozen=True, slots=True)
class Batch:
    """A cube and the keys of which its masks are drawn: `key` one a sample, `draw` one for all of a step."""

    cube: Cube
    key: Int64[Tensor, " batch"]
    draw: int


@dataclass(frozen=True, slots=True)
class Masked:
    """A batch whose mask is drawn."""

    cube: Cube
    mask: Mask
    places: Tensor | None
    tokens: Tensor
    scored: Scored


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Rebuild what a drawn mask hides: the token and the spectral loss.

    mask_ratio: share hidden. normalized: the token loss in each token's own units. spectral_weight: default 1, but 0
    with normalized targets, as the spectral loss is in the cube's units and one prediction cannot have both.
    decode_fraction: share of the places that the decoder sees besides the kept tokens, and that count; below 1 a step
    costs less and its losses are noisier.
    """

    mask_ratio: float = 0.9
    mask_kind: MaskKind = "random"
    normalized: bool = False
    spectral_weight: float | None = None
    decode_fraction: float = 1.0

    @torch.no_grad()
    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        """The mask, the targets, and how many values count."""
        assert isinstance(model, MaskedAutoencoder)
        cube, grid = batch.cube, model.grid_of(batch.cube)
        present = None if cube.valid is None else model.present(cube).flatten(1)
        shape = (cube.shape[0], grid.dates, grid.groups, grid.places)
        mask = draw_mask(self.mask_kind, self.mask_ratio, shape, batch.key, present, batch.draw)
        places = draw_places(batch.key, grid.places, self.decode_fraction) if self.decode_fraction < 1 else None
        targets = model.targets(cube)
        scored = model.scored(cube, mask, targets, places)
        counts = scored.counts()
        if self._spectral_weight == 0:
            counts = {"token": counts["token"]}
        # the decoder sees all tokens, or the kept ones and those of the drawn places, of which it says something
        predicted = grid.dates * grid.groups * (grid.places if places is None else places.shape[1])
        decoded = predicted if places is None else mask.kept + predicted
        flops = forward_flops(model.config, kept=mask.kept, decoded=decoded, predicted=predicted)
        return Prepared(
            counts=counts,
            work=Masked(cube, mask, places, targets[0], scored),
            samples=cube.shape[0],
            tokens=cube.shape[0] * (mask.kept + decoded),
            flops=3 * cube.shape[0] * flops,
        )

    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        """Sums of squares: of the token loss, and of the spectral loss times its weight."""
        work: Masked = prepared.work
        predicted = model(work.cube, work.mask, work.places, work.tokens)
        inner = bare(model)
        assert isinstance(inner, MaskedAutoencoder)
        losses = inner.losses(
            work.cube, work.mask, predicted, normalized=self.normalized, places=work.places, scored=work.scored
        )
        if self._spectral_weight == 0:
            return {"token": losses["token"].total}
        return {"token": losses["token"].total, "spectral": losses["spectral"].total * self._spectral_weight}

    @property
    def _spectral_weight(self) -> float:
        if self.spectral_weight is not None:
            return self.spectral_weight
        return 0.0 if self.normalized else 1.0
