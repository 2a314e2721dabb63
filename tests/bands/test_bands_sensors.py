"""Each sensor file of the package, also one that is dropped in, and facts of those that we have."""

import itertools
import json
import re
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_rasters import real

from spectralgpt.bands import BandSet, Evidence, align, catalogue, identify, sensor, sensors
from spectralgpt.bands.sensor import Sensor, spelled
from spectralgpt.errors import BandError

COLOURS = {
    "coastal": (400, 455), "blue": (440, 520), "green": (520, 600), "yellow": (580, 630), "red": (620, 690),
    "rededge": (690, 800), "nir": (750, 960), "cirrus": (1360, 1390), "swir16": (1500, 1800), "swir22": (2000, 2400),
    "lwir": (10000, 13000),
}  # fmt: skip
"""Wavelengths (nm) between which the centre of a band with this name or alias lies."""

DIGITAL_NUMBERS = ("DN", "L1", "L3A")
"""Levels of products that need metadata to be reflectance."""


def called(each: Sensor) -> dict[str, float]:
    """The wavelength of each name and alias that is a colour; `rededge1`, `nir08` and `swir1` by their colour."""
    spellings = [(spelled(band.name), band.name) for band in each.bands] + list(each.aliases)
    found = {}
    for word, name in spellings:
        word = {"swir1": "swir16", "swir2": "swir22"}.get(word, word.replace("red_edge", "rededge"))
        colour = word if word in COLOURS else re.sub(r"(_?\d+|_.*)$", "", word)
        if colour in COLOURS:
            found[f"{colour} {word}"] = each.band(name).wavelength
    return found


def implausible(each: Sensor) -> list[str]:
    """What cannot be right in a sensor, whatever its source says."""
    wrong = [f"no {name}" for name in ("title", "source", "level") if not getattr(each, name)]
    wrong += ["no source"] if each.source.startswith("sensors/") else []
    wrong += ["no level"] if each.level == "user" else []
    for band in each.bands:
        # thermal bands are wider
        widest = 400 if band.wavelength < 3000 else 2100
        if not (300 < band.wavelength < 15000 and 0 < band.fwhm < min(widest, band.wavelength)):
            wrong.append(f"{band.name}: {band.wavelength} nm, FWHM {band.fwhm} nm")
        if not 0.05 <= band.gsd <= 5000:
            wrong.append(f"{band.name}: gsd {band.gsd} m")
    for name, wavelength in called(each).items():
        low, high = COLOURS[name.split()[0]]
        if not low <= wavelength <= high:
            wrong.append(f"{name}: {wavelength} nm")
    rising = ("coastal", "blue", "green", "red", "nir", "swir16", "swir22")
    there = [called(each)[f"{name} {name}"] for name in rising if f"{name} {name}" in called(each)]
    wrong += [f"{one} nm before {two} nm" for one, two in itertools.pairwise(there) if one >= two]
    if (each.scale is None) != (each.level in DIGITAL_NUMBERS) or (each.scale is None) != (each.offset is None):
        wrong.append(f"scale {each.scale} and offset {each.offset} at level {each.level}")
    elif each.scale is not None and each.offset is not None:
        black, white = -each.offset / each.scale, (1 - each.offset) / each.scale
        if not 0 <= black < white <= 65535:
            wrong.append(f"reflectance 0 and 1 are stored as {black} and {white}")
        if each.nodata is not None and each.nodata > black:
            wrong.append(f"nodata {each.nodata} is a reflectance")
    if (each.product is None) != (not each.examples):
        wrong.append("a product without examples")
    for example in each.examples:
        claiming = [other.name for other in {each, *sensors()} if other.claims(example)]
        wrong += [] if claiming == [each.name] else [f"{example} is of {' and '.join(sorted(claiming))}"]
    return wrong


@pytest.mark.parametrize("each", sensors(), ids=lambda each: each.name)
def test_a_sensor_is_plausible(each):
    assert implausible(each) == []
    assert each.name == each.name.lower()
    assert len(set(each.names)) == len(each.names) > 0
    assert all(each.band(band.name) is band for band in each.bands)
    assert sensor(each.name.upper()) is each
    assert hash(each) == hash(sensor(each.name))


