"""Names and shapes of the released checkpoints, tensor by tensor, next to ours.

This file holds only names, shapes and numbers of that format. q, k and v are three matrices there and one here, the
Conv3d over (bands, rows, columns) is flattened here, position tables have other axes; everything else is only renamed.
One table serves both directions, so that nothing can be left over on either side.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from spectralgpt.nn import DenseConfig, ModelConfig, PooledConfig
from spectralgpt.nn.heads.dense import POOLED_SIDES

OWN_TABLES = ("season", "elapsed", "scale", "date_score")
"""Tables for dates and scale that the released format does not have: zero in converted weights."""


@dataclass(frozen=True, slots=True)
class ReleasedTensor:
    """A tensor of the released format: its name and shape there, and the name of the same tensor of ours.

    third: which third of ours it is (q, k, v); None: all of it.
    """

    name: str
    shape: tuple[int, ...]
    ours: str
    third: int | None = None


def pretraining_layout(config: ModelConfig) -> list[ReleasedTensor]:
    """The pretraining model, in the released order."""
    size, patch = config.size, config.patch
    return [
        *_tables("", "encoder", config, size.dim),
        ReleasedTensor("mask_token", (1, 1, size.decoder_dim), "decoder.mask_token"),
        *_tables("decoder_", "decoder", config, size.decoder_dim),
        *_embedding(config),
        *_blocks("", "encoder", size.dim, size.depth),
        *_layer("norm", "encoder.norm", (size.dim,)),
        *_layer("decoder_embed", "decoder.embed", (size.decoder_dim, size.dim)),
        *_blocks("decoder_", "decoder", size.decoder_dim, size.decoder_depth),
        *_layer("decoder_norm", "decoder.norm", (size.decoder_dim,)),
        *_layer("decoder_pred", "decoder.head", (config.slots * patch**2, size.decoder_dim)),
    ]


def classification_layout(config: ModelConfig, head: PooledConfig) -> list[ReleasedTensor]:
    """The classifier: its position table is joint (group and place)."""
    size, (rows, columns) = config.size, config.place_nodes
    tokens = len(config.bands.groups) * rows * columns
    return [
        ReleasedTensor("pos_embed", (1, tokens, size.dim), "encoder.positions.joint"),
        *_embedding(config),
        *_blocks("", "encoder", size.dim, size.depth),
        *_layer("norm", "encoder.norm", (size.dim,)),
        *_layer("head", "head.out", (head.classes, size.dim)),
    ]


def dense_layout(config: ModelConfig, head: DenseConfig) -> list[ReleasedTensor]:
    """The segmentation or change detection model."""
    size, channels, widths = config.size, head.channels, head.widths
    layout = [
        *_tables("", "encoder", config, size.dim),
        *_embedding(config),
        *_blocks("", "encoder", size.dim, size.depth),
        *_layer("norm", "encoder.norm", (size.dim,)),
        *_layer("cls_seg.0", "head.classify", (head.classes, channels, 3, 3)),
    ]
    for number in range(len(POOLED_SIDES)):
        name = f"decoder.PPMHead.psp_modules.{number}.1"
        layout += _layer(name, f"head.pooled.{number}", (channels, widths[3], 1, 1))
    layout += _conv_and_norm(
        "decoder.PPMHead.final", "head.pool_fusion", (channels, len(POOLED_SIDES) * channels + widths[3], 1, 1)
    )
    for number, width in enumerate(reversed(head.levels)):
        fuse = f"decoder.Conv_fuse{number + 1}"
        layout += _conv_and_norm(fuse, f"head.laterals.{number}", (channels, width, 1, 1))
        layout += _conv_and_norm(f"{fuse}_", f"head.fusions.{number}", (channels, channels, 1, 1))
    layout += _conv_and_norm("decoder.fuse_all", "head.fuse_all", (channels, 4 * channels, 1, 1))
    layout += _layer("decoder.conv_x1", "head.top", (channels, channels, 1, 1))
    patch = config.patch
    for number, (width, out, factor) in enumerate(
        zip(widths, (*head.levels, 0), (patch, patch // 2, patch // 4, 1), strict=True)
    ):
        layout += _conv_and_norm(f"conv{number}", f"head.levels.{number}", (width, size.dim, 1, 1))
        if out:
            layout += [
                ReleasedTensor(
                    f"conv{number}.3.weight", (width, out, factor, factor), f"head.levels.{number}.enlarge.weight"
                ),
                ReleasedTensor(f"conv{number}.3.bias", (out,), f"head.levels.{number}.enlarge.bias"),
            ]
    return [
        *layout,
        ReleasedTensor("fc.0.weight", (1, len(config.bands.groups)), "merge.weight"),
        ReleasedTensor("fc.0.bias", (1,), "merge.bias"),
    ]


def _tables(prefix: str, side: str, config: ModelConfig, dim: int) -> Iterator[ReleasedTensor]:
    rows, columns = config.place_nodes
    yield ReleasedTensor(f"{prefix}pos_embed_spatial", (1, rows * columns, dim), f"{side}.positions.place")
    yield ReleasedTensor(
        f"{prefix}pos_embed_temporal", (1, len(config.bands.groups), dim), f"{side}.positions.spectrum"
    )


def _embedding(config: ModelConfig) -> Iterator[ReleasedTensor]:
    dim, patch = config.size.dim, config.patch
    yield ReleasedTensor("patch_embed.proj.weight", (dim, 1, config.slots, patch, patch), "encoder.embedding.weight")
    yield ReleasedTensor("patch_embed.proj.bias", (dim,), "encoder.embedding.bias")


def _blocks(prefix: str, side: str, dim: int, depth: int) -> Iterator[ReleasedTensor]:
    for block in range(depth):
        theirs, ours = f"{prefix}blocks.{block}", f"{side}.blocks.{block}"
        yield from _layer(f"{theirs}.norm1", f"{ours}.norm1", (dim,))
        for third, letter in enumerate("qkv"):
            for part, shape in (("weight", (dim, dim)), ("bias", (dim,))):
                yield ReleasedTensor(f"{theirs}.attn.{letter}.{part}", shape, f"{ours}.attn.qkv.{part}", third)
        yield from _layer(f"{theirs}.attn.proj", f"{ours}.attn.proj", (dim, dim))
        yield from _layer(f"{theirs}.norm2", f"{ours}.norm2", (dim,))
        yield from _layer(f"{theirs}.mlp.fc1", f"{ours}.mlp.fc1", (4 * dim, dim))
        yield from _layer(f"{theirs}.mlp.fc2", f"{ours}.mlp.fc2", (dim, 4 * dim))


def _layer(theirs: str, ours: str, shape: tuple[int, ...]) -> Iterator[ReleasedTensor]:
    """A weight, and a bias as long as its first axis."""
    yield ReleasedTensor(f"{theirs}.weight", shape, f"{ours}.weight")
    yield ReleasedTensor(f"{theirs}.bias", shape[:1], f"{ours}.bias")


def _conv_and_norm(theirs: str, ours: str, shape: tuple[int, ...]) -> Iterator[ReleasedTensor]:
    yield from _layer(f"{theirs}.0", f"{ours}.conv", shape)
    yield from _layer(f"{theirs}.1", f"{ours}.norm", shape[:1])
