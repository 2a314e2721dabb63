"""Bad input of many kinds, and what is to come of it: a message, or results that are right all the same."""

import json
import os
import resource
import socket
import struct
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from made_rasters import NAMES, PLACE, UTM, write
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.windows import Window

import made_safe

Found = dict[str, Any]
"""What `inspect --json` prints."""


@dataclass(frozen=True)
class Call:
    """Sources of a verb, and its options."""

    sources: Sequence[object]
    options: Sequence[object] = ()


@dataclass(frozen=True)
class Case:
    """says: the message, as a regular expression; else right: what must hold of `inspect --json`.

    unless: what `embed` says, where that refuses what `inspect` reports. apart: to be tried in a process of its own,
    as it could hang. embeds: whether `embed` is tried too.
    """

    kind: str
    make: Callable[[Path], Call]
    says: str | None = None
    right: Callable[[Found], bool] | None = None
    unless: str | None = None
    apart: bool = False
    embeds: bool = False

    @property
    def name(self) -> str:
        return self.make.__name__


CASES: list[Case] = []


def refused(kind: str, says: str, **how: Any) -> Callable[[Callable[[Path], Call]], Callable[[Path], Call]]:
    """This is refused, with a message like that."""

    def keep(make: Callable[[Path], Call]) -> Callable[[Path], Call]:
        CASES.append(Case(kind, make, says=says, **how))
        return make

    return keep


def right(
    kind: str, check: Callable[[Found], bool], **how: Any
) -> Callable[[Callable[[Path], Call]], Callable[[Path], Call]]:
    """This gives right results."""

    def keep(make: Callable[[Path], Call]) -> Callable[[Path], Call]:
        CASES.append(Case(kind, make, right=check, **how))
        return make

    return keep


# -- what is good, to be spoilt ---------------------------------------------------------------------------------------

LEVELS = (1300, 1150, 1050, 950, 1250, 2100, 2500, 2400, 2700, 900, 15, 2200, 1400)
"""Top of the atmosphere over land, stored, of the 13 bands in file order."""


def scene(bands: int = 13, rows: int = 64, columns: int = 64) -> np.ndarray:
    """Stored values like a Level-1C scene's; no two bands, rows or columns are alike."""
    rng = np.random.default_rng(7)
    r, c = np.mgrid[:rows, :columns]
    relief = 1 + 0.4 * np.sin(r / 9) * np.cos(c / 7)
    values = np.array(LEVELS[:bands])[:, None, None] * relief + rng.normal(0, 6, (bands, rows, columns))
    return np.clip(values, 1, 12000).astype(np.uint16)


def image(folder: Path, values: np.ndarray | None = None, name: str = "scene.tif", **how: Any) -> Path:
    values = scene() if values is None else values
    return write(folder / name, values, **({"names": NAMES[: len(values)]} | how))


def files(folder: Path, names: Sequence[str] = ("B02", "B03", "B04"), **how: Any) -> Path:
    """A folder of single-band files."""
    folder.mkdir(exist_ok=True)
    for name, values in zip(names, scene(12)[1:], strict=False):
        write(folder / f"T18SUG_20200501_{name}.tif", values[None], **how)
    return folder


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: max(1, int(path.stat().st_size * share))])
    return path


def entry(content: bytes | bytearray, tag: int) -> int:
    """Where a little TIFF has the entry of a tag."""
    directory = struct.unpack_from("<I", content, 4)[0]
    for at in range(struct.unpack_from("<H", content, directory)[0]):
        if struct.unpack_from("<H", content, directory + 2 + 12 * at)[0] == tag:
            return int(directory + 2 + 12 * at)
    raise AssertionError(f"no tag {tag}")


def retagged(path: Path, tag: int, value: bytes) -> Path:
    """The file with other bytes in a tag: where its value lies, inside the entry or elsewhere."""
    content = bytearray(path.read_bytes())
    at = entry(content, tag)
    kind, count = struct.unpack_from("<HI", content, at + 2)
    size = {1: 1, 2: 1, 3: 2, 4: 4, 12: 8}[kind] * count
    start = at + 8 if size <= 4 else struct.unpack_from("<I", content, at + 8)[0]
    assert len(value) <= max(size, 4)
    content[start : start + len(value)] = value
    path.write_bytes(content)
    return path


WIDTH, HEIGHT, PIXEL_SCALE, NODATA, OFFSETS = 256, 257, 33550, 42113, 273


def flagged(kind: str) -> Callable[[Found], bool]:
    return lambda found: any(each["kind"] == kind for each in found["flags"])


def all_valid(found: Found) -> bool:
    return bool(found["valid"] == 1)


# -- cut off ----------------------------------------------------------------------------------------------------------


@refused("truncated", "cannot be opened as an image", embeds=True)
def tiff_cut_in_its_header(folder: Path) -> Call:
    return Call([cut(image(folder), 6 / 110_000)])


@refused("truncated", "cannot be opened|cut off")
def tiff_cut_in_its_tags(folder: Path) -> Call:
    return Call([cut(image(folder), 0.004)])


@refused("truncated", "cut off", embeds=True)
def tiff_cut_in_its_last_strip(folder: Path) -> Call:
    return Call([cut(image(folder, tiled=False, blockysize=8), 0.999)])


@refused("truncated", "cut off|cannot be read|cannot be opened", embeds=True)
def jp2_cut_in_half(folder: Path) -> Call:
    made = made_safe.Image(scene(1)[0], UTM, PLACE)
    made_safe.write_jp2(folder / "scene_B02.jp2", made)
    return Call([cut(folder / "scene_B02.jp2", 0.5)])


def level_1c(folder: Path) -> Path:
    return made_safe.make_safe(folder, made_safe.product_text("L1C"), made_safe.made_images())


@refused("truncated", "zip")
def zip_cut_in_half(folder: Path) -> Call:
    return Call([cut(made_safe.zipped(level_1c(folder), folder / "product.zip"), 0.5)])


@refused("truncated", "zip|no image")
def zip_of_junk(folder: Path) -> Call:
    (folder / "junk.zip").write_bytes(b"PK\x03\x04" + bytes(range(256)) * 20)
    return Call([folder / "junk.zip"])


