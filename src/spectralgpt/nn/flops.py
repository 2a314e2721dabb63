"""How much the model computes: matrix products and attention, as is usual; recomputing activations to save memory is
not counted."""

from spectralgpt.nn.sizes import ModelConfig


def forward_flops(config: ModelConfig, *, kept: int, decoded: int, predicted: int | None = None) -> float:
    """FLOP of a forward pass per sample; a training step takes three times that.

    kept: tokens that the encoder takes. decoded: tokens that the decoder takes, the kept ones among them. predicted:
    tokens that it predicts; default: all of `decoded`. The estimates of a conditional mean are not counted, as they are
    few products; the layer that shows them to the decoder is.
    """
    size, encoder = config.size, encoder_flops(config, kept)
    between = 2 * kept * size.dim * size.decoder_dim
    decoder = size.decoder_depth * block_flops(decoded, size.decoder_dim)
    head = 2 * (decoded if predicted is None else predicted) * size.decoder_dim * config.token_values
    shown = head if config.conditional_mean else 0
    return float(encoder + between + decoder + head + shown)


def encoder_flops(config: ModelConfig, tokens: int) -> float:
    """FLOP of the encoder, forward, per sample of this number of tokens."""
    size = config.size
    return float(2 * tokens * config.token_values * size.dim + size.depth * block_flops(tokens, size.dim))


def block_flops(tokens: int, dim: int) -> int:
    """Of one block, forward: 12 dim^2 weights per token, and two products of all tokens with all."""
    return 24 * tokens * dim**2 + 4 * tokens**2 * dim
