"""Masked pretraining: rebuild the hidden parts of an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from spectralgpt.draws import keys, uniform
from spectralgpt.errors import OptionError
from spectralgpt.nn import (
    Cube,
    Key,
    Mask,
    MaskedAutoencoder,
    MaskKind,
    ModelConfig,
    Reconstruction,
    Scored,
    bare,
    draw_mask,
    draw_places,
    encoder_flops,
    forward_flops,
    start_local,
)
from spectralgpt.tasks.task import Batch, Objective, Prepared, Task

RATIO_OF_STEP = 5
"""The seed of the shares that steps hide."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A batch with its mask drawn. described: descriptors at kept tokens and which are known, if they are learned."""

    cube: Cube
    mask: Mask
    places: Tensor | None
    tokens: Tensor
    scored: Scored
    key: Key
    described: tuple[Tensor, Tensor] | None


@dataclass(frozen=True, slots=True)
class Pretraining(Objective):
    """Rebuild what a drawn mask hides: the token and the spectral loss.

    mask_ratio: share hidden. least_ratio: each step hides another share, drawn between this and mask_ratio. mask: what
    is hidden together. normalized_target: the token loss in each token's own
    units. spectral_weight: default 1, but 0 with normalized targets, as the spectral loss is in the cube's units and
    one prediction cannot be in both. decode_fraction: share of the places that the decoder sees in addition to the kept
    tokens, and that count in the losses; below 1 a step costs less and its losses are noisier. descriptor_weight: of a
    third loss, the mean square error of the descriptors of a place and its surroundings in all bands
    (`nn/descriptors.py`) as the model predicts them from each token that it sees; 0, as in the paper, for none. It
    distils hand-made features. freeze: train the decoder alone; features stay as they are.

    Raises OptionError for values out of range.
    """

    task: ClassVar[str] = "pretraining"
    mask_ratio: float | int = 0.9
    mask: MaskKind = "random"
    decode_fraction: float | int = 1.0
    normalized_target: bool = False
    spectral_weight: float | int | None = None
    descriptor_weight: float | int = 0.0
    least_ratio: float | int | None = None
    freeze: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.mask_ratio < 1:
            raise OptionError(f"mask_ratio: found {self.mask_ratio}", "between 0 and 1")
        if self.least_ratio is not None and not 0 < self.least_ratio <= self.mask_ratio:
            raise OptionError(
                f"least_ratio: found {self.least_ratio}", f"above 0 and up to mask_ratio, {self.mask_ratio}, or none"
            )
        if not 0 < self.decode_fraction <= 1:
            raise OptionError(f"decode_fraction: found {self.decode_fraction}", "above 0 and up to 1")
        if self.spectral_weight is not None and not self.spectral_weight >= 0:
            raise OptionError(f"spectral_weight: found {self.spectral_weight}", "0 or more, or none")
        if not self.descriptor_weight >= 0:
            raise OptionError(f"descriptor_weight: found {self.descriptor_weight}", "0 or more")

    def model_config(self, config: ModelConfig) -> ModelConfig:
        """With the descriptors that this objective needs. OptionError where it does not fit a conditional mean."""
        if config.conditional_mean and self.normalized_target:
            raise OptionError(
                "normalized_target: found true, of a model with a conditional mean",
                "false, as its estimates are in the units of the pixels and not of a token",
            )
        return replace(config, descriptors=self.descriptor_weight > 0)

    @property
    def trains_features(self) -> bool:
        """False of the decoder alone."""
        return not self.freeze

    def ready(self, model: nn.Module) -> None:
        """Set whether the encoder is trained."""
        assert isinstance(model, MaskedAutoencoder)
        # also to true: an earlier stage may have frozen it
        model.encoder.requires_grad_(not self.freeze)
        if self.freeze:
            model.encoder.eval()

    def ratio(self, draw: int) -> float:
        """The share that a step hides."""
        if self.least_ratio is None:
            return self.mask_ratio
        # one number for the step: its samples keep the same number of tokens
        drawn = float(uniform(keys(RATIO_OF_STEP, draw)))
        return self.least_ratio + drawn * (self.mask_ratio - self.least_ratio)

    @torch.no_grad()
    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        """The mask, the targets, and the number of values that count."""
        assert isinstance(model, MaskedAutoencoder)
        cube, grid = batch.cube, model.grid_of(batch.cube)
        present = None if cube.valid is None else model.present(cube).flatten(1)
        shape = (cube.shape[0], grid.dates, grid.groups, grid.places)
        mask = draw_mask(self.mask, self.ratio(batch.draw), shape, batch.key, present, batch.draw)
        places = draw_places(batch.key, grid.places, self.decode_fraction) if self.decode_fraction < 1 else None
        targets = model.targets(cube)
        scored = model.scored(cube, mask, targets, places)
        counts = scored.counts()
        if self._spectral_weight == 0:
            counts = {"token": counts["token"]}
        described = None
        if self.descriptor_weight > 0:
            described = model.descriptors(cube, mask)
            counts["descriptors"] = described[1].sum()
        # the decoder sees all tokens, or the kept ones and those of the drawn places, which it predicts
        predicted = grid.dates * grid.groups * (grid.places if places is None else places.shape[1])
        decoded = predicted if places is None else mask.kept + predicted
        flops = 3 * forward_flops(model.config, kept=mask.kept, decoded=decoded, predicted=predicted)
        if self.freeze:
            flops -= 2 * encoder_flops(model.config, mask.kept)
        return Prepared(
            counts=counts,
            work=Masked(cube, mask, places, targets[0], scored, batch.key, described),
            samples=cube.shape[0],
            tokens=cube.shape[0] * (mask.kept + decoded),
            flops=cube.shape[0] * flops,
        )

    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        """Sums of squares: those of the token loss, and those of the other losses times their weights."""
        work: Masked = prepared.work
        answer = model(work.cube, work.mask, work.places, work.tokens, work.key, describing=work.described is not None)
        predicted, found = answer if work.described is not None else (answer, None)
        inner = bare(model)
        assert isinstance(inner, MaskedAutoencoder)
        losses = inner.losses(
            work.cube, work.mask, predicted, normalized=self.normalized_target, places=work.places, scored=work.scored
        )
        totals = {"token": losses["token"].total}
        if self._spectral_weight != 0:
            totals["spectral"] = losses["spectral"].total * self._spectral_weight
        if work.described is not None and found is not None:
            wanted, known = work.described
            errors = torch.where(known, found.to(wanted.dtype) - wanted, 0.0)
            totals["descriptors"] = errors.square().sum() * self.descriptor_weight
        return totals

    def validating(self) -> "Pretraining":
        """With random masks and all places decoded: the same measure for all kinds of masks."""
        return replace(self, mask="random", decode_fraction=1.0, least_ratio=None)

    def sample(self, model: nn.Module, prepared: Prepared) -> Reconstruction:
        """The first sample, rebuilt from what its mask left visible."""
        assert isinstance(model, MaskedAutoencoder)
        work: Masked = prepared.work
        one = work.cube.part(slice(1))
        return model.reconstruct(one, work.mask.hidden[:1].reshape(1, *model.grid_of(one).shape))

    def draw(self, path: Path, samples: Sequence[Reconstruction], title: str) -> None:
        """Each sample's first date: the input, what is left visible, and the result."""
        from spectralgpt.report import save_rebuilt_samples

        bands = [each.cube.bands.bands for each in samples]
        save_rebuilt_samples(
            path,
            [each.cube.reflectance()[0, 0].cpu().numpy() for each in samples],
            [each.reflectance()[0, 0].cpu().numpy() for each in samples],
            [each.hidden[0, 0].cpu().numpy() for each in samples],
            [[band.wavelength for band in every] for every in bands],
            [every[0].sensor for every in bands],
            title,
        )

    @property
    def _spectral_weight(self) -> float:
        if self.spectral_weight is not None:
            return self.spectral_weight
        return 0.0 if self.normalized_target else 1.0


TASK = Task(
    name="pretraining",
    model=MaskedAutoencoder,
    heads={},
    class_name="SpectralGPT",
    purpose="rebuilds hidden parts of images and gives features and embeddings",
    pipeline="image-feature-extraction",
    tags=("masked-autoencoder",),
    example='embedding = model.embed(cube, "place")  # a vector for each patch',
    objective=Pretraining,
    starts={"local": start_local},
)
