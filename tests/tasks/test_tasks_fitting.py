"""The objectives of fine-tuning: losses and counts by hand, what is mixed and erased, frozen encoders, judgements."""

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "nn"))
sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from made_cubes import NATIVE, SIZE, made_cube, made_keys, with_valid
from made_fits import OBJECTIVES, objective
from spectralgpt.errors import OptionError
from spectralgpt.metrics import ConfusionCounts, LabelTable
from spectralgpt.nn import Backbone, Cube, DenseConfig, Erasing, LightConfig, ModelConfig, class_loss, label_loss
from spectralgpt.nn.dropping import drop_path_rates
from spectralgpt.tasks import Batch, ChangeConfig, LightChange, Objective, Prepared, find
from spectralgpt.tasks.change import DetectingChange
from spectralgpt.tasks.classification import Classifying
from spectralgpt.tasks.segmentation import Segmenting
from spectralgpt.training.ema import Average
from spectralgpt.training.optimizer import make_optimizer

KINDS = ("class", "classes", "mask", "change")
SEVERAL = {"class": 3, "classes": 4, "mask": 3, "change": 2}
"""Classes of each kind."""
MAPS = pytest.mark.parametrize("kind", ["mask", "change"])
ALL = pytest.mark.parametrize("kind", KINDS)


def fitted(kind: str, **settings: Any) -> Any:
    """An objective that knows its classes."""
    return objective(kind, classes=SEVERAL[kind], **settings)


def model_of(task: Any, seed: int = 0) -> Backbone:
    torch.manual_seed(seed)
    model = find(task.task).made(ModelConfig(SIZE, NATIVE), task.head_config())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.train()
    task.ready(model)
    return model


def batch_of(kind: str, batch: int = 4, seed: int = 0, holes: bool = False) -> Batch:
    """Samples with their targets; of maps, about a third of the pixels is not labelled. holes: some pixels are not
    valid, and a part of the first image in no band."""
    cube = made_cube(dates=2 if kind == "change" else 1, batch=batch, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    if holes:
        valid = torch.rand(cube.shape, generator=generator) > 0.1
        valid[0, :, :, :9, :13] = False
        cube = with_valid(cube, valid)
    shape = (batch, *cube.shape[-2:])
    if kind == "class":
        target = torch.arange(batch) % 3
    elif kind == "classes":
        target = torch.rand(batch, 4, generator=generator) > 0.5
    else:
        target = torch.randint(0, SEVERAL[kind], shape, generator=generator).to(torch.int16)
        target[torch.rand(shape, generator=generator) < 0.3] = -1
    return Batch(cube, made_keys(seed, batch), 17 + seed, target)


def step(task: Any, model: Backbone, batch: Batch) -> dict[str, Tensor]:
    """Gradients of the mean losses, and the losses."""
    model.zero_grad()
    prepared = task.prepare(model, batch)
    totals = task.totals(model, prepared)
    losses = {name: total / prepared.counts[name] for name, total in totals.items()}
    torch.stack(list(losses.values())).sum().backward()
    return {name: each.detach() for name, each in losses.items()}


# -- losses and counts -------------------------------------------------------------------------------------------------


class Answering(torch.nn.Module):
    """A model of given logits."""

    def __init__(self, logits: Tensor):
        super().__init__()
        self.logits = logits

    def forward(self, cube: Cube, key: Tensor) -> Tensor:
        return self.logits


def losses_of(task: Any, kind: str, logits: Tensor, target: Tensor) -> dict[str, tuple[float, float]]:
    """Total and count of each loss, of given answers."""
    model = model_of(task).eval()
    cube = made_cube(height=2, width=2, dates=2 if kind == "change" else 1, batch=len(target))
    prepared = task.prepare(model, Batch(cube, made_keys(0, len(target)), 0, target))
    totals = task.totals(Answering(logits), prepared)
    assert list(totals) == list(prepared.counts)
    return {name: (float(totals[name]), float(prepared.counts[name])) for name in totals}


LN = math.log


def test_losses_of_classes_by_hand():
    # probabilities 1/2, 1/4, 1/4 and 1/8, 3/4, 1/8
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]).log()
    target = torch.tensor([0, 2])
    assert losses_of(Classifying(classes=3), "class", logits, target)["class"] == pytest.approx((LN(2) + LN(8), 2))
    weighted = Classifying(classes=3, weights=(0.5, 1.0, 2.0))
    assert losses_of(weighted, "class", logits, target)["class"] == pytest.approx((0.5 * LN(2) + 2 * LN(8), 2.5))
    focal = losses_of(Classifying(classes=3, focus=2), "class", logits, target)["class"]
    assert focal == pytest.approx((LN(2) / 4 + 49 / 64 * LN(8), 2))
    smooth = losses_of(Classifying(classes=3, smoothing=0.3), "class", logits, target)["class"]
    spread = 0.1 * (LN(2) + 2 * LN(4) + 2 * LN(8) + LN(4 / 3))
    assert smooth == pytest.approx((0.7 * (LN(2) + LN(8)) + spread, 2))


