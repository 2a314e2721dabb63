"""Sensors that users describe: TOML files, lists of wavelengths, and files of these."""

import itertools
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_rasters import real

from spectralgpt.bands import (
    BandSet,
    Evidence,
    align,
    from_wavelengths,
    identify,
    read_sensor,
    read_wavelengths,
    sensor,
)
from spectralgpt.errors import BandError

MODEL = BandSet.native(sensor("spectralgpt-12").bands)


OWN = """
scale = 0.001
bands = [
    { name = "b01", wavelength = 490, fwhm = 60, gsd = 2, aliases = ["blue"] },
    { name = "Far Red", wavelength = 730.5, fwhm = 10, gsd = 2 },
]
"""


def own(folder, text, name="My Camera.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_own_sensor(tmp_path):
    path = own(tmp_path, OWN)
    mine = read_sensor(path)
    assert (mine.name, mine.title, mine.level, mine.source) == ("my camera", "my camera", "user", str(path))
    assert (mine.scale, mine.offset, mine.nodata) == (0.001, 0, None)
    assert mine.names == ("B1", "Far Red")
    assert mine.band("BLUE") == mine.bands[0]
    assert mine.band("far-red").wavelength == 730.5
    assert {band.sensor for band in mine.bands} == {"my camera"}


def test_a_users_own_convention_of_known_bands(tmp_path):
    text = 'bands_of = "s2-l2a"\norder = ["red", "B02"]\nscale = 1\noffset = -0.1\nnodata = nan\naliases.B2 = ["bleu"]'
    mine = read_sensor(str(own(tmp_path, text)))
    assert mine.names == ("B4", "B2")
    assert mine.band("bleu").wavelength == 492.7
    assert mine.knows("red")
    assert not mine.knows("nir"), "B8 is not among them"
    assert {band.sensor for band in mine.bands} == {"my camera"}
    assert math.isnan(mine.nodata)


ROW = '{ name = "B1", wavelength = 490, fwhm = 60, gsd = 2 }'
SHORT = ROW.replace(", fwhm = 60, gsd = 2", "")


def edged(edges):
    return f"bands = [{ROW.replace('fwhm', f'edges = {edges}, fwhm')}]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bands = [", "is not valid TOML"),
        ("a = " + "[" * 5000, "is not valid TOML"),
        ("", "found neither bands nor wavelengths nor bands_of; expected exactly one"),
        ("bands = []", "bands: found no band; expected at least one"),
        ("bands = 3", "bands: found 3; expected a list"),
        ("bands = [3]", "band 1: found 3; expected names and values"),
        (f"scal = 1\nbands = [{ROW}]", r"scal: unknown name; expected one of: title, .* Did you mean scale\?"),
        (f"scale = '1'\nbands = [{ROW}]", "scale: found '1'; expected a number"),
        (f"scale = true\nbands = [{ROW}]", "scale: found True; expected a number"),
        (f"scale = inf\nbands = [{ROW}]", "scale: found inf; expected a number above 0"),
        (f"scale = 1{'0' * 400}\nbands = [{ROW}]", "scale: found 1000.*; expected a number"),
        (f"scale = -1\nbands = [{ROW}]", "scale: found -1; expected a number above 0"),
        (f"offset = 1\nbands = [{ROW}]", r"offset: given without a scale\. Give both, or neither"),
        (f"title = 1\nbands = [{ROW}]", "title: found 1; expected a text"),
        (f"names_files = 1\nbands = [{ROW}]", "names_files: found 1; expected true or false"),
        (f"product = '('\nbands = [{ROW}]", "product: found '.'.*; expected a regular expression"),
        (f"bands = [{ROW}, {ROW}]", "found the band B1 twice"),
        (f"bands = [{ROW}, {ROW.replace('B1', 'b01')}]", "found the band B1 twice"),
        ("wavelengths = [490, true]", r"wavelengths\.1: found True; expected a number"),
        ("wavelengths = []", "found no wavelengths"),
        ("wavelengths = [490, 560]\nfwhm = [10]", "1 widths .FWHM. for 2 wavelengths"),
        (f"bands = [{ROW}]\nfwhm = [10]", r"fwhm: cannot be combined with bands\. Use it only with wavelengths"),
        (f"bands = [{ROW}]\nbands_of = 's2-l2a'", "found bands and bands_of; expected exactly one"),
        (f"bands = [{ROW}]\norder = ['B1']", r"order: cannot be combined with bands\. Use it only with bands_of"),
        ("bands_of = 's2-l2b'", r"unknown sensor 's2-l2b'.*Did you mean s2-l2a"),
        ("bands_of = 's2-l2a'\norder = ['B10']", "s2-l2a has no band 'B10'"),
        ("bands_of = 's2-l2a'\norder = []", "order: found no band"),
        ("bands_of = 's2-l2a'\norder = [2]", r"order\.0: found 2; expected a text"),
        ("bands_of = 's2-l2a'\naliases = {B2 = 'blue'}", r"aliases\.B2: found 'blue'; expected a list"),
        ("bands_of = 's2-l2a'\naliases = {B2 = ['nir']}", "found 'nir' for B8 and B2; expected each name for one band"),
        ("bands_of = 's2-l2a'\norder = ['B2', 'blue']", "found the band B2 twice"),
        (
            f"bands = [{ROW.replace('gsd = 2', 'pixel = 2')}]",
            r"band 1 \(B1\), pixel: unknown name; expected one of: name, wave",
        ),
        (
            f"bands = [{SHORT}]",
            r"band 1 \(B1\): found no fwhm and no gsd; expected all of: name, wavelength, fwhm, gsd",
        ),
        (f"bands = [{ROW.replace('60', '-60')}]", r"band 1 \(B1\), fwhm: found -60; expected nm, above 0"),
        (
            f"bands = [{ROW.replace('490', '0.49')}]",
            r"wavelength: found 0.49; expected nanometres, 200 to 20000. A micro",
        ),
        (f"bands = [{ROW.replace('490', 'nan')}]", "wavelength: found nan; expected nm, above 0"),
        (f"bands = [{ROW.replace('B1', ' ')}]", "name: found ' '; expected a name that is not empty"),
        (f"bands = [{ROW}, {ROW.replace('60', '1e999')}]", r"band 2 \(B1\), fwhm: found inf; expected nm, above 0"),
        (
            edged([460, 521]),
            "wavelength: found 490; expected 490.5, the middle of the edges",
        ),
        (
            edged([465, 515]),
            r"\(B1\), fwhm: found 60; expected 50, the distance between the edges",
        ),
        (edged([460]), "edges: found 1 values; expected 2"),
        (f"examples = ['a.tif']\nbands = [{ROW}]", "examples: found 'a.tif'; expected names that `product` matches"),
        (f"nodata = inf\nbands = [{ROW}]", "nodata: found inf; expected a finite number"),
    ],
)
def test_a_wrong_sensor_file_is_refused(tmp_path, text, says):
    path = own(tmp_path, text)
    with pytest.raises(BandError, match=says) as caught:
        read_sensor(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_sensor_is_refused(tmp_path):
    (tmp_path / "image.toml").write_bytes(b"II*\x00\xff\xfe")
    (tmp_path / "large.toml").write_bytes(b" " * 2_000_000)
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    for name, says in [
        ("missing.toml", "folder or a device|cannot be read"),
        ("", "folder or a device|cannot be read"),
        ("loop.toml", "folder or a device|cannot be read"),
        ("pipe.toml", "folder or a device|cannot be read"),
        ("image.toml", "not UTF-8 text"),
        ("large.toml", "found 2000000 bytes"),
    ]:
        with pytest.raises(BandError, match=says):
            read_sensor(tmp_path / name)
        with pytest.raises(BandError, match=says):
            read_wavelengths(tmp_path / name)
    for name in ("NAIP", "wavelengths"):
        with pytest.raises(BandError, match=f"{name.lower()} is the name of a known sensor"):
            read_sensor(own(tmp_path, OWN, f"{name}.toml"))


def test_wavelengths_are_bands():
    found = from_wavelengths([409.82, 400, 429.43])
    assert (found.name, found.level, found.scale, found.offset, found.names_files) == (
        "wavelengths",
        "",
        None,
        None,
        False,
    )
    assert found.names == ("409.82 nm", "400 nm", "429.43 nm")
    assert [band.fwhm for band in found.bands] == pytest.approx([14.715, 9.82, 19.61])
    assert {band.gsd for band in found.bands} == {0}
    assert found.band("409.820 nm") == found.bands[0]
    assert found == from_wavelengths([409.82, 400, 429.43]), "two dates have the same bands"
    assert [band.fwhm for band in from_wavelengths([500]).bands] == [10]
    assert [band.fwhm for band in from_wavelengths([500, 600], [5, 7]).bands] == [5, 7]


def test_wavelengths_may_be_micrometres():
    found = from_wavelengths([0.443, 0.56, 2.2], [0.02, 0.03, 0.2])
    assert [band.wavelength for band in found.bands] == [443, 560, 2200]
    assert [band.fwhm for band in found.bands] == [20, 30, 200]


@given(st.lists(st.integers(2000, 25000), min_size=1, max_size=60), st.randoms())
def test_wavelengths_in_any_order(tenths, random):
    wavelengths = [each / 10 for each in tenths]
    found = from_wavelengths(wavelengths)
    assert [band.wavelength for band in found.bands] == wavelengths
    assert all(band.fwhm > 0 for band in found.bands), "also where a wavelength is repeated"
    assert len(set(found.names)) == len(wavelengths)
    assert all(found.band(band.name) == band for band in found.bands)
    shuffled = wavelengths.copy()
    random.shuffle(shuffled)
    facts = {(band.wavelength, band.fwhm) for band in from_wavelengths(shuffled).bands}
    assert facts == {(band.wavelength, band.fwhm) for band in found.bands}


@pytest.mark.parametrize(
    ("wavelengths", "fwhm", "says"),
    [
        ([], None, "found no wavelengths"),
        ([500, 150], None, "found the wavelength 150; expected nm from 200 to 20000"),
        ([0.5, 500], None, "found the wavelength 0.5; expected nm"),
        ([500, 30000], None, "found the wavelength 30000"),
        ([500, math.nan], None, "found the wavelength nan"),
        ([500, math.inf], None, "found the wavelength inf"),
        ([-1], None, "found the wavelength -1"),
        ([0.01], None, "found the wavelength 0.01"),
        ([500], [10, 10], r"found 2 widths \(FWHM\) for 1 wavelengths"),
        ([500], [0], r"found the width \(FWHM\) 0 nm; expected one above 0"),
        ([500], [math.nan], r"found the width \(FWHM\) nan"),
    ],
)
def test_what_cannot_be_wavelengths_is_refused(wavelengths, fwhm, says):
    with pytest.raises(BandError, match=says):
        from_wavelengths(wavelengths, fwhm)


@pytest.mark.parametrize(
    ("text", "centres", "widths"),
    [
        ("band,wavelength_nm,sensor_band\n1,399.37,4\n2,409.21,5\n", [399.37, 409.21], None),
        ("band;Center (nm);FWHM\r\n1;443,5;20\r\n2;560;35,5\r\n", [443.5, 560], [20, 35.5]),
        ("\ufeffFWHM_nm\twavelength\n10\t500\n12\t600\n", [500, 600], [10, 12]),
        ("environment number\n1 500\n2 600\n", [500, 600], None),
        ("# my camera\n\n0.443\n0.56\n", [443, 560], None),
        ("443, 490, 560", [443, 490, 560], None),
        ("500", [500], None),
        ('"B1", "443.5", blue\n"B2", "490", green\n', [443.5, 490], None),
        ("1 443\n2 490\n3 443\n", [443, 490, 443], None),
    ],
)
def test_lists_of_wavelengths(tmp_path, text, centres, widths):
    path = own(tmp_path, text, "Wellenlängen 1.csv")
    found = read_wavelengths(path)
    assert [band.wavelength for band in found.bands] == centres
    assert [band.fwhm for band in found.bands] == [band.fwhm for band in from_wavelengths(centres, widths).bands]
    assert found.source == str(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "found no line; expected a list of wavelengths"),
        ("# only a remark", "found no line"),
        ("band,wavelength", "found a header only"),
        ("band,name\nB1,blue\nB2,green", "found no column of numbers"),
        ("wavelength\n500\n\nblue\n", "line 4: found 'blue'; expected a number in column 1"),
        ("1,500\n2\n", "line 2: found 1 columns; expected a number in column 2"),
        ("wavelength\n500\n50\n", "found the wavelength 50"),
        ("wavelength\n500\nnan\n", "line 3: found 'nan'"),
        ("wavelength,fwhm\n500,0\n", r"found the width \(FWHM\) 0 nm"),
    ],
)
def test_a_wrong_list_of_wavelengths_is_refused(tmp_path, text, says):
    path = own(tmp_path, text, "list.txt")
    with pytest.raises(BandError, match=says) as caught:
        read_wavelengths(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count(str(path)) == 1


@pytest.mark.parametrize(
    ("place", "count", "first", "last", "steps_back"),
    [
        ("hyperspectral/indian_pines", 200, 400.02, 2498.96, 3),
        ("hyperspectral_more/jasper_ridge", 198, 399.37, 2457, 2),
        ("hyperspectral_more/houston2018", 48, 380, 1050, 0),
    ],
)
def test_real_imaging_spectrometers(place, count, first, last, steps_back):
    found = read_wavelengths(real(f"{place}/wavelengths.csv"))
    centres = [band.wavelength for band in found.bands]
    assert len(centres) == count
    assert centres[0] == first
    assert centres[-1] == pytest.approx(last, abs=1)
    back = [(one, two) for one, two in itertools.pairwise(centres) if two <= one]
    assert len(back) == steps_back
    assert all(0 < band.fwhm < 120 for band in found.bands)
    fed = align(found.bands, MODEL)
    assert {"B2", "B3", "B4", "B8"} <= set(fed.bandset.names)


def test_advice_names_an_own_sensor_by_its_file(tmp_path):
    path = tmp_path / "my camera.toml"
    path.write_text('scale = 1\nbands = [{ name = "B2", wavelength = 490, fwhm = 60, gsd = 10 }]\n')
    with pytest.raises(BandError) as caught:
        identify(Evidence(("B2", "B99"), "scene.tif"), str(path))
    assert caught.value.advice == (("bands", f"{path}:B2"),)
    assert identify(Evidence(("B2", "B99"), "scene.tif"), f"{path}:B2").bands[0].wavelength == 490
