"""Sentinel-2 products in ESA's form (SAFE): folders, zips, parts of them; and tiles in the form of AWS."""

import os
import re
from collections.abc import Container, Sequence
from dataclasses import replace

from spectralgpt.days import UNKNOWN
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import day_in_name
from spectralgpt.products.archive import Archive, open_archive
from spectralgpt.products.format import CloudCode, Format
from spectralgpt.products.formats.safe.metadata import (
    ADD_OFFSET,
    CONVENTION,
    NATIVE,
    OFFSET_CONVENTION,
    SafeMetadata,
    read_metadata,
)
from spectralgpt.products.header import Header, read_header
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer

SCENE_CLASSES = tuple((255, value) for value in (3, 8, 9, 10))
"""Sentinel-2's scene classes (SCL) of cloud shadow, cloud of medium and high probability, and cirrus."""

SENSOR_OF_LEVEL = {"L1C": "s2-l1c", "L2A": "s2-l2a"}

SCENE_GSD = 20
"""Metres of the scene classes (SCL)."""

PRODUCT = re.compile(r"MTD_MSIL(?:1C|2A)\.xml|S2\w_(?:OPER|USER)_MTD_SAFL(?:1C|2A)_.*\.xml", re.IGNORECASE)
TILE = re.compile(r"MTD_TL\.xml|S2\w_(?:OPER|USER)_MTD_L(?:1C|2A)_TL_.*\.xml", re.IGNORECASE)
"""Names of the metadata of a product and of a granule: today's, and those until 2016."""

GRANULE = re.compile(r"L(?:1C|2A)_T\w{5}_.*|S2\w_(?:OPER|USER)_MSI_L(?:1C|2A)_TL_.*", re.IGNORECASE)

BAND_IMAGE = re.compile(
    r"(?:.*_)?(?P<what>B(?:0[1-9]|1[0-2]|8A)|SCL)(?:_L2A_TL_.*?)?(?:_(?P<gsd>10|20|60)m)?(?:\.jp2|\.tiff?)?",
    re.IGNORECASE,
)
"""The name of an image of a band or the scene classes: T33XWJ_20220413T150759_B8A_20m.jp2, on AWS B8A.jp2."""

FOLDER = re.compile(r"R(10|20|60)m")
"""The folder of the images at a pixel size, in a Level-2A product."""

AWS = ("product_metadata.xml", "metadata.xml")
"""Metadata of the product and of the tile, beside the images; the first contains more."""


def read(path: str, expected: int | None) -> Product | None:
    """The bands of one tile, each from the image at its native resolution, with the scale and offset of the metadata.

    path: a product's folder or zip, its metadata file, a GRANULE/<tile> or a path in it, or a tile of AWS. RasterError
    for several tiles, no images, or metadata that are broken or incomplete.
    """
    located = _locate(path)
    if located is None:
        return None
    archive, metadata, inside = located
    source = f"{archive.path}/{metadata}"
    stated = read_metadata(archive.text(metadata), source)
    images = _images(path, archive, metadata, inside)
    chosen, warnings = _chosen(path, stated, images)
    headers = {what: _header(archive.gdal_path(name)) for what, name in chosen.items()}
    scene = headers.pop("SCL", None)
    bands = tuple(_stored(headers[band], band, stated, source) for band in stated.bands if band in headers)
    if not bands:
        raise RasterError(
            f"{path}: found Sentinel-2 metadata but no image of a band (a metadata skeleton)",
            "files like IMG_DATA/..._B02.jp2",
            "Download the whole product",
        )
    if stated.has_unstated_offset:
        warnings.append(
            f"{source}: declares no offset, although products of processing baseline {stated.baseline} have one; "
            f"{ADD_OFFSET[stated.level]} {OFFSET_CONVENTION:.0f} is used, by convention"
        )
    return Product(
        bands=bands,
        sensor=SENSOR_OF_LEVEL[stated.level],
        day=stated.day if stated.day != UNKNOWN else day_in_name(stated.uri or os.path.basename(archive.path)),
        clouds=None if scene is None else _clouds(scene),
        missing=_missing(stated, headers) if re.fullmatch(r"(GRANULE(/[^/]+)?)?", inside) else (),
        tags=_tags(stated),
        facts=_facts(stated, os.path.basename(metadata)),
        warnings=(*warnings, *(warning for header in headers.values() for warning in header.warnings)),
    )


def _locate(path: str) -> tuple[Archive, str, str] | None:
    """Where a product is, the name of its metadata file in it, and the part that is meant, empty for all of it.

    None when this is not a Sentinel-2 product; RasterError when it is a part of one without its metadata.
    """
    full = os.path.abspath(path)
    folder, name = os.path.split(full)
    if os.path.isdir(full):
        return _in_folder(path, full)
    if (packed := open_archive(full)) is not None:
        metadata = _only(path, [name for name in packed.names(4) if PRODUCT.fullmatch(os.path.basename(name))])
        return None if metadata is None else (packed, metadata, "")
    if not os.path.isfile(full):
        return None
    if PRODUCT.fullmatch(name):
        return Archive(folder, "folder"), name, ""
    if name.lower() == "manifest.safe" or name in AWS:
        return _in_folder(path, folder)
    if TILE.fullmatch(name):
        return _as_part(folder)
    return _as_part(full) if BAND_IMAGE.fullmatch(name) else None


