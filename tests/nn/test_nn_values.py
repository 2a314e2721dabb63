"""From bands of a file to those of the model, from reflectance to the model's units and back."""

from dataclasses import replace
from itertools import pairwise

import golden_numbers as golden
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from made_cubes import (
    MIN_MAX,
    NATIVE,
    NORMALIZATIONS,
    SENTINEL,
    STANDARD,
    made_cube,
    made_pixels,
    narrow_bands,
    sentinel_bands,
    small_model,
)
from spectralgpt.bands import Band, BandSet, align
from spectralgpt.errors import BandError, RasterError
from spectralgpt.nn import BandStatistics, Normalization, Scaling, make_cube
from spectralgpt.nn.slots import band_valid_in_slots, to_bands, to_slots_of_groups
from spectralgpt.plain import from_plain, to_plain

MODEL = small_model()
seeds = st.integers(0, 2**32 - 1)
# one band each, several in one, and some that nothing takes
FILES = {"sentinel": [*sentinel_bands(12), SENTINEL["B10"]], "narrow": narrow_bands(90), "few": sentinel_bands(5)}


def scattered(seed: int, shape, share: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) > share


def assert_same_cube(one, other) -> None:
    assert one.bands == other.bands
    for a, b in ((one.values, other.values), (one.scaling.centre, other.scaling.centre), (one.days, other.days)):
        assert torch.equal(a, b)
    assert torch.equal(one.scaling.scale, other.scaling.scale)
    assert one.valid is other.valid or torch.equal(one.valid, other.valid)


@settings(max_examples=25)
@given(
    seeds,
    st.sampled_from(list(FILES)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(NORMALIZATIONS)),
)
def test_the_order_of_a_files_bands_changes_nothing(seed, file, holes, own, reconstructing, kind):
    pixels = made_pixels(FILES[file], 7, 9, dates=2, seed=seed)
    if holes:
        pixels = replace(pixels, valid=scattered(seed, pixels.values.shape))
    order = np.random.default_rng(seed).permutation(len(pixels.bands))
    # scale and offset go with their bands
    pixels = replace(
        pixels, scale=1e-4 + 1e-6 * np.arange(len(order)), offset=-0.01 * np.arange(len(order)) / len(order)
    )
    permuted = replace(
        pixels,
        values=pixels.values[:, :, order],
        valid=pixels.valid[:, :, order] if holes else None,
        scale=pixels.scale[order],
        offset=pixels.offset[order],
        bands=tuple(pixels.bands[i] for i in order),
    )
    options = {"own": own, "reconstructing": reconstructing}
    one = make_cube(pixels, NATIVE, NORMALIZATIONS[kind], 128, **options)
    assert_same_cube(one, make_cube(permuted, NATIVE, NORMALIZATIONS[kind], 128, **options))
    # and a swap of values alone does change it
    swapped = replace(pixels, values=permuted.values)
    if (order != np.arange(len(order))).any() and file != "narrow":
        assert not torch.equal(one.values, make_cube(swapped, NATIVE, NORMALIZATIONS[kind], 128, **options).values)


@settings(max_examples=12)
@given(st.lists(st.floats(400, 2500).map(lambda w: round(w, 1)), min_size=1, max_size=40, unique=True), seeds)
@example([500.0], 0)
@example([400.0, 401.0, 402.0, 2500.0], 0)
def test_with_own_groups_every_band_counts(wavelengths, seed):
    bands = [Band("own", str(i), w, 10.0, 30.0) for i, w in enumerate(wavelengths)]
    pixels = made_pixels(bands, 8, 8, batch=1)
    cube = make_cube(pixels, NATIVE, STANDARD, 128, own=True)
    assert len(cube.bands) == len(bands)
    slots, embedding = to_slots_of_groups(cube.values, cube.bands), MODEL.embed(cube)
    for band in range(len(bands)):
        values = cube.values.clone()
        values[:, :, band] += 100.0
        changed = to_slots_of_groups(values, cube.bands)
        assert not torch.equal(slots, changed), wavelengths
    chosen = seed % len(bands)
    values = pixels.values.copy()
    values[:, :, chosen] = 65_535 - values[:, :, chosen]
    changed = make_cube(replace(pixels, values=values), NATIVE, STANDARD, 128, own=True)
    assert not torch.equal(MODEL.embed(changed), embedding)