@refused("truncated", "found an empty file", embeds=True)
def empty_file(folder: Path) -> Call:
    (folder / "scene.tif").touch()
    return Call([folder / "scene.tif"])


# -- what the values are ----------------------------------------------------------------------------------------------


@right("swapped bands", flagged("order"), embeds=True)
def bands_named_in_reverse(folder: Path) -> Call:
    return Call([image(folder, scene()[::-1].copy())])


@refused("wrong dtype", "found values of complex64", embeds=True)
def complex_numbers(folder: Path) -> Call:
    return Call([image(folder, scene(3).astype("complex64"))])


@refused("wrong dtype", "uint16|float32|one type", embeds=True)
def several_types_in_one_file(folder: Path) -> Call:
    one, other = image(folder, scene(1), "a.tif"), image(folder, scene(1).astype("float32"), "b.tif")
    text = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{i}"><Description>B0{i + 1}</Description><SimpleSource>'
        f"<SourceFilename>{path}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for i, (kind, path) in enumerate((("UInt16", one), ("Float32", other)), 1)
    )
    (folder / "mixed.vrt").write_text(f'<VRTDataset rasterXSize="64" rasterYSize="64">{text}</VRTDataset>')
    return Call([folder / "mixed.vrt"])


@right("wrong dtype", all_valid)
def whole_numbers_of_64_bits(folder: Path) -> Call:
    return Call([image(folder, scene().astype("int64"))])


@refused("wrong dtype", "cannot be opened as an image", embeds=True)
def text_named_tif(folder: Path) -> Call:
    (folder / "scene.tif").write_text("column,row,value\n1,2,3\n" * 50)
    return Call([folder / "scene.tif"])


@refused("wrong dtype", "palette|colou?r table|digital numbers", embeds=True)
def a_picture_with_a_palette(folder: Path) -> Call:
    path = image(folder, (scene(1) % 7).astype("uint8"), "classes_B02.tif", names=("B02",), photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {i: (i * 30, 0, 255 - i * 30, 255) for i in range(7)})
    return Call([path])


@refused("NaN floods", "found no valid", embeds=True)
def nothing_but_nan(folder: Path) -> Call:
    return Call([image(folder, np.full((13, 64, 64), np.nan, "float32"))])


@refused("NaN floods", "found no valid")
def nothing_but_infinity(folder: Path) -> Call:
    return Call([image(folder, np.full((13, 64, 64), -np.inf, "float64"))])


@refused("NaN floods", "found no valid")
def nothing_but_1e38(folder: Path) -> Call:
    return Call([image(folder, np.full((13, 64, 64), 1e38, "float32"))])


@right("NaN floods", lambda found: flagged("absent")(found) and 0.9 < found["valid"] < 0.95, embeds=True)
def a_band_of_nothing_but_nan(folder: Path) -> Call:
    values = (scene() / 1e4).astype("float32")
    values[3] = np.nan
    return Call([image(folder, values)])


@right("NaN floods", lambda found: abs(found["valid"] - 0.5) < 1e-6, embeds=True)
def half_of_nan_infinity_and_1e38(folder: Path) -> Call:
    values = (scene() / 1e4).astype("float32")
    values[:, ::2, ::3], values[:, ::2, 1::3], values[:, ::2, 2::3] = np.nan, np.inf, 3.4e38
    return Call([image(folder, values)])


@right("wrong nodata", lambda found: abs(found["valid"] - 0.75) < 1e-6)
def zeros_that_are_nodata(folder: Path) -> Call:
    values = scene()
    values[:, ::2, ::2] = 0
    return Call([image(folder, values, nodata=0)])


@right("wrong nodata", lambda found: abs(found["valid"] - 0.75) < 1e-6)
def zeros_that_only_products_mean_so(folder: Path) -> Call:
    values = scene()
    values[:, ::2, ::2] = 0
    return Call([image(folder, values)])


@right("wrong nodata", all_valid, embeds=True)
def a_nodata_that_is_no_number(folder: Path) -> Call:
    return Call([retagged(image(folder, nodata=1000), NODATA, b"none\0")])


@right("wrong nodata", all_valid)
def a_nodata_that_the_type_cannot_hold(folder: Path) -> Call:
    return Call([retagged(image(folder, nodata=10000), NODATA, b"-9999\0")])


@right("wrong nodata", all_valid)
def a_nodata_larger_than_any_number(folder: Path) -> Call:
    return Call([retagged(image(folder, nodata=10000), NODATA, b"1e999\0")])


@refused("wrong nodata", "scale", embeds=True)
def a_scale_of_zero(folder: Path) -> Call:
    return Call([image(folder, scales=(0.0,) * 13)])


@refused("wrong nodata", "scale", embeds=True)
def a_scale_that_is_no_number(folder: Path) -> Call:
    return Call([image(folder, scales=(float("nan"),) * 13)])


@right("wrong units", flagged("units"), unless="reflectance", embeds=True)
def reflectance_in_per_cent(folder: Path) -> Call:
    return Call([image(folder, scene() * np.uint16(5), scales=(1e-2,) * 13)])


# -- products ---------------------------------------------------------------------------------------------------------


@refused("SAFE", "B04|B4", embeds=True)
def safe_without_a_band(folder: Path) -> Call:
    safe = level_1c(folder)
    next(safe.rglob("IMG_DATA/*_B04.jp2")).unlink()
    return Call([safe])


@refused("SAFE", "image|metadata|skeleton")
def safe_without_images(folder: Path) -> Call:
    safe = level_1c(folder)
    for path in safe.rglob("IMG_DATA/*.jp2"):
        path.unlink()
    return Call([safe])


@refused("SAFE", "MTD|metadata|folder")
def safe_without_metadata(folder: Path) -> Call:
    safe = level_1c(folder)
    (safe / "MTD_MSIL1C.xml").unlink()
    return Call([safe])


