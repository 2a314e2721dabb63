"""Hidden bands estimated from the visible ones: against regressions written out, and as the start of a model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from made_cubes import NATIVE, made_cube, narrow_bands, sentinel_bands, small_model
from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import Cube, MaskedAutoencoder, ModelConfig, Size, computing_in, given_mask, random_mask
from spectralgpt.nn.conditional_mean import (
    RIDGE,
    Gaussians,
    closest_covariance,
    conditional_mean,
    nearest_dates,
    slots_of_model,
)
from spectralgpt.nn.masks import tokens_of_places

SIZE = Size(48, 2, 3, 32, 1, 2)


def covariance_of(slots: int, seed: int = 0, noise: float = 0.1) -> np.ndarray:
    """Of bands that share a few causes, and have some noise of their own."""
    causes = np.random.default_rng(seed).normal(size=(slots, 4))
    return causes @ causes.T / 4 + noise * np.eye(slots)


def untrained(covariance: np.ndarray | None = None, bands: BandSet = NATIVE) -> MaskedAutoencoder:
    torch.manual_seed(0)
    model = MaskedAutoencoder(ModelConfig(SIZE, bands, conditional_mean=True)).eval()
    assert model.conditional_mean is not None
    model.conditional_mean.set_covariance(covariance_of(len(bands)) if covariance is None else covariance)
    return model


def trained(**options: bool) -> MaskedAutoencoder:
    """No parameter is zero, so that the decoder adds something."""
    model = small_model(conditional_mean=True, **options)
    assert model.conditional_mean is not None
    model.conditional_mean.set_covariance(covariance_of(12))
    return model


def pixels_of(hidden: torch.Tensor, bands: BandSet) -> torch.Tensor:
    """(batch, date, group, row, column) of tokens as (batch, date, band, height, width)."""
    return hidden.repeat_interleave(8, -1).repeat_interleave(8, -2)[:, :, list(bands.group_of_band)]


def bands_in_model(cube: Cube) -> list[int]:
    """The slot of each band in the model."""
    taken = [n * cube.bands.slots + slot for n, each in enumerate(cube.bands.groups) for slot in each.taken_slots()]
    return [slots_of_model(cube.bands)[i] for i in taken]


def regression(covariance: np.ndarray, values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The estimate of all bands at one pixel."""
    c = covariance.astype(np.float32).astype(np.float64)
    found = values.copy()
    if seen.any():
        inverse = np.linalg.inv(c[np.ix_(seen, seen)] + RIDGE * np.eye(seen.sum()))
        found[~seen] = c[np.ix_(~seen, seen)] @ inverse @ values[seen]
    else:
        found[:] = 0
    return found


@pytest.mark.parametrize("count", [12, 9, 4])
@pytest.mark.parametrize("hide", ["B8", "B4,B11", 0.6])
def test_an_untrained_model_answers_with_the_regression(count, hide):
    covariance = covariance_of(12)
    model, cube = untrained(covariance), made_cube(sentinel_bands(count), height=16, width=20)
    back = model.reconstruct(cube, hide if isinstance(hide, float) or count > 4 else "B8")
    c = covariance[np.ix_(bands_in_model(cube), bands_in_model(cube))]
    seen = ~back.hidden[:, 0].numpy()
    assert seen.any()
    assert not seen.all()
    values = cube.values[:, 0].double().numpy()
    for sample, row, column in np.ndindex(2, 16, 20):
        at = (sample, slice(None), row, column)
        expected = regression(c, values[at], seen[at])
        np.testing.assert_allclose(back.predicted[:, 0].numpy()[at], expected, atol=2e-4)


