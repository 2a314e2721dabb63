"""The masked autoencoder over any band set: encoder, decoder, masks and losses put together."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spectralgpt.errors import OptionError
from spectralgpt.nn.backbone import Backbone, initialize
from spectralgpt.nn.conditional_mean import ConditionalMean, Estimate
from spectralgpt.nn.cube import Cube
from spectralgpt.nn.decoder import Decoder
from spectralgpt.nn.descriptors import descriptor_count, place_descriptors
from spectralgpt.nn.dropping import Key
from spectralgpt.nn.given_cube import of_cubes
from spectralgpt.nn.hiding import Hide, hidden_tokens
from spectralgpt.nn.linear import Linear
from spectralgpt.nn.losses import (
    LossTerm,
    normalized_target,
    spectral_count,
    spectral_loss,
    token_count,
    token_loss,
)
from spectralgpt.nn.masks import Mask, given_mask, tokens_of_places
from spectralgpt.nn.patches import pad, to_slots, to_tokens
from spectralgpt.nn.precision import computing_in
from spectralgpt.nn.sizes import ModelConfig
from spectralgpt.nn.slots import band_valid_in_slots, to_bands, to_slots_of_groups


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Rebuilt images: the input where visible, the prediction where hidden.

    In reflectance, visible values that a two_sigma scaling clipped stay clipped; the file has the original values.
    values, predicted: normalized, valid where the cube is. predicted holds the model's answer everywhere, also where it
    saw the input. hidden: pixels (of every band of a hidden token) that the model did not see.
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


@dataclass(frozen=True, slots=True)
class Scored:
    """Targets of tokens, in slots, which values are valid (None: all), and which tokens are hidden.

    grid: number of dates, groups and places.
    """

    target: Float[Tensor, "batch token value"]
    valid: Bool[Tensor, "batch token value"] | None
    hidden: Bool[Tensor, "batch token"]
    grid: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """batch, date, group, place, value."""
        batch, _, values = self.target.shape
        return batch, *self.grid, values

    def counts(self) -> dict[str, Int[Tensor, ""]]:
        """The divisor of each loss; known before any prediction, so that processes can add them up."""
        valid = None if self.valid is None else self.valid.reshape(self.shape)
        return {
            "token": token_count(self.target.shape[-1], self.valid, self.hidden),
            "spectral": spectral_count(self.shape, valid, self.target.device),
        }


class MaskedAutoencoder(Backbone):
    """The model of the paper, for any band set, size and number of dates, and with any part absent."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.decoder = Decoder(config)
        count = descriptor_count(len(config.bands.groups) * config.slots)
        self.describe = Linear(config.size.dim, count) if config.descriptors else None
        """Predicts the descriptors of a place from an encoded token there."""
        self.conditional_mean = ConditionalMean(config) if config.conditional_mean else None
        """Estimates hidden tokens; the decoder's answers are then what is added to them."""
        initialize(self)
        if self.conditional_mean is not None:
            self.conditional_mean.start()
            # an untrained model answers with the estimates
            torch.nn.init.zeros_(self.decoder.head.weight)

    def set_checkpointing(self, on: bool) -> None:
        """Recompute the blocks in the backward pass: less memory, more time, the same gradients."""
        super().set_checkpointing(on)
        self.decoder.checkpointing = on

    def forward(
        self,
        cube: Cube,
        mask: Mask,
        places: Int[Tensor, "batch drawn"] | None = None,
        tokens: Float[Tensor, "batch token value"] | None = None,
        key: Key | None = None,
        *,
        describing: bool = False,
    ) -> Float[Tensor, "batch predicted value"] | tuple[Tensor, Float[Tensor, "batch kept descriptor"]]:
        """Predictions in slots, normalized: of all tokens, or of all dates and groups at the drawn places only.

        With places the decoder sees the kept tokens and those of the places: less work per step. tokens: the cube's,
        from `targets`, if already computed. key: one per sample, for drop path. describing: also predict the
        descriptors of the place of each kept token, by a model that has them.
        """
        tokens, present = self._tokens(cube) if tokens is None else tokens, self._present(cube)
        grid, index = self.grid_of(cube), mask.index
        where = (cube.bands, grid.rows, grid.columns, cube.days, cube.gsd)
        kept = tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))
        if mask.seen is not None:
            # attention gives surplus tokens weight 0, and 0 * NaN would pass on their values
            kept = torch.where(mask.seen[..., None], kept, 0.0)
        encoded = self.encoder(kept, mask.seen, self.encoder.positions(*where, index), key=key)[-1]
        chosen = None if places is None else tokens_of_places(places, grid.dates * grid.groups, grid.places)
        positions = self.decoder.positions(*where, None if chosen is None else torch.cat([index, chosen], dim=1))
        estimate, shown = self._estimate(cube, mask, tokens, present, chosen)
        predicted: Tensor = self.decoder(encoded, mask, present, positions, chosen, shown)
        if estimate is not None:
            predicted = estimate.with_answers(predicted)
        if not describing:
            return predicted
        assert self.describe is not None, "the model's configuration has descriptors"
        return predicted, self.describe(encoded)

    def _estimate(
        self,
        cube: Cube,
        mask: Mask,
        tokens: Float[Tensor, "batch token value"],
        present: Bool[Tensor, "batch token"] | None,
        chosen: Int[Tensor, "batch chosen"] | None,
    ) -> tuple[Estimate | None, Float[Tensor, "batch predicted decoder_dim"] | None]:
        """The conditional mean of all tokens or of the chosen ones, and what the decoder is shown of it: that of hidden
        ones. None of a model without."""
        if self.conditional_mean is None:
            return None, None
        visible = ~mask.hidden if present is None else ~mask.hidden & present
        estimate, hidden = self.conditional_mean(tokens, visible, cube.bands, cube.days), mask.hidden
        if chosen is not None:
            estimate, hidden = estimate.at(chosen), hidden.gather(1, chosen)
        return estimate, torch.where(hidden[..., None], self.conditional_mean.skip(estimate.mean), 0.0)

    @torch.no_grad()
    def descriptors(
        self, cube: Cube, mask: Mask
    ) -> tuple[Float[Tensor, "batch kept descriptor"], Bool[Tensor, "batch kept descriptor"]]:
        """The descriptors of the place of each kept token in all slots of the model, hidden ones too; and which are
        known: none of a cube with groups of its own."""
        groups, grid = self.config.bands.groups, self.grid_of(cube)
        index = [group.native for group in cube.bands.groups if group.native is not None]
        if not index:
            unknown = cube.values.new_zeros(*mask.index.shape, descriptor_count(len(groups) * self.config.slots))
            return unknown, unknown.bool()
        with computing_in("fp32", cube.values.device):
            patch = self.config.patch
            slots = to_slots_of_groups(pad(cube.filled(), patch, 0.0), cube.bands)
            valid = band_valid_in_slots(pad(cube.all_valid(), patch, 0.0), cube.bands)
            shape = (*slots.shape[:2], len(groups), *slots.shape[3:])
            native = torch.tensor(index, device=slots.device)
            values, there = (each.new_zeros(shape).index_copy(2, native, each).flatten(2, 3) for each in (slots, valid))
            found, known = (each.flatten(2, 3) for each in place_descriptors(values, there, patch))
        # tokens are in the order of dates, groups, places
        place = mask.index // (grid.groups * grid.places) * grid.places + mask.index % grid.places
        place = place[..., None].expand(-1, -1, found.shape[-1])
        found, known = (each.flatten(1, 2).gather(1, place) for each in (found, known))
        return found, known if mask.seen is None else known & mask.seen[..., None]

    def losses(
        self,
        cube: Cube,
        mask: Mask,
        predicted: Float[Tensor, "batch predicted value"],
        *,
        normalized: bool = False,
        places: Int[Tensor, "batch drawn"] | None = None,
        scored: Scored | None = None,
    ) -> dict[str, LossTerm]:
        """The `token` and the `spectral` loss of `forward`'s predictions.

        normalized: the token loss is in each token's own units. places: those drawn for `forward`; only they count.
        scored: the targets of the predictions, if already computed.
        """
        if scored is None:
            scored = self.scored(cube, mask, self.targets(cube), places)
        target, valid = scored.target, scored.valid
        # under autocast predictions are bfloat16, in which a sum of a million squares loses its small ones
        predicted = predicted.to(target.dtype)
        shape = scored.shape
        spectral = spectral_loss(
            predicted.reshape(shape),
            target.reshape(shape),
            None if valid is None else valid.reshape(shape),
            len(self.config.bands.groups),
        )
        wanted = normalized_target(target, valid) if normalized else target
        return {"token": token_loss(predicted, wanted, valid, scored.hidden), "spectral": spectral}

    def scored(
        self,
        cube: Cube,
        mask: Mask,
        targets: tuple[Float[Tensor, "batch token value"], Bool[Tensor, "batch token value"] | None],
        places: Int[Tensor, "batch drawn"] | None = None,
    ) -> Scored:
        """The targets of `forward`'s predictions: all of them, or those at the drawn places."""
        target, valid = targets
        grid = self.grid_of(cube)
        hidden, drawn = mask.hidden, grid.places
        if places is not None:
            drawn = places.shape[1]
            chosen = tokens_of_places(places, grid.dates * grid.groups, grid.places)
            index = chosen[..., None].expand(-1, -1, target.shape[-1])
            target, hidden = target.gather(1, index), hidden.gather(1, chosen)
            valid = None if valid is None else valid.gather(1, index)
        return Scored(target, valid, hidden, (grid.dates, grid.groups, drawn))

    def targets(
        self, cube: Cube
    ) -> tuple[Float[Tensor, "batch token value"], Bool[Tensor, "batch token value"] | None]:
        """The targets of all tokens, in slots, and where they were measured (None: everywhere)."""
        tokens = self._tokens(cube)
        all_slots = all(all(group.targets()) for group in cube.bands.groups)
        patch = self.config.patch
        if cube.valid is None and all_slots and not (cube.shape[-2] % patch or cube.shape[-1] % patch):
            return tokens, None
        valid = band_valid_in_slots(self._valid(cube), cube.bands)
        return tokens, to_tokens(valid, patch)

    @of_cubes
    @torch.no_grad()
    def reconstruct(
        self, cube: Cube, hide: str | float | Hide | Bool[Tensor, "batch date group row column"] = 0.75, seed: int = 0
    ) -> Reconstruction:
        """Images rebuilt from what is left visible.

        hide: band names and dates ("B11,B12", "2020-05-01"), a share of the tokens, or the tokens themselves. A named
        band hides its whole group, as tokens are hidden whole; a date hides the image of that day in each sample.
        Raises BandError or OptionError for bands or dates that an image does not have.
        """
        grid = self.grid_of(cube)
        if isinstance(hide, Tensor):
            if hide.dtype != torch.bool or hide.shape != (cube.shape[0], *grid.shape):
                raise OptionError(
                    f"hide: found a tensor of {hide.dtype} and shape {tuple(hide.shape)}",
                    f"torch.bool, true where hidden, and shape {(cube.shape[0], *grid.shape)}: batch, date, group, "
                    "row, column of patches",
                )
            hidden = hide
        else:
            where = (seed, grid.dates, grid.groups, np.arange(grid.rows), np.arange(grid.columns))
            # a day may have another index in another sample
            wanted = [
                hide if isinstance(hide, Hide) else Hide.parse(str(hide), cube.bands, days)
                for days in cube.days.tolist()
            ]
            hidden = torch.from_numpy(np.stack([hidden_tokens(each, *where) for each in wanted])).to(cube.values.device)
        # not self.forward: a wrapper that shards the model over processes gathers its weights when it is called
        predicted: Tensor = self(cube, given_mask(hidden.flatten(1), self._present(cube)))
        patch, height, width = self.config.patch, *cube.shape[-2:]
        slots = to_slots(predicted.to(cube.values.dtype), patch, *grid.shape)
        pixels = hidden.repeat_interleave(patch, dim=-2).repeat_interleave(patch, dim=-1)
        return Reconstruction(
            cube=cube,
            predicted=to_bands(slots, cube.bands)[..., :height, :width],
            hidden=pixels[:, :, list(cube.bands.group_of_band), :height, :width],
        )
