"""Sentinel-2 products as ESA ships them (SAFE): folders, zips, parts of them; and tiles as AWS lays them out."""

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

SENSORS = {"L1C": "s2-l1c", "L2A": "s2-l2a"}

SCENE_GSD = 20
"""Metres of the scene classes (SCL)."""

PRODUCT = re.compile(r"MTD_MSIL(?:1C|2A)\.xml|S2\w_(?:OPER|USER)_MTD_SAFL(?:1C|2A)_.*\.xml", re.IGNORECASE)
TILE = re.compile(r"MTD_TL\.xml|S2\w_(?:OPER|USER)_MTD_L(?:1C|2A)_TL_.*\.xml", re.IGNORECASE)
"""Names of a product's metadata, and of a granule's: today's, and until 2016."""

GRANULE = re.compile(r"L(?:1C|2A)_T\w{5}_.*|S2\w_(?:OPER|USER)_MSI_L(?:1C|2A)_TL_.*", re.IGNORECASE)

BAND_IMAGE = re.compile(
    r"(?:.*_)?(?P<what>B(?:0[1-9]|1[0-2]|8A)|SCL)(?:_L2A_TL_.*?)?(?:_(?P<gsd>10|20|60)m)?(?:\.jp2|\.tiff?)?",
    re.IGNORECASE,
)
"""The name of a band's image or of the scene classes': T33XWJ_20220413T150759_B8A_20m.jp2, B8A.jp2 of AWS."""

FOLDER = re.compile(r"R(10|20|60)m")
"""Of the images of a Level-2A product at so many metres."""

AWS = ("product_metadata.xml", "metadata.xml")
"""Metadata of the product and of the tile, beside the images; the first says more."""


def read(path: str, expected: int | None) -> Product | None:
    """The bands of one tile, each from the image at its native resolution; scale and offset as the metadata state.

    path: a product's folder or zip, its metadata file, a GRANULE/<tile> or what lies in it, or a tile of AWS.
    RasterError for several tiles, no images, or metadata that are broken or do not tell.
    """
    located = _locate(path)
    if located is None:
        return None
    archive, metadata, inside = located
    source = f"{archive.path}/{metadata}"
    told = read_metadata(archive.text(metadata), source)
    images = _images(path, archive, metadata, inside)
    chosen, warnings = _chosen(path, told, images)
    headers = {what: _header(archive.gdal_path(name)) for what, name in chosen.items()}
    scene = headers.pop("SCL", None)
    bands = tuple(_stored(headers[band], band, told, source) for band in told.bands if band in headers)
    if not bands:
        raise RasterError(
            f"{path}: found Sentinel-2 metadata but no image of a band (a metadata skeleton)",
            "files like IMG_DATA/..._B02.jp2",
            "Fetch the whole product",
        )
    if told.has_silent_offset:
        warnings.append(
            f"{source}: states no offset, though products of processing baseline {told.baseline} have one; took "
            f"{OFFSET_CONVENTION:.0f}, as {ADD_OFFSET[told.level]} is by convention"
        )
    return Product(
        bands=bands,
        sensor=SENSORS[told.level],
        day=told.day if told.day != UNKNOWN else day_in_name(told.uri or os.path.basename(archive.path)),
        clouds=None if scene is None else _clouds(scene),
        missing=_missing(told, headers) if re.fullmatch(r"(GRANULE(/[^/]+)?)?", inside) else (),
        tags=_tags(told),
        facts=_facts(told, os.path.basename(metadata)),
        warnings=(*warnings, *(warning for header in headers.values() for warning in header.warnings)),
    )


