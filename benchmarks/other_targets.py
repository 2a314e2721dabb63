"""Two ways to pretrain that are not in the package, to compare with: they did not earn a place in it, or not yet.

A moving copy: besides its own losses, the masked model predicts the features that a slowly moving copy of its encoder
computes of the whole image (as in data2vec: Baevski et al., ICML 2022). Agreement: two dates of one place have similar
mean features, of which no value is constant or repeats another (VICReg: Bardes et al., ICLR 2022).
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectralgpt.nn import MaskedAutoencoder, bare, computing_in
from spectralgpt.nn.encoder import Encoder
from spectralgpt.nn.masks import tokens_of_places
from spectralgpt.tasks import Batch, Prepared, Pretraining, find
from spectralgpt.weights import SpectralGPT

EXTRA = ("moving_copy.", "copied.")
"""Beginnings of the names of tensors that only training needs."""

SECOND = 0x5EC07D
"""Changes the keys of the second views of samples."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A batch with the copy's features. wanted: (batch, token, value); counted: tokens that count."""

    masked: Any
    wanted: Tensor
    counted: Tensor


class WithoutNewFields(Pretraining):
    """A way to pretrain with the settings of pretraining alone, so that its run can be resumed: config.json names the
    task, and an objective is read back as the package's own."""

    __slots__ = ()

    def validating(self) -> Pretraining:
        """The package's own losses."""
        own = Pretraining(**{each.name: getattr(self, each.name) for each in fields(self)})
        return own.validating()


class MovingCopy(WithoutNewFields):
    """Also predict, from each token that the encoder sees, its features in the copy after half and all of the blocks,
    each normalized over the values of the token.

    The model must start by `with_copy`. The copy moves towards the encoder at each step, and is not trained.
    """

    __slots__ = ()
    decay: ClassVar[float] = 0.996
    weight: ClassVar[float] = 1.0
    of: ClassVar[Literal["seen", "hidden"]] = "seen"

    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        prepared = super().prepare(model, batch)
        assert isinstance(model, Copying)
        if model.training:
            move(model.moving_copy, model.encoder, self.decay)
        masked = prepared.work
        features = features_of_copy(model, batch, masked.tokens)
        if self.of == "seen":
            index = masked.mask.index
            counted = torch.ones_like(index, dtype=torch.bool) if masked.mask.seen is None else masked.mask.seen
            wanted = _gathered(features, index)
        else:
            grid = model.grid_of(batch.cube)
            wanted, counted = features, masked.scored.hidden
            if masked.places is not None:
                wanted = _gathered(wanted, tokens_of_places(masked.places, grid.dates * grid.groups, grid.places))
        counts = {**prepared.counts, "copy": counted.sum() * wanted.shape[-1]}
        return replace(prepared, counts=counts, work=Copied(masked, wanted, counted))

    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        work: Copied = prepared.work
        inner = bare(model)
        assert isinstance(inner, Copying)
        with outputs_of(inner.encoder if self.of == "seen" else inner.decoder.norm) as outputs:
            totals = super().totals(model, replace(prepared, work=work.masked))
        found = inner.copied(outputs[-1]).to(work.wanted.dtype)
        wrong = torch.where(work.counted[..., None], found - work.wanted, 0.0)
        return {**totals, "copy": wrong.square().sum() * self.weight}


class MovingCopyOfHidden(MovingCopy):
    """From each hidden token that the decoder predicts, instead of those that the encoder sees."""

    __slots__ = ()
    of = "hidden"


class Copying(SpectralGPT):
    """A model with a moving copy of its encoder, which is not saved with its weights."""

    moving_copy: Encoder
    copied: nn.Linear

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> "Copying":
        return super().with_tensors({name: each for name, each in tensors.items() if not name.startswith(EXTRA)})


def with_copy(of: Literal["seen", "hidden"]) -> Any:
    """A start of a new model: the local start, with a copy of the encoder and the layer that predicts its features."""

    def start(model: MaskedAutoencoder) -> None:
        find("pretraining").starts["local"](model)
        model.__class__ = Copying
        size = model.config.size
        model.moving_copy = copy.deepcopy(model.encoder).requires_grad_(False)
        model.copied = nn.Linear(size.dim if of == "seen" else size.decoder_dim, 2 * size.dim)
        nn.init.xavier_uniform_(model.copied.weight)
        nn.init.zeros_(model.copied.bias)

    return start


