"""Losses count values that were measured and hidden, and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from made_cubes import NATIVE, made_cube, made_keys, small_model
from spectralgpt.nn import draw_mask, normalized_target, spectral_loss, token_loss

seeds = st.integers(0, 2**32 - 1)
junk_values = st.floats(width=32) | st.sampled_from([np.nan, np.inf, -np.inf])


def draw(seed: int, shape: tuple[int, ...]):
    generator = torch.Generator().manual_seed(seed)
    predicted, target = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    return predicted.requires_grad_(), target, torch.rand(shape, generator=generator) < 0.7, generator


@given(seeds, junk_values)
@example(0, np.nan)
def test_only_valid_pixels_of_hidden_tokens_count(seed, junk):
    predicted, target, valid, generator = draw(seed, (2, 5, 6))
    hidden = torch.rand((2, 5), generator=generator) < 0.5
    hidden[0, 0] = valid[0, 0, 0] = True
    scored = valid & hidden[..., None]
    loss = token_loss(predicted, target, valid, hidden)
    junked = token_loss(torch.where(scored, predicted, junk), torch.where(scored, target, junk), valid, hidden)
    assert junked.mean == loss.mean
    assert token_loss(predicted, torch.where(scored, target + 1, target), valid, hidden).mean != loss.mean
    assert loss.count == scored.sum()
    expected = (predicted - target)[scored].double().square().mean()
    assert loss.mean.item() == pytest.approx(expected.item(), rel=1e-5)
    token_loss(predicted, torch.where(scored, target, junk), valid, hidden).mean.backward()
    assert torch.isfinite(predicted.grad).all(), "no NaN from under an invalid pixel"
    assert torch.equal(predicted.grad != 0, scored)


@given(seeds, junk_values, st.integers(1, 4))
@example(0, np.nan, 3)
def test_the_spectral_loss_counts_where_all_groups_are_valid(seed, junk, groups):
    shape = (2, 2, groups, 3, 5)
    predicted, target, valid, _ = draw(seed, shape)
    valid[0, 0, :, 0, 0] = True
    loss = spectral_loss(predicted, target, valid, 4)
    every = valid.all(dim=2)
    sums = (predicted - target).sum(dim=2)
    assert loss.count == every.sum()
    assert loss.mean.item() == pytest.approx((4 / groups) ** 2 * sums[every].double().square().mean().item(), rel=1e-4)
    counted = every[:, :, None].expand(shape)
    junked = spectral_loss(torch.where(counted, predicted, junk), torch.where(counted, target, junk), valid, 4)
    assert junked.mean == loss.mean
    assert spectral_loss(predicted, torch.where(counted, target + 1, target), valid, 4).mean != loss.mean
    spectral_loss(predicted, torch.where(counted, target, junk), valid, 4).mean.backward()
    assert torch.isfinite(predicted.grad).all()
    assert torch.equal(predicted.grad != 0, counted)


@given(seeds)
def test_valid_none_is_all_true(seed):
    predicted, target, _, generator = draw(seed, (2, 5, 6))
    hidden, every = torch.rand((2, 5), generator=generator) < 0.5, torch.ones(2, 5, 6, dtype=torch.bool)
    assert token_loss(predicted, target, None, hidden) == token_loss(predicted, target, every, hidden)
    torch.testing.assert_close(normalized_target(target, None), normalized_target(target, every))
    predicted, target, _, _ = draw(seed, (1, 2, 3, 4, 5))
    every = torch.ones(1, 2, 3, 4, 5, dtype=torch.bool)
    one, other = spectral_loss(predicted, target, None, 4), spectral_loss(predicted, target, every, 4)
    torch.testing.assert_close(one.mean, other.mean)
    assert one.count == other.count == 2 * 4 * 5


@pytest.mark.parametrize("junk", [0.0, np.nan, np.inf])
def test_empty_sums_are_zero_with_gradient_zero(junk):
    predicted = torch.randn(2, 3, 4, requires_grad=True)
    target, none = torch.full((2, 3, 4), junk), torch.zeros(2, 3, 4, dtype=torch.bool)
    loss = token_loss(predicted, target, none, torch.ones(2, 3, dtype=torch.bool)).mean
    loss = loss + token_loss(predicted, target, None, torch.zeros(2, 3, dtype=torch.bool)).mean
    five = predicted[:, None, :, None]
    loss = loss + spectral_loss(five, target[:, None, :, None], none[:, None, :, None], 4).mean
    assert loss == 0
    loss.backward()
    assert torch.equal(predicted.grad, torch.zeros(2, 3, 4))


@given(seeds, junk_values)
def test_normalized_targets_have_their_own_units(seed, junk):
    _, target, valid, _ = draw(seed, (2, 5, 24))
    valid[0, 0] = False
    valid[0, 1] = torch.arange(24) == 3
    found = normalized_target(torch.where(valid, target, junk), valid)
    assert torch.isfinite(found).all()
    assert not found[~valid].any()
    assert found[0, 1].abs().max() == 0, "a single value is its own mean; the divisor is at least 1"
    for token in valid.sum(dim=-1).gt(1).nonzero():
        seen = target[*token][valid[*token]].double()
        expected = (seen - seen.mean()) / (seen.var(unbiased=True) + 1e-6).sqrt()
        torch.testing.assert_close(found[*token][valid[*token]].double(), expected, atol=1e-4, rtol=1e-4)


def test_missing_bands_are_no_targets():
    """A group without one of its bands predicts all slots, but is compared only in slots with a band."""
    model = small_model()
    whole, part = made_cube(height=8, width=8), made_cube([b for b in NATIVE.bands if b.name != "B3"], 8, 8)
    for cube, slots in ((whole, 12), (part, 11)):
        mask = draw_mask("random", 0.99, (2, 1, 4, 1), made_keys(0, 2))
        losses = model.losses(cube, mask, model(cube, mask))
        assert losses["token"].count == 2 * slots * 64
        assert losses["spectral"].count == 2 * (slots // 12 + 2) * 64


def test_padding_is_no_target():
    model, cube = small_model(), made_cube(height=9, width=8)
    mask = draw_mask("random", 0.99, (2, 1, 4, 2), made_keys(0, 2))
    losses = model.losses(cube, mask, model(cube, mask))
    assert losses["token"].count == 2 * 12 * 72
    assert losses["spectral"].count == 2 * 3 * 72


def test_other_numbers_of_groups_weigh_alike():
    error = torch.ones(1, 1, 1, 2, 3)
    for groups in (1, 2, 4, 16):
        each = error.expand(1, 1, groups, 2, 3)
        assert spectral_loss(each, torch.zeros_like(each), None, 4).mean == 16