def band_changed(each: Sensor, name: str, **values: float) -> Sensor:
    return replace(each, bands=tuple(replace(b, **values) if b.name == name else b for b in each.bands))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda each: replace(each, source=""), "no source"),
        (lambda each: replace(each, level="user"), "no level"),
        (lambda each: band_changed(each, "B2", wavelength=660), "blue blue: 660"),
        (lambda each: band_changed(each, "B4", wavelength=842), "red red: 842"),
        (lambda each: band_changed(each, "B8", wavelength=664), "nir nir: 664"),
        (lambda each: band_changed(each, "B11", wavelength=161.3), "B11: 161.3"),
        (lambda each: band_changed(each, "B2", fwhm=643), "B2: 492.7 nm, FWHM 643"),
        (lambda each: band_changed(each, "B2", gsd=0.01), "B2: gsd"),
        (lambda each: replace(each, scale=1e-5), "are stored as"),
        (lambda each: replace(each, offset=0.1), "are stored as"),
        (lambda each: replace(each, scale=None, offset=None), "scale None"),
        (lambda each: replace(each, nodata=65535.0), "nodata 65535.0 is a reflectance"),
        (lambda each: replace(each, examples=("LC08_L1TP_195025_20130707_20170503_01_T1",)), "is of landsat8-l1"),
        (lambda each: replace(each, name="mine"), "is of mine and s2-l2a"),
        (lambda each: replace(each, examples=()), "a product without examples"),
    ],
)
def test_what_is_not_plausible_is_found(damage, says):
    assert says in "\n".join(implausible(damage(sensor("s2-l2a"))))


@pytest.mark.parametrize("each", sensors(), ids=lambda each: each.name)
def test_a_name_is_of_one_band(each):
    spellings = [spelled(name) for name in each.names]
    aliases = [alias for alias, _ in each.aliases]
    assert len(set(spellings + aliases)) == len(spellings) + len(aliases)
    for alias, name in each.aliases:
        assert each.band(alias).name == name
        assert each.knows(alias.upper().replace("_", " "))
    assert not each.knows("")
    assert not each.knows("SCL")


# -- a sensor that is dropped in ---------------------------------------------------------------------------------------

NEW = """
title = "A camera that nobody knows yet"
level = "SR"
scale = 1e-4
offset = 0.0
nodata = 0
product = '(?<![A-Z])NEWCAM'
examples = ["NEWCAM_20300101.tif"]
source = "Made up."
bands = [
    { name = "B1", wavelength = 480, fwhm = 60, edges = [450, 510], gsd = 5, aliases = ["blue"] },
    { name = "B2", wavelength = 560, fwhm = 60, edges = [530, 590], gsd = 5, aliases = ["green"] },
    { name = "B3", wavelength = 660, fwhm = 60, edges = [630, 690], gsd = 5, aliases = ["red"] },
    { name = "B4", wavelength = 840, fwhm = 120, edges = [780, 900], gsd = 5, aliases = ["nir"] },
]
"""


@pytest.fixture(scope="module")
def with_a_new_one(tmp_path_factory):
    """The folder of the sensors with another file in it."""
    folder = tmp_path_factory.mktemp("sensors") / "sensors"
    shutil.copytree(catalogue.SENSORS, folder)
    (folder / "newcam.toml").write_text(NEW)
    return folder


def test_a_new_file_is_a_sensor(with_a_new_one, monkeypatch):
    before = sensors()
    monkeypatch.setattr(catalogue, "SENSORS", with_a_new_one)
    assert {each.name for each in sensors()} - {each.name for each in before} == {"newcam"}
    assert [each for each in sensors() if each.name != "newcam"] == list(before)
    assert implausible(sensor("newcam")) == []
    assert not sensor("newcam").zero_padded
    assert identify(Evidence(("B1", "B4"), "a.tif", "newcam"), None).sensor.name == "newcam"


@given(st.lists(st.sampled_from(sensor("s2-l1c").names[:9]), unique=True, min_size=1), st.data())
def test_a_new_sensor_with_plain_names_leaves_padded_ones_alone(with_a_new_one, names, data):
    """B02, B03, B04 stay Sentinel-2's, whatever stands beside them."""
    padded = data.draw(st.sampled_from([name for name in names if name != "B8A"] or ["B2"]))
    written = tuple(f"B0{name[1:]}" if name == padded else name for name in {*names, padded})

    def found():
        try:
            identity = identify(Evidence(written, "scene.tif"), None)
            return identity.sensor.name, identity.bands, identity.warnings
        except BandError as error:
            return str(error)

    before = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "SENSORS", with_a_new_one)
        assert found() == before
    assert before[0] == "s2-l2a" or "could be those of s2-l2a or s2-l1c or hls-l30" in before


