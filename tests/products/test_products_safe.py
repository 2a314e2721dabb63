"""Sentinel-2 products: what metadata state, which image feeds a band, and what is refused.

No real product with pixels is at hand: these have real or made-up metadata and the bands of real or made-up scenes.
"""

import json
import os
import re
import shutil
import time
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, write
from real_rasters import IMAGES, real

from made_safe import (
    BAND_ID,
    METRES,
    Image,
    made_images,
    made_scene,
    make_safe,
    product_text,
    real_images,
    write_jp2,
    zipped,
)
from spectralgpt.bands import sensor
from spectralgpt.days import EPOCH, UNKNOWN
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.formats import safe as reader
from spectralgpt.products.formats.safe.metadata import NATIVE, read_metadata
from spectralgpt.products.product import Product

FIXTURES = IMAGES / "metadata_fixtures" / "sentinel2"
FOLDERS = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir())

L1C_0301 = "S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE"
L2A_0212 = "S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857.SAFE"
L2A_0400 = "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE"
L2A_0509 = "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE"

MINUS_1000 = dict.fromkeys(range(13), -1000)


def found(path: Path | str) -> Product:
    product = reader.read(str(path), None)
    assert product is not None
    return product


def refused(path: Path | str, says: str) -> str:
    with pytest.raises(RasterError, match=says) as caught:
        reader.read(str(path), None)
    message = str(caught.value)
    assert caught.value.expected or caught.value.do
    assert "\n" not in message
    return message


def metadata_file(folder: Path) -> Path:
    names = ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml", "product_metadata.xml", "metadata.xml")
    return next(folder / name for name in names if (folder / name).exists())


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


@pytest.fixture(scope="module")
def l2a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = product_text("L2A", offsets=MINUS_1000)
    return make_safe(tmp_path_factory.mktemp("l2a"), text, made_images(), made_scene())


@pytest.fixture(scope="module")
def l1c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = product_text("L1C", offsets={at: -1000 - at for at in range(13)})
    return make_safe(tmp_path_factory.mktemp("l1c"), text, made_images())


@pytest.fixture
def copy(l2a: Path, tmp_path: Path) -> Path:
    """A product to damage."""
    return Path(shutil.copytree(l2a, tmp_path / l2a.name))


# What metadata state


@pytest.mark.parametrize(
    ("name", "level", "baseline", "offset", "stated_day", "platform"),
    [
        (L1C_0301, "L1C", "03.01", 0, "2021-09-08", "Sentinel-2A"),
        (L2A_0212, "L2A", "02.12", 0, "2019-02-12", "Sentinel-2A"),
        (L2A_0400, "L2A", "04.00", -1000, "2022-04-13", "Sentinel-2B"),
        (L2A_0509, "L2A", "05.09", -1000, "2023-08-21", "Sentinel-2A"),
        # -7000 is what this one states
        ("S2A_OPER_MSI_L2A_TL_VGS1_20220401T110010_A035382_T34LBQ", "L2A", "04.00", -7000, "2022-04-01", "Sentinel-2A"),
        ("S2A_OPER_MSI_L1C_TL_SGS__20181231T203637_A018414_T10SDG", "L1C", "02.07", 0, "2018-12-31", "Sentinel-2A"),
    ],
)
def test_real_metadata_by_hand(name, level, baseline, offset, stated_day, platform):
    file = metadata_file(FIXTURES / name)
    stated = read_metadata(file.read_text(encoding="utf-8"), str(file))
    assert (stated.level, stated.baseline, stated.platform) == (level, baseline, platform)
    assert stated.day == day(stated_day)
    assert stated.offsets == (dict.fromkeys(BAND_ID, offset) if offset else {})
    assert {stated.added(band) for band in stated.bands} == {offset}
    if file.name == "metadata.xml":  # of a tile: it does not state them
        assert (stated.quantification, stated.nodata, stated.images) == (None, None, ())
        return
    assert (stated.quantification, stated.nodata, stated.saturated) == (10000, 0, 65535)
    assert stated.uri == (name if name.endswith(".SAFE") else re.search("PRODUCT_URI>(.*?)<", file.read_text())[1])
    listed = {match[1] for image in stated.images if (match := re.search(r"_(B\w\w)(_\d0m)?$", image))}
    assert {re.sub("^B0", "B", band) for band in listed} == set(stated.bands)
    assert len(stated.images) == (14 if level == "L1C" else 35 if baseline < "04" else 36)  # since then B1 at 20 m


