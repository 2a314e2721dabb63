"""The sensors' files: conformance of each, and facts of those that we have."""

import itertools
import json
import math
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_rasters import real

from spectralgpt.bands import (
    BandSet,
    align,
    from_wavelengths,
    read_sensor,
    read_wavelengths,
    sensor,
    sensors,
)
from spectralgpt.bands.catalogue import spelled
from spectralgpt.errors import BandError


@pytest.mark.parametrize("each", sensors(), ids=lambda each: each.name)
def test_a_sensor_is_complete(each):
    assert each.name == each.name.lower()
    assert each.title
    assert each.source
    assert each.level
    assert len(set(each.names)) == len(each.names) > 0
    assert each.level != "user"
    assert not each.source.startswith("sensors/"), "it states no source"
    assert all(300 < band.wavelength < 15000 and band.gsd > 0 for band in each.bands)
    # thermal bands are wider
    assert all(0 < band.fwhm < (400 if band.wavelength < 3000 else 2100) for band in each.bands)
    assert all(each.band(band.name) is band for band in each.bands)
    assert (each.scale is None) == (each.offset is None)
    assert each.scale is None or 0 < each.scale <= 1
    # a file order is of another sensor's bands, a sensor of its own
    order = each.name in ("eurosat", "spectralgpt-12")
    assert {band.sensor for band in each.bands} == {"s2-l1c" if order else each.name}
    assert sensor(each.name.upper()) is each
    assert hash(each) == hash(sensor(each.name))


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


@pytest.mark.parametrize("each", [each for each in sensors() if each.scale is not None], ids=lambda each: each.name)
def test_typical_numbers_are_reflectance(each):
    typical = (7273, 18639, 43636) if each.scale == 0.0000275 else (0, 3000, 10000)
    dark, land, bright = (stored * each.scale + each.offset for stored in typical)
    assert dark == pytest.approx(0, abs=1e-4)
    assert 0.29 < land < 0.33
    assert bright == pytest.approx(1, abs=1e-4)


def test_sentinel_2_has_the_bands_of_the_product_metadata():
    l1c = sensor("s2-l1c")
    assert l1c.names == ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
    assert [band.wavelength for band in l1c.bands] == [
        442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4,
    ]  # fmt: skip
    assert [band.gsd for band in l1c.bands] == [60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20]
    assert (l1c.scale, l1c.offset, l1c.nodata, l1c.level) == (1e-4, 0, 0, "L1C")


def test_the_wavelengths_are_those_of_a_real_product():
    file = real("metadata_fixtures/sentinel2/S2A_MSIL1C*.SAFE") / "MTD_MSIL1C.xml"
    entry = r'<Spectral_Information bandId="\d+" physicalBand="(\w+)">.*?<CENTRAL unit="nm">([\d.]+)</CENTRAL>'
    found = re.findall(entry, file.read_text(), re.DOTALL)
    assert {name: float(centre) for name, centre in found} == {b.name: b.wavelength for b in sensor("s2-l1c").bands}


def test_level_2a_lacks_the_cirrus_band_only():
    def facts(name):
        return [(b.name, b.wavelength, b.fwhm, b.gsd) for b in sensor(name).bands if b.name != "B10"]

    assert facts("s2-l2a") == facts("s2-l1c")
    assert len(sensor("s2-l2a").bands) == 12
    assert {band.sensor for band in sensor("s2-l2a").bands} == {"s2-l2a"}


def test_file_orders_are_of_level_1c():
    eurosat, released = sensor("eurosat"), sensor("spectralgpt-12")
    assert eurosat.names[-4:] == ("B10", "B11", "B12", "B8A")
    assert set(eurosat.bands) == set(sensor("s2-l1c").bands)
    assert released.bands == tuple(band for band in sensor("s2-l1c").bands if band.name != "B10")


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(BandError, match=r"found sensor name 's2-l1d'; expected one of .*Did you mean s2-l1c"):
        sensor("s2-l1d")
    with pytest.raises(BandError, match=r"'B8B', which s2-l1c does not have.*Did you mean B8"):
        sensor("s2-l1c").band("B8B")


