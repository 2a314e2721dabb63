"""Mixup, cutmix and erasing: values, validity and targets go together, and every draw is a function of its key."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from made_cubes import NATIVE, made_cube, made_keys, narrow_bands, small_model, with_valid
from made_heads import holes, taken
from spectralgpt.errors import OptionError
from spectralgpt.nn import Cube, Erasing, Mix, Mixing, class_loss

PAPER = Mixing(mixup=0.8, cutmix=1.0)
BOX = (slice(2, 10), slice(5, 9))
PARTNERS = [1, 0, 3, 2]


def cube_of(kind: str, batch: int = 4) -> Cube:
    """Cubes of other bands, dates and units, with and without holes."""
    if kind == "narrow":
        return made_cube(narrow_bands(5), 24, 32, batch=batch, own=True)
    cube = made_cube(dates=2, batch=batch, kind="min_max" if kind == "min_max" else "standard")
    return with_valid(cube, holes(cube, "region")) if kind == "holes" else cube


KINDS = pytest.mark.parametrize("kind", ["standard", "narrow", "min_max"])


# -- how a step is mixed -----------------------------------------------------------------------------------------------


def test_the_papers_recipe():
    mixes = [PAPER.drawn(draw, 24, 32) for draw in range(1500)]
    assert all(mix is not None for mix in mixes)
    cuts = [mix for mix in mixes if mix.box is not None]
    assert len(cuts) / len(mixes) == pytest.approx(0.5, abs=0.04)
    shares = [mix.share for mix in mixes if mix.box is None]
    assert stats.kstest(shares, stats.beta(0.8, 0.8).cdf).pvalue > 1e-3
    for mix in cuts:
        rows, columns = mix.box
        assert 0 <= rows.start <= rows.stop <= 24
        assert 0 <= columns.start <= columns.stop <= 32
        assert mix.share == 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (24 * 32)
        # both sides are the same share of the image, unless they end at its edge
        if 0 < rows.start < rows.stop < 24 and 0 < columns.start < columns.stop < 32:
            assert abs((rows.stop - rows.start) / 24 - (columns.stop - columns.start) / 32) < 2 / 24
    centre = np.mean([(mix.box[0].start + mix.box[0].stop) / 48 for mix in cuts])
    assert centre == pytest.approx(0.5, abs=0.03)


def test_a_step_is_mixed_by_its_key_alone():
    found = [PAPER.drawn(draw, 24, 32) for draw in range(50)]
    torch.rand(3)
    assert [PAPER.drawn(draw, 24, 32) for draw in range(50)] == found
    assert len({mix.share for mix in found}) > 45


@pytest.mark.parametrize(
    ("mixing", "mixed", "cut"),
    [
        (Mixing(), 0.0, 0.0),
        (Mixing(mixup=0.4), 1.0, 0.0),
        (Mixing(cutmix=1), 1.0, 1.0),
        (Mixing(mixup=1, cutmix=1, switch=1), 1.0, 1.0),
        (Mixing(mixup=1, cutmix=1, switch=0), 1.0, 0.0),
        (Mixing(mixup=1, cutmix=1, switch=0.2, probability=0.3), 0.3, 0.06),
        (Mixing(cutmix=1, probability=0), 0.0, 0.0),
    ],
)
def test_how_often_batches_are_mixed(mixing, mixed, cut):
    found = [mixing.drawn(draw, 16, 16) for draw in range(600)]
    assert sum(mix is not None for mix in found) / 600 == pytest.approx(mixed, abs=0.05)
    assert sum(mix is not None and mix.box is not None for mix in found) / 600 == pytest.approx(cut, abs=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixing(mixup=-0.1), r"mixing\.mixup: found -0\.1; expected 0, or a shape above it"),
        (lambda: Mixing(cutmix=float("nan")), r"mixing\.cutmix: found nan"),
        (lambda: Mixing(switch=1.1), r"mixing\.switch: found 1\.1; expected a share from 0 to 1"),
        (lambda: Mixing(probability=-1), r"mixing\.probability"),
        (lambda: Erasing(probability=2), r"erasing\.probability: found 2"),
        (lambda: Erasing(area=(0.3, 0.1)), r"erasing\.area: found \(0\.3, 0\.1\); expected two shares"),
        (lambda: Erasing(area=(0, 0.1)), r"erasing\.area"),
        (lambda: Erasing(aspect=0), r"erasing\.aspect: found 0"),
    ],
)
def test_settings_from_which_nothing_can_be_drawn(make, message):
    with pytest.raises(OptionError, match=message):
        make()


# -- mixup -------------------------------------------------------------------------------------------------------------


@KINDS
def test_mixup_mixes_pairs_of_neighbours(kind):
    cube = cube_of(kind)
    found = Mix(0.7).cube(cube)
    for number, partner in enumerate(PARTNERS):
        torch.testing.assert_close(found.values[number], 0.7 * cube.values[number] + 0.3 * cube.values[partner])
    assert found.valid is None
    assert found.bands == cube.bands
    odd = taken(cube, [0, 1, 2])
    torch.testing.assert_close(Mix(0.7).cube(odd).values[2], odd.values[2])
    one = taken(cube, [0])
    torch.testing.assert_close(Mix(0.7).cube(one).values, one.values)


@pytest.mark.parametrize("mix", [Mix(0.7), Mix(0.4), Mix(0.9, BOX)])
@pytest.mark.parametrize("cuts", [(2, 4), (4, 2), (2, 2, 2)])
def test_a_step_may_be_divided_into_batches_of_even_size(mix, cuts):
    cube = cube_of("holes", batch=6)
    whole, parts = mix.cube(cube), []
    start = 0
    for size in cuts:
        parts.append(mix.cube(cube.part(slice(start, start + size))))
        start += size
    together = parts[0].stacked(*parts[1:])
    assert torch.equal(together.values, whole.values)
    assert torch.equal(together.valid, whole.valid)
    assert torch.equal(together.days, whole.days)


def test_where_one_value_is_missing_mixup_takes_the_other_whole():
    values = torch.tensor([1.0, 1.0, torch.nan, torch.inf]), torch.tensor([3.0, torch.nan, 3.0, torch.nan])
    valid = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    cube = made_cube([NATIVE.bands[0]], 1, 4)
    cube = replace(cube, values=torch.stack(values)[:, None, None, None], valid=torch.stack(valid)[:, None, None, None])
    found = Mix(0.75).cube(cube)
    assert found.values.squeeze().tolist() == [[1.5, 1.0, 3.0, 0.0], [2.5, 1.0, 3.0, 0.0]]
    assert found.valid.squeeze().tolist() == [[True, True, True, False]] * 2


@pytest.mark.parametrize("mix", [Mix(0.6), Mix(0.9, BOX)])
def test_what_stands_under_invalid_pixels_reaches_no_mixture(mix):
    cube = cube_of("holes")
    clean = mix.cube(cube)
    for junk in (np.nan, np.inf, 1e38):
        found = mix.cube(replace(cube, values=torch.where(cube.valid, cube.values, junk)))
        assert torch.equal(found.valid, clean.valid)
        assert torch.equal(torch.where(found.valid, found.values, 0), torch.where(clean.valid, clean.values, 0))
    assert not clean.valid.all()


@pytest.mark.parametrize(("share", "order"), [(0.8, [0, 1, 2, 3]), (0.5, [0, 1, 2, 3]), (0.3, PARTNERS)])
@pytest.mark.parametrize("box", [None, BOX])
def test_days_gsd_and_units_are_those_of_the_larger_share(share, order, box):
    cube = cube_of("min_max")
    cube = replace(cube, days=cube.days + torch.arange(4, dtype=torch.int32)[:, None], gsd=torch.arange(4.0) + 10)
    found, wanted = Mix(share, box).cube(cube), taken(cube, order)
    assert torch.equal(found.days, wanted.days)
    assert torch.equal(found.gsd, wanted.gsd)
    assert torch.equal(found.scaling.centre, wanted.scaling.centre)
    assert torch.equal(found.scaling.scale, wanted.scaling.scale)


# -- cutmix ------------------------------------------------------------------------------------------------------------


@KINDS
def test_cutmix_takes_a_box_from_the_partner(kind):
    cube = cube_of(kind)
    before = cube.values.clone()
    found = Mix(0.9, BOX).cube(cube)
    inside = torch.zeros(24, 32, dtype=torch.bool)
    inside[2:10, 5:9] = True
    assert torch.equal(found.values, torch.where(inside, cube.values[PARTNERS], cube.values))
    assert torch.equal(cube.values, before), "the batch itself is left as it is"
    assert found.valid is None


def test_validity_and_masks_are_cut_as_the_values_are():
    cube = cube_of("holes")
    mask = torch.randint(0, 9, (4, 24, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mix = Mix(0.9, BOX)
    found, cut = mix.cube(cube), mix.mask(mask)
    for number in range(4):
        other = PARTNERS[number]
        for row, column, source in ((1, 6, number), (2, 5, other), (9, 8, other), (10, 8, number)):
            assert torch.equal(found.valid[number, ..., row, column], cube.valid[source, ..., row, column])
            assert cut[number, row, column] == mask[source, row, column]
    assert torch.equal(mix.mask(mask > 4), cut > 4)
    assert torch.equal(mix.mask(mask[:, None])[:, 0], cut)
    with pytest.raises(OptionError, match="mixup: found targets per pixel; expected one target per image"):
        Mix(0.6).mask(mask)


def test_an_empty_box_changes_nothing():
    cube = cube_of("holes")
    found = Mix(1.0, (slice(3, 3), slice(4, 9))).cube(cube)
    assert torch.equal(found.values, cube.values)
    assert torch.equal(found.valid, cube.valid)


# -- targets -----------------------------------------------------------------------------------------------------------


def test_shares_of_targets_by_hand():
    target = torch.eye(3)
    assert Mix(0.75).shares(target).tolist() == [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]]
    several = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert Mix(0.75, BOX).shares(several).tolist() == [[1.0, 0.75, 0.0], [1.0, 0.25, 0.0]]


def test_the_share_is_that_of_pixels():
    """Of images of one value each, the mean of a cut one is its mixed target."""
    cube = made_cube([NATIVE.bands[0]], 24, 32, batch=4)
    flat = torch.arange(4.0)[:, None, None, None, None].expand(cube.shape).contiguous()
    for draw in range(40):
        mix = PAPER.drawn(draw, 24, 32)
        found = mix.cube(replace(cube, values=flat)).values.flatten(1).mean(dim=1)
        torch.testing.assert_close(found, mix.shares(torch.arange(4.0)), atol=1e-5, rtol=0)


def test_a_mixed_target_trains_as_both_do():
    logits, target = torch.randn(4, 5), torch.tensor([0, 3, 1, 4])
    shares = torch.nn.functional.one_hot(target, 5).float()
    found = class_loss(logits, Mix(0.7).shares(shares), smoothing=0.1).mean
    one, other = (class_loss(logits, each, smoothing=0.1).mean for each in (target, target[PARTNERS]))
    torch.testing.assert_close(found, 0.7 * one + 0.3 * other)


# -- erasing -----------------------------------------------------------------------------------------------------------


def rectangles(erased: torch.Tensor) -> list[tuple[int, int]]:
    """Height and width of what is erased in each sample; it must be one rectangle."""
    sizes = []
    for each in erased:
        rows, columns = each.any(dim=1), each.any(dim=0)
        assert torch.equal(each, rows[:, None] & columns[None])
        for line in (rows, columns):
            assert (line.int().diff() != 0).sum() <= 2
        sizes.append((int(rows.sum()), int(columns.sum())))
    return sizes


def test_a_share_of_the_samples_loses_a_rectangle():
    cube = made_cube([NATIVE.bands[0]], 40, 60, batch=2)
    values = cube.values[:1].expand(3000, -1, -1, -1, -1)
    many = replace(cube, values=values, days=cube.days[:1].expand(3000, -1), gsd=cube.gsd[:1].expand(3000))
    found = Erasing().cube(many, made_keys(0, 3000))
    sizes = [size for size in rectangles(~found.valid[:, 0, 0]) if size != (0, 0)]
    assert len(sizes) / 3000 == pytest.approx(0.25, abs=0.03)
    shares = np.array([height * width / 2400 for height, width in sizes])
    whole = np.array([height < 40 and width < 60 for height, width in sizes])
    assert shares.max() < 0.36
    assert shares[whole].min() > 0.012
    ratios = np.array([width / height for height, width in sizes])[whole]
    assert (np.abs(np.log(ratios)) < np.log(1 / 0.3) + 0.25).all()
    assert abs(np.log(ratios).mean()) < 0.2
    place = (~found.valid[:, 0, 0]).float().mean(dim=0)
    assert place[5:-5, 5:-5].min() > 0.01, "anywhere in the image"


def test_erased_pixels_are_absent_in_all_bands_and_dates():
    cube = cube_of("holes")
    found = Erasing(probability=1.0).cube(cube, made_keys(1, 4))
    erased = cube.valid & ~found.valid
    assert erased.flatten(1).any(dim=1).all()
    everywhere = (~found.valid).flatten(1, 2).all(dim=1)
    assert torch.equal(erased, cube.valid & everywhere[:, None, None])
    assert torch.equal(found.values, cube.values)
    assert not (found.valid & ~cube.valid).any(), "nothing becomes valid"
    junk = replace(found, values=torch.where(found.valid, found.values, torch.nan))
    model = small_model()
    assert torch.equal(model.embed(found), model.embed(junk))
    assert not torch.allclose(model.embed(found), model.embed(cube))


def test_a_sample_is_erased_by_its_key_alone():
    cube, key = cube_of("standard"), made_keys(2, 4)
    found = Erasing(probability=1.0).cube(cube, key)
    torch.rand(5)
    swapped = Erasing(probability=1.0).cube(taken(cube, [2, 0]), key[[2, 0]])
    assert torch.equal(swapped.valid, found.valid[[2, 0]])
    assert len({tuple(map(tuple, (~each[0, 0]).nonzero().tolist())) for each in found.valid}) == 4
    assert Erasing(probability=0).cube(cube, key).valid.all()
    smallest = made_cube(height=1, width=2)
    assert Erasing(probability=1.0).cube(smallest, made_keys(0, 2)).valid.any()
