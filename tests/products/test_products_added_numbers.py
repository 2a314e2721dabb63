"""Numbers and baselines in tags, as people write them: understood where it is plain what is meant, else noted."""

import re

import pytest
import rasterio
from made_rasters import land, write
from rasterio.rio.main import main_group

from spectralgpt.products import open_raster

L2A = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
L1C = [*L2A[:10], "B10", *L2A[10:]]


def tagged(folder, tags, names=L2A, dtype="uint16"):
    return write(folder / "a.tif", land(16, 16, bands=len(names)).astype(dtype), names=names, tags=tags)


def offset_and_notes(path) -> tuple[float, list[str]]:
    with open_raster(path) as raster:
        (offset,) = set(raster.offset)
        return offset, [each for each in raster.warnings if "Not used" in each]


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("1000", -0.1),  # what was added, not what is to be added
        ("1000.0", -0.1),
        ("+1000", -0.1),
        ("-0.1", -0.1),  # in reflectance
        ("0.1", -0.1),
        ("-0.05", -0.05),
        ("-500", -0.05),
        ("0.0", 0.0),
        ("-0", 0.0),
    ],
)
@pytest.mark.parametrize(
    ("key", "names", "dtype"),
    [
        ("BOA_ADD_OFFSET", L2A, "uint16"),
        ("RADIO_ADD_OFFSET", L1C, "int16"),
        ("boa_add_offset", L2A[1:4], "float32"),
        ("s2:BOA_ADD_OFFSET", L2A[1:4], "uint16"),
    ],
)
def test_offsets_are_understood_in_either_unit_and_with_either_sign(tmp_path, key, text, offset, names, dtype):
    found, notes = offset_and_notes(tagged(tmp_path, {key: text}, names, dtype))
    assert found == pytest.approx(offset, abs=1e-12)
    assert not notes


def assert_noted_with_advice_that_works(path, words: str) -> None:
    """The file's offset is 0, and a note with these words gives a command that states it."""
    offset, (note,) = offset_and_notes(path)
    assert offset == 0
    assert words in note
    command = re.search(r"`rio edit-info (--tag \S+) FILE`", note)
    main_group(["edit-info", *command[1].split(), str(path)], standalone_mode=False)
    assert offset_and_notes(path) == (pytest.approx(-0.1), []), "the advice works"


@pytest.mark.parametrize("text", ["500", "-1", "-10", "0.2", "-10000", "-1e6", "-0.001", "100", "10000"])
@pytest.mark.parametrize("key", ["BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"])
def test_unclear_offsets_are_not_used_and_noted(tmp_path, key, text):
    assert_noted_with_advice_that_works(tagged(tmp_path, {key: text}), f"{key} = {text!r}; expected")


def test_per_band_and_in_lists(tmp_path):
    path = tagged(tmp_path, {})
    with rasterio.open(path, "r+") as dataset:
        for index in range(1, 13):
            dataset.update_tags(index, BOA_ADD_OFFSET="1000")
    assert offset_and_notes(path) == (pytest.approx(-0.1), [])
    for text in (" ".join(["-0.1"] * 12), ",".join(["1000"] * 13)):
        assert offset_and_notes(tagged(tmp_path, {"BOA_ADD_OFFSET": text})) == (pytest.approx(-0.1), [])


@pytest.mark.parametrize(
    "key",
    ["processing_baseline", "PROCESSING_BASELINE", "s2:processing_baseline", "sentinel:processing_baseline"],
)
@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("05.09", -0.1),
        ("5.09", -0.1),
        ("5.1", -0.1),
        ("04.00", -0.1),
        ("4", -0.1),
        ("N0511", -0.1),
        ("0400", -0.1),
        ("510", -0.1),
        ("3.1", 0.0),
        ("02.14", 0.0),
        ("N0301", 0.0),
        ("301", 0.0),
    ],
)
def test_baselines_are_understood(tmp_path, key, text, offset):
    """GDAL splits a tag `s2:name=value` at the colon into `s2` and `name=value`."""
    found, notes = offset_and_notes(tagged(tmp_path, {key: text}))
    assert found == pytest.approx(offset)
    assert not notes


@pytest.mark.parametrize("key", ["processing_baseline", "s2:processing_baseline", "PROCESSING_BASELINE"])
@pytest.mark.parametrize("text", ["unknown", "2022-05-01", "40", "05.09.1"])
def test_other_baselines_are_not_used_and_noted(tmp_path, key, text):
    expected = f"{key} = {text!r}; expected a baseline like 05.09"
    assert_noted_with_advice_that_works(tagged(tmp_path, {key: text}), expected)


@pytest.mark.parametrize("text", ["99.99", "N9999"])
def test_the_baseline_of_products_that_users_made_says_nothing(tmp_path, text):
    assert offset_and_notes(tagged(tmp_path, {"PROCESSING_BASELINE": text})) == (0.0, [])


@pytest.mark.parametrize("text", ["True", "true", "1"])
@pytest.mark.parametrize("prefix", ["earthsearch:", "sentinel:", ""])
def test_a_catalogue_that_subtracted_it(tmp_path, prefix, text):
    tags = {f"{prefix}boa_offset_applied": text, "PROCESSING_BASELINE": "05.09"}
    assert offset_and_notes(tagged(tmp_path, tags)) == (0.0, [])
    tags |= {f"{prefix}boa_offset_applied": "False"}
    assert offset_and_notes(tagged(tmp_path, tags)) == (pytest.approx(-0.1), [])
