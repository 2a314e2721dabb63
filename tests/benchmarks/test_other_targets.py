"""A moving copy is never trained; agreement is worked out by hand; runs resume and leave plain weights."""

import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
for folder in ("benchmarks", "tests/training"):
    sys.path.insert(0, str(ROOT / folder))

from other_targets import (  # noqa: E402
    STARTS,
    Agreement,
    MovingCopy,
    MovingCopyOfHidden,
    Pairs,
    disagreement,
    move,
    register,
)

from made_runs import made_recipe, made_shards, records_of, weights_of  # noqa: E402
from spectralgpt.bands import BandSet, sensor  # noqa: E402
from spectralgpt.nn import BandStatistics, Cube, ModelConfig, Normalization, Scaling, Size  # noqa: E402
from spectralgpt.tasks import Batch, Pretraining  # noqa: E402
from spectralgpt.training.stages import run_training  # noqa: E402
from spectralgpt.weights import SpectralGPT, load_model  # noqa: E402

register()

BANDS = sensor("s2-l2a").bands
CONFIG = ModelConfig(Size(32, 2, 2, 48, 1, 3), BandSet.native(BANDS), image=32)
COPIES = {MovingCopy: "local, copy of seen tokens", MovingCopyOfHidden: "local, copy of hidden tokens"}


def model_with(start: str | None = None) -> SpectralGPT:
    torch.manual_seed(0)
    units = Normalization("standard", tuple(BandStatistics(band, 2.5, 0.5) for band in BANDS))
    model = SpectralGPT(CONFIG, units)
    if start is not None:
        STARTS[start](model)
    return model.train()


