"""Folders of several dates: single-band files are read as dates in order, files of several bands are named instead."""

import glob
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from made_rasters import PLACE, distinct, write

from spectralgpt.errors import InputError, RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.formats import espa, hls, landsat

DATES = ("2020-01-01", "2020-06-01")


def values(number: int, dtype: str = "uint16") -> np.ndarray:
    """Every file, row and column differs."""
    return distinct(number + 1, 6, 5, dtype)[number:]


SINGLE = {
    "Sentinel-2, date first": (
        ["S2A_20200101_B02.tif", "S2A_20200101_B03.tif", "S2A_20200601_B02.tif", "S2A_20200601_B03.tif"],
        "s2-l2a",
    ),
    "Sentinel-2, band first": (
        ["B02_2020-01-01.tif", "B03_2020-01-01.tif", "B02_2020-06-01.tif", "B03_2020-06-01.tif"],
        "s2-l2a",
    ),
    "ESA's images": (
        [f"T32UQD_{day}T102031_{band}_10m.tif" for day in ("20200101", "20200601") for band in ("B02", "B03")],
        "s2-l2a",
    ),
    "Landsat without its metadata": (
        [
            f"LC08_L2SP_195025_{day}_20200824_02_T1_SR_{band}.TIF"
            for day in ("20200101", "20200601")
            for band in ("B2", "B3")
        ],
        None,
    ),
    "HLS granules": (
        [f"HLS.L30.T15RTP.{day}T170000.v2.0.{band}.tif" for day in ("2020001", "2020153") for band in ("B02", "B03")],
        None,
    ),
    "HLS names with another ending": (
        [
            f"HLS.S30.T15RTP.{day}T170000.v2.0.{band}.subset.tif"
            for day in ("2020001", "2020153")
            for band in ("B02", "B03")
        ],
        "hls-s30",
    ),
    "ESPA": (
        [
            f"LC08_L1TP_195025_{day}_20200824_01_T1_sr_band{band}.tif"
            for day in ("20200101", "20200601")
            for band in (2, 3)
        ],
        None,
    ),
}


