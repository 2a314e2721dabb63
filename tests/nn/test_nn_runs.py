"""The model runs on images of any size, band set and number of dates, with any part absent."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from made_cubes import MIN_MAX, NATIVE, made_cube, made_keys, made_pixels, narrow_bands, sentinel_bands, small_model
from spectralgpt.errors import OptionError
from spectralgpt.nn import computing_in, draw_mask, make_cube

# Every size is tried with one and three dates, every band set with at least two sizes; not all combinations, for time.
CASES = [
    (64, 64, 1, False, 1),
    (64, 64, 12, False, 3),
    (64, 64, 200, True, 3),
    (64, 64, 200, False, 1),
    (96, 160, 4, False, 3),
    (96, 160, 7, False, 1),
    (96, 160, 200, False, 1),
    (101, 97, 12, False, 1),
    (101, 97, 7, False, 3),
    (101, 97, 200, True, 1),
    (128, 128, 12, False, 1),
    (128, 128, 1, False, 3),
    (200, 136, 4, False, 1),
    (200, 136, 4, False, 3),
]


def absences(cube):
    """valid of a batch of two; of the first sample only the named part is absent."""
    _, dates, _, height, width = cube.shape
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    cloud = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (min(height, width) / 3) ** 2
    every = torch.ones(cube.shape, dtype=torch.bool)
    hole, band, date, sample, group = (every.clone() for _ in range(5))
    hole[0] &= ~cloud
    band[0, :, 0] = False
    group[0, :, : len(cube.bands.groups[0].bands)] = False
    date[0, dates - 1] = False
    sample[0] = False
    return {"all": None, "hole": hole, "band": band, "group": group, "date": date, "sample": sample}


@pytest.mark.parametrize(("height", "width", "count", "own", "dates"), CASES)
def test_every_path_on_every_image(height, width, count, own, dates):
    # all absences on the small images, the two that need most code on the large ones
    groups = 16 if own else 4
    run_every_path(height, width, count, own, dates, few=-(-height // 8) * -(-width // 8) * groups * dates > 1000)


@pytest.mark.long
@pytest.mark.parametrize("dates", [1, 3])
@pytest.mark.parametrize(("count", "own"), [(1, False), (4, False), (7, False), (12, False), (200, False), (200, True)])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160), (101, 97), (128, 128), (200, 136)])
def test_all_of_them_together(height, width, count, own, dates):
    run_every_path(height, width, count, own, dates, few=False)


def run_every_path(height, width, count, own, dates, few):
    model = small_model()
    bands = narrow_bands(count) if count == 200 else sentinel_bands(count)
    whole = made_cube(bands, height, width, own=own, dates=dates)
    rows, columns = -(-height // 8), -(-width // 8)
    groups = 16 if own else len({group.native for group in whole.bands.groups})
    assert len(whole.bands) == (200 if own else min(count, 12))
    for name, valid in absences(whole).items():
        if few and name not in ("all", "hole"):
            continue
        cube = replace(whole, valid=valid)
        (features,) = model.features(cube, at=[2])
        assert features.shape == (2, dates, groups, rows, columns, 48)
        assert torch.isfinite(features).all(), name
        absent = ~model.present(cube)
        assert not features[absent].any(), name
        assert features[~absent].any(dim=-1).all(), name
        shapes = {
            "image": (2, 48),
            "place": (2, rows, columns, 48),
            "group": (2, groups, rows, columns, 48),
            "date": (2, dates, rows, columns, 48),
        }
        if not few:
            for per, shape in shapes.items():
                embedding = model.embed(cube, per)
                assert embedding.shape == shape
                assert torch.isfinite(embedding).all(), (name, per)
        rebuilt = model.reconstruct(cube, 0.75, seed=3)
        assert rebuilt.values.shape == cube.shape
        assert torch.isfinite(rebuilt.values).all()
        assert torch.equal(
            torch.isfinite(rebuilt.reflectance()), torch.ones_like(rebuilt.hidden) if valid is None else valid
        )
        assert torch.equal(rebuilt.values[~rebuilt.hidden], cube.filled()[~rebuilt.hidden])
        present = None if valid is None else ~absent.flatten(1)
        mask = draw_mask("random", 0.75, (2, dates, groups, rows * columns), made_keys(1, 2), present)
        losses = model.losses(cube, mask, model(cube, mask))
        model.zero_grad()
        (losses["token"].mean + losses["spectral"].mean).backward()
        for parameter, values in model.named_parameters():
            assert values.grad is not None, parameter
            assert torch.isfinite(values.grad).all(), (name, parameter)
        assert losses["token"].count > 0
        assert model.encoder.embedding.weight.grad.any()


def test_absent_says_which_tokens():
    model, whole = small_model(), made_cube(dates=3, height=20, width=32)
    expected = torch.ones(2, 3, 4, 3, 4, dtype=torch.bool)
    assert torch.equal(model.present(whole), expected)
    valid = torch.ones(whole.shape, dtype=torch.bool)
    valid[0, 1] = False  # a date
    valid[1, :, 3:6] = False  # a group
    valid[1, 0, :, 16:, 24:] = False  # a corner, at the padded border
    valid[0, 0, 0] = False  # one band of a group: its token stays
    valid[0, 0, 1:3, :8, :8] = False  # and here the others go as well
    expected[0, 1] = expected[1, :, 1] = expected[1, 0, :, 2, 3] = expected[0, 0, 0, 0, 0] = False
    assert torch.equal(model.present(replace(whole, valid=valid)), expected)


def test_nothing_at_all_gives_zeros():
    model, cube = small_model(), made_cube()
    cube = replace(cube, valid=torch.zeros(cube.shape, dtype=torch.bool))
    for per in ("image", "place", "group", "date"):
        assert not model.embed(cube, per).any()
    mask = draw_mask("random", 0.5, (2, 1, 4, 12), made_keys(0, 2), model.present(cube).flatten(1))
    losses = model.losses(cube, mask, model(cube, mask))
    assert not mask.hidden.any()
    total = losses["token"].mean + losses["spectral"].mean
    assert total == 0
    total.backward()
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("hide", ["B1,B2,B3,B4,B5,B6,B7,B8,B8A,B9,B11,B12", "B8", "0.5,B2", 0.999999])
def test_hiding_everything_still_predicts(hide):
    model, cube = small_model(), made_cube()
    rebuilt = model.reconstruct(cube, hide)
    assert rebuilt.hidden.any()
    assert torch.isfinite(rebuilt.values).all()


def test_a_sample_stands_for_itself():
    """Other samples in the batch, and absent values in them, change nothing."""
    model = small_model()
    cube = made_cube(dates=2)
    valid = torch.ones(cube.shape, dtype=torch.bool)
    valid[1, :, :, :16] = False
    together = model.embed(replace(cube, valid=valid), "place")

    def alone(i: int):
        part = slice(i, i + 1)
        scaling = replace(cube.scaling, centre=cube.scaling.centre[part], scale=cube.scaling.scale[part])
        return replace(
            cube,
            values=cube.values[part],
            valid=valid[part],
            days=cube.days[part],
            gsd=cube.gsd[part],
            scaling=scaling,
        )

    for i in (0, 1):
        torch.testing.assert_close(model.embed(alone(i), "place")[0], together[i], atol=1e-5, rtol=1e-5)


def test_absent_parts_are_as_if_they_were_not_there():
    """A date or a group without any valid pixel is the same as an image without that date or group."""
    model, cube = small_model(), made_cube(dates=3)
    valid = torch.ones(cube.shape, dtype=torch.bool)
    valid[:, 2] = False
    scaling = replace(cube.scaling, centre=cube.scaling.centre[:, :2], scale=cube.scaling.scale[:, :2])
    two = replace(cube, values=cube.values[:, :2], days=cube.days[:, :2], scaling=scaling)
    torch.testing.assert_close(model.embed(replace(cube, valid=valid)), model.embed(two), atol=1e-5, rtol=1e-5)
    valid = torch.ones(cube.shape, dtype=torch.bool)
    valid[:, :, 9:] = False
    scaling = replace(cube.scaling, centre=cube.scaling.centre[:, :, :9], scale=cube.scaling.scale[:, :, :9])
    three = replace(cube, values=cube.values[:, :, :9], bands=cube.bands.subset(range(9)), scaling=scaling)
    torch.testing.assert_close(model.embed(replace(cube, valid=valid)), model.embed(three), atol=1e-5, rtol=1e-5)


def test_blocks_of_features():
    model, cube = small_model(), made_cube()
    first, last = model.features(cube)  # a depth of 2 has two quarters
    assert torch.equal(model.features(cube, at=(1,))[0], first)
    assert torch.equal(model.features(cube, at=(2,))[0], last)
    back = (last - model.encoder.norm.bias) / model.encoder.norm.weight  # the final norm is on the last block only
    assert back.mean(dim=-1).abs().max() < 1e-4
    assert first.mean(dim=-1).abs().max() > 1e-3
    assert not torch.allclose(first, last)
    for wrong in ((), (0,), (3,), (2, 1), (1, 1)):
        with pytest.raises(OptionError, match="from 1 to 2"):
            model.features(cube, at=wrong)


def test_embeddings_are_means_of_present_tokens():
    model, cube = small_model(), made_cube(dates=2)
    valid = torch.ones(cube.shape, dtype=torch.bool)
    valid[0, 0, 3:] = False
    valid[1, 1, :, 8:, 8:] = False
    cube = replace(cube, valid=valid)
    (features,) = model.features(cube, at=[2])
    features, present = features.detach().numpy(), model.present(cube).numpy()
    for per, axes in {"image": (0, 1, 2, 3), "place": (0, 1), "group": (0,), "date": (1,)}.items():
        found = model.embed(cube, per).detach().numpy()
        for sample in (0, 1):
            mean = np.ma.array(features[sample], mask=np.repeat(~present[sample][..., None], 48, -1)).mean(axis=axes)
            np.testing.assert_allclose(found[sample], np.ma.filled(mean, 0.0), atol=1e-6)


def test_bf16_is_near_fp32():
    model, cube = small_model(), made_cube(dates=2)
    mask = draw_mask("random", 0.5, (2, 2, 4, 12), made_keys(0, 2))
    results = {}
    for precision in ("fp32", "bf16"):
        model.zero_grad()
        with computing_in(precision, torch.device("cpu")):
            losses = model.losses(cube, mask, model(cube, mask))
            embedding = model.embed(cube)
        (losses["token"].mean + losses["spectral"].mean).backward()
        gradient = model.encoder.embedding.weight.grad.clone()
        results[precision] = (losses["token"].mean, losses["spectral"].mean, embedding, gradient)
    for plain, coarse in zip(*results.values(), strict=True):
        assert coarse.dtype == torch.float32
        assert torch.isfinite(coarse).all()
        assert 0 < (coarse - plain).norm() < 0.03 * plain.norm()  # 8 bits, through three blocks


def test_checkpointing_changes_no_gradient():
    model, cube = small_model(), made_cube()
    mask = draw_mask("random", 0.5, (2, 1, 4, 12), made_keys(0, 2))
    gradients, runs = [], []
    for block in model.encoder.blocks:
        block.register_forward_pre_hook(lambda *_: runs.append(1))
    for on in (False, True):
        model.set_checkpointing(on)
        model.zero_grad()
        model.losses(cube, mask, model(cube, mask))["token"].mean.backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    assert len(runs) == 2 + 4  # recomputed in the second backward pass
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]), name


def test_parameter_layers_cover_every_parameter():
    model = small_model()
    layers = model.parameter_layers()
    assert list(layers) == [name for name, _ in model.named_parameters()]
    assert {layers[f"encoder.{name}"] for name in ("embedding.weight", "positions.season", "positions.place")} == {0}
    assert layers["encoder.blocks.0.attn.qkv.weight"] == 1
    assert layers["encoder.blocks.1.mlp.fc2.bias"] == 2
    assert layers["encoder.norm.weight"] == layers["decoder.blocks.0.norm1.weight"] == layers["decoder.mask_token"] == 3


def test_reconstructing_with_the_released_normalization_has_no_extremes_of_hidden_parts():
    pixels = made_pixels(NATIVE.bands, 16, 16)
    assert make_cube(pixels, NATIVE, MIN_MAX, 128).scaling.kind == "min_max"
    assert make_cube(pixels, NATIVE, MIN_MAX, 128, reconstructing=True).scaling.kind == "two_sigma"
    assert make_cube(pixels, NATIVE, MIN_MAX, 128, image_side=256).scaling.kind == "min_max"
    assert make_cube(pixels, NATIVE, MIN_MAX, 128, image_side=257).scaling.kind == "two_sigma"