@pytest.mark.parametrize("sensor_name", ["s2-l2a", "hls-s30", "landsat8-c2l2"])
def test_the_error_is_that_of_a_gaussian(sensor_name):
    """Each hidden band has the variance that the visible ones leave: C_hh - C_hv C_vv^-1 C_vh."""
    bands = sensor(sensor_name).bands
    model_bands = BandSet.native(bands[: len(bands) // 3 * 3], 3)
    count, slots = len(model_bands.groups), len(model_bands)
    covariance = covariance_of(slots, seed=3, noise=0.3)
    places, rng = 200, np.random.default_rng(1)
    drawn = rng.multivariate_normal(np.zeros(slots), covariance, size=(places, 64))
    tokens = torch.from_numpy(drawn.transpose(2, 0, 1).reshape(count, 3, places, 64).transpose(0, 2, 1, 3).copy())
    tokens = tokens.float().reshape(1, count * places, 192)
    for hidden in ([0], [count - 1], list(range(1, count))):
        visible = torch.tensor([number not in hidden for number in range(count)])
        days = torch.zeros(1, 1, dtype=torch.int32)
        found = conditional_mean(
            Gaussians.of_one(torch.from_numpy(covariance).float()),
            tokens,
            visible.repeat_interleave(places)[None],
            model_bands,
            days,
        )
        error = (found.mean - tokens).reshape(count, places, 3, 64).square().mean(dim=(1, 3)).flatten()
        h = np.repeat(~visible.numpy(), 3)
        among = covariance[np.ix_(~h, ~h)]
        left = covariance[np.ix_(h, h)] - covariance[np.ix_(h, ~h)] @ np.linalg.solve(among, covariance[np.ix_(~h, h)])
        assert not error[~h].any()
        # 12,800 pixels: the error of a variance is about 1.3 %
        np.testing.assert_allclose(error[h].numpy(), np.diag(left), rtol=0.05)
        assert (error[h].numpy() < np.diag(covariance)[h]).any()


def mixture_of(slots: int, gaussians: int, seed: int = 0) -> Gaussians:
    """Gaussians with means apart, each of covariance_of."""
    rng = np.random.default_rng(seed)
    made = (
        rng.dirichlet(np.full(gaussians, 3.0)),
        rng.normal(size=(gaussians, slots)),
        np.stack([covariance_of(slots, seed + number) for number in range(gaussians)]),
    )
    return Gaussians(*(torch.from_numpy(each) for each in made))


def with_mixture(mixture: Gaussians) -> MaskedAutoencoder:
    """Untrained, so that it answers with the estimates."""
    torch.manual_seed(0)
    config = ModelConfig(SIZE, NATIVE, conditional_mean=True, gaussians=len(mixture.shares))
    model = MaskedAutoencoder(config).eval()
    assert model.conditional_mean is not None
    model.conditional_mean.set_mixture(mixture)
    return model


def mean_given(mixture: Gaussians, values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The mean of all bands at one pixel, given some; densities by SciPy."""
    shares, means, covariances = (
        each.float().double().numpy() for each in (mixture.shares, mixture.means, mixture.covariances)
    )
    estimates, densities = [], []
    for mean, c in zip(means, covariances, strict=True):
        among = c[np.ix_(seen, seen)] + RIDGE * np.eye(seen.sum())
        found = np.where(seen, values, mean)
        if seen.any():
            found[~seen] += c[np.ix_(~seen, seen)] @ np.linalg.solve(among, (values - mean)[seen])
        estimates.append(found)
        densities.append(multivariate_normal(mean[seen], among).pdf(values[seen]) if seen.any() else 1.0)
    weights = shares * np.array(densities)
    return np.asarray(weights / weights.sum() @ np.array(estimates))


@pytest.mark.parametrize("gaussians", [2, 5])
@pytest.mark.parametrize("count", [12, 9])
@pytest.mark.parametrize("hide", ["B8", "B4,B11", 0.6, 0.97])
def test_a_mixture_answers_with_the_mean_of_its_gaussians(count, hide, gaussians):
    mixture = mixture_of(12, gaussians)
    model, cube = with_mixture(mixture), made_cube(sentinel_bands(count), height=16, width=20)
    back = model.reconstruct(cube, hide)
    own, seen = mixture.of_slots(bands_in_model(cube)), ~back.hidden[:, 0].numpy()
    values = cube.values[:, 0].double().numpy()
    for sample, row, column in np.ndindex(2, 16, 20):
        at = (sample, slice(None), row, column)
        expected = mean_given(own, values[at], seen[at])
        np.testing.assert_allclose(back.predicted[:, 0].numpy()[at], expected, atol=5e-4)
        assert np.array_equal(back.predicted[:, 0].numpy()[at][seen[at]], cube.values[:, 0].numpy()[at][seen[at]])


def test_the_deviation_is_what_is_left(monkeypatch):
    """Of pixels drawn from a mixture: the mean square of the error over the variance is 1, also among those of which
    the mixture is surest."""
    monkeypatch.setattr("spectralgpt.nn.conditional_mean.RIDGE", 1e-9)
    mixture, rng, count = mixture_of(12, 3), np.random.default_rng(0), 400 * 64
    chosen = rng.choice(3, size=count, p=mixture.shares.numpy())
    factors = np.linalg.cholesky(mixture.covariances.numpy())
    pixels = mixture.means.numpy()[chosen] + np.einsum("nij,nj->ni", factors[chosen], rng.normal(size=(count, 12)))
    as_float = Gaussians(*(getattr(mixture, name).float() for name in ("shares", "means", "covariances")))
    drawn = pixels.T.reshape(4, 3, 400, 64).transpose(0, 2, 1, 3).copy()
    tokens = torch.from_numpy(drawn).float().reshape(1, 1600, 192)
    days = torch.zeros(1, 1, dtype=torch.int32)
    for hidden in ([0], [3], [1, 2, 3], [0, 1, 2, 3]):
        visible = torch.tensor([number not in hidden for number in range(4)]).repeat_interleave(400)[None]
        found = conditional_mean(as_float, tokens, visible, NATIVE, days)
        assert found.deviation is not None
        assert torch.equal(found.deviation == 0, visible[..., None].expand_as(tokens))
        error, deviation = (each[~visible] for each in (tokens - found.mean, found.deviation))
        share = (error / deviation).square()
        assert share.mean().item() == pytest.approx(1, abs=0.03)
        if len(hidden) < 4:
            surest = deviation < deviation.quantile(0.2)
            assert share[surest].mean().item() == pytest.approx(1, abs=0.05)


def test_answers_count_in_deviations():
    """What is certain is not changed by the decoder, and nothing of what is seen is."""
    model, cube = with_mixture(mixture_of(12, 3)), made_cube(dates=2)
    with torch.no_grad():
        model.decoder.head.bias.fill_(1.0)
    start = with_mixture(mixture_of(12, 3))
    hidden = torch.zeros(2, 2, 4, 3, 4, dtype=torch.bool)
    hidden[:, 0, 1] = True
    hidden[:, 1] = True
    more, before = (each.reconstruct(cube, hidden).predicted for each in (model, start))
    moved = more - before
    assert not moved[:, 0, [0, 1, 2, 6, 7, 8]].any()
    assert (moved[:, 0, 3:6] > 0).all()
    assert moved[:, 0, 3:6].median() < 0.6
    # of another date: in the normalization's own units
    torch.testing.assert_close(moved[:, 1], torch.ones_like(moved[:, 1]), atol=1e-5, rtol=0)


def test_a_mixture_tells_kinds_of_pixels_apart():
    """Two kinds in which one band goes up or down with another: no single regression tells it, the mixture does."""
    rng, count = np.random.default_rng(0), 4096
    kind = rng.random(count) < 0.5
    first = rng.normal(size=count)
    pixels = np.where(kind, 4, -4)[:, None] * np.eye(12)[0] + 0.3 * rng.normal(size=(count, 12))
    pixels[:, 1] += first
    pixels[:, 11] += np.where(kind, first, -first)
    parts = [pixels[kind], pixels[~kind]]
    mixture = Gaussians(
        torch.tensor([0.5, 0.5]),
        torch.from_numpy(np.stack([each.mean(axis=0) for each in parts])),
        torch.from_numpy(np.stack([np.cov(each.T) for each in parts])),
    )
    single = Gaussians.of_one(torch.from_numpy(np.cov(pixels.T)))
    tokens = torch.from_numpy(pixels.T.reshape(4, 3, 64, 64).transpose(0, 2, 1, 3).copy()).float().reshape(1, 256, 192)
    visible = torch.tensor([True, True, True, False]).repeat_interleave(64)[None]
    days = torch.zeros(1, 1, dtype=torch.int32)
    errors = []
    for each in (mixture, single):
        as_float = Gaussians(each.shares.float(), each.means.float(), each.covariances.float())
        found = conditional_mean(as_float, tokens, visible, NATIVE, days)
        errors.append((found.mean - tokens)[0, 192:].unflatten(1, (3, 64))[:, 2].square().mean().sqrt().item())
    assert errors[0] < 0.5
    assert errors[1] > 0.9


def hole(cube: Cube) -> Cube:
    """Without some pixels, and without all bands of some places."""
    valid = torch.ones_like(cube.values, dtype=torch.bool)
    valid[..., :13, :17] = False
    valid[0, :, 2:7, 16:, 8:24] = False
    return replace(cube, valid=valid)


@pytest.mark.parametrize("change", [lambda cube: cube, hole], ids=["whole", "a hole"])
@pytest.mark.parametrize("junk", [torch.nan, torch.inf, -1e6])
def test_what_is_hidden_or_not_valid_changes_nothing(change, junk):
    model, cube = trained(), change(made_cube(dates=2))
    grid, present = model.grid_of(cube), model.present(cube).flatten(1)
    mask = random_mask(torch.rand(2, present.shape[1]), 0.6, None if cube.valid is None else present)
    places = torch.tensor([[0, 5, 11], [7, 2, 3]])
    unseen = pixels_of(mask.hidden.reshape(2, *grid.shape), cube.bands) | ~cube.all_valid()
    other = replace(cube, values=torch.where(unseen, junk, cube.values))
    assert not torch.equal(other.values, cube.values)
    assert torch.equal(model(other, mask), model(cube, mask))
    assert torch.equal(model(other, mask, places), model(cube, mask, places))
    assert model(cube, mask).isfinite().all()


@pytest.mark.parametrize("change", [lambda cube: cube, hole], ids=["whole", "a hole"])
def test_drawn_places_are_the_same_as_all(change):
    model, cube = trained(), change(made_cube(dates=2))
    grid, present = model.grid_of(cube), model.present(cube).flatten(1)
    mask = random_mask(torch.rand(2, present.shape[1]), 0.75, None if cube.valid is None else present)
    places = torch.stack([torch.randperm(grid.places) for _ in range(2)])
    whole, drawn = model(cube, mask), model(cube, mask, places)
    chosen = tokens_of_places(places, grid.dates * grid.groups, grid.places)
    there = present.gather(1, chosen)
    in_order = whole.gather(1, chosen[..., None].expand_as(drawn))
    torch.testing.assert_close(drawn[there], in_order[there], atol=2e-5, rtol=0)
    few = model(cube, mask, places[:, :4])
    estimate = untrained()(cube, mask)
    start = untrained()(cube, mask, places[:, :4])
    of_few = tokens_of_places(places[:, :4], grid.dates * grid.groups, grid.places)
    assert torch.equal(start, estimate.gather(1, of_few[..., None].expand_as(few)))


def test_samples_with_fewer_visible_tokens_than_others():
    """Surplus tokens of a given mask are hidden ones."""
    cube = made_cube()
    hidden = torch.zeros(2, 48, dtype=torch.bool)
    hidden[0, :30] = True
    hidden[1, 40:] = True
    for model in (untrained(), trained()):
        both = model(cube, given_mask(hidden))
        for sample in range(2):
            part = slice(sample, sample + 1)
            alone = model(cube.part(part), given_mask(hidden[part]))
            torch.testing.assert_close(both[part], alone, atol=2e-5, rtol=0)


def test_only_queries_of_hidden_tokens_are_shown_it():
    model, cube = trained(), made_cube()
    assert model.conditional_mean is not None
    hidden = torch.zeros(2, 48, dtype=torch.bool)
    none, some = given_mask(hidden), given_mask(hidden.index_fill(1, torch.tensor([3, 20]), True))
    before = model(cube, none), model(cube, some)
    with torch.no_grad():
        model.conditional_mean.skip.weight.mul_(2)
    assert torch.equal(model(cube, none), before[0])
    assert not torch.equal(model(cube, some), before[1])


def test_one_place_alone_is_the_same():
    """Regressions of all patterns of groups, and of each place, where these are fewer."""
    model, cube = untrained(), made_cube(height=48, width=48)
    hidden = torch.rand(2, 1, 4, 6, 6, generator=torch.Generator().manual_seed(2)) < 0.5
    whole = model.reconstruct(cube, hidden)
    for row, column in ((0, 0), (2, 3), (5, 5)):
        rows, columns = slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8)
        one = model.reconstruct(cube.cut(rows, columns), hidden[..., row : row + 1, column : column + 1])
        torch.testing.assert_close(one.predicted, whole.predicted[..., rows, columns], atol=1e-6, rtol=0)


def test_dates():
    """Where a date shows nothing, the nearest one that does, as it is; 0 where none does."""
    model, cube = untrained(), made_cube(dates=3)
    cube = replace(cube, days=torch.tensor([[100, 140, 150], [100, 140, 150]], dtype=torch.int32))
    hidden = torch.zeros(2, 3, 4, 3, 4, dtype=torch.bool)
    hidden[0, 1] = True
    hidden[:, 2, 3] = True
    hidden[1, :2] = True
    hidden[1, :, :, 0, 0] = True
    back = model.reconstruct(cube, hidden)
    assert torch.equal(back.predicted[0, 1], back.predicted[0, 2])
    assert torch.equal(back.predicted[0, 1, :9], cube.values[0, 2, :9])
    assert torch.equal(back.predicted[1, 0], back.predicted[1, 2])
    assert not back.predicted[1, :, :, :8, :8].any()
    alone = model.reconstruct(cube.at_date(2), hidden[:, 2:])
    torch.testing.assert_close(back.predicted[:, 2:], alone.predicted, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("days", "there", "nearest"),
    [
        ([10, 20, 26], [1, 1, 1], [0, 1, 2]),
        ([10, 20, 26], [1, 0, 1], [0, 2, 2]),
        ([10, 20, 30], [1, 0, 1], [0, 0, 2]),  # a tie: the earlier
        ([30, 20, 10], [1, 0, 1], [0, 2, 2]),  # also where it comes later
        ([20, 20, 20], [0, 1, 1], [1, 1, 2]),  # of one day: itself, else the first
        ([10, -1, 11], [1, 0, 1], [0, 0, 2]),  # an unknown day: position
        ([-1, -1, -1], [0, 0, 1], [2, 2, 2]),
        ([0, 5, 20_000], [0, 1, 0], [1, 1, 1]),
    ],
)
def test_nearest_dates(days, there, nearest):
    found = nearest_dates(torch.tensor([there]).bool()[..., None], torch.tensor([days], dtype=torch.int32))
    assert found.flatten().tolist() == nearest


def test_groups_of_other_bands_have_no_estimate():
    model, cube = untrained(), made_cube(narrow_bands(7), own=True)
    mask = random_mask(torch.rand(2, 36), 0.5)
    assert not model(cube, mask).any()
    assert trained()(cube, mask).any()


@pytest.mark.parametrize("chosen", [None, torch.tensor([[0, 3], [5, 1]])], ids=["all", "drawn"])
def test_checkpointing_and_bfloat16(chosen):
    model, cube = trained().train(), made_cube(dates=2)
    mask = random_mask(torch.rand(2, 96), 0.5)
    gradients = []
    for on in (False, True):
        model.set_checkpointing(on)
        model.zero_grad()
        model(cube, mask, chosen).square().mean().backward()
        gradients.append({name: each.grad for name, each in model.named_parameters()})
    for name, gradient in gradients[0].items():
        assert gradient is not None, name
        torch.testing.assert_close(gradients[1][name], gradient)
    assert gradients[0]["conditional_mean.skip.weight"].any()
    start = untrained()
    with computing_in("bf16", torch.device("cpu")):
        rounded = start(cube, mask, chosen)
    assert rounded.dtype == torch.float32
    assert torch.equal(rounded, start(cube, mask, chosen))


def test_a_covariance_of_parts_becomes_one():
    odd = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    made = closest_covariance(odd)
    assert np.array_equal(made, made.T)
    assert np.linalg.eigvalsh(made).min() == pytest.approx(1e-4)
    whole = covariance_of(9)
    np.testing.assert_allclose(closest_covariance(whole), whole, atol=1e-12)


def test_without_it_nothing_is_there():
    model = small_model()
    assert model.conditional_mean is None
    assert not [name for name in model.state_dict() if "mean" in name]
