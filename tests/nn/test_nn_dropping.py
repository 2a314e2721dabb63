"""Dropout and drop path are functions of each sample's key: the same in any batch."""

import pytest
import torch

from made_cubes import made_cube, made_keys, small_model
from made_heads import HEADS, made, taken
from spectralgpt.nn import given_mask
from spectralgpt.nn.dropping import Dropout, drop_path
from spectralgpt.nn.noise import kept_of, other_key


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_share_is_dropped_and_the_rest_is_scaled(rate):
    key = made_keys(0, 6)
    kept = kept_of(key, 7, (6, 100, 33), rate)
    assert kept.unique().tolist() == [0.0, 1.0]
    assert float(kept.mean()) == pytest.approx(1 - rate, abs=4 * (rate * (1 - rate) / kept.numel()) ** 0.5)
    between = torch.corrcoef(torch.cat([kept.flatten(1), kept_of(key, 8, (6, 100, 33), rate).flatten(1)]))
    assert between.fill_diagonal_(0).abs().max() < 0.1, "samples and purposes draw for themselves"
    x = torch.randn(6, 100, 33)
    dropout = Dropout(rate, layer=3).train()
    found = dropout(x, key)
    assert torch.equal(found != 0, kept_of(key, 0x2_0003, (6, 100, 33), rate) > 0)
    torch.testing.assert_close(found[found != 0], (x / (1 - rate))[found != 0])
    assert torch.equal(dropout.eval()(x, key), x)


def test_drop_path_draws_by_key_and_layer():
    branch = torch.randn(1, 4, 5).expand(4000, -1, -1)
    key = made_keys(1, 4000)
    kept = [(drop_path(branch, 0.4, key, layer) != 0).flatten(1).all(dim=1).float() for layer in range(3)]
    for one in kept:
        assert float(one.mean()) == pytest.approx(0.6, abs=0.04)
    assert torch.corrcoef(torch.stack(kept)).fill_diagonal_(0).abs().max() < 0.08
    part = drop_path(branch[:10], 0.4, key[90:100], 0)
    assert torch.equal((part != 0).flatten(1).all(dim=1).float(), kept[0][90:100])


@pytest.mark.parametrize("name", HEADS)
def test_a_model_in_training_is_a_function_of_its_keys(name):
    """The same key gives the same answer: in another order, with other samples, after other draws."""
    model, cube, key = made(name).train(), made_cube(dates=2), made_keys(2, 2)
    model.set_drop_path(0.5)
    with torch.no_grad():
        both = model(cube, key=key)
        torch.rand(3)
        assert torch.equal(model(cube, key=key), both)
        other = model(cube, key=made_keys(3, 2))
        swapped = model(taken(cube, [1, 0]), key=key[[1, 0]])
        alone = model(taken(cube, [1]), key=key[[1]])
    assert not torch.allclose(other, both)
    torch.testing.assert_close(swapped[[1, 0]], both, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone[0], both[1], atol=1e-5, rtol=1e-4)


def test_the_two_times_of_a_change_do_not_drop_the_same():
    key = made_keys(4, 5)
    assert not (key == other_key(key)).any()
    model, cube = made("difference").train(), made_cube(dates=2)
    model.set_drop_path(0.5)
    same = cube.at_date(0)
    with torch.no_grad():
        # if both times were dropped in the same way, the difference would be zero for any key
        answers = [model(same, same, key=made_keys(seed, 2)) for seed in (0, 1)]
        model.eval()
        nothing = model(same, same)
    assert not torch.allclose(answers[0], nothing, atol=1e-4)
    assert not torch.allclose(answers[0], answers[1], atol=1e-4)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_functions_of_the_keys_too(checkpointing):
    """Recomputation in the backward pass drops what the forward pass dropped."""
    model, cube, key = small_model().train(), made_cube(), made_keys(5, 2)
    model.set_drop_path(0.6)
    grid = model.grid_of(cube)
    mask = given_mask(torch.rand(2, grid.dates * grid.groups * grid.places) < 0.5)

    def gradients(on):
        model.set_checkpointing(on)
        model.zero_grad()
        model(cube, mask, key=key).square().sum().backward()
        return [each.grad.clone() for each in model.parameters() if each.grad is not None]

    wanted = gradients(False)
    torch.rand(5)
    assert all(torch.equal(*pair) for pair in zip(gradients(checkpointing), wanted, strict=True))


@pytest.mark.parametrize("name", HEADS)
def test_a_prediction_drops_nothing_and_leaves_the_mode(name):
    model, cube = made(name).train(), made_cube(dates=2)
    one, two = (model.predict(cube).logits for _ in range(2))
    assert torch.equal(one, two)
    assert model.training
    assert torch.equal(model.eval().predict(cube).logits, one)
    assert not model.training
