"""Losses in classes: PyTorch's where it has them, hand-worked numbers where not, and nothing from what is not known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spectralgpt.errors import OptionError
from spectralgpt.nn import (
    LossTerm,
    class_count,
    class_loss,
    class_weights,
    dice_count,
    dice_loss,
    label_count,
    label_loss,
    positive_weights,
)

WEIGHTS = torch.tensor([0.2, 3.0, 1.0, 0.7])
SHAPES = [(6,), (3, 4, 5)]
"""Images with one class each, and images with a class per pixel."""
seeds = st.integers(0, 2**32 - 1)


def drawn(shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of 4 classes, classes, and where they are known."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(shape[0], 4, *shape[1:], generator=generator, dtype=torch.float64)
    target = torch.randint(0, 4, shape, generator=generator)
    known = torch.rand(shape, generator=generator) < 0.7
    known.view(-1)[0] = True
    return logits.requires_grad_(), target, known


def one_hot(target: Tensor) -> Tensor:
    return F.one_hot(target, 4).movedim(-1, 1).double()


# -- cross-entropy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("weights", [None, WEIGHTS.double()], ids=["plain", "weighted"])
def test_cross_entropy_is_pytorchs(shape, smoothing, weights):
    logits, target, known = drawn(shape)
    ignored = torch.where(known, target, 255)
    wanted = F.cross_entropy(logits, ignored, weights, ignore_index=255, label_smoothing=smoothing)
    found = class_loss(logits, ignored, known, weights=weights, smoothing=smoothing)
    torch.testing.assert_close(found.mean, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(found.mean, logits)[0], torch.autograd.grad(wanted, logits)[0], atol=1e-12, rtol=1e-9
    )
    assert torch.equal(found.count, class_count(ignored, known, weights))
    every = class_loss(logits, target, weights=weights, smoothing=smoothing)
    torch.testing.assert_close(every.mean, F.cross_entropy(logits, target, weights, label_smoothing=smoothing))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", [{}, {"smoothing": 0.1}, {"focus": 2}, {"weights": WEIGHTS.double()}])
def test_certain_shares_are_classes(shape, options):
    logits, target, known = drawn(shape)
    hard, soft = (class_loss(logits, each, known, **options) for each in (target, one_hot(target)))
    torch.testing.assert_close(hard.total, soft.total)
    assert float(hard.count) == pytest.approx(float(soft.count))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_mixture_is_the_mixture_of_the_losses(smoothing):
    """So smoothing after mixing is mixing of smoothed targets, as in the paper's recipe."""
    logits, target, _ = drawn((6,))
    other = target.flip(0)
    mixed = 0.3 * one_hot(target) + 0.7 * one_hot(other)
    parts = [class_loss(logits, each, smoothing=smoothing).mean for each in (target, other)]
    found = class_loss(logits, mixed, smoothing=smoothing)
    torch.testing.assert_close(found.mean, 0.3 * parts[0] + 0.7 * parts[1])
    assert found.count == 6
    smoothed = (1 - smoothing) * mixed + smoothing / 4
    torch.testing.assert_close(found.mean, F.cross_entropy(logits, smoothed))


def test_focal_loss_by_hand():
    logits = torch.tensor([[math.log(3), 0.0]])  # p = 3/4, 1/4
    for focus, right, wrong in ((0, 1.0, 1.0), (1, 1 / 4, 3 / 4), (2, 1 / 16, 9 / 16), (0.5, 1 / 2, 3**0.5 / 2)):
        found = [float(class_loss(logits, torch.tensor([each]), focus=focus).mean) for each in (0, 1)]
        assert found == pytest.approx([-right * math.log(3 / 4), -wrong * math.log(1 / 4)])
        labels = [float(label_loss(logits[:, :1], torch.tensor([[each]]), focus=focus).mean) for each in (1.0, 0.0)]
        assert labels == pytest.approx(found)


@pytest.mark.parametrize("focus", [0.5, 1, 2])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_certain_answers_have_finite_gradients(focus, size):
    logits = torch.tensor([[size, 0.0, -size]], requires_grad=True)
    loss = class_loss(logits, torch.tensor([0]), focus=focus, smoothing=0.1).mean
    loss = loss + label_loss(logits, torch.tensor([[1.0, 0.0, 1.0]]), focus=focus).mean
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


