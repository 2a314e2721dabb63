"""Values that were not measured, and values that are hidden, never reach an output."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from made_cubes import MIN_MAX, NATIVE, STANDARD, made_cube, made_keys, made_pixels, narrow_bands, small_model
from spectralgpt.nn import draw_mask, given_mask, make_cube

MODEL = small_model()
junk_values = st.floats(width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 3e38])
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, shape, share: float = 0.3) -> torch.Tensor:
    """Scattered pixels and whole patches that are false."""
    generator = torch.Generator().manual_seed(seed)
    single = torch.rand(shape, generator=generator) > share
    n, t, b, h, w = shape
    patches = torch.rand((n, t, b, -(-h // 8), -(-w // 8)), generator=generator) > share
    groups = torch.rand((n, t, -(-b // 3), -(-h // 8), -(-w // 8)), generator=generator) > share
    patches &= groups.repeat_interleave(3, dim=2)[:, :, :b]
    return single & patches.repeat_interleave(8, -1).repeat_interleave(8, -2)[..., :h, :w]


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.nan_to_num(nan=12345.0), other.nan_to_num(nan=12345.0)) and torch.equal(
        one.isnan(), other.isnan()
    )


def outputs(cube, mask, hidden) -> dict[str, torch.Tensor]:
    """Everything that a user or a training step takes from the model."""
    found = {f"features {i}": each for i, each in enumerate(MODEL.features(cube))}
    found |= {per: MODEL.embed(cube, per) for per in ("image", "place", "group", "date")}
    rebuilt = MODEL.reconstruct(cube, hidden)
    found |= {"values": rebuilt.values, "predicted": rebuilt.predicted, "reflectance": rebuilt.reflectance()}
    for normalized in (False, True):
        losses = MODEL.losses(cube, mask, MODEL(cube, mask), normalized=normalized)
        found |= {f"{name} {normalized}": term.mean for name, term in losses.items()}
        MODEL.zero_grad()
        sum(term.mean for term in losses.values()).backward()
        found |= {f"gradient of {name} {normalized}": p.grad.clone() for name, p in MODEL.named_parameters()}
    return {name: tensor.detach() for name, tensor in found.items()}


@settings(max_examples=3)
@given(
    seeds, junk_values, st.sampled_from(["standard", "min_max"]), st.booleans(), st.sampled_from([(16, 16), (11, 19)])
)
@example(1, np.nan, "standard", False, (16, 16))
@example(2, np.inf, "min_max", True, (11, 19))
def test_values_under_invalid_pixels_change_nothing(seed, junk, kind, own, side):
    bands = narrow_bands(14) if own else NATIVE.bands
    cube = made_cube(bands, *side, kind=kind, own=own, dates=2)
    valid = drawn(seed, cube.shape)
    present = MODEL.present(replace(cube, valid=valid))
    shape = (2, 2, present.shape[2], present.shape[3] * present.shape[4])
    mask = draw_mask("random", 0.5, shape, made_keys(seed, shape[0]), present.flatten(1))
    hidden = torch.rand(present.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    clean = outputs(replace(cube, valid=valid), mask, hidden)
    junked = outputs(replace(cube, valid=valid, values=torch.where(valid, cube.values, junk)), mask, hidden)
    for name, tensor in clean.items():
        assert same(tensor, junked[name]), name
        assert name == "reflectance" or torch.isfinite(tensor).all(), name
    changed = outputs(replace(cube, valid=valid, values=torch.where(valid, cube.values + 1, junk)), mask, hidden)
    assert all(not same(clean[name], changed[name]) for name in ("image", "predicted", "token False"))


@settings(max_examples=15)
@given(seeds, junk_values, st.sampled_from([STANDARD, MIN_MAX]), st.booleans(), st.booleans())
def test_a_cube_does_not_hold_what_stood_under_invalid_pixels(seed, junk, normalization, own, reconstructing):
    """Already in stored values: extremes, merged bands and everything else come from valid pixels."""
    bands = [*narrow_bands(40), *NATIVE.bands[:3]]
    pixels = made_pixels(bands, 11, 9, dates=2)
    pixels = replace(pixels, values=pixels.values.astype(np.float32), valid=drawn(seed, pixels.values.shape).numpy())

    def cube(value: float):
        junked = replace(pixels, values=np.where(pixels.valid, pixels.values, np.float32(value)))
        return make_cube(junked, NATIVE, normalization, 128, own=own, reconstructing=reconstructing)

    one, other = cube(700.0), cube(junk)
    assert torch.equal(one.filled(), other.filled())
    assert torch.isfinite(one.filled()).all()
    assert torch.equal(one.valid, other.valid)
    assert torch.equal(one.scaling.centre, other.scaling.centre)
    assert torch.equal(one.scaling.scale, other.scaling.scale)
    assert same(one.reflectance(), other.reflectance())


@settings(max_examples=6)
@given(seeds, junk_values, st.booleans(), st.booleans())
@example(0, np.nan, True, False)
@example(0, np.nan, False, True)  # NaN went from a hidden group to the others of its pixel
def test_values_under_hidden_pixels_change_no_prediction(seed, junk, absent, own):
    """Also if samples hide different numbers of tokens, so that some kept ones are surplus, and if some are absent."""
    bands = narrow_bands(14) if own else NATIVE.bands
    cube = made_cube(bands, 24, 16, dates=2, own=own)
    generator = torch.Generator().manual_seed(seed)
    grid = MODEL.grid_of(cube)
    share = torch.tensor([0.2, 0.7]).reshape(2, 1, 1, 1, 1)
    hidden = torch.rand((2, *grid.shape), generator=generator) < share
    if absent:
        cube = replace(cube, valid=drawn(seed, cube.shape))
    group = [number for number, each in enumerate(cube.bands.groups) for _ in each.bands]
    pixels = hidden.repeat_interleave(8, -1).repeat_interleave(8, -2)[:, :, group]
    junked = replace(cube, values=torch.where(pixels, junk, cube.values))
    mask = given_mask(hidden.flatten(1), MODEL.present(cube).flatten(1) if absent else None)
    assert mask.seen is not None, "the samples keep different numbers"
    assert torch.equal(MODEL(cube, mask), MODEL(junked, mask))
    one, other = MODEL.reconstruct(cube, hidden), MODEL.reconstruct(junked, hidden)
    assert torch.equal(one.hidden, pixels)
    assert torch.equal(one.values, other.values)
    assert same(one.reflectance(), other.reflectance())
    visible = replace(cube, values=torch.where(pixels, cube.values, cube.values + 1))
    assert not torch.equal(MODEL.reconstruct(visible, hidden).predicted, one.predicted)


@settings(max_examples=6)
@given(seeds, st.sampled_from(["random", "place", "group", "date"]))
def test_a_drawn_mask_hides_its_values(seed, kind):
    cube = made_cube(NATIVE.bands, 24, 16, dates=3)
    cube = replace(cube, valid=drawn(seed, cube.shape, 0.2))
    present = MODEL.present(cube)
    mask = draw_mask(kind, 0.6, (2, 3, 4, 6), made_keys(seed, 2), present.flatten(1))
    pixels = mask.hidden.reshape(present.shape).repeat_interleave(8, -1).repeat_interleave(8, -2)
    pixels = pixels.repeat_interleave(3, dim=2)
    junked = replace(cube, values=torch.where(pixels, 1e9, cube.values))
    assert torch.equal(MODEL(cube, mask), MODEL(junked, mask))


@settings(max_examples=3)
@given(seeds, st.booleans())
def test_no_mask_of_validity_is_one_that_is_all_true(seed, own):
    bands = narrow_bands(14) if own else NATIVE.bands
    cube = made_cube(bands, 19, 25, seed=seed % 1000, own=own)
    explicit = replace(cube, valid=torch.ones(cube.shape, dtype=torch.bool))
    groups = len(cube.bands.groups)
    mask = draw_mask("random", 0.5, (2, 1, groups, 12), made_keys(seed, 2))
    hidden = mask.hidden.reshape(2, 1, groups, 3, 4)
    one, other = outputs(cube, mask, hidden), outputs(explicit, mask, hidden)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=1e-5, rtol=1e-4, msg=name)
    pixels = made_pixels(bands, 19, 25, seed=seed % 1000)
    assert (
        make_cube(replace(pixels, valid=np.ones(pixels.values.shape, bool)), NATIVE, STANDARD, 128, own=own).valid
        is None
    )


def test_a_surplus_token_is_rebuilt_as_any_hidden_one():
    """A sample that keeps fewer tokens than its neighbour is predicted as if it were alone."""
    cube = made_cube(NATIVE.bands, 24, 16)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.rand((2, 1, 4, 3, 2), generator=generator) < torch.tensor([0.2, 0.7]).reshape(2, 1, 1, 1, 1)
    both = MODEL.reconstruct(cube, hidden).predicted[1:]
    scaling = replace(cube.scaling, centre=cube.scaling.centre[1:], scale=cube.scaling.scale[1:])
    alone = replace(cube, values=cube.values[1:], days=cube.days[1:], gsd=cube.gsd[1:], scaling=scaling)
    torch.testing.assert_close(MODEL.reconstruct(alone, hidden[1:]).predicted, both, atol=1e-5, rtol=1e-5)