# Band edges at half the response (nm), GSD (m), typed from the documents that the files name, not from the files.
TM = {
    "B1": (452, 518, 30), "B2": (528, 609, 30), "B3": (626, 693, 30), "B4": (776, 904, 30), "B5": (1567, 1784, 30),
    "B6": (10450, 12420, 120), "B7": (2097, 2349, 30),
}  # fmt: skip
ETM = {
    "B1": (441, 514, 30), "B2": (519, 601, 30), "B3": (631, 692, 30), "B4": (772, 898, 30), "B5": (1547, 1749, 30),
    "B6": (10310, 12360, 60), "B6H": (10310, 12360, 60), "B7": (2064, 2345, 30), "B8": (515, 896, 15),
}  # fmt: skip
OLI = {
    "B1": (434.97, 450.95, 30), "B2": (452.02, 512.06, 30), "B3": (532.74, 590.07, 30), "B4": (635.85, 673.32, 30),
    "B5": (850.54, 878.79, 30), "B6": (1566.50, 1651.22, 30), "B7": (2107.40, 2294.06, 30), "B8": (503.30, 675.70, 15),
    "B9": (1363.24, 1383.63, 30), "B10": (10600, 11190, 100), "B11": (11500, 12510, 100),
}  # fmt: skip
BLUE, GREEN, RED, NIR = (450, 520), (520, 590), (630, 690), (770, 890)
EDGES = {
    "landsat5-l1": TM, "landsat7-l1": ETM, "landsat8-l1": OLI,
    "hls-l30": {name: (*edges[:2], 30) for name, edges in OLI.items() if name != "B8"},
    "planetscope-4": {
        "blue": (455, 515, 3.7), "green": (500, 590, 3.7), "red": (590, 670, 3.7), "nir": (780, 860, 3.7),
    },
    "planetscope-4r": {
        "blue": (464, 517, 3.7), "green": (547, 585, 3.7), "red": (650, 682, 3.7), "nir": (846, 888, 3.7),
    },
    "planetscope-8": {
        "coastal_blue": (431, 452, 3.7), "blue": (465, 515, 3.7), "green_i": (513, 549, 3.7), "green": (547, 583, 3.7),
        "yellow": (600, 620, 3.7), "red": (650, 680, 3.7), "rededge": (697, 713, 3.7), "nir": (845, 885, 3.7),
    },
    "rapideye": {
        "blue": (440, 510, 6.5), "green": (520, 590, 6.5), "red": (630, 685, 6.5), "rededge": (690, 730, 6.5),
        "nir": (760, 850, 6.5),
    },
    "spot6": {"B2": (625, 695, 6), "B1": (530, 590, 6), "B0": (455, 525, 6), "B3": (760, 890, 6)},
    "naip": {"red": (619, 651, 0.6), "green": (525, 585, 0.6), "blue": (435, 495, 0.6), "nir": (808, 882, 0.6)},
    "cbers4-mux": {"B5": (*BLUE, 20), "B6": (*GREEN, 20), "B7": (*RED, 20), "B8": (*NIR, 20)},
    "cbers4-pan": {"B1": (510, 730, 5), "B2": (*GREEN, 10), "B3": (*RED, 10), "B4": (*NIR, 10)},
    "cbers4-awfi": {"B13": (*BLUE, 64), "B14": (*GREEN, 64), "B15": (*RED, 64), "B16": (*NIR, 64)},
    "modis": {
        "B1": (620, 670, 500), "B2": (841, 876, 500), "B3": (459, 479, 500), "B4": (545, 565, 500),
        "B5": (1230, 1250, 500), "B6": (1628, 1652, 500), "B7": (2105, 2155, 500),
    },
    "worldview2": {
        "coastal": (400, 450, 1.84), "blue": (450, 510, 1.84), "green": (510, 580, 1.84), "yellow": (585, 625, 1.84),
        "red": (630, 690, 1.84), "rededge": (705, 745, 1.84), "nir1": (770, 895, 1.84), "nir2": (860, 1040, 1.84),
    },
}  # fmt: skip
MEASURED = ("landsat5-l1", "landsat7-l1", "worldview2")
"""Their centres are those of the measured responses, which are not symmetric."""


