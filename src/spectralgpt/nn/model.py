"""The masked autoencoder over any band set: what encoder, decoder, masks and losses make together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spectralgpt.errors import OptionError
from spectralgpt.nn.cube import Cube
from spectralgpt.nn.decoder import Decoder
from spectralgpt.nn.encoder import Encoder
from spectralgpt.nn.hiding import Hide, hidden_tokens
from spectralgpt.nn.losses import LossTerm, normalized_target, spectral_loss, token_loss
from spectralgpt.nn.masks import Mask, given_mask, tokens_of_places
from spectralgpt.nn.patches import pad, present_tokens, to_slots, to_tokens
from spectralgpt.nn.sizes import ModelConfig
from spectralgpt.nn.slots import band_valid_in_slots, present_in_groups, to_bands, to_slots_of_groups

Per = Literal["image", "place", "group", "date"]


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """How the tokens of a cube lie: date, group, row, column."""

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


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Rebuilt images: the input where visible, the prediction where hidden.

    In reflectance, visible values that a two_sigma scaling clipped stay clipped; the file has them whole.
    values, predicted: normalized; hidden: pixels (of every band of a hidden token) that the model did not see; valid as
    the cube's. predicted holds the model's answer everywhere, also where it saw the input.
    """

    cube: Cube
    predicted: Float[Tensor, "batch date band height width"]
    hidden: Bool[Tensor, "batch date band height width"]

    @property
    def values(self) -> Float[Tensor, "batch date band height width"]:
        return torch.where(self.hidden, self.predicted, self.cube.filled())

    def reflectance(self) -> Float[Tensor, "batch date band height width"]:
        """In reflectance; NaN where the input is absent or not valid."""
        values = self.cube.scaling.reflectance(self.values)
        return values if self.cube.valid is None else torch.where(self.cube.valid, values, torch.nan)


