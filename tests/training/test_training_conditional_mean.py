"""The conditional mean of hidden bands in runs: what it is measured on, and what it is to weights and other runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from made_runs import made_recipe, made_shards, records_of, state_of, weights_of
from made_training import assert_optional_part, differences, run_ranks
from spectralgpt.bands import BandSet, align, sensor
from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import Manifest
from spectralgpt.data.statistics import totals
from spectralgpt.data.table import Chip
from spectralgpt.data.writing import ShardsWriter
from spectralgpt.errors import OptionError, WeightsError
from spectralgpt.nn import BandStatistics, MaskedAutoencoder, ModelConfig, Normalization, Size
from spectralgpt.nn.conditional_mean import SMALLEST_VARIANCE, Gaussians
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Recipe, checkpoints, run, run_training
from spectralgpt.training.band_statistics import band_covariance, band_mixture
from spectralgpt.training.stage_data import StageData, stage_data, statistics
from spectralgpt.weights import SpectralGPT
from spectralgpt.weights.models import new_weights

BANDS = BandSet.native(sensor("spectralgpt-12").bands)
STANDARD = Normalization("standard", tuple(BandStatistics(band, 2.5, 0.5) for band in BANDS.bands))
SIDE = 24


def with_mean(recipe: Recipe, **model: object) -> Recipe:
    return replace(recipe, model=replace(recipe.model, **{"conditional_mean": True, **model}))


def made_model(on: bool = True, normalization: Normalization = STANDARD, gaussians: int = 1) -> SpectralGPT:
    torch.manual_seed(0)
    sizes = {"image": 16, "place_nodes": (2, 2)}
    config = ModelConfig(Size(32, 1, 2, 32, 1, 2), BANDS, **sizes, conditional_mean=on, gaussians=gaussians)
    made = new_weights("pretraining", config, None, normalization)
    assert isinstance(made, SpectralGPT)
    if made.conditional_mean is not None and gaussians == 1:
        made.conditional_mean.set_covariance(correlated(12))
    elif made.conditional_mean is not None:
        shares, means = torch.rand(gaussians), torch.randn(gaussians, 12)
        each = torch.from_numpy(np.stack([correlated(12, seed) for seed in range(gaussians)]))
        made.conditional_mean.set_mixture(Gaussians(shares / shares.sum(), means, each.float()))
    return made


def correlated(count: int, seed: int = 0) -> np.ndarray:
    causes = np.random.default_rng(seed).normal(size=(count, 3))
    made = causes @ causes.T + 0.3 * np.eye(count)
    sd = np.sqrt(np.diag(made))
    return made / sd / sd[:, None]


def gaussian_shards(folder: Path, parts: dict[str, np.ndarray], count: int = 240) -> Path:
    """Samples of sensors with bands of these correlations in asinh(r / 0.02)."""
    numbers = np.random.default_rng(0)
    with ShardsWriter(folder, 1_000_000) as writer:
        for number, (name, covariance) in enumerate(parts.items()):
            bands = sensor(name).bands
            scale, offset = np.ones(len(bands)), np.zeros(len(bands))
            for sample in range(count):
                drawn = numbers.multivariate_normal(np.zeros(len(bands)), covariance, size=(1, SIDE, SIDE))
                values = np.ascontiguousarray(0.02 * np.sinh(2 + 0.5 * np.moveaxis(drawn, -1, 1)), np.float32)
                layout = Layout(bands, "float32", 1, SIDE)
                found = tuple(totals(values, None, scale, offset, layout.bands))
                days, about = np.full(1, -1, np.int32), {"gsd": 10.0, "lon": 10.0, "lat": 50.0, "chips": 1}
                source = f"{number}-{sample}.tif"
                chip = Chip(
                    values=values,
                    valid=None,
                    scale=scale,
                    offset=offset,
                    extent=(SIDE, SIDE),
                    days=days,
                    place=1000 * number + sample,
                    image=source,
                    source=source,
                    row=0,
                    column=0,
                    totals=found,
                    **about,
                )
                writer.add(layout, chip)
            writer.update(writer.manifest if writer.manifest.layouts else Manifest())
    return folder


def opened(folder: Path) -> tuple[StageData, ...]:
    return tuple(stage_data(stage, folder, BANDS, 0.1) for stage in made_recipe().stages)


def measured(data: tuple[StageData, ...]) -> np.ndarray:
    return band_covariance(data, BANDS, statistics(data, "standard"), SIDE)


def in_order(name: str, covariance: np.ndarray) -> np.ndarray:
    """Of a sensor's bands in its order, as slots of the model."""
    at = [next(i for i, each in enumerate(sensor(name).bands) if each.name == band.name) for band in BANDS.bands]
    return covariance[np.ix_(at, at)]