@pytest.mark.parametrize("name", FOLDERS)
def test_real_metadata_agree_with_the_stac_items_beside_them(name):
    """Scale, offset and nodata of each band, and the day, as another reader found them."""
    file = metadata_file(FIXTURES / name)
    stated = read_metadata(file.read_text(encoding="utf-8"), str(file))
    item = json.loads((FIXTURES / name / "expected_output.json").read_text())
    assert stated.day == day(item["properties"]["datetime"][:10])
    compared = 0
    for asset in item["assets"].values():
        for band in asset.get("eo:bands", ()):
            stored = asset.get("raster:bands", ({},))[0]
            stated_name = re.sub("^B0", "B", band["name"].upper())
            if len(asset["eo:bands"]) == 1 and "scale" in stored and stated_name in NATIVE:
                assert stored["scale"] == 1 / (stated.quantification or 10000)
                assert stored["offset"] == stated.added(stated_name) / (stated.quantification or 10000)
                assert stored["nodata"] == (stated.nodata or 0)
                compared += 1
    assert compared >= 12


def test_offsets_come_by_band_id():
    stated = read_metadata(product_text("L1C", baseline="04.00", offsets={at: -1000 - at for at in range(13)}), "here")
    assert stated.offsets == {
        "B1": -1000, "B2": -1001, "B3": -1002, "B4": -1003, "B5": -1004, "B6": -1005, "B7": -1006,
        "B8": -1007, "B8A": -1008, "B9": -1009, "B10": -1010, "B11": -1011, "B12": -1012,
    }  # fmt: skip


def test_native_resolutions_are_the_sensors():
    for name in ("s2-l1c", "s2-l2a"):
        assert all(NATIVE[band.name] == band.gsd for band in sensor(name).bands)


@pytest.mark.parametrize("added", [0, -1000, -7000])
def test_scale_and_offset_are_the_division_to_the_last_digit(added):
    stored = np.arange(65536, dtype=np.float64)
    ours = (stored * (1 / 10000) + added / 10000).astype(np.float32)
    exact = ((stored + added) / 10000).astype(np.float32)
    zero = exact == 0  # where 0.7 - 0.7 leaves a rest in double precision
    np.testing.assert_array_equal(ours[~zero], exact[~zero])
    assert np.abs(ours[zero]).max() < 1e-15


@pytest.mark.parametrize(
    ("baseline", "added"), [("03.01", 0), ("04.00", -1000), ("05.09", -1000), ("99.99", 0), ("Not applicable", 0)]
)
def test_offset_that_is_not_stated(baseline, added):
    assert read_metadata(product_text("L1C", baseline=baseline), "here").added("B4") == added


def test_what_is_stated_wins_over_the_baseline():
    assert read_metadata(product_text("L1C", baseline="02.09", offsets=MINUS_1000), "here").added("B4") == -1000
    assert read_metadata(product_text("L1C", offsets=dict.fromkeys(range(13), 0)), "here").added("B4") == 0
    stated = read_metadata(product_text("L2A", quantification="1000", special={"NODATA": "9"}), "here")
    assert (stated.quantification, stated.nodata, stated.saturated) == (1000, 9, None)


