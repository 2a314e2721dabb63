"""The decoder on drawn places only: less work, and no other difference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from made_cubes import made_cube, made_keys, small_model
from spectralgpt.nn import random_mask
from spectralgpt.nn.masks import tokens_of_places
from spectralgpt.tasks import Batch, Pretraining


def hole(cube):
    valid = torch.ones_like(cube.values, dtype=torch.bool)
    valid[..., :13, :17] = False
    return replace(cube, valid=valid)


@pytest.mark.parametrize("change", [lambda cube: cube, hole], ids=["whole", "a hole"])
def test_all_places_in_another_order_are_the_same(change):
    model, cube = small_model(), change(made_cube(dates=2))
    grid = model.grid_of(cube)
    present = model.present(cube).flatten(1)
    mask = random_mask(torch.rand(2, present.shape[1]), 0.75, None if cube.valid is None else present)
    places = torch.stack([torch.randperm(grid.places) for _ in range(2)])
    whole, drawn = model(cube, mask), model(cube, mask, places)
    chosen = tokens_of_places(places, grid.dates * grid.groups, grid.places)
    there = present.gather(1, chosen)
    in_order = whole.gather(1, chosen[..., None].expand_as(drawn))
    torch.testing.assert_close(drawn[there], in_order[there], atol=2e-5, rtol=0)
    for name, term in model.losses(cube, mask, drawn, places=places).items():
        expected = model.losses(cube, mask, whole)[name]
        assert int(term.count) == int(expected.count)
        torch.testing.assert_close(term.mean, expected.mean, atol=1e-5, rtol=1e-5)


def test_only_drawn_places_count():
    """Hidden values elsewhere change neither predictions nor losses; those at a drawn place change only the loss."""
    model, cube = small_model(), made_cube()
    grid = model.grid_of(cube)
    mask = random_mask(torch.rand(2, grid.groups * grid.places), 0.8)
    places = torch.tensor([[0, 5], [7, 2]])
    drawn = model(cube, mask, places)
    assert drawn.shape == (2, grid.groups * 2, 192)
    losses = {name: term.mean.item() for name, term in model.losses(cube, mask, drawn, places=places).items()}
    tokens = tokens_of_places(places, grid.groups, grid.places)
    at_drawn = torch.zeros_like(mask.hidden).scatter(1, tokens, True)
    for where, same in ((mask.hidden & ~at_drawn, True), (mask.hidden & at_drawn, False)):
        patches = where.reshape(2, 1, grid.groups, grid.rows, grid.columns)
        pixels = patches.repeat_interleave(8, -1).repeat_interleave(8, -2).repeat_interleave(3, 2)
        junk = replace(cube, values=torch.where(pixels, 99.0, cube.values))
        torch.testing.assert_close(model(junk, mask, places), drawn, atol=0, rtol=0)
        found = {name: term.mean.item() for name, term in model.losses(junk, mask, drawn, places=places).items()}
        assert (found == losses) is same


def test_pretraining_with_a_fraction_learns_from_every_part():
    model, cube = small_model(), made_cube()
    batch = Batch(cube, made_keys(0, 2), 0)
    prepared = Pretraining(0.75, decode_fraction=0.3).prepare(model, batch)
    losses = Pretraining(0.75, decode_fraction=0.3).totals(model, prepared)
    (losses["token"] / prepared.counts["token"] + losses["spectral"] / prepared.counts["spectral"]).backward()
    own = ("season", "elapsed", "scale", "k.bias")
    assert all(
        p.grad is not None and p.grad.abs().max() > 0 for n, p in model.named_parameters() if not n.endswith(own)
    )
    full = Pretraining(0.75).prepare(model, batch)
    assert int(prepared.counts["token"]) < int(full.counts["token"])
    assert int(prepared.counts["spectral"]) == pytest.approx(0.3 * int(full.counts["spectral"]), rel=0.2)
    assert np.isfinite(losses["token"].item())
    assert prepared.flops < full.flops
