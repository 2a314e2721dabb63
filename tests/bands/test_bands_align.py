"""How a file's bands become a model's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.bands import Band, BandSet, align, from_wavelengths, sensor, sensors
from spectralgpt.errors import BandError

MODEL = BandSet.native(sensor("spectralgpt-12").bands)


def band(wavelength: float, name: str | None = None, fwhm: float = 10.0) -> Band:
    return Band("made", name or f"{wavelength:g}", float(wavelength), fwhm, 10.0)


def fed_by(bands: list[Band]) -> dict[str, str]:
    """The model's bands and, for each, the bands that feed it."""
    alignment = align(bands, MODEL)
    return {
        known.name: ",".join(bands[at].name for at in feeding)
        for known, feeding in zip(alignment.bandset.bands, alignment.feeding, strict=True)
    }


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


RULES_1 = """
cbers4-awfi: B2=B13 B3=B14 B4=B15 B8=B16
cbers4-mux: B2=B5 B3=B6 B4=B7 B8=B8
cbers4-pan: B3=B2 B4=B3 B8=B4
eurosat: B1=B1 B2=B2 B3=B3 B4=B4 B5=B5 B6=B6 B7=B7 B8=B8 B8A=B8A B9=B9 B11=B11 B12=B12
hls-l30: B1=B1 B2=B2 B3=B3 B4=B4 B8A=B5 B11=B6 B12=B7
hls-s30: B1=B1 B2=B2 B3=B3 B4=B4 B5=B5 B6=B6 B7=B7 B8=B8 B8A=B8A B9=B9 B11=B11 B12=B12
landsat5-c1sr: B2=B1 B3=B2 B4=B3 B8=B4 B12=B7
landsat5-c2l2: B2=B1 B3=B2 B4=B3 B8=B4 B12=B7
landsat5-l1: B2=B1 B3=B2 B4=B3 B8=B4 B12=B7
landsat5-toa: B2=B1 B3=B2 B4=B3 B8=B4 B12=B7
landsat7-c1sr: B2=B1 B3=B2 B4=B3 B8=B4 B11=B5 B12=B7
landsat7-c2l2: B2=B1 B3=B2 B4=B3 B8=B4 B11=B5 B12=B7
landsat7-l1: B2=B1 B3=B2 B4=B3 B8=B4 B11=B5 B12=B7
landsat7-toa: B2=B1 B3=B2 B4=B3 B8=B4 B11=B5 B12=B7
landsat8-c1sr: B1=B1 B2=B2 B3=B3 B4=B4 B8A=B5 B11=B6 B12=B7
landsat8-c2l2: B1=B1 B2=B2 B3=B3 B4=B4 B8A=B5 B11=B6 B12=B7
landsat8-l1: B1=B1 B2=B2 B3=B3 B4=B4 B8A=B5 B11=B6 B12=B7
landsat8-toa: B1=B1 B2=B2 B3=B3 B4=B4 B8A=B5 B11=B6 B12=B7
modis: B2=B3 B3=B4 B8A=B2 B11=B6 B12=B7
naip: B2=blue B3=green B8=nir
planetscope-4: B2=blue B3=green B8=nir
planetscope-4r: B2=blue B3=green B4=red B8A=nir
planetscope-8: B1=coastal_blue B2=blue B3=green B4=red B5=rededge B8A=nir
planetscope-8-dn: B1=coastal_blue B2=blue B3=green B4=red B5=rededge B8A=nir
rapideye: B2=blue B3=green B4=red B5=rededge B8=nir
s2-l1c: B1=B1 B2=B2 B3=B3 B4=B4 B5=B5 B6=B6 B7=B7 B8=B8 B8A=B8A B9=B9 B11=B11 B12=B12
s2-l2a: B1=B1 B2=B2 B3=B3 B4=B4 B5=B5 B6=B6 B7=B7 B8=B8 B8A=B8A B9=B9 B11=B11 B12=B12
spectralgpt-12: B1=B1 B2=B2 B3=B3 B4=B4 B5=B5 B6=B6 B7=B7 B8=B8 B8A=B8A B9=B9 B11=B11 B12=B12
spot6: B2=B0 B3=B1 B4=B2 B8=B3
worldview2: B2=blue B3=green B4=red B8=nir1 B9=nir2
"""
"""What each sensor fed by rules 1: the nearest model band with a centre within half its width, and nothing else."""

