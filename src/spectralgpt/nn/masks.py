"""What the encoder sees and what the decoder must rebuild.

A mask is an order of the tokens, kept ones first. Some kept tokens may be absent, or surplus where samples of a batch
keep different numbers: `seen` is false for these; they take no part in attention and are never scored.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from numpy.typing import NDArray
from torch import Tensor

from spectralgpt.draws import keys, mixed, uniform
from spectralgpt.nn.noise import DRAWN_PLACES, MASKED_TOKENS, noise_of

MaskKind = Literal["random", "place", "group", "date", "mixed"]


@dataclass(frozen=True, slots=True)
class Mask:
    """order: all tokens of each sample, the kept ones first. kept: number of kept tokens. seen: which of them are real,
    None when all are. hidden: tokens to rebuild (neither kept nor absent)."""

    order: Int[Tensor, "batch token"]
    kept: int
    seen: Bool[Tensor, "batch kept"] | None
    hidden: Bool[Tensor, "batch token"]

    @property
    def index(self) -> Int[Tensor, "batch kept"]:
        """The kept tokens, in the order in which the encoder takes them."""
        return self.order[:, : self.kept]


def tokens_of_places(
    places: Int[Tensor, "batch drawn"], stacks: int, all_places: int
) -> Int[Tensor, "batch drawn_tokens"]:
    """The tokens at these places of all dates and groups (`stacks` of them), in the tokens' order."""
    first = torch.arange(stacks, device=places.device) * all_places
    return (first[None, :, None] + places[:, None]).flatten(1)


def kept_count(items: int, ratio: float) -> int:
    """int(items (1 - ratio)) in double precision, truncated as in the released model: of 900 at 0.9 it keeps 89."""
    return int(items * (1 - ratio))


def mask_of_order(order: Int[Tensor, "batch token"], kept: int, present: Bool[Tensor, "batch token"] | None) -> Mask:
    """The mask that keeps the first `kept` tokens of an order."""
    hidden = torch.ones_like(order, dtype=torch.bool).scatter(1, order[:, :kept], False)
    if present is None:
        return Mask(order, kept, None, hidden)
    return Mask(order, kept, present.gather(1, order[:, :kept]), hidden & present)


def random_mask(
    noise: Float[Tensor, "batch token"], ratio: float, present: Bool[Tensor, "batch token"] | None = None
) -> Mask:
    """Keeps the kept_count tokens of the smallest noise, in this order, as the paper's code does; absent ones last."""
    ranked = noise if present is None else noise.masked_fill(~present, math.inf)
    return mask_of_order(ranked.argsort(dim=1, stable=True), kept_count(noise.shape[1], ratio), present)


def draw_mask(
    kind: MaskKind,
    ratio: float,
    shape: tuple[int, int, int, int],
    key: Int64[Tensor, " batch"],
    present: Bool[Tensor, "batch token"] | None = None,
    draw: int = 0,
) -> Mask:
    """A mask of a batch.

    shape: batch, dates, groups, places. random: tokens; place: all groups and dates of a place; group: whole groups, at
    least one kept; date: whole dates, at least one kept; mixed: one of the four, chosen by `draw`. A kind that would
    hide nothing becomes random. key: one per sample; a sample's noise depends on it alone, not on the batch.
    """
    batch, dates, groups, places = shape
    if kind == "mixed":
        kinds = [each for each in get_args(MaskKind) if each != "mixed"]
        kind = kinds[int(mixed(np.full((), draw, np.uint64)) % np.uint64(len(kinds)))]
    items = {"place": places, "group": groups, "date": dates}
    if kind != "random":
        kept = kept_count(items[kind], ratio) if kind == "place" else max(1, kept_count(items[kind], ratio))
        if kept < items[kind]:
            noise = noise_of(key, MASKED_TOKENS, items[kind])
            view = {"place": (1, 1, -1), "group": (1, -1, 1), "date": (-1, 1, 1)}[kind]
            every = noise.reshape(batch, *view).expand(batch, dates, groups, places).flatten(1)
            tokens = dates * groups * places // items[kind] * kept
            return mask_of_order(every.argsort(dim=1, stable=True), tokens, present)
    return random_mask(noise_of(key, MASKED_TOKENS, dates * groups * places), ratio, present)


def draw_places(key: Int64[Tensor, " batch"], places: int, fraction: float) -> Int[Tensor, "batch drawn"]:
    """A drawn share of the places of each sample, at least one."""
    return noise_of(key, DRAWN_PLACES, places).argsort(dim=1)[:, : max(1, int(places * fraction))]


def given_mask(hidden: Bool[Tensor, "batch token"], present: Bool[Tensor, "batch token"] | None = None) -> Mask:
    """The mask that hides exactly these tokens and keeps the others, in their order. Samples with fewer others than the
    batch's largest count are filled up with surplus tokens."""
    visible = ~hidden if present is None else ~hidden & present
    counts = visible.sum(dim=1)
    kept = int(counts.max())
    order = (~visible).long().argsort(dim=1, stable=True)
    seen = torch.arange(kept, device=hidden.device)[None] < counts[:, None]
    return Mask(order, kept, None if bool(seen.all()) else seen, hidden if present is None else hidden & present)


def scene_hidden(
    seed: int,
    share: float,
    dates: int,
    groups: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> Bool[np.ndarray, "date group row column"]:
    """Which tokens of a scene are hidden: a hash of (seed, date, group, row, column) below `share`.

    rows and columns: patch coordinates on the scene, so that windows which share a place agree about it.
    """
    grid = np.ix_(np.arange(dates), np.arange(groups), rows, columns)
    return np.asarray(uniform(keys(seed, *grid)) < share)
