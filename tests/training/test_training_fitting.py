"""A run that fits a head to labels: it learns them and nothing else, keeps its best state, and refuses other labels."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from made_fits import NAMES, fit_recipe, labelled_shards
from made_runs import made_recipe, made_shards, records_of, weights_of
from spectralgpt.data import centred, centred_mask, open_shards
from spectralgpt.errors import DataError, OptionError
from spectralgpt.nn import ReadOut, ReadOutConfig, Size
from spectralgpt.training import Schedule, run_training, stages, validation
from spectralgpt.training.stage_data import stage_data
from spectralgpt.weights import PretrainedModel, open_weights

KINDS = ("class", "classes", "mask", "change")
ALL = pytest.mark.parametrize("kind", KINDS)
LEARNT = {"class": 0.99, "classes": 0.95, "mask": 0.95, "change": 0.95}
"""Accuracy, mean average precision, mean IoU and F1 of change."""
NOT_LEARNT = {"class": 0.5, "classes": 0.85, "mask": 0.6, "change": 0.85}
"""Above chance, which is 0.7 for the labels of which half apply, and for the half of the pixels that changed."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("labelled")
    return {kind: labelled_shards(folder / kind, kind, ignored=3) for kind in KINDS}


def train(recipe: Any, shards: Path, out: Path) -> PretrainedModel:
    """The weights at the end of a run."""
    result = run_training(recipe, shards, out, device="cpu")
    assert result.finished
    assert result.weights is not None
    return open_weights(result.weights)


def quick(kind: str, **changes: Any) -> Any:
    """A few steps."""
    return fit_recipe(kind, **{"steps": 4, "task__judge_every": 1.0} | changes)


def scores_of(run: Path) -> list[tuple[float, float]]:
    """Steps and scores of all judgements."""
    return [(each["step"], each["val_score"]) for each in records_of(run) if "val_score" in each]


# -- what is learnt ----------------------------------------------------------------------------------------------------


@ALL
def test_it_learns_the_labels_of_eight_samples(kind, shards, tmp_path):
    model = train(fit_recipe(kind, schedule__lr=1e-2), shards[kind], tmp_path / "run")
    assert max(score for _, score in scores_of(tmp_path / "run")) > LEARNT[kind]
    assert [each.name for each in model.classes] == list(NAMES[kind])
    # and answers the samples that it was trained on
    source = open_shards(shards[kind])
    rows = np.flatnonzero(np.array(source.splits(0)) == "train")
    samples = source.read(0, rows)
    assert len(samples) == 8
    cube = centred(samples, 32, model.config.bands, model.normalization, own=False, trained_side=32, device="cpu")
    answers, target = model.predict(cube).classes, samples.target
    if kind in ("mask", "change"):
        target = centred_mask(samples, 32)
        assert (target < 0).any()
    known = target >= 0 if target.dtype != torch.bool else torch.ones_like(target)
    assert float((answers == target)[known].float().mean()) > 0.95


@ALL
def test_shuffled_labels_say_nothing_about_other_samples(kind, tmp_path):
    shuffled = labelled_shards(tmp_path / "shards", kind, shuffled=True, ignored=3)
    train(fit_recipe(kind, schedule__lr=1e-2, task__judge_every=20.0), shuffled, tmp_path / "run")
    assert scores_of(tmp_path / "run")[-1][1] < NOT_LEARNT[kind]


@ALL
def test_all_that_makes_training_harder_together(kind, shards, tmp_path):
    settings = {"erasing": 0.25, "smoothing": 0.1, "cutmix": 1.0, "drop_path": 0.2, "balance": 0.5, "focus": 1}
    settings |= {"dice_weight": 0.5} if kind in ("mask", "change") else {"mixup": 0.8, "dropout": 0.1, "hidden": 16}
    changes = {f"task__{name}": each for name, each in settings.items()}
    model = train(quick(kind, steps=6, recipe__ema=0.9, **changes), shards[kind], tmp_path / "run")
    assert len(scores_of(tmp_path / "run")) == 3
    assert all(np.isfinite(record["loss"]) for record in records_of(tmp_path / "run") if "loss" in record)
    stored = json.loads((tmp_path / "run/config.json").read_text())["recipe"]["stages"][0]["task"]
    assert stored["classes"] == len(NAMES[kind]) == len(model.classes)
    assert len(stored["weights"]) == len(NAMES[kind])
    again = quick(kind, steps=6, recipe__ema=0.9, **changes)
    assert run_training(again, shards[kind], tmp_path / "run", device="cpu").notes == ("resumed from step-00000006",)