def test_losses_of_several_labels_by_hand():
    # probabilities 1/4 and 4/5
    logits = torch.tensor([[LN(1 / 3), LN(4)]])
    target = torch.tensor([[True, False]])
    plain = losses_of(Classifying(several=True, classes=2), "classes", logits, target)["labels"]
    assert plain == pytest.approx((LN(4) + LN(5), 2))
    weighted = Classifying(several=True, classes=2, weights=(3.0, 7.0))
    # only labels that apply are weighted
    assert losses_of(weighted, "classes", logits, target)["labels"] == pytest.approx((3 * LN(4) + LN(5), 2))


@MAPS
def test_losses_of_masks_by_hand(kind):
    logits = torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.8, 0.2], [0.1, 0.9]]).log().T.reshape(1, 2, 2, 2)
    target = torch.tensor([[[0, 1], [-1, 1]]], dtype=torch.int16)
    found = losses_of(objective(kind, classes=2), kind, logits, target)
    assert list(found) == ["class"]
    assert found["class"] == pytest.approx((LN(4) + LN(2) + LN(10 / 9), 3))
    weighted = losses_of(objective(kind, classes=2, weights=(0.5, 2.0)), kind, logits, target)
    assert weighted["class"] == pytest.approx((0.5 * LN(4) + 2 * (LN(2) + LN(10 / 9)), 4.5))
    both = losses_of(objective(kind, classes=2, dice_weight=0.5), kind, logits, target)
    # sums over the three labelled pixels: class 0 p = 0.25 + 0.5 + 0.1, class 1 p = 0.75 + 0.5 + 0.9
    dice = (1 - 2 * 0.25 / (0.85 + 1)) + (1 - 2 * 1.4 / (2.15 + 2))
    assert both["dice"] == pytest.approx((0.5 * dice, 2))
    assert both["class"] == found["class"]


@MAPS
def test_pixels_that_the_model_does_not_see_do_not_count(kind):
    task, batch = fitted(kind), batch_of(kind)
    model = model_of(task).eval()
    labelled = batch.target >= 0
    assert float(task.prepare(model, batch).counts["class"]) == float(labelled.sum())
    valid = torch.ones(batch.cube.shape, dtype=torch.bool)
    valid[1, :, :5, 3:9] = False  # other bands are valid there
    assert float(task.prepare(model, replace(batch, cube=with_valid(batch.cube, valid))).counts["class"]) == float(
        labelled.sum()
    )
    valid[1, 0, :, 3:9] = False  # nothing, at the first time
    labelled[1, 3:9] = False
    assert float(task.prepare(model, replace(batch, cube=with_valid(batch.cube, valid))).counts["class"]) == float(
        labelled.sum()
    )


# -- the classes of the labels -----------------------------------------------------------------------------------------


