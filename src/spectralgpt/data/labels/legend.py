"""Names and colours that a mask file gives its codes: palette, category names, raster attribute table."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import rasterio.shutil

from spectralgpt.errors import RasterError
from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset
from spectralgpt.raster.xml import parse_xml

NAME_USAGE, VALUE_USAGES, COLOUR_USAGES = "2", ("5", "3"), ("6", "7", "8")
"""GDAL's numbers for what a column of an attribute table is for: a name; the code, or its minimum; red, green, blue."""

NAME_TITLES = ("class", "class_name", "classname", "class_names", "name", "label", "category", "description")
VALUE_TITLES = ("value", "code", "id", "class_id", "pixelvalue")
COLOUR_TITLES = ("red", "green", "blue")
"""Titles of columns whose usage is not stated, in lower case."""


@dataclass(frozen=True, slots=True)
class Legend:
    """Names and colours (`#rrggbb`) by code."""

    names: Mapping[int, str]
    colours: Mapping[int, str]

    def __bool__(self) -> bool:
        return bool(self.names or self.colours)


def read_legend(path: str) -> Legend:
    """The legend of a mask's first band, empty without one. An attribute table comes before category names and palette.

    GDAL describes them alike for all formats in a virtual copy of the file, as rasterio does not give the tables.
    """
    with tempfile.TemporaryDirectory() as folder:
        virtual = os.path.join(folder, "legend.vrt")
        try:
            with open_dataset(path) as mask:
                rasterio.shutil.copy(mask, virtual, driver="VRT")
            with open(virtual, "rb") as file:
                root = parse_xml(file.read(), path)
        except (*GDAL_ERRORS, RasterError, OSError):
            return Legend({}, {})
    band = root.find("VRTRasterBand")
    return Legend({}, {}) if band is None else legend_of(band)


def legend_of(band: Element) -> Legend:
    """The legend in the XML element of a band, as GDAL writes it in .vrt and .aux.xml files."""
    colours = {
        code: _hex([entry.get(channel) for channel in ("c1", "c2", "c3")])
        for code, entry in enumerate(band.findall("ColorTable/Entry"))
    }
    categories = (each.text for each in band.findall("CategoryNames/Category"))
    names = {code: text.strip() for code, text in enumerate(categories) if text and text.strip()}
    table = band.find("GDALRasterAttributeTable")
    if table is not None:
        of_table = _of_table(table)
        names |= of_table.names
        colours |= of_table.colours
    return Legend(names, {code: colour for code, colour in colours.items() if colour})


def _of_table(table: Element) -> Legend:
    fields = table.findall("FieldDefn")
    usages = [field.findtext("Usage", "0") for field in fields]
    titles = [field.findtext("Name", "").strip().lower() for field in fields]
    value = _column(usages, titles, VALUE_USAGES, VALUE_TITLES)
    name = _column(usages, titles, (NAME_USAGE,), NAME_TITLES)
    channels = [
        _column(usages, titles, (usage,), (title,)) for usage, title in zip(COLOUR_USAGES, COLOUR_TITLES, strict=True)
    ]
    names, colours = {}, {}
    for number, row in enumerate(table.findall("Row")):
        cells = [cell.text or "" for cell in row.findall("F")]
        code = _code(cells, value, number)
        if code is None:
            continue
        if name is not None and name < len(cells) and cells[name].strip():
            names[code] = cells[name].strip()
        colours[code] = _hex([cells[each] if each is not None and each < len(cells) else None for each in channels])
    return Legend(names, {code: colour for code, colour in colours.items() if colour})


def _column(usages: Sequence[str], titles: Sequence[str], wanted: Sequence[str], usual: Sequence[str]) -> int | None:
    """The index of the column of a usage, else of a usual title."""
    for usage in wanted:
        if usage in usages:
            return usages.index(usage)
    return next((titles.index(title) for title in usual if title in titles), None)


def _code(cells: Sequence[str], column: int | None, number: int) -> int | None:
    """The code of a row: its number where no column holds codes."""
    if column is None:
        return number
    try:
        value = float(cells[column])
        return int(value) if value.is_integer() else None
    except (ValueError, IndexError):
        return None


def _hex(channels: Sequence[str | None]) -> str:
    """`#rrggbb` of three texts from 0 to 255; empty where one is none."""
    try:
        numbers = [int(float(channel or "")) for channel in channels]
    except ValueError:
        return ""
    return "#{:02x}{:02x}{:02x}".format(*numbers) if all(0 <= number <= 255 for number in numbers) else ""
