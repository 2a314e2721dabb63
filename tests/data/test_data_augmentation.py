"""Crops as matrix products, draws, and cubes computed from stored values."""

import math
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils._python_dispatch import TorchDispatchMode

from spectralgpt.bands import Band, BandSet, sensor
from spectralgpt.data.augmentation import Augmentation, augmented, centred, drawn_crops, kept_bands
from spectralgpt.data.crops import Crops, crop_matrix
from spectralgpt.data.samples import Samples
from spectralgpt.draws import keys
from spectralgpt.errors import BandError, OptionError
from spectralgpt.nn import BandStatistics, Cube, Normalization, make_cube

SENTINEL = {band.name: band for band in sensor("s2-l1c").bands}
NATIVE = BandSet.native(sensor("spectralgpt-12").bands)
# in another order, with one that the model does not support
BANDS = tuple(SENTINEL[name] for name in ("B8", "B10", "B2", "B3", "B4", "B11", "B8A"))
NARROW = tuple(Band("narrow", str(i), float(w), 12.0, 30.0) for i, w in enumerate(np.linspace(2450, 410, 60)))
NORMALIZATIONS = {
    "standard": Normalization(
        "standard", tuple(BandStatistics(b, 1.5 + 0.1 * i, 0.6 + 0.05 * i) for i, b in enumerate(SENTINEL.values()))
    ),
    "min_max": Normalization(
        "min_max", tuple(BandStatistics(b, 0.1 + 0.01 * i, 0.05 + 0.01 * i) for i, b in enumerate(SENTINEL.values()))
    ),
}
STANDARD, MIN_MAX = NORMALIZATIONS["standard"], NORMALIZATIONS["min_max"]
seeds = st.integers(0, 2**31 - 1)