@pytest.mark.parametrize("name", EDGES)
def test_bands_are_those_of_the_documents(name):
    each = sensor(name)
    assert each.names == tuple(EDGES[name]), "in the products' order"
    for band, (lower, upper, gsd) in zip(each.bands, EDGES[name].values(), strict=True):
        middle, width = (lower + upper) / 2, upper - lower
        if name in MEASURED:
            assert abs(band.wavelength - middle) < 0.08 * width, band
            assert band.fwhm == pytest.approx(width, abs=max(1, 0.005 * width)), band
        else:
            assert band.wavelength == pytest.approx(middle, abs=0.011), band
            assert band.fwhm == pytest.approx(width, abs=0.011), band
        assert band.gsd == gsd


# level, scale, offset, nodata, whether names point to it, whether it may write B02
CONVENTIONS = {
    "landsat5-l1": ("L1", None, None, 0, True, False),
    "landsat7-l1": ("L1", None, None, 0, True, False),
    "landsat8-l1": ("L1", None, None, 0, True, False),
    "landsat5-toa": ("TOA", 1e-4, 0, -9999, True, False),
    "landsat7-toa": ("TOA", 1e-4, 0, -9999, True, False),
    "landsat8-toa": ("TOA", 1e-4, 0, -9999, True, False),
    "landsat5-c1sr": ("SR", 1e-4, 0, -9999, True, False),
    "landsat7-c1sr": ("SR", 1e-4, 0, -9999, True, False),
    "landsat8-c1sr": ("SR", 1e-4, 0, -9999, True, False),
    "landsat5-c2l2": ("SR", 0.0000275, -0.2, 0, True, False),
    "landsat7-c2l2": ("SR", 0.0000275, -0.2, 0, True, False),
    "landsat8-c2l2": ("SR", 0.0000275, -0.2, 0, True, False),
    "hls-l30": ("SR", 1e-4, 0, -9999, True, True),
    "hls-s30": ("SR", 1e-4, 0, -9999, False, True),
    "planetscope-4": ("SR", 1e-4, 0, 0, True, False),
    "planetscope-4r": ("SR", 1e-4, 0, 0, True, False),
    "planetscope-8": ("SR", 1e-4, 0, 0, False, False),
    "rapideye": ("L3A", None, None, 0, True, False),
    "spot6": ("SR", 1e-4, 0, 0, True, False),
    "naip": ("DN", None, None, None, True, False),
    "cbers4-mux": ("SR", 1e-4, 0, -9999, True, False),
    "cbers4-pan": ("DN", None, None, 0, True, False),
    "cbers4-awfi": ("SR", 1e-4, 0, -9999, True, False),
    "modis": ("SR", 1e-4, 0, -28672, True, False),
    "worldview2": ("DN", None, None, 0, True, False),
    "s2-l1c": ("L1C", 1e-4, 0, 0, True, True),
    "s2-l2a": ("L2A", 1e-4, 0, 0, True, True),
    "eurosat": ("L1C", 1e-4, 0, None, False, True),
    "spectralgpt-12": ("L1C", 1e-4, 0, None, False, True),
}


def test_conventions_are_those_of_the_documents():
    found = {
        each.name: (each.level, each.scale, each.offset, each.nodata, each.names_files, each.zero_padded)
        for each in sensors()
    }
    assert found == CONVENTIONS


@pytest.mark.parametrize(("mission", "lacks"), [("5", {}), ("7", {"B6H", "B8"}), ("8", {"B8", "B9"})])
def test_levels_of_landsat_have_the_same_bands(mission, lacks):
    def facts(level, but=()):
        bands = sensor(f"landsat{mission}-{level}").bands
        return [(band.name, band.wavelength, band.fwhm, band.gsd) for band in bands if band.name not in but]

    assert facts("toa") == facts("l1")
    assert facts("c1sr") == facts("l1", lacks)
    assert facts("c2l2") == facts("l1", {*lacks, *(["B11"] if mission == "8" else [])})
    assert {band.sensor for band in sensor(f"landsat{mission}-toa").bands} == {f"landsat{mission}-toa"}


