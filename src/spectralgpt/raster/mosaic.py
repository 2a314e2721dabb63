"""VRTs over rasters that lie side by side: one per group of those with the same CRS, pixel size, bands and types."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from spectralgpt.disk import atomic_write
from spectralgpt.errors import counted
from spectralgpt.raster.handles import open_dataset
from spectralgpt.raster.marks import ResultMark, tags_of
from spectralgpt.raster.tags import CLASSES_TAG, PARAMETERS_TAG, VERSION_TAG

GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}

ON_THE_GRID = 1e-3
"""Part of a pixel by which rasters on one grid may differ."""


@dataclass(frozen=True, slots=True)
class VrtBand:
    """What all rasters of a mosaic share in a band. nodata: as text, as NaN is not equal to itself."""

    name: str | None
    dtype: str
    nodata: str | None
    scale: float
    offset: float
    colour: str
    palette: tuple[tuple[int, tuple[int, int, int, int]], ...]


@dataclass(frozen=True, slots=True)
class Joinable:
    """What rasters must share to be joined without resampling: their tags `same`, the CRS, and the size of a pixel."""

    crs: str
    width: float
    height: float
    bands: tuple[VrtBand, ...]
    same: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class MosaicPart:
    """A raster of a mosaic. left, top: of its first pixel, in the CRS."""

    path: Path
    left: float
    top: float
    rows: int
    columns: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mosaics:
    """The VRTs that were written, and what a user should know of them."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_mosaics(rasters: Sequence[Path], target: Path, mark: ResultMark, same: Sequence[str] = ()) -> Mosaics:
    """A VRT over the rasters with relative paths; where they differ, one per group of equal ones, named after target.

    Where rasters overlap, the later one shows, except for its nodata. same: tags that the rasters of a group share;
    tags with one value in all of a group are those of its VRT, with the mark. Rasters without CRS, and a file at the
    target that has not this verb's mark, are left alone with a note.
    """
    groups: dict[Joinable, list[MosaicPart]] = {}
    unplaced = 0
    for path in rasters:
        with open_dataset(str(path)) as dataset:
            kind = _kind(dataset, same)
            if kind is None:
                unplaced += 1
                continue
            where = dataset.transform
            part = MosaicPart(path, where.c, where.f, dataset.height, dataset.width, dataset.tags())
            groups.setdefault(kind, []).append(part)
    notes = [f"{counted(unplaced, 'result')} without CRS: no VRT joins what has no place"] if unplaced else []
    files = []
    for kind, path in _named(list(groups), target):
        if os.path.lexists(path) and not _is_ours(path, mark):
            notes.append(f"{path}: exists, and is no VRT of this command: it stays as it is")
            continue
        parts = groups[kind]
        if len(parts) > 1 and not _on_one_grid(kind, parts):
            notes.append(
                f"{path}: the pixels of its parts lie on different grids, so that some shift by up to half one"
            )
        with atomic_write(path, durable=False) as file:
            file.write(mosaic_xml(kind, parts, path.parent, mark.tags))
        files.append(path)
    if len(files) > 1:
        notes.append(f"{target}: the results differ in CRS, GSD, bands, type or weights: {len(files)} VRTs for them")
    return Mosaics(tuple(files), tuple(notes))


def _is_ours(path: Path, mark: ResultMark) -> bool:
    tags = tags_of(path)
    found = ResultMark.among(tags)
    return VERSION_TAG in tags and found is not None and found.verb == mark.verb


def _kind(dataset: DatasetReader, same: Sequence[str]) -> Joinable | None:
    """What a raster must share with others; None for one that is not placed with north up."""
    where = dataset.transform
    if dataset.crs is None or where.b or where.d or where.a <= 0 or where.e >= 0:
        return None
    tags = dataset.tags()
    return Joinable(
        crs=dataset.crs.to_wkt(),
        width=where.a,
        height=-where.e,
        bands=tuple(_band(dataset, index) for index in dataset.indexes),
        same=tuple(tags.get(name) for name in same),
    )


def _band(dataset: DatasetReader, index: int) -> VrtBand:
    at = index - 1
    nodata = dataset.nodatavals[at]
    colour = dataset.colorinterp[at]
    palette = dataset.colormap(index) if colour is ColorInterp.palette else {}
    return VrtBand(
        name=dataset.descriptions[at],
        dtype=dataset.dtypes[at],
        nodata=None if nodata is None else repr(nodata),
        scale=dataset.scales[at],
        offset=dataset.offsets[at],
        colour=colour.name,
        palette=tuple(sorted(palette.items())),
    )


def _named(kinds: Sequence[Joinable], target: Path) -> list[tuple[Joinable, Path]]:
    """A file per group: the target for a single one, else with CRS and pixel size in its name, and a number where
    these are the same."""
    if len(kinds) == 1:
        return [(kinds[0], target)]
    found: dict[Path, Joinable] = {}
    for kind in kinds:
        code = CRS.from_wkt(kind.crs).to_epsg()
        stem = f"{target.stem}-{f'epsg{code}' if code else 'other'}-{kind.width:g}"
        names = (f"{stem}{f'-{number}' if number > 1 else ''}{target.suffix}" for number in range(1, len(kinds) + 1))
        found[next(path for name in names if (path := target.with_name(name)) not in found)] = kind
    return [(kind, path) for path, kind in found.items()]


