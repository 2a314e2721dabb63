"""How a file's bands become a model's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.bands import Band, BandSet, align, sensor
from spectralgpt.errors import BandError

MODEL = BandSet.native(sensor("spectralgpt-12").bands)


def band(wavelength: float, name: str | None = None) -> Band:
    return Band("made", name or f"{wavelength:g}", float(wavelength), 10.0, 10.0)


files = st.lists(st.floats(400, 2500), min_size=1, max_size=40, unique=True).map(lambda ws: [band(w) for w in ws])


def test_the_models_own_bands_are_taken_one_by_one():
    found = align(sensor("s2-l1c").bands, MODEL)
    assert found.bandset == MODEL
    assert found.taken == tuple(f"{name} <- {name}" for name in MODEL.names)
    assert found.dropped == ("B10",)
    assert found.missing == found.merged == ()
    order = [sensor("s2-l1c").names.index(name) for name in MODEL.names]
    assert np.array_equal(found.matrix, np.eye(13)[order])


def test_another_level_feeds_the_same_bands():
    found = align(sensor("s2-l2a").bands, MODEL)
    assert found.bandset == MODEL, "a cube has the model's bands, whatever sensor fed them"
    assert found.taken[0] == "B1 <- s2-l2a B1"


def test_eurosat_puts_b8a_where_it_belongs():
    matrix = align(sensor("eurosat").bands, MODEL).matrix
    assert matrix[MODEL.names.index("B8A")].tolist() == [0.0] * 12 + [1.0]


def test_a_missing_band_leaves_its_slot_and_a_missing_group_goes():
    bands = [b for b in sensor("s2-l1c").bands if b.name not in {"B5", "B9", "B11", "B12"}]
    found = align(bands, MODEL)
    assert found.missing == ("B5", "B9", "B11", "B12")
    assert [group.native for group in found.bandset.groups] == [0, 1, 2]
    assert found.bandset.groups[1].targets() == (True, False, True)


def test_several_bands_are_merged_by_a_gaussian_of_the_models_width():
    red = next(b for b in MODEL.bands if b.name == "B4")
    bands = [band(red.wavelength + d, str(d)) for d in (-5, 0, 12)]
    found = align(bands, MODEL)
    assert found.merged == ("B4 <- made -5, made 0, made 12",)
    expected = [math.exp(-4 * math.log(2) * d**2 / red.fwhm**2) for d in (-5, 0, 12)]
    assert found.matrix.tolist() == [pytest.approx(expected)]


@pytest.mark.parametrize(("beyond", "known"), [(0.0, True), (0.01, False)])
def test_half_the_width_is_the_limit(beyond, known):
    model = BandSet.native(
        [Band("made", name, w, 20.0, 10.0) for name, w in (("a", 500.0), ("b", 600.0), ("c", 700.0))]
    )
    bands = [band(600), band(510 + beyond, "edge")]
    found = align(bands, model)
    assert ("a <- edge" in found.taken) is known
    assert found.dropped == (() if known else ("edge",))
    if known:
        assert found.matrix[0].tolist() == pytest.approx([0, 0.5])


def test_a_band_feeds_only_the_nearest():
    # 864.7 nm lies within half the width of B8 (832.8) too
    found = align([band(864.7, "near infrared")], MODEL)
    assert found.taken == ("B8A <- made near infrared",)
    tie = BandSet.native(
        [Band("made", name, w, 60.0, 10.0) for name, w in (("long", 540.0), ("short", 500.0))], slots=2
    )
    assert align([band(520, "between")], tie).taken == ("short <- between",)


def test_a_hyperspectral_cube_becomes_the_models_sensor():
    found = align([band(w) for w in np.linspace(400, 2500, 200)], MODEL)
    assert found.bandset == MODEL
    assert all(row.max() > 0.5 for row in found.matrix)
    assert (np.count_nonzero(found.matrix, axis=0) <= 1).all()
    assert len(found.dropped) == np.count_nonzero(~found.matrix.any(axis=0)) > 0


@given(files, st.randoms(use_true_random=False), st.booleans())
def test_permuting_the_files_bands_permutes_the_columns_and_nothing_else(bands, random, own):
    order = list(range(len(bands)))
    random.shuffle(order)
    try:
        one = align(bands, MODEL, own)
    except BandError:
        with pytest.raises(BandError):
            align([bands[i] for i in order], MODEL, own)
        return
    two = align([bands[i] for i in order], MODEL, own)
    assert np.array_equal(one.matrix[:, order], two.matrix)
    for field in ("bandset", "taken", "merged", "dropped", "missing"):
        assert getattr(one, field) == getattr(two, field)


@given(files)
def test_own_groups_take_every_band_once(bands):
    found = align(bands, MODEL, own=True)
    assert np.array_equal(found.matrix @ found.matrix.T, np.eye(len(bands)))
    assert found.dropped == found.missing == ()
    assert set(found.bandset.bands) == set(bands)
    assert sorted(b.wavelength for b in bands) == [b.wavelength for b in found.bandset.bands]


@given(files)
def test_every_band_is_taken_merged_or_dropped(bands):
    try:
        found = align(bands, MODEL)
    except BandError:
        return
    assert len(found.taken) + len(found.merged) == len(found.bandset) == len(found.matrix)
    assert len(found.bandset) + len(found.missing) == len(MODEL)
    assert len(found.dropped) + np.count_nonzero(found.matrix.any(axis=0)) == len(bands)
    for row, known in zip(found.matrix, found.bandset.bands, strict=True):
        assert ((row == 0) | (row >= 0.5 - 1e-12)).all(), "within half the width a weight is at least one half"
        fed = [b for b, weight in zip(bands, row, strict=True) if weight]
        assert all(abs(b.wavelength - known.wavelength) <= known.fwhm / 2 for b in fed)


def test_no_known_band_names_the_way_out():
    with pytest.raises(BandError, match=r"B10 .1373.5 nm.*none of which the model recognizes.*bands_as='own'"):
        align([b for b in sensor("s2-l1c").bands if b.name == "B10"], MODEL)
