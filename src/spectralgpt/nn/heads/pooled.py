"""The pooled head: one answer per image."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spectralgpt.errors import OptionError
from spectralgpt.nn.dropping import Dropout, Key
from spectralgpt.nn.start_values import draw_normal


@dataclass(frozen=True, slots=True)
class PooledConfig:
    """classes: their number. hidden: width of an MLP's hidden layer, 0 for a linear head. dropout: before the head, in
    training. skip_first: the mean leaves out the first token, as in the released classifiers (their code skips a class
    token that they do not have). several: an image may have several labels at once.

    Raises OptionError for values from which no head can be made.
    """

    classes: int
    hidden: int = 0
    dropout: float = 0.0
    skip_first: bool = False
    several: bool = False

    def __post_init__(self) -> None:
        if self.classes < 1 or self.hidden < 0 or not 0 <= self.dropout < 1:
            raise OptionError(
                f"found {self.classes} classes, hidden width {self.hidden}, dropout {self.dropout}",
                "at least one class, a width of 0 or more, a dropout from 0 to below 1",
            )

    def words(self, depth: int) -> str:
        """The head in words. depth: blocks of the encoder."""
        layer = f"MLP with {self.hidden} hidden values" if self.hidden else "linear"
        first = ", without the first" if self.skip_first else ""
        several = "; several labels may apply at once" if self.several else ""
        return f"{layer}, on the mean over present tokens{first}{several}"


class PooledHead(nn.Module):
    """Mean over present tokens, norm, dropout, linear or MLP: the paper's classifier (Hong et al., IEEE TPAMI 2024).

    The norm is the encoder's, passed by the caller and applied to the mean.
    """

    def __init__(self, config: PooledConfig, dim: int):
        super().__init__()
        self.config = config
        self.dropout = Dropout(config.dropout)
        self.hidden = nn.Linear(dim, config.hidden) if config.hidden else None
        self.out = nn.Linear(config.hidden or dim, config.classes)
        draw_normal(self.out.weight, 0.02)

    def forward(
        self,
        features: Float[Tensor, "batch token dim"],
        present: Bool[Tensor, "batch token"] | None,
        norm: nn.Module,
        key: Key | None = None,
    ) -> Float[Tensor, "batch class"]:
        """Logits. features: of the last block, before the norm, 0 where absent. key: one per sample, for dropout."""
        pooled = self.dropout(norm(self.pool(features, present)), key)
        if self.hidden is not None:
            pooled = nn.functional.gelu(self.hidden(pooled))
        return self.out(pooled)  # type: ignore[no-any-return]

    def pool(
        self, features: Float[Tensor, "batch token dim"], present: Bool[Tensor, "batch token"] | None
    ) -> Float[Tensor, "batch dim"]:
        """The mean over present tokens, 0 where there are none. With skip_first, the first token counts only where it
        is the only one."""
        if present is None:
            alone = features.shape[1] == 1
            return features[:, 1 if self.config.skip_first and not alone else 0 :].mean(dim=1)
        if self.config.skip_first:
            others = present[:, 1:].any(dim=1)
            present = torch.cat([(present[:, 0] & ~others)[:, None], present[:, 1:]], dim=1)
        return torch.where(present[..., None], features, 0.0).sum(dim=1) / present.sum(dim=1).clamp(min=1)[:, None]