def batch_of(dates: int = 1, samples: int = 4, holes: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(samples, dates, len(BANDS), 32, 32, generator=generator)
    valid = None
    if holes:
        valid = torch.ones_like(values, dtype=torch.bool)
        valid[1, :, :, :16] = False
    flat = torch.zeros(samples, dates, len(BANDS))
    days = torch.arange(18000, 18000 + dates, dtype=torch.int32).expand(samples, -1)
    cube = Cube(values, valid, CONFIG.bands, days, torch.full((samples,), 10.0), Scaling("standard", flat, flat + 1))
    return Batch(cube, torch.arange(samples), 0)


# -- the copy ----------------------------------------------------------------------------------------------------------


def test_the_copy_moves_by_its_decay():
    moving, towards = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(moving.weight, 2.0)
    torch.nn.init.constant_(towards.weight, 4.0)
    move(moving, towards, 0.75)
    assert moving.weight.item() == pytest.approx(2.5)
    assert towards.weight.item() == 4.0


@pytest.mark.parametrize("objective", COPIES)
@pytest.mark.parametrize("fraction", [0.5, 1.0])
@pytest.mark.parametrize("holes", [False, True])
def test_features_of_the_copy_train_the_model_and_not_the_copy(objective, fraction, holes):
    model = model_with(COPIES[objective])
    task = objective(mask_ratio=0.75, decode_fraction=fraction)
    prepared = task.prepare(model, batch_of(holes=holes))
    work = prepared.work
    assert prepared.counts["copy"] == work.counted.sum() * 2 * CONFIG.size.dim
    # each half of the features has its own units
    halves = work.wanted.unflatten(-1, (2, -1))[work.counted]
    assert halves.mean(dim=-1).abs().max() < 1e-5
    assert (halves.var(dim=-1, unbiased=False) - 1).abs().max() < 1e-2
    totals = task.totals(model, prepared)
    assert totals.keys() == prepared.counts.keys()
    totals["copy"].backward()
    assert all(each.grad is None for each in model.moving_copy.parameters())
    assert model.copied.weight.grad.abs().sum() > 0
    assert model.encoder.embedding.weight.grad.abs().sum() > 0
    # from hidden tokens the decoder is trained as well, from seen ones it is not
    trained = model.decoder.blocks[0].mlp.fc1.weight.grad
    assert (trained is not None and bool(trained.abs().sum() > 0)) == (objective is MovingCopyOfHidden)


def test_the_copy_moves_in_training_only():
    model = model_with(COPIES[MovingCopy])
    with torch.no_grad():
        model.encoder.embedding.weight.add_(1.0)
    before = model.moving_copy.embedding.weight.clone()
    MovingCopy().prepare(model.eval(), batch_of())
    assert torch.equal(model.moving_copy.embedding.weight, before)
    MovingCopy().prepare(model.train(), batch_of())
    assert (model.moving_copy.embedding.weight - before).mean().item() == pytest.approx(0.004, rel=1e-3)


def test_other_losses_stay_as_they_are():
    model, batch = model_with(COPIES[MovingCopy]), batch_of()
    plain, task = Pretraining(), MovingCopy()
    expected = plain.totals(model, plain.prepare(model, batch))
    found = task.totals(model, task.prepare(model, batch))
    assert {name: found[name].item() for name in expected} == {name: each.item() for name, each in expected.items()}
    assert task.validating() == plain.validating()
    assert type(task.validating()) is Pretraining


# -- agreement ---------------------------------------------------------------------------------------------------------


def test_disagreement_by_hand():
    # deviations of sqrt(4 / 3) and 2 x sqrt(4 / 3), above 1; covariance 0
    one = torch.tensor([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    assert disagreement(one, one).item() == pytest.approx(0)
    assert disagreement(one, one + 3).item() == pytest.approx(9)
    # without spread: each view is 1 - sqrt(1e-4) below
    assert disagreement(torch.ones(4, 2), torch.ones(4, 2)).item() == pytest.approx(0.99)
    # both values alike: covariances of 4 / 3 on either side of the diagonal, over 2 values, for each view
    alike = one[:, :1].expand(-1, 2)
    assert disagreement(alike, alike).item() == pytest.approx(0.04 * 2 * (2 * (4 / 3) ** 2 / 2))
    assert disagreement(one[:1], one[:1] + 3).item() == 0


@pytest.mark.parametrize("dates", [1, 2, 3])
def test_pairs_are_two_dates_or_two_masks(dates):
    batch, model = batch_of(dates), model_with()
    prepared = Pairs(mask_ratio=0.75).prepare(model, batch)
    cube, mask = prepared.work.cube, prepared.work.mask
    assert cube.shape[:2] == (8, 1)
    assert prepared.samples == 8
    assert torch.equal(cube.values[:4, 0], batch.cube.values[:, 0])
    assert torch.equal(cube.values[4:, 0], batch.cube.values[:, min(1, dates - 1)])
    assert not torch.equal(mask.hidden[:4], mask.hidden[4:])
    assert "agreement" not in prepared.counts


@pytest.mark.parametrize("holes", [False, True])
def test_agreement_trains_the_encoder_alone(holes):
    model, task = model_with(), Agreement(mask_ratio=0.75)
    prepared = task.prepare(model, batch_of(2, holes=holes))
    totals = task.totals(model, prepared)
    assert totals.keys() == prepared.counts.keys()
    assert prepared.counts["agreement"] == 4
    totals["agreement"].backward()
    assert model.encoder.embedding.weight.grad.abs().sum() > 0
    assert all(each.grad is None for each in model.decoder.parameters())


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [*COPIES, Agreement])
def test_a_run_is_resumed_and_leaves_plain_weights(objective, tmp_path):
    shards, made = made_shards(tmp_path / "shards"), made_recipe(steps=(4, 1), save_every=2, keep=2)
    stage = made.stages[0]
    settings = {each.name: getattr(stage.task, each.name) for each in fields(stage.task)}
    model = replace(made.model, start=COPIES[objective]) if objective in COPIES else made.model
    recipe = replace(made, stages=(replace(stage, task=objective(**settings)).but(dates=2),), model=model)
    whole = run_training(recipe, shards, tmp_path / "whole")
    assert whole.finished
    assert type(load_model(whole.weights, "cpu")) is SpectralGPT
    # as if killed after step 2
    (tmp_path / "whole").rename(tmp_path / "part")
    expected, log = weights_of(tmp_path / "part"), records_of(tmp_path / "part")
    for gone in (tmp_path / "part/checkpoints/step-00000004", tmp_path / "part/weights"):
        gone.rename(tmp_path / gone.name)
    again = run_training(recipe, shards, tmp_path / "part")
    assert again.finished
    assert weights_of(tmp_path / "part") == expected
    assert records_of(tmp_path / "part") == log