def test_a_new_sensor_that_pads_its_names_does_not(with_a_new_one, monkeypatch):
    names = Evidence(("B02", "B03", "B04"), "scene.tif")
    (with_a_new_one.parent / "padded").mkdir()
    padded = shutil.copytree(with_a_new_one, with_a_new_one.parent / "padded" / "sensors")
    (padded / "newcam.toml").write_text(f"zero_padded = true\n{NEW}")
    monkeypatch.setattr(catalogue, "SENSORS", padded)
    with pytest.raises(BandError, match=r"could be those of s2-l2a .*newcam"):
        identify(names, None)


# -- facts of those that we have ---------------------------------------------------------------------------------------


def test_the_wavelengths_are_those_of_a_real_product():
    file = real("metadata_fixtures/sentinel2/S2A_MSIL1C*.SAFE") / "MTD_MSIL1C.xml"
    entry = r'<Spectral_Information bandId="\d+" physicalBand="(\w+)">.*?<CENTRAL unit="nm">([\d.]+)</CENTRAL>'
    found = re.findall(entry, file.read_text(), re.DOTALL)
    assert {name: float(centre) for name, centre in found} == {b.name: b.wavelength for b in sensor("s2-l1c").bands}


FACTS = {
    "s2-l1c": "B1:60 B2:10 B3:10 B4:10 B5:20 B6:20 B7:20 B8:10 B8A:20 B9:60 B10:60 B11:20 B12:20",
    "eurosat": "B1:60 B2:10 B3:10 B4:10 B5:20 B6:20 B7:20 B8:10 B9:60 B10:60 B11:20 B12:20 B8A:20",
    "landsat5-l1": "B1:30 B2:30 B3:30 B4:30 B5:30 B6:120 B7:30",
    "landsat7-l1": "B1:30 B2:30 B3:30 B4:30 B5:30 B6:60 B6H:60 B7:30 B8:15",
    "landsat8-l1": "B1:30 B2:30 B3:30 B4:30 B5:30 B6:30 B7:30 B8:15 B9:30 B10:100 B11:100",
    "planetscope-4": "blue:3.7 green:3.7 red:3.7 nir:3.7",
    "planetscope-4r": "blue:3.7 green:3.7 red:3.7 nir:3.7",
    "planetscope-8": "coastal_blue:3.7 blue:3.7 green_i:3.7 green:3.7 yellow:3.7 red:3.7 rededge:3.7 nir:3.7",
    "rapideye": "blue:6.5 green:6.5 red:6.5 rededge:6.5 nir:6.5",
    "spot6": "B2:6 B1:6 B0:6 B3:6",
    "naip": "red:0.6 green:0.6 blue:0.6 nir:0.6",
    "cbers4-mux": "B5:20 B6:20 B7:20 B8:20",
    "cbers4-pan": "B1:5 B2:10 B3:10 B4:10",
    "cbers4-awfi": "B13:64 B14:64 B15:64 B16:64",
    "modis": "B1:500 B2:500 B3:500 B4:500 B5:500 B6:500 B7:500",
    "worldview2": "coastal:1.84 blue:1.84 green:1.84 yellow:1.84 red:1.84 rededge:1.84 nir1:1.84 nir2:1.84",
}
"""Order of the products and GSD (m), typed from the documents that the files name: nothing physical shows a mistake."""


@pytest.mark.parametrize("name", FACTS)
def test_order_and_gsd_are_those_of_the_documents(name):
    assert " ".join(f"{band.name}:{band.gsd:g}" for band in sensor(name).bands) == FACTS[name]