def test_weights_are_those_of_the_part_to_train_on(shards, tmp_path):
    for kind in KINDS:
        recipe = quick(kind)
        data = stage_data(recipe.stages[0], shards[kind], recipe.model.config(32).bands, 0.02)
        counts, total = data.label_counts()
        source = open_shards(shards[kind])
        target = source.read(0, np.flatnonzero(np.array(source.splits(0)) == "train")).target.numpy()
        if kind == "classes":
            assert (counts.tolist(), total) == (target.sum(axis=0).tolist(), 8)
        else:
            assert counts.tolist() == [(target == each).sum() for each in range(len(NAMES[kind]))]
            assert total == (target >= 0).sum() == counts.sum()
        assert total < 8 * 32 * 32


# -- the best state ----------------------------------------------------------------------------------------------------


@pytest.fixture
def judging(monkeypatch) -> Any:
    """Scores and losses that judgements give, one after the other; and the fingerprints of the models judged."""
    told = SimpleNamespace(scores=[], losses=[], models=[])

    def validate(model, *_, judged=False):
        number = len(told.models)
        told.models.append(model.fingerprint())
        return validation.Validation({"val_loss": told.losses[number]}, [], told.scores[number] if judged else 0.0)

    monkeypatch.setattr(stages, "validate", validate)
    return told


@pytest.mark.parametrize("ema", [None, 0.5])
@pytest.mark.parametrize(
    ("scores", "losses", "best"),
    [
        ([0.2, 0.9, 0.5, 0.4], [1.0, 1.0, 1.0, 1.0], 1),
        ([0.2, 0.3, 0.5, 0.9], [1.0, 2.0, 3.0, 4.0], 3),
        ([0.9, 0.3, 0.5, 0.8], [5.0, 2.0, 1.0, 1.0], 0),
        # of equal scores the lower loss, of equal losses the earlier
        ([0.9, 0.9, 0.9, 0.9], [5.0, 2.0, 1.0, 1.5], 2),
        ([0.7, 0.9, 0.9, 0.9], [5.0, 2.0, 2.0, 2.0], 1),
        # a loss that is no number is the highest
        ([0.0, 0.0, 0.0, 0.0], [float("nan"), 3.0, 2.0, 2.5], 2),
    ],
)
def test_the_best_state_is_kept(scores, losses, best, ema, judging, shards, tmp_path):
    judging.scores, judging.losses = scores, losses
    model = train(quick("class", steps=8, recipe__ema=ema), shards["class"], tmp_path / "run")
    assert len(set(judging.models)) == 4
    assert judging.models.index(model.fingerprint()) == best
    assert model.provenance["steps"] == 2 * (best + 1)


def test_of_two_classes_the_state_of_the_lowest_loss_is_kept(judging, shards, tmp_path):
    """A threshold is chosen afterwards: at a half, the score of a rare class may be 0 in all but the first states."""
    judging.scores, judging.losses = [0.1, 0.0, 0.0, 0.0], [3.0, 2.0, 1.0, 1.5]
    out = tmp_path / "run"
    model = train(quick("change", steps=8), shards["change"], out)
    assert len(NAMES["change"]) == 2
    assert judging.models.index(model.fingerprint()) == 2
    assert [record["kept"] for record in records_of(out) if "kept" in record] == [True, True, True, False]


def test_epochs_between_judgements(judging, shards, tmp_path):
    judging.scores, judging.losses = [0.5] * 9, [1.0] * 9
    # two steps per epoch; the last step is always judged
    for every, steps in ((1.0, [2, 4, 5]), (0.5, [1, 2, 3, 4, 5]), (1.5, [3, 5]), (99, [5])):
        judging.models.clear()
        out = tmp_path / str(every)
        train(quick("class", steps=5, task__judge_every=every), shards["class"], out)
        assert [step for step, _ in scores_of(out)] == steps