# -- what is measured --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another sensor"])
def test_the_covariance_is_that_of_the_samples(tmp_path, beside):
    truth = correlated(12)
    parts = {"spectralgpt-12": truth}
    if beside:
        parts["landsat8-c2l2"] = correlated(len(sensor("landsat8-c2l2").bands), seed=5)
    data = opened(gaussian_shards(tmp_path / "shards", parts))
    found = measured(data)
    # 7,000 pixels: the error of a correlation is about 1.2 %
    np.testing.assert_allclose(found, in_order("spectralgpt-12", truth), atol=0.05)
    assert np.array_equal(found, found.T)
    assert np.linalg.eigvalsh(found).min() > 0.9 * SMALLEST_VARIANCE
    assert np.array_equal(found, measured(data))


def test_bands_that_no_layout_has_are_uncorrelated(tmp_path):
    landsat = sensor("landsat8-c2l2").bands
    truth = correlated(len(landsat), seed=5)
    found = measured(opened(gaussian_shards(tmp_path / "shards", {"landsat8-c2l2": truth})))
    there = align(landsat, BANDS, own=False)
    slots = [next(i for i, each in enumerate(BANDS.bands) if each == band) for band in there.bandset.bands]
    fed = there.matrix.argmax(axis=1)
    assert len(slots) < 12
    expected = np.eye(12)
    expected[np.ix_(slots, slots)] = truth[np.ix_(fed, fed)]
    np.testing.assert_allclose(found, expected, atol=0.05)
    apart = np.delete(np.arange(12), slots)
    np.testing.assert_allclose(found[apart], np.eye(12)[apart], atol=1e-9)


def test_only_samples_to_train_on_count(tmp_path):
    """The covariance is the same however odd what is held back is."""
    shards = gaussian_shards(tmp_path / "shards", {"spectralgpt-12": correlated(12)}, count=40)
    whole, part = (stage_data(made_recipe().stages[0], shards, BANDS, share) for share in (0.0, 0.5))
    few = replace(part, held=())
    units = statistics((whole,), "standard")
    found = [band_covariance((each,), BANDS, units, SIDE) for each in (whole, part, few)]
    assert not np.allclose(found[0], found[1], atol=1e-6)
    assert np.array_equal(found[1], found[2])
    own = replace(whole, own=(True,))
    np.testing.assert_allclose(band_covariance((own,), BANDS, units, SIDE), np.eye(12), atol=1e-12)


def test_holes_do_not_count(tmp_path):
    """Every second sample of these has holes, others two dates."""
    found = measured(opened(made_shards(tmp_path / "shards")))
    assert np.isfinite(found).all()
    assert 0.5 < np.diag(found).min() <= np.diag(found).max() < 2


def test_the_mixture_is_that_of_the_samples(tmp_path):
    """Of one sensor with correlations and another kind of pixel, at the same number of samples."""
    truth = correlated(12)
    data = opened(gaussian_shards(tmp_path / "shards", {"spectralgpt-12": truth}))
    units = statistics(data, "standard")
    found = band_mixture(data, BANDS, units, SIDE, 3)
    again = band_mixture(data, BANDS, units, SIDE, 3)
    means, spread = found.means.numpy(), found.covariances.numpy()
    shares = found.shares.numpy()
    assert shares.sum() == pytest.approx(1)
    # the covariance of all pixels, from those of the Gaussians, is that of the samples
    mean = shares @ means
    of_all = np.einsum("k,kij->ij", shares, spread) + np.einsum("k,ki,kj->ij", shares, means, means)
    np.testing.assert_allclose(mean, 0, atol=0.05)
    np.testing.assert_allclose(of_all, in_order("spectralgpt-12", truth), atol=0.05)
    assert torch.equal(found.covariances, again.covariances)


def test_a_mixture_needs_pixels_with_all_bands(tmp_path):
    landsat = correlated(len(sensor("landsat8-c2l2").bands), seed=5)
    data = opened(gaussian_shards(tmp_path / "shards", {"landsat8-c2l2": landsat}, count=20))
    with pytest.raises(OptionError, match=r"gaussians: found 2, and 0 pixels with all 12 bands of the model"):
        band_mixture(data, BANDS, statistics(data, "standard"), SIDE, 2)


# -- weights -----------------------------------------------------------------------------------------------------------


def test_weights_without_it_have_no_tensor_and_keep_their_fingerprint(tmp_path):
    more = made_model()
    back = assert_optional_part(made_model(on=False), more, "conditional_mean", "conditional_mean", tmp_path)
    assert more.conditional_mean is not None
    more.conditional_mean.set_covariance(correlated(12, seed=1))
    assert back.fingerprint() != more.fingerprint()