def _in_folder(path: str, full: str) -> tuple[Archive, str, str] | None:
    """As `_locate`, for a folder: of a product, of a part of one, or around one."""
    archive = Archive(full, "folder")
    metadata = _metadata_of(path, archive)
    if metadata is not None:
        return archive, metadata, ""
    if (part := _as_part(full)) is not None:
        return part
    inner = [name for name in sorted(os.listdir(full)) if name.upper().endswith(".SAFE")]
    if inner and not any(name.lower().endswith((".tif", ".tiff", ".jp2")) for name in archive.names(1)):
        around = Archive(os.path.join(full, _only(path, inner) or ""), "folder")
        metadata = _metadata_of(path, around) if os.path.isdir(around.path) else None
        if metadata is not None:
            return around, metadata, ""
    if full.upper().endswith(".SAFE"):
        raise RasterError(
            f"{path}: found a .SAFE folder without MTD_MSIL1C.xml or MTD_MSIL2A.xml at its top",
            "a Sentinel-2 product with its metadata, which declare scale and offset",
            "Download the whole product",
        )
    return None


def _as_part(full: str) -> tuple[Archive, str, str] | None:
    """As `_locate`, for a path in a product's GRANULE folder, or for an image or R10m folder in a tile of AWS."""
    parts = full.split(os.sep)
    in_product = "GRANULE" in parts
    if in_product:
        up = parts[::-1].index("GRANULE") + 1
    elif FOLDER.fullmatch(parts[-1]) or os.path.isfile(full):
        up = 2 if FOLDER.fullmatch(parts[-2]) else 1
    else:
        return None
    root = Archive(os.sep.join(parts[:-up]) or os.sep, "folder")
    metadata = _metadata_of(full, root)
    if metadata is not None and (in_product or metadata in AWS):
        return root, metadata, "/".join(parts[-up:])
    if in_product and up > 1 and GRANULE.fullmatch(parts[1 - up]):
        raise RasterError(
            f"{full}: found a part of a Sentinel-2 product, but no MTD_MSIL1C.xml or MTD_MSIL2A.xml in {root.path}",
            "one of them, as it declares scale and offset",
            "Download the whole product",
        )
    return None


def _metadata_of(path: str, archive: Archive) -> str | None:
    """The metadata file at the top of a folder that holds a product or a tile, None for other folders."""
    top = archive.names(1)
    metadata = _only(path, [name for name in top if PRODUCT.fullmatch(name)])
    return metadata or next((name for name in AWS if name in top and _is_sentinel_2(archive, name)), None)


def _only(path: str, names: Sequence[str]) -> str | None:
    """The only name, None without any; RasterError, with the names, for several."""
    if len(names) > 1:
        raise RasterError(f"{path}: found {', '.join(names[:5])}", "one product", "Give one of them")
    return names[0] if names else None


def _is_sentinel_2(archive: Archive, name: str) -> bool:
    """Whether a file with a common name is Sentinel-2's, by its root element."""
    return re.search(r"<(?:\w+:)?Level-(?:1C|2A)p?_(?:User_Product|Tile_ID)\b", archive.start(name)) is not None


def _images(path: str, archive: Archive, metadata: str, inside: str) -> list[tuple[str, str, int]]:
    """Name in the archive, band or SCL, and pixel size in metres of each image of the one tile that is meant.

    Only images in a granule's IMG_DATA, or on AWS beside the metadata: masks in QI_DATA have similar names.
    """
    top = os.path.dirname(metadata)
    in_tile = r"GRANULE/([^/]+)/IMG_DATA/" if os.path.basename(metadata) not in AWS else "()"
    place = re.compile((re.escape(f"{top}/") if top else "") + in_tile + rf"(?:{FOLDER.pattern}/)?[^/]+\.(?:jp2|tiff?)")
    found, tiles = [], set()
    for name in archive.names():
        lies, what = place.fullmatch(name), _band_and_gsd(name)
        if lies and what and (not inside or f"{name}/".startswith(f"{inside}/")):
            found.append((name, *what))
            tiles.add(lies[1])
    if len(tiles) > 1:
        raise RasterError(
            f"{path}: found {len(tiles)} tiles ({', '.join(sorted(tiles)[:5])})",
            "one tile",
            f"Give one of them, like {os.path.join(path, 'GRANULE', min(tiles))}",
        )
    return found