def test_old_metadata():
    """Sen2Cor's until 2018, by its format definition."""
    text = """<n1:Level-2A_User_Product xmlns:n1="x"><L2A_Product_Info><PRODUCT_START_TIME>2016-04-05T10:20:00Z
    </PRODUCT_START_TIME><PRODUCT_URI_1C>one</PRODUCT_URI_1C><PRODUCT_URI_2A>two</PRODUCT_URI_2A>
    <PROCESSING_BASELINE>02.04</PROCESSING_BASELINE><IMAGE_ID_2A>S2A_USER_MSI_L2A_TL_X_T32TQR_B02_10m</IMAGE_ID_2A>
    </L2A_Product_Info><L1C_L2A_Quantification_Values_List><L1C_TOA_QUANTIFICATION_VALUE>1</L1C_TOA_QUANTIFICATION_VALUE>
    <L2A_BOA_QUANTIFICATION_VALUE>10000</L2A_BOA_QUANTIFICATION_VALUE></L1C_L2A_Quantification_Values_List>
    </n1:Level-2A_User_Product>"""
    stated = read_metadata(text, "here")
    assert (stated.uri, stated.quantification, stated.day, len(stated.images)) == ("two", 10000, day("2016-04-05"), 1)


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">' + "".join(f'<!ENTITY b{i} "{"&b;" * 10}">' for i in range(9)) + "]>"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not valid XML"),
        ("no xml at all", "is not valid XML"),
        ("\x00\x01\x02", "is not valid XML"),
        (product_text()[:900], "is not valid XML"),
        (BOMB + "<a>&b8;</a>", "found XML with a DOCTYPE"),
        ("<a/>", "found <a>; expected metadata of a Level-1C or Level-2A"),
        ("<Level-1B_User_Product/>", "found <Level-1B_User_Product>"),
        ("<Level-1C_User_Product/>", "found no QUANTIFICATION_VALUE"),
        (product_text("L2A").replace("BOA_QUANT", "AOT_QUANT"), "found no BOA_QUANTIFICATION_VALUE"),
        (product_text(quantification="0"), "found QUANTIFICATION_VALUE 0; expected a number above 0"),
        (product_text(quantification="-1"), "found QUANTIFICATION_VALUE -1; expected a number above 0"),
        (product_text(quantification="ten"), "found 'ten' for QUANTIFICATION_VALUE"),
        (product_text(quantification="nan"), "found 'nan' for QUANTIFICATION_VALUE"),
        (product_text(quantification="1e999"), "found '1e999' for QUANTIFICATION_VALUE"),
        (product_text(offsets={13: -1000}), "found RADIO_ADD_OFFSET of band_id '13'"),
        (product_text(offsets=MINUS_1000).replace('"1"', '"0"'), "found RADIO_ADD_OFFSET of band_id '0'"),
        (product_text(offsets=MINUS_1000).replace('band_id="4"', ""), "found RADIO_ADD_OFFSET of band_id ''"),
        (product_text(offsets=MINUS_1000).replace(">-1000<", "><", 1), "found '' for RADIO_ADD_OFFSET"),
        (product_text(special={"NODATA": "none"}), "found 'none' for a special value"),
    ],
)
def test_metadata_that_are_refused(text, says):
    with pytest.raises(RasterError, match=says) as caught:
        read_metadata(text, "folder/MTD.xml")
    assert str(caught.value).startswith("folder/MTD.xml: ")
    assert "\n" not in str(caught.value)


def test_deep_metadata_are_refused():
    with pytest.raises(RasterError, match="found <a>"):
        read_metadata("<a>" * 100_000 + "</a>" * 100_000, "here")


# Which image feeds a band