@refused("SAFE", "MTD_MSIL1C.xml")
def safe_whose_metadata_are_cut(folder: Path) -> Call:
    safe = level_1c(folder)
    cut(safe / "MTD_MSIL1C.xml", 0.6)
    return Call([safe])


@refused("SAFE", "MTD_MSIL1C.xml", apart=True)
def safe_whose_metadata_grow_without_end(folder: Path) -> Call:
    safe = level_1c(folder)
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "ha">{laughs}]><l>&l11;</l>'
    (safe / "MTD_MSIL1C.xml").write_text(text)
    return Call([safe])


@refused("SAFE", "JP2|jp2|image|opened")
def safe_whose_image_is_a_page_of_an_error(folder: Path) -> Call:
    safe = level_1c(folder)
    next(safe.rglob("IMG_DATA/*_B04.jp2")).write_text("<html><body>503 Service Unavailable</body></html>")
    return Call([safe])


PRODUCT = "LC09_L1TP_195025_20230707_20230708_02_T1"


def landsat(folder: Path, *, drop: str = "", **changes: str) -> Path:
    """A small Level-1 product of Landsat 9; without the lines that hold drop."""
    product = folder / PRODUCT
    product.mkdir()
    bands = (2, 3, 4, 5)
    for band in bands:
        write(product / f"{PRODUCT}_B{band}.TIF", scene(5)[band - 1 : band] + np.uint16(6000))
    attributes = {
        "SPACECRAFT_ID": '"LANDSAT_9"',
        "SENSOR_ID": '"OLI_TIRS"',
        "DATE_ACQUIRED": "2023-07-07",
        "SUN_ELEVATION": "30.0",
    }
    groups = {
        "PRODUCT_CONTENTS": {
            "LANDSAT_PRODUCT_ID": f'"{PRODUCT}"',
            "PROCESSING_LEVEL": '"L1TP"',
            "COLLECTION_NUMBER": "02",
        }
        | {f"FILE_NAME_BAND_{band}": f'"{PRODUCT}_B{band}.TIF"' for band in bands},
        "IMAGE_ATTRIBUTES": attributes | changes,
        "LEVEL1_RADIOMETRIC_RESCALING": {f"REFLECTANCE_MULT_BAND_{band}": "2.0000E-05" for band in bands}
        | {f"REFLECTANCE_ADD_BAND_{band}": "-0.100000" for band in bands},
    }
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for name, values in groups.items():
        lines += [
            f"  GROUP = {name}",
            *(f"    {key} = {value}" for key, value in values.items()),
            f"  END_GROUP = {name}",
        ]
    text = "\n".join(
        [*(line for line in lines if not drop or drop not in line), "END_GROUP = LANDSAT_METADATA_FILE", "END"]
    )
    (product / f"{PRODUCT}_MTL.txt").write_text(text)
    return product


@refused("MTL", "REFLECTANCE|coefficients")
def mtl_without_coefficients(folder: Path) -> Call:
    return Call([landsat(folder, drop="REFLECTANCE_")])


@refused("MTL", "SUN_ELEVATION|sun", embeds=True)
def mtl_of_a_night(folder: Path) -> Call:
    return Call([landsat(folder, SUN_ELEVATION="-3.0")])


@refused("MTL", "MTL")
def mtl_cut_in_half(folder: Path) -> Call:
    product = landsat(folder)
    cut(product / f"{PRODUCT}_MTL.txt", 0.5)
    return Call([product])


@refused("MTL", "B4")
def mtl_whose_file_is_not_there(folder: Path) -> Call:
    product = landsat(folder)
    (product / f"{PRODUCT}_B4.TIF").unlink()
    return Call([product])


@refused("digital numbers", "digital numbers|metadata", embeds=True)
def landsat_without_its_metadata(folder: Path) -> Call:
    product = landsat(folder)
    (product / f"{PRODUCT}_MTL.txt").unlink()
    return Call([product])


def stac(folder: Path, assets: dict[str, Any], **more: Any) -> Path:
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "made",
        "geometry": None,
        "links": [],
        "properties": {"datetime": "2020-05-01T10:00:00Z", "platform": "sentinel-2a", "instruments": ["msi"]},
        "assets": assets,
    }
    (folder / "item.json").write_text(json.dumps(item | more))
    return folder / "item.json"


def asset(href: str, name: str, **raster: Any) -> dict[str, Any]:
    return {"href": href, "roles": ["data"], "eo:bands": [{"name": name}], "raster:bands": [raster]}


@refused("STAC", "B04|B4", embeds=True)
def stac_of_one_band_with_two_scales(folder: Path) -> Call:
    image(folder, scene(1), "a.tif"), image(folder, scene(1), "b.tif")
    return Call([stac(folder, {"B04": asset("a.tif", "B04", scale=1e-4), "red": asset("b.tif", "B04", scale=1e-3)})])


@refused("STAC", "remote|fetch|http", apart=True)
def stac_of_remote_files(folder: Path) -> Call:
    return Call([stac(folder, {"B04": asset("https://127.0.0.1:9/B04.tif", "B04")})])


@refused("STAC", "Item|item")
def stac_of_a_collection(folder: Path) -> Call:
    return Call([stac(folder, {}, type="Collection")])


@refused("STAC", "item.json", apart=True)
def stac_that_names_itself(folder: Path) -> Call:
    return Call([stac(folder, {"B04": asset("item.json", "B04")})])


@refused("STAC", "item.json")
def json_nested_without_end(folder: Path) -> Call:
    (folder / "item.json").write_text('{"type":"Feature","stac_version":"1.0.0","assets":' + "[" * 100_000)
    return Call([folder / "item.json"])


@refused("VRT", "itself|circle|loop|names", apart=True)
def vrt_that_names_itself(folder: Path) -> Call:
    return Call([vrt(folder / "scene.vrt", "scene.vrt")])


@refused("VRT", "gone.tif", embeds=True)
def vrt_whose_source_is_gone(folder: Path) -> Call:
    return Call([vrt(folder / "scene.vrt", "gone.tif")])


