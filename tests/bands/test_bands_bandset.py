"""Groups and their matrices: the rules themselves, and what must hold for any bands."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.bands import Band, BandSet, Group, sensor
from spectralgpt.plain import from_plain, to_plain


def band(wavelength: float, name: str | None = None, fwhm: float = 20.0) -> Band:
    return Band("made", name or f"{wavelength:g}", float(wavelength), fwhm, 10.0)


wavelengths = st.lists(st.floats(400, 2500), min_size=1, max_size=60, unique=True)
slots = st.integers(1, 5)


def test_native_groups_are_consecutive_in_wavelength():
    model = BandSet.native(sensor("eurosat").bands[:8] + sensor("eurosat").bands[10:] + sensor("eurosat").bands[8:9])
    assert [[b.name for b in group.bands] for group in model.groups] == [
        ["B1", "B2", "B3"],
        ["B4", "B5", "B6"],
        ["B7", "B8", "B8A"],
        ["B9", "B11", "B12"],
    ]
    assert [group.native for group in model.groups] == [0, 1, 2, 3]
    assert model.slots == 3
    assert len(model) == 12
    assert model.groups[0].wavelength == pytest.approx((442.7 + 492.7 + 559.8) / 3)


def test_native_refuses_a_remainder():
    with pytest.raises(ValueError, match="13 bands do not divide into groups of 3"):
        BandSet.native(sensor("s2-l1c").bands)


@given(wavelengths, slots)
def test_own_groups_follow_the_rule(waves, count):
    own = BandSet.own([band(w) for w in waves], count)
    n, groups = len(waves), min(16, math.ceil(len(waves) / count))
    expected = [sorted(waves)[i * n // groups : (i + 1) * n // groups] for i in range(groups)]
    assert [[b.wavelength for b in group.bands] for group in own.groups] == expected
    assert own.slots == count
    for group in own.groups:
        assert group.native is None
        assert group.targets() == (True,) * count
        if count > 1:
            assert (group.slots[0], group.slots[-1]) == (group.bands[0].wavelength, group.bands[-1].wavelength)
            assert np.allclose(np.diff(np.log(group.slots), 2), 0, atol=1e-9)


@given(wavelengths, slots)
def test_matrices_of_own_groups_sum_to_one_and_use_every_band(waves, count):
    for group in BandSet.own([band(w) for w in waves], count).groups:
        matrix, back = group.matrix(), group.readback()
        assert matrix.shape == (count, len(group.bands))
        assert back.shape == (len(group.bands), count)
        assert np.allclose(matrix.sum(axis=1), 1)
        assert np.allclose(back.sum(axis=1), 1)
        assert (matrix >= 0).all()
        assert (matrix.sum(axis=0) > 0).all(), "a band that counts nowhere"


@given(st.lists(st.floats(400, 2500), min_size=3, max_size=12, unique=True), st.data())
def test_a_native_slot_takes_its_band_alone_and_rows_sum_to_one(waves, data):
    waves = waves[: len(waves) // 3 * 3]
    model = BandSet.native([band(w) for w in waves])
    keep = data.draw(st.sets(st.integers(0, len(waves) - 1), min_size=1))
    part = model.subset(keep)
    assert part.bands == tuple(b for i, b in enumerate(model.bands) if i in keep)
    for group in part.groups:
        full = model.groups[group.native]
        assert group.slots == full.slots
        assert group.wavelength == full.wavelength, "a group keeps its place when a band is missing"
        there = [slot in [b.wavelength for b in group.bands] for slot in group.slots]
        assert list(group.targets()) == there
        matrix = group.matrix()
        assert np.allclose(matrix.sum(axis=1), 1)
        for slot, row in enumerate(matrix):
            if there[slot]:
                assert row.tolist() == [float(b.wavelength == group.slots[slot]) for b in group.bands]
        assert np.array_equal(group.readback() @ matrix, np.eye(len(group.bands)))


def test_an_empty_slot_takes_its_neighbours_by_distance():
    first, last = band(500), band(700)
    matrix = Group((first, last), (500.0, 600.0, 700.0), 0).matrix()
    reach = math.log(700 / 500)  # the gap between the bands, larger than those between slots
    raw = [1 - math.log(600 / 500) / reach, 1 - math.log(700 / 600) / reach]
    assert matrix.tolist() == [[1, 0], pytest.approx([value / sum(raw) for value in raw]), [0, 1]]


def test_a_slot_that_no_band_reaches_takes_the_nearest():
    group = Group((band(400), band(410)), (400.0, 410.0, 420.0, 430.0, 440.0, 450.0), 0)
    assert group.matrix()[2].tolist() == [0, 1], "one gap of 410 / 400 reaches 420, from the nearer band alone"
    assert group.matrix()[5].tolist() == [0, 1], "nothing reaches 450"
    below = Group((band(440), band(450)), (400.0, 410.0, 420.0, 430.0, 440.0, 450.0), 0)
    assert below.matrix()[0].tolist() == [1, 0]


def test_one_band_fills_every_slot():
    own = BandSet.own([band(650)]).groups[0]
    assert own.matrix().tolist() == [[1], [1], [1]]
    assert own.readback().tolist() == [[1 / 3, 1 / 3, 1 / 3]]
    native = Group((band(600),), (500.0, 600.0, 700.0), 2)
    assert native.matrix().tolist() == [[1], [1], [1]]
    assert native.readback().tolist() == [[0, 1, 0]]
    assert native.targets() == (False, True, False)


def test_bands_of_one_wavelength_share_an_own_group():
    group = BandSet.own([band(500, "a"), band(500, "b"), band(500, "c")]).groups[0]
    assert np.allclose(group.matrix(), 1 / 3)
    assert np.allclose(group.readback(), 1 / 3)


def test_two_hundred_bands_make_sixteen_groups():
    own = BandSet.own([band(w) for w in np.linspace(400, 2500, 200)])
    assert len(own.groups) == 16
    assert {len(group.bands) for group in own.groups} == {12, 13}


def test_readback_is_linear_in_the_logarithm():
    group = Group(tuple(map(band, (400.0, 500.0, 900.0))), (400.0, 600.0, 900.0))
    share = math.log(500 / 400) / math.log(600 / 400)
    assert np.allclose(group.readback(), [[1, 0, 0], [1 - share, share, 0], [0, 0, 1]])


@given(wavelengths, slots, st.data())
def test_a_band_set_survives_json(waves, count, data):
    own = BandSet.own([band(w) for w in waves], count)
    part = own.subset(data.draw(st.sets(st.integers(0, len(waves) - 1), min_size=1)))
    again = from_plain(BandSet, json.loads(json.dumps(to_plain(part))))
    assert again == part
    assert hash(again) == hash(part)


def test_a_band_outside_the_slots_of_a_native_group_is_refused():
    with pytest.raises(ValueError, match="no slot"):
        Group((band(550),), (500.0, 600.0, 700.0), 0)


@pytest.mark.parametrize("indices", [[], [12]])
def test_a_subset_of_nothing_or_of_others_is_refused(indices):
    with pytest.raises(ValueError, match=r"group|indices"):
        BandSet.native(sensor("spectralgpt-12").bands).subset(indices)


@given(first=st.floats(400, 900), ratio=st.floats(1.02, 1.3))
def test_a_band_just_one_gap_away_feeds_nothing(first, ratio):
    """Evenly spaced, each slot takes its own band alone: rounding leaves nothing of the neighbours."""
    bands = [Band("x", str(i), first * ratio**i, 10.0, 10.0) for i in range(3)]
    (group,) = BandSet.own(bands).groups
    np.testing.assert_array_equal(group.matrix() > 0, np.eye(3, dtype=bool))


def test_whole_numbers_are_written_as_they_are_read():
    whole = BandSet.own([Band("x", "1", 400, 20, 10), Band("x", "2", 500, 20, 10)])
    assert json.dumps(to_plain(whole)) == json.dumps(
        to_plain(from_plain(BandSet, json.loads(json.dumps(to_plain(whole)))))
    )


def test_former_names_still_work():
    own = BandSet.own([band(400), band(500)])
    with pytest.warns(DeprecationWarning, match="to_plain"):
        content = own.to_dict()
    with pytest.warns(DeprecationWarning, match="from_plain"):
        assert BandSet.from_dict(content) == own