def test_each_band_from_its_native_image(l2a):
    product = found(l2a)
    images = made_images()
    assert [band.name for band in product.bands] == [band for band in BAND_ID if band != "B10"]
    for band in product.bands:
        assert f"/IMG_DATA/R{METRES[band.name]}m/" in band.path
        with rasterio.open(band.path) as dataset:
            np.testing.assert_array_equal(dataset.read(1), images[band.name].values)
            assert dataset.transform == images[band.name].transform == band.grid.transform
        assert (band.scale, band.offset, band.nodata, band.dtype) == (1e-4, -0.1, 0, "uint16")
    assert (product.sensor, product.day, product.missing) == ("s2-l2a", day("2023-08-21"), ())
    assert product.warnings == ()
    assert product.facts == (
        "level L2A, processing baseline 05.09 from MTD_MSIL2A.xml",
        "scale 0.0001 from MTD_MSIL2A.xml",
        "offset -0.1 from MTD_MSIL2A.xml",
    )
    assert product.tags == (
        ("PROCESSING_BASELINE", "05.09"),
        ("PRODUCT_URI", l2a.name),
        ("SPACECRAFT_NAME", "Sentinel-2B"),
    )


def test_level_1c(l1c):
    product = found(l1c)
    images = made_images()
    assert [band.name for band in product.bands] == list(BAND_ID)
    assert (product.sensor, product.clouds) == ("s2-l1c", None)
    for at, band in enumerate(product.bands):
        assert "/IMG_DATA/" in band.path
        assert band.offset == (-1000 - at) / 10000
        with rasterio.open(band.path) as dataset:
            np.testing.assert_array_equal(dataset.read(1), images[band.name].values)


def test_scene_classes_are_the_clouds(l2a):
    clouds = found(l2a).clouds
    assert clouds is not None
    assert (clouds.name, clouds.grid.shape) == ("scl", (18, 24))
    with rasterio.open(clouds.path) as dataset:
        stored = dataset.read(clouds.index)
    cloudy = np.logical_or.reduce([(stored & mask) == value for mask, value in clouds.cloudy])
    np.testing.assert_array_equal(cloudy, np.isin(made_scene().values, (3, 8, 9, 10)))


def test_any_path_into_a_product(l2a, tmp_path, monkeypatch):
    granule = next((l2a / "GRANULE").iterdir())
    link = tmp_path / "link"
    link.symlink_to(l2a)
    monkeypatch.chdir(l2a)
    whole = found(l2a)
    of_all = (l2a.parent, f"{l2a}/", f"{l2a}//.", ".", l2a / "MTD_MSIL2A.xml", "MTD_MSIL2A.xml", l2a / "manifest.safe")
    for path in (*of_all, l2a / "GRANULE", granule, f"{granule}/", granule / "MTD_TL.xml"):
        assert found(path) == whole, path
    assert [band.name for band in found(link).bands] == [band.name for band in whole.bands]


def test_a_part_keeps_the_offset(l2a):
    images = next((l2a / "GRANULE").iterdir()) / "IMG_DATA"
    product = found(images / "R10m")
    assert [(band.name, band.offset) for band in product.bands] == [(band, -0.1) for band in ("B2", "B3", "B4", "B8")]
    assert (product.missing, product.warnings, product.clouds) == ((), (), None)
    coarse = found(images / "R20m")
    assert "B2 at 20 m instead of 10 m" in coarse.warnings[0]
    assert {band.grid.shape for band in coarse.bands} == {(18, 24)}
    single = found(next(images.rglob("*_B04_10m.jp2")))
    assert [(band.name, band.offset) for band in single.bands] == [("B4", -0.1)]


def test_a_coarser_image_stands_in_with_a_warning(copy):
    next(copy.rglob("*_B02_10m.jp2")).unlink()
    product = found(copy)
    second = product.bands[1]
    assert (second.name, second.grid.shape, product.missing) == ("B2", (18, 24), ())
    assert product.warnings == (f"{copy}: read B2 at 20 m instead of 10 m, as the native images are missing",)


def test_b1_comes_from_60_m_though_there_is_one_at_20(copy):
    coarse = next(copy.rglob("*_B01_60m.jp2"))
    finer = coarse.parents[1] / "R20m" / coarse.name.replace("60m", "20m")
    write_jp2(finer, Image(np.full((18, 24), 9, np.uint16), "EPSG:32618", rasterio.Affine(20, 0, 0, 0, -20, 0)))
    assert found(copy).bands[0].path == str(coarse)
    coarse.unlink()
    assert found(copy).bands[0].path == str(finer)


