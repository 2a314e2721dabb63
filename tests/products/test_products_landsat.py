"""Landsat products: real metadata and pixels, made ones where these are missing, and broken ones."""

import json
import math
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import distinct, write
from real_rasters import IMAGES, real

from spectralgpt.days import day_of, iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.formats import espa, landsat
from spectralgpt.products.formats.landsat.mtl import RESCALING, Mtl, family_of, read_mtl
from spectralgpt.products.formats.landsat.units import ESUN, reflectance, sun_distance
from spectralgpt.products.product import Product
from spectralgpt.raster.clouds import CloudLayer

SCENE = "LC09_L1TP_195025_20230707_20230708_02_T1"

BANDS = {8: {1, 2, 3, 4, 5, 6, 7, 8, 9}, 7: {1, 2, 3, 4, 5, 7, 8}, 5: {1, 2, 3, 4, 5, 7}}

FIXTURES = IMAGES / "metadata_fixtures"


def groups(**changes: str | None) -> dict[str, dict[str, str]]:
    """A small Level-1 MTL of Landsat 9, two bands and one thermal; a key that is None is left out."""
    made = {
        "PRODUCT_CONTENTS": {
            "LANDSAT_PRODUCT_ID": SCENE,
            "PROCESSING_LEVEL": "L1TP",
            "COLLECTION_NUMBER": "02",
            "FILE_NAME_BAND_4": f"{SCENE}_B4.TIF",
            "FILE_NAME_BAND_5": f"{SCENE}_B5.TIF",
            "FILE_NAME_BAND_10": f"{SCENE}_B10.TIF",
            "FILE_NAME_QUALITY_L1_PIXEL": f"{SCENE}_QA_PIXEL.TIF",
        },
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": "LANDSAT_9",
            "SENSOR_ID": "OLI_TIRS",
            "DATE_ACQUIRED": "2023-07-07",
            "SUN_ELEVATION": "30.0",
        },
        "LEVEL1_RADIOMETRIC_RESCALING": {
            "REFLECTANCE_MULT_BAND_4": "2.0000E-05",
            "REFLECTANCE_MULT_BAND_5": "3.0000E-05",
            "REFLECTANCE_ADD_BAND_4": "-0.100000",
            "REFLECTANCE_ADD_BAND_5": "-0.200000",
        },
    }
    for values in made.values():
        for key in values.keys() & changes.keys():
            value = changes[key]
            values |= {key: value} if value is not None else {}
            if value is None:
                del values[key]
    return made


def as_odl(made: dict[str, dict[str, str]], root: str = "LANDSAT_METADATA_FILE") -> str:
    lines = [f"GROUP = {root}"]
    for group, values in made.items():
        lines += [f"  GROUP = {group}", *(f'    {key} = "{value}"' for key, value in values.items())]
        lines.append(f"  END_GROUP = {group}")
    return "\n".join([*lines, f"END_GROUP = {root}", "END", ""])