def vrt(path: Path, source: str, transform: str = "") -> Path:
    place = f"<GeoTransform>{transform}</GeoTransform><SRS>{UTM}</SRS>" if transform else ""
    path.write_text(
        f'<VRTDataset rasterXSize="64" rasterYSize="64">{place}<VRTRasterBand dataType="UInt16" band="1">'
        '<Description>B02</Description><SimpleSource><SourceFilename relativeToVRT="1">'
        f"{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


ENVI = (
    "ENVI\nsamples = 64\nlines = 64\nbands = 3\nheader offset = 0\ndata type = 12\ninterleave = bsq\nbyte order = 0\n"
)


@refused("ENVI", "scene")
def envi_header_without_its_data(folder: Path) -> Call:
    (folder / "scene.hdr").write_text(ENVI + "band names = {B02, B03, B04}\n")
    return Call([folder / "scene.hdr"])


@refused("ENVI", "bytes", embeds=True)
def envi_whose_data_are_short(folder: Path) -> Call:
    (folder / "scene.hdr").write_text(ENVI + "band names = {B02, B03, B04}\n")
    (folder / "scene.img").write_bytes(scene(3).tobytes()[:-2])
    return Call([folder / "scene.img"])


# -- where it lies ----------------------------------------------------------------------------------------------------


@refused("CRS missing", "georeference", embeds=True)
def one_of_several_bands_without_a_crs(folder: Path) -> Call:
    made = files(folder / "scene", ("B02", "B03"))
    how: dict[str, Any] = {"crs": None, "transform": Affine.identity()}
    write(made / "T18SUG_20200501_B08.tif", scene(1, 32, 32), **how)
    return Call([made])


@refused("CRS missing", "georeference")
def one_of_two_dates_without_a_crs(folder: Path) -> Call:
    how: dict[str, Any] = {"crs": None, "transform": Affine.identity()}
    return Call([image(folder, name="2020-05-01.tif"), image(folder, scene(13, 60, 60), "2020-06-01.tif", **how)])


@right("CRS missing", lambda found: found["gsd"] is None and all_valid(found), embeds=True)
def no_crs_at_all(folder: Path) -> Call:
    return Call([image(folder, crs=None, transform=Affine.identity())])


@right("rotated", lambda found: abs(found["gsd"] - 10) < 0.05, embeds=True)
def a_rotated_transform(folder: Path) -> Call:
    return Call(
        [
            image(
                folder,
                transform=Affine(8, 6, 435730, 6, -8, 4179460),
            )
        ]
    )


@right("south-up", lambda found: abs(found["gsd"] - 10) < 0.05 and all_valid(found), embeds=True)
def rows_from_the_south(folder: Path) -> Call:
    return Call([image(folder, transform=Affine(10, 0, 435730, 0, 10, 4178460))])


@right("south-up", lambda found: abs(found["gsd"] - 10) < 0.05 and all_valid(found))
def dates_of_which_one_runs_from_the_south(folder: Path) -> Call:
    north, south = scene(), scene()[:, ::-1].copy()
    other = image(folder, south, "2020-06-01.tif", transform=Affine(10, 0, 435730, 0, 10, 4179460 - 640))
    return Call([image(folder, north, "2020-05-01.tif"), other])


@refused("zero area", "transform|area", embeds=True)
def pixels_without_width(folder: Path) -> Call:
    image(folder, scene(1), "a.tif")
    return Call([vrt(folder / "scene.vrt", "a.tif", "435730, 0, 0, 4179460, 0, -10")])


@right("zero area", lambda found: found["gsd"] is None and all_valid(found))
def pixels_of_no_area_in_a_tiff(folder: Path) -> Call:
    return Call([retagged(image(folder), PIXEL_SCALE, struct.pack("<ddd", 0, 0, 0))])


@refused("zero area", "transform|georeference")
def a_transform_that_is_no_number(folder: Path) -> Call:
    return Call([retagged(image(folder), PIXEL_SCALE, struct.pack("<ddd", float("nan"), 10, 0))])


@refused("zero area", "cannot be opened")
def no_columns(folder: Path) -> Call:
    return Call([retagged(image(folder), WIDTH, b"\0\0\0\0")])


@right("antimeridian", lambda found: abs(found["gsd"] - 103.4) < 0.1 and all_valid(found), embeds=True)
def degrees_across_the_antimeridian(folder: Path) -> Call:
    return Call([image(folder, crs="EPSG:4326", transform=Affine(1e-3, 0, 179.97, 0, -1e-3, 30.0))])


@right("antimeridian", lambda found: abs(found["gsd"] - 10) < 0.05 and all_valid(found))
def dates_of_both_utm_zones_at_the_antimeridian(folder: Path) -> Call:
    """One place in zone 1 and in zone 60."""
    from rasterio.warp import transform

    xs, ys = transform("EPSG:32601", "EPSG:32660", [210000.0], [5000000.0])
    one = image(folder, name="2020-05-01.tif", crs="EPSG:32601", transform=Affine(10, 0, 210000, 0, -10, 5000000))
    place = Affine(10, 0, xs[0] - 200, 0, -10, ys[0] + 200)
    return Call([one, image(folder, scene(13, 120, 120), "2020-06-01.tif", crs="EPSG:32660", transform=place)])


@right("antimeridian", lambda found: 0.05 < found["valid"] < 0.95)
def an_aoi_across_the_antimeridian(folder: Path) -> Call:
    path = image(folder, crs="EPSG:4326", transform=Affine(1e-3, 0, 179.97, 0, -1e-3, 30.0))
    ring = [[179.98, 29.95], [-179.98, 29.96], [-179.975, 29.98], [179.98, 29.99], [179.98, 29.95]]
    return Call([path], ["--aoi", geojson(folder, {"type": "Polygon", "coordinates": [ring]})])


def geojson(folder: Path, geometry: Any) -> Path:
    (folder / "area.geojson").write_text(json.dumps(geometry))
    return folder / "area.geojson"


@refused("too many pixels", "header|cannot be opened|cut off", apart=True)
def a_header_of_more_than_2_31_pixels(folder: Path) -> Call:
    path = image(folder, scene(1), names=("B02",))
    retagged(path, WIDTH, struct.pack("<H", 65535)), retagged(path, HEIGHT, struct.pack("<H", 65535))
    return Call([path])


def sparse(folder: Path) -> Path:
    """More than 2^31 pixels in a file that holds none, and says so: a block that is not there is nodata."""
    how: dict[str, Any] = {"height": 50_000, "width": 50_000, "count": 1, "dtype": "uint16", "crs": UTM}
    blocks: dict[str, Any] = {"tiled": True, "blockxsize": 1024, "blockysize": 1024, "compress": "deflate"}
    path = folder / "scene_B02.tif"
    with rasterio.open(path, "w", "GTiff", transform=PLACE, nodata=0, sparse_ok=True, bigtiff=True, **blocks, **how):
        pass
    return path


@refused("too many pixels", "no valid pixel|header", apart=True)
def a_sparse_file_that_holds_nothing(folder: Path) -> Call:
    return Call([sparse(folder)])


@right("too many pixels", lambda found: 0 < found["valid"] < 0.05, apart=True)
def a_sparse_file_that_holds_one_block(folder: Path) -> Call:
    path = sparse(folder)
    with rasterio.open(path, "r+") as dataset:
        block = np.random.default_rng(0).integers(500, 3000, (1, 800, 800)).astype("uint16")
        dataset.write(block, window=Window(0, 0, 800, 800))
    return Call([path])


@right("CRS missing", lambda found: found["gsd"] is None and all_valid(found), embeds=True)
def a_crs_that_lies_nowhere_on_earth(folder: Path) -> Call:
    return Call([image(folder, crs='LOCAL_CS["the back yard",UNIT["metre",1]]')])


@right("zero area", lambda found: all_valid(found))
def coordinates_beyond_the_earth(folder: Path) -> Call:
    return Call([image(folder, transform=Affine(10, 0, 1e300, 0, -10, 1e300))])


@refused("aoi", "--aoi")
def aoi_on_an_image_beyond_the_earth(folder: Path) -> Call:
    area = geojson(folder, {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]})
    return Call([image(folder, transform=Affine(10, 0, 1e300, 0, -10, 1e300))], ["--aoi", area])