def test_missing_bands_are_told_with_their_files(copy):
    for path in (*copy.rglob("*_B8A_*.jp2"), *copy.rglob("*_B08_*.jp2")):
        path.unlink()
    product = found(copy)
    assert [band for band, _ in product.missing] == ["B8", "B8A"]
    assert all(file.startswith("GRANULE/") for _, file in product.missing)
    assert product.missing[0][1].endswith("IMG_DATA/R10m/T32TQR_20230821T101559_B08_10m.jp2")
    assert product.missing[1][1].endswith("IMG_DATA/R20m/T32TQR_20230821T101559_B8A_20m.jp2")
    assert "B8" not in [band.name for band in product.bands]
    with pytest.raises(RasterError, match="B8"):
        open_raster(copy)


def test_no_scene_classes_at_20_m(copy):
    next(copy.rglob("*_SCL_20m.jp2")).unlink()
    clouds = found(copy).clouds
    assert clouds is not None
    assert clouds.path.endswith("_SCL_60m.jp2")


def test_old_names(tmp_path):
    """The names of products until 2016."""
    made = make_safe(tmp_path / "made", product_text("L1C"), made_images())
    safe = tmp_path / "S2A_OPER_PRD_MSIL1C_PDMC_20160405.SAFE"
    granule = safe / "GRANULE" / "S2A_OPER_MSI_L1C_TL_EPA__20160405_A004104_T32TQR_N02.04"
    (granule / "IMG_DATA").mkdir(parents=True)
    for path in made.rglob("*_B??.jp2"):
        if "IMG_DATA" in path.parts:
            path.rename(granule / "IMG_DATA" / f"S2A_OPER_MSI_L1C_TL_EPA__20160405_A004104_T32TQR_{path.stem[-3:]}.jp2")
    text = re.sub("<IMAGE_FILE>.*?</IMAGE_FILE>", "", product_text("L1C", baseline="02.04"))
    (safe / "S2A_OPER_MTD_SAFL1C_PDMC_20160405T_R022_V2016.xml").write_text(text)
    for path in (granule, safe, next(safe.glob("*.xml"))):
        product = found(path)
        assert [(band.name, band.offset) for band in product.bands] == [(band, 0) for band in BAND_ID]
        assert product.missing == ()


def test_a_tile_of_aws(tmp_path):
    images = made_images()
    for band in BAND_ID[:10]:
        write_jp2(tmp_path / f"B{band[1:].zfill(2)}.jp2", images[band])
    (tmp_path / "preview").mkdir()
    write_jp2(tmp_path / "preview" / "B01.jp2", images["B1"])
    assert reader.read(str(tmp_path), None) is None  # a plain folder
    tile = """<n1:Level-1C_Tile_ID xmlns:n1="x"><TILE_ID>S2A_OPER_MSI_L1C_TL_VGS1_20220401T110010_A035382_T34LBQ_N04.00
    </TILE_ID><SENSING_TIME>2022-04-01T09:03:19Z</SENSING_TIME></n1:Level-1C_Tile_ID>"""
    (tmp_path / "metadata.xml").write_text(tile)
    product = found(tmp_path)
    assert (product.sensor, product.day) == ("s2-l1c", day("2022-04-01"))
    assert {(band.scale, band.offset) for band in product.bands} == {(1e-4, -0.1)}
    assert [band for band, _ in product.missing] == ["B10", "B11", "B12"]
    assert (
        "declares no offset, although products of processing baseline 04.00 have one; RADIO_ADD_OFFSET -1000 is used"
        in product.warnings[0]
    )
    assert "offset -0.1 by convention: metadata.xml declares none" in product.facts
    assert [(band.name, band.offset) for band in found(tmp_path / "B04.jp2").bands] == [("B4", -0.1)]
    text = product_text("L1C", baseline="04.00", offsets=dict.fromkeys(range(13), -900))
    (tmp_path / "product_metadata.xml").write_text(text)
    assert {band.offset for band in found(tmp_path).bands} == {-0.09}
    (tmp_path / "product_metadata.xml").unlink()
    (tmp_path / "metadata.xml").write_text("<photos/>")
    assert reader.read(str(tmp_path), None) is None