def test_half_precision_leaves_it_as_it_is(tmp_path):
    """An error of 2e-4 would be as large as the smallest eigenvalues."""
    model = made_model()
    model.rounded().save_pretrained(tmp_path / "half")
    back = SpectralGPT.from_pretrained(tmp_path / "half")
    assert model.conditional_mean is not None
    assert back.conditional_mean is not None
    assert torch.equal(back.conditional_mean.covariance, model.conditional_mean.covariance)
    assert not torch.equal(back.decoder.embed.weight, model.decoder.embed.weight)


def test_weights_with_a_mixture(tmp_path):
    """Are read back as they were, with the numbers of the mixture in full."""
    model = made_model(gaussians=2)
    model.rounded().save_pretrained(tmp_path / "half")
    back = SpectralGPT.from_pretrained(tmp_path / "half")
    assert model.conditional_mean is not None
    assert back.conditional_mean is not None
    for name in ("shares", "means", "covariance"):
        assert torch.equal(back.conditional_mean.get_buffer(name), model.conditional_mean.get_buffer(name))
    assert back.config == model.config
    assert model.fingerprint() != made_model().fingerprint()


def test_the_released_format_cannot_hold_it(tmp_path):
    with pytest.raises(WeightsError, match=r"a conditional mean, which the decoder's answers are added to"):
        made_model().save_released(tmp_path / "model.pth")
    assert not list(tmp_path.iterdir())


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return gaussian_shards(tmp_path_factory.mktemp("shards") / "made", {"spectralgpt-12": correlated(12)}, count=40)


@pytest.fixture(scope="module")
def done(shards, tmp_path_factory) -> Path:
    """A run; none of the tests changes it."""
    out = tmp_path_factory.mktemp("runs") / "run"
    run_training(with_mean(RECIPE), shards, out, device="cpu")
    return out


RECIPE = made_recipe(steps=(6, 3), log_every=1)


def test_a_run_starts_below_one_without(shards, done, tmp_path):
    model = SpectralGPT.from_pretrained(done / "weights")
    assert model.conditional_mean is not None
    data = opened(shards)
    again = band_covariance(tuple(data), BANDS, model.normalization, 16)
    np.testing.assert_allclose(model.conditional_mean.covariance.numpy(), again, atol=0.1)
    assert model.conditional_mean.skip.weight.any(), "it learns"
    run_training(RECIPE, shards, tmp_path / "plain", device="cpu")
    first, plain = (records_of(each)[0]["token"] for each in (done, tmp_path / "plain"))
    assert first < 0.8 * plain
    assert "conditional_mean" not in (tmp_path / "plain/weights/config.json").read_text()


def test_a_resumed_run_has_it_in_its_checkpoint(shards, done, tmp_path, monkeypatch):
    out = tmp_path / "run"
    shutil.copytree(done, out)
    shutil.rmtree(checkpoints(out / "checkpoints")[0])
    monkeypatch.setattr(run, "band_covariance", lambda *_: pytest.fail("measured again"))
    result = run_training(with_mean(RECIPE), shards, out, device="cpu")
    assert any(note.startswith("resumed") for note in result.notes)
    assert not differences(state_of(out), state_of(done))
    assert weights_of(out) == weights_of(done)
    assert state_of(out)["model"]["conditional_mean.covariance"].shape == (12, 12)


def test_other_weights_get_it_from_the_data_and_keep_what_they_have(shards, done, tmp_path):
    """Of weights without: the decoder's answer starts at 0 again, and all else stays."""
    plain = made_model(on=False)
    plain.save_pretrained(tmp_path / "plain")
    short = with_mean(made_recipe(steps=(1, 1), log_every=1), weights=str(tmp_path / "plain"))
    short = replace(short, ema=None, stages=tuple(each.but(lr=1e-9) for each in short.stages[:1]))
    run_training(short, shards, tmp_path / "added", device="cpu")
    added = SpectralGPT.from_pretrained(tmp_path / "added" / "weights")
    assert added.conditional_mean is not None
    assert abs(added.decoder.head.weight).max() < 1e-6
    assert abs(added.encoder.embedding.weight - plain.encoder.embedding.weight).max() < 1e-6
    assert abs(added.conditional_mean.covariance - torch.eye(12)).max() > 0.3
    more = made_model()
    more.save_pretrained(tmp_path / "more")
    for asked in (False, True):
        kept = with_mean(short, weights=str(tmp_path / "more"), conditional_mean=asked)
        run_training(kept, shards, tmp_path / f"kept {asked}", device="cpu")
        found = SpectralGPT.from_pretrained(tmp_path / f"kept {asked}" / "weights")
        assert found.conditional_mean is not None
        assert more.conditional_mean is not None
        assert torch.equal(found.conditional_mean.covariance, more.conditional_mean.covariance)
    # of another number of Gaussians: what the decoder learned stays
    other = with_mean(short, weights=str(tmp_path / "more"), gaussians=2)
    run_training(other, shards, tmp_path / "other", device="cpu")
    kept_parts = SpectralGPT.from_pretrained(tmp_path / "other" / "weights").state_dict()
    for name in ("decoder.head.weight", "conditional_mean.skip.weight"):
        torch.testing.assert_close(kept_parts[name], more.state_dict()[name], atol=1e-6, rtol=0)
    assert kept_parts["conditional_mean.covariance"].shape == (2, 12, 12)