@right("control points", lambda found: abs(found["gsd"] - 10) < 0.05, embeds=True)
def control_points_on_a_grid(folder: Path) -> Call:
    points = [
        GroundControlPoint(row, column, 435730 + 10 * column, 4179460 - 10 * row)
        for row, column in ((0, 0), (0, 64), (64, 0), (64, 64))
    ]
    return Call(
        [without_transform(image(folder, crs=None, transform=Affine.identity()), gcps=(points, CRS.from_epsg(32618)))]
    )


@right("control points", lambda found: found["gsd"] is None and "control points" in str(found["notes"]))
def control_points_on_no_grid(folder: Path) -> Call:
    points = [
        GroundControlPoint(row, column, 435730 + 10 * column + row * column / 9, 4179460 - 10 * row + column**2 / 5)
        for row in (0, 21, 43, 64)
        for column in (0, 21, 43, 64)
    ]
    return Call(
        [without_transform(image(folder, crs=None, transform=Affine.identity()), gcps=(points, CRS.from_epsg(32618)))]
    )


@right("control points", lambda found: found["gsd"] is None and "RPC" in str(found["notes"]))
def rational_polynomials_only(folder: Path) -> Call:
    ones = [1.0] + [0.0] * 19
    coefficients = {f"{of}_{part}_coeff": ones for of in ("line", "samp") for part in ("num", "den")}
    offsets = {"height_off": 0, "lat_off": 40, "long_off": 10, "line_off": 32, "samp_off": 32}
    scales = {"height_scale": 500, "lat_scale": 0.1, "long_scale": 0.1, "line_scale": 32, "samp_scale": 32}
    rpcs = RPC(**coefficients, **offsets, **scales)
    return Call([without_transform(image(folder, crs=None, transform=Affine.identity()), rpcs=rpcs)])


def without_transform(path: Path, **how: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "r+") as dataset:
            for name, value in how.items():
                setattr(dataset, name, value)
    return path


@refused("another place", "does not overlap", embeds=True)
def two_dates_of_other_places(folder: Path) -> Call:
    other = image(folder, name="2020-06-01.tif", transform=Affine(10, 0, 735730, 0, -10, 4179460))
    return Call([image(folder, name="2020-05-01.tif"), other])


# -- paths and folders ------------------------------------------------------------------------------------------------


@refused("symlink loops", "does not exist|cannot be|loop|neither", apart=True)
def a_link_to_itself(folder: Path) -> Call:
    (folder / "a.tif").symlink_to("b.tif")
    (folder / "b.tif").symlink_to("a.tif")
    return Call([folder / "a.tif"])


@right("symlink loops", lambda found: found["bands"] == ["B2", "B3", "B4"], apart=True)
def a_folder_that_holds_itself(folder: Path) -> Call:
    made = files(folder / "scene")
    (made / "again").symlink_to(made)
    (made / "again.tif").symlink_to(made)
    return Call([made])


@right("symlink loops", lambda found: len(found["bands"]) == 13, apart=True)
def a_safe_that_holds_itself(folder: Path) -> Call:
    safe = level_1c(folder)
    (safe / "GRANULE" / "again").symlink_to(safe)
    return Call([safe])


@refused("symlink loops", "B03", apart=True)
def a_folder_with_a_band_that_links_to_itself(folder: Path) -> Call:
    made = files(folder / "scene", ("B02",))
    (made / "T18SUG_20200501_B03.tif").symlink_to("T18SUG_20200501_B03.tif")
    return Call([made])


@right("odd names", lambda found: len(found["bands"]) == 13, embeds=True)
def spaces_and_umlauts(folder: Path) -> Call:
    (folder / "Über den Wölken (1)").mkdir()
    return Call([image(folder / "Über den Wölken (1)", name="schöne Szene 日本 #1 & 'x'.tif")])