# Values


@pytest.mark.parametrize(("name", "added"), [(L1C_0301, 0), (L2A_0212, 0), (L2A_0400, -1000), (L2A_0509, -1000)])
def test_reflectance_of_real_scenes_under_real_metadata(name, added, tmp_path):
    """(stored + added) / 10000 to the last digit of float32, of each image as rasterio reads it."""
    text = metadata_file(FIXTURES / name).read_text(encoding="utf-8")
    files = {band: real(f"oscd/bercy/imgs_1/*_B{band[1:].zfill(2)}.tif") for band in BAND_ID}
    if "L2A" in name:
        folder = "s2_format_samples/BigEarthNet-v2/BigEarthNet-S2/*/*"
        files = {band: real(f"{folder}/*_B{band[1:].zfill(2)}.tif") for band in BAND_ID if band != "B10"}
    images = real_images(files)
    product = make_safe(tmp_path, text, images)
    assert product.name == name
    bands = found(product).bands
    assert [band.name for band in bands] == list(files)
    for band in bands:
        with rasterio.open(files[band.name]) as dataset:
            wanted = ((dataset.read(1).astype(np.float64) + added) / 10000).astype(np.float32)
        with open_raster(product, bands=f"{'s2-l2a' if 'L2A' in name else 's2-l1c'}:{band.name}") as raster:
            pixels = raster.read()
        np.testing.assert_array_equal(pixels.reflectance()[0, 0], wanted)
        assert pixels.bands[0].name == band.name


def test_product_zip_and_folder_give_the_same_pixels(l2a, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for band, image in made_images().items():
        if band != "B10":
            how = {"crs": image.crs, "transform": image.transform, "scales": (1e-4,), "offsets": (-0.1,), "nodata": 0}
            write(plain / f"S2_20230821_B{band[1:].zfill(2)}.tif", image.values[None], names=[band], **how)
    packed = zipped(l2a, tmp_path / "ein Produkt, Zürich.SAFE.zip")
    with open_raster(l2a) as one, open_raster(packed) as two, open_raster(plain, bands="s2-l2a") as three:
        first, second = one.read(), two.read()
        names = [band.name for band in first.bands]
        order = [[band.name for band in three.bands].index(name) for name in names]
        third = three.read()
    assert first.shape == (1, 12, 36, 48)
    assert (first.days == day("2023-08-21")).all()
    for other, at in ((second, list(range(12))), (third, order)):
        np.testing.assert_array_equal(other.values[:, at], first.values)
        np.testing.assert_array_equal(other.reflectance()[:, at], first.reflectance())
        assert [other.bands[index] for index in at] == list(first.bands)
        assert other.grid.coincides(first.grid)
        assert (other.days == first.days).all()
        assert (other.valid is None) == (first.valid is None)
        if first.valid is not None:
            np.testing.assert_array_equal(other.valid[:, at], first.valid)


def test_zero_is_not_valid(tmp_path):
    images = made_images()
    images["B4"].values[:3, :5] = 0
    with open_raster(make_safe(tmp_path, product_text("L1C", offsets=MINUS_1000), images)) as raster:
        pixels = raster.read()
    assert pixels.valid is not None
    expected = np.ones((36, 48), bool)
    expected[:3, :5] = False
    np.testing.assert_array_equal(pixels.valid[0, NAMES.index("B4")], expected)
    assert pixels.valid[0, NAMES.index("B3")].all()


def test_names_with_spaces_and_umlauts(l2a, tmp_path):
    folder = tmp_path / "Bilder für Zürich & Umgebung {2023}"
    folder.mkdir()
    moved = shutil.copytree(l2a, folder / "eine Szene.SAFE")
    assert len(found(moved).bands) == 12
    packed = zipped(moved, folder / "eine Szene.zip")
    with rasterio.open(found(packed).bands[0].path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), made_images()["B1"].values)