def _locate(path: str) -> tuple[Archive, str, str] | None:
    """Where a product is, its metadata file in there, and the part that is asked for, empty for all of it.

    None when this is no Sentinel-2 product; RasterError when it is a part of one whose metadata are not there.
    """
    full = os.path.abspath(path)
    folder, name = os.path.split(full)
    if os.path.isdir(full):
        return _in_folder(path, full)
    if (packed := open_archive(full)) is not None:
        metadata = _only(path, [each for each in packed.names(4) if PRODUCT.fullmatch(os.path.basename(each))])
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
    """The same for a folder: of a product, of a part of one, or around one."""
    archive = Archive(full, "folder")
    metadata = _metadata_of(path, archive)
    if metadata is not None:
        return archive, metadata, ""
    if (part := _as_part(full)) is not None:
        return part
    inner = [each for each in sorted(os.listdir(full)) if each.upper().endswith(".SAFE")]
    if inner and not any(each.lower().endswith((".tif", ".tiff", ".jp2")) for each in archive.names(1)):
        around = Archive(os.path.join(full, _only(path, inner) or ""), "folder")
        metadata = _metadata_of(path, around) if os.path.isdir(around.path) else None
        if metadata is not None:
            return around, metadata, ""
    if full.upper().endswith(".SAFE"):
        raise RasterError(
            f"{path}: found a .SAFE folder without MTD_MSIL1C.xml or MTD_MSIL2A.xml at its top",
            "a Sentinel-2 product, whose metadata tell scale and offset",
            "Fetch the whole product",
        )
    return None


def _as_part(full: str) -> tuple[Archive, str, str] | None:
    """The same for a path within a product's GRANULE folder, or for an image or R10m folder in a tile of AWS."""
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
            "it there, as it tells scale and offset",
            "Fetch the whole product",
        )
    return None


def _metadata_of(path: str, archive: Archive) -> str | None:
    """The metadata at the top of a folder, when it holds a product or a tile."""
    top = archive.names(1)
    metadata = _only(path, [each for each in top if PRODUCT.fullmatch(each)])
    return metadata or next((each for each in AWS if each in top and _is_ours(archive, each)), None)


def _only(path: str, names: Sequence[str]) -> str | None:
    """The one there is, None without; RasterError, naming them, for several."""
    if len(names) > 1:
        raise RasterError(f"{path}: found {', '.join(names[:5])}", "one product", "Name one of them")
    return names[0] if names else None


def _is_ours(archive: Archive, name: str) -> bool:
    """Whether a file with a name that anybody may give is Sentinel-2's: its root element stands at its top."""
    return re.search(r"<(?:\w+:)?Level-(?:1C|2A)p?_(?:User_Product|Tile_ID)\b", archive.start(name)) is not None


def _images(path: str, archive: Archive, metadata: str, inside: str) -> list[tuple[str, str, int]]:
    """Name in the archive, band or SCL, and metres of each image of the one tile that is asked for.

    Only what lies in a granule's IMG_DATA, in a tile of AWS beside the metadata: QI_DATA has masks a band, named alike.
    """
    top = os.path.dirname(metadata)
    in_tile = r"GRANULE/([^/]+)/IMG_DATA/" if os.path.basename(metadata) not in AWS else "()"
    place = re.compile((re.escape(f"{top}/") if top else "") + in_tile + rf"(?:{FOLDER.pattern}/)?[^/]+\.(?:jp2|tiff?)")
    found, tiles = [], set()
    for name in archive.names():
        lies, what = place.fullmatch(name), _shown(name)
        if lies and what and (not inside or f"{name}/".startswith(f"{inside}/")):
            found.append((name, *what))
            tiles.add(lies[1])
    if len(tiles) > 1:
        raise RasterError(
            f"{path}: found {len(tiles)} tiles ({', '.join(sorted(tiles)[:5])}); expected one. Name one of them, like "
            f"{os.path.join(path, 'GRANULE', min(tiles))}"
        )
    return found


def _shown(name: str) -> tuple[str, int] | None:
    """The band, or SCL, and the metres of an image by its name, else by its folder's, else as measured."""
    *_, folder, file = ("", *name.split("/"))
    image, at = BAND_IMAGE.fullmatch(file), FOLDER.fullmatch(folder)
    if image is None:
        return None
    what = re.sub("^B0", "B", image["what"].upper())
    return what, int(image["gsd"] or (at[1] if at else NATIVE.get(what, SCENE_GSD)))