@pytest.mark.parametrize(("names", "choice"), SINGLE.values(), ids=SINGLE)
def test_single_bands_of_several_dates(tmp_path, names, choice):
    for number, name in enumerate(names):
        write(tmp_path / name, values(number, "int16"))
    with open_raster(tmp_path, bands=choice) as raster:
        assert raster.dates == DATES
        assert [band.name for band in raster.bands] == ["B2", "B3"]
        read = raster.read().values
    for number in range(4):
        assert np.array_equal(read[number // 2, number % 2], values(number)[0])
    with open_raster(tmp_path, bands=choice, dates=DATES[1]) as raster:
        assert raster.dates == DATES[1:]
        assert np.array_equal(raster.read().values[0, 0], values(2)[0])
    with pytest.raises(RasterError, match="found one date for a folder of 2"):
        open_raster(f"{tmp_path}@2020-05-01", bands=choice)


def test_dates_in_tags_and_descriptions(tmp_path):
    for number in range(4):
        tags = {"ACQUISITION_DATE": DATES[1 - number // 2]}
        write(tmp_path / f"{number}.tif", values(number), names=[("B02", "B03")[number % 2]], tags=tags)
    with open_raster(tmp_path, bands="s2-l2a") as raster:
        assert raster.dates == DATES
        assert np.array_equal(raster.read().values[0, 0], values(2)[0])
        assert any(
            f"dates 2020-01-01, 2020-06-01 from the names or tags of the files in {tmp_path}" in fact
            for fact in raster.facts
        )


def test_a_name_of_the_folder_does_not_join_its_dates(tmp_path):
    folder = tmp_path / "download_2024-05-01"
    folder.mkdir()
    for number, name in enumerate(SINGLE["Sentinel-2, date first"][0]):
        write(folder / name, values(number))
    with open_raster(folder, bands="s2-l2a") as raster:
        assert raster.dates == DATES


def test_each_date_has_its_own_clouds(tmp_path):
    for number, name in enumerate(SINGLE["Sentinel-2, date first"][0]):
        write(tmp_path / name, values(number))
    for row, day in enumerate(("20200101", "20200601")):
        layer = np.zeros((1, 6, 5), np.uint8)
        layer[0, row] = 9
        write(tmp_path / f"S2A_{day}_SCL.tif", layer)
    with open_raster(tmp_path, bands="s2-l2a", clouds="scl") as raster:
        valid = raster.read().valid
    assert [np.flatnonzero(~valid[date, 0].any(axis=1)).tolist() for date in (0, 1)] == [[0], [1]]


def test_an_item_completes_the_files_that_it_lists(tmp_path):
    names = SINGLE["Sentinel-2, date first"][0]
    for number, name in enumerate(names):
        write(tmp_path / name, values(number))
    for day, offset, files in (("2020-01-01", 0, names[:2]), ("2020-06-01", -0.1, names[2:])):
        assets = {
            band: {
                "href": f"./{file}",
                "eo:bands": [{"name": band}],
                "raster:bands": [{"scale": 0.0001, "offset": offset}],
            }
            for band, file in zip(("B02", "B03"), files, strict=True)
        }
        item = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": day,
            "geometry": None,
            "properties": {"datetime": f"{day}T10:00:00Z", "platform": "sentinel-2a"},
            "links": [],
            "assets": assets,
        }
        (tmp_path / f"{day}.json").write_text(json.dumps(item))
    with open_raster(tmp_path, bands="s2-l2a") as raster:
        assert raster.dates == DATES
        read = raster.read()
    reflectance = read.reflectance()
    assert np.allclose(reflectance[0, 0], values(0)[0] * 1e-4)
    assert np.allclose(reflectance[1, 0], values(2)[0] * 1e-4 - 0.1)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a_20200101_B02.tif", "a_20200601_B03.tif"], "found files of 2020-01-01 and 2020-06-01"),
        (["a_20200101_B02.tif", "a_20200601_B02.tif", "b_B03.tif"], "found files of 2020-01-01 and 2020-06-01"),
        (
            ["a_20200101_B02.tif", "a_20200601_B02.tif", "a_20200101_B03.tif", "a_20200601_B04.tif"],
            "found other bands than in .*, 2020-01-01",
        ),
        (["a_20200101_B02.tif", "a_20500101_B02.tif"], "2050-01-01, which lies in the future"),
        (["a_20200101_B02.tif", "b_20200101_B02.tif"], "'B2' more than once"),
    ],
)
def test_folders_of_files_that_do_not_belong_together(tmp_path, names, says):
    for number, name in enumerate(names):
        write(tmp_path / name, values(number))
    with pytest.raises(InputError, match=says):
        open_raster(tmp_path, bands="s2-l2a")


GRANULE = "HLS.L30.T15RTP.2020123T170000.v2.0.B02.tif"


@pytest.mark.parametrize(
    ("names", "reader", "says"),
    [
        ([GRANULE, "HLS.L30.T15RTQ.2020139T170000.v2.0.B02.tif"], hls, "2 granules"),
        ([GRANULE, "HLS.S30.T15RTP.2020139T170000.v2.0.B02.tif"], hls, "2 granules"),
        ([GRANULE, "HLS.L30.T15RTP.2020123T170000.v1.4.B02.tif"], hls, "2 granules"),
        (["LC08_L1TP_195025_20200101_x_sr_band2.tif", "LE07_L1TP_195025_20200201_x_sr_band2.tif"], espa, "2 scenes"),
        (["LC08_L1TP_195025_20200101_x_sr_band2.tif", "LC08_L1TP_195026_20200101_x_sr_band2.tif"], espa, "2 scenes"),
    ],
)
def test_products_that_are_no_dates_of_one_place(tmp_path, names, reader, says):
    for number, name in enumerate(names):
        write(tmp_path / name, values(number, "int16"))
    with pytest.raises(RasterError, match=says):
        reader.read(str(tmp_path), None)


MTL = """GROUP = LANDSAT_METADATA_FILE
  GROUP = PRODUCT_CONTENTS
    PROCESSING_LEVEL = "{level}"
    COLLECTION_NUMBER = 02
    FILE_NAME_BAND_4 = "{scene}_B4.TIF"
    FILE_NAME_BAND_5 = "{scene}_B5.TIF"
  END_GROUP = PRODUCT_CONTENTS
  GROUP = IMAGE_ATTRIBUTES
    SPACECRAFT_ID = "LANDSAT_{satellite}"
    SENSOR_ID = "OLI_TIRS"
    DATE_ACQUIRED = {day}
    SUN_ELEVATION = 30.0
  END_GROUP = IMAGE_ATTRIBUTES
  GROUP = LEVEL1_RADIOMETRIC_RESCALING
    REFLECTANCE_MULT_BAND_4 = 2.0000E-05
    REFLECTANCE_MULT_BAND_5 = 2.0000E-05
    REFLECTANCE_ADD_BAND_4 = -0.1
    REFLECTANCE_ADD_BAND_5 = -0.1
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
END_GROUP = LANDSAT_METADATA_FILE
END
"""


def test_landsat_products_in_one_folder(tmp_path):
    scenes = ("LC08_L1TP_195025_20200601_20200824_02_T1", "LC09_L1TP_195025_20220101_20220824_02_T1")
    for index, (scene, day) in enumerate(zip(scenes, ("2020-06-01", "2022-01-01"), strict=True)):
        for number, band in enumerate(("B4", "B5")):
            write(tmp_path / f"{scene}_{band}.TIF", values(2 * index + number))
        text = MTL.format(scene=scene, day=day, satellite=8 + index, level="L1TP")
        (tmp_path / f"{scene}_MTL.txt").write_text(text)
    with open_raster(tmp_path) as raster:
        assert raster.dates == ("2020-06-01", "2022-01-01")
        assert raster.sensor.name == "landsat8-l1"
        assert np.array_equal(raster.read().values[1, 1], values(3)[0])
    second = tmp_path / f"{scenes[1]}_MTL.txt"
    second.write_text(second.read_text().replace("2022-01-01", "2020-06-01"))
    with pytest.raises(RasterError, match="found the metadata of 2 products"):
        landsat.read(str(tmp_path), None)


MULTI = {
    "all alike": (["a_20200101.tif", "a_20200601.tif"], r"/\*\.tif instead, as the dates of one place"),
    "days of the year": (["a.2020001.TIF", "a.2020153.TIF"], r"/\*\.TIF instead"),
    "a mask beside": (
        ["a_20200101.tif", "a_20200601.tif", "slope.tif"],
        r"a_20200101\.tif'? '?\S+a_20200601\.tif'? instead",
    ),
    "without dates": (["a.tif", "b.tif"], r"Give \S+a\.tif'?, alone"),
    "one file": (["a_20200101.tif"], r"Give \S+a_20200101\.tif'?, alone"),
    "of one day": (["a_20200101.tif", "b_20200101.tif"], r"/\*\.tif instead, as one date"),
    "two of a day": (
        ["a_20200101.tif", "b_20200101.tif", "a_20200601.tif"],
        r"/\*\.tif instead, as the dates of one place",
    ),
    "two of a day of the year": (["a.2020153.TIF", "b.2020153.TIF"], r"/\*\.TIF instead, as one date"),
    "of one day elsewhere": (["a_20200101.tif", "elsewhere_20200101.tif"], r"Give \S+a_20200101\.tif'?, alone"),
}


@pytest.mark.parametrize(("names", "says"), MULTI.values(), ids=MULTI)
@pytest.mark.parametrize("folder", ["scenes", "my scenes"])
def test_a_folder_of_files_of_several_bands_says_what_to_type(tmp_path, names, says, folder):
    path = tmp_path / folder
    path.mkdir()
    for number, name in enumerate(names):
        several = np.concatenate([values(number), values(number + 4)])
        is_band = name != "slope.tif"
        there = {"transform": PLACE @ Affine.translation(500, 0)} if "elsewhere" in name else {}
        write(path / name, several if is_band else values(9), names=["B02", "B03"] if is_band else None, **there)
    with pytest.raises(RasterError, match=says.replace(r"\S+", ".+")) as error:
        open_raster(path, bands="s2-l2a")
    typed = re.search(
        r"Give (.*?)(, alone| instead, as the dates of one place| instead, as one date)\.$", str(error.value)
    )[1]
    sources = [each for word in shlex.split(typed) for each in sorted(glob.glob(word))]
    dated = [name for name in names if name != "slope.tif"]
    assert [Path(each).name for each in sources] == (sorted(dated) if "instead" in str(error.value) else dated[:1])
    with open_raster(sources, bands="s2-l2a") as raster:
        days = {re.search(r"20\d{6}|20\d{5}|$", Path(each).name)[0] for each in sources}
        assert len(raster.days) == len(days)