def test_without_own_groups_only_known_bands_count():
    pixels = made_pixels(FILES["sentinel"], 8, 8)
    cube = make_cube(pixels, NATIVE, STANDARD, 128)
    assert cube.bands == NATIVE
    values = pixels.values.copy()
    values[:, :, -1] = 0  # B10
    assert_same_cube(cube, make_cube(replace(pixels, values=values), NATIVE, STANDARD, 128))
    with pytest.raises(BandError, match="bands_as='own'"):
        make_cube(made_pixels([Band("radar", "VV", 5e7, 1e5, 10.0)], 8, 8), NATIVE, STANDARD, 128)


@settings(max_examples=10)
@given(seeds, st.booleans())
def test_merged_bands_are_weighted_means_of_valid_values(seed, holes):
    bands = narrow_bands(90)
    pixels = made_pixels(bands, 5, 6, seed=seed)
    valid = scattered(seed, pixels.values.shape, 0.5 if holes else 0.0)
    pixels = replace(pixels, valid=valid if holes else None)
    cube = make_cube(pixels, NATIVE, STANDARD, 128)
    reflectance = pixels.values * 1e-4 - 0.004
    merged = 0
    for row, model_band in enumerate(cube.bands.bands):
        near = {i: abs(band.wavelength - model_band.wavelength) for i, band in enumerate(bands)}
        fed = [
            i
            for i, far in near.items()
            if far <= model_band.fwhm / 2
            and far
            == min(
                abs(bands[i].wavelength - each.wavelength)
                for each in NATIVE.bands
                if abs(bands[i].wavelength - each.wavelength) <= each.fwhm / 2
            )
        ]
        merged += len(fed) > 1
        weight = np.array([np.exp(-4 * np.log(2) * near[i] ** 2 / model_band.fwhm**2) for i in fed])
        counted = weight[:, None, None] * valid[:, :, fed]
        total = (counted * reflectance[:, :, fed]).sum(axis=2)
        expected = np.divide(
            total, counted.sum(axis=2), out=np.full(total.shape, np.nan), where=counted.sum(axis=2) > 0
        )
        np.testing.assert_allclose(cube.reflectance()[:, :, row], expected, rtol=2e-5, atol=1e-6)
    assert merged > 3


def test_own_bands_are_read_back_between_slots():
    """Slots of a straight line in ln wavelength are read back as the line; a native band as its slot."""
    for bands in (BandSet.own(narrow_bands(23)), NATIVE, NATIVE.subset([0, 2, 7])):
        lines = np.array([np.log(group.slots) for group in bands.groups])
        slots = torch.from_numpy(lines)[None, None, :, :, None, None]
        expected = np.log([band.wavelength for band in bands.bands])
        np.testing.assert_allclose(to_bands(slots, bands).flatten(), expected, rtol=1e-12)


def test_targets_need_every_band_that_feeds_the_slot():
    bands = BandSet.own(narrow_bands(4), slots=3)  # two groups of two bands, three slots: the middle one takes both
    valid = torch.ones(1, 1, 4, 1, 1, dtype=torch.bool)
    valid[0, 0, 0] = False
    assert band_valid_in_slots(valid, bands).flatten().tolist()[1:] == [False, True, True, True, True]
    part = NATIVE.subset([0, 2, 7])  # B1 and B3 of the first group, B8 of the third
    every = torch.ones(1, 1, 3, 1, 1, dtype=torch.bool)
    assert band_valid_in_slots(every, part).flatten().tolist() == [True, False, True, False, True, False]
    every[0, 0, 1] = False
    assert band_valid_in_slots(every, part).flatten().tolist() == [True, False, False, False, True, False]


@pytest.mark.parametrize("kind", ["standard", "min_max"])
@pytest.mark.parametrize("own", [False, True])
def test_normalization_inverts(kind, own):
    pixels = made_pixels(FILES["sentinel"], 12, 10, dates=2)
    cube = make_cube(pixels, NATIVE, NORMALIZATIONS[kind], 128, own=own)
    order = [[band.identity for band in pixels.bands].index(band.identity) for band in cube.bands.bands]
    expected = (pixels.values * 1e-4 - 0.004)[:, :, order]
    np.testing.assert_allclose(cube.reflectance(), expected, rtol=1e-5, atol=2e-7)