def made_samples(
    seed: int = 0,
    *,
    batch: int = 5,
    dates: int = 2,
    side: int = 32,
    bands: tuple[Band, ...] = BANDS,
    dtype: str = "uint16",
    holes: bool = False,
    padded: bool = False,
    gsd: tuple[float, ...] | None = None,
) -> Samples:
    """Every sample, date, band, row and column differs, and scales and offsets do."""
    rng = np.random.default_rng(seed)
    values = rng.integers(50, 6000, (batch, dates, len(bands), side, side)).astype(dtype)
    extent = rng.integers(side // 2, side + 1, (batch, 2)) if padded else np.full((batch, 2), side)
    valid = rng.random(values.shape) > 0.03 if holes else None
    if valid is not None:
        valid[0, 0, 0], valid[-1] = False, True
    return Samples(
        values=torch.from_numpy(values),
        valid=None if valid is None else torch.from_numpy(valid),
        scale=torch.from_numpy(1e-4 * rng.uniform(0.5, 2, (batch, len(bands)))),
        offset=torch.from_numpy(rng.uniform(-0.1, 0, (batch, len(bands)))),
        bands=bands,
        days=torch.arange(batch * dates, dtype=torch.int32).reshape(batch, dates),
        gsd=torch.linspace(10, 20, batch) if gsd is None else torch.tensor(gsd),
        extent=torch.from_numpy(extent.astype(np.int32)),
        key=torch.from_numpy(keys(seed, np.arange(batch)).view(np.int64)),
        draw=seed,
        number=torch.arange(batch),
    )


def cut(samples: Samples, part: slice) -> Samples:
    fields = ("values", "scale", "offset", "days", "gsd", "extent", "key", "number")
    valid = None if samples.valid is None else samples.valid[part]
    return replace(samples, valid=valid, **{name: getattr(samples, name)[part] for name in fields})


def inside(samples: Samples) -> Tensor:
    """Which pixels are not padding."""
    pixel = torch.arange(samples.values.shape[-1])
    rows, columns = (pixel < ends[:, None] for ends in samples.extent.unbind(1))
    return (rows[:, :, None] & columns[:, None, :])[:, None, None].expand(samples.values.shape)


class OneImage:
    """The samples with the fields of pixels; padding is not valid."""

    def __init__(self, samples: Samples, sample: int) -> None:
        seen = inside(samples) if samples.valid is None else inside(samples) & samples.valid
        self.values, self.valid = samples.values[sample], seen[sample]
        self.scale, self.offset = samples.scale[sample], samples.offset[sample]
        self.bands, self.days, self.gsd = samples.bands, samples.days[sample], samples.gsd[sample]


def shown(image: Tensor, crops: Crops, sample: int, target: int, kernel: str, antialias: bool) -> Tensor:
    """(date, band, row, column): the crop by torch's own interpolation, then mirrored and turned."""
    (row, height), (column, width) = crops.rows[sample].tolist(), crops.columns[sample].tolist()
    crop = image[..., row : row + height, column : column + width]
    crop = interpolate(crop, (target, target), mode=kernel, align_corners=False, antialias=antialias)
    crop = crop.flip([axis for axis, back in zip((-2, -1), crops.reversed[sample].tolist(), strict=True) if back])
    return crop.mT if crops.turned[sample] else crop


def assert_same(one: Cube, other: Cube, **tolerance: float) -> None:
    assert one.bands == other.bands
    torch.testing.assert_close(one.filled(), other.filled(), **tolerance)
    torch.testing.assert_close(one.scaling.centre, other.scaling.centre, **tolerance)
    torch.testing.assert_close(one.scaling.scale, other.scaling.scale, **tolerance)
    assert torch.equal(one.all_valid(), other.all_valid())
    assert torch.equal(one.days, other.days)
    torch.testing.assert_close(one.gsd, other.gsd, equal_nan=True)


@settings(max_examples=24)
@given(
    seeds,
    st.sampled_from(["bicubic", "bilinear"]),
    st.booleans(),
    st.sampled_from([(128, 96), (128, 128), (32, 96), (96, 16), (40, 37)]),
)
def test_crops_are_interpolated_as_torch_does(seed, kernel, antialias, sides):
    source, target = sides
    rng = np.random.default_rng(seed)
    length = rng.integers(1, source + 1, (3, 2))
    length[0], length[1] = source, min(source, target)
    start = rng.integers(0, source - length + 1)
    crops = Crops(
        *(torch.from_numpy(np.stack([start[:, i], length[:, i]], axis=1)) for i in range(2)),
        torch.from_numpy(rng.random((3, 2)) < 0.5),
        torch.from_numpy(rng.random(3) < 0.5),
    )
    image = torch.from_numpy(rng.random((3, 1, 2, source, source)))
    resampling = crops.resampling(source, target, kernel, antialias, torch.device("cpu"))
    found = resampling(image.float().permute(0, 3, 1, 2, 4).contiguous())
    for sample in range(3):
        expected = shown(image[sample], crops, sample, target, kernel, antialias)
        torch.testing.assert_close(found[sample].double(), expected, atol=1e-6, rtol=0)


def test_a_crop_knows_nothing_outside():
    for antialias in (True, False):
        matrix = crop_matrix(torch.tensor([3]), torch.tensor([7]), 20, 12, "bicubic", antialias)
        assert not matrix[:, :, :3].any()
        assert not matrix[:, :, 10:].any()
        torch.testing.assert_close(matrix.sum(dim=-1), torch.ones(1, 12))
    same = crop_matrix(torch.tensor([3]), torch.tensor([7]), 20, 7, "bicubic", True)
    assert torch.equal(same[0, :, 3:10], torch.eye(7))


STORED = {
    "uint16": {},
    "int16": {"dtype": "int16"},
    "uint32": {"dtype": "uint32"},
    "float32": {"dtype": "float32"},
    "float64": {"dtype": "float64"},
    "float32 with NaN": {"dtype": "float32", "junk": True},
    "float64 with NaN": {"dtype": "float64", "junk": True},
    "holes": {"holes": True},
    "holes with NaN": {"dtype": "float32", "junk": True, "holes": True},
    "merged": {"bands": NARROW},
    "merged with holes": {"bands": NARROW, "holes": True},
    "merged with NaN": {"bands": NARROW, "dtype": "float32", "junk": True},
}


def odd_samples(seed: int, junk: bool = False, **options: Any) -> Samples:
    """Samples with a constant band, and perhaps floats that are not reflectance and not declared so."""
    samples = made_samples(seed, batch=3, **options)
    samples.values[:, :, 2] = 777
    if junk:
        odd = torch.tensor([math.nan, math.inf, 3.4e38, -1e35], dtype=samples.values.dtype)
        where = torch.from_numpy(np.random.default_rng(seed).random(samples.values.shape) < 0.02)
        where[1], where[2, 0, 3] = False, True
        samples.values[where] = odd[torch.arange(int(where.sum())) % 4]
    return samples


@pytest.mark.parametrize("trained_side", [32, 15], ids=["min_max", "two_sigma"])
@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("stored", STORED)
def test_a_crop_that_resamples_nothing_is_what_make_cube_gives(stored, kind, trained_side):
    """To the last bit, also under pixels that are not valid: training and use are one pipeline."""
    samples = odd_samples(4, **STORED[stored])
    made = [make_cube(OneImage(samples, i), NATIVE, NORMALIZATIONS[kind], trained_side) for i in range(3)]
    options = {"trained_side": trained_side}
    whole = centred(samples, 32, NATIVE, NORMALIZATIONS[kind], **options)
    unmoved = Augmentation(32, area=(1.0, 1.0), flips=False, turns=False, missing_bands=1)
    some = augmented(samples, unmoved, NATIVE, NORMALIZATIONS[kind], **options)
    assert whole.bands == made[0].bands
    assert 0 < len(some.bands) < len(whole.bands)
    assert (whole.valid is None) == all(each.valid is None for each in made)
    assert (
        whole.scaling.kind
        == {"standard": "standard", "min_max": "min_max" if trained_side == 32 else "two_sigma"}[kind]
    )
    for cube in (whole, some):
        index = [whole.bands.names.index(name) for name in cube.bands.names]
        for i, each in enumerate(made):
            assert torch.equal(cube.values[i], each.values[0][:, index])
            assert torch.equal(cube.all_valid()[i], each.all_valid()[0][:, index])
            assert torch.equal(cube.scaling.centre[i], each.scaling.centre[0][:, index])
            assert torch.equal(cube.scaling.scale[i], each.scaling.scale[0][:, index])
            assert torch.equal(cube.days[i], each.days[0])
            assert torch.equal(cube.gsd[i], each.gsd[0])


class Waits(TorchDispatchMode):
    """Copies to another device for which the host would wait. (What is read from `meta` raises an error anyway.)"""

    found: list[str]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("_to_copy", "copy_"):
            source, flag = (args[0], (kwargs or {}).get("non_blocking")) if name == "_to_copy" else (args[1], args[2:3])
            if source.device != result.device and flag not in (True, (True,)):
                self.found.append(name)
        return result


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("stored", ["uint16", "float32", "holes", "holes with NaN", "merged", "merged with NaN"])
def test_no_step_waits_for_the_device(stored, padded, kind, monkeypatch):
    """`meta` has shapes and no values: reading one would raise."""
    # there is no autocast on meta
    monkeypatch.setattr("spectralgpt.data.augmentation.computing_in", lambda *_: nullcontext())
    samples = odd_samples(4, padded=padded, **STORED[stored])
    Waits.found = []
    with Waits():
        cube = augmented(samples, Augmentation(24), NATIVE, NORMALIZATIONS[kind], trained_side=24, device="meta")
    assert not Waits.found
    assert {each.device.type for each in (cube.values, cube.days, cube.gsd, cube.scaling.centre)} == {"meta"}
    # where nothing can be missing, attention needs no mask
    assert (cube.valid is None) == (stored in ("uint16", "float32", "merged"))
    with Waits():
        torch.zeros(2).to("meta"), torch.zeros(2).to("meta", non_blocking=True)
    assert Waits.found == ["_to_copy"]


@settings(max_examples=16)
@given(
    seeds,
    st.sampled_from(["uint16", "int16", "float32", "uint8"]),
    st.sampled_from(list(NORMALIZATIONS)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([BANDS, NARROW]),
    st.booleans(),
)
def test_a_cube_is_the_crop_of_the_whole_images_cube(seed, dtype, kind, padded, holes, bands, own):
    """Reflectance, merging and normalization by make_cube; resampling by torch."""
    samples = made_samples(seed, batch=3, bands=bands, dtype=dtype, padded=padded, holes=holes)
    augmentation = Augmentation(24, antialias=bool(seed % 2))
    cube = augmented(samples, augmentation, NATIVE, NORMALIZATIONS[kind], own=own, trained_side=24)
    assert cube.values.is_contiguous()
    assert cube.values.dtype == torch.float32
    crops = drawn_crops(samples, augmentation)
    for i in range(3):
        whole = make_cube(OneImage(samples, i), NATIVE, NORMALIZATIONS[kind], 24, own=own)
        reflectance, measured = whole.scaling.reflectance(whole.values)[0].double(), whole.all_valid()[0]
        total = torch.where(measured, reflectance, 0.0).sum(dim=(-2, -1), keepdim=True)
        mean = total / measured.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
        image = torch.where(measured, reflectance, mean)
        expected = shown(image, crops, i, 24, "bicubic", augmentation.antialias)
        own_scaling = replace(cube.scaling, centre=cube.scaling.centre[i : i + 1], scale=cube.scaling.scale[i : i + 1])
        some = measured.any(dim=-1).any(dim=-1)
        torch.testing.assert_close(own_scaling.centre[0][some], whole.scaling.centre[0][some], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(own_scaling.scale[0][some], whole.scaling.scale[0][some], atol=1e-6, rtol=1e-5)
        expected = own_scaling.normalize(expected[None].float())[0]
        valid = cube.all_valid()[i]
        torch.testing.assert_close(cube.values[i][valid], expected[valid], atol=2e-5, rtol=2e-5)


@settings(max_examples=10)
@given(seeds, st.sampled_from(list(NORMALIZATIONS)), st.booleans(), st.sampled_from([BANDS, NARROW]))
def test_a_pixel_is_valid_when_all_that_counts_in_it_was(seed, kind, antialias, bands):
    samples = made_samples(seed, bands=bands, holes=True, padded=True)
    augmentation = Augmentation(24, antialias=antialias)
    cube = augmented(samples, augmentation, NATIVE, NORMALIZATIONS[kind], trained_side=24)
    crops = drawn_crops(samples, augmentation)
    resampling = crops.resampling(32, 24, "bicubic", antialias, torch.device("cpu"))
    assert cube.valid is not None
    assert not cube.valid.all()
    for i in range(len(samples)):
        rows, columns = (each[i].abs() > 0 for each in (resampling.rows, resampling.columns))
        holes = ~make_cube(OneImage(samples, i), NATIVE, MIN_MAX, 24).all_valid()[0]
        missed = torch.einsum("hr,tbrc,wc->tbhw", rows.float(), holes.float(), columns.float()) > 0
        assert torch.equal(cube.valid[i], ~(missed.mT if crops.turned[i] else missed))


@settings(max_examples=16)
@given(
    seeds,
    st.sampled_from(["uint16", "float32", "float64"]),
    st.sampled_from(list(NORMALIZATIONS)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([BANDS, NARROW]),
)
def test_what_is_not_valid_never_matters(seed, dtype, kind, holes, centre, bands):
    samples = made_samples(seed, bands=bands, dtype=dtype, holes=holes, padded=True)
    seen = inside(samples) if samples.valid is None else inside(samples) & samples.valid
    junk = torch.from_numpy(np.random.default_rng(seed).choice([0, 65535, 7], seen.shape).astype(dtype))
    if junk.is_floating_point():
        odd = torch.tensor([math.nan, math.inf, 3e38], dtype=junk.dtype)
        junk = odd[torch.randint(3, seen.shape, generator=torch.Generator().manual_seed(seed))]
    values = torch.where(seen, samples.values.double(), junk.double()).to(samples.values.dtype)
    # padding must not be trusted, not even its validity
    spoilt = replace(samples, values=values, valid=None if samples.valid is None else samples.valid | ~inside(samples))
    cubes = []
    for each in (samples, spoilt):
        options = {"own": bool(seed % 2), "trained_side": 24}
        if centre:
            cubes.append(centred(each, 20, NATIVE, NORMALIZATIONS[kind], **options))
        else:
            cubes.append(augmented(each, Augmentation(24), NATIVE, NORMALIZATIONS[kind], **options))
    assert_same(*cubes, atol=0, rtol=0)
    assert torch.isfinite(cubes[1].values).all()
    moved = replace(samples, offset=samples.offset + 0.01)
    one, other = (augmented(each, Augmentation(24), NATIVE, STANDARD, trained_side=24) for each in (samples, moved))
    assert not torch.equal(one.values, other.values)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_a_batch_without_a_hole_under_its_crops_is_all_valid(kind):
    samples = made_samples()
    expected = centred(samples, 24, NATIVE, NORMALIZATIONS[kind], trained_side=24)
    samples = replace(samples, valid=torch.ones(samples.values.shape, dtype=torch.bool))
    assert_same(centred(samples, 24, NATIVE, NORMALIZATIONS[kind], trained_side=24), expected, atol=1e-6, rtol=1e-6)
    samples.valid[2, :, :, 2, 2] = False
    assert centred(samples, 24, NATIVE, NORMALIZATIONS[kind], trained_side=24).valid is None
    samples.valid[2, :, :, 5, 6] = False
    cube = centred(samples, 24, NATIVE, NORMALIZATIONS[kind], trained_side=24)
    assert (~cube.valid).nonzero()[:, [0, 3, 4]].unique(dim=0).tolist() == [[2, 1, 2]]


@settings(max_examples=10)
@given(seeds, st.booleans(), st.booleans(), st.sampled_from(list(NORMALIZATIONS)), st.integers(1, 4))
def test_a_cut_batch_gives_the_same_cubes(seed, holes, padded, kind, first):
    samples = made_samples(seed, holes=holes, padded=padded)
    augmentation = Augmentation(24, missing_bands=0.7)
    whole = augmented(samples, augmentation, NATIVE, NORMALIZATIONS[kind], trained_side=24)
    parts = [
        augmented(cut(samples, part), augmentation, NATIVE, NORMALIZATIONS[kind], trained_side=24)
        for part in (slice(0, first), slice(first, None))
    ]
    assert_same(whole, parts[0].stacked(parts[1]), atol=1e-6, rtol=1e-6)
    other = augmented(
        replace(samples, key=samples.key + 1), augmentation, NATIVE, NORMALIZATIONS[kind], trained_side=24
    )
    assert not torch.equal(whole.values, other.values)


@settings(max_examples=6)
@given(seeds, st.booleans())
def test_the_order_of_a_files_bands_changes_nothing(seed, merged):
    samples = made_samples(seed, bands=NARROW if merged else BANDS, holes=True)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(samples.bands)))
    permuted = replace(
        samples,
        values=samples.values[:, :, order],
        valid=samples.valid[:, :, order],
        scale=samples.scale[:, order],
        offset=samples.offset[:, order],
        bands=tuple(samples.bands[i] for i in order),
    )
    cubes = [augmented(each, Augmentation(16), NATIVE, STANDARD, trained_side=24) for each in (samples, permuted)]
    assert_same(*cubes, atol=0, rtol=0)


def many(extent: tuple[int, int], count: int = 4000, gsd: Tensor | None = None) -> Samples:
    """Keys and extents of many samples; their values are not used."""
    samples = made_samples(3, batch=count, dates=1, side=1, bands=BANDS[:1])
    sides = torch.tensor(extent, dtype=torch.int32).expand(count, 2)
    return replace(samples, extent=sides, gsd=samples.gsd if gsd is None else gsd)


def uniform_to(values: np.ndarray, low: float, high: float) -> bool:
    """Whether the values lie evenly in low to high: the Kolmogorov-Smirnov distance at a level of 1e-6."""
    steps = np.arange(len(values)) / len(values)
    return bool(np.abs(np.sort((values - low) / (high - low)) - steps).max() < 2.7 / math.sqrt(len(values)))


def test_areas_aspects_and_places_are_drawn_evenly():
    extent = 1000, 1000
    crops = drawn_crops(many(extent), Augmentation(96, area=(0.2, 1.0), aspect=(3 / 4, 4 / 3)))
    (row, height), (column, width) = crops.rows.numpy().T, crops.columns.numpy().T
    assert uniform_to(height * width / 1e6, 0.2, 1.0)
    small = height * width < 0.7e6  # where every aspect fits
    assert uniform_to(np.log(width / height)[small], math.log(3 / 4), math.log(4 / 3))
    assert not uniform_to(np.log(width / height)[~small], math.log(3 / 4), math.log(4 / 3))
    for start, length in ((row, height), (column, width)):
        loose = length < 900  # else few places exist
        assert uniform_to((start + 0.5)[loose] / (1000 - length + 1)[loose], 0, 1)
    assert not uniform_to(height * width / 1e6, 0.25, 1.0)


@settings(max_examples=20)
@given(
    st.integers(1, 200), st.integers(1, 200), st.booleans(), st.floats(0.01, 1), st.floats(0.1, 1), st.floats(0.1, 100)
)
def test_crops_lie_inside_the_extent(height, width, by_gsd, area, aspect, gsd):
    augmentation = Augmentation(
        96, area=(area, 1.0), aspect=(aspect, 1 / aspect), gsd=(gsd, 2 * gsd) if by_gsd else None
    )
    crops = drawn_crops(many((height, width), 300), augmentation)
    for (start, length), whole in zip((crops.rows.T, crops.columns.T), (height, width), strict=True):
        assert (start >= 0).all()
        assert (start + length <= whole).all()
        assert (length >= min(8, whole)).all()


def test_flips_and_turns():
    samples = many((32, 32), 800)
    lies = {}
    for flips in (False, True):
        for turns in (False, True):
            crops = drawn_crops(samples, Augmentation(8, flips=flips, turns=turns))
            seen = [tuple(row) for row in torch.cat([crops.reversed, crops.turned[:, None]], dim=1).tolist()]
            lies[flips, turns] = {each: seen.count(each) / 800 for each in set(seen)}
    quarters = {(False, False, False), (False, True, True), (True, True, False), (True, False, True)}
    assert set(lies[False, False]) == {(False, False, False)}
    assert set(lies[False, True]) == quarters
    assert {each[2] for each in lies[True, False]} == {False}
    assert [len(lies[each]) for each in lies] == [1, 4, 4, 8]
    for shares in lies.values():
        assert all(abs(share - 1 / len(shares)) < 0.07 for share in shares.values())
    # a quarter turn is torch's
    image = torch.arange(16.0).reshape(1, 1, 1, 4, 4)
    whole = torch.tensor([[0, 4]])
    for quarter, (back, aside, turned) in enumerate(
        [(False, False, False), (False, True, True), (True, True, False), (True, False, True)]
    ):
        crops = Crops(whole, whole, torch.tensor([[back, aside]]), torch.tensor([turned]))
        turn = crops.resampling(4, 4, "bicubic", True, torch.device("cpu"))
        assert torch.equal(turn(image.permute(0, 3, 1, 2, 4))[0, 0, 0], torch.rot90(image[0, 0, 0], quarter))


def test_the_gsd_follows_the_crop():
    samples = many((128, 96), gsd=torch.where(torch.arange(4000) % 4 == 0, torch.nan, 10.0))
    crops = drawn_crops(samples, Augmentation(32, gsd=(10, 25)))
    heights, widths = crops.rows[:, 1], crops.columns[:, 1]
    known = ~samples.gsd.isnan()
    assert torch.equal(heights[known], widths[known])
    assert uniform_to(np.log(heights[known].numpy() / 3.2), math.log(10), math.log(25))
    assert not torch.equal(heights[~known], widths[~known])
    assert (drawn_crops(samples, Augmentation(32, gsd=(1, 2))).rows[known, 1] == 8).all()
    assert (drawn_crops(samples, Augmentation(32, gsd=(60, 90))).rows[known, 1] == 96).all()
    few = made_samples(gsd=(10.0, math.nan, 20.0, 0.5, 30.0))
    augmentation = Augmentation(24, area=(0.3, 0.6))
    area = drawn_crops(few, augmentation).area()
    cube = augmented(few, augmentation, NATIVE, STANDARD, trained_side=24)
    torch.testing.assert_close(cube.gsd, (few.gsd * area.sqrt() / 24).float(), equal_nan=True)


def test_bands_are_missing_as_often_as_asked_and_never_all():
    kept = [kept_bands(NATIVE, draw, 0.4) for draw in range(2000)]
    lost = [set(range(12)) - set(each) for each in kept if len(each) < 12]
    assert abs(len(lost) / 2000 - 0.4) < 0.05
    assert min(map(len, kept)) == 1
    groups = [set(range(3 * i, 3 * i + 3)) for i in range(4)]
    whole = [each for each in lost if all(group <= each or not group & each for group in groups)]
    assert 0.45 < len(whole) / len(lost) < 0.6
    assert all(abs(sum(band in each for each in lost) / len(lost) - 0.53) < 0.1 for band in range(12))
    assert kept_bands(NATIVE, 7, 0.0) == tuple(range(12))
    assert kept_bands(NATIVE.subset([3]), 7, 1.0) == (0,)
    assert len(kept_bands(NATIVE.subset([3, 4]), 7, 1.0)) == 1


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("bands", [BANDS, NARROW], ids=["alone", "merged"])
def test_a_cube_without_some_bands_is_a_part_of_the_one_with_all(kind, bands):
    sizes = set()
    for draw in range(6):
        samples = replace(made_samples(2, batch=2, bands=bands, holes=True), draw=draw)
        every = augmented(samples, Augmentation(16), NATIVE, NORMALIZATIONS[kind], trained_side=24)
        some = augmented(samples, Augmentation(16, missing_bands=1), NATIVE, NORMALIZATIONS[kind], trained_side=24)
        index = [every.bands.names.index(name) for name in some.bands.names]
        sizes.add(len(index))
        assert some.bands == every.bands.subset(index)
        torch.testing.assert_close(some.filled(), every.filled()[:, :, index])
        assert torch.equal(some.all_valid(), every.all_valid()[:, :, index])
    assert len(sizes) > 1
    assert max(sizes) < len(every.bands)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_centred_are_the_pixels_themselves(kind):
    samples = made_samples(holes=True)
    cube = centred(samples, 24, NATIVE, NORMALIZATIONS[kind], trained_side=24)
    for i in range(len(samples)):
        whole = make_cube(OneImage(samples, i), NATIVE, NORMALIZATIONS[kind], 24)
        valid = whole.all_valid()[0, :, :, 4:28, 4:28]
        assert torch.equal(cube.all_valid()[i], valid)
        torch.testing.assert_close(
            cube.values[i][valid], whole.values[0, :, :, 4:28, 4:28][valid], atol=1e-6, rtol=1e-6
        )
    torch.testing.assert_close(cube.gsd, samples.gsd)
    bands = cube.bands
    assert bands == NATIVE.subset([NATIVE.names.index(name) for name in bands.names])
    # a smaller one is enlarged
    small = replace(samples, valid=None, extent=torch.tensor([[17, 12]], dtype=torch.int32).expand(5, 2))
    cube = centred(small, 24, NATIVE, STANDARD, trained_side=24)
    assert cube.shape[-2:] == (24, 24)
    torch.testing.assert_close(cube.gsd, samples.gsd / 2)
    # the largest square in its middle: rows 2 to 13, columns 0 to 11
    square = replace(small, values=small.values[..., 2:14, :12], extent=torch.full((5, 2), 12, dtype=torch.int32))
    assert_same(cube, centred(square, 24, NATIVE, STANDARD, trained_side=24), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize(("patch", "gone"), [(8, 4), (8, 7), (12, 8)])
def test_training_fills_partly_missing_patches_as_model_cube_does(kind, patch, gone):
    """In every patch `gone` rows are missing in all bands, in some a band is missing, and in one everything is."""
    samples = made_samples(holes=True)
    assert samples.valid is not None
    samples.valid[..., [row for row in range(32) if (row - 4) % patch < gone], :] = False
    samples.valid[:, 0, 1:3, 4:16] = False
    samples.valid[:, 1, :, 4 : 4 + patch, 4 : 4 + patch] = False
    cube = centred(samples, 24, NATIVE, NORMALIZATIONS[kind], trained_side=24)
    for i in range(len(samples)):
        whole = make_cube(OneImage(samples, i), NATIVE, NORMALIZATIONS[kind], 24).cut(slice(4, 28), slice(4, 28))
        found = cube.part(slice(i, i + 1)).in_patches(patch)
        torch.testing.assert_close(found, whole.in_patches(patch), atol=1e-5, rtol=1e-5)
        assert not torch.allclose(found, cube.part(slice(i, i + 1)).filled()), "the fill matters here"


def test_two_sigma_is_for_large_images():
    samples = made_samples()
    kinds = [augmented(samples, Augmentation(8), NATIVE, MIN_MAX, trained_side=side).scaling.kind for side in (15, 16)]
    assert kinds == ["two_sigma", "min_max"]


def test_a_constant_band_is_zero():
    samples = made_samples()
    samples.values[:, :, 2] = 777
    cube = augmented(samples, Augmentation(24), NATIVE, MIN_MAX, trained_side=24)
    assert (cube.values[:, :, 0].abs() < 1e-6).all()
    assert cube.values[:, :, 1].max() > 0.9


def test_autocast_does_not_round():
    samples = made_samples()
    expected = augmented(samples, Augmentation(24), NATIVE, STANDARD, trained_side=24)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(augmented(samples, Augmentation(24), NATIVE, STANDARD, trained_side=24), expected, atol=0, rtol=0)


def test_no_known_band_is_an_error():
    radar = (Band("radar", "VV", 5e7, 1e5, 10.0),)
    samples = made_samples(bands=radar)
    with pytest.raises(BandError, match="bands_as='own'"):
        augmented(samples, Augmentation(24), NATIVE, STANDARD, trained_side=24)


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": 7},
        {"image": 8, "area": (0.5, 1.5)},
        {"image": 8, "area": (0.0, 1.0)},
        {"image": 8, "aspect": (2.0, 1.0)},
        {"image": 8, "gsd": (10.0, math.inf)},
        {"image": 8, "missing_bands": 1.5},
        {"image": 8, "missing_bands": math.nan},
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(OptionError, match=rf"augmentation\.{list(wrong)[-1]}: found .*; expected"):
        Augmentation(**wrong)
