"""The backbone of every model in the package: cube to tokens to features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spectralgpt.errors import OptionError
from spectralgpt.nn.attention import Block
from spectralgpt.nn.cube import Cube
from spectralgpt.nn.dropping import Key, drop_path_rates
from spectralgpt.nn.encoder import Encoder
from spectralgpt.nn.flops import block_flops
from spectralgpt.nn.given_cube import of_cubes
from spectralgpt.nn.patches import pad, present_tokens, to_tokens
from spectralgpt.nn.read_out import ReadOut, default_scale, image_statistics
from spectralgpt.nn.sizes import ModelConfig
from spectralgpt.nn.slots import present_in_groups, to_slots_of_groups
from spectralgpt.nn.start_values import draw_normal
from spectralgpt.nn.threads import threads_for

Per = Literal["image", "place", "group", "date"]


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """The grid of a cube's tokens: number of dates, groups, and rows and columns of patches."""

    dates: int
    groups: int
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.dates, self.groups, self.rows, self.columns

    @property
    def places(self) -> int:
        return self.rows * self.columns


class Backbone(nn.Module):
    """The encoder over any band set, size and number of dates, with any part absent; models add their own layers."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.read_out: ReadOut | None = None
        """How features become embeddings, in weights with a measured read-out."""
        self.thresholds: tuple[float, ...] = ()
        """Of a model with a head: from which probability on classes are answered (Prediction)."""

    def grid_of(self, cube: Cube) -> TokenGrid:
        """The token grid of a cube, its sides rounded up to whole patches."""
        _, dates, _, height, width = cube.shape
        patch = self.config.patch
        return TokenGrid(dates, len(cube.bands.groups), -(-height // patch), -(-width // patch))

    @of_cubes
    def present(self, cube: Cube) -> Bool[Tensor, "batch date group row column"]:
        """True for tokens with a valid pixel."""
        present = self._present(cube)
        shape = (cube.shape[0], *self.grid_of(cube).shape)
        if present is None:
            return torch.ones(shape, dtype=torch.bool, device=cube.values.device)
        return present.reshape(shape)

    @of_cubes
    def features(
        self, cube: Cube, at: Sequence[int] | None = None
    ) -> list[Float[Tensor, "batch date group row column dim"]]:
        """Features of all tokens after the blocks `at`.

        at: 1-based and increasing; default: each quarter of the depth. Only the last block's features pass the final
        norm; absent tokens are 0. Raises OptionError for a block that does not exist.
        """
        depth = self.config.size.depth
        # depths below 4 have fewer quarters than blocks
        at = sorted({max(1, depth * quarter // 4) for quarter in (1, 2, 3, 4)}) if at is None else tuple(at)
        if not at or any(not 1 <= block <= depth for block in at) or list(at) != sorted(set(at)):
            raise OptionError(f"found blocks {list(at)}", f"increasing numbers from 1 to {depth}")
        return self._encoded(cube, at)[0]

    @of_cubes
    def embed(self, cube: Cube, per: Per = "image") -> Float[Tensor, "batch *axes value"]:
        """Embeddings by the read-out if the model has one; otherwise the last block's normed features, averaged over
        present tokens, 0 where there are none.

        per: image (batch, value); place (batch, row, column, value); group or date (batch, group or date, row, column,
        dim), always without the read-out. Raises OptionError for anything else.
        """
        pooled = {"image": (1, 2, 3, 4), "place": (1, 2), "group": (1,), "date": (2,)}
        if per not in pooled:
            raise OptionError(f"found an embedding per {per!r}", f"one of: {', '.join(pooled)}")
        if self.read_out is not None and per == "place":
            return self.read_out.of_places(self._encoded(cube, self.read_out.config.place)[0], self.present(cube))
        if self.read_out is not None and per == "image":
            return self.read_out.of_images(self._encoded(cube, self.read_out.config.image)[0], self.present(cube))
        (features,) = self.features(cube, at=(self.config.size.depth,))
        axes = pooled[per]
        count = self.present(cube).sum(dim=axes).clamp(min=1)
        return features.sum(dim=axes) / count[..., None]

    @of_cubes
    def image_statistics(self, cube: Cube, at: Sequence[int]) -> Float[Tensor, "batch value"]:
        """Mean and log standard deviation of features over present tokens, per block of `at` (0: the input of the
        first) and per group of the model, or of the cube where it has groups of its own; 0 for a group with fewer than
        two present tokens."""
        if _has_native_groups(cube):
            statistics, known = image_statistics(*self._of_all_groups(cube, at))
        else:
            statistics, known = image_statistics(self._encoded(cube, at)[0], self.present(cube))
        return torch.where(known, statistics, 0.0)

    @property
    def embedding_values(self) -> int:
        """Length of a place's embedding."""
        return self.config.size.dim if self.read_out is None else self.read_out.config.values

    @property
    def embedding_scale(self) -> Float[Tensor, " value"]:
        """Scale of each value of a place's embedding as int8: value = code x scale."""
        return default_scale(self.encoder.norm) if self.read_out is None else self.read_out.scale

    # -- for training ------------------------------------------------------------------------------------------------

    def set_checkpointing(self, on: bool) -> None:
        """Recompute the blocks in the backward pass: less memory, more time, the same gradients."""
        self.encoder.checkpointing = on

    def start_head(self) -> None:
        """Draw a new head's weights for the start of fine-tuning; by default they stay as they were made."""

    def set_drop_path(self, rate: float) -> None:
        """In training, drop branches of the encoder's blocks at a rate that rises from 0 in the first block to `rate`.

        Raises OptionError for a rate that is not from 0 to below 1.
        """
        if not 0 <= rate < 1:
            raise OptionError(f"found a drop path of {rate}", "a rate from 0 to below 1")
        for block, each in zip(self.encoder.blocks, drop_path_rates(len(self.encoder.blocks), rate), strict=True):
            assert isinstance(block, Block)
            block.drop_path = each

    def parameter_layers(self) -> dict[str, int]:
        """Layer of each parameter for layer-wise learning rates: embedding and positions 0, block i (from 1) i, the
        rest (final norm, decoder, head) depth + 1.
        """
        layers = {}
        for name, _ in self.named_parameters():
            parts = name.split(".")
            if parts[:2] in (["encoder", "embedding"], ["encoder", "positions"]):
                layers[name] = 0
            elif parts[:2] == ["encoder", "blocks"]:
                layers[name] = int(parts[2]) + 1
            else:
                layers[name] = self.config.size.depth + 1
        return layers

    # -- inside ------------------------------------------------------------------------------------------------------

    def _encoded(
        self, cube: Cube, at: Sequence[int], *, normed: bool = True, key: Key | None = None
    ) -> tuple[
        list[Float[Tensor, "batch date group row column dim"]], Bool[Tensor, "batch date group row column"] | None
    ]:
        """Features after the blocks `at`, 0 where absent, and which tokens are present (None: all).

        normed: the final norm is applied to the last block's. key: one per sample, for drop path.
        """
        tokens, present = self._tokens(cube), self._present(cube)
        grid = self.grid_of(cube)
        positions = self.encoder.positions(cube.bands, grid.rows, grid.columns, cube.days, cube.gsd)
        size, depth = self.config.size, max(at or (self.config.size.depth,))
        with threads_for(tokens.shape[0] * depth * block_flops(tokens.shape[1], size.dim), tokens.device):
            encoded = self.encoder(tokens, present, positions, at, normed=normed, key=key)
        outputs = [output.to(tokens.dtype) for output in encoded]
        if present is not None:
            outputs = [torch.where(present[..., None], output, 0.0) for output in outputs]
        return [output.unflatten(1, grid.shape) for output in outputs], (
            None if present is None else present.reshape(-1, *grid.shape)
        )

    def _of_all_groups(
        self, cube: Cube, at: Sequence[int]
    ) -> tuple[list[Float[Tensor, "batch date group row column dim"]], Bool[Tensor, "batch date group row column"]]:
        """Features after the blocks `at` for all groups of the model, and which tokens are present."""
        features, present = self._encoded(cube, at)[0], self.present(cube)
        index = torch.tensor([group.native for group in cube.bands.groups], device=present.device)
        shape = (*present.shape[:2], len(self.config.bands.groups), *present.shape[3:])
        all_present = present.new_zeros(shape).index_copy(2, index, present)
        every = [each.new_zeros(*shape, each.shape[-1]).index_copy(2, index, each) for each in features]
        return every, all_present

    def _valid(self, cube: Cube) -> Bool[Tensor, "batch date band rows columns"]:
        return pad(cube.all_valid(), self.config.patch, value=0.0)

    def _tokens(self, cube: Cube) -> Float[Tensor, "batch token value"]:
        patch = self.config.patch
        return to_tokens(to_slots_of_groups(cube.in_patches(patch), cube.bands), patch)

    def _present(self, cube: Cube) -> Bool[Tensor, "batch token"] | None:
        """Which tokens have a valid pixel; None: all. Padding makes no token absent: each patch at the border contains
        pixels of the image."""
        if cube.valid is None:
            return None
        return present_tokens(present_in_groups(self._valid(cube), cube.bands), self.config.patch)


def _has_native_groups(cube: Cube) -> bool:
    """Whether its groups are the model's, not of its own bands."""
    return all(group.native is not None for group in cube.bands.groups)


def bare(model: nn.Module) -> nn.Module:
    """The model without the wrappers that distribute or compile it."""
    while isinstance(inner := getattr(model, "module", None) or getattr(model, "_orig_mod", None), nn.Module):
        model = inner
    return model


def initialize(model: nn.Module) -> None:
    """Draw weights as in the paper: Xavier matrices, zero biases, tables and mask token with deviation 0.02."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            # q, k and v are three matrices in the paper: each takes the bound of its own shape
            for part in module.weight.detach().chunk(3 if name.endswith(".qkv") else 1):
                nn.init.xavier_uniform_(part)
            nn.init.zeros_(module.bias)
    for name, table in model.named_parameters():
        if name.endswith((".place", ".spectrum", ".mask_token")):
            # the paper truncates at +-2, a hundred standard deviations: the same as no truncation
            draw_normal(table, 0.02)
