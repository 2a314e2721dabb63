"""The baseline: the pretraining model written plainly from its formulas, as a textbook would.

Separate q, k, v; softmax over a materialized matrix; all tokens embedded before masking; default AdamW; eager. It is
the same function as `spectralgpt.nn.MaskedAutoencoder` for whole images of the model's own bands, one date, and tables
of dates and GSD that are zero. `Textbook.from_ours` takes that model's weights, and the benchmarks check that outputs,
losses and gradients are equal before they measure.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spectralgpt.nn import ModelConfig

LEFT_OUT = ("season", "elapsed", "scale")
"""Our tables for dates and GSD, which are zero here."""


class Attention(nn.Module):
    """softmax(q k^T / sqrt(d)) v for each head, then a linear layer."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, dim = x.shape

        def heads(y: Tensor) -> Tensor:
            return y.reshape(batch, tokens, self.heads, dim // self.heads).transpose(1, 2)

        q, k, v = heads(self.q(x)), heads(self.k(x)), heads(self.v(x))
        weights = (q @ k.transpose(-2, -1) * (dim // self.heads) ** -0.5).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, dim))


class Block(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Side(nn.Module):
    """What encoder and decoder share: position tables, blocks, norm."""

    def __init__(self, dim: int, depth: int, heads: int, places: int, groups: int):
        super().__init__()
        self.place = nn.Parameter(torch.empty(places, dim))
        self.spectrum = nn.Parameter(torch.empty(groups, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def positions(self) -> Tensor:
        """Positions of all tokens, band group slowest."""
        return (self.spectrum[:, None] + self.place[None]).flatten(0, 1)

    def transformed(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Textbook(nn.Module):
    """Image (batch, band, height, width) to predicted tokens (batch, token, value)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size, groups = config.size, len(config.bands.groups)
        places, values = math.prod(config.place_nodes), config.token_values
        self.patch, self.slots, self.groups = config.patch, config.slots, groups
        kernel = (config.slots, config.patch, config.patch)
        self.embedding = nn.Conv3d(1, size.dim, kernel, stride=kernel)
        self.encoder = Side(size.dim, size.depth, size.heads, places, groups)
        self.embed = nn.Linear(size.dim, size.decoder_dim)
        self.mask_token = nn.Parameter(torch.empty(1, 1, size.decoder_dim))
        self.decoder = Side(size.decoder_dim, size.decoder_depth, size.decoder_heads, places, groups)
        self.head = nn.Linear(size.decoder_dim, values)

    @classmethod
    def from_ours(cls, config: ModelConfig, state: Mapping[str, Tensor]) -> "Textbook":
        """The model with the weights of a MaskedAutoencoder of this configuration."""
        model = cls(config)
        model.load_state_dict(translated(state, config))
        return model

    def patchify(self, image: Tensor) -> Tensor:
        """Values of a token: band of the group, row, column."""
        batch, _, height, width = image.shape
        p, rows, columns = self.patch, height // self.patch, width // self.patch
        split = image.reshape(batch, self.groups, self.slots, rows, p, columns, p).permute(0, 1, 3, 5, 2, 4, 6)
        return split.reshape(batch, self.groups * rows * columns, self.slots * p * p)

    def tokens(self, image: Tensor) -> Tensor:
        """All tokens embedded, plus their positions."""
        return self.embedding(image[:, None]).flatten(2).transpose(1, 2) + self.encoder.positions()

    def features(self, image: Tensor) -> Tensor:
        """Normed features of all tokens."""
        return self.encoder.transformed(self.tokens(image))

    def forward(self, image: Tensor, noise: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
        """Predictions, and the mask: 1 for hidden tokens."""
        tokens = self.tokens(image)
        batch, length, dim = tokens.shape
        kept = int(length * (1 - ratio))
        shuffle = noise.argsort(dim=1)
        restore, index = shuffle.argsort(dim=1), shuffle[:, :kept]
        encoded = self.encoder.transformed(tokens.gather(1, index[..., None].expand(-1, -1, dim)))
        y = self.embed(encoded)
        full = torch.cat([y, self.mask_token.expand(batch, length - kept, -1)], dim=1)
        full = full.gather(1, restore[..., None].expand(-1, -1, y.shape[-1]))
        predicted = self.head(self.decoder.transformed(full + self.decoder.positions()))
        return predicted, (restore >= kept).float()

    def losses(self, image: Tensor, predicted: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Token loss and spectral loss."""
        target = self.patchify(image)
        token = ((predicted - target).square().mean(dim=-1) * mask).sum() / mask.sum()
        batch, _, values = target.shape
        sums = [each.reshape(batch, self.groups, -1, values).sum(dim=1) for each in (predicted, target)]
        return token, (sums[0] - sums[1]).square().mean()


def make_optimizer(model: nn.Module, lr: float) -> torch.optim.AdamW:
    """The paper's settings; one-dimensional parameters without decay."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.05},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


def translated(ours: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Tensors of ours, weights or gradients, under the textbook's names and in its shapes."""
    found = {}
    for name, tensor in ours.items():
        if name.endswith(LEFT_OUT):
            continue
        name = name.replace("mlp.fc1", "mlp.0").replace("mlp.fc2", "mlp.2").replace(".positions.", ".")
        name = name.removeprefix("encoder.") if name.startswith("encoder.embedding") else name
        if name.startswith(("decoder.embed.", "decoder.mask_token", "decoder.head.")):
            name = name.removeprefix("decoder.")
        if ".qkv." in name:
            found |= {name.replace("qkv", key): part for key, part in zip("qkv", tensor.chunk(3), strict=True)}
        elif name == "embedding.weight":
            found[name] = tensor.reshape(-1, 1, config.slots, config.patch, config.patch)
        else:
            found[name] = tensor.flatten(0, 1) if name.endswith(".place") else tensor
    return found