def test_the_labels_say_the_classes():
    counts = np.array([1, 3, 16])
    for kind in KINDS:
        found = objective(kind).of_labels(counts, 20)
        assert (found.classes, found.weights) == (3, ())
        assert found.head_config().classes == 3
        assert found.of_labels(counts, 20) == found
        with pytest.raises(OptionError, match="classes: found 5; expected the 3 of the labels, or 0 for these"):
            objective(kind, classes=5).of_labels(counts, 20)


def test_weights_by_frequency():
    counts = np.array([1, 4, 16])
    inverse = np.array([1, 1 / 4, 1 / 16])
    for kind in ("class", "mask", "change"):
        found = objective(kind, balance=1).of_labels(counts, 21)
        assert found.weights == pytest.approx(inverse / inverse.mean())
        root = objective(kind, balance=0.5).of_labels(counts, 21)
        assert root.weights == pytest.approx(inverse**0.5 / (inverse**0.5).mean())
    several = Classifying(several=True, balance=0.5).of_labels(counts, 20)
    assert several.weights == pytest.approx(np.sqrt([19, 4, 4 / 16]))
    given = Classifying(classes=3, balance=1, weights=(1.0, 2.0, 3.0)).of_labels(counts, 21)
    assert given.weights == (1.0, 2.0, 3.0)
    # a class without any has no weight, and no part in the mean
    assert Classifying(balance=1).of_labels(np.array([5, 0, 5]), 10).weights == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": -1}, "classes: found -1; expected 0 or more"),
        ({"balance": -0.5}, "balance: found -0.5; expected 0 or more"),
        ({"classes": 2, "weights": (1.0,)}, r"weights: found \(1.0,\); expected one per class, or none"),
        ({"smoothing": 1.0}, "smoothing: found 1.0; expected from 0 to below 1"),
        ({"focus": -1}, "focus: found -1"),
        ({"erasing": 1.5}, "erasing: found 1.5; expected a share from 0 to 1"),
        ({"drop_path": 1.0}, "drop_path: found 1.0"),
        ({"judge_every": 0}, "judge_every: found 0; expected a number of epochs above 0"),
    ],
)
@ALL
def test_settings_out_of_range(kind, settings, message):
    with pytest.raises(OptionError, match=message):
        objective(kind, **settings)


# -- heads -------------------------------------------------------------------------------------------------------------


def test_the_heads_of_masks():
    assert Segmenting(classes=5).head_config() == LightConfig(5, channels=256, fine=64)
    assert Segmenting(classes=5, channels=48).head_config() == LightConfig(5, channels=48, fine=12)
    # the paper's, and a smaller one in its proportions
    assert Segmenting(classes=5, head="dense").head_config() == DenseConfig(5)
    small = Segmenting(classes=5, head="dense", channels=32).head_config()
    assert small == DenseConfig(5, widths=(64, 64, 128, 256), levels=(32, 64, 128), channels=32)
    assert DetectingChange(classes=2).head_config() == LightChange()
    both = DetectingChange(classes=2, head="dense", channels=32, combine="concatenation").head_config()
    assert isinstance(both, ChangeConfig)
    assert (both.combine, both.channels, both.classes) == ("concatenation", 32, 2)


def test_the_head_of_images():
    head = Classifying(classes=7, hidden=24, dropout=0.25, several=True).head_config()
    assert (head.classes, head.hidden, head.dropout, head.several) == (7, 24, 0.25, True)


@pytest.mark.parametrize("head", ["light", "dense"])
@MAPS
def test_each_head_is_trained(kind, head):
    task, batch = fitted(kind, head=head, dice_weight=1.0), batch_of(kind, holes=True)
    model = model_of(task)
    assert all(loss.isfinite() for loss in step(task, model, batch).values())
    # an additive constant of all places has no gradient where a difference of times is seen
    none = {"merge.date_score", "encoder.norm.weight", "encoder.norm.bias", "merge.bias"}
    without = {name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()}
    tables = {name for name in without if ".positions." in name}
    assert without - tables <= none
    assert task.partly