def as_xml(made: dict[str, dict[str, str]]) -> str:
    inside = "".join(
        f"<{group}>{''.join(f'<{key}>{value}</{key}>' for key, value in values.items())}</{group}>"
        for group, values in made.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<LANDSAT_METADATA_FILE>{inside}</LANDSAT_METADATA_FILE>'


def as_json(made: dict[str, dict[str, str]]) -> str:
    return json.dumps({"LANDSAT_METADATA_FILE": made})


def product(folder: Path, text: str | None = None, **changes: str | None) -> Path:
    """A folder with the bands, the thermal one and the quality layer of `groups`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{SCENE}_MTL.txt").write_text(as_odl(groups(**changes)) if text is None else text)
    for index, name in enumerate(("B4", "B5", "B10", "QA_PIXEL")):
        write(folder / f"{SCENE}_{name}.TIF", distinct(4, 6, 5)[index : index + 1])
    return folder


def found(path: Path) -> Product:
    read = landsat.read(str(path), None)
    assert read is not None
    return read


def stored(path: str, index: int = 1) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(index)


def to_reflectance(product: Product) -> dict[str, np.ndarray]:
    return {
        band.name: (stored(band.path, band.index) * np.float64(band.scale) + band.offset).astype(np.float32)
        for band in product.bands
    }


def is_cloudy(clouds: CloudLayer, value: int) -> bool:
    return any(value & mask == wanted for mask, wanted in clouds.cloudy)


def in_text(text: str, key: str) -> float:
    """The number of a key, read independently."""
    return float(re.search(rf"\b{key} = (\S+)", text)[1])


@pytest.mark.parametrize(("folder", "satellite"), [("LC08_L1TP_195025_20130707", 8), ("LE07_L1TP_195025_20010730", 7)])
def test_whole_real_products_have_the_reflectance_that_their_metadata_imply(folder, satellite):
    path = FIXTURES / "landsat_c1_l1tp" / folder
    text = next(path.glob("*_MTL.txt")).read_text()
    read = found(path)
    assert read.sensor == f"landsat{satellite}-l1"
    assert iso_date(read.day).replace("-", "") == folder[-8:]
    assert {band.name for band in read.bands} == {f"B{number}" for number in BANDS[satellite]}
    assert read.missing == read.warnings == ()
    assert any("thermal" in fact for fact in read.facts)
    sine = np.sin(np.radians(in_text(text, "SUN_ELEVATION")))
    for name, values in to_reflectance(read).items():
        numbers = stored(str(next(path.glob(f"*_{name}.TIF")))).astype(np.float64)
        mult, add = (in_text(text, f"REFLECTANCE_{each}_BAND_{name[1:]}") for each in ("MULT", "ADD"))
        np.testing.assert_array_max_ulp(values, ((mult * numbers + add) / sine).astype(np.float32), maxulp=1)
    pan = next(band for band in read.bands if band.name == "B8")
    assert pan.grid.transform.a == 15
    assert all(band.grid.transform.a == 30 for band in read.bands if band is not pan)
    assert not is_cloudy(read.clouds, int(stored(read.clouds.path).max())), "both cuts are clear"
    assert dict(read.tags)["LANDSAT_PRODUCT_ID"].startswith(folder)
    by_file = found(next(path.glob("*_MTL.txt")))
    assert by_file.bands == read.bands


def test_three_syntaxes_of_real_metadata_say_the_same():
    several = 0
    for path in sorted((FIXTURES / "landsat_c2").rglob("*_MTL.xml")):
        first = read_mtl(path.read_text(), str(path))
        for suffix in (".txt", ".json"):
            other = path.with_suffix(suffix)
            if other.exists():
                several += 1
                assert read_mtl(other.read_text(), str(other)).groups == first.groups
    assert several == 6


def test_real_level_2_metadata():
    for path in (FIXTURES / "landsat_c2").rglob("*_L2S*_MTL.*"):
        mtl = read_mtl(path.read_text(), path.name)
        assert mtl.family == f"landsat{path.name[3]}"
        assert mtl.level == "c2l2"
        assert iso_date(mtl.day).replace("-", "") == path.name.split("_")[3]
        numbers = {number for number, _ in mtl.files()} - set(landsat.THERMAL[mtl.family])
        assert numbers == BANDS[int(path.name[3])] - {8, 9}
        # the same keys with other numbers stand in the group of Level 1
        assert {reflectance(mtl, number) for number in numbers} == {(2.75e-5, -0.2)}


def test_multispectral_scanners_are_refused():
    for path in (FIXTURES / "landsat_c2" / "mss").glob("*_MTL.xml"):
        with pytest.raises(RasterError, match=r"found LANDSAT_\d MSS; expected TM of Landsat 4 or 5"):
            _ = read_mtl(path.read_text(), str(path)).family


def split(source: Path, folder: Path, names: dict[str, str]) -> None:
    """Each band of an image in a separate file, named by the first word of its description."""
    folder.mkdir(exist_ok=True)
    with rasterio.open(source) as dataset:
        for index, description in enumerate(dataset.descriptions, 1):
            how = {"crs": dataset.crs, "transform": dataset.transform, "nodata": dataset.nodata}
            name = names.get(description.split()[0])
            if name:
                write(folder / name, dataset.read([index]), **how)


def test_a_real_level_2_product_put_together_again(tmp_path):
    scene = "LC08_L2SP_008059_20191201_20200825_02_T1"
    pixels = real("landsat_more/c2l2_decimated")
    for suffix in ("txt", "xml", "json"):
        shutil.copy(FIXTURES / "landsat_c2" / "assets3" / f"{scene}_MTL.{suffix}", tmp_path)
    names = {name: f"{scene}_{name}.TIF" for name in (*(f"SR_B{n}" for n in range(1, 8)), "ST_B10")}
    split(pixels / f"{scene}_crop256.tif", tmp_path, names)
    split(pixels / f"{scene}_crop256_QA_PIXEL.tif", tmp_path, {"QA_PIXEL": f"{scene}_QA_PIXEL.TIF"})
    read = found(tmp_path)
    assert read.sensor == "landsat8-c2l2"
    assert [band.name for band in read.bands] == [f"B{number}" for number in range(1, 8)]
    assert iso_date(read.day) == "2019-12-01"
    assert read.missing == ()
    assert {band.nodata for band in read.bands} == {0}
    for index, values in enumerate(to_reflectance(read).values(), 1):
        expected = (stored(str(pixels / f"{scene}_crop256.tif"), index) * 0.0000275 - 0.2).astype(np.float32)
        np.testing.assert_array_max_ulp(values, expected, maxulp=1)
    quality = stored(read.clouds.path)
    cloudy = np.isin(quality, [v for v in np.unique(quality) if is_cloudy(read.clouds, int(v))]).mean()
    assert cloudy > 0.5, "its README: mostly cloud"


def test_real_numbers_become_the_reflectance_that_others_made_of_them(tmp_path):
    pixels = real("landsat_more/mendoza_oli8")
    scene = "LC82320832016040LGN00"
    shutil.copy(FIXTURES / "landsat_precollection" / f"{scene}_MTL.txt", tmp_path)
    split(pixels / "mendoza_oli8_DN_2016-02-09.tif", tmp_path, {f"B{n}": f"{scene}_B{n}.TIF" for n in range(1, 12)})
    read = found(tmp_path)
    assert read.sensor == "landsat8-l1"
    assert {name for name, _ in read.missing} == {"B8", "qa"}
    made = to_reflectance(read)
    with rasterio.open(pixels / "mendoza_oli8_TOA_2016-02-09.tif") as dataset:
        for index, description in enumerate(dataset.descriptions, 1):
            name = description.split()[0]
            if name in made:
                others = dataset.read(index) / 1e4
                assert np.abs(made[name].astype(float) - others).max() < 5.01e-5, "theirs is rounded to 1e-4"
    assert len(made) == 8


@pytest.mark.parametrize(("kinds", "sensor"), [(("SR", "TOA"), "landsat8-c1sr"), (("TOA",), "landsat8-toa")])
def test_real_reflectance_of_espa(tmp_path, kinds, sensor):
    pixels, scene = real("landsat_more/mendoza_oli8"), "LC82320832016040LGN00"
    shutil.copy(FIXTURES / "landsat_precollection" / f"{scene}.xml", tmp_path)
    shutil.copy(FIXTURES / "landsat_precollection" / f"{scene}_MTL.txt", tmp_path)
    for kind in kinds:
        names = {f"B{n}": f"{scene}_{kind.lower()}_band{n}.tif" for n in range(1, 12)}
        split(pixels / f"mendoza_oli8_{kind}_2016-02-09.tif", tmp_path, names)
    write(tmp_path / f"{scene}_cfmask.tif", distinct(1, 3, 3, "uint8"))
    read = espa.read(str(tmp_path), None)
    assert read.sensor == sensor
    assert iso_date(read.day) == "2016-02-09"
    assert {(band.scale, band.offset, band.nodata) for band in read.bands} == {(1e-4, 0.0, -9999.0)}
    assert [band.name for band in read.bands] == [
        f"B{n}" for n in (range(1, 8) if "SR" in kinds else (*range(1, 8), 9))
    ]
    assert [is_cloudy(read.clouds, value) for value in range(5)] == [False, False, True, False, True]
    assert len(read.warnings) == len(kinds) - 1
    assert any("thermal" in fact for fact in read.facts)
    values = to_reflectance(read)["B4"]
    expected = stored(str(pixels / f"mendoza_oli8_{kinds[0]}_2016-02-09.tif"), 4) * 1e-4
    np.testing.assert_array_max_ulp(values, expected.astype(np.float32), maxulp=1)


def test_espa_without_metadata_is_known_by_the_scenes_name(tmp_path):
    for number in (3, 4, 6):
        write(tmp_path / f"LT05_L1TP_195025_20010730_20161205_01_T1_sr_band{number}.tif", distinct(1, 4, 4, "int16"))
    write(tmp_path / "LT05_L1TP_195025_20010730_20161205_01_T1_pixel_qa.tif", distinct(1, 4, 4))
    read = espa.read(str(tmp_path), None)
    assert (read.sensor, iso_date(read.day)) == ("landsat5-c1sr", "2001-07-30")
    assert [(band.name, band.scale, band.nodata) for band in read.bands] == [("B3", 1e-4, -9999), ("B4", 1e-4, -9999)]
    # clear, shadow, cloud, cirrus of high confidence
    assert [is_cloudy(read.clouds, value) for value in (322, 328, 352, 834)] == [False, True, True, True]


@pytest.mark.parametrize(
    ("files", "text", "says"),
    [
        (("a_sr_band2.tif",), None, "without the scene's XML or MTL file"),
        (("a_sr_band2.tif", "b_sr_band3.tif"), None, "without the scene's XML or MTL file"),
        (("LT05_x_sr_band2.tif",), "<espa_metadata/>", "found  ; expected TM"),
        (("LT05_x_sr_band2.tif",), "<espa_metadata>", "is not valid XML"),
        (("LT05_x_sr_band2.tif",), "LANDSAT_8 OLI_TIRS", "landsat5 in the files' names and landsat8 in LT05_x.xml"),
        (("LC08_x_sr_band2.tif",), "LANDSAT_8 OLI_TIRS nan", "found 'nan' for scale_factor"),
        (("LC08_x_sr_band2.tif",), "LANDSAT_8 OLI_TIRS 0", "the scale 0"),
        (("LC08_x_toa_band10.tif",), None, "only thermal bands"),
    ],
)
def test_broken_espa(tmp_path, files, text, says):
    for file in files:
        write(tmp_path / file, distinct(1, 4, 4, "int16"))
    if text and not text.startswith("<"):
        satellite, instrument, scale = (*text.split(), "0.0001")[:3]
        text = (
            f'<e:espa_metadata xmlns:e="http://espa.cr.usgs.gov/v1"><e:global_metadata><e:satellite>{satellite}'
            f"</e:satellite><e:instrument>{instrument}</e:instrument></e:global_metadata><e:bands><e:band "
            f'name="sr_band2" scale_factor="{scale}"/></e:bands></e:espa_metadata>'
        )
    if text:
        (tmp_path / f"{files[0][:6]}.xml").write_text(text)
    with pytest.raises(RasterError, match=says):
        espa.read(str(tmp_path), None)


def test_numbers_of_before_the_reflectance_coefficients(tmp_path):
    text = (FIXTURES / "landsat_precollection" / "L7.MTL.txt").read_text()
    assert "REFLECTANCE" not in text
    (tmp_path / "L7.MTL.txt").write_text(text)
    for band in ("B1", "B3", "B6_VCID_1", "B8"):
        write(tmp_path / f"LE72330852013046EDC00_{band}.TIF", distinct(1, 5, 5, "uint8"))
    read = found(tmp_path)
    assert (read.sensor, iso_date(read.day)) == ("landsat7-l1", "2013-02-15")
    assert [band.name for band in read.bands] == ["B1", "B3", "B8"]
    assert {band.nodata for band in read.bands} == {0}
    assert "radiance" in read.facts[0]
    # by hand: pi d2 (gain DN + bias) / (ESUN sin), USGS's distance of 2013-02-15 and irradiances
    distance, sine = 0.98791, math.sin(math.radians(48.98186208))
    for band, gain, bias, esun in ((read.bands[0], 1.181, -7.38071, 1970), (read.bands[1], 0.943, -5.94252, 1547)):
        for number in (10, 200):
            by_hand = math.pi * distance**2 * (gain * number + bias) / (esun * sine)
            assert number * band.scale + band.offset == pytest.approx(by_hand, rel=1e-3)
    mtl = read_mtl(text, "L7.MTL.txt")
    limits = {name: values for name, values in mtl.groups.items() if name != "RADIOMETRIC_RESCALING"}
    assert reflectance(Mtl("", limits), 3) == pytest.approx(reflectance(mtl, 3), rel=1e-3)


def test_metadata_of_before_2012():
    old = {
        "PRODUCT_METADATA": {
            "PRODUCT_TYPE": "L1T",
            "SPACECRAFT_ID": "Landsat5",
            "SENSOR_ID": "TM",
            "ACQUISITION_DATE": "2006-07-25",
            "BAND3_FILE_NAME": "L5198024_02420060725_B30.TIF",
            "BAND6_FILE_NAME": "L5198024_02420060725_B60.TIF",
        },
        "MIN_MAX_RADIANCE": {"LMAX_BAND3": "264.000", "LMIN_BAND3": "-1.170"},
        "MIN_MAX_PIXEL_VALUE": {"QCALMAX_BAND3": "255.0", "QCALMIN_BAND3": "1.0"},
        "PRODUCT_PARAMETERS": {"SUN_AZIMUTH": "147.2", "SUN_ELEVATION": "54.5"},
    }
    mtl = read_mtl(as_odl(old, "L1_METADATA_FILE"), "L5198024_02420060725_MTL.txt")
    assert (mtl.family, mtl.level, mtl.day) == ("landsat5", "l1", day_of("2006-07-25", ""))
    assert mtl.files() == ((3, "L5198024_02420060725_B30.TIF"), (6, "L5198024_02420060725_B60.TIF"))
    scale, offset = reflectance(mtl, 3)
    bright = math.pi * 1.0156**2 * 264.0 / (1551 * math.sin(math.radians(54.5)))
    assert 255 * scale + offset == pytest.approx(bright, rel=1e-3)
    assert (255 * scale + offset) / (scale + offset) == pytest.approx(264.0 / -1.170)


def test_irradiance_and_distance_agree_with_real_coefficients():
    compared = set()
    for path in FIXTURES.rglob("*MTL.*"):
        mtl = read_mtl(path.read_text(), str(path))
        stated = mtl.number("EARTH_SUN_DISTANCE")
        if stated is None or mtl.get("SENSOR_ID") == "MSS":
            continue
        without = {g: {k: v for k, v in kv.items() if k != "EARTH_SUN_DISTANCE"} for g, kv in mtl.groups.items()}
        assert sun_distance(Mtl("", without)) == pytest.approx(stated, abs=1.5e-4)
        for number, irradiance in ESUN.get(mtl.satellite, {}).items():
            radiance, unit = (mtl.number(f"{w}_MULT_BAND_{number}", RESCALING) for w in ("RADIANCE", "REFLECTANCE"))
            if radiance and unit:
                compared.add((mtl.satellite, number))
                # the collections' reflectance is calibrated to OLI's, some per cent off the solar spectrum's
                assert math.pi * stated**2 * radiance / unit == pytest.approx(irradiance, rel=0.06), (path.name, number)
    assert len(compared) >= 12


@pytest.mark.parametrize(
    ("collection", "spacecraft", "instrument", "clear", "cloudy"),
    [
        ("02", "LANDSAT_8", "OLI_TIRS", (21824, 21952, 30048), (22280, 23888, 54596, 21826)),
        ("02", "LANDSAT_5", "TM", (5440,), (5896, 7440)),
        ("01", "LANDSAT_8", "OLI_TIRS", (2720, 2724), (2800, 2976, 6816)),
        ("01", "LANDSAT_7", "ETM", (672, 0b11 << 11), (752, 928)),
        (None, "LANDSAT_8", "OLI_TIRS", (20480,), (53248, 28672)),
    ],
)
def test_what_the_quality_layers_call_cloudy(tmp_path, collection, spacecraft, instrument, clear, cloudy):
    folder = product(tmp_path / "product", COLLECTION_NUMBER=collection)
    family = family_of(spacecraft, instrument, "")
    changed = groups(COLLECTION_NUMBER=collection, SPACECRAFT_ID=spacecraft, SENSOR_ID=instrument)
    pairs = landsat._cloudy(read_mtl(as_odl(changed), ""))
    layer = CloudLayer("qa", "", 1, found(folder).bands[0].grid, pairs)
    assert family.startswith("landsat")
    assert [value for value in clear if is_cloudy(layer, value)] == []
    assert [value for value in cloudy if not is_cloudy(layer, value)] == []
    if family == "landsat8":
        assert found(folder).clouds.cloudy == pairs


@pytest.mark.parametrize("syntax", [as_odl, as_xml, as_json])
def test_a_made_product(tmp_path, syntax):
    folder = product(tmp_path / "Öl und Wasser", syntax(groups()))
    suffix = {as_odl: "txt", as_xml: "xml", as_json: "json"}[syntax]
    (folder / f"{SCENE}_MTL.txt").rename(folder / f"{SCENE}_MTL.{suffix}")
    read = found(Path(f"{folder}/"))
    assert (read.sensor, iso_date(read.day), read.missing, read.warnings) == ("landsat8-l1", "2023-07-07", (), ())
    assert [band.name for band in read.bands] == ["B4", "B5"]
    # the sun at 30 degrees: its sine is a half
    assert [(band.scale, band.offset) for band in read.bands] == [
        pytest.approx((4e-5, -0.2)),
        pytest.approx((6e-5, -0.4)),
    ]
    assert Path(read.clouds.path).name == f"{SCENE}_QA_PIXEL.TIF"
    assert f"from {SCENE}_MTL.{suffix}" in read.facts[0]
    assert all(Path(band.path).is_absolute() for band in read.bands)


def test_an_opened_product_is_reflectance_on_its_own_grid(tmp_path):
    with open_raster(product(tmp_path / "product")) as raster:
        pixels = raster.read()
    assert (raster.sensor.name, [band.name for band in raster.bands]) == ("landsat8-l1", ["B4", "B5"])
    assert np.allclose(pixels.scale, (4e-5, 6e-5))
    assert np.allclose(pixels.offset, (-0.2, -0.4))
    assert np.array_equal(pixels.values[0], distinct(4, 6, 5)[:2])


def test_a_tar_of_a_product_is_the_product(tmp_path):
    folder = product(tmp_path / "product")
    for inside in ("", SCENE):
        with tarfile.open(tmp_path / f"{len(inside)}.tar", "w") as tape:
            for file in sorted(folder.iterdir()):
                tape.add(file, f"{inside}/{file.name}" if inside else file.name)
        packed, plain = found(tmp_path / f"{len(inside)}.tar"), found(folder)
        assert (packed.sensor, packed.day, packed.tags) == (plain.sensor, plain.day, plain.tags)
        for name, values in to_reflectance(packed).items():
            np.testing.assert_array_equal(values, to_reflectance(plain)[name])
        assert np.array_equal(stored(packed.clouds.path), stored(plain.clouds.path))


def test_missing_files_are_told_apart_from_a_bare_skeleton(tmp_path):
    folder = product(tmp_path / "product")
    (folder / f"{SCENE}_B5.TIF").unlink()
    (folder / f"{SCENE}_QA_PIXEL.TIF").unlink()
    read = found(folder)
    assert [band.name for band in read.bands] == ["B4"]
    assert read.missing == (("B5", f"{SCENE}_B5.TIF"), ("qa", f"{SCENE}_QA_PIXEL.TIF"))
    assert read.clouds is None
    (folder / f"{SCENE}_B4.TIF").unlink()
    with pytest.raises(RasterError, match=r"found the metadata of 2 bands in \S+_MTL.txt but none of their files"):
        landsat.read(str(folder), None)


def test_what_is_no_landsat_product(tmp_path):
    write(tmp_path / f"{SCENE}_B4.TIF", distinct(1, 4, 4))
    assert landsat.read(str(tmp_path), None) is None
    assert landsat.read(str(tmp_path / f"{SCENE}_B4.TIF"), None) is None
    assert espa.read(str(tmp_path), None) is None
    assert landsat.read(str(tmp_path / "nowhere"), None) is None


def test_names_in_another_case_are_found(tmp_path):
    folder = product(tmp_path / "product")
    for file in list(folder.glob("*.TIF")):
        file.rename(file.with_suffix(".tif"))
    assert len(found(folder).bands) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"REFLECTANCE_MULT_BAND_4": None}, "no coefficients for the reflectance of band 4"),
        ({"REFLECTANCE_ADD_BAND_5": None}, "no coefficients for the reflectance of band 5"),
        ({"REFLECTANCE_MULT_BAND_4": "nan"}, "found 'nan' for REFLECTANCE_MULT_BAND_4; expected a number"),
        ({"REFLECTANCE_MULT_BAND_4": "0"}, "found 0 for the scale of band 4"),
        ({"REFLECTANCE_ADD_BAND_4": "1e999"}, "found '1e999' for REFLECTANCE_ADD_BAND_4"),
        ({"SUN_ELEVATION": "0"}, "found a sun elevation of 0 degrees; expected one above 0"),
        ({"SUN_ELEVATION": "-12.5"}, "found a sun elevation of -12.5 degrees"),
        ({"SUN_ELEVATION": None}, "found no elevation of the sun"),
        ({"SUN_ELEVATION": "NaN"}, "found 'NaN' for SUN_ELEVATION"),
        ({"SUN_ELEVATION": "high"}, "found 'high' for SUN_ELEVATION"),
        ({"SPACECRAFT_ID": None}, "found no SPACECRAFT_ID"),
        ({"SPACECRAFT_ID": "LANDSAT_5"}, "found OLI_TIRS on LANDSAT_5; expected it on Landsat 8 or 9"),
        ({"SPACECRAFT_ID": "LANDSAT_8"}, "with LC09 under LANDSAT_8 OLI_TIRS"),
        ({"SPACECRAFT_ID": "SENTINEL_2"}, "found SENTINEL_2 OLI_TIRS; expected TM of Landsat"),
        ({"PROCESSING_LEVEL": "L2SP"}, "with another level than L2SP"),
        ({"PROCESSING_LEVEL": "L0"}, "found the processing level 'L0'"),
        ({"DATE_ACQUIRED": "2023-07-08"}, "with 2023-07-07 under 2023-07-08"),
        ({"DATE_ACQUIRED": "yesterday"}, "found 'yesterday' for a date"),
        ({"FILE_NAME_BAND_4": "../../etc/passwd"}, "found the file name '../../etc/passwd'"),
        ({"FILE_NAME_BAND_4": "/etc/passwd"}, "found the file name '/etc/passwd'"),
        ({"FILE_NAME_BAND_4": ""}, "found the file name ''"),
        ({"FILE_NAME_QUALITY_L1_PIXEL": "..\\x.tif"}, "found the file name"),
        (
            {"FILE_NAME_BAND_4": f"{SCENE}_B5.TIF", "FILE_NAME_BAND_5": f"{SCENE}_B4.TIF"},
            "band 5 under FILE_NAME_BAND_4",
        ),
        ({"COLLECTION_NUMBER": "two"}, "found 'two' for COLLECTION_NUMBER"),
    ],
)
def test_contradictory_or_incomplete_metadata(tmp_path, changes, says):
    folder = product(tmp_path / "product", **changes)
    with pytest.raises(RasterError, match=says) as error:
        landsat.read(str(folder), None)
    assert str(error.value).startswith(str(folder))


@pytest.mark.parametrize("syntax", [as_odl, as_xml, as_json])
def test_metadata_cut_off_anywhere_are_refused(syntax):
    text = syntax(groups()).strip().removesuffix("END").rstrip()
    for end in range(0, len(text), 7):
        with pytest.raises(RasterError, match=r"^source: (found|is not valid)"):
            read_mtl(text[:end], "source")
    assert read_mtl(text, "source").groups == groups()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 100,
        "PK\x03\x04 binary",
        "GROUP = SOMETHING_ELSE\nEND_GROUP = SOMETHING_ELSE\nEND",
        "GROUP = L1_METADATA_FILE\n A = 1\nEND_GROUP = B\nEND",
        "A = 1\nGROUP = L1_METADATA_FILE\nEND_GROUP = L1_METADATA_FILE\nEND",
        "END_GROUP = L1_METADATA_FILE",
        as_odl(groups()).replace("    SUN_ELEVATION", '    SUN_ELEVATION = "60"\n    SUN_ELEVATION'),
        as_json(groups()).replace('"SUN_ELEVATION"', '"SUN_ELEVATION": "60", "SUN_ELEVATION"'),
        "{}",
        '{"LANDSAT_METADATA_FILE": 3}',
        '{"a": ' * 100_000,
        "<html><body>Please log in</body></html>",
        '<!DOCTYPE a [<!ENTITY b "cc">]><LANDSAT_METADATA_FILE>&b;</LANDSAT_METADATA_FILE>',
    ],
)
def test_what_is_no_metadata_is_refused(text):
    with pytest.raises(RasterError, match=r"^source: (found|is not valid)"):
        read_mtl(text, "source")


def test_metadata_that_are_no_text(tmp_path):
    folder = product(tmp_path / "product")
    (folder / f"{SCENE}_MTL.txt").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(RasterError, match="is not UTF-8 text"):
        landsat.read(str(folder), None)


def test_metadata_that_disagree(tmp_path):
    folder = product(tmp_path / "product")
    (folder / f"{SCENE}_MTL.xml").write_text(as_xml(groups(REFLECTANCE_MULT_BAND_4="0.00002")))
    assert len(found(folder).bands) == 2, "one number written in two ways"
    (folder / f"{SCENE}_MTL.xml").write_text(as_xml(groups(REFLECTANCE_MULT_BAND_4="0.00003")))
    with pytest.raises(
        RasterError, match=r"found REFLECTANCE_MULT_BAND_4 = 2.0000E-05 in \S+.txt and 0.00003 in \S+.xml"
    ):
        landsat.read(str(folder), None)
    (folder / f"{SCENE}_MTL.xml").rename(folder / "LC08_L1TP_195025_20230101_20230102_02_T1_MTL.xml")
    with pytest.raises(RasterError, match="found the metadata of 2 products"):
        landsat.read(str(folder), None)


def test_a_band_file_of_several_bands_or_none(tmp_path):
    folder = product(tmp_path / "product")
    # first: where GDAL writes over an image, it deletes the MTL file beside it
    (folder / f"{SCENE}_B4.TIF").unlink()
    write(folder / f"{SCENE}_B4.TIF", distinct(3, 4, 4))
    with pytest.raises(RasterError, match="found 3 bands; expected the one that the metadata list"):
        landsat.read(str(folder), None)
    (folder / f"{SCENE}_B4.TIF").write_bytes(b"")
    with pytest.raises(RasterError, match="empty file"):
        landsat.read(str(folder), None)