class MaskedAutoencoder(nn.Module):
    """The model of the paper, for any band set, size, number of dates, and with anything absent."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                # q, k and v are three matrices in the paper: each takes the bound of its own shape
                for part in module.weight.detach().chunk(3 if name.endswith(".qkv") else 1):
                    nn.init.xavier_uniform_(part)
                nn.init.zeros_(module.bias)
        for name, table in self.named_parameters():
            if name.endswith((".place", ".spectrum", ".mask_token")):
                # the paper truncates at +-2, a hundred standard deviations: the same as no truncation
                nn.init.normal_(table, std=0.02)

    # -- the paths ---------------------------------------------------------------------------------------------------

    def grid_of(self, cube: Cube) -> TokenGrid:
        """The token grid of a cube, its sides rounded up to whole patches."""
        _, dates, _, height, width = cube.shape
        patch = self.config.patch
        return TokenGrid(dates, len(cube.bands.groups), -(-height // patch), -(-width // patch))

    def present(self, cube: Cube) -> Bool[Tensor, "batch date group row column"]:
        """True for tokens with a valid pixel."""
        present = self._present(cube)
        shape = (cube.shape[0], *self.grid_of(cube).shape)
        if present is None:
            return torch.ones(shape, dtype=torch.bool, device=cube.values.device)
        return present.reshape(shape)

    def forward(
        self, cube: Cube, mask: Mask, places: Int[Tensor, "batch drawn"] | None = None
    ) -> Float[Tensor, "batch predicted value"]:
        """Predictions in slots, normalized: of all tokens, or of all dates and groups at the drawn places only.

        With places the decoder sees the kept tokens and those of the places: less work a step.
        """
        tokens, present = self._tokens(cube), self._present(cube)
        grid, index = self.grid_of(cube), mask.index
        where = (cube.bands, grid.rows, grid.columns, cube.days, cube.gsd)
        kept = tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))
        if mask.seen is not None:
            # attention gives surplus tokens weight 0, and 0 * NaN would pass on what stands in them
            kept = torch.where(mask.seen[..., None], kept, 0.0)
        encoded = self.encoder(kept, mask.seen, self.encoder.positions(*where, index))[-1]
        if places is None:
            return self.decoder(encoded, mask, present, self.decoder.positions(*where))  # type: ignore[no-any-return]
        chosen = tokens_of_places(places, grid.dates * grid.groups, grid.places)
        positions = self.decoder.positions(*where, torch.cat([index, chosen], dim=1))
        return self.decoder(encoded, mask, present, positions, chosen)  # type: ignore[no-any-return]

    def losses(
        self,
        cube: Cube,
        mask: Mask,
        predicted: Float[Tensor, "batch predicted value"],
        *,
        normalized: bool = False,
        places: Int[Tensor, "batch drawn"] | None = None,
    ) -> dict[str, LossTerm]:
        """The `token` and the `spectral` loss of `forward`'s predictions.

        normalized: the token loss wants each token's own units. places: those drawn for `forward`; only they count.
        """
        target, valid = self.targets(cube)
        hidden, drawn = mask.hidden, self.grid_of(cube).places
        if places is not None:
            drawn = places.shape[1]
            chosen = tokens_of_places(places, predicted.shape[1] // drawn, self.grid_of(cube).places)
            index = chosen[..., None].expand(-1, -1, target.shape[-1])
            target, hidden = target.gather(1, index), hidden.gather(1, chosen)
            valid = None if valid is None else valid.gather(1, index)
        # under autocast predictions are bfloat16, in which a sum of a million squares loses its small ones
        predicted = predicted.to(target.dtype)
        grid = self.grid_of(cube)
        shape = (target.shape[0], grid.dates, grid.groups, drawn, target.shape[-1])
        spectral = spectral_loss(
            predicted.reshape(shape),
            target.reshape(shape),
            None if valid is None else valid.reshape(shape),
            len(self.config.bands.groups),
        )
        wanted = normalized_target(target, valid) if normalized else target
        return {"token": token_loss(predicted, wanted, valid, hidden), "spectral": spectral}

    def targets(
        self, cube: Cube
    ) -> tuple[Float[Tensor, "batch token value"], Bool[Tensor, "batch token value"] | None]:
        """What the predictions are compared with, in slots, and where that was measured (None: everywhere)."""
        tokens = self._tokens(cube)
        all_slots = all(all(group.targets()) for group in cube.bands.groups)
        patch = self.config.patch
        if cube.valid is None and all_slots and not (cube.shape[-2] % patch or cube.shape[-1] % patch):
            return tokens, None
        valid = band_valid_in_slots(self._valid(cube), cube.bands)
        return tokens, to_tokens(valid, patch)

    # -- what users ask for ------------------------------------------------------------------------------------------

    def features(
        self, cube: Cube, at: Sequence[int] | None = None
    ) -> list[Float[Tensor, "batch date group row column dim"]]:
        """Features of all tokens after the blocks `at`.

        at: 1-based and increasing; default the quarters of the depth. The final norm is on the last block only; absent
        tokens are 0. Raises OptionError for a block that is not there.
        """
        depth = self.config.size.depth
        # depths below 4 have fewer quarters than blocks
        at = sorted({max(1, depth * quarter // 4) for quarter in (1, 2, 3, 4)}) if at is None else tuple(at)
        if not at or any(not 1 <= block <= depth for block in at) or list(at) != sorted(set(at)):
            raise OptionError(f"found blocks {list(at)}; expected increasing numbers from 1 to {depth}")
        tokens, present = self._tokens(cube), self._present(cube)
        grid = self.grid_of(cube)
        positions = self.encoder.positions(cube.bands, grid.rows, grid.columns, cube.days, cube.gsd)
        outputs = [output.to(tokens.dtype) for output in self.encoder(tokens, present, positions, at)]
        if present is not None:
            outputs = [torch.where(present[..., None], output, 0.0) for output in outputs]
        return [output.unflatten(1, grid.shape) for output in outputs]

    def embed(self, cube: Cube, per: Per = "image") -> Float[Tensor, "batch *axes dim"]:
        """Embeddings: the last block's normed features, averaged over present tokens; 0 where there are none.

        per: image (batch, dim); place (batch, row, column, dim); group or date (batch, that, row, column, dim). Raises
        OptionError for another.
        """
        pooled = {"image": (1, 2, 3, 4), "place": (1, 2), "group": (1,), "date": (2,)}
        if per not in pooled:
            raise OptionError(f"found an embedding per {per!r}; expected one of {', '.join(pooled)}")
        (features,) = self.features(cube, at=(self.config.size.depth,))
        axes = pooled[per]
        count = self.present(cube).sum(dim=axes).clamp(min=1)
        return features.sum(dim=axes) / count[..., None]

    @torch.no_grad()
    def reconstruct(
        self, cube: Cube, hide: str | float | Hide | Bool[Tensor, "batch date group row column"] = 0.75, seed: int = 0
    ) -> Reconstruction:
        """Images rebuilt from what is left visible.

        hide: band names and dates ("B11,B12", "2020-05-01"), a share of the tokens, or the tokens themselves. A named
        band hides its whole group, as a token is seen or not; a date, in each sample the one of that day.
        Raises BandError or OptionError for what is not there.
        """
        grid = self.grid_of(cube)
        if isinstance(hide, Tensor):
            if hide.dtype != torch.bool or hide.shape != (cube.shape[0], *grid.shape):
                raise OptionError(
                    f"found a mask of {hide.dtype} and shape {tuple(hide.shape)}; expected true where hidden, "
                    f"{(cube.shape[0], *grid.shape)}: batch, date, group, row, column of patches"
                )
            hidden = hide
        else:
            where = (seed, grid.dates, grid.groups, np.arange(grid.rows), np.arange(grid.columns))
            # a day may stand elsewhere in another sample
            wanted = [
                hide if isinstance(hide, Hide) else Hide.parse(str(hide), cube.bands, days)
                for days in cube.days.tolist()
            ]
            hidden = torch.from_numpy(np.stack([hidden_tokens(each, *where) for each in wanted])).to(cube.values.device)
        predicted = self.forward(cube, given_mask(hidden.flatten(1), self._present(cube)))
        patch, height, width = self.config.patch, *cube.shape[-2:]
        slots = to_slots(predicted.to(cube.values.dtype), patch, *grid.shape)
        pixels = hidden.repeat_interleave(patch, dim=-2).repeat_interleave(patch, dim=-1)
        return Reconstruction(
            cube=cube,
            predicted=to_bands(slots, cube.bands)[..., :height, :width],
            hidden=pixels[:, :, list(cube.bands.group_of_band), :height, :width],
        )

    # -- for training ------------------------------------------------------------------------------------------------

    def set_checkpointing(self, on: bool) -> None:
        """Recompute the blocks in the backward pass: less memory, more time, the same gradients."""
        self.encoder.checkpointing = self.decoder.checkpointing = on

    def parameter_layers(self) -> dict[str, int]:
        """Layer of each parameter for layer-wise learning rates: embedding and positions 0, block i (from 1) i, the
        rest (final norm, decoder) depth + 1.
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

    def _valid(self, cube: Cube) -> Bool[Tensor, "batch date band rows columns"]:
        valid = torch.ones_like(cube.values, dtype=torch.bool) if cube.valid is None else cube.valid
        return pad(valid, self.config.patch, value=0.0)

    def _tokens(self, cube: Cube) -> Float[Tensor, "batch token value"]:
        patch = self.config.patch
        return to_tokens(to_slots_of_groups(pad(cube.filled(), patch, cube.scaling.fill), cube.bands), patch)

    def _present(self, cube: Cube) -> Bool[Tensor, "batch token"] | None:
        """Which tokens have a valid pixel; None: all. Padding alone makes none absent: each patch at the border holds
        pixels of the image."""
        if cube.valid is None:
            return None
        return present_tokens(present_in_groups(self._valid(cube), cube.bands), self.config.patch)