@right("odd names", lambda found: len(found["bands"]) == 13 and found["dates"] == ["2020-05-01"])
def an_at_sign_in_the_name_and_a_date(folder: Path) -> Call:
    return Call([f"{image(folder, name='me@home.tif')}@2020-05-01"])


@right("odd names", lambda found: found["bands"] == ["B2", "B3", "B4"])
def a_folder_of_spaces_and_percent_signs(folder: Path) -> Call:
    (folder / "100 % ä").mkdir()
    return Call([files(folder / "100 % ä" / "a b.tif")])


@refused("odd names", "UTF-8|name", apart=True)
def umlauts_in_latin_1(folder: Path) -> Call:
    """As old disks and zips hold them: no UTF-8."""
    path = os.fsdecode(os.fsencode(folder) + b"/sch\xf6n.tif")
    os.rename(image(folder), path)
    return Call([path])


@refused("odd names", "found|does not exist")
def band_names_of_several_lines(folder: Path) -> Call:
    return Call([image(folder, scene(2), names=("B02\nTraceback\x1b[31m", "B\t3"))])


@right("odd names", lambda found: len(found["bands"]) == 13)
def a_slash_behind_a_safe(folder: Path) -> Call:
    return Call([f"{level_1c(folder)}/"])


@refused("odd names", "found|does not exist")
def a_slash_behind_a_file(folder: Path) -> Call:
    return Call([f"{image(folder)}/"])


@refused("odd names", "found an address in memory|cannot be opened", apart=True)
def the_name_of_a_place_in_memory(folder: Path) -> Call:
    return Call(["MEM:::DATAPOINTER=1,PIXELS=64,LINES=64,BANDS=1,DATATYPE=UInt16"])


@refused("odd names", "does not exist|neither|too long", embeds=True)
def a_name_too_long_for_any_disk(folder: Path) -> Call:
    return Call([folder / ("a" * 5000 + ".tif")])


@refused("does not exist", "found|does not exist")
def no_path_at_all(folder: Path) -> Call:
    return Call([""])


@refused("does not exist", "without images", embeds=True)
def empty_folder(folder: Path) -> Call:
    (folder / "scene").mkdir()
    return Call([folder / "scene"])


@refused("does not exist", "found|does not exist")
def folder_of_junk(folder: Path) -> Call:
    made = folder / "scene"
    (made / "sub").mkdir(parents=True)
    for name, content in (("a.tif", b"II*\0junk"), ("b.jp2", b""), ("._x_B02.tif", b"\0\5\26\7"), ("Thumbs.db", b"x")):
        (made / name).write_bytes(content)
    return Call([made])


@refused("does not exist", "without images|found")
def folder_named_tif(folder: Path) -> Call:
    (folder / "scene.tif").mkdir()
    return Call([folder / "scene.tif"])


@refused("no permission", "permission|cannot be opened|Permission", embeds=True)
def a_file_that_may_not_be_read(folder: Path) -> Call:
    path = image(folder)
    path.chmod(0)
    return Call([path])


@refused("no file", "is not a file", apart=True)
def a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "scene.tif")
    return Call([folder / "scene.tif"])


@refused("no file", "is not a file|B03", apart=True)
def a_pipe_among_the_bands(folder: Path) -> Call:
    made = files(folder / "scene", ("B02",))
    os.mkfifo(made / "T18SUG_20200501_B03.tif")
    return Call([made])


@refused("no file", "is not a file", apart=True)
def a_device(folder: Path) -> Call:
    return Call(["/dev/zero"])


@refused("no file", "is not a file", apart=True)
def a_socket(folder: Path) -> Call:
    (folder / "s").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(folder / "s" / "scene.tif"))
    return Call([folder / "s" / "scene.tif"])


@refused("no file", "MTD_MSIL1C.xml|file", apart=True)
def a_safe_whose_metadata_are_a_pipe(folder: Path) -> Call:
    safe = level_1c(folder)
    (safe / "MTD_MSIL1C.xml").unlink()
    os.mkfifo(safe / "MTD_MSIL1C.xml")
    return Call([safe])


@refused("no file", "MTL|metadata that declare", apart=True)
def an_mtl_that_is_a_pipe(folder: Path) -> Call:
    product = landsat(folder)
    (product / f"{PRODUCT}_MTL.txt").unlink()
    os.mkfifo(product / f"{PRODUCT}_MTL.txt")
    return Call([product])


@refused("no file", "item.json", apart=True)
def an_item_that_is_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "item.json")
    return Call([folder / "item.json"])


@refused("no file", "scene", apart=True)
def envi_data_that_are_a_pipe(folder: Path) -> Call:
    (folder / "scene.hdr").write_text(ENVI)
    os.mkfifo(folder / "scene.img")
    return Call([folder / "scene.hdr"])


@refused("no file", "scene", apart=True)
def envi_header_that_is_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "scene.hdr")
    (folder / "scene.img").write_bytes(scene(3).tobytes())
    return Call([folder / "scene.img"])


@refused("no file", "B04", apart=True)
def an_asset_that_is_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "B04.tif")
    return Call([stac(folder, {"B04": asset("B04.tif", "B04")})])


@refused("no file", "is not a file|archive|product", apart=True)
def a_zip_that_is_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "product.zip")
    return Call([folder / "product.zip"])


@refused("no file", "is not a file|archive|product", apart=True)
def a_tar_that_is_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / f"{PRODUCT}.tar")
    return Call([folder / f"{PRODUCT}.tar"])


@refused("no file", "scene.vrt", apart=True)
def a_vrt_that_is_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "scene.vrt")
    return Call([folder / "scene.vrt"])


@refused("no file", "mask.tif", apart=True)
def clouds_that_are_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "mask.tif")
    return Call([image(folder)], ["--clouds", folder / "mask.tif"])


@refused("no file", "nm.csv", apart=True)
def wavelengths_that_are_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "nm.csv")
    return Call([image(folder)], ["--bands", folder / "nm.csv"])


@refused("no file", "scene.vrt|source|file|pipe", apart=True)
def vrt_of_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "pipe.tif")
    return Call([vrt(folder / "scene.vrt", "pipe.tif")])


