"""STAC items of four catalogues with local pixels: read as the item means them, or refused."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import distinct, write
from real_rasters import IMAGES

from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.formats.stac import read
from spectralgpt.products.formats.stac.item import read_item
from spectralgpt.products.product import Product, StoredBand

FIXTURES = "metadata_fixtures/"
PLANETARY = FIXTURES + "stac/odc-stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531_raster_ext.json"
EARTH_SEARCH_V0 = FIXTURES + "stac/odc-stac/S2A_28QCH_20200714_0_L2A.json"
L1C = FIXTURES + "sentinel2/S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE/expected_output.json"
L2A_0509 = FIXTURES + "sentinel2/S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE/expected_output.json"
L2A_0400 = FIXTURES + "sentinel2/S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE/expected_output.json"
L2A_7000 = FIXTURES + "sentinel2/S2A_OPER_MSI_L2A_TL_VGS1_20220401T110010_A035382_T34LBQ/expected_output.json"
OLI = FIXTURES + "stac/odc-stac/LC08_L2SP_028030_20200114_20200824_02_T1_SR.json"
OLI_BETA = FIXTURES + "stac/odc-stac/LC08_L2SR_081119_20200101_20200823_02_T2.json"
OLI_07 = FIXTURES + "landsat_c2/assets/LC08_L2SP_005009_20150710_20200908_02_T2_SR_stac.json"
TM = FIXTURES + "landsat_c2/tm/LT05_L2SR_087017_20090621_20200827_02_T2_SR_stac.json"
ETM = FIXTURES + "landsat_c2/etm/LE07_L2SP_021030_20100109_20200911_02_T1_SR_stac.json"
MSS = FIXTURES + "landsat_c2/mss/LM01_L1GS_001010_19720908_20200909_02_T2_stac.json"

S2_BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
SIDE = 24

Item = dict[str, Any]


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def load(name: str) -> Item:
    item: Item = json.loads((IMAGES / name).read_text())
    return item


def with_pixels(item: Item, folder: Path, how: str = "relative") -> tuple[Path, dict[str, np.ndarray]]:
    """The item in a folder with pixels for every image, where the item places it; each has other values."""
    item = copy.deepcopy(item)
    properties, pixels = item["properties"], {}
    (folder / "pixels").mkdir(parents=True)
    for number, (key, asset) in enumerate(item["assets"].items()):
        if "geotiff" not in asset.get("type", "") and "jp2" not in asset.get("type", ""):
            continue
        code = properties.get("proj:code") or asset.get("proj:epsg") or properties.get("proj:epsg") or 32633
        affine = asset.get("proj:transform") or properties.get("proj:transform") or [30, 0, 500000, 0, -30, 100000]
        kind = next(iter(asset.get("raster:bands", [{}]))).get("data_type", "uint16")
        count = 3 if "visual" in key else 1
        pixels[key] = (distinct(count, SIDE, SIDE) + 37 * number).astype(kind)
        path = folder / "pixels" / (Path(asset["href"]).stem + ".tif")
        if path.exists():
            path = path.with_stem(f"{path.stem}_{number}")
        write(path, pixels[key], crs=code if isinstance(code, str) else f"EPSG:{code}", transform=Affine(*affine[:6]))
        asset["href"] = {
            "relative": f"./pixels/{path.name}",
            "absolute": str(path),
            "file": path.as_uri(),
            "beside": asset["href"],
        }[how]
        if how == "beside":
            path.rename(folder / Path(asset["href"]).name)
    (folder / "item.json").write_text(json.dumps(item))
    return folder / "item.json", pixels


def opened(path: Path) -> Product:
    product = read(str(path), None)
    assert product is not None
    return product


def reflectance(band: StoredBand) -> np.ndarray:
    assert band.scale is not None
    assert band.offset is not None
    with rasterio.open(band.path) as dataset:
        return (dataset.read(band.index) * band.scale + band.offset).astype(np.float32)


def named(product: Product) -> dict[str, StoredBand]:
    return {band.name or "": band for band in product.bands}


def refused(item: Item | str, tmp_path: Path, says: str) -> None:
    path = tmp_path / "item.json"
    path.write_text(item if isinstance(item, str) else json.dumps(item))
    with pytest.raises(RasterError, match=says) as caught:
        read(str(path), None)
    assert str(caught.value).startswith(str(path))
    assert caught.value.expected or caught.value.do
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["relative", "absolute", "file", "beside"])
@pytest.mark.parametrize(
    ("name", "sensor", "when", "offset"),
    [
        (PLANETARY, "s2-l2a", "2019-06-29", 0.0),
        (EARTH_SEARCH_V0, "s2-l2a", "2020-07-14", 0.0),
        (L1C, "s2-l1c", "2021-09-08", 0.0),
        (L2A_0509, "s2-l2a", "2023-08-21", -0.1),
        (L2A_7000, "s2-l2a", "2022-04-01", -0.7),
    ],
)
def test_sentinel2_reflectance(tmp_path, name, sensor, when, offset, how):
    if how == "beside" and name not in (PLANETARY, EARTH_SEARCH_V0):
        how = "relative"  # its files are remote in these two only
    path, pixels = with_pixels(load(name), tmp_path / "Straße mit Leerzeichen", how)
    product = opened(path)
    assert (product.sensor, product.day, product.missing) == (sensor, day(when), ())
    bands = named(product)
    assert set(bands) == {*S2_BANDS, *(["B10"] if sensor == "s2-l1c" else [])}
    # each 60 m and 20 m asset of a 10 m band has values of its own: the native file is the one without a suffix
    keys = {"B01": "coastal", "B04": "red", "B8A": "nir08", "B09": "nir09", "B12": "swir22"}
    for band, key in keys.items():
        stored = pixels[key if key in pixels else band][0]
        np.testing.assert_array_equal(reflectance(bands[band]), (stored * 1e-4 + offset).astype(np.float32))
    assert {name: band.nodata for name, band in bands.items()}["B02"] == (None if name == EARTH_SEARCH_V0 else 0)
    assert ["cropped or resampled" in warning for warning in product.warnings] == [True]
    if sensor == "s2-l2a":
        assert product.clouds is not None
        assert product.clouds.name == "scl"
        assert product.clouds.cloudy == ((255, 3), (255, 8), (255, 9), (255, 10))
        with rasterio.open(product.clouds.path) as dataset:
            assert dataset.transform.a == 20


def test_a_band_at_its_own_resolution(tmp_path):
    """B01 measures 60 m: its 20 m file is a copy, not a finer measurement."""
    path, _ = with_pixels(load(L2A_0509), tmp_path / "all")
    sizes = {name: band.grid.transform.a for name, band in named(opened(path)).items()}
    assert (sizes["B01"], sizes["B02"], sizes["B8A"]) == (60, 10, 20)
    (tmp_path / "all" / "pixels" / Path(load(L2A_0509)["assets"]["blue"]["href"]).with_suffix(".tif").name).unlink()
    product = opened(path)
    assert named(product)["B02"].grid.transform.a == 20
    assert any("B02" in warning for warning in product.warnings)


@pytest.mark.parametrize(
    ("name", "sensor", "when", "count"),
    [
        (OLI, "landsat8-c2l2", "2020-01-14", 7),
        (OLI_BETA, "landsat8-c2l2", "2020-01-01", 7),
        (OLI_07, "landsat8-c2l2", "2015-07-10", 7),
        (TM, "landsat5-c2l2", "2009-06-21", 6),
        (ETM, "landsat7-c2l2", "2010-01-09", 6),
        (MSS, "landsat_1", "1972-09-08", 4),
    ],
)
def test_landsat(tmp_path, name, sensor, when, count):
    path, pixels = with_pixels(load(name), tmp_path / "scene")
    product = opened(path)
    assert (product.sensor, product.day, len(product.bands)) == (sensor, day(when), count)
    assert all(band.scale is None for band in product.bands)  # the collection's own, which the sensor knows
    for key, stored in pixels.items():
        numbered = [band for band in product.bands if key.upper() in (f"SR_{band.name}.TIF",)]
        for band in numbered:
            with rasterio.open(band.path) as dataset:
                np.testing.assert_array_equal(dataset.read(), stored)
    assert product.clouds is not None
    assert product.clouds.name == "qa"
    assert product.clouds.cloudy == ((2, 2), (4, 4), (8, 8), (16, 16))


# what follows needs no real item

UTM = "EPSG:32633"
ORIGIN = (500000.0, 5300000.0)


def made(tmp_path: Path, files: dict[str, tuple[str, float]], **properties: Any) -> Item:
    """A Sentinel-2 item with one file per asset: {asset: (file's name, pixel size)}."""
    assets = {}
    for number, (key, (file, size)) in enumerate(files.items()):
        side = int(240 / size)
        write(
            tmp_path / file,
            distinct(1, side, side) + 100 * number,
            crs=UTM,
            transform=Affine(size, 0, ORIGIN[0], 0, -size, ORIGIN[1]),
        )
        assets[key] = {"href": file, "type": "image/tiff; application=geotiff", "roles": ["data"]}
    properties = {
        "datetime": "2022-06-01T23:59:59.999999999Z",
        "platform": "sentinel-2a",
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": "05.09",
        **properties,
    }
    return {"type": "Feature", "stac_version": "1.0.0", "id": "made", "properties": properties, "assets": assets}


def kept(item: Item, tmp_path: Path) -> Product:
    (tmp_path / "item.json").write_text(json.dumps(item))
    return opened(tmp_path / "item.json")


TWO = {"red": ("B04.tif", 10.0), "B8A": ("x_B8A_20m.tif", 20.0)}


@pytest.mark.parametrize(
    ("baseline", "removed", "stated", "offset"),
    [
        ("02.14", None, None, 0.0),
        ("02.14", False, 0.0, 0.0),
        ("03.01", None, None, 0.0),
        ("04.00", None, None, -0.1),
        ("05.11", None, -0.1, -0.1),
        ("05.11", True, -0.1, 0.0),  # earth-search v1: raster:bands say -0.1 of pixels that have lost the 1000
        ("05.11", True, None, 0.0),
        ("05.11", False, -0.1, -0.1),
        ("05.11", False, None, -0.1),
        ("05.11", None, 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_the_offset_of_sentinel2(tmp_path, baseline, removed, stated, offset, version):
    item = made(tmp_path, TWO, **{"s2:processing_baseline": baseline})
    item["stac_version"] = version
    if removed is not None:
        item["properties"]["earthsearch:boa_offset_applied"] = removed
    if stated is not None:
        for asset in item["assets"].values():
            if version == "1.0.0":
                asset["raster:bands"] = [{"scale": 1e-4, "offset": stated}]
            else:
                asset["bands"] = [{"raster:scale": 1e-4, "raster:offset": stated}]
    product = kept(item, tmp_path)
    assert [(band.name, band.scale, band.offset) for band in product.bands] == [
        ("B04", 1e-4, offset),
        ("B8A", 1e-4, offset),
    ]
    # where catalogues are known to be wrong, the user hears of it
    assert bool(product.warnings) == (baseline >= "04" and (removed is False or (stated == 0 and removed is None)))
    assert any(baseline in fact or "removed" in fact for fact in product.facts)


def test_no_baseline_told(tmp_path):
    product = kept(made(tmp_path, TWO, **{"s2:processing_baseline": None}), tmp_path)
    assert {(band.scale, band.offset) for band in product.bands} == {(None, None)}
    assert any("baseline" in warning for warning in product.warnings)


def test_offsets_that_cannot_be(tmp_path):
    item = made(tmp_path, TWO, **{"s2:processing_baseline": "02.14"})
    item["assets"]["red"]["raster:bands"] = [{"scale": 1e-4, "offset": -0.1}]
    refused(item, tmp_path, "offset -0.1 and baseline 02.14")
    item = made(tmp_path, TWO, **{"earthsearch:boa_offset_applied": False})
    item["assets"]["red"]["raster:bands"] = [{"scale": 1e-4, "offset": 0}]
    refused(item, tmp_path, "although the pixels still have their offset")


def test_a_copy_in_floats_tells_by_its_values(tmp_path):
    item = made(tmp_path, TWO)
    for file in ("B04.tif", "x_B8A_20m.tif"):
        with rasterio.open(tmp_path / file) as dataset:
            values, how = dataset.read(), {"crs": dataset.crs, "transform": dataset.transform}
        write(tmp_path / file, (values * 1e-4).astype("float32"), **how)
    assert {(band.scale, band.offset) for band in kept(item, tmp_path).bands} == {(None, None)}
    item["assets"]["red"]["raster:bands"] = [{"data_type": "uint16", "scale": 1e-4, "offset": -0.1}]
    refused(item, tmp_path, "float32 in the file and uint16 in the item")


def test_several_bands_in_one_file(tmp_path):
    write(tmp_path / "naip.tif", distinct(4, 20, 20), crs="EPSG:26917")
    names = ["Red", "Green", "Blue", "NIR"]
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "made",
        "properties": {"start_datetime": "2020-07-01T01:00:00+02:00", "datetime": None},
        "assets": {
            "image": {
                "href": "naip.tif",
                "type": "image/tiff",
                "roles": ["data"],
                "eo:bands": [{"name": name, "center_wavelength": 0.5} for name in names],
                "raster:bands": [{"scale": 0.004}] * 4,
            }
        },
    }
    product = kept(item, tmp_path)
    assert [(band.name, band.index, band.scale, band.offset) for band in product.bands] == [
        (name, index, 0.004, 0.0) for index, name in enumerate(names, 1)
    ]
    assert product.bands[0].wavelength == 500
    assert product.day == day("2020-06-30")  # in UTC
    asset = item["assets"]["image"]
    refused(item | {"assets": {"image": asset | {"raster:bands": [{}]}}}, tmp_path, "4 bands but 1 raster:bands")
    refused(
        item | {"assets": {"image": asset | {"eo:bands": asset["eo:bands"][:3], "raster:bands": []}}},
        tmp_path,
        "4 bands in the file; expected 3",
    )


def test_names_that_only_count_are_no_names(tmp_path):
    """rio-stac writes b1, b2, ... and scale 1 for any file."""
    write(tmp_path / "stack.tif", distinct(2, 20, 20), names=["B08", "B11"])
    item = made(tmp_path, {})
    item["assets"]["stack"] = {
        "href": "stack.tif",
        "type": "image/tiff",
        "roles": ["data"],
        "eo:bands": [{"name": "b1", "description": "gray"}, {"name": "b2"}],
        "raster:bands": [{"scale": 1.0, "offset": 0.0}] * 2,
    }
    del item["assets"]["stack"]["eo:bands"][0]["description"]
    product = kept(item, tmp_path)
    assert [band.name for band in product.bands] == ["B08", "B11"]


def test_harmonized_landsat_and_sentinel(tmp_path):
    for letter, platform in (("S", "sentinel-2a"), ("L", "landsat-8")):
        item = made(tmp_path, {"B05": ("B05.tif", 30.0), "Fmask": ("Fmask.tif", 30.0)}, platform=platform)
        item |= {"collection": f"HLS{letter}30_2.0", "id": f"HLS.{letter}30.T35UNQ.2022078T092029.v2.0"}
        item["properties"] = {"datetime": "2022-03-19T09:20:29Z", "platform": platform}
        product = kept(item, tmp_path)
        assert product.sensor == f"hls-{letter.lower()}30"
        assert [band.name for band in product.bands] == ["B05"]
        assert product.clouds is not None
        assert product.clouds.cloudy == ((2, 2), (4, 4), (8, 8))


def test_what_is_not_there(tmp_path):
    item = made(tmp_path, TWO)
    item["assets"]["B02"] = {"href": "https://example.org/B02.tif", "type": "image/tiff"}
    item["assets"]["B03"] = {"href": "lost/B03.tif", "type": "image/tiff"}
    assert kept(item, tmp_path).missing == (("B02", "https://example.org/B02.tif"), ("B03", "lost/B03.tif"))
    only = {key: item["assets"][key] for key in ("B02", "B03")}
    refused(item | {"assets": {"B02": only["B02"]}}, tmp_path, "all of them remote .*https://example.org.*Download")
    refused(item | {"assets": {"B03": only["B03"]}}, tmp_path, "none of the 1 files that it lists .*lost/B03.tif")
    refused(item | {"assets": {"B05": {"href": "s3://b/lost/B05.tif"}}}, tmp_path, "s3://b/lost.*Download")
    refused(item | {"assets": {}}, tmp_path, "no asset with bands")


def test_a_file_that_is_another(tmp_path):
    item = made(tmp_path, TWO, **{"proj:epsg": 32634})
    refused(item, tmp_path, "EPSG:32633 in the file and EPSG:32634 in the item")
    here = {"proj:code": UTM, "proj:shape": [24, 24], "proj:transform": [10, 0, 500000, 0, -10, 5300000]}
    item = made(tmp_path, {"red": TWO["red"]}, **here)
    assert kept(item, tmp_path).warnings == ()
    item["properties"]["proj:shape"] = [10980, 10980]
    assert "cropped or resampled" in kept(item, tmp_path).warnings[0]
    item["properties"]["proj:transform"] = [10, 0, 700000, 0, -10, 5300000]
    refused(item, tmp_path, "which the item places at")
    item["properties"]["proj:transform"] = [10, 0, 700000]
    refused(item, tmp_path, "six or nine numbers")
    item["properties"]["proj:transform"] = [0, 0, 700000, 0, 0, 1]
    refused(item, tmp_path, "six or nine numbers")


def test_what_contradicts_itself(tmp_path):
    item = made(tmp_path, {"B04": ("B04.tif", 10.0), "red": ("T_B04.tif", 10.0)})
    refused(item, tmp_path, "B04 in the assets B04, red with the same pixel size")
    item["assets"]["red"]["raster:bands"] = [{"scale": 2e-4, "offset": -0.1}]
    refused(item, tmp_path, "several scales or offsets")
    item["assets"]["red"]["href"] = "B04.tif"  # one file twice is one file
    del item["assets"]["red"]["raster:bands"]
    assert len(kept(item, tmp_path).bands) == 1

    item = made(tmp_path, TWO)
    item["assets"]["red"]["eo:bands"] = [{"name": "B03", "common_name": "green"}]
    refused(item, tmp_path, "found B3 and B4 in its bands")
    item = made(tmp_path, TWO, **{"processing:level": "L1C"})
    refused(item, tmp_path, "two processing levels .*2A in s2:product_type, 1C in processing:level")
    refused(made(tmp_path, {**TWO, "cirrus": ("B10.tif", 60.0)}), tmp_path, "B10 in an item of Level-2A")

    item = made(tmp_path, TWO)
    write(tmp_path / "B04.tif", distinct(1, 24, 24), nodata=65535, scales=[2e-4], offsets=[0.0])
    refused(item, tmp_path, "scale 0.0002 in the file and 0.0001 in the item")
    write(tmp_path / "B04.tif", distinct(1, 24, 24), nodata=65535)
    item["assets"]["red"]["raster:bands"] = [{"nodata": 0}]
    refused(item, tmp_path, "nodata 65535 in the file and 0 in the item")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"type": "Collection", "stac_version": "1.0.0"}', "a STAC collection"),
        ('{"type": "Catalog", "stac_version": "1.0.0"}', "a STAC catalogue"),
        ('{"type": "FeatureCollection", "features": []}', "a collection of items"),
        ('{"type": "Feature", "properties": {}}', "without stac_version"),
        ("[1, 2]", "other JSON"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"type": "Feature", "stac_version": "1.0.0", "properties": []}', "for properties"),
        ('{"type": "Feature", "stac_version": "1.0.0", "assets": {"B02": 3}}', "for asset B02"),
        ('{"type": "Feature", "stac_version": "1.0.0", "assets": {"B02": {}}}', "the href of asset B02"),
        (
            '{"type": "Feature", "stac_version": "1.0.0", "assets": {"B02": {"href": "a.tif", "eo:bands": 1}}}',
            "for eo:bands; expected a list",
        ),
        (
            '{"type": "Feature", "stac_version": "0.7.0", "assets": {"x": {"href": "a.tif", "eo:bands": [7]}}}',
            "expected indices below 0",
        ),
        (
            '{"type": "Feature", "stac_version": "1.0.0",'
            ' "assets": {"B02": {"href": "a.tif", "raster:bands": [{"scale": "big"}]}}}',
            "'big' for scale",
        ),
        (
            '{"type": "Feature", "stac_version": "1.0.0",'
            ' "assets": {"B02": {"href": "a.tif", "raster:bands": [{"scale": 0}]}}}',
            "scale 0",
        ),
        (
            '{"type": "Feature", "stac_version": "1.0.0",'
            ' "assets": {"B02": {"href": "a.tif", "raster:bands": [{"unit": "W/m^2/sr/um"}]}}}',
            "expected reflectance",
        ),
        ('{"type": "Feature", "stac_version": "1.0.0", "properties": {"datetime": "summer"}}', "for a date"),
        (
            '{"type": "Feature", "stac_version": "1.0.0", "assets": {"B2": {"href": "http://[::1/b.tif"}}}',
            "the href of B2",
        ),
    ],
)
def test_no_item(tmp_path, text, says):
    refused(text, tmp_path, says)


def test_other_files_are_left_to_others(tmp_path):
    (tmp_path / "scene.tif").touch()
    assert read(str(tmp_path / "scene.tif"), None) is None
    assert read(str(tmp_path / "missing.json"), None) is None


def test_an_item_that_names_itself(tmp_path):
    item = made(tmp_path, {})
    item["assets"]["B02"] = {"href": "item.json", "type": "image/tiff"}
    refused(item, tmp_path, "no asset with bands")


def test_read_item_opens_nothing():
    text = json.dumps(
        {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": "S2B_MSIL2A_20230101T000000_N0509_R000_T00AAA_20230101T000000",
            "properties": {"datetime": "2023-01-01T00:00:00Z", "constellation": "Sentinel-2"},
            "assets": {
                "B02_10m": {
                    "href": "http://nowhere/B02.jp2",
                    "type": "image/jp2",
                    "bands": [{"name": "B02", "eo:center_wavelength": 0.4927, "eo:full_width_half_max": 0.0643}],
                }
            },
        }
    )
    item = read_item(text, "item.json")
    (band,) = item.assets[0].bands
    assert (item.sensor, band.name, band.scale, band.offset) == ("s2-l2a", "B02", 1e-4, -0.1)
    assert (band.wavelength, band.fwhm) == pytest.approx((492.7, 64.3))


@pytest.mark.parametrize(
    ("name", "scale", "offset", "keys"),
    [
        (L2A_0509, 1e-4, -0.1, {"B2": "blue", "B3": "green", "B4": "red", "B8": "nir"}),
        (OLI, 2.75e-5, -0.2, {"B1": "coastal", "B5": "nir08", "B7": "swir22"}),
    ],
)
def test_through_open_raster(tmp_path, name, scale, offset, keys):
    path, pixels = with_pixels(load(name), tmp_path / "scene")
    with open_raster(path) as raster:
        read_all = raster.read()
    assert raster.sensor.name == {L2A_0509: "s2-l2a", OLI: "landsat8-c2l2"}[name]
    found = read_all.reflectance()
    names = [band.name for band in read_all.bands]
    for band, key in keys.items():
        expected = (pixels[key][0] * scale + offset).astype(np.float32)
        np.testing.assert_array_equal(found[0, names.index(band)], expected)


def test_only_some_files_through_open_raster(tmp_path):
    item = made(tmp_path, TWO)
    item["assets"]["B02"] = {"href": "https://example.org/B02.tif", "type": "image/tiff"}
    (tmp_path / "item.json").write_text(json.dumps(item))
    with pytest.raises(RasterError, match="B02"):
        open_raster(tmp_path / "item.json")
    with open_raster(tmp_path / "item.json", bands="B04") as raster:
        assert [band.name for band in raster.bands] == ["B4"]