def _chosen(path: str, told: SafeMetadata, images: Sequence[tuple[str, str, int]]) -> tuple[dict[str, str], list[str]]:
    """The image of each band and of SCL: at the native resolution, else at the finest there is, with a warning."""
    there: dict[str, dict[int, str]] = {}
    for name, what, gsd in images:
        other = there.setdefault(what, {}).setdefault(gsd, name)
        if other != name:
            raise RasterError(f"{path}: found {other} and {name} for {what} at {gsd} m", "one", "Remove one of them")
    chosen: dict[str, str] = {}
    coarse: list[str] = []
    for what in (*told.bands, "SCL"):
        if what in there:
            native, finest = NATIVE.get(what, SCENE_GSD), min(there[what])
            chosen[what] = there[what].get(native, there[what][finest])
            coarse += [f"{what} at {finest} m instead of {native} m"] if native not in there[what] else []
    return chosen, [f"{path}: read {', '.join(coarse)}: the images that were measured are not there"] if coarse else []


def _header(path: str) -> Header:
    header = read_header(path)
    if len(header.bands) != 1:
        raise RasterError(f"{path}: found {len(header.bands)} bands", "one, as in every Sentinel-2 image")
    return header


def _stored(header: Header, band: str, told: SafeMetadata, source: str) -> StoredBand:
    if told.offsets and band not in told.offsets:
        raise RasterError(
            f"{source}: found {ADD_OFFSET[told.level]} for {', '.join(told.offsets)}, none for {band}",
            "one for each band",
            "Fetch the metadata again",
        )
    quantification = told.quantification or CONVENTION
    return replace(
        header.bands[0],
        name=band,
        scale=1 / quantification,
        offset=told.added(band) / quantification,
        nodata=told.nodata,
    )


def _clouds(scene: Header) -> CloudLayer:
    layer = scene.bands[0]
    return CloudLayer("scl", layer.path, layer.index, layer.grid, SCENE_CLASSES)


def _missing(told: SafeMetadata, there: Container[str]) -> tuple[tuple[str, str], ...]:
    """Bands that the metadata list, or that the level has where they list none, and whose image is not there."""
    listed: dict[str, str] = {}
    for name in told.images:
        what, gsd = _shown(name) or ("", 0)
        if what not in listed or gsd == NATIVE.get(what):
            listed[what] = f"{name}.jp2"
    if not told.images:
        listed = {band: f"B{band[1:].zfill(2)}.jp2" for band in told.bands}
    return tuple((band, listed[band]) for band in told.bands if band in listed and band not in there)


def _tags(told: SafeMetadata) -> tuple[tuple[str, str], ...]:
    tags = (
        ("PROCESSING_BASELINE", told.baseline),
        ("PRODUCT_URI", told.uri),
        ("SPACECRAFT_NAME", told.platform),
    )
    return tuple((name, value) for name, value in tags if value)


def _facts(told: SafeMetadata, name: str) -> tuple[str, ...]:
    baseline = f"processing baseline {told.baseline or 'not told'}"
    if told.quantification is None:
        scale = f"scale {1 / CONVENTION:g} by convention: {name} states none"
    else:
        scale = f"scale {1 / told.quantification:g} from {name}"
    quantification = told.quantification or CONVENTION
    if told.offsets:
        values = sorted({value / quantification for value in told.offsets.values()})
        offset = f"offset {' to '.join(f'{value:g}' for value in (values[0], values[-1])[: len(values)])} from {name}"
    elif told.has_silent_offset:
        offset = f"offset {OFFSET_CONVENTION / quantification:g} by convention: {name} states none"
    else:
        offset = f"offset 0: {name} states none"
    return (f"level {told.level}, {baseline} from {name}", scale, offset)


def _is_product(folder: str, names: Sequence[str]) -> bool:
    marks = (PRODUCT.fullmatch(name) or name.lower() == "manifest.safe" for name in names)
    return folder.upper().endswith(".SAFE") or any(marks)


FORMAT = Format(
    title="Sentinel-2 products of ESA (.SAFE, its zip, parts of it) and tiles as AWS lays them out",
    priority=20,
    read=read,
    archives=(".zip", ".tar"),
    named=(".safe",),
    claims_folder=_is_product,
    clouds=(CloudCode("scl", "scl", SCENE_CLASSES),),
)