RULES_2 = {
    "landsat5-c1sr": {"B11": "B5"},
    "landsat5-c2l2": {"B11": "B5"},
    "landsat5-l1": {"B11": "B5"},
    "landsat5-toa": {"B11": "B5"},
    "modis": {"B4": "B1"},
    "naip": {"B4": "red"},
    "planetscope-4": {"B4": "red"},
    "worldview2": {"B1": "coastal", "B6": "rededge", "B9": None},
}
"""What rules 2 changed; None: no longer fed."""


@pytest.mark.parametrize("line", RULES_1.split("\n")[1:-1], ids=lambda line: line.split(":")[0])
def test_what_each_sensor_feeds_and_fed_before(line):
    name, pairs = line.split(": ")
    before = dict(pair.split("=") for pair in pairs.split())
    after = {known: by for known, by in (before | RULES_2.get(name, {})).items() if by is not None}
    assert fed_by(list(sensor(name).bands)) == after


def test_the_table_has_every_sensor():
    assert {line.split(":")[0] for line in RULES_1.split("\n")[1:-1]} >= {
        each.name for each in sensors() if any(band.in_solar_range for band in each.bands)
    }


def test_a_wider_band_beside_an_unfed_one_feeds_it_but_a_narrow_one_does_not():
    # B4: centre 664.6 nm, FWHM 31 nm, so it ends at 649.1 nm
    wide, narrow = band(635, "wide", 40), band(635, "narrow", 28)
    assert fed_by([band(560, "green"), wide]) == {"B3": "green", "B4": "wide"}
    assert fed_by([band(560, "green"), narrow]) == {"B3": "green"}
    assert fed_by([band(560, "green"), wide, band(660, "red")]) == {"B3": "green", "B4": "red"}


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("beyond", "known"), [(-0.01, True), (0.01, False)])
def test_intervals_that_touch_are_the_limit(beyond, known, side):
    model = BandSet.native([Band("made", name, w, 20.0, 10.0) for name, w in (("a", 600), ("b", 1000), ("c", 1400))])
    found = align([band(1000, "b"), band(600 + side * (40 + beyond), "wide", 60.0)], model)
    assert found.dropped == (() if known else ("wide",))
    if known:
        assert found.matrix[0, 1] == pytest.approx(math.exp(-4 * math.log(2) * (40 + beyond) ** 2 / 400))


@pytest.mark.parametrize("name", ["B9", "B4", "B11"])
def test_no_band_of_more_than_four_times_the_width_feeds(name):
    known = next(b for b in MODEL.bands if b.name == name)
    other = band(492, "blue")
    most = 4 * known.fwhm
    assert fed_by([other, band(known.wavelength, "wide", most)]).get(name) == "wide"
    found = align([other, band(known.wavelength, "wide", most + 0.1)], MODEL)
    assert name in found.missing


def test_a_band_left_over_feeds_only_the_nearest_unfed_one():
    # between B6 (740) and B7 (783), reaching both
    wide = band(755, "wide", 50)
    assert fed_by([wide]) == {"B6": "wide"}
    assert fed_by([wide, band(740, "own")]) == {"B6": "own", "B7": "wide"}
    two = align([wide, band(725, "second", 30)], MODEL)
    assert two.merged == ("B6 <- made second, made wide",)


@pytest.mark.parametrize(
    "pan", [sensor("landsat8-toa").band("B8"), sensor("cbers4-pan").band("pan"), band(615, "of SPOT", 230.0)]
)
def test_panchromatic_bands_feed_nothing(pan):
    assert align([pan, band(833, "nir")], MODEL).dropped == (pan.name,)


@pytest.mark.parametrize("outside", [band(399, "violet", 60.0), band(2501, "far", 400.0), band(10_900, "heat", 800.0)])
def test_bands_outside_400_to_2500_nm_feed_nothing(outside):
    assert align([outside, band(833, "nir")], MODEL).dropped == (outside.name,)


@pytest.mark.parametrize("given", [[490, 560, 665, 842, 1610, 2190], [443, 865, 2200], [0.66, 0.56, 0.48, 0.83]])
def test_a_list_of_a_few_wavelengths_feeds_a_band_each(given):
    # without widths: the gaps between the bands of a camera are far wider than its bands
    assert len(align(from_wavelengths(given).bands, MODEL).bandset) == len(given)