def test_opening_is_quick(l2a):
    """13 headers and one metadata file; GDAL opens an image of JPEG 2000 in about a millisecond."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        found(l2a)
        seconds.append(time.perf_counter() - start)
    bare = time.perf_counter()
    for band in found(l2a).bands:
        rasterio.open(band.path).close()
    assert min(seconds) < max(0.05, 3 * (time.perf_counter() - bare))


# What is refused


@pytest.mark.parametrize("name", FOLDERS)
def test_skeletons_of_metadata(name):
    message = refused(FIXTURES / name, "a metadata skeleton")
    assert message.startswith(str(FIXTURES / name))


def test_two_tiles(tmp_path):
    safe = make_safe(tmp_path, product_text("L1C", tiles=("T32TQR", "T32TQS")), made_images())
    message = refused(safe, "found 2 tiles")
    one, two = sorted(path.name for path in (safe / "GRANULE").iterdir())
    assert one in message
    assert two in message
    product = found(safe / "GRANULE" / two)
    assert len(product.bands) == 13
    assert all(two in band.path for band in product.bands)


def test_a_granule_without_its_product(copy):
    (copy / "MTD_MSIL2A.xml").unlink()
    granule = next((copy / "GRANULE").iterdir())
    for path in (granule, granule / "IMG_DATA" / "R10m", next(granule.rglob("*B04_10m.jp2"))):
        assert str(copy) in refused(path, "found a part of a Sentinel-2 product, but no MTD_MSIL1C.xml")
    refused(copy, "found a .SAFE folder without MTD_MSIL1C.xml or MTD_MSIL2A.xml")


def test_both_levels_in_one_folder(copy):
    (copy / "MTD_MSIL1C.xml").write_text(product_text("L1C"))
    refused(copy, r"found MTD_MSIL1C.xml, MTD_MSIL2A.xml; expected one product")


def test_several_products_in_a_folder_or_zip(l2a, l1c, tmp_path):
    for product in (l1c, l2a):
        shutil.copytree(product, tmp_path / "both" / product.name)
    assert l1c.name in refused(tmp_path / "both", "expected one product")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        packed.write(l1c / "MTD_MSIL1C.xml", "a.SAFE/MTD_MSIL1C.xml")
        packed.write(l2a / "MTD_MSIL2A.xml", "b.SAFE/MTD_MSIL2A.xml")
    refused(tmp_path / "two.zip", "found a.SAFE/MTD_MSIL1C.xml, b.SAFE/MTD_MSIL2A.xml; expected one product")


def test_two_images_of_one_band(copy):
    path = next(copy.rglob("*_B03_10m.jp2"))
    shutil.copy(path, path.with_name("T32TQR_20230901T101559_B03_10m.jp2"))
    refused(copy, "for B3 at 10 m; expected one")


def test_an_offset_for_some_bands_only(tmp_path):
    safe = make_safe(tmp_path, product_text("L1C", offsets={0: -1000, 1: -1000}), {"B4": made_images()["B4"]})
    refused(safe, "found RADIO_ADD_OFFSET for B1, B2, none for B4")


@pytest.mark.parametrize("share", [0, 0.2, 0.9])
def test_images_cut_off(copy, share):
    path = next(copy.rglob("*_B11_20m.jp2"))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])

    def work():
        with open_raster(copy) as raster:
            raster.read()

    with pytest.raises(RasterError, match=r"_B11_20m.jp2: (found|rows|cannot be opened)"):
        work()


def test_an_image_of_three_bands(copy):
    path = next(copy.rglob("*_B04_10m.jp2"))
    with rasterio.open(path) as dataset:
        profile = dataset.profile
    path.unlink()
    with rasterio.open(path, "w", **(profile | {"count": 3})) as dataset:
        dataset.write(np.ones((3, *dataset.shape), np.uint16))
    refused(copy, "found 3 bands; expected one")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", product_text("L2A")[:2000].encode(), b"<a/>"])
def test_metadata_that_are_damaged(copy, content):
    (copy / "MTD_MSIL2A.xml").write_bytes(content)
    assert "MTD_MSIL2A.xml" in refused(copy, "found|is not UTF-8 text")


def test_metadata_without_end(copy):
    with open(copy / "MTD_MSIL2A.xml", "ab") as file:
        file.truncate(10**9)  # takes no space on disk
    start = time.perf_counter()
    refused(copy, "found more than 16 MiB in MTD_MSIL2A.xml")
    assert time.perf_counter() - start < 2


def test_damaged_zips(l2a, tmp_path):
    content = zipped(l2a, tmp_path / "whole.zip").read_bytes()
    for size in (0, 100, len(content) // 2, len(content) - 30):
        (tmp_path / "cut.zip").write_bytes(content[:size])
        assert str(tmp_path / "cut.zip") in refused(tmp_path / "cut.zip", "the archive cannot be read")
    at = content.index(b"MTD_MSIL2A.xml") + 200
    (tmp_path / "hit.zip").write_bytes(content[:at] + b"\x55" * 300 + content[at + 300 :])
    refused(tmp_path / "hit.zip", "MTD_MSIL2A.xml cannot be read")


def test_a_bomb_in_a_zip(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("a.SAFE/MTD_MSIL2A.xml", "w") as file,
    ):
        for _ in range(64):
            file.write(bytes(2**20))
    refused(tmp_path / "bomb.zip", "found more than 16 MiB")


def test_names_that_lead_out_of_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as packed:
        packed.writestr("../MTD_MSIL2A.xml", product_text("L2A"))
        packed.writestr("/MTD_MSIL2A.xml", product_text("L2A"))
    assert reader.read(str(tmp_path / "out.zip"), None) is None


def test_links_that_make_loops(copy):
    granule = next((copy / "GRANULE").iterdir())
    (granule / "IMG_DATA" / "again").symlink_to(copy)
    (granule / "IMG_DATA" / "R10m" / "up").symlink_to(granule)
    (granule / "IMG_DATA" / "R10m" / "T32TQR_20230821T101559_B05_10m.jp2").symlink_to(
        granule / "IMG_DATA" / "R10m" / "T32TQR_20230821T101559_B05_10m.jp2"
    )
    start = time.perf_counter()
    assert len(found(copy).bands) == 12
    loop = copy.parent / "loop.SAFE"
    loop.symlink_to(loop)
    assert reader.read(str(loop), None) is None  # `file` says that nothing is there
    inner = copy.parent / "inner.SAFE"
    inner.mkdir()
    (inner / "inner.SAFE").symlink_to(inner)
    refused(inner, "found a .SAFE folder without")
    assert time.perf_counter() - start < 2


def test_other_things_are_left_to_other_formats(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.xml").write_text("<a/>")
    (tmp_path / "GRANULE" / "mine").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as packed:
        packed.writestr("a.txt", "a")
    here = [*tmp_path.iterdir(), tmp_path / "GRANULE" / "mine", "nothing/here", "/", "https://a.b/c.SAFE"]
    folders = ("oscd/bercy/imgs_1", "landsat", "hls", "hls/hlsl30_texas.tif", "metadata_fixtures/landsat_c2")
    for path in (*here, *map(real, folders)):
        assert reader.read(str(path), None) is None, path


def test_no_date(tmp_path):
    text = re.sub("2023-08-21|20230821", "", product_text("L1C"))
    assert found(make_safe(tmp_path, text, {"B4": made_images()["B4"]})).day == UNKNOWN


def test_unreadable_folder(copy):
    if os.geteuid() == 0:
        pytest.skip("root reads every folder")
    (copy / "GRANULE").chmod(0)
    refused(copy, "cannot be listed")
    (copy / "GRANULE").chmod(0o755)
