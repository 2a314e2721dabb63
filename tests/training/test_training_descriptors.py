"""Descriptors of places as a third target of pretraining."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from made_runs import made_recipe, made_shards, records_of
from made_training import assert_optional_part
from spectralgpt.bands import BandSet, sensor
from spectralgpt.errors import OptionError
from spectralgpt.nn import BandStatistics, Cube, Mask, ModelConfig, Normalization, Scaling, Size, bare
from spectralgpt.nn.descriptors import descriptor_count
from spectralgpt.tasks import Batch, Pretraining
from spectralgpt.training import Recipe, run_training
from spectralgpt.weights import SpectralGPT
from spectralgpt.weights.models import new_weights

OBJECTIVE = Pretraining(mask_ratio=0.5, descriptor_weight=2.0)
BANDS = BandSet.native(sensor("s2-l2a").bands)


def made_model(descriptors: bool = True, bands: BandSet = BANDS) -> SpectralGPT:
    torch.manual_seed(0)
    config = ModelConfig(Size(32, 1, 2, 32, 1, 2), bands, image=16, place_nodes=(2, 2), descriptors=descriptors)
    made = new_weights(
        "pretraining",
        config,
        None,
        Normalization("standard", tuple(BandStatistics(band, 2.5, 0.5) for band in bands.bands)),
    )
    assert isinstance(made, SpectralGPT)
    return made


def made_cube(count: int = 4, bands: BandSet = BANDS) -> Cube:
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(count, 1, len(bands), 16, 16)).astype(np.float32))
    flat = torch.zeros(count, 1, len(bands))
    return Cube(
        values,
        None,
        bands,
        torch.full((count, 1), -1, dtype=torch.int32),
        torch.full((count,), 10.0),
        Scaling("min_max", flat, flat + 1),
    )


def batch_of(cube: Cube) -> Batch:
    return Batch(cube, torch.arange(cube.shape[0]), 7)


def losses(model: SpectralGPT, objective: Pretraining, cube: Cube) -> dict[str, torch.Tensor]:
    prepared = objective.prepare(model, batch_of(cube))
    totals = objective.totals(model, prepared)
    return {name: total / prepared.counts[name] for name, total in totals.items()}


def with_descriptors(recipe: Recipe, weight: float = 1.0) -> Recipe:
    stages = tuple(replace(each, task=replace(each.task, descriptor_weight=weight)) for each in recipe.stages)
    return replace(recipe, stages=stages)


def mask_of(model: SpectralGPT, cube: Cube) -> Mask:
    mask: Mask = OBJECTIVE.prepare(model, batch_of(cube)).work.mask
    return mask


def test_the_loss_is_the_error_of_what_the_model_says():
    model, cube = made_model(), made_cube()
    assert model.describe is not None
    torch.nn.init.zeros_(model.describe.weight)
    mask = mask_of(model, cube)
    wanted, known = model.descriptors(cube, mask)
    assert known.all()
    assert wanted.shape == (4, mask.kept, descriptor_count(12))
    assert losses(model, OBJECTIVE, cube)["descriptors"].item() == pytest.approx(
        2 * float(wanted.square().mean()), rel=1e-5
    )
    torch.nn.init.constant_(model.describe.bias, 0.5)
    found = losses(model, OBJECTIVE, cube)["descriptors"].item()
    assert found == pytest.approx(2 * float((wanted - 0.5).square().mean()), rel=1e-5)


def test_a_token_has_the_descriptors_of_its_place_and_date():
    model, cube = made_model(), made_cube()
    cube = replace(cube, values=torch.cat([cube.values, cube.values + 1], dim=1), days=cube.days.expand(-1, 2))
    flat = cube.scaling.centre.expand(-1, 2, -1)
    cube = replace(cube, scaling=Scaling("min_max", flat, flat + 1))
    mask = mask_of(model, cube)
    wanted, _ = model.descriptors(cube, mask)
    grid = model.grid_of(cube)
    for sample in range(4):
        for number, token in enumerate(mask.index[sample].tolist()):
            date, _, place = np.unravel_index(token, (grid.dates, grid.groups, grid.places))
            row, column = 8 * (place // grid.columns), 8 * (place % grid.columns)
            shown = cube.values[sample, date, :, row : row + 8, column : column + 8]
            torch.testing.assert_close(wanted[sample, number, :12], shown.mean(dim=(1, 2)), atol=1e-5, rtol=1e-5)


def test_it_teaches_the_encoder():
    model, cube = made_model(), made_cube()
    losses(model, OBJECTIVE, cube)["descriptors"].backward()
    assert model.encoder.embedding.weight.grad is not None
    assert model.encoder.embedding.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.decoder.parameters())


def test_a_missing_group_and_groups_of_the_files_own():
    model = made_model()
    some = BANDS.subset([0, 1, 2, 6, 7])
    cube = made_cube(bands=some)
    wanted, known = model.descriptors(cube, mask_of(model, cube))
    assert (known.sum(dim=-1) == descriptor_count(5)).all()
    assert not wanted[~known].any()
    own = BandSet.own(sensor("landsat8-c2l2").bands)
    cube = made_cube(bands=own)
    assert not model.descriptors(cube, mask_of(model, cube))[1].any()
    assert losses(model, OBJECTIVE, made_cube(bands=own))["descriptors"].isnan(), "0 of 0 values"


def test_samples_alone_make_the_sums_of_a_batch():
    model, cube = made_model(), made_cube()
    whole = OBJECTIVE.totals(model, OBJECTIVE.prepare(model, batch_of(cube)))["descriptors"]
    parts = [cube.part(slice(i, i + 1)) for i in range(4)]
    alone = [
        OBJECTIVE.totals(model, OBJECTIVE.prepare(model, Batch(each, torch.tensor([i]), 7)))["descriptors"]
        for i, each in enumerate(parts)
    ]
    assert sum(each.item() for each in alone) == pytest.approx(whole.item(), rel=1e-4)


def test_weights_without_them_have_no_tensor_and_keep_their_fingerprint(tmp_path):
    assert_optional_part(made_model(descriptors=False), made_model(), "descriptors", "describe", tmp_path)


def test_a_run_learns_them_and_another_goes_on_without(tmp_path):
    shards = made_shards(tmp_path / "shards")
    recipe = with_descriptors(made_recipe(steps=(40, 2), log_every=1))
    run_training(recipe, shards, tmp_path / "run")
    records = [each["descriptors"] for each in records_of(tmp_path / "run") if "lr" in each]
    assert np.mean(records[30:40]) < 0.8 * np.mean(records[:10])
    model = SpectralGPT.from_pretrained(tmp_path / "run" / "weights")
    assert model.describe is not None
    for weight, there in ((0.0, False), (2.0, True)):
        again = with_descriptors(made_recipe(steps=(1, 1)), weight)
        again = replace(again, model=replace(again.model, weights=str(tmp_path / "run" / "weights")))
        run_training(again, shards, tmp_path / f"run {weight}")
        found = SpectralGPT.from_pretrained(tmp_path / f"run {weight}" / "weights")
        assert (found.describe is not None) is there
        moved = found.encoder.embedding.weight - bare(model).encoder.embedding.weight
        assert moved.abs().max() < 0.1, "it starts from the given weights"


def test_all_stages_or_none():
    recipe = made_recipe()
    first, second = recipe.stages
    with pytest.raises(OptionError, match="descriptor_weight in some stages"):
        replace(recipe, stages=(first, replace(second, task=OBJECTIVE)))
    with pytest.raises(OptionError, match="descriptor_weight: found -1"):
        Pretraining(descriptor_weight=-1)