@torch.no_grad()
def move(moving: nn.Module, towards: nn.Module, decay: float) -> None:
    """moving <- decay x moving + (1 - decay) x towards."""
    torch._foreach_lerp_(list(moving.parameters()), list(towards.parameters()), 1 - decay)


@torch.no_grad()
def features_of_copy(model: Copying, batch: Batch, tokens: Tensor) -> Tensor:
    """Features of all tokens in the copy, which sees the whole image, after half and all of the blocks; each with mean
    0 and deviation 1 over the values of the token."""
    cube, grid, moving = batch.cube, model.grid_of(batch.cube), model.moving_copy
    present = None if cube.valid is None else model.present(cube).flatten(1)
    positions = moving.positions(cube.bands, grid.rows, grid.columns, cube.days, cube.gsd)
    depth = model.config.size.depth
    with computing_in("auto", tokens.device):
        features = moving(tokens, present, positions, (depth // 2, depth))
    return torch.cat([F.layer_norm(each.float(), each.shape[-1:]) for each in features], dim=-1)


def _gathered(features: Tensor, index: Tensor) -> Tensor:
    return features.gather(1, index[..., None].expand(-1, -1, features.shape[-1]))


@contextmanager
def outputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """A list that gets each output of the module, of several tensors the last."""
    found: list[Tensor] = []
    hook = module.register_forward_hook(
        lambda _module, _inputs, output: found.append(output[-1] if isinstance(output, list) else output)
    )
    try:
        yield found
    finally:
        hook.remove()


# -- agreement ---------------------------------------------------------------------------------------------------------


class Pairs(WithoutNewFields):
    """Pretraining on two views of each sample: its first two dates, or one date twice with different masks."""

    __slots__ = ()
    views: ClassVar[int] = 2
    weight: ClassVar[float] = 0.0

    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        cube = batch.cube
        second = cube.at_date(1) if cube.shape[1] > 1 else cube
        pairs = cube.at_date(0).stacked(second)
        prepared = super().prepare(model, Batch(pairs, torch.cat([batch.key, batch.key ^ SECOND]), batch.draw))
        if not self.weight:
            return prepared
        return replace(prepared, counts={**prepared.counts, "agreement": torch.tensor(cube.shape[0])})

    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        inner = bare(model)
        assert isinstance(inner, MaskedAutoencoder)
        with outputs_of(inner.encoder) as outputs:
            totals = super().totals(model, prepared)
        if not self.weight:
            return totals
        mask = prepared.work.mask
        seen = torch.ones_like(mask.index, dtype=torch.bool) if mask.seen is None else mask.seen
        tokens = torch.where(seen[..., None], outputs[-1].float(), 0.0)
        means = tokens.sum(dim=1) / seen.sum(dim=1, keepdim=True).clamp(min=1)
        one, other = means.chunk(2)
        both = seen.any(dim=1).reshape(2, -1).all(dim=0)
        return {**totals, "agreement": disagreement(one[both], other[both]) * len(one) * self.weight}


class Agreement(Pairs):
    """Also the disagreement of the mean features of both views."""

    __slots__ = ()
    weight = 1.0


def disagreement(one: Tensor, other: Tensor, covariance: float = 0.04) -> Tensor:
    """The variance-invariance-covariance loss of pairs, (pair, value): the mean square difference; how far deviations
    over pairs fall below 1; and times `covariance`, the sum of squared covariances of different values over the number
    of values. 0 for fewer than two pairs."""
    if len(one) < 2:
        return 0.0 * (one.sum() + other.sum())
    total = F.mse_loss(one, other)
    for each in (one, other):
        centred = each - each.mean(dim=0)
        total = total + F.relu(1 - (centred.var(dim=0) + 1e-4).sqrt()).mean() / 2
        products = centred.T @ centred / (len(each) - 1)
        off = products.square().sum() - products.diagonal().square().sum()
        total = total + covariance * off / each.shape[1]
    return total


STARTS = {"local, copy of seen tokens": with_copy("seen"), "local, copy of hidden tokens": with_copy("hidden")}
"""Starts of a model that the package does not have, by the names that recipes use."""


def register() -> None:
    """Make the starts known to recipes in this process."""
    find("pretraining").starts.update(STARTS)