def test_two_sigma_inverts_where_it_does_not_clip():
    pixels = made_pixels(NATIVE.bands, 12, 10)
    cube = make_cube(pixels, NATIVE, MIN_MAX, 128, reconstructing=True)
    expected = torch.from_numpy((pixels.values * 1e-4 - 0.004).astype("f4"))
    inside = (cube.values > 0) & (cube.values < 1)
    assert 0.2 < inside.float().mean() < 0.9
    torch.testing.assert_close(cube.reflectance()[inside], expected[inside], rtol=1e-5, atol=1e-6)
    low = torch.tensor([s.mean - 2 * s.sd for s in MIN_MAX.statistics if s.band in NATIVE.bands])
    high = torch.tensor([s.mean + 2 * s.sd for s in MIN_MAX.statistics if s.band in NATIVE.bands])
    for band in range(12):  # what was clipped stands at its bound
        clipped = torch.where(expected[:, :, band] < low[band], low[band], high[band])
        found = cube.reflectance()[:, :, band]
        outside = ~inside[:, :, band]
        torch.testing.assert_close(found[outside], clipped[outside], rtol=1e-5, atol=1e-6)


@settings(max_examples=20)
@given(seeds, st.floats(0, 0.9))
def test_min_max_is_of_each_image_date_and_band(seed, share):
    pixels = made_pixels(NATIVE.bands, 6, 5, dates=3, seed=seed)
    valid = scattered(seed, pixels.values.shape, share)
    valid[0, 1, 4] = False
    cube = make_cube(replace(pixels, valid=valid), NATIVE, MIN_MAX, 128)
    assert cube.scaling.kind == "min_max"
    for where in np.ndindex(2, 3, 12):
        seen = cube.values[where][torch.from_numpy(valid[where])]
        if len(seen):
            assert seen.min() == 0
            assert len(seen) == 1 or seen.max() == pytest.approx(1, abs=1e-6)
        else:
            assert (cube.filled()[where] == 0.5).all()


def test_two_dates_keep_their_difference_by_standard_and_lose_it_by_min_max():
    """MATH.md 10, entry 23: scaling each date by its own extremes removes the radiometry between two dates, so change
    detection takes `standard`, as every other task does."""
    pixels = made_pixels(NATIVE.bands, 6, 5, dates=2, seed=1)
    pixels.values[..., 1, :, :, :] = 2 * pixels.values[..., 0, :, :, :]
    before, after = make_cube(pixels, NATIVE, STANDARD, 128).values.unbind(1)
    assert (after > before).all(), "twice as bright"
    before, after = make_cube(pixels, NATIVE, MIN_MAX, 128).values.unbind(1)
    torch.testing.assert_close(before, after, atol=1e-3, rtol=0)


def test_a_constant_band_is_zero():
    """Not NaN, as by a range of 0 (MATH.md 10, entry 26)."""
    pixels = made_pixels(NATIVE.bands, 6, 5)
    pixels.values[:, :, 3] = 777
    for normalization in (MIN_MAX, STANDARD):
        cube = make_cube(pixels, NATIVE, normalization, 128)
        assert torch.isfinite(cube.values).all()
    assert not make_cube(pixels, NATIVE, MIN_MAX, 128).values[:, :, 3].any()


@pytest.mark.parametrize("reconstructing", [False, True])
def test_units_of_the_released_code(reconstructing):
    """min_max, and 8 bits of the mean +- 2 standard deviations."""
    misc = golden.load_tensors("misc.safetensors")
    statistics = golden.load_json("cases.json")["misc"]["band_statistics"]["bigearthnet"]
    rows = zip(NATIVE.bands, statistics["mean"], statistics["std"], strict=True)
    normalization = Normalization(
        "min_max", tuple(BandStatistics(band, mean / 1e4, sd / 1e4) for band, mean, sd in rows), eight_bit=True
    )
    stored = np.moveaxis(misc["bigearthnet_reflectance_hwc"], -1, 0)[None, None]
    pixels = replace(made_pixels(NATIVE.bands, 6, 7, batch=1), values=stored, offset=np.zeros(12))
    cube = make_cube(pixels, NATIVE, normalization, 128, reconstructing=reconstructing)
    found = np.moveaxis(cube.values[0, 0].numpy(), 0, -1)
    if reconstructing:
        np.testing.assert_array_equal(np.rint(found * 255), misc["bigearthnet_norm_uint8_hwc"])
        np.testing.assert_allclose(found * 255, np.rint(found * 255), atol=1e-4)
    else:
        np.testing.assert_allclose(found, misc["minmax_hwc_eps1e-10"], atol=1e-6)


