"""The files that a VRT names, and the VRTs that are not opened, as GDAL reads more out of them than pixels of images.

GDAL takes a node of a VRT in any case of letters, as an element or as an attribute. Here, each file must stand where
GDAL writes it, so that none is read without having been looked at.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from spectralgpt.errors import RasterError
from spectralgpt.raster.xml import parse_xml

MOST_VRT_BYTES, MOST_SOURCES, DEEPEST_VRT = 64_000_000, 10_000, 8
"""Bytes of XML, sources per band, VRTs in VRTs."""

VRT_START, VRT_START_BYTES = b"<VRTDataset", 1024
"""GDAL takes a file with this text in its first bytes, before any zero, for a VRT, whatever its name."""

FILE_ELEMENTS = ("SourceFilename", "SourceDataset")
"""Elements that name a file."""

LIKE_FILES = ("relativeToVRT", "subClass", "PixelFunctionLanguage", "PixelFunctionCode", *FILE_ELEMENTS)
"""Nodes that count here, and are therefore written as GDAL writes them."""

OTHER_FILES = {
    **{"group": "a multidimensional VRT", "input": "a processed VRT", "dempath": "a file of heights"},
    **{"geoloctransformer": "arrays of positions", "overview_file": "a file of overviews"},
    **{"src_geoloc_array": "arrays of positions", "dst_geoloc_array": "arrays of positions"},
}
"""Nodes, options and tags in lower case through which GDAL reads further files, in words."""

KNOWN_CLASSES = {
    *("VRTSourcedRasterBand", "VRTDerivedRasterBand", "VRTWarpedRasterBand", "VRTPansharpenedRasterBand"),
    *("VRTWarpedDataset", "VRTPansharpenedDataset", "VRTSimpleSource"),
}
"""Values of subClass whose files all stand in FILE_ELEMENTS."""

SPLIT_NAME = re.compile(rb"<(?:SourceFilename|SourceDataset)[^>]*>[^<]*<[^/]")
"""A file's name with something inside: a comment or an element. GDAL reads a part of it alone."""


def is_vrt(path: str) -> bool:
    """Whether GDAL takes a file for a VRT: by its content, whatever its name."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return VRT_START in file.read(VRT_START_BYTES).partition(b"\x00")[0]
    except OSError:
        return False


def parse_vrt(path: str) -> Element:
    """The XML of a VRT. RasterError for other files, and for what no image needs: entities, programs, plain bytes of
    any file as pixels, nodes that only GDAL finds."""
    size = os.path.getsize(path)
    if size > MOST_VRT_BYTES:
        raise RasterError(f"{path}: found {size} bytes", "a VRT, an XML file")
    raw = Path(path).read_bytes()
    if b"\x00" in raw:  # GDAL stops at the first
        raise RasterError(f"{path}: found XML with zero bytes", "a VRT", "Build the VRT again")
    root = parse_xml(raw, path)
    if root.tag != "VRTDataset":
        raise RasterError(f"{path}: found XML of {root.tag}", "a VRT (VRTDataset)")
    if SPLIT_NAME.search(raw):
        raise RasterError(f"{path}: found something inside a source's name", "a name alone", "Build the VRT again")
    _refuse_programs(root, path)
    for element in root.iter():
        _refuse_node(element, path)
    if sum(1 for _ in root.iter("SourceFilename")) > MOST_SOURCES * max(1, len(root.findall("VRTRasterBand"))):
        raise RasterError(f"{path}: found more than {MOST_SOURCES} sources per band", "fewer")
    return root


def vrt_files(root: Element, path: str) -> Iterator[str]:
    """The files that a VRT names: of its bands, masks and overviews, some of them more than once."""
    for name in FILE_ELEMENTS:
        for element in root.iter(name):
            yield located(element, path)


def written_names(root: Element) -> Iterator[str]:
    """The names of the same files as they stand in the VRT."""
    return ((element.text or "").strip() for name in FILE_ELEMENTS for element in root.iter(name))


def located(element: Element, path: str) -> str:
    """The path in a SourceFilename or SourceDataset."""
    name = (element.text or "").strip()
    if not name:
        raise RasterError(f"{path}: found a source without a name", "a file")
    relative = element.get("relativeToVRT", "0") == "1"
    # relative to the VRT itself, not to the target of a link, as in GDAL
    return os.path.join(os.path.dirname(os.path.abspath(path)), name) if relative else name


def _refuse_programs(root: Element, path: str) -> None:
    language = {(each.text or "").strip().lower() for each in root.iter("PixelFunctionLanguage")} - {"c"}
    if language or next(root.iter("PixelFunctionCode"), None) is not None:
        raise RasterError(
            f"{path}: found pixel functions in Python", "none, as they are not run", "Save the result as a file"
        )


def _refuse_node(element: Element, path: str) -> None:
    """RasterError for a node that names a file where none is expected."""
    for name in (element.tag, *element.attrib):
        if _spelling(name) not in (None, name) or (name in FILE_ELEMENTS and name in element.attrib):
            raise RasterError(f"{path}: found {name} where GDAL writes none", "a VRT", "Build the VRT again")
    named = [element.tag, *(element.get(key, "") for key in ("key", "name"))]
    other = next((found for name in named if (found := OTHER_FILES.get(name.lower()))), None)
    if other is not None:
        raise RasterError(f"{path}: found {other}", "a VRT of images", "Save it as an image: gdal_translate")
    kind = element.get("subClass")
    if kind == "VRTRawRasterBand":
        raise RasterError(
            f"{path}: found a raw band, which takes the bytes of any file for pixels",
            "bands of images",
            "Save it as an image: gdal_translate",
        )
    if kind is not None and kind not in KNOWN_CLASSES:
        raise RasterError(f"{path}: found a {kind}", "a VRT of images", "Save it as an image: gdal_translate")


def _spelling(name: str) -> str | None:
    """How GDAL writes a node that counts here; None for others."""
    return next((each for each in LIKE_FILES if each.lower() == name.lower()), None)
