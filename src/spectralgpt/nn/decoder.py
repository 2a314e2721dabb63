"""The decoder: puts encoded tokens back into place, mask tokens elsewhere, and predicts every token's values."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spectralgpt.nn.attention import NORM_EPS, Block, key_mask
from spectralgpt.nn.encoder import run_block
from spectralgpt.nn.linear import Linear
from spectralgpt.nn.masks import Mask
from spectralgpt.nn.positions import Positions
from spectralgpt.nn.sizes import ModelConfig


class Decoder(nn.Module):
    """Linear to the decoder's width, mask tokens for what was not seen, positions of its own, blocks, norm, linear to a
    token's values (Hong et al., SpectralGPT, IEEE TPAMI 2024).
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.size
        self.embed = Linear(size.dim, size.decoder_dim)
        self.mask_token = nn.Parameter(torch.empty(1, 1, size.decoder_dim))
        self.positions = Positions(size.decoder_dim, config.place_nodes, config.spectrum_nodes)
        self.blocks = nn.ModuleList(Block(size.decoder_dim, size.decoder_heads) for _ in range(size.decoder_depth))
        self.norm = nn.LayerNorm(size.decoder_dim, eps=NORM_EPS)
        self.head = Linear(size.decoder_dim, config.token_values)
        self.checkpointing = False

    def forward(
        self,
        encoded: Float[Tensor, "batch kept dim"],
        mask: Mask,
        present: Bool[Tensor, "batch token"] | None,
        positions: Float[Tensor, "batch positioned decoder_dim"],
        chosen: Int[Tensor, "batch chosen"] | None = None,
        shown: Float[Tensor, "batch out decoder_dim"] | None = None,
    ) -> Float[Tensor, "batch out value"]:
        """Predictions of all tokens, in their order (date, group, row, column), normalized; or of the chosen ones.

        chosen: the decoder then sees only the kept tokens and these. positions: of all tokens, or with `chosen` of the
        kept and then the chosen ones. shown: added to the query of each token that is predicted.
        """
        y = self.embed(encoded)
        if mask.seen is not None:
            # a surplus kept token is a hidden one: its output has seen its own values and must not be passed on
            y = torch.where(mask.seen[..., None], y, self.mask_token.to(y.dtype))
        batch, tokens = mask.order.shape
        index = mask.index[..., None].expand(-1, -1, y.shape[-1])
        x = self.mask_token.to(y.dtype).expand(batch, tokens, -1).scatter(1, index, y)
        kept = 0
        if chosen is not None:
            x = x.gather(1, chosen[..., None].expand(-1, -1, y.shape[-1]))
            present, kept = _attended(mask, present, chosen), mask.kept
        if shown is not None:
            x = x + shown.to(x.dtype)
        if chosen is not None:
            x = torch.cat([y, x], dim=1)
        x, keys = x + positions, key_mask(present)
        for block in self.blocks:
            x = run_block(block, x, keys, self.checkpointing)
        return self.head(self.norm(x[:, kept:]))  # type: ignore[no-any-return]


def _attended(
    mask: Mask, present: Bool[Tensor, "batch token"] | None, chosen: Int[Tensor, "batch chosen"]
) -> Bool[Tensor, "batch kept_and_chosen"]:
    """Which of the kept and the chosen tokens may be attended to; a token that is both counts once."""
    twice = torch.zeros_like(mask.hidden).scatter(1, chosen, True).gather(1, mask.index)
    kept = ~twice if mask.seen is None else ~twice & mask.seen
    there = torch.ones_like(chosen, dtype=torch.bool) if present is None else present.gather(1, chosen)
    return torch.cat([kept, there], dim=1)