@refused("not here", "remote source", apart=True)
def an_address_that_does_not_answer(folder: Path) -> Call:
    return Call(["http://127.0.0.1:9/scene.tif"])


# -- names, dates, options --------------------------------------------------------------------------------------------


@refused("a band twice", "more than once", embeds=True)
def a_band_twice_in_a_file(folder: Path) -> Call:
    return Call([image(folder, scene(2), names=("B2", "B02"))])


@refused("a band twice", "more than once")
def a_band_twice_in_a_folder(folder: Path) -> Call:
    made = files(folder / "scene")
    write(made / "again_B2.tif", scene(1))
    return Call([made])


@refused("unknown names", "'B77'", embeds=True)
def a_name_that_nobody_has(folder: Path) -> Call:
    return Call([image(folder, scene(2), names=("B02", "B77"))])


@refused("unknown names", "could be those of")
def names_of_several_sensors(folder: Path) -> Call:
    return Call([image(folder, scene(2), names=("B4", "B5"))])


@refused("unknown names", "without names", embeds=True)
def no_names(folder: Path) -> Call:
    return Call([image(folder, scene(5), names=())])


@refused("dates", "'yesterday' for a date", embeds=True)
def an_unknown_word_for_a_date(folder: Path) -> Call:
    return Call([f"{image(folder)}@yesterday"])


@refused("dates", "'2020-02-30' for a date")
def a_day_that_never_was(folder: Path) -> Call:
    return Call([f"{image(folder)}@2020-02-30"])


@refused("dates", "does not exist|date|neither")
def a_date_of_nothing(folder: Path) -> Call:
    return Call([f"{folder / 'scene.tif'}@2020-02-03"])


@refused("dates", "'2020-13-01' for a date", embeds=True)
def a_date_to_choose_that_is_none(folder: Path) -> Call:
    return Call([image(folder)], ["--dates", "2020-13-01"])


@refused("dates", "found no image of 2021-01-01")
def a_date_to_choose_that_is_not_there(folder: Path) -> Call:
    return Call([image(folder, name="2020-05-01.tif")], ["--dates", "2021-01-01"])


@refused("dates", "'' for a date")
def no_date_to_choose(folder: Path) -> Call:
    return Call([image(folder)], ["--dates", ","])


@refused("dates", "2020-05-01 more than once", embeds=True)
def two_images_of_one_day(folder: Path) -> Call:
    """Neither lies on the other's grid; on one grid they would be one date."""
    smaller = scene()[:, :40]
    return Call([image(folder, name="a_2020-05-01.tif"), image(folder, smaller, name="b_2020-05-01.tif")])


AREAS: dict[str, tuple[str, str]] = {
    "no_json": ("{type: Polygon", "JSON"),
    "nothing": ("", "JSON"),
    "a_number": ("7", "GeoJSON"),
    "a_point": ('{"type": "Point", "coordinates": [-75.7, 37.7]}', "polygon|Point"),
    "words_for_numbers": ('{"type": "Polygon", "coordinates": [[["a", "b"], ["c", "d"], ["e", "f"]]]}', "ring"),
    "numbers_that_are_none": (
        '{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 3], [Infinity, 5], [NaN, 1]]]}', "ring"
    ),
    "utm_without_a_crs": (
        '{"type": "Polygon", "coordinates": [[[435730, 4179460], [436000, 4179460], [436000, 4179000], '
        "[435730, 4179460]]]}", "longitude|latitude|degrees",
    ),
    "another_continent": (
        '{"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [11, 51], [10, 50]]]}', "does not overlap"
    ),
    "no_area": ('{"type": "Polygon", "coordinates": [[[-75.7, 37.7], [-75.7, 37.7], [-75.7, 37.7]]]}', "area"),
    "no_end": ('{"type": "GeometryCollection", "geometries": [' * 3000, "JSON|nested"),
    "an_unknown_crs": (
        '{"type": "Polygon", "crs": {"type": "name", "properties": {"name": "EPSG:999999"}}, '
        '"coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}', "CRS|crs",
    ),
    "numbers_without_end": (
        '{"type": "Polygon", "crs": {"type": "name", "properties": {"name": "EPSG:32618"}}, '
        '"coordinates": [[[1e308, 0], [1e308, 1e308], [-1e308, 1e308], [1e308, 0]]]}', "coordinate|place|area|corner",
    ),
    "coordinates_missing": ('{"type": "Feature", "geometry": {"type": "Polygon"}}', "coordinates"),
}  # fmt: skip


def aoi_of(text: str, name: str) -> Callable[[Path], Call]:
    def make(folder: Path) -> Call:
        (folder / "area.geojson").write_text(text)
        return Call([image(folder)], ["--aoi", folder / "area.geojson"])

    make.__name__ = f"aoi_of_{name}"
    return make


for _name, (_text, _says) in AREAS.items():
    CASES.append(
        Case("aoi", aoi_of(_text, _name), says=f"--aoi.*({_says})", embeds=_name in ("no_json", "another_continent"))
    )


@refused("aoi", "--aoi", apart=True)
def aoi_of_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "area.geojson")
    return Call([image(folder)], ["--aoi", folder / "area.geojson"])


@refused("aoi", "--aoi")
def aoi_of_an_image_without_a_crs(folder: Path) -> Call:
    area = geojson(folder, {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]})
    return Call([image(folder, crs=None, transform=Affine.identity())], ["--aoi", area])


def gsd_of(value: str) -> Callable[[Path], Call]:
    def make(folder: Path) -> Call:
        return Call([image(folder)], [f"--gsd={value}"])

    make.__name__ = f"gsd_of_{value}"
    return make


for _value in ("nan", "0", "-5", "1e-9", "1e12", "inf"):
    CASES.append(Case("gsd", gsd_of(_value), says="--gsd", apart=_value == "1e-9", embeds=_value == "nan"))


@refused("gsd", "--gsd|gsd")
def gsd_of_an_image_without_a_crs(folder: Path) -> Call:
    return Call([image(folder, crs=None, transform=Affine.identity())], ["--gsd", "20"])