CONVENTIONS = {
    ("L1", None, None, 0): "landsat5-l1 landsat7-l1 landsat8-l1",
    ("TOA", 1e-4, 0, -9999): "landsat5-toa landsat7-toa landsat8-toa",
    ("SR", 1e-4, 0, -9999): "landsat5-c1sr landsat7-c1sr landsat8-c1sr hls-l30 hls-s30 cbers4-mux cbers4-awfi",
    ("SR", 0.0000275, -0.2, 0): "landsat5-c2l2 landsat7-c2l2 landsat8-c2l2",
    ("SR", 1e-4, 0, 0): "planetscope-4 planetscope-4r planetscope-8 spot6",
    ("SR", 1e-4, 0, -28672): "modis",
    ("L3A", None, None, 0): "rapideye",
    ("DN", None, None, None): "naip",
    ("DN", None, None, 0): "cbers4-pan worldview2",
    ("L1C", 1e-4, 0, 0): "s2-l1c",
    ("L2A", 1e-4, 0, 0): "s2-l2a",
    ("L1C", 1e-4, 0, None): "eurosat spectralgpt-12",
}
"""Level, scale, offset, nodata."""


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_conventions_are_those_of_the_documents(convention):
    for each in map(sensor, CONVENTIONS[convention].split()):
        assert (each.level, each.scale, each.offset, each.nodata) == convention, each.name


def test_only_sentinel_2_and_hls_pad_names_with_a_zero():
    known = {name for names in CONVENTIONS.values() for name in names.split()}
    padding = {each.name for each in sensors() if each.zero_padded} & known
    assert padding == {"s2-l1c", "s2-l2a", "eurosat", "spectralgpt-12", "hls-l30", "hls-s30"}
    silent = {each.name for each in sensors() if not each.names_files} & known
    assert silent == {"hls-s30", "eurosat", "spectralgpt-12"}


def facts(name, but=()):
    return [(band.name, band.wavelength, band.fwhm, band.gsd) for band in sensor(name).bands if band.name not in but]


def test_level_2a_has_all_bands_but_cirrus():
    assert facts("s2-l2a") == facts("s2-l1c", ["B10"])
    assert {band.sensor for band in sensor("s2-l2a").bands} == {"s2-l2a"}


def test_file_orders_are_of_level_1c():
    eurosat, released = sensor("eurosat"), sensor("spectralgpt-12")
    assert set(eurosat.bands) == set(sensor("s2-l1c").bands)
    assert released.bands == tuple(band for band in sensor("s2-l1c").bands if band.name != "B10")


@pytest.mark.parametrize(("mission", "without"), [("5", []), ("7", ["B6H", "B8"]), ("8", ["B8", "B9"])])
def test_levels_of_landsat_have_the_same_bands(mission, without):
    l1 = f"landsat{mission}-l1"
    assert facts(f"landsat{mission}-toa") == facts(l1)
    assert facts(f"landsat{mission}-c1sr") == facts(l1, without)
    assert facts(f"landsat{mission}-c2l2") == facts(l1, [*without, *(["B11"] if mission == "8" else [])])
    assert {band.sensor for band in sensor(f"landsat{mission}-toa").bands} == {f"landsat{mission}-toa"}


@pytest.mark.parametrize(("hls", "origin", "without"), [("hls-s30", "s2-l1c", []), ("hls-l30", "landsat8-l1", ["B8"])])
def test_hls_has_the_bands_of_its_origin_at_30_m(hls, origin, without):
    assert facts(hls) == [(*band[:3], 30) for band in facts(origin, without)]


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(BandError, match=r"unknown sensor 's2-l1d'; expected one like s2-l1c.*Did you mean s2-l1c"):
        sensor("s2-l1d")
    with pytest.raises(BandError, match=r"s2-l1c has no band 'B8B'.*Did you mean B8"):
        sensor("s2-l1c").band("B8B")


UNCLAIMED = [
    "LC08_L1TP_195025_20130707_20170503_01_T1_bt_band10.tif",
    "LM01_L1GS_005037_19720823_20200909_02_T2_B4.TIF",
    "20220512_101010_35_2455_3B_AnalyticMS.tif",
    "20190109_015005_1020_3B_AnalyticMS_SR.tif",
    "CBERS_4_AWFI_20170420_146_129_L2_BAND13.tif",
    "CBERS_4_MUX_20150607_157_133_L4_BAND5.tif",
    "s2_B01.jp2",
    "wc_be_a_L8_2017-11-03.tif",
    "image.tif",
    "snaip.tif",
    "modisette.tif",
]


@pytest.mark.parametrize("name", UNCLAIMED)
def test_names_of_other_products_are_claimed_by_none(name):
    assert [each.name for each in sensors() if each.claims(name)] == []


