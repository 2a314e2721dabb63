"""The encoder: embeds kept tokens, adds positions, transforms."""

from collections.abc import Collection

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from spectralgpt.nn.attention import NORM_EPS, Block, key_mask
from spectralgpt.nn.dropping import Key
from spectralgpt.nn.linear import linear
from spectralgpt.nn.positions import Positions
from spectralgpt.nn.sizes import ModelConfig


class PatchEmbedding(nn.Module):
    """The kernel over a token's values: weight (dim, slots x patch x patch), the released Conv3d flattened."""

    def __init__(self, values: int, dim: int):
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(nn.Linear(values, dim).weight.detach().clone()))
        bound = values**-0.5
        self.bias = nn.Parameter(nn.init.uniform_(self.weight.new_empty(dim), -bound, bound))

    def forward(self, tokens: Float[Tensor, "batch token value"]) -> Float[Tensor, "batch token dim"]:
        return linear(tokens, self.weight, self.bias)


class Encoder(nn.Module):
    """Embedding, positions, blocks, norm. `checkpointing`: recompute blocks in the backward pass to save memory."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.size
        self.embedding = PatchEmbedding(config.token_values, size.dim)
        self.positions = Positions(size.dim, config.place_nodes, config.spectrum_nodes, joint=config.joint_positions)
        self.blocks = nn.ModuleList(Block(size.dim, size.heads, number) for number in range(size.depth))
        self.norm = nn.LayerNorm(size.dim, eps=NORM_EPS)
        self.checkpointing = False

    def forward(
        self,
        tokens: Float[Tensor, "batch token value"],
        present: Bool[Tensor, "batch token"] | None,
        positions: Float[Tensor, "batch token dim"],
        at: Collection[int] = (),
        *,
        normed: bool = True,
        key: Key | None = None,
    ) -> list[Float[Tensor, "batch token dim"]]:
        """Outputs of the blocks `at` (1-based, in order; 0: the input of the first; default: the last block), the last
        block's normed unless `normed` is false.

        tokens: those to encode, with their positions; present: which of them may be attended to, None for all. key: one
        per sample, for drop path. Blocks after the last one in `at` are not computed.
        """
        depth = len(self.blocks)
        wanted = set(at or (depth,))
        x, keys = self.embedding(tokens) + positions, key_mask(present)
        outputs = [x] if 0 in wanted else []
        for number, block in enumerate(self.blocks[: max(wanted)], start=1):
            x = run_block(block, x, keys, self.checkpointing, key)
            if number in wanted:
                outputs.append(self.norm(x) if normed and number == depth else x)
        return outputs


def run_block(
    block: nn.Module, x: Tensor, keys: Tensor | None, checkpointing: bool, key: Tensor | None = None
) -> Tensor:
    """The block's output; its activations are kept, or recomputed in the backward pass."""
    if checkpointing and x.requires_grad:
        return checkpoint(block, x, keys, key, use_reentrant=False)  # type: ignore[no-any-return]
    return block(x, keys, key)  # type: ignore[no-any-return]