@refused("clouds", "clouds.*scl.*: found no cloud layer", embeds=True)
def clouds_of_a_product_without(folder: Path) -> Call:
    return Call([image(folder)], ["--clouds", "scl"])


@refused("clouds", "clouds.*mask.tif.*: does not overlap", embeds=True)
def clouds_of_another_place(folder: Path) -> Call:
    mask = write(folder / "mask.tif", scene(1) % np.uint16(2), transform=Affine(10, 0, 735730, 0, -10, 4179460))
    return Call([image(folder)], ["--clouds", mask])


@refused("clouds", "mask.tif")
def clouds_that_are_not_there(folder: Path) -> Call:
    return Call([image(folder)], ["--clouds", folder / "mask.tif"])


@refused("clouds", "--clouds|no valid", embeds=True)
def clouds_everywhere(folder: Path) -> Call:
    return Call([image(folder)], ["--clouds", write(folder / "mask.tif", np.ones((1, 64, 64), np.uint8))])


HEAD = 'title = "x"\nlevel = "L"\nsource = "y"\n'


def one_band(wavelength: str) -> str:
    return f'bands = [{{name = "B02", wavelength = {wavelength}, fwhm = 60, gsd = 10}}]'


SENSORS: dict[str, tuple[str, str]] = {
    "no_toml": ("title = = 3", "mine.toml"),
    "nothing": ("", "mine.toml"),
    "no_bands": (HEAD, "bands"),
    "words_for_numbers": (HEAD + one_band('"blue"'), "wavelength"),
    "a_negative_wavelength": (HEAD + one_band("-490"), "mine.toml"),
    "numbers_that_are_none": (HEAD + one_band("nan"), "mine.toml"),
    "an_unknown_key": ('titel = "x"\n', "titel"),
    "a_sensor_of_itself": (HEAD + 'bands_of = "mine"', "mine"),
    "a_pattern_that_is_none": (HEAD + 'product = "("\n' + one_band("490"), "mine.toml"),
    "a_scale_of_zero": (HEAD + "scale = 0\noffset = 0\n" + one_band("490"), "scale"),
}


def sensor_of(text: str, name: str) -> Callable[[Path], Call]:
    def make(folder: Path) -> Call:
        (folder / "mine.toml").write_text(text)
        return Call([image(folder, scene(1), names=("B02",))], ["--bands", folder / "mine.toml"])

    make.__name__ = f"sensor_of_{name}"
    return make


for _name, (_text, _says) in SENSORS.items():
    CASES.append(Case("sensor file", sensor_of(_text, _name), says=_says, embeds=_name == "no_toml"))


@refused("sensor file", "mine.toml", apart=True)
def sensor_of_a_pipe(folder: Path) -> Call:
    os.mkfifo(folder / "mine.toml")
    return Call([image(folder)], ["--bands", folder / "mine.toml"])


# -- what lies beside, and what is too much ---------------------------------------------------------------------------


@right("damaged overviews", all_valid, embeds=True)
def overviews_that_are_damaged(folder: Path) -> Call:
    path = image(folder, scene(13, 300, 300), tiled=True, compress="deflate", blockxsize=128, blockysize=128)
    whole = path.stat().st_size
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    content = bytearray(path.read_bytes())
    with rasterio.open(path) as dataset:
        tile = dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=0)
    assert int(tile) >= whole // 2
    content[int(tile) : int(tile) + 5000] = b"\xff" * 5000
    path.write_bytes(content)
    return Call([path])


@right("sidecar", lambda found: all_valid(found) and 0.05 < found["table"][3]["median"] < 0.2, embeds=True)
def a_sidecar_that_lies_about_statistics(folder: Path) -> Call:
    statistics = "".join(
        f'<MDI key="STATISTICS_{key}">{-7e9}</MDI>' for key in ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV")
    )
    band = f'<PAMRasterBand band="4"><Metadata>{statistics}</Metadata></PAMRasterBand>'
    return Call([aux(image(folder), band)])


@right("sidecar", all_valid)
def a_sidecar_that_is_broken(folder: Path) -> Call:
    return Call([aux(image(folder), "<PAMRasterBand")])


@right("sidecar", all_valid)
def a_sidecar_with_a_nodata_that_nothing_has(folder: Path) -> Call:
    return Call([aux(image(folder), '<PAMRasterBand band="1"><NoDataValue>-1</NoDataValue></PAMRasterBand>')])


def aux(path: Path, text: str) -> Path:
    path.with_name(f"{path.name}.aux.xml").write_text(f"<PAMDataset>{text}</PAMDataset>")
    return path


@right("huge metadata", all_valid, embeds=True)
def tags_of_ten_megabytes(folder: Path) -> Call:
    return Call([image(folder, tags={"NOTE": "x" * 10_000_000, "SPECTRALGPT_SENSOR": "s2-l1c" + "y" * 100_000})])


@right("huge metadata", all_valid)
def tags_by_the_thousand(folder: Path) -> Call:
    return Call([image(folder, tags={f"KEY_{i}": "a\nb\tc \"'<>&" for i in range(5000)})])


@refused("small", "--aoi.*centre of any pixel")
def cut_to_less_than_a_pixel(folder: Path) -> Call:
    ring = [[-75.7, 37.7], [-75.7000001, 37.7], [-75.7, 37.7000001], [-75.7, 37.7]]
    path = image(folder, crs="EPSG:4326", transform=Affine(1e-3, 0, -75.73, 0, -1e-3, 37.73))
    return Call([path], ["--aoi", geojson(folder, {"type": "Polygon", "coordinates": [ring]})])


@right("small", all_valid, embeds=True)
def one_pixel(folder: Path) -> Call:
    return Call([image(folder, scene(13, 1, 1))])


def run_apart(words: Sequence[str], folder: str, most_bytes: int) -> None:
    """The command line in this process, what it prints in out.txt and err.txt of a folder, its memory limited."""
    from spectralgpt.cli import main

    for number, name in ((1, "out.txt"), (2, "err.txt")):
        opened = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace")
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    sys.argv = ["spectralgpt", *words]
    main()
