"""Files that a user may hand over, one of every reader, small and good; and how each is read."""

import csv
import json
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
import rasterio.shutil
from affine import Affine
from made_rasters import NAMES, PLACE, UTM, land, write

ROWS, COLUMNS = 24, 20
SENSOR = {"SPECTRALGPT_SENSOR": "s2-l1c"}


@dataclass(frozen=True)
class Handed:
    """A file that a user hands over. make: writes it, and what belongs to it, into a folder, and returns it. read: as a
    user's command reads it, from a copy of that folder."""

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], None]


HANDED: list[Handed] = []


def handed(read: Callable[[Path], None], *names: str) -> Callable[[Callable[..., Path]], Callable[..., Path]]:
    """These files are read so. names: one per variant, which `make` takes as its second argument."""

    def keep(make: Callable[..., Path]) -> Callable[..., Path]:
        for name in names or ("",):
            given = (name,) if name else ()

            def made(folder: Path, given: tuple[str, ...] = given) -> Path:
                return make(folder, *given)

            HANDED.append(Handed("-".join((make.__name__, *given)).replace("/", "_"), made, read))
        return make

    return keep


def warm(chosen: Iterable[Handed]) -> None:
    """What reading imports, and what is kept after the first time, before processes are forked."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for each in chosen:
            own = Path(folder) / each.name
            own.mkdir()
            each.make(own)
            each.read(own)


# -- images: looked at, and read whole ---------------------------------------------------------------------------------


def look(*sources: Path, **how: Any) -> None:
    """As every verb does: open, check, and read all pixels. Without torch, so that processes are soon forked."""
    from spectralgpt.checks import check
    from spectralgpt.products import open_raster
    from spectralgpt.raster.marks import tags_of

    with open_raster(sources[0], **how) as raster:
        verdict = check(raster)
        raster.read()
        # what is shown can be shown, also where the terminal takes UTF-8 alone
        shown = (raster.warnings, raster.facts, verdict, raster.bands, raster.grid)
        "".join(map(str, shown)).encode()
    if sources[0].is_file():  # as where a result would replace it
        tags_of(sources[0])


def looked(name: str, **how: Any) -> Callable[[Path], None]:
    return lambda folder: look(*sorted(folder.glob(name))[:1] or [folder / name], **how)


def scene(path: Path, bands: int = 13, **how: Any) -> Path:
    return write(
        path, land(ROWS, COLUMNS, bands=bands), **({"names": NAMES[:bands], "nodata": 0, "tags": SENSOR} | how)
    )


@handed(looked("scene.tif"), "tiles", "strips", "mask", "pages", "tagged", "big", "floats")
def geotiff(folder: Path, kind: str) -> Path:
    path = folder / "scene.tif"
    valid = np.full((ROWS, COLUMNS), 255, np.uint8)
    valid[3:5] = 0
    tags = {
        f"SPECTRALGPT_{name}": f'{{"{name}": [1, 2.5, "B02"]}}' for name in ("PARAMETERS", "VERB", "RULES", "FLAGS")
    }
    tags |= {"AREA_OR_POINT": "Point", "TIFFTAG_DATETIME": "2020:05:01 10:00:00", "SPECTRALGPT_SENSOR": "s2-l1c"}
    kinds: dict[str, dict[str, Any]] = {
        "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "predictor": 2},
        "strips": {"compress": "lzw", "interleave": "pixel", "scales": (1e-4,) * 13, "offsets": (-0.1,) * 13},
        "mask": {"mask": valid, "nodata": None},
        "pages": {"compress": "packbits"},
        "tagged": {"tags": tags},
        "big": {"BIGTIFF": "YES", "compress": "zstd"},
    }
    if kind == "floats":
        return write(path, (land(ROWS, COLUMNS) / 1e4).astype("float32"), names=NAMES, compress="deflate", predictor=3)
    scene(path, **kinds[kind])
    if kind == "pages":
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews([2, 4])
    return path


@handed(looked("scene.*", bands="s2-l1c:B1"), "png", "jp2", "img", "nc", "nc4", "ntf")
def other_driver(folder: Path, ending: str) -> Path:
    driver, how = {
        "png": ("PNG", {}),
        "jp2": ("JP2OpenJPEG", {"QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}),
        "img": ("HFA", {}),
        "nc": ("netCDF", {"FORMAT": "NC"}),
        "nc4": ("netCDF", {"FORMAT": "NC4"}),
        "ntf": ("NITF", {}),
    }[ending]
    scene(folder / "made.tif", 1)
    rasterio.shutil.copy(folder / "made.tif", folder / f"scene.{ending}", driver=driver, **how)
    (folder / "made.tif").unlink()
    return folder / f"scene.{ending}"


@handed(looked("scene.tif"))
def sidecar(folder: Path) -> Path:
    scene(folder / "scene.tif", 3)
    text = "".join(
        f'<PAMRasterBand band="{band}"><Description>B0{band}</Description><NoDataValue>0</NoDataValue>'
        "<Scale>0.0001</Scale>"
        f'<Offset>0</Offset><Metadata><MDI key="wavelength">49{band}</MDI></Metadata></PAMRasterBand>'
        for band in (1, 2, 3)
    )
    path = folder / "scene.tif.aux.xml"
    path.write_text(f"<PAMDataset><SRS>EPSG:32618</SRS><Metadata><MDI key='a'>b</MDI></Metadata>{text}</PAMDataset>")
    return path


@handed(looked("scene.vrt"))
def vrt(folder: Path) -> Path:
    scene(folder / "tile.tif", 3)
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><Description>B0{band + 1}</Description><Scale>0.0001</Scale>'
        f'<NoDataValue>0</NoDataValue><ComplexSource><SourceFilename relativeToVRT="1">tile.tif</SourceFilename>'
        f'<SourceBand>{band}</SourceBand><SrcRect xOff="0" yOff="0" xSize="{COLUMNS}" ySize="{ROWS}"/>'
        f'<DstRect xOff="2" yOff="1" xSize="{COLUMNS}" ySize="{ROWS}"/><NODATA>0</NODATA></ComplexSource>'
        "</VRTRasterBand>"
        for band in (1, 2, 3)
    )
    place = "435730, 10, 0, 4179460, 0, -10"
    head = f'<VRTDataset rasterXSize="{COLUMNS + 2}" rasterYSize="{ROWS + 1}"><SRS>{UTM}</SRS>'
    (folder / "scene.vrt").write_text(f"{head}<GeoTransform>{place}</GeoTransform>{bands}</VRTDataset>")
    return folder / "scene.vrt"


@handed(looked("scene.img", bands="s2-l2a"), "hdr", "img")
def envi(folder: Path, ending: str) -> Path:
    land(ROWS, COLUMNS, bands=4).tofile(folder / "scene.img")
    lines = (
        "ENVI", "description = {a made scene}", f"samples = {COLUMNS}", f"lines = {ROWS}", "bands = 4",
        "header offset = 0", "file type = ENVI Standard", "data type = 12", "interleave = bsq", "byte order = 0",
        "map info = {UTM, 1, 1, 435730, 4179460, 10, 10, 18, North, WGS-84, units=Meters}",
        "wavelength units = Nanometers", "wavelength = {490.0, 560.0, 665.0, 842.0}", "fwhm = {65, 36, 31, 115}",
        "reflectance scale factor = 10000", "data ignore value = 0", "bbl = {1, 1, 1, 1}",
        "band names = {blue, green, red, nir}", "acquisition time = 2020-05-01T10:00:00Z",
    )  # fmt: skip
    (folder / "scene.hdr").write_text("\n".join(lines) + "\n")
    return folder / f"scene.{ending}"


# -- products ----------------------------------------------------------------------------------------------------------


def in_folder(inside: str = "", **how: Any) -> Callable[[Path], None]:
    return lambda folder: look(folder / inside if inside else folder, **how)


def the_safe(folder: Path) -> None:
    look(next(folder.glob("*.SAFE")))


@handed(the_safe, "MTD_MSIL1C.xml", "B04.jp2")
def safe(folder: Path, ending: str) -> Path:
    path = level_1c(folder)
    return next(each for each in sorted(path.rglob("*")) if each.name.endswith(ending) and "QI_DATA" not in each.parts)


def level_1c(folder: Path) -> Path:
    import made_safe  # of another folder, which is on the path of the worker alone

    return made_safe.make_safe(folder, made_safe.product_text("L1C"), made_safe.made_images(12, 12))


@handed(looked("product.zip"))
def zip_of_safe(folder: Path) -> Path:
    import shutil

    import made_safe

    path = made_safe.zipped(level_1c(folder), folder / "product.zip")
    shutil.rmtree(next(folder.glob("*.SAFE")))
    return path


LANDSAT = "LC09_L1TP_195025_20230707_20230708_02_T1"


def mtl() -> dict[str, dict[str, str]]:
    files = {f"FILE_NAME_BAND_{number}": f"{LANDSAT}_B{number}.TIF" for number in (3, 4, 5)}
    return {
        "PRODUCT_CONTENTS": {
            "LANDSAT_PRODUCT_ID": LANDSAT, "PROCESSING_LEVEL": "L1TP", "COLLECTION_NUMBER": "02", **files,
            "FILE_NAME_QUALITY_L1_PIXEL": f"{LANDSAT}_QA_PIXEL.TIF",
        },
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": "LANDSAT_9", "SENSOR_ID": "OLI_TIRS", "DATE_ACQUIRED": "2023-07-07",
            "SUN_ELEVATION": "30.0",
        },
        "LEVEL1_RADIOMETRIC_RESCALING": {
            f"REFLECTANCE_{what}_BAND_{number}": value
            for number in (3, 4, 5) for what, value in (("MULT", "2.0000E-05"), ("ADD", "-0.100000"))
        },
    }  # fmt: skip


def landsat_bands(folder: Path) -> None:
    for number in (3, 4, 5):
        write(folder / f"{LANDSAT}_B{number}.TIF", land(ROWS, COLUMNS, number, 1) * 6)
    write(folder / f"{LANDSAT}_QA_PIXEL.TIF", np.full((1, ROWS, COLUMNS), 21824, np.uint16))


@handed(in_folder(), "txt", "xml", "json")
def landsat(folder: Path, ending: str) -> Path:
    landsat_bands(folder)
    odl = "".join(
        f"GROUP = {name}\n" + "".join(f'{key} = "{text}"\n' for key, text in group.items()) + f"END_GROUP = {name}\n"
        for name, group in mtl().items()
    )
    xml = "".join(
        f"<{name}>" + "".join(f"<{key}>{text}</{key}>\n" for key, text in group.items()) + f"</{name}>"
        for name, group in mtl().items()
    )
    root = "LANDSAT_METADATA_FILE"
    texts = {
        "txt": f"GROUP = {root}\n{odl}END_GROUP = {root}\nEND\n",
        "xml": f"<{root}>{xml}</{root}>",
        "json": json.dumps({root: mtl()}),
    }
    path = folder / f"{LANDSAT}_MTL.{ending}"
    path.write_text(texts[ending])
    return path


@handed(looked("*.tar"))
def tar_of_landsat(folder: Path) -> Path:
    landsat(folder, "txt")
    files, path = sorted(folder.iterdir()), folder / f"{LANDSAT}.tar"
    with tarfile.open(path, "w") as tape:
        for each in files:
            tape.add(each, each.name)
            each.unlink()
    return path


@handed(in_folder())
def espa(folder: Path) -> Path:
    scene_id = "LC08_L1TP_195025_20130707_20170503_01_T1"
    for number in (3, 4, 5):
        write(folder / f"{scene_id}_sr_band{number}.tif", land(ROWS, COLUMNS, number, 1).astype("int16"))
    bands = "".join(
        f'<band product="sr_refl" name="sr_band{n}" scale_factor="0.0001" fill_value="-9999"/>' for n in (3, 4, 5)
    )
    path = folder / f"{scene_id}.xml"
    path.write_text(
        '<espa_metadata xmlns="http://espa.cr.usgs.gov/v2"><global_metadata><satellite>LANDSAT_8</satellite>'
        "<instrument>OLI_TIRS</instrument><acquisition_date>2013-07-07</acquisition_date></global_metadata>"
        f"<bands>{bands}</bands></espa_metadata>"
    )
    return path


@handed(looked("item.json"))
def stac(folder: Path) -> Path:
    assets = {}
    for number, (name, band) in enumerate((("blue", "B02"), ("red", "B04"), ("nir", "B08"))):
        write(folder / f"{band}.tif", land(ROWS, COLUMNS, number, 1), nodata=0)
        assets[name] = {
            "href": f"./{band}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"],
            "eo:bands": [{"name": band, "common_name": name, "center_wavelength": 0.5, "full_width_half_max": 0.07}],
            "raster:bands": [{"data_type": "uint16", "scale": 1e-4, "offset": -0.1, "nodata": 0}],
            "proj:transform": list(PLACE), "proj:shape": [ROWS, COLUMNS],
        }  # fmt: skip
    properties = {
        "datetime": "2022-05-01T10:00:00Z", "platform": "sentinel-2b", "constellation": "sentinel-2",
        "proj:epsg": 32618, "s2:processing_baseline": "04.00", "s2:product_type": "S2MSI2A", "eo:cloud_cover": 3.5,
    }  # fmt: skip
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2B_MSIL2A_20220501", "collection": "sentinel-2-l2a",
        "geometry": None, "bbox": [-75.7, 37.7, -75.6, 37.8], "properties": properties, "links": [], "assets": assets,
    }  # fmt: skip
    (folder / "item.json").write_text(json.dumps(item, indent=1))
    return folder / "item.json"


@handed(in_folder())
def hls(folder: Path) -> Path:
    name = "HLS.S30.T18SUG.2021123T154911.v2.0"
    for number, band in enumerate(("B02", "B03", "B04")):
        write(folder / f"{name}.{band}.tif", land(ROWS, COLUMNS, number, 1).astype("int16"), nodata=-9999)
    return folder / f"{name}.B03.tif"


@handed(in_folder())
def folder_of_bands(folder: Path) -> Path:
    for number, band in enumerate(("B02", "B03", "B04")):
        write(folder / f"S2_20200501_{band}.tif", land(ROWS, COLUMNS, number, 1))
    return folder / "S2_20200501_B03.tif"


# -- options that name a file ------------------------------------------------------------------------------------------


@handed(lambda folder: look(folder / "scene.tif", aoi=folder / "area.geojson"))
def area(folder: Path) -> Path:
    scene(folder / "scene.tif", 3)
    ring = [[435760, 4179420], [435900, 4179420], [435900, 4179300], [435760, 4179300], [435760, 4179420]]
    features = [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}]
    crs = {"type": "name", "properties": {"name": "EPSG:32618"}}
    path = folder / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


@handed(lambda folder: look(folder / "scene.tif", bands=str(folder / "own.toml")))
def sensor(folder: Path) -> Path:
    import spectralgpt.bands.catalogue as catalogue

    scene(folder / "scene.tif", names=None, tags={})
    text = (Path(catalogue.__file__).parent / "sensors" / "s2-l1c.toml").read_text()
    (folder / "own.toml").write_text(text.replace("s2-l1c", "own"))
    return folder / "own.toml"


@handed(lambda folder: look(folder / "scene.tif", bands=str(folder / "wavelengths.csv")))
def wavelengths(folder: Path) -> Path:
    write(folder / "scene.tif", (land(ROWS, COLUMNS, bands=4) / 1e4).astype("float32"))
    (folder / "wavelengths.csv").write_text("wavelength,fwhm\n490,65\n560,36\n665,31\n842,115\n")
    return folder / "wavelengths.csv"


@handed(lambda folder: look(folder / "scene.tif", clouds=folder / "clouds.tif"))
def clouds(folder: Path) -> Path:
    scene(folder / "scene.tif", 3)
    return write(folder / "clouds.tif", np.eye(ROWS, COLUMNS, dtype=np.uint8)[None])


def points(names: Iterable[str], rows: Iterable[Iterable[object]], path: Path) -> Path:
    """A table as CSV, Parquet or GeoJSON by the ending of its name."""
    header, lines = list(names), [list(row) for row in rows]
    if path.suffix == ".parquet":
        pq.write_table(pa.table({name: [line[at] for line in lines] for at, name in enumerate(header)}), path)
    elif path.suffix == ".geojson":
        features = [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [3.0 + n, 50.0]},
             "properties": dict(zip(header, line, strict=True))}
            for n, line in enumerate(lines)
        ]  # fmt: skip
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *lines])
    return path


def small_images(folder: Path, count: int = 4) -> list[str]:
    for number in range(count):
        place = PLACE * Affine.translation(100 * number, 0)
        scene(folder / f"i{number}.tif", 3, transform=place)
    return [f"i{number}.tif" for number in range(count)]
