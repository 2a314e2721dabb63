"""The loop in its thinnest form: it learns, it writes what it did, and it stops when the loss is lost."""

import json

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land

from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import Cube, MaskedAutoencoder, ModelConfig, Scaling, Size
from spectralgpt.tasks import Objective, Prepared, Pretraining
from spectralgpt.training import DivergedError, cosine, make_optimizer, random_crops, train

CONFIG = ModelConfig(Size(48, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))


def image(valid: bool) -> Cube:
    taken = [index for index, name in enumerate(NAMES) if name != "B10"]
    values = torch.from_numpy(land(96, 120)[taken].astype(np.float32))[None, None]
    flat = torch.zeros(1, 1, 12)
    holes = torch.ones_like(values, dtype=torch.bool)
    holes[..., 20:50, 30:60] = False
    return Cube(
        (values - 1500) / 800,
        holes if valid else None,
        CONFIG.bands,
        torch.tensor([[-1]], dtype=torch.int32),
        torch.tensor([10.0]),
        Scaling("standard", flat, flat + 1),
    )


@pytest.mark.parametrize("holes", [False, True])
def test_the_loss_falls_and_is_logged(holes, tmp_path):
    torch.manual_seed(0)
    model = MaskedAutoencoder(CONFIG)
    batches = random_crops(image(holes), 32, 4, 0)
    objective = Pretraining(0.75)
    log = tmp_path / "log.jsonl"
    records = train(model, batches, objective, steps=60, lr=3e-3, warmup=5, log=log, precision="fp32")
    assert records[-1]["loss"] < 0.6 * records[0]["loss"]
    assert [json.loads(line) for line in log.read_text().splitlines()] == records
    assert [record["step"] for record in records] == [10, 20, 30, 40, 50, 60]
    assert records[-1]["loss"] == pytest.approx(records[-1]["token"] + records[-1]["spectral"])
    assert not model.training


def test_the_same_seed_gives_the_same_weights():
    def trained() -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = MaskedAutoencoder(CONFIG)
        batches = random_crops(image(False), 32, 2, 1)
        train(model, batches, Pretraining(), steps=4, lr=1e-3, warmup=1)
        return list(model.state_dict().values())

    assert all(torch.equal(one, two) for one, two in zip(trained(), trained(), strict=True))


def test_the_learning_rate_is_the_schedule_s():
    model = MaskedAutoencoder(CONFIG)
    batches = random_crops(image(False), 16, 1, 0)
    objective = Pretraining()
    records = train(model, batches, objective, steps=8, lr=1e-3, warmup=2, log_every=1)
    assert [record["lr"] for record in records] == [cosine(step, steps=8, warmup=2, peak=1e-3) for step in range(1, 9)]


def test_a_loss_that_is_not_finite_stops_the_run():
    class Broken(Objective):
        """Fine in the first step, broken from the second on."""

        steps = 0

        def prepare(self, model, batch):
            self.steps += 1
            return Prepared({"token": torch.tensor(1)}, self.steps, 1, 1, 1.0)

        def totals(self, model, prepared):
            factor = torch.nan if prepared.work > 1 else 1.0
            return {"token": next(model.parameters()).sum() * factor}

    batches = random_crops(image(False), 16, 1, 0)
    with pytest.raises(DivergedError, match="step 2: found loss nan") as caught:
        train(MaskedAutoencoder(CONFIG), batches, Broken(), steps=9, lr=1e-3, warmup=2, log_every=3)
    assert caught.value.step == 2


@pytest.mark.parametrize("normalized", [False, True])
def test_normalized_targets_leave_the_spectral_loss_out(normalized):
    objective = Pretraining(normalized_target=normalized)
    model = MaskedAutoencoder(CONFIG)
    prepared = objective.prepare(model, next(random_crops(image(True), 24, 2, 0)))
    losses = objective.totals(model, prepared)
    assert set(losses) == set(prepared.counts)
    assert set(losses) == ({"token"} if normalized else {"token", "spectral"})


def test_crops_are_parts_of_the_image_turned_or_mirrored():
    whole = image(True)
    patches = whole.values[0, 0].unfold(1, 24, 1).unfold(2, 24, 1)
    crops = random_crops(whole, 24, 6, 0)
    seen_masked = False
    for _ in range(6):
        crop = next(crops).cube
        assert crop.shape == (6, 1, 12, 24, 24)
        for index, values in enumerate(crop.values):
            ways = [torch.rot90(each, turn, (-2, -1)) for each in (values[0], values[0].flip(-1)) for turn in range(4)]
            assert any(
                bool((patches[0] == way[0]).all(-1).all(-1).any())
                and bool((patches[7] == way[7]).all(-1).all(-1).any())
                for way in ways
            )
            if crop.valid is not None:
                # junk-free image: a hole is where the mask says, wherever it was turned to
                assert crop.valid[index].shape == values.shape
        seen_masked |= crop.valid is not None
    assert seen_masked
    assert next(random_crops(image(False), 24, 2, 0)).cube.valid is None


def test_every_parameter_is_in_one_group():
    model = MaskedAutoencoder(CONFIG)
    plain, decayed = (group["params"] for group in make_optimizer(model, lr=1e-3).param_groups)
    assert len(plain) + len(decayed) == len(list(model.parameters()))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {"decoder.mask_token", "encoder.positions.place", "encoder.positions.season"} <= {
        names[id(p)] for p in decayed
    }
    assert all(names[id(p)].endswith((".bias", "norm.weight", "norm1.weight", "norm2.weight")) for p in plain)
