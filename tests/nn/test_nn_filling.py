"""What models see of pixels without a value: the valid pixels of the same patch, and nothing else."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_rasters import real

from made_cubes import NATIVE, NORMALIZATIONS, made_cube, narrow_bands, small_model
from spectralgpt.bands import BandSet, Group, align
from spectralgpt.nn import Cube, make_cube
from spectralgpt.nn.filling import band_weights, filled_patches
from spectralgpt.nn.patches import pad
from spectralgpt.products import open_raster
from spectralgpt.weights import SpectralGPT
from spectralgpt.weights.untrained import untrained

MODEL = small_model()
seeds = st.integers(0, 2**32 - 1)


def scattered(seed: int, shape, share: float) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) >= share


# -- the rule ----------------------------------------------------------------------------------------------------------


def by_hand(values, valid, groups: list[Group], absent: float, patch: int = 8) -> np.ndarray:
    """The rule for one image of one date, patch by patch and band by band, from Group.matrix."""
    bands, height, width = values.shape
    whole = (bands, -(-height // patch) * patch, -(-width // patch) * patch)
    filled, known = np.full(whole, absent), np.zeros(whole, bool)
    known[:, :height, :width] = valid
    filled[:, :height, :width] = np.where(valid, values, absent)
    for row in range(0, whole[1], patch):
        for column in range(0, whole[2], patch):
            first = 0
            for group in groups:
                at = (slice(first, first + len(group.bands)), slice(row, row + patch), slice(column, column + patch))
                part, there = filled[at], known[at]
                first += len(group.bands)
                some = there.any(axis=(1, 2))
                for band in np.flatnonzero(some):
                    part[band][~there[band]] = part[band][there[band]].mean()
                if some.any() and not some.all():
                    present = tuple(band for band, one in zip(group.bands, some, strict=True) if one)
                    slots = group.slots if group.native is not None else tuple(b.wavelength for b in group.bands)
                    matrix = Group(present, slots, group.native).matrix()
                    taken = group.taken_slots() if group.native is not None else range(len(group.bands))
                    for band in np.flatnonzero(~some):
                        part[band] = np.tensordot(matrix[taken[band]], part[some], 1)
                filled[at] = part
    return filled


@settings(max_examples=12)
@given(seeds, st.sampled_from([8, 16, 11]), st.sampled_from([16, 13]), st.booleans(), st.sampled_from([0.0, 0.5]))
@example(3, 11, 13, True, 0.5)
def test_a_band_takes_its_own_mean_then_its_groups_bands_then_the_constant(seed, height, width, own, absent):
    cube = made_cube(narrow_bands(23) if own else NATIVE.bands, height, width, own=own, batch=1)
    rows, columns = -(-height // 8), -(-width // 8)
    blocks = scattered(seed, (1, 1, len(cube.bands), rows, columns), 0.5)
    valid = (
        scattered(seed, cube.shape, 0.3)
        & blocks.repeat_interleave(8, -1).repeat_interleave(8, -2)[..., :height, :width]
    )
    valid[:, :, :3, :8, :8] = False
    values = torch.where(valid, cube.values, torch.nan)
    found = filled_patches(values, valid, cube.bands, 8, absent)
    expected = by_hand(cube.values[0, 0].double().numpy(), valid[0, 0].numpy(), list(cube.bands.groups), absent)
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-5)
    assert torch.equal(found[..., :height, :width][valid], cube.values[valid]), "valid pixels stay as they are"


PATTERNS = {
    "three native bands": NATIVE.groups[1],
    "a native group without its middle": Group(NATIVE.groups[1].bands[::2], NATIVE.groups[1].slots, 1),
    "two": BandSet.own(narrow_bands(2)).groups[0],
    "seven uneven ones": BandSet.own([narrow_bands(200)[i] for i in (0, 1, 2, 9, 40, 41, 199)], 7).groups[0],
    "the same wavelength twice": BandSet.own([replace(b, wavelength=500.0) for b in narrow_bands(3)]).groups[0],
}


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_of_known_bands_has_the_weights_of_a_slot_without_a_band(name):
    group = PATTERNS[name]
    count = len(group.bands)
    known = torch.tensor([[bool(code >> band & 1) for band in range(count)] for code in range(1, 2**count)])
    weights = band_weights(known, group).numpy()
    own = group.native is None
    slots = tuple(band.wavelength for band in group.bands) if own else group.slots
    places = range(count) if own else group.taken_slots()
    for pattern, found in zip(known.numpy(), weights, strict=True):
        present = tuple(band for band, one in zip(group.bands, pattern, strict=True) if one)
        expected = Group(present, slots, group.native).matrix()[list(places)]
        for band in range(count):
            row = np.zeros(count)
            row[pattern] = np.eye(count)[band][pattern] if pattern[band] else expected[band]
            np.testing.assert_allclose(found[band], row, atol=1e-12)


@pytest.mark.parametrize("missing", [[2], [4, 5], [1, 6, 11]])
def test_a_band_that_is_nowhere_valid_counts_as_missing(missing):
    every = made_cube(NATIVE.bands, 24, 16, dates=2)
    valid = torch.ones(every.shape, dtype=torch.bool)
    valid[:, :, missing] = False
    kept = [band for i, band in enumerate(NATIVE.bands) if i not in missing]
    bands = align(kept, NATIVE).bandset
    index = [NATIVE.bands.index(band) for band in bands.bands]
    scaling = replace(every.scaling, centre=every.scaling.centre[:, :, index], scale=every.scaling.scale[:, :, index])
    some = replace(every, values=every.values[:, :, index], bands=bands, scaling=scaling)
    one, other = MODEL.embed(replace(every, valid=valid), "place"), MODEL.embed(some, "place")
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@settings(max_examples=10)
@given(seeds, st.sampled_from(sorted(NORMALIZATIONS)), st.integers(9, 23), st.integers(9, 23))
def test_padding_is_the_same_as_pixels_that_are_not_valid(seed, kind, height, width):
    """So a window at the border of a scene, padded when it is read, has the tokens of the image alone."""
    image = made_cube(NATIVE.bands, height, width, kind=kind, seed=seed)
    whole = (*image.shape[:3], 24, 24)
    values, valid = torch.full(whole, torch.nan), torch.zeros(whole, dtype=torch.bool)
    values[..., :height, :width], valid[..., :height, :width] = image.values, True
    padded = replace(image, values=values, valid=valid).in_patches(8)
    alone = image.in_patches(8)
    torch.testing.assert_close(alone, padded[..., : alone.shape[-2], : alone.shape[-1]], atol=1e-6, rtol=1e-6)
    given_valid = replace(image, valid=torch.ones(image.shape, dtype=torch.bool)).in_patches(8)
    torch.testing.assert_close(alone, given_valid, atol=1e-6, rtol=1e-6)


def test_a_whole_cube_is_not_copied():
    cube = made_cube(NATIVE.bands, 16, 24)
    assert cube.in_patches(8) is cube.values


@settings(max_examples=8)
@given(seeds, st.booleans())
def test_nothing_is_taken_from_another_token(seed, own):
    cube = made_cube(narrow_bands(14) if own else NATIVE.bands, 24, 19, own=own, dates=2)
    cube = replace(cube, valid=scattered(seed, cube.shape, 0.4))
    tokens = MODEL._tokens(cube)
    token = seed % tokens.shape[1]
    dates, groups, rows, columns = MODEL.grid_of(cube).shape
    date, group, row, column = np.unravel_index(token, (dates, groups, rows, columns))
    of_group = [band for band, number in enumerate(cube.bands.group_of_band) if number == group]
    inside = torch.zeros(cube.shape, dtype=torch.bool)
    inside[:, date, of_group, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = True
    other = MODEL._tokens(replace(cube, values=torch.where(inside, cube.values, cube.values + 3)))
    same = (tokens == other).all(dim=-1).all(dim=0)
    assert same[token]
    assert same.sum() == 1


def test_the_fill_does_not_depend_on_autocast():
    cube = made_cube(narrow_bands(14), 16, 16, own=True)
    cube = replace(cube, valid=scattered(1, cube.shape, 0.9))
    with torch.autocast("cpu", torch.bfloat16):
        found = cube.in_patches(8)
    assert torch.equal(found, cube.in_patches(8))


# -- vectors of real images --------------------------------------------------------------------------------------------


@cache
def tiny() -> SpectralGPT:
    return untrained("untrained", seed=3)


def of(path: str, kind: str) -> Cube:
    """The first 64 x 64 pixels, in units of a kind."""
    pixels = open_raster(real(path), bands="eurosat" if "eurosat" in path else None).read()
    cube = make_cube(pixels, tiny().config.bands, NORMALIZATIONS[kind.split()[0]], 128, reconstructing="two" in kind)
    return cube.cut(slice(0, 64), slice(0, 64))


def cropped(cube: Cube, columns: int) -> Cube:
    return cube.cut(slice(None), slice(0, cube.shape[-1] - columns))


def with_holes(cube: Cube, known: torch.Tensor) -> Cube:
    return replace(cube, valid=cube.all_valid() & known)


def half_patches(cube: Cube, seed: int = 0) -> torch.Tensor:
    """The upper half of every third patch is missing."""
    known = torch.ones(cube.shape[-2:], dtype=torch.bool)
    for number in range(0, cube.shape[-2] // 8 * (cube.shape[-1] // 8), 3):
        row, column = divmod(number, cube.shape[-1] // 8)
        known[row * 8 : row * 8 + 4, column * 8 : column * 8 + 8] = False
    return known


def cloud(cube: Cube, seed: int = 0) -> torch.Tensor:
    """A disc with a ragged edge is missing."""
    rows, columns = (torch.arange(size) for size in cube.shape[-2:])
    distance = ((rows[:, None] - 30) ** 2 + (columns - 25) ** 2).sqrt()
    return distance > 14 + 4 * torch.rand(distance.shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def move(cube: Cube, harmed: Cube) -> tuple[float, float]:
    """Median move of the places that miss some pixels, and of those that miss none, in mean distances of all vectors to
    their mean."""
    whole, found = (tiny().embed(each, "place")[0] for each in (cube, harmed))
    spread = (whole - whole.mean(dim=(0, 1))).norm(dim=-1).mean()
    known = harmed.all_valid()[0, 0, 0]
    known = (
        torch.nn.functional.pad(known.float(), (0, cube.shape[-1] - known.shape[-1])).unfold(0, 8, 8).unfold(1, 8, 8)
    )
    share = known.mean(dim=(-2, -1))
    moves = (whole - found).norm(dim=-1) / spread
    return float(moves[(share > 0) & (share < 1)].median()), float(moves[share == 1].median())


def with_constant(values, valid, bands, patch: int, absent: float) -> torch.Tensor:
    """The fill of rules 1."""
    return pad(values if valid is None else torch.where(valid, values, absent), patch, absent)


@pytest.mark.parametrize(
    ("path", "kind", "most"),
    [
        ("s2_pairs/282D_485L_3_3/282D_485L_3_3_S2L1C.tif", "standard", 0.6),
        ("eurosat_ms/River/River_3.tif", "min_max", 0.65),
        ("landslide4sense/images/image_902.tif", "min_max two_sigma", 0.5),
        ("hls/hlsl30_texas.tif", "standard", 0.95),
    ],
)
def test_partly_missing_patches_keep_their_vectors(path, kind, most, monkeypatch):
    """With the constant fill of rules 1 half a patch moved a vector by 1.3 to 30 times the spread of all vectors."""
    cube = of(path, kind)
    harmed = {f"cropped by {columns}": cropped(cube, columns) for columns in (1, 4, 7)}
    harmed |= {"half patches": with_holes(cube, half_patches(cube)), "cloud": with_holes(cube, cloud(cube))}
    now = {name: move(cube, each) for name, each in harmed.items()}
    monkeypatch.setattr("spectralgpt.nn.cube.filled_patches", with_constant)
    for name, each in harmed.items():
        touched, others = move(cube, each)
        assert now[name][0] < min(most, touched / 2), name
        assert now[name][1] < others, name