# -- several labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("positive", [None, WEIGHTS.double()], ids=["plain", "weighted"])
def test_binary_cross_entropy_is_pytorchs(shape, positive):
    logits, target, known = drawn(shape)
    labels = (one_hot(target) + one_hot((target + 1) % 4)).clamp(max=1)
    per_class = None if positive is None else positive.reshape(-1, *[1] * (len(shape) - 1))
    each = F.binary_cross_entropy_with_logits(logits, labels, pos_weight=per_class, reduction="none")
    found = label_loss(logits, labels, positive=positive)
    torch.testing.assert_close(found.mean, each.mean())
    assert found.count == label_count(labels) == labels.numel()
    where = known[:, None].expand_as(labels)
    found = label_loss(logits, torch.where(where, labels, torch.nan), known[:, None], positive=positive)
    torch.testing.assert_close(found.mean, each[where].mean())
    assert found.count == label_count(labels, known[:, None]) == where.sum()
    alone = torch.rand(labels.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    found = label_loss(logits, labels, alone, positive=positive)
    torch.testing.assert_close(found.mean, each[alone].mean())
    assert found.count == alone.sum()


def test_labels_are_smoothed_towards_a_half():
    logits = torch.tensor([[2.0, -1.0]])
    found = label_loss(logits, torch.tensor([[1.0, 0.0]]), smoothing=0.2)
    wanted = F.binary_cross_entropy_with_logits(logits, torch.tensor([[0.9, 0.1]]))
    torch.testing.assert_close(found.mean, wanted)


# -- dice --------------------------------------------------------------------------------------------------------------


def test_dice_by_hand():
    # one row of four pixels; p of class 1: 1/4, 3/4, 3/4, 1/4; class 1 at the second and the last; the third not known
    p = torch.tensor([0.25, 0.75, 0.75, 0.25])
    logits = torch.stack([torch.zeros(4), (p / (1 - p)).log()])[None, :, None]
    target, known = torch.tensor([[[0, 1, 9, 1]]]), torch.tensor([[[True, True, False, True]]])
    first = 2 * 0.75 / (0.75 + 0.25 + 0.75 + 1)
    second = 2 * (0.75 + 0.25) / (0.25 + 0.75 + 0.25 + 2)
    found = dice_loss(logits, target, known)
    assert float(found.total) == pytest.approx(2 - first - second)
    assert found.count == dice_count(target, known, 2) == 2
    # a class without known pixels is left out
    found = dice_loss(logits, torch.zeros(1, 1, 4, dtype=torch.int64), known)
    assert found.count == dice_count(torch.zeros(1, 1, 4, dtype=torch.uint8), known, 2) == 1
    assert float(found.total) == pytest.approx(1 - 2 * 1.75 / (1.75 + 3))


def test_a_right_answer_has_no_dice_loss_and_a_wrong_one_has_all_of_it():
    target = torch.randint(0, 4, (2, 6, 6), generator=torch.Generator().manual_seed(0))
    assert float(dice_loss(100 * one_hot(target), target).mean) == pytest.approx(0, abs=1e-6)
    assert float(dice_loss(100 * one_hot((target + 1) % 4), target).mean) == pytest.approx(1, abs=1e-6)


# -- what is not known, and parts of a step ----------------------------------------------------------------------------

LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], LossTerm]] = {
    "plain": lambda logits, target, known: class_loss(logits, target, known, smoothing=0.1),
    "weighted": lambda logits, target, known: class_loss(
        logits, target, known, weights=WEIGHTS.to(torch.promote_types(logits.dtype, torch.float32))
    ),
    "focal": lambda logits, target, known: class_loss(logits, target, known, focus=2),
    "dice": dice_loss,
}


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=25, deadline=None)
@given(seed=seeds, codes=st.lists(st.integers(-100, 255), min_size=1, max_size=4), junk=st.floats(width=32))
def test_codes_and_answers_that_are_not_known_change_no_bit(name, seed, codes, junk):
    logits, target, known = drawn((3, 4, 5), seed)
    logits = logits.detach().float()
    found = []
    for code in (0, 255, *codes):
        under = torch.where(known, target, torch.full_like(target, code))
        one = torch.where(known[:, None], logits, junk if code == codes[0] else 1.0).requires_grad_()
        loss = LOSSES[name](one, under, known)
        loss.mean.backward()
        assert torch.isfinite(one.grad).all()
        assert not torch.where(known[:, None], 0.0, one.grad).any()
        found.append((loss.total, loss.count, one.grad))
    assert all(torch.equal(*pair) for other in found[1:] for pair in zip(found[0], other, strict=True))
    changed = LOSSES[name](logits, torch.where(known, (target + 1) % 4, 255), known)
    assert changed.mean != found[0][0] / found[0][1], "the known ones count"


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_known_is_zero_with_gradient_zero(name):
    logits, target, known = drawn((3, 4, 5))
    loss = LOSSES[name](logits, target, torch.zeros_like(known))
    loss.mean.backward()
    assert loss.mean == loss.count == 0
    assert not logits.grad.any()
    labels = label_loss(logits, one_hot(target), torch.zeros_like(known)[:, None])
    assert labels.mean == labels.count == 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_may_be_divided_in_any_way(name):
    """Sums and counts of its parts, of unequal size and validity, add up to those of the whole; gradients as well."""
    logits, target, known = drawn((5, 4, 6))
    known[0] = False
    whole = LOSSES[name](logits, target, known)
    (wanted,) = torch.autograd.grad(whole.mean, logits)
    for cuts in ((1, 4), (2, 3), (1, 1, 3), (1,) * 5):
        parts = [LOSSES[name](*each) for each in zip(*(x.split(cuts) for x in (logits, target, known)), strict=True)]
        total, count = sum(each.total for each in parts), sum(each.count for each in parts)
        torch.testing.assert_close(count, whole.count)
        torch.testing.assert_close(torch.autograd.grad(total / count, logits)[0], wanted)