# -- mixing and erasing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.8, "cutmix": 1.0, "smoothing": 0.1}])
@pytest.mark.parametrize("kind", ["class", "classes"])
def test_images_are_mixed_with_their_targets(kind, settings):
    task = fitted(kind, **settings)
    model, batch = model_of(task), batch_of(kind)
    prepared = task.prepare(model, batch)
    mix = task.mixing.drawn(batch.draw, *batch.cube.shape[-2:])
    assert torch.equal(prepared.work.cube.values, mix.cube(batch.cube).values)
    whole = batch.target.float() if kind == "classes" else torch.eye(3)[batch.target]
    torch.testing.assert_close(prepared.work.target, mix.shares(whole))
    assert 0 < mix.share < 1
    logits = model(prepared.work.cube, key=batch.key)
    loss = label_loss if kind == "classes" else class_loss
    wanted = loss(logits, mix.shares(whole), smoothing=task.smoothing)
    (found,) = task.totals(model, prepared).values()
    torch.testing.assert_close(found, wanted.total)
    (count,) = prepared.counts.values()
    assert float(count) == float(wanted.count)


@MAPS
def test_masks_are_cut_with_their_images(kind):
    task, batch = fitted(kind, cutmix=1.0), batch_of(kind, holes=True)
    prepared = task.prepare(model_of(task), batch)
    mix = task.mixing.drawn(batch.draw, *batch.cube.shape[-2:])
    rows, columns = mix.box
    wanted = batch.target.clone()
    wanted[0, rows, columns] = batch.target[1, rows, columns]
    assert torch.equal(prepared.work.target[0], wanted[0])
    assert torch.equal(prepared.work.cube.values, mix.cube(batch.cube).values)
    assert torch.equal(prepared.work.known, (prepared.work.target >= 0) & task.seen(mix.cube(batch.cube).valid))
    assert not torch.equal(prepared.work.target, batch.target)


@ALL
def test_only_training_is_made_harder(kind):
    settings = {"erasing": 1.0, "smoothing": 0.2, "cutmix": 1.0, "drop_path": 0.5}
    task, batch = fitted(kind, **settings), batch_of(kind)
    model = model_of(task)
    trained = task.prepare(model, batch)
    assert not torch.equal(trained.work.cube.values, batch.cube.values)
    assert trained.work.cube.valid is not None
    assert not trained.work.cube.valid.all()
    model.eval()
    judged = task.validating().prepare(model, batch)
    assert judged.work.cube is batch.cube
    assert judged.work.target is batch.target
    assert (task.validating().smoothing, task.validating().erasing) == (0.0, 0.0)
    plain = fitted(kind).prepare(model, batch)
    first, second = (each.totals(model, of) for each, of in ((task.validating(), judged), (fitted(kind), plain)))
    assert {name: each.item() for name, each in first.items()} == {name: each.item() for name, each in second.items()}


@ALL
def test_erasing_is_that_of_the_keys(kind):
    task, batch = fitted(kind, erasing=0.5), batch_of(kind, batch=6)
    found = task.prepare(model_of(task), batch).work.cube
    wanted = Erasing(0.5).cube(batch.cube, batch.key)
    assert torch.equal(found.valid, wanted.valid)
    assert 0 < sum(not each.all() for each in wanted.valid) < 6