def _on_one_grid(kind: Joinable, parts: Sequence[MosaicPart]) -> bool:
    offsets = [(part.left - parts[0].left) / kind.width for part in parts]
    offsets += [(part.top - parts[0].top) / kind.height for part in parts]
    return all(abs(offset - round(offset)) < ON_THE_GRID for offset in offsets)


def mosaic_xml(kind: Joinable, parts: Sequence[MosaicPart], folder: Path, tags: Mapping[str, str]) -> bytes:
    """The VRT over rasters of one kind, to be written in the folder. tags: in addition to those that all parts have."""
    left, top = min(part.left for part in parts), max(part.top for part in parts)
    places = [(_pixels((part.left - left) / kind.width), _pixels((top - part.top) / kind.height)) for part in parts]
    columns = max(math.ceil(x + part.columns) for (x, _), part in zip(places, parts, strict=True))
    rows = max(math.ceil(y + part.rows) for (_, y), part in zip(places, parts, strict=True))
    root = Xml.Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    _text(root, "SRS", kind.crs)
    _text(root, "GeoTransform", ", ".join(map(repr, (left, kind.width, 0.0, top, 0.0, -kind.height))))
    metadata = Xml.SubElement(root, "Metadata")
    common = _common_tags([part.tags for part in parts])
    for name, text in sorted({**common, **tags}.items()):
        _text(metadata, "MDI", text, key=name)
    categories = _class_names(common)
    for index, band in enumerate(kind.bands, 1):
        element = _band_element(root, index, band)
        if band.palette and categories:
            listed = Xml.SubElement(element, "CategoryNames")
            for name in categories:
                _text(listed, "Category", name)
        for (x, y), part in zip(places, parts, strict=True):
            _source(element, index, band, part, folder, x, y)
    Xml.indent(root, " ")
    return Xml.tostring(root, encoding="unicode").encode()


def _common_tags(several: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The tags with one value in all; of the parameters of the verb, those with one value, as the GSD on the ground
    differs from place to place."""
    common = dict(set.intersection(*(set(tags.items()) for tags in several)))
    common.pop("AREA_OR_POINT", None)
    try:
        parameters = [json.loads(tags.get(PARAMETERS_TAG, "")) for tags in several]
        first, *others = (each.items() for each in parameters)
    except (ValueError, RecursionError, AttributeError):
        return common
    same = {name: value for name, value in first if all((name, value) in other for other in others)}
    return common | {PARAMETERS_TAG: json.dumps(same, sort_keys=True)}


def _class_names(tags: Mapping[str, str]) -> list[str]:
    """Of the values 0, 1, ...: the VRT has no sidecar, in which the maps have them."""
    try:
        return [str(each["name"]) for each in json.loads(tags.get(CLASSES_TAG, "[]"))]
    except (ValueError, RecursionError, TypeError, KeyError):
        return []


def _pixels(offset: float) -> float | int:
    return round(offset) if abs(offset - round(offset)) < ON_THE_GRID else offset


def _band_element(root: Xml.Element, index: int, band: VrtBand) -> Xml.Element:
    element = Xml.SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[band.dtype], band=str(index))
    if band.name:
        _text(element, "Description", band.name)
    if band.nodata is not None:
        _text(element, "NoDataValue", band.nodata)
    if (band.scale, band.offset) != (1.0, 0.0):
        _text(element, "Offset", repr(band.offset))
        _text(element, "Scale", repr(band.scale))
    if band.colour != "undefined":
        _text(element, "ColorInterp", band.colour.capitalize())
    if band.palette:
        table = Xml.SubElement(element, "ColorTable")
        colours = dict(band.palette)
        for value in range(max(colours) + 1):
            entry = zip(("c1", "c2", "c3", "c4"), map(str, colours.get(value, (0, 0, 0, 0))), strict=True)
            Xml.SubElement(table, "Entry", dict(entry))
    return element


def _source(
    element: Xml.Element, index: int, band: VrtBand, part: MosaicPart, folder: Path, x: float | int, y: float | int
) -> None:
    # a simple source would cover what lies under it with its nodata
    source = Xml.SubElement(element, "SimpleSource" if band.nodata is None else "ComplexSource")
    _text(source, "SourceFilename", os.path.relpath(part.path, folder).replace(os.sep, "/"), relativeToVRT="1")
    _text(source, "SourceBand", str(index))
    size = {"xSize": str(part.columns), "ySize": str(part.rows)}
    Xml.SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **size})
    Xml.SubElement(source, "DstRect", {"xOff": repr(x), "yOff": repr(y), **size})
    if band.nodata is not None:
        _text(source, "NODATA", band.nodata)


def _text(parent: Xml.Element, name: str, text: str, **attributes: str) -> None:
    Xml.SubElement(parent, name, attributes).text = text
