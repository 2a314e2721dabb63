"""The features of a place's groups and dates merged into one vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spectralgpt.bands import BandSet
from spectralgpt.nn.attention import NORM_EPS
from spectralgpt.nn.positions import read_table, spectrum_nodes_of


@dataclass(frozen=True, slots=True)
class Merged:
    """A map of features, and which places have any token (None: all of them)."""

    features: Float[Tensor, "batch dim row column"]
    present: Bool[Tensor, "batch row column"] | None


@runtime_checkable
class MapHeadConfig(Protocol):
    """The configuration of a head on maps: a frozen dataclass that names the blocks it reads and makes the head.

    The head takes the maps of those blocks, in order, and each sample's key (None outside training); it returns logits
    of all pixels of the places.
    """

    @property
    def classes(self) -> int:
        """Number of classes."""

    @property
    def normed(self) -> bool:
        """Whether the features of each token are normalized before groups, dates and times are merged."""

    def blocks(self, depth: int) -> tuple[int, ...]:
        """The encoder blocks that it reads, increasing, 1-based, of `depth`."""

    def make(self, dim: int, patch: int, depth: int) -> nn.Module:
        """The head for maps of `dim` values per place, patches of `patch` pixels and an encoder of `depth` blocks."""

    def words(self, depth: int) -> str:
        """The head in words. depth: blocks of the encoder."""


class Merge(nn.Module):
    """Weighted sum over groups, after a weighted mean over dates.

    The released models have one weight per native group and a bias, Linear(groups, 1). A group of other bands gets the
    weight at its mean wavelength, linear in ln wavelength between the native ones; sums over another number of groups,
    or over the present ones only, are scaled to the native number. Dates are weighted by a softmax of a learned score
    of their features, which starts as the plain mean; a single date has weight 1, as in the released models.

    normed: the features of each token are normalized first, by a layer norm without parameters. Of two times, one after
    the other, so that no change is a difference of zero, however similar the rest of the image is.
    """

    def __init__(self, spectrum_nodes: Sequence[float], dim: int, normed: bool = False):
        super().__init__()
        self.normed = normed
        self.spectrum_nodes = tuple(spectrum_nodes)
        linear = nn.Linear(len(self.spectrum_nodes), 1)  # for its initial values
        self.weight, self.bias = nn.Parameter(linear.weight.detach()[0].clone()), nn.Parameter(linear.bias.detach())
        self.date_score = nn.Parameter(torch.zeros(dim))

    def forward(
        self,
        features: Float[Tensor, "batch date group row column dim"],
        present: Bool[Tensor, "batch date group row column"] | None,
        bands: BandSet,
    ) -> Merged:
        """The map. features: 0 where absent; places without any token are also 0 in the map."""
        if self.normed:
            features = F.layer_norm(features, features.shape[-1:], eps=NORM_EPS)
        by_group, there = self._over_dates(features, present)
        nodes = spectrum_nodes_of(bands, self.spectrum_nodes).to(self.weight.device)
        weight = read_table(self.weight, nodes).to(features.dtype)
        total = torch.einsum("g,ngrcd->ndrc", weight, by_group)
        native = len(self.spectrum_nodes)
        if there is None:
            groups = by_group.shape[1]
            return Merged((total if groups == native else total * (native / groups)) + self.bias, None)
        count, some = there.sum(dim=1), there.any(dim=1)
        merged = total * (native / count.clamp(min=1))[:, None] + self.bias
        # `some` even if it is true everywhere: checking would wait for the device
        return Merged(torch.where(some[:, None], merged, 0.0), some)

    def _over_dates(
        self,
        features: Float[Tensor, "batch date group row column dim"],
        present: Bool[Tensor, "batch date group row column"] | None,
    ) -> tuple[Float[Tensor, "batch group row column dim"], Bool[Tensor, "batch group row column"] | None]:
        if features.shape[1] == 1:
            return features[:, 0], None if present is None else present[:, 0]
        score = features @ self.date_score.to(features.dtype)
        if present is not None:
            # finite: a place without any date, and its gradient, would be NaN
            score = score.masked_fill(~present, torch.finfo(score.dtype).min)
        weight = score.softmax(dim=1)
        return (weight[..., None] * features).sum(dim=1), None if present is None else present.any(dim=1)