# -- frozen encoders, drop path ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer_decay", [None, 0.75])
@ALL
def test_a_frozen_encoder_stays_as_it_is(kind, layer_decay):
    task, batch = fitted(kind, freeze=True, drop_path=0.4), batch_of(kind, holes=True)
    model = model_of(task)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    optimizer = make_optimizer(model, lr=0.1, weight_decay=0.5, layer_decay=layer_decay)
    average = Average(model, 0.7)
    for _ in range(3):
        # as after a validation
        model.eval().train()
        task.ready(model)
        step(task, model, batch)
        optimizer.step()
        average.update(model)
    with average.swapped(model):
        averaged = {name: each.clone() for name, each in model.state_dict().items()}
    moved = set()
    for state in (model.state_dict(), averaged):
        for name, each in state.items():
            if name.startswith("encoder."):
                assert torch.equal(each, before[name]), name
            elif not torch.equal(each, before[name]):
                moved.add(name.partition(".")[0])
    assert "head" in moved
    kept = {id(each) for each in model.encoder.parameters()}
    assert not any(id(each) in kept for each in optimizer.state)
    assert not any(id(each) in kept for group in optimizer.param_groups for each in group["params"])
    assert model.training
    one, other = (model.features(batch.cube) for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


@ALL
def test_what_an_earlier_stage_froze_is_trained_again(kind):
    frozen, task, batch = fitted(kind, freeze=True), fitted(kind, drop_path=0.2), batch_of(kind)
    model = model_of(frozen)
    model.train()
    task.ready(model)
    step(task, model, batch)
    assert model.encoder.training
    assert model.encoder.blocks[0].mlp is not None
    assert all(each.grad is not None for each in model.encoder.blocks.parameters())


@ALL
def test_drop_path_is_set(kind):
    for settings, rate in (({"drop_path": 0.3}, 0.3), ({}, 0.0), ({"drop_path": 0.3, "freeze": True}, 0.0)):
        model = model_of(fitted(kind, **settings))
        depth = len(model.encoder.blocks)
        assert [block.drop_path for block in model.encoder.blocks] == drop_path_rates(depth, rate)
    # and is drawn by the keys alone
    task, batch = fitted(kind, drop_path=0.6), batch_of(kind)
    model = model_of(task)
    losses = []
    for key in (batch.key, batch.key, made_keys(5, 4)):
        torch.manual_seed(len(losses))
        losses.append({name: float(each) for name, each in step(task, model, replace(batch, key=key)).items()})
    assert losses[0] == losses[1] != losses[2]


@ALL
def test_a_frozen_encoder_costs_a_third(kind):
    batch = batch_of(kind)
    flops = [task.prepare(model_of(task), batch).flops for task in (fitted(kind), fitted(kind, freeze=True))]
    assert flops[0] == 3 * flops[1] > 0


# -- judgements --------------------------------------------------------------------------------------------------------


def judged(task: Any, model: Backbone, batch: Batch) -> Any:
    model.eval()
    return task.judged(model, task.validating().prepare(model, batch))


def test_judged_classes():
    task, batch = fitted("class"), batch_of("class", batch=5)
    model, valid = model_of(task), torch.ones(batch.cube.shape, dtype=torch.bool)
    valid[3] = False
    batch = replace(batch, cube=with_valid(batch.cube, valid))
    table = judged(task, model, batch)
    answers = model.predict(batch.cube).classes
    assert isinstance(table, ConfusionCounts)
    for image, (truth, answer) in enumerate(zip(batch.target.tolist(), answers.tolist(), strict=True)):
        # the image without a valid pixel has no answer: the last column
        assert (answer == -1) == (image == 3)
        assert table.counts[image, truth, answer] == 1
        assert table.counts[image].sum() == 1


def test_judged_labels():
    task, batch = fitted("classes"), batch_of("classes", batch=5)
    model, valid = model_of(task), torch.ones(batch.cube.shape, dtype=torch.bool)
    valid[2] = False
    batch = replace(batch, cube=with_valid(batch.cube, valid))
    table = judged(task, model, batch)
    assert isinstance(table, LabelTable)
    np.testing.assert_array_equal(table.truth, batch.target)
    likely = model.predict(batch.cube).probabilities
    np.testing.assert_array_equal(table.probabilities, torch.nan_to_num(likely, 0.0))
    np.testing.assert_array_equal(table.predicted, likely > 0.5)
    assert not table.predicted[2].any()


@MAPS
def test_judged_masks(kind):
    task, batch = fitted(kind), batch_of(kind, holes=True)
    model = model_of(task)
    table = judged(task, model, batch)
    answers = model.predict(batch.cube).classes
    assert len(table) == 4
    seen = task.seen(batch.cube.valid)
    assert not seen.all()
    for image in range(4):
        truth = batch.target[image]
        assert table.counts[image].sum() == int((truth >= 0).sum())
        assert table.counts[image, :, -1].sum() == int(((truth >= 0) & ~seen[image]).sum())
        right = (answers[image] == truth) & (truth >= 0)
        assert np.trace(table.counts[image, :, :-1]) == int(right.sum())


# -- what is not known changes nothing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["light", "dense"])
@MAPS
def test_what_stands_at_ignored_pixels_does_not_matter(kind, head):
    settings = {"head": head, "dice_weight": 0.5, "smoothing": 0.1, "cutmix": 1.0, "erasing": 0.5, "drop_path": 0.2}
    task, batch = fitted(kind, weights=tuple(range(1, 1 + SEVERAL[kind])), **settings), batch_of(kind, holes=True)
    other = batch.target.clone()
    other[other < 0] = torch.arange(2, 2 + int((other < 0).sum())).to(torch.int16) % 120 - 127
    assert (other[batch.target < 0] < -1).any()
    junk = batch.cube.values.clone()
    junk[~batch.cube.valid] = torch.nan
    changed = replace(batch, target=other, cube=replace(batch.cube, values=junk))
    assert_same_training(task, batch, changed)


@pytest.mark.parametrize("kind", ["class", "classes"])
def test_what_stands_at_invalid_pixels_does_not_matter(kind):
    task = fitted(kind, mixup=0.8, cutmix=1.0, erasing=0.5, smoothing=0.1, dropout=0.2, hidden=16)
    batch = batch_of(kind, holes=True)
    junk = batch.cube.values.clone()
    junk[~batch.cube.valid] = 1e6
    assert_same_training(task, batch, replace(batch, cube=replace(batch.cube, values=junk)))


def assert_same_training(task: Objective, batch: Batch, changed: Batch) -> None:
    found = []
    for each in (batch, changed):
        model = model_of(task)
        optimizer = make_optimizer(model, lr=0.01, layer_decay=0.75)
        losses = []
        for draw in (3, 4, 5):
            losses.append(step(task, model, replace(each, draw=draw)))
            optimizer.step()
        gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        found.append((losses, gradients, model.state_dict(), judged(task, model, each)))
    for one, other in zip(found[0][0], found[1][0], strict=True):
        assert {name: float(loss) for name, loss in one.items()} == {name: float(loss) for name, loss in other.items()}
        assert all(loss.isfinite() for loss in one.values())
    for part in (1, 2):
        assert found[0][part].keys() == found[1][part].keys()
        for name, tensor in found[0][part].items():
            assert torch.equal(tensor, found[1][part][name]), name
    tables = [each[3] for each in found]
    if isinstance(tables[0], ConfusionCounts):
        np.testing.assert_array_equal(tables[0].counts, tables[1].counts)
    else:
        np.testing.assert_array_equal(tables[0].probabilities, tables[1].probabilities)


def test_every_objective_chooses_and_names_its_labels():
    assert {kind: objective(kind).labels for kind in KINDS} == {kind: kind for kind in KINDS}
    for kind, each in OBJECTIVES.items():
        assert each.chooses
        assert kind in find(each.task).targets
        assert find(each.task).objective is each


def test_prepared_counts_are_known_before_the_model_answers():
    """Batches of a step and processes add them up, so they depend on targets alone."""
    for kind in KINDS:
        task, batch = fitted(kind, smoothing=0.1), batch_of(kind, holes=True)
        prepared: Prepared = task.prepare(model_of(task), batch)
        parts = [task.prepare(model_of(task), part_of(batch, part)) for part in (slice(0, 1), slice(1, 4))]
        for name, count in prepared.counts.items():
            assert float(count) == sum(float(part.counts[name]) for part in parts)


def part_of(batch: Batch, part: slice) -> Batch:
    return Batch(batch.cube.part(part), batch.key[part], batch.draw, batch.target[part])
