"""The loop in its thinnest form: it learns, it measures what it did, and it stops when the loss is lost."""

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land

from made_loop import random_crops, train
from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import Cube, MaskedAutoencoder, ModelConfig, Scaling, Size
from spectralgpt.tasks import Objective, Prepared, Pretraining
from spectralgpt.training import DivergedError, cosine, make_optimizer

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
def test_the_loss_falls(holes):
    torch.manual_seed(0)
    model = MaskedAutoencoder(CONFIG)
    batches = random_crops(image(holes), 32, 4, 0)
    objective = Pretraining(0.75)
    records = train(model, batches, objective, steps=60, lr=3e-3, warmup=5, precision="fp32")
    assert records[-1]["loss"] < 0.6 * records[0]["loss"]
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


def test_every_parameter_is_in_one_group():
    model = MaskedAutoencoder(CONFIG)
    plain, decayed = (group["params"] for group in make_optimizer(model, lr=1e-3).param_groups)
    assert len(plain) + len(decayed) == len(list(model.parameters()))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {"decoder.mask_token", "encoder.positions.place", "encoder.positions.season"} <= {
        names[id(p)] for p in decayed
    }
    assert all(names[id(p)].endswith((".bias", "norm.weight", "norm1.weight", "norm2.weight")) for p in plain)