def test_the_decoder_alone_on_a_mixture(shards, done, tmp_path, monkeypatch):
    """The features are bit-equal to those of the given weights, and the number of Gaussians is another."""
    start = SpectralGPT.from_pretrained(done / "weights")
    recipe = with_mean(made_recipe(steps=(3, 3), log_every=1), weights=str(done / "weights"), gaussians=3)
    stages = tuple(replace(each, task=replace(each.task, freeze=True, least_ratio=0.2)) for each in recipe.stages)
    recipe = replace(recipe, stages=stages)
    run_training(recipe, shards, tmp_path / "run", device="cpu")
    found = SpectralGPT.from_pretrained(tmp_path / "run" / "weights")
    assert (found.config.gaussians, found.config.image) == (3, start.config.image)
    assert found.conditional_mean is not None
    before, after = start.state_dict(), found.state_dict()
    assert not [name for name in before if name.startswith("encoder.") and not torch.equal(before[name], after[name])]
    assert not torch.equal(before["decoder.head.weight"], after["decoder.head.weight"])
    assert found.conditional_mean.means.abs().max() > 0.1
    assert "gaussians" in (tmp_path / "run/weights/config.json").read_text()
    shutil.rmtree(checkpoints(tmp_path / "run" / "checkpoints")[0])
    monkeypatch.setattr(run, "band_mixture", lambda *_: pytest.fail("measured again"))
    shutil.rmtree(tmp_path / "run" / "weights")
    run_training(recipe, shards, tmp_path / "run", device="cpu")
    assert SpectralGPT.from_pretrained(tmp_path / "run" / "weights").fingerprint() == found.fingerprint()


def test_the_share_of_each_step(shards):
    objective = Pretraining(mask_ratio=0.9, least_ratio=0.1)
    drawn = [objective.ratio(draw) for draw in range(400)]
    assert 0.1 <= min(drawn) < 0.13
    assert 0.87 < max(drawn) < 0.9
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.03)
    assert Pretraining(mask_ratio=0.9).ratio(7) == 0.9
    assert objective.validating().ratio(7) == 0.9
    for wrong in (0, -0.1, 0.95):
        with pytest.raises(OptionError, match=rf"least_ratio: found {wrong}; expected above 0 and up to mask_ratio"):
            Pretraining(mask_ratio=0.9, least_ratio=wrong)


def test_two_processes_train_as_one(shards, done, tmp_path):
    code = """
        from made_runs import made_recipe
        from spectralgpt.training import run_training
        from test_training_conditional_mean import RECIPE, with_mean
        run_training(with_mean(RECIPE), Path(sys.argv[1]), Path(sys.argv[2]), device="cpu")
    """
    run_ranks(code, [shards, tmp_path / "two"])
    one, two = (SpectralGPT.from_pretrained(each / "weights") for each in (done, tmp_path / "two"))
    assert one.conditional_mean is not None
    assert two.conditional_mean is not None
    assert torch.equal(one.conditional_mean.covariance, two.conditional_mean.covariance)
    for mine, other in zip(records_of(done), records_of(tmp_path / "two"), strict=True):
        assert {name: value for name, value in mine.items() if isinstance(value, float)} == pytest.approx(
            {name: value for name, value in other.items() if isinstance(value, float)}, rel=1e-3
        )


def test_what_it_does_not_fit(shards, tmp_path):
    recipe = made_recipe(steps=(1, 1))
    with pytest.raises(OptionError, match=r"conditional_mean: found true with normalization=min_max"):
        with_mean(recipe, normalization="min_max")
    stages = tuple(replace(each, task=Pretraining(normalized_target=True)) for each in recipe.stages)
    with pytest.raises(OptionError, match=r"normalized_target: found true, of a model with a conditional mean"):
        with_mean(replace(recipe, stages=stages))
    made_model(False, replace(STANDARD, kind="min_max")).save_pretrained(tmp_path / "extremes")
    other = with_mean(recipe, weights=str(tmp_path / "extremes"))
    with pytest.raises(OptionError, match=r"conditional_mean: found true for weights with normalization=min_max"):
        run_training(other, shards, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
    assert MaskedAutoencoder(made_model().config).conditional_mean is not None
