"""A start for runs of minutes: weights with which the decoder attends to neighbours before it has learned anything.

From the paper's random start a tiny model needs thousands of steps to learn that neighbouring places are similar.
Attention with one rotation for queries and keys attends to similar tokens, and with sine-cosine places similar means
near (after Trockman and Kolter, Mimetic Initialization of Self-Attention Layers, ICML 2023). Long runs do not need it.
"""

import torch
from torch import Tensor

from spectralgpt.nn.attention import Block
from spectralgpt.nn.autoencoder import MaskedAutoencoder
from spectralgpt.nn.positions import Positions

PLACE_SIZE, GROUP_SIZE, MASK_TOKEN_SIZE = 1.2, 1.2, 0.5
"""Sizes of the position tables and the mask token: as large as embedded tokens, so that positions decide at first."""
WAVELENGTHS = 10.0
"""Longest wavelength of a place's sines over the shortest."""
SHARPNESS, OUTPUT, AVERSION = 3.0, 0.5, 12.0
"""Of the decoder's attention: scale of queries and keys, scale of its output, how strongly it avoids mask tokens."""
QUIET = 0.1
"""Scale of the residual outputs that are random at first and would drown the signal."""


@torch.no_grad()
def start_local(model: MaskedAutoencoder) -> None:
    """Set positions, mask token and attention of a new model in place; random parts come from torch's generator."""
    decoder = model.decoder
    # not the encoder's: tables this large would show in every embedding, as a grid on the map
    _sine_places(decoder.positions)
    for positions in (model.encoder.positions, decoder.positions):
        positions.spectrum.normal_(std=GROUP_SIZE)
    decoder.mask_token.normal_(std=MASK_TOKEN_SIZE)
    hidden = decoder.mask_token[0, 0] - decoder.mask_token.mean()
    hidden = hidden / hidden.norm()
    for block in decoder.blocks:
        assert isinstance(block, Block), "a decoder is made of blocks"
        dim = hidden.shape[0]
        weight, bias = block.attn.qkv.weight, block.attn.qkv.bias
        turn, value = SHARPNESS * _rotation(dim), _rotation(dim)
        weight[:dim], weight[dim : 2 * dim], weight[2 * dim :] = turn, turn, value
        # queries point away from the keys of mask tokens, which carry no information yet
        bias[:dim] = -AVERSION * (turn @ hidden)
        block.attn.proj.weight.copy_(OUTPUT * value.T)
        block.mlp.fc2.weight.mul_(QUIET)
    for block in model.encoder.blocks:
        assert isinstance(block, Block), "an encoder is made of blocks"
        block.attn.proj.weight.mul_(QUIET)
        block.mlp.fc2.weight.mul_(QUIET**2)


def _sine_places(positions: Positions) -> None:
    """Sines and cosines of the row in the first half of the values, of the column in the second."""
    rows, columns, dim = positions.place.shape
    frequencies = WAVELENGTHS ** (-torch.arange(dim // 4) / (dim // 4))

    def axis(nodes: int) -> Tensor:
        angles = (torch.arange(nodes) + 0.5)[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    of_rows, of_columns = axis(rows)[:, None].expand(-1, columns, -1), axis(columns)[None].expand(rows, -1, -1)
    positions.place.copy_(PLACE_SIZE * torch.cat([of_rows, of_columns], dim=2))


def _rotation(dim: int) -> Tensor:
    return torch.linalg.qr(torch.randn(dim, dim))[0]  # type: ignore[no-any-return]