@pytest.mark.parametrize(
    ("sensor_name", "written", "band"),
    [
        ("landsat8-c2l2", "SR_B5", "B5"), ("landsat8-c2l2", "ST_B10", "B10"), ("landsat8-c1sr", "sr_band2", "B2"),
        ("landsat7-l1", "B6_VCID_2", "B6H"), ("landsat7-l1", "B6 thermal low gain", "B6"),
        ("landsat7-c2l2", "ST_B6", "B6"),
        ("landsat5-l1", "NIR", "B4"), ("rapideye", "Red Edge", "rededge"), ("rapideye", "red-edge", "rededge"),
        ("s2-l2a", "nir", "B8"), ("s2-l2a", "nir08", "B8A"), ("s2-l2a", "SWIR1", "B11"), ("s2-l2a", "B02", "B2"),
        ("cbers4-awfi", "BAND13", "B13"), ("modis", "sur_refl_b07", "B7"),
        ("planetscope-8", "Coastal Blue", "coastal_blue"),
        ("worldview2", "NIR", "nir1"), ("eurosat", "nir08", "B8A"),
    ],
)  # fmt: skip
def test_a_band_is_found_by_other_names(sensor_name, written, band):
    assert sensor(sensor_name).band(written).name == band
    assert sensor(sensor_name).knows(written)


def test_a_level_does_not_know_what_it_does_not_have():
    assert not sensor("landsat8-c2l2").knows("B8")
    assert not sensor("landsat8-l1").knows("SR_B5")
    assert not sensor("s2-l2a").knows("rededge"), "there are three"


def test_common_names_and_wavelengths_of_real_stac_items():
    items = real("metadata_fixtures").rglob("*.json")
    seen = set()
    for item in items:
        assets = json.loads(item.read_text()).get("assets", {})
        owner = {"LT": "landsat5-c2l2", "LE": "landsat7-c2l2", "LC": "landsat8-c2l2"}.get(item.name[:2])
        if owner is None and ("sentinel2" in item.parts or item.name.startswith("S2")):
            owner = "s2-l1c"
        for asset in assets.values() if owner else ():
            for stated in asset.get("eo:bands", []):
                # an asset's bands may be indices of the item's
                if isinstance(stated, dict) and "center_wavelength" in stated and sensor(owner).knows(stated["name"]):
                    band = sensor(owner).band(stated["name"])
                    assert band.wavelength == pytest.approx(stated["center_wavelength"] * 1000, abs=30), item
                    if stated.get("common_name", "rededge") != "rededge" and band.name != "B8A":
                        assert sensor(owner).band(stated["common_name"]) == band, item
                    seen.add(owner)
    assert seen >= {"landsat5-c2l2", "landsat8-c2l2", "s2-l1c"}


MODEL = BandSet.native(sensor("spectralgpt-12").bands)


def test_what_landsat_feeds():
    oli = align(sensor("landsat8-l1").bands, MODEL)
    assert oli.bandset.names == ("B1", "B2", "B3", "B4", "B8A", "B11", "B12")
    assert oli.dropped == ("B10", "B11", "B8", "B9"), "thermal, panchromatic, cirrus"
    # TM's SWIR1 lies 64 nm beside B11, beyond its half width of 45, but is wider and touches it
    assert align(sensor("landsat5-toa").bands, MODEL).bandset.names == ("B2", "B3", "B4", "B8", "B11", "B12")
    assert align(sensor("landsat7-toa").bands, MODEL).bandset.names == ("B2", "B3", "B4", "B8", "B11", "B12")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = ", r"sensors/broken\.toml: is not valid TOML"),
        ('bands_of = "nope"', r"sensors/broken\.toml: bands_of: found 'nope'"),
        ('bands_of = "broken"', r"sensors/broken\.toml: bands_of: found 'broken'"),
    ],
)
def test_a_broken_file_of_the_package_is_named(tmp_path, monkeypatch, text, says):
    folder = tmp_path / "sensors"
    shutil.copytree(catalogue.SENSORS, folder)
    (folder / "broken.toml").write_text(text)
    monkeypatch.setattr(catalogue, "SENSORS", folder)
    with pytest.raises(BandError, match=says):
        catalogue.sensors()