def test_pictures_in_between_do_not_choose(judging, shards, tmp_path):
    judging.scores, judging.losses = [0.5] * 9, [1.0, 0.1, 0.1, 0.5]
    recipe = quick("class", steps=4, task__judge_every=99, machine__picture_every=1)
    model = train(recipe, shards["class"], tmp_path / "run")
    assert len(judging.models) == 4
    assert model.fingerprint() == judging.models[3]
    assert not (tmp_path / "run/pictures").exists() or not list((tmp_path / "run/pictures").glob("step*"))


def test_a_score_is_of_all_held_back_samples(shards, tmp_path):
    """Also of those that the losses in between are not of."""
    many = labelled_shards(tmp_path / "shards", "class", counts={"train": 4, "val": 150})
    looked: list[int] = []
    recipe = quick("class", steps=1)
    data = stage_data(recipe.stages[0], many, recipe.model.config(32).bands, 0.02)
    assert data.held_count == 150
    for most in (None, 48):
        looked.append(sum(len(samples) for samples, _ in data.held_samples(most)))
    assert looked == [150, 48]
    train(recipe, many, tmp_path / "run")
    assert 0 <= scores_of(tmp_path / "run")[0][1] <= 1


def test_the_score_is_that_of_the_metrics(shards, tmp_path):
    """Image by image from the weights, without the run."""
    out = tmp_path / "run"
    model = train(quick("class", steps=2, schedule__lr=1e-2), shards["class"], out)
    source = open_shards(shards["class"])
    samples = source.read(0, np.flatnonzero(np.array(source.splits(0)) == "val"))
    cube = centred(samples, 32, model.config.bands, model.normalization, own=False, trained_side=32, device="cpu")
    right = float((model.predict(cube).classes == samples.target).float().mean())
    assert scores_of(out) == [(2.0, pytest.approx(right))]


@pytest.mark.parametrize("kind", ["class", "mask"])
def test_without_a_part_to_judge_the_last_state_is_kept(kind, tmp_path):
    shards = labelled_shards(tmp_path / "shards", kind, counts={"train": 8, "test": 4})
    model = train(quick(kind), shards, tmp_path / "run")
    assert model.provenance["steps"] == 4
    assert not scores_of(tmp_path / "run")
    assert not (tmp_path / "run/best").exists()


def test_without_any_parts_places_are_held_back(tmp_path):
    shards = labelled_shards(tmp_path / "shards", "class", counts={"": 40})
    train(quick("class", recipe__held_back=0.3), shards, tmp_path / "run")
    assert len(scores_of(tmp_path / "run")) >= 1


# -- where it starts ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory) -> Path:
    """Weights with all that pretraining may have: a conditional mean, descriptors, and a measured read-out."""
    folder = tmp_path_factory.mktemp("pretrained")
    recipe = made_recipe(steps=(2, 2))
    choice = replace(recipe.model, conditional_mean=True, shape=Size(32, 2, 2, 32, 1, 2))
    first, second = (stage.but(descriptor_weight=0.5) for stage in recipe.stages)
    recipe = replace(recipe, stages=(first, second), model=choice)
    result = run_training(recipe, made_shards(folder / "shards"), folder / "run", device="cpu")
    model = open_weights(result.weights)
    model.read_out = ReadOut(ReadOutConfig((1, 2), (1, 2), 8), model.config.size.dim)
    model.save_pretrained(folder / "weights")
    return folder / "weights"


@ALL
def test_from_pretrained_weights(kind, pretrained, shards, tmp_path):
    start = open_weights(pretrained)
    assert start.read_out is not None
    assert start.config.conditional_mean
    assert start.config.descriptors
    model = train(quick(kind, steps=1, schedule__lr=1e-9, model__weights=str(pretrained)), shards[kind], tmp_path / "r")
    assert model.read_out is None
    assert not model.config.conditional_mean
    assert not model.config.descriptors
    assert model.normalization == start.normalization
    assert model.provenance["from"]["weights"] == start.fingerprint()
    own, given = model.state_dict(), start.state_dict()
    assert not [name for name in own if name.startswith(("decoder.", "conditional_mean.", "descriptor"))]
    for name in (each for each in own if each.startswith("encoder.") and own[each].shape == given[each].shape):
        torch.testing.assert_close(own[name], given[name], atol=1e-6, rtol=0)
    # as the paper's fine-tuning: the last layer is drawn near zero
    if kind in ("class", "classes"):
        assert own["head.out.weight"].std() < 1e-4