@given(st.integers(0, 3), st.floats(-0.05, 1.5))
def test_standard_is_logarithmic_above_two_percent_and_linear_below(band, reflectance):
    cube = made_cube(NATIVE.bands, 8, 8)
    r = torch.full((2, 1, 12, 1, 1), reflectance)
    statistics = [s for s in STANDARD.statistics if s.band in NATIVE.bands][band]
    expected = (np.arcsinh(reflectance / 0.02) - statistics.mean) / statistics.sd
    assert cube.scaling.normalize(r)[0, 0, band].item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_statistics_of_bands_without_their_own_are_between_those_of_the_nearest():
    known = sorted(STANDARD.statistics, key=lambda s: s.band.wavelength)
    left, right = next((a, b) for a, b in pairwise(known) if b.band.wavelength - a.band.wavelength > 30)
    between = Band("other", "x", float(np.sqrt(left.band.wavelength * right.band.wavelength)), 10.0, 10.0)
    beyond = Band("other", "y", 2490.0, 10.0, 10.0)
    own = left.band
    mean, sd = STANDARD.fixed("standard", [between, beyond, own], [[between], [beyond], [own]])
    assert mean[0] == pytest.approx((left.mean + right.mean) / 2)
    assert sd[0] == pytest.approx((left.sd + right.sd) / 2)
    assert (mean[1], sd[1]) == (known[-1].mean, known[-1].sd)
    assert (mean[2], sd[2]) == (left.mean, left.sd)


def test_fitted_statistics_standardize_what_they_were_fitted_to():
    rng = np.random.default_rng(0)
    reflectance = rng.uniform(0.0, 0.5, (4000, 12)).astype(np.float32)
    valid = rng.random((4000, 12)) < 0.7
    junked = np.where(valid, reflectance, np.float32(np.nan))
    fitted = Normalization.fitted(NATIVE.bands, junked, valid)
    centre, scale = fitted.fixed("standard", NATIVE.bands, [[band] for band in NATIVE.bands])
    scaling = Scaling("standard", torch.from_numpy(centre)[None, None], torch.from_numpy(scale)[None, None])
    values = scaling.normalize(torch.from_numpy(reflectance.T)[None, None, :, :, None].double()).numpy()[0, 0, :, :, 0]
    for band in range(12):
        assert values[band][valid[:, band]].mean() == pytest.approx(0, abs=1e-6)
        assert values[band][valid[:, band]].std() == pytest.approx(1, abs=1e-6)
    assert from_plain(Normalization, to_plain(fitted)) == fitted
    valid[:, 4] = False
    with pytest.raises(ValueError, match=NATIVE.bands[4].name):
        Normalization.fitted(NATIVE.bands, junked, valid)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", ">u2", "float32", "float64", ">f4"])