def test_hls_s30_has_the_bands_of_sentinel_2_at_30_m():
    bands = sensor("hls-s30").bands
    assert [(b.name, b.wavelength, b.fwhm) for b in bands] == [
        (b.name, b.wavelength, b.fwhm) for b in sensor("s2-l1c").bands
    ]
    assert {band.gsd for band in bands} == {30}


NAMES = {
    "LC08_L1TP_195025_20130707_20170503_01_T1": "landsat8-l1",
    "LC08_L1TP_195025_20130707_20170503_01_T1_B2.TIF": "landsat8-l1",
    "LC09_L1GT_001001_20220101_20230503_02_T2_B10.TIF": "landsat8-l1",
    "LO08_L1TP_195025_20130707_20170503_01_T1_B2.TIF": "landsat8-l1",
    "LC82320832016040LGN00_B1.TIF": "landsat8-l1",
    "LC08_L1TP_195025_20130707_20170503_01_T1_sr_band2.tif": "landsat8-c1sr",
    "LC82320832016040LGN00_sr_band2.tif": "landsat8-c1sr",
    "LC08_L1TP_195025_20130707_20170503_01_T1_toa_band9.tif": "landsat8-toa",
    "LC08_L1TP_195025_20130707_20170503_01_T1_bt_band10.tif": None,
    "LC08_L2SP_005009_20150710_20200908_02_T2_crop256.tif": "landsat8-c2l2",
    "LC09_L2SR_084024_20260111_20261016_02_T1_SR_B4.TIF": "landsat8-c2l2",
    "LE07_L1TP_195025_20010730_20170204_01_T1_B6_VCID_1.TIF": "landsat7-l1",
    "LE71700552001036SGS00_B1.TIF": "landsat7-l1",
    "LE71700552001036SGS00_sr_band3.tif": "landsat7-c1sr",
    "LE07_L1TP_195025_20010730_20170204_01_T1_toa_band1.tif": "landsat7-toa",
    "LE07_L2SP_021030_20100109_20200911_02_T1_SR_B1.TIF": "landsat7-c2l2",
    "LT05_L1TP_224063_19880814_20170101_01_T1_B1.TIF": "landsat5-l1",
    "LT04_L1TP_224063_19880814_20170101_02_T1_B1.TIF": "landsat5-l1",
    "LT52240631988227CUB02_B1.TIF": "landsat5-l1",
    "LT52240631988227CUB02_sr_band1.tif": "landsat5-c1sr",
    "LT52240631988227CUB02_toa_band1.tif": "landsat5-toa",
    "LT05_L2SP_010067_19860424_20200918_02_T2_ST_B6.TIF": "landsat5-c2l2",
    "LM01_L1GS_005037_19720823_20200909_02_T2_B4.TIF": None,
    "hlsl30_texas.tif": "hls-l30",
    "hlss30_romania_52002694.tif": "hls-s30",
    "HLS.L30.T18SUJ.2020273T154042.v2.0": "hls-l30",
    "HLS.S30.T18SUJ.2020273T154042.v2.0.B8A.tif": "hls-s30",
    "20220512_101010_35_2455_3B_AnalyticMS_SR_8b_harmonized_clip.tif": "planetscope-8",
    "20220512_101010_35_2455_3B_AnalyticMS_8b.tif": None,
    "20190109_015005_1020_3B_AnalyticMS_SR.tif": None,
    "scene_PS2_20190109.tif": "planetscope-4",
    "scene_PS2.SD_20200109.tif": "planetscope-4r",
    "3241621_2017-03-05_RE4_3A_Analytic.tif": "rapideye",
    "rapideye_novoprogresso_2014-08-17.tif": "rapideye",
    "spot7_amsterdam_A000.tif": "spot6",
    "IMG_SPOT6_MS_201305251030.JP2": "spot6",
    "spot5_kyushu.tif": None,
    "m_4709963_se_14_1_20100629.tif": "naip",
    "naip_wisconsin_2020-09-02.tif": "naip",
    "CBERS-4_AWFI_022024_B13_2018-02-02.tif": "cbers4-awfi",
    "CB4_64_16D_STK_v001_021027_2018-07-28_2018-08-12_BAND13.tif": "cbers4-awfi",
    "CBERS_4_AWFI_20170420_146_129_L2_BAND13.tif": None,
    "CBERS_4_MUX_20200101_157_133_SURFACE_BAND5.tif": "cbers4-mux",
    "CBERS_4_MUX_20150607_157_133_L4_BAND5.tif": None,
    "CBERS_4_PAN10M_20170427_161_109_L4_BAND2.tif": "cbers4-pan",
    "MOD09GA.A2007268.h10v08.006.2015166222724.hdf": "modis",
    "modis_pamplona_2021-08-11.tif": "modis",
    "worldview2_8band.tif": "worldview2",
    "WV02_20190831.tif": "worldview2",
    "S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE": "s2-l1c",
    "S2A_OPER_MSI_L1C_TL_EPA__20160809T015434_A000162_T32TPP_B01.tif": "s2-l1c",
    "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126": "s2-l2a",
    "s2_B01.jp2": None,
    "wc_be_a_L8_2017-11-03.tif": None,
    "image.tif": None,
    "snaip.tif": None,
    "modisette.tif": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_products_name_is_of_one_sensor(name):
    fitting = [each.name for each in sensors() if each.product and re.search(each.product, name, re.IGNORECASE)]
    assert fitting == ([NAMES[name]] if NAMES[name] else [])


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


def test_what_the_levels_lack_they_do_not_know():
    assert not sensor("landsat8-c2l2").knows("B8")
    assert not sensor("landsat8-l1").knows("SR_B5")
    assert not sensor("s2-l2a").knows("rededge"), "there are three"


def test_common_names_and_wavelengths_of_real_stac_items():
    items = real("metadata_fixtures").rglob("*.json")
    seen = set()
    for item in items:
        assets = json.loads(item.read_text()).get("assets", {})
        whose = {"LT": "landsat5-c2l2", "LE": "landsat7-c2l2", "LC": "landsat8-c2l2"}.get(item.name[:2])
        if whose is None and ("sentinel2" in item.parts or item.name.startswith("S2")):
            whose = "s2-l1c"
        for asset in assets.values() if whose else ():
            for told in asset.get("eo:bands", []):
                # an asset's bands may be indices of the item's
                if isinstance(told, dict) and "center_wavelength" in told and sensor(whose).knows(told["name"]):
                    band = sensor(whose).band(told["name"])
                    assert band.wavelength == pytest.approx(told["center_wavelength"] * 1000, abs=30), item
                    if told.get("common_name", "rededge") != "rededge" and band.name != "B8A":
                        assert sensor(whose).band(told["common_name"]) == band, item
                    seen.add(whose)
    assert seen >= {"landsat5-c2l2", "landsat8-c2l2", "s2-l1c"}


MODEL = BandSet.native(sensor("spectralgpt-12").bands)


def test_what_landsat_feeds():
    oli = align(sensor("landsat8-l1").bands, MODEL)
    assert oli.bandset.names == ("B1", "B2", "B3", "B4", "B8A", "B11", "B12")
    assert oli.dropped == ("B10", "B11", "B8", "B9"), "thermal, panchromatic, cirrus"
    # TM's SWIR1 lies 64 nm beside B11, whose half width is 45
    assert align(sensor("landsat5-toa").bands, MODEL).bandset.names == ("B2", "B3", "B4", "B8", "B12")
    assert align(sensor("landsat7-toa").bands, MODEL).bandset.names == ("B2", "B3", "B4", "B8", "B11", "B12")


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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bands = [", "found no valid TOML"),
        ("a = " + "[" * 5000, "found no valid TOML"),
        ("", "found neither bands nor wavelengths nor bands_of; expected one"),
        ("bands = []", "found no bands; expected at least one"),
        ("bands = 3", "found bands = 3; expected a list"),
        ("bands = [3]", "band 1: found 3; expected a table"),
        (f"scal = 1\nbands = [{ROW}]", r"found the key 'scal'; expected some of .* Did you mean scale\?"),
        (f"scale = '1'\nbands = [{ROW}]", "found scale = '1'; expected a number"),
        (f"scale = true\nbands = [{ROW}]", "found scale = True; expected a number"),
        (f"scale = inf\nbands = [{ROW}]", "found scale = inf; expected a number"),
        (f"scale = 1{'0' * 400}\nbands = [{ROW}]", "expected a number"),
        (f"scale = -1\nbands = [{ROW}]", "found scale = -1; expected a number above 0"),
        (f"offset = 1\nbands = [{ROW}]", "found an offset without a scale"),
        (f"title = 1\nbands = [{ROW}]", "found title = 1; expected a text"),
        (f"names_files = 1\nbands = [{ROW}]", "found names_files = 1; expected true or false"),
        (f"product = '('\nbands = [{ROW}]", "expected a regular expression"),
        (f"bands = [{ROW}, {ROW}]", "found the band B1 twice"),
        (f"bands = [{ROW}, {ROW.replace('B1', 'b01')}]", "found the band B1 twice"),
        ("wavelengths = [490, true]", "found True in wavelengths"),
        ("wavelengths = []", "found no wavelengths"),
        ("wavelengths = [490, 560]\nfwhm = [10]", "1 widths .FWHM. for 2 wavelengths"),
        (f"bands = [{ROW}]\nfwhm = [10]", "fwhm beside bands"),
        (f"bands = [{ROW}]\nbands_of = 's2-l2a'", "found bands and bands_of; expected one"),
        (f"bands = [{ROW}]\norder = ['B1']", "found order beside bands"),
        ("bands_of = 's2-l2b'", r"found sensor name 's2-l2b'.*Did you mean s2-l2a"),
        ("bands_of = 's2-l2a'\norder = ['B10']", "found band name 'B10', which s2-l2a does not have"),
        ("bands_of = 's2-l2a'\norder = []", "found an empty order"),
        ("bands_of = 's2-l2a'\norder = [2]", r"found the order \[2\]; expected a list of names"),
        ("bands_of = 's2-l2a'\naliases = {B2 = 'blue'}", "found the aliases of B2 'blue'; expected a list of names"),
        ("bands_of = 's2-l2a'\naliases = {B2 = ['nir']}", "found 'nir' for B8 and B2; expected one band"),
        ("bands_of = 's2-l2a'\norder = ['B2', 'blue']", "found the band B2 twice"),
        (f"bands = [{ROW.replace('gsd = 2', 'pixel = 2')}]", "band 1: found the key 'pixel'"),
        (f"bands = [{ROW.replace(', fwhm = 60, gsd = 2', '')}]", "band 1: found no fwhm and no gsd"),
        (f"bands = [{ROW.replace('60', '-60')}]", r"band 1 \(B1\): found fwhm = -60; expected nm, above 0"),
        (f"bands = [{ROW.replace('490', '0.49')}]", "found wavelength = 0.49; expected nanometres"),
        (f"bands = [{ROW.replace('490', 'nan')}]", "found wavelength = nan; expected a number"),
        (f"bands = [{ROW.replace('B1', ' ')}]", "found the name ' '; expected one that is not empty"),
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
        ("missing.toml", "found no file to read"),
        ("", "found no file to read"),
        ("loop.toml", "found no file to read"),
        ("pipe.toml", "found no file to read"),
        ("image.toml", "no UTF-8 text"),
        ("large.toml", "found 2000000 bytes"),
    ]:
        with pytest.raises(BandError, match=says):
            read_sensor(tmp_path / name)
        with pytest.raises(BandError, match=says):
            read_wavelengths(tmp_path / name)
    for name in ("NAIP", "wavelengths"):
        with pytest.raises(BandError, match=f"found the name of a known sensor, {name.lower()}"):
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