def test_from_a_classifier(shards, tmp_path):
    start = train(quick("class", schedule__lr=1e-2), shards["class"], tmp_path / "first")
    weights = str(tmp_path / "first/weights")
    head = start.state_dict()["head.out.weight"]
    tiny = {"steps": 1, "schedule__lr": 1e-9, "model__weights": weights}
    same = train(quick("class", **tiny), shards["class"], tmp_path / "same")
    torch.testing.assert_close(same.state_dict()["head.out.weight"], head, atol=1e-6, rtol=0)
    names = {"class": ("a", "b", "c", "d"), "more": ("water", "forest", "field", "town", "sea")}
    for name, each in names.items():
        others = labelled_shards(tmp_path / name, "class", names=each)
        other = train(quick("class", **tiny), others, tmp_path / f"{name}-run")
        assert [one.name for one in other.classes] == list(each)
        assert other.state_dict()["head.out.weight"].abs().max() < 0.01 < head.abs().max()
        encoder = "encoder.embedding.weight"
        torch.testing.assert_close(other.state_dict()[encoder], start.state_dict()[encoder], atol=1e-6, rtol=0)


# -- the optimizer -----------------------------------------------------------------------------------------------------


@pytest.fixture
def optimizers(monkeypatch) -> list[tuple[Any, Any]]:
    """The models and optimizers of the runs."""
    found: list[tuple[Any, Any]] = []
    steps = stages.train_steps

    def watched(model, optimizer, *args, **kwargs):
        found.append((model, optimizer))
        return steps(model, optimizer, *args, **kwargs)

    monkeypatch.setattr(stages, "train_steps", watched)
    return found


@ALL
@pytest.mark.parametrize("decay", [0.5, None])
def test_layer_wise_rates(kind, decay, optimizers, shards, tmp_path):
    rates = {"schedule__layer_decay": decay, "schedule__head_factor": 5.0, "schedule__warmup": 0.0}
    train(quick(kind, steps=2, **rates), shards[kind], tmp_path / "run")
    ((model, optimizer),) = optimizers
    scales = {id(each): group["lr_scale"] for group in optimizer.param_groups for each in group["params"]}
    for name, parameter in model.named_parameters():
        layer = 3
        if name.startswith(("encoder.embedding", "encoder.positions")):
            layer = 0
        elif name.startswith("encoder.blocks."):
            layer = 1 + int(name.split(".")[2])
        assert scales[id(parameter)] == (5.0 if layer == 3 else (decay or 1.0) ** (3 - layer)), name
    found = {group["lr"] / group["lr_scale"] for group in optimizer.param_groups}
    assert max(found) == pytest.approx(min(found))


def test_a_head_that_does_not_learn_is_refused():
    with pytest.raises(OptionError, match="head_factor: found 0; expected more than 0"):
        Schedule(steps=1, head_factor=0)


@ALL
def test_a_frozen_encoder_comes_out_as_it_went_in(kind, optimizers, pretrained, shards, tmp_path):
    frozen = {"task__freeze": True, "recipe__ema": 0.5, "schedule__weight_decay": 0.5, "schedule__lr": 0.1}
    recipe = quick(kind, machine__save_every=1, model__weights=str(pretrained), **frozen)
    model = train(recipe, shards[kind], tmp_path / "run")
    # made for the size of the new images before training
    start = open_weights(pretrained).resized(32)
    for name, each in model.state_dict().items():
        if name.startswith("encoder."):
            assert torch.equal(each, start.state_dict()[name]), name
    ((trained, optimizer),) = optimizers
    kept = {id(each) for each in trained.encoder.parameters()}
    assert not any(id(each) in kept for group in optimizer.param_groups for each in group["params"])
    assert not trained.encoder.training


