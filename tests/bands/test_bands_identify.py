"""Which bands a file has."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.bands import (
    Band,
    Evidence,
    bands_of,
    canonical,
    choice_count,
    is_alias,
    is_list,
    sensor,
    sensor_in_name,
    sensors,
)
from spectralgpt.bands import identify as identify_evidence
from spectralgpt.errors import BandError


def identify(names, choice, source, metadata=None, wavelengths=()):
    return identify_evidence(Evidence(tuple(names), source, metadata, tuple(wavelengths)), choice)


L1C, L2A = sensor("s2-l1c"), sensor("s2-l2a")


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("B1", "B1"), ("B01", "B1"), ("b001", "B1"), (" b1 ", "B1"), ("Band 1", "B1"), ("band_01", "B1"),
        ("B8a", "B8A"), ("B08A", "B8A"), ("B10", "B10"), ("B4, central wavelength 665 nm", "B4"),
        ("SCL", "SCL"), ("red", "red"), ("B0", "B0"), ("B8B", "B8B"),
    ],
)  # fmt: skip
def test_a_name_has_one_spelling(written, one):
    assert canonical(written) == one
    assert canonical(one) == one


def test_names_show_the_sensor_in_any_order():
    found = identify(["B10", "B02", "B8A"], None, "scene.tif")
    assert found.bands == tuple(map(L1C.band, ("B10", "B2", "B8A")))
    assert found.indices == (0, 1, 2)
    assert found.sensor == L1C
    assert found.warnings == ()


def test_only_the_level_open_is_level_2a_with_a_warning():
    found = identify(["B02", "B03"], None, "scene.tif")
    assert found.sensor == L2A
    assert len(found.warnings) == 1
    assert "scene.tif" in found.warnings[0]
    assert "bands='s2-l1c'" in found.warnings[0]


def test_metadata_state_the_level():
    found = identify(["B2", "B3"], None, "scene.tif", metadata="s2-l1c")
    assert (found.sensor, found.warnings) == (L1C, ())
    assert identify(["B2", "B8A", "B10"], None, "scene.tif", metadata="s2-l2a").sensor == L1C, (
        "metadata that cannot be right"
    )


def test_a_sensor_says_whose_names_they_are():
    found = identify(["B02", "B03"], "s2-l1c", "scene.tif")
    assert found.bands == (L1C.band("B2"), L1C.band("B3"))
    assert found.warnings == ()


def test_a_nameless_file_is_read_in_the_sensors_order():
    found = identify([None] * 13, "eurosat", "patch.tif")
    assert [band.name for band in found.bands][-2:] == ["B12", "B8A"]
    assert {band.sensor for band in found.bands} == {"s2-l1c"}
    assert found.indices == tuple(range(13))
    assert found.sensor == sensor("eurosat")


def test_a_list_names_the_bands_of_a_nameless_file():
    found = identify([None, "", None], "B4,B03, b2", "patch.tif")
    assert [band.name for band in found.bands] == ["B4", "B3", "B2"]
    assert found.indices == (0, 1, 2)


def test_a_list_selects_from_a_named_file_in_its_own_order():
    names = ["B01", "B02", "B03", "B04", "B10", "SCL", None]
    found = identify(names, "B04,B02", "scene.tif")
    assert found.bands == (L1C.band("B4"), L1C.band("B2")), "B10 beside them says Level-1C"
    assert found.indices == (3, 1)


@given(st.permutations(L1C.names), st.integers(1, 13))
def test_the_order_of_a_file_decides_nothing(names, count):
    found = identify(names[:count], "s2-l1c", "scene.tif")
    assert [band.name for band in found.bands] == list(names[:count])
    again = identify(names, ",".join(L1C.names[:count]), "scene.tif")
    assert [names[i] for i in again.indices] == list(L1C.names[:count])


@pytest.mark.parametrize(
    ("names", "choice", "says"),
    [
        (["B02", "B2"], None, "scene.tif: found the band name 'B2' more than once"),
        (["B02", "B2"], "s2-l1c", "more than once"),
        ([None] * 4, None, r"4 bands without names; expected names like B02.*both usual.*bands='B02,B03,B04,B08'"),
        ([None], None, r"1 band without a name"),
        ([None] * 13, None, r"choose their sensor: bands='s2-l1c' or bands='eurosat' or bands='hls-s30'$"),
        ([None, "B02"], None, r"without a name \(number 1\) among named ones.*bands='B2'"),
        ([None, "B02"], "s2-l1c", r"without a name \(number 1\)"),
        (["B02", "VV"], None, r"found band names 'VV', which no sensor has.*\(NEW=OLD renames one\): bands='B2'"),
        (["red", "green"], None, r"the bands red, green could be those of s2-l2a, .* or \d+ more, which differ"),
        (["B2", "B3", "B4"], None, r"could be those of s2-l2a, .*the likeliest first: bands='s2-l2a'"),
        (["B05", "B06"], None, r"could be those of s2-l2a or s2-l1c or hls-l30, which differ"),
        (["B8", "nir"], "s2-l2a", r"B8 and nir are the same band of s2-l2a"),
        (["nir", "B5"], "landsat8-c2l2", r"nir and B5 are the same band of landsat8-c2l2"),
        ([None] * 2, "s2-l2a:B08,nir", r"B8 and nir are the same band of s2-l2a"),
        ([None] * 3, "B4,B3,B2", r"bands='B4,B3,B2': the bands B4, B3, B2 could be those of s2-l2a, .*landsat"),
        ([None] * 2, "s2-l2a:B02", r"found 2 bands without names; expected 1, as in bands='s2-l2a:B02'"),
        ([None] * 2, "s2-l2a:B02,B10", r"'B10', which s2-l2a does not have"),
        (["B02", "B03"], "s2-l2a:B02,B04", r"found no B4 for bands='s2-l2a:B02,B04'; expected some of: B2, B3"),
        (["B02"], "s2-l2a:", r"bands='s2-l2a:': found no band"),
        ([None] * 2, "missing.toml", r"missing.toml: cannot be read"),
        ([None] * 2, "490,1e9", r"found the wavelength 1e\+09; expected nm"),
        (["purple"], None, r"found band names 'purple', which no sensor has"),
        ([None] * 3, "490,560", r"found 3 bands; expected 2, the number of wavelengths given"),
        ([None] * 2, "s2-l9x:B2,B3", r"s2-l9x.*Did you mean"),
        (["B02", "B10"], "s2-l2a", r"'B10', which s2-l2a does not have.*which has 'B10' too: bands='s2-l1c'"),
        ([None] * 3, "eurosat", r"found 3 bands without names; expected the 13 of eurosat"),
        ([None] * 12, "eurosat", r"their sensor: bands='s2-l2a' or bands='spectralgpt-12'$"),
        ([None] * 3, "B02,B03", r"found 3 bands without names; expected 2, as in bands='B02,B03'"),
        (["B02", "B04"], "B03,B05,B04", r"found no B3 and no B5 for bands='B03,B05,B04'; expected some of: B2, B4"),
        (["B02"], "B02,b2", r"bands='B02,b2': found the band name 'B2' more than once"),
        (["B02"], "s2-l1d", r"bands='s2-l1d' is neither a sensor nor a band.*Did you mean s2-l1c\?"),
        (["B02"], " , ", r"found no band"),
        ([None, None], "B02,B99", r"found band names 'B99', which no sensor has"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(names, choice, says):
    with pytest.raises(BandError, match=says) as caught:
        identify(names, choice, "scene.tif")
    assert "\n" not in str(caught.value)


def test_bands_of_an_array():
    assert bands_of("s2-l2a", 12, "the array") == (L2A.bands, L2A)
    assert bands_of("s2-l1c:B2,B10", 2, "the array")[0] == (L1C.band("B2"), L1C.band("B10"))
    own = [Band("mine", str(w), float(w), 5.0, 1.0) for w in np.arange(400, 2400, 10)]
    assert bands_of(own, 200, "the array") == (tuple(own), None)
    with pytest.raises(BandError, match="the array: found 3 bands; expected 200"):
        bands_of(own, 3, "the array")
    with pytest.raises(BandError, match="more than once"):
        bands_of([own[0], own[0]], 2, "the array")


def test_a_padded_name_is_never_landsats():
    assert identify(["B02", "B03", "B04"], None, "scene.tif").sensor == L2A
    for names in (["B2", "B3", "B4"], ["blue", "green", "red"]):
        with pytest.raises(BandError, match="landsat"):
            identify(names, None, "scene.tif")


@given(st.lists(st.sampled_from(L1C.names[:8]), unique=True, min_size=1), st.randoms())
def test_one_padded_name_is_enough(names, random):
    """Whatever stands beside it: Sentinel-2, or refused for HLS alone; the user may still say Landsat."""
    written = [f"B0{name[1:]}" if index == 0 or random.random() < 0.5 else name for index, name in enumerate(names)]
    try:
        answer = identify(written, None, "scene.tif").sensor.name
    except BandError as error:
        answer = str(error)
    assert answer == "s2-l2a" or "could be those of s2-l2a or s2-l1c or hls-l30" in answer
    assert identify(["B02"], "landsat8-toa", "scene.tif").bands == (sensor("landsat8-toa").band("B2"),)


@pytest.mark.parametrize("names", [["B2", "B8A"], ["B3", "B4", "B12"], L1C.names, L2A.names])
def test_names_that_only_sentinel_2_has_need_no_zero(names):
    found = identify(names, None, "scene.tif")
    assert found.sensor == (L1C if "B10" in names else L2A)
    assert len(found.warnings) == ("B10" not in names)


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["B2", "B3", "B4"], "s2-l2a"),
        (["B10"], "s2-l1c"),
        (["red", "nir"], "s2-l2a"),
        (["Band 2", "Band 3", "Band 4"], "s2-l2a"),
    ],
)
def test_candidates_are_listed_and_are_sensors_that_name_files(names, first):
    """The usual one first; which others fit in the list depends on the sensors that there are."""
    with pytest.raises(BandError, match="could be those of") as caught:
        identify(names, None, "scene.tif")
    listed = re.search("could be those of (.*), which differ", str(caught.value))[1]
    candidates = re.findall(r"[a-z0-9]+-[a-z0-9]+", listed)
    assert candidates[0] == first
    assert len(candidates) > 1
    for each in map(sensor, candidates):
        assert all(map(each.knows, names))
        assert each.names_files


def test_names_in_words_are_a_sensors_once_it_is_said():
    found = identify(["red", "nir", "swir16"], "landsat8-toa", "scene.tif")
    assert [band.name for band in found.bands] == ["B4", "B5", "B6"]


def test_remarks_and_wavelengths_beside_a_name_are_no_part_of_it():
    found = identify(["B1 blue", "B2 green", "B7 SWIR2"], "landsat7-toa", "scene.tif")
    assert [band.name for band in found.bands] == ["B1", "B2", "B7"]
    assert identify(["blue 478 nm", "red 659 nm"], "worldview2", "scene.tif").sensor.name == "worldview2"


def test_metadata_against_the_choice_are_a_conflict():
    names = ["B02", "B03", "B05"]
    assert identify(names, None, "scene.tif", metadata="hls-l30").sensor.name == "hls-l30"
    found = identify(names, "s2-l2a", "scene.tif", metadata="hls-l30")
    assert found.sensor == L2A
    assert "the metadata or the file name declares hls-l30, but s2-l2a was chosen" in found.conflicts[0]
    assert identify(names, "s2-l2a:B05", "scene.tif", metadata="hls-l30").conflicts, "a list that says whose it is"
    assert identify(["B02", "B03"], "s2-l2a", "scene.tif", metadata="s2-l1c").conflicts, "the level is another"
    twelve = [name for name in L1C.names if name != "B10"]
    assert identify(twelve, "spectralgpt-12", "scene.tif", metadata="s2-l1c").conflicts == (), "its file order only"
    assert identify(["B02", "B03"], "s2-l1c", "scene.tif", metadata="s2-l1c").conflicts == ()


def test_wavelengths_decide_where_names_say_nothing():
    found = identify(["Band 1", "Band 2"], None, "cube.hdr", wavelengths=(550.0, 2200.0))
    assert [(band.name, band.wavelength) for band in found.bands] == [("550 nm", 550), ("2200 nm", 2200)]
    assert identify(["B02", "B8A"], None, "scene.vrt", wavelengths=(490.0, 865.0)).sensor == L2A, "they agree"
    assert identify(["B02", "B8A"], "s2-l2a", "scene.vrt", wavelengths=(490.0, 1600.0)).conflicts, "they do not"


def test_wavelengths_decide_between_sensors():
    # B5 is red edge of Sentinel-2, near infrared of Landsat 8 and HLS, short-wave infrared of Landsat 5
    assert identify(["B04", "B05"], None, "a.vrt", wavelengths=(665.0, 704.0)).sensor == L2A
    assert identify(["B04", "B05"], None, "a.vrt", wavelengths=(655.0, 865.0)).sensor == sensor("hls-l30")
    with pytest.raises(BandError, match=r"could be those of landsat5-c1sr, .*landsat7-c2l2") as caught:
        identify(["B4", "B5"], None, "a.vrt", wavelengths=(835.0, 1650.0))
    assert not re.search(r"found .*(landsat8|s2-|hls).*; expected", str(caught.value))


def test_wavelengths_against_the_choice_are_told_by_band():
    (conflict,) = identify(["B02", "B03"], "s2-l2a", "a.vrt", wavelengths=(850.0, 562.0)).conflicts
    assert conflict.startswith(
        "a.vrt: the wavelengths are not those of s2-l2a, which was chosen (B2 850 nm instead of 492.7"
    )
    assert identify(["B02", "B03"], "s2-l2a", "a.vrt", wavelengths=(490.0, 562.0)).conflicts == (), "lists are rounded"


@pytest.mark.parametrize("choice", ["490,560,665", " 490 nm, 560nm,665 ", "0.49,0.56,0.665"])
@pytest.mark.parametrize("names", [[None] * 3, ["B2", "B3", "B8A"], ["red", None, "SCL"]])
def test_wavelengths_of_the_user_stand_above_names(choice, names):
    found = identify(names, choice, "a.tif")
    assert [band.wavelength for band in found.bands] == [490, 560, 665]
    assert found.indices == (0, 1, 2)
    assert (found.sensor.scale, found.sensor.offset) == (None, None)


def test_a_list_of_wavelengths_or_a_file_of_it(tmp_path):
    assert [band.wavelength for band in identify([None] * 3, "490,560,665", "a.tif").bands] == [490, 560, 665]
    (tmp_path / "w.csv").write_text("band,wavelength_nm\n1,490\n2,560\n")
    assert [band.wavelength for band in identify([None] * 2, str(tmp_path / "w.csv"), "a.tif").bands] == [490, 560]


def test_a_sensor_of_ones_own(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('scale = 0.1\nbands = [{ name = "B2", wavelength = 500, fwhm = 20, gsd = 1, aliases = ["b"] }]')
    found = identify(["b"], str(mine), "a.tif")
    assert (found.sensor.name, found.bands[0].name, found.sensor.scale) == ("mine", "B2", 0.1)
    assert identify([None], str(mine), "a.tif").bands == found.bands
    assert identify(["x", "b", "B04"], f"{mine}:b", "a.tif").indices == (1,)
    assert identify(["B2"], str(mine), "a.tif", metadata="s2-l2a").conflicts
    with pytest.raises(BandError, match=r"a.tif: found band names 'B3', which mine does not have"):
        identify(["B2", "B3"], str(mine), "a.tif")


def test_a_list_may_say_whose_it_is():
    nameless = identify([None] * 2, "landsat8-toa:B5,B4", "a.tif")
    assert [(band.sensor, band.name) for band in nameless.bands] == [("landsat8-toa", "B5"), ("landsat8-toa", "B4")]
    named = identify(["B2", "B3", "B4", "B5", "qa"], "landsat8-toa:B5,B4", "a.tif")
    assert named.indices == (3, 2)
    assert named.sensor == sensor("landsat8-toa")


def test_what_a_choice_is():
    assert [is_list(choice) for choice in ("B02,B03", "s2-l2a:B2", "s2-l2a", "490,560")] == [True, True, False, False]
    assert [choice_count(choice) for choice in (None, "B02,B03", "s2-l2a", "490,560,665")] == [None, 2, 12, 3]
    assert [choice_count(choice) for choice in ("B02, B03,", "s2-l2a:B2,B3,B4", "490 nm,", "")] == [2, 3, 1, 0]
    assert is_alias("nir08")
    assert not is_alias("purple")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HLS.L30.T15RTP.2020123T170000.v2.0", "hls-l30"),
        ("LC08_L2SP_005009_20150710_20200908_02_T2_crop256.tif", "landsat8-c2l2"),
        ("S2A_OPER_MSI_L1C_TL_MPS__20161130T130757_A007527_T31UDQ_B02.tif", "s2-l1c"),
        ("HLS.L30_and_HLS.S30.tif", None),
        ("scene.tif", None),
        ("", None),
    ],
)
def test_a_products_name_declares_its_sensor(name, expected):
    assert sensor_in_name(name) == expected


def test_every_sensor_names_its_own_bands_without_a_conflict():
    for each in sensors():
        found = identify(each.names, each.name, "a.tif", metadata=each.name)
        assert [band.name for band in found.bands] == list(each.names)
        assert found.conflicts == ()


def test_metadata_against_the_names_are_a_conflict():
    found = identify(["B02", "B8A"], None, "LC08_L2SP_x.tif", metadata="landsat8-c2l2")
    assert found.sensor == L2A
    assert "landsat8-c2l2, which has no B8A" in found.conflicts[0]


def test_positions_are_no_wavelengths():
    with pytest.raises(BandError, match="looks like positions"):
        identify([None] * 3, "3,2,1", "a.tif")
