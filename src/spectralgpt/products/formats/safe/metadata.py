"""What the metadata of a Sentinel-2 product state: level, scale, offset, date, files."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import day_in_tags
from spectralgpt.raster.xml import parse_xml

NATIVE = {
    "B1": 60,
    "B2": 10,
    "B3": 10,
    "B4": 10,
    "B5": 20,
    "B6": 20,
    "B7": 20,
    "B8": 10,
    "B8A": 20,
    "B9": 60,
    "B10": 60,
    "B11": 20,
    "B12": 20,
}
"""The bands in the order of the metadata's band_id, and the pixel size in metres at which each is measured."""

ADD_OFFSET = {"L1C": "RADIO_ADD_OFFSET", "L2A": "BOA_ADD_OFFSET"}

QUANTIFICATION = {"L1C": ("QUANTIFICATION_VALUE",), "L2A": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE")}
"""Names of the divisor of stored values; Sen2Cor wrote the last until 2018."""

CONVENTION, OFFSET_CONVENTION, OFFSET_SINCE = 10000.0, -1000.0, "04.00"
"""Not stated by the metadata of a tile: the stored number of reflectance 1, and the number added since a baseline."""

NO_BASELINE = "99.99"
"""Written by Sen2Cor on a user's own machine; it says nothing about offsets."""


@dataclass(frozen=True, slots=True)
class SafeMetadata:
    """What the metadata of a product, or of one tile alone, state.

    level: L1C or L2A. baseline: of the processing, like 04.00, empty when not stated. day: since 1970-01-01 in UTC, -1
    unknown. reflectance = (stored + offsets[band]) / quantification; None and empty where they are not stated. nodata,
    saturated: the stored values with these meanings. images: files of the product, without their ending.
    """

    level: str
    baseline: str
    day: int
    platform: str
    uri: str
    quantification: float | None
    offsets: dict[str, float]
    nodata: float | None
    saturated: float | None
    images: tuple[str, ...]

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands in products of this level."""
        return tuple(band for band in NATIVE if (self.level, band) != ("L2A", "B10"))

    @property
    def has_unstated_offset(self) -> bool:
        """Whether products of this baseline have an offset, and none is stated."""
        known = re.fullmatch(r"\d\d\.\d\d", self.baseline) and self.baseline != NO_BASELINE
        return not self.offsets and bool(known) and self.baseline >= OFFSET_SINCE

    def added(self, band: str) -> float:
        """The number added to a band's stored values before the division; by convention where not stated."""
        return self.offsets.get(band, OFFSET_CONVENTION if self.has_unstated_offset else 0.0)


def read_metadata(text: str, source: str) -> SafeMetadata:
    """What an MTD_MSIL1C.xml, MTD_MSIL2A.xml, or the metadata of one tile state.

    source: the file, for messages. RasterError when it is other XML, or its numbers are missing or impossible.
    """
    root = parse_xml(text, source)
    kind = re.fullmatch(r"Level-(1C|2A)p?_(User_Product|Tile_ID)", _local(root))
    if kind is None:
        raise RasterError(f"{source}: found <{_local(root)[:50]}>", "metadata of a Level-1C or Level-2A product")
    level, is_product = f"L{kind[1]}", kind[2] == "User_Product"
    found: dict[str, list[ElementTree.Element]] = {}
    for element in root.iter():
        found.setdefault(_local(element), []).append(element)

    def first(*tags: str) -> str:
        return next((text for tag in tags for e in found.get(tag, ()) if (text := (e.text or "").strip())), "")

    tile = first("TILE_ID")
    quantification = _quantification(first(*QUANTIFICATION[level]), level, is_product, source)
    special = _special_values(found.get("Special_Values", ()), source)
    in_tile = re.search(r"_N(\d\d\.\d\d)$", tile)
    sensing = first("DATATAKE_SENSING_START") or first("PRODUCT_START_TIME") or first("SENSING_TIME")
    return SafeMetadata(
        level=level,
        baseline=first("PROCESSING_BASELINE") or (in_tile[1] if in_tile else ""),
        day=day_in_tags({"SENSING_TIME": sensing}),
        platform=first("SPACECRAFT_NAME") or (f"Sentinel-2{tile[2]}" if tile.startswith("S2") else ""),
        uri=first("PRODUCT_URI", "PRODUCT_URI_1C" if level == "L1C" else "PRODUCT_URI_2A"),
        quantification=quantification,
        offsets=_offsets(found.get(ADD_OFFSET[level], ()), ADD_OFFSET[level], source),
        nodata=special.get("NODATA"),
        saturated=special.get("SATURATED"),
        images=tuple(
            element.text.strip()
            for tag in ("IMAGE_FILE", "IMAGE_FILE_2A", "IMAGE_ID", "IMAGE_ID_2A")
            for element in found.get(tag, ())
            if element.text
        ),
    )


def _quantification(stated: str, level: str, is_product: bool, source: str) -> float | None:
    """The stored number of reflectance 1, None for a tile without it. RasterError for a product without it."""
    name = QUANTIFICATION[level][0]
    if not stated and is_product:
        raise RasterError(f"{source}: found no {name}, from which reflectance is computed", do="Download it again")
    if not stated:
        return None
    number = _number(stated, name, source)
    if number <= 0:
        raise RasterError(f"{source}: found {name} {stated}", "a number above 0")
    return number


def _special_values(elements: Iterable[ElementTree.Element], source: str) -> dict[str, float]:
    """Stored values with a meaning, by its name, like NODATA."""
    return {
        (element.findtext("SPECIAL_VALUE_TEXT") or "").strip(): _number(
            element.findtext("SPECIAL_VALUE_INDEX") or "", "a special value", source
        )
        for element in elements
    }


def _offsets(elements: Iterable[ElementTree.Element], tag: str, source: str) -> dict[str, float]:
    offsets: dict[str, float] = {}
    names = dict(zip(map(str, range(len(NATIVE))), NATIVE, strict=True))
    for element in elements:
        number = element.get("band_id", element.get("bandId", "")).strip()
        if number not in names or names[number] in offsets:
            raise RasterError(f"{source}: found {tag} of band_id {number!r}", "0 to 12, each at most once")
        offsets[names[number]] = _number(element.text or "", tag, source)
    return offsets


def _number(text: str, what: str, source: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RasterError(f"{source}: found {text.strip()[:50]!r} for {what}", "a number", "Download it again")
    return number


def _local(element: ElementTree.Element) -> str:
    """The tag without its namespace."""
    return element.tag.rpartition("}")[2]