def test_a_head_first_and_then_all_of_it(shards, tmp_path):
    recipe = quick("class", schedule__lr=1e-2)
    (stage,) = recipe.stages
    recipe = replace(recipe, stages=(stage.but(name="head", freeze=True), stage.but(name="all", layer_decay=0.75)))
    whole = train(recipe, shards["class"], tmp_path / "run")
    first, second = (open_weights(tmp_path / f"run/best/stage-{number}") for number in (1, 2))
    assert whole.provenance["stages"][: len(whole.provenance["stages"])] == ["head", "all"]
    assert first.provenance["stages"] == ["head"]
    name = "encoder.embedding.weight"
    assert not torch.equal(first.state_dict()[name], second.state_dict()[name])
    assert torch.equal(whole.state_dict()[name], second.state_dict()[name])


def test_the_next_stage_starts_from_the_best_state(judging, shards, tmp_path):
    """Not from the last; here of the second of four judgements."""
    judging.scores, judging.losses = [0.2, 0.9, 0.5, 0.4, 0.1], [1.0] * 5
    recipe = quick("class", steps=8, schedule__lr=1e-2)
    (stage,) = recipe.stages
    still = stage.but(name="still", lr=1e-12, steps=1, weight_decay=0.0)
    train(replace(recipe, stages=(stage, still)), shards["class"], tmp_path / "run")
    first, second = (open_weights(tmp_path / f"run/best/stage-{number}") for number in (1, 2))
    assert judging.models.index(first.fingerprint()) == 1
    assert second.provenance["steps"] == 9
    before, after = first.state_dict(), second.state_dict()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0, msg=name)


# -- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "given"), [("class", "classes"), ("mask", "class"), ("change", "mask")])
def test_labels_of_another_kind(kind, given, shards, tmp_path):
    message = f"{given}: found samples with {given} labels; expected labels of the kind {kind}, for stage fit"
    with pytest.raises(DataError, match=message):
        run_training(quick(kind), shards[given], tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_samples_without_labels(tmp_path):
    shards = made_shards(tmp_path / "shards")
    with pytest.raises(DataError, match="found samples with no labels; expected labels of the kind class"):
        run_training(quick("class"), shards, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_other_classes_in_two_folders(tmp_path):
    for number, names in enumerate((("water", "forest"), ("forest", "water"))):
        labelled_shards(tmp_path / f"data/{number}", "class", names=names)
    recipe = quick("class")
    (stage,) = recipe.stages
    sources = [replace(stage.data.sources[0], shards=str(number)) for number in range(2)]
    together = replace(recipe, stages=(stage.but(sources=tuple(sources)),))
    apart = replace(recipe, stages=tuple(stage.but(name=each.shards, sources=(each,)) for each in sources))
    for each in (together, apart):
        with pytest.raises(DataError, match=r"data.0, .*data.1: found different classes; expected the same in all"):
            run_training(each, tmp_path / "data", tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()
    same = [replace(sources[0]), replace(sources[0])]
    train(replace(recipe, stages=(stage.but(sources=tuple(same)),)), tmp_path / "data", tmp_path / "run")


def test_another_number_of_classes(shards, tmp_path):
    with pytest.raises(OptionError, match="classes: found 7; expected the 4 of the labels"):
        run_training(quick("class", task__classes=7), shards["class"], tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("dates", [1, 3])
def test_change_is_of_two_dates(dates):
    (stage,) = quick("change").stages
    with pytest.raises(OptionError, match=f"stage fit, dates: found {dates}; expected 2 for change, before and after"):
        stage.but(dates=dates)


def test_no_sample_to_train_on(tmp_path):
    shards = labelled_shards(tmp_path / "shards", "class", counts={"val": 3, "test": 3})
    with pytest.raises(DataError, match="found no samples for stage fit"):
        run_training(quick("class"), shards, tmp_path / "run", device="cpu")


def test_the_same_run_gives_the_same_weights(shards, tmp_path):
    changes = {"task__mixup": 0.8, "task__erasing": 0.3, "task__drop_path": 0.3, "recipe__ema": 0.8}
    for name in ("one", "other"):
        train(quick("class", steps=4, **changes), shards["class"], tmp_path / name)
    assert weights_of(tmp_path / "one") == weights_of(tmp_path / "other")
    train(quick("class", steps=4, recipe__seed=4, **changes), shards["class"], tmp_path / "third")
    assert weights_of(tmp_path / "one") != weights_of(tmp_path / "third")