def test_under_autocast_losses_are_float32():
    logits, target, known = drawn((3, 4, 5))
    half = (20 * logits.detach()).bfloat16()
    for name, loss in LOSSES.items():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = loss(half, target, known)
        assert found.total.dtype == torch.float32
        torch.testing.assert_close(found.total, loss(half.float(), target, known).total, msg=name)


def test_a_sum_of_weights_may_be_below_one():
    logits, target, _ = drawn((1,))
    loss = class_loss(logits, target, weights=torch.full((4,), 0.01, dtype=torch.float64))
    torch.testing.assert_close(loss.mean, F.cross_entropy(logits, target))


# -- weights -----------------------------------------------------------------------------------------------------------


def test_class_weights_by_hand():
    counts = np.array([100, 25, 0, 400])
    assert class_weights(counts, 0).tolist() == [1.0, 1.0, 0.0, 1.0]
    np.testing.assert_allclose(class_weights(counts, 1), np.array([4, 16, 0, 1]) / 7)
    np.testing.assert_allclose(class_weights(counts), np.array([2, 4, 0, 1]) / (7 / 3))
    balanced = class_weights(counts, 1) * counts
    np.testing.assert_allclose(balanced[[0, 1, 3]], balanced[0])
    with pytest.raises(OptionError, match="found 3 classes without any target; expected targets of at least one class"):
        class_weights(np.zeros(3, np.int64))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=9).filter(any), st.floats(0, 2))
def test_rarer_classes_weigh_more(counts, power):
    weights = class_weights(np.array(counts), power)
    there = np.array(counts) > 0
    assert np.isfinite(weights).all()
    assert weights[there].mean() == pytest.approx(1)
    assert not weights[~there].any()
    order = np.argsort(np.array(counts)[there], kind="stable")
    assert (np.diff(weights[there][order]) <= 1e-12).all()


def test_positive_weights_by_hand():
    counts, known = np.array([10, 50, 0, 100, 1]), np.array([100, 100, 100, 100, 17])
    np.testing.assert_allclose(positive_weights(counts, known, 1), [9, 1, 1, 1, 16])
    np.testing.assert_allclose(positive_weights(counts, known), [3, 1, 1, 1, 4])
    assert positive_weights(counts, known, 0).tolist() == [1.0] * 5