def _band_and_gsd(name: str) -> tuple[str, int] | None:
    """The band, or SCL, of an image, and its metres by its name, else by its folder's, else the native ones."""
    *_, folder, file = ("", *name.split("/"))
    image, at = BAND_IMAGE.fullmatch(file), FOLDER.fullmatch(folder)
    if image is None:
        return None
    what = re.sub("^B0", "B", image["what"].upper())
    return what, int(image["gsd"] or (at[1] if at else NATIVE.get(what, SCENE_GSD)))


def _chosen(
    path: str, stated: SafeMetadata, images: Sequence[tuple[str, str, int]]
) -> tuple[dict[str, str], list[str]]:
    """The image of each band and of SCL: at the native resolution, else at the finest available, with a warning."""
    there: dict[str, dict[int, str]] = {}
    for name, what, gsd in images:
        other = there.setdefault(what, {}).setdefault(gsd, name)
        if other != name:
            raise RasterError(
                f"{path}: found {other} and {name} for {what} at {gsd} m", "one image", "Remove one of them"
            )
    chosen: dict[str, str] = {}
    coarse: list[str] = []
    for what in (*stated.bands, "SCL"):
        if what in there:
            native, finest = NATIVE.get(what, SCENE_GSD), min(there[what])
            chosen[what] = there[what].get(native, there[what][finest])
            coarse += [f"{what} at {finest} m instead of {native} m"] if native not in there[what] else []
    return chosen, [f"{path}: read {', '.join(coarse)}, as the native images are missing"] if coarse else []


def _header(path: str) -> Header:
    header = read_header(path)
    if len(header.bands) != 1:
        raise RasterError(f"{path}: found {len(header.bands)} bands", "one, as in every Sentinel-2 image")
    return header


def _stored(header: Header, band: str, stated: SafeMetadata, source: str) -> StoredBand:
    if stated.offsets and band not in stated.offsets:
        raise RasterError(
            f"{source}: found {ADD_OFFSET[stated.level]} for {', '.join(stated.offsets)}, none for {band}",
            "one per band",
            "Download it again",
        )
    quantification = stated.quantification or CONVENTION
    return replace(
        header.bands[0],
        name=band,
        scale=1 / quantification,
        offset=stated.added(band) / quantification,
        nodata=stated.nodata,
    )


def _clouds(scene: Header) -> CloudLayer:
    layer = scene.bands[0]
    return CloudLayer("scl", layer.path, layer.index, layer.grid, SCENE_CLASSES)


def _missing(stated: SafeMetadata, present: Container[str]) -> tuple[tuple[str, str], ...]:
    """Bands without an image, as (band, file), of those that the metadata list; if they list none, of the level's."""
    listed: dict[str, str] = {}
    for name in stated.images:
        what, gsd = _band_and_gsd(name) or ("", 0)
        if what not in listed or gsd == NATIVE.get(what):
            listed[what] = f"{name}.jp2"
    if not stated.images:
        listed = {band: f"B{band[1:].zfill(2)}.jp2" for band in stated.bands}
    return tuple((band, listed[band]) for band in stated.bands if band in listed and band not in present)


def _tags(stated: SafeMetadata) -> tuple[tuple[str, str], ...]:
    tags = (
        ("PROCESSING_BASELINE", stated.baseline),
        ("PRODUCT_URI", stated.uri),
        ("SPACECRAFT_NAME", stated.platform),
    )
    return tuple((name, value) for name, value in tags if value)


def _facts(stated: SafeMetadata, name: str) -> tuple[str, ...]:
    baseline = f"processing baseline {stated.baseline or 'not declared'}"
    if stated.quantification is None:
        scale = f"scale {1 / CONVENTION:g} by convention: {name} declares none"
    else:
        scale = f"scale {1 / stated.quantification:g} from {name}"
    quantification = stated.quantification or CONVENTION
    if stated.offsets:
        values = sorted({value / quantification for value in stated.offsets.values()})
        offset = f"offset {' to '.join(f'{value:g}' for value in (values[0], values[-1])[: len(values)])} from {name}"
    elif stated.has_unstated_offset:
        offset = f"offset {OFFSET_CONVENTION / quantification:g} by convention: {name} declares none"
    else:
        offset = f"offset 0: {name} declares none"
    return (f"level {stated.level}, {baseline} from {name}", scale, offset)


def _is_product(folder: str, names: Sequence[str]) -> bool:
    marks = (PRODUCT.fullmatch(name) or name.lower() == "manifest.safe" for name in names)
    return folder.upper().endswith(".SAFE") or any(marks)


FORMAT = Format(
    title="ESA Sentinel-2 products (a .SAFE folder, its zip, or parts of it) and tiles in the layout of AWS",
    priority=40,
    read=read,
    archives=(".zip", ".tar"),
    named=(".safe",),
    claims_folder=_is_product,
    clouds=(CloudCode("scl", "scl", SCENE_CLASSES),),
)