def test_stored_types_and_layouts(dtype):
    """Any NumPy array, reversed or read-only, or a tensor: the same cube."""
    plain = made_pixels(NATIVE.bands, 6, 5)
    plain = replace(plain, values=(plain.values % 250).astype(dtype).astype(np.float64))
    expected = make_cube(plain, NATIVE, STANDARD, 128)
    stored = plain.values.astype(dtype)
    turned = np.ascontiguousarray(stored[..., ::-1])[..., ::-1]
    frozen = stored.copy()
    frozen.flags.writeable = False
    tensor = torch.from_numpy(stored.astype(stored.dtype.newbyteorder("=")))
    for values in (stored, turned, frozen, tensor):
        assert_same_cube(make_cube(replace(plain, values=values), NATIVE, STANDARD, 128), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bands", [NATIVE.bands, narrow_bands(90)], ids=["alone", "merged"])
def test_what_is_no_reflectance_is_not_valid(dtype, bands):
    """The bound 1e30 applies to reflectance, whatever the scale of stored values."""
    pixels = made_pixels(bands, 6, 5)
    limit = np.array([10 ** (3 * (i % 3) + 30.0) for i in range(len(bands))])
    values = pixels.values.astype(dtype)
    values[0, 0, :, 0, 0], values[0, 0, :, 0, 1], values[0, 0, :, 0, 2] = 0.9 * limit, 1.1 * limit, -1.1 * limit
    values[0, 0, :, 0, 3], values[0, 0, :, 0, 4] = np.nan, -np.inf
    pixels = replace(pixels, values=values, scale=1e30 / limit, offset=np.zeros(len(bands)))
    for normalization in (STANDARD, MIN_MAX):
        cube = make_cube(pixels, NATIVE, normalization, 128)
        assert cube.valid is not None
        assert cube.valid[0, 0, :, 0].all(dim=0).tolist() == [True, False, False, False, False]
        assert not cube.valid[0, 0, :, 0, 1:].any()
        assert cube.valid.sum() == cube.valid.numel() - 4 * len(cube.bands)
        assert torch.isfinite(cube.values).all()
    # a hole in a band that is not used does not count
    if bands == NATIVE.bands:
        other = replace(pixels, bands=(*bands[:-1], SENTINEL["B10"]))
        values[:, :, :-1] = 0.5
        assert make_cube(other, NATIVE, STANDARD, 128).valid is None


def test_extremes_are_of_reflectance():
    """Also where the scale is negative, and where nothing is valid."""
    pixels = made_pixels(NATIVE.bands, 6, 5)
    valid = scattered(0, pixels.values.shape)
    valid[:, :, 3] = False
    pixels = replace(pixels, valid=valid, scale=1e-4 * np.where(np.arange(12) % 2, 1, -1))
    scaling = make_cube(pixels, NATIVE, MIN_MAX, 128).scaling
    reflectance = (pixels.values * pixels.scale[:, None, None] - 0.004).astype(np.float32)
    low = np.where(valid, reflectance, np.inf).min(axis=(-2, -1))
    high = np.where(valid, reflectance, -np.inf).max(axis=(-2, -1))
    low[:, :, 3], high[:, :, 3] = 0, 1
    np.testing.assert_array_equal(scaling.centre, low)
    np.testing.assert_array_equal(scaling.scale, high - low)


def test_an_alignment_that_is_known_is_taken():
    pixels = made_pixels(FILES["narrow"], 8, 8)
    alignment = align(pixels.bands, NATIVE)
    assert_same_cube(
        make_cube(pixels, NATIVE, STANDARD, 128, alignment=alignment), make_cube(pixels, NATIVE, STANDARD, 128)
    )
    own = make_cube(pixels, NATIVE, STANDARD, 128, alignment=align(pixels.bands, NATIVE, own=True))
    assert_same_cube(own, make_cube(pixels, NATIVE, STANDARD, 128, own=True))
    with pytest.raises(RasterError, match="alignment of 90 bands"):
        make_cube(made_pixels(FILES["few"], 8, 8), NATIVE, STANDARD, 128, alignment=alignment)


@pytest.mark.parametrize("bands", [NATIVE.bands, narrow_bands(90)], ids=["alone", "merged"])
def test_a_large_image_is_the_sum_of_its_parts(bands):
    """It is converted in strips."""
    whole = made_pixels(bands, 90, 300)
    whole = replace(whole, valid=scattered(1, whole.values.shape, 0.1))
    cube = make_cube(whole, NATIVE, STANDARD, 128)
    part = replace(whole, values=whole.values[..., 37:80, :], valid=whole.valid[..., 37:80, :])
    assert torch.equal(make_cube(part, NATIVE, STANDARD, 128).values, cube.values[..., 37:80, :])


def test_a_window_takes_the_whole_images_scaling():
    whole = made_pixels(NATIVE.bands, 16, 24)
    cube = make_cube(whole, NATIVE, MIN_MAX, 128)
    window = make_cube(replace(whole, values=whole.values[..., 8:, :16]), NATIVE, MIN_MAX, 128, scaling=cube.scaling)
    assert torch.equal(window.values, cube.values[..., 8:, :16])
