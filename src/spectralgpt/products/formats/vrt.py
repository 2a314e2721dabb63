"""A VRT: an XML file that joins others into one image. What it does not state is taken from these, its sources.

GDAL reads missing sources as zeros or not at all, has no names, scales and offsets where the VRT was built without
them, and fills gaps with zeros; so the sources are opened first.
"""

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

import numpy as np

from spectralgpt.bands import canonical
from spectralgpt.days import UNKNOWN
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import Acquisition, acquisition_in_name, day_in_name, day_in_tags
from spectralgpt.products.added import Added
from spectralgpt.products.format import Format
from spectralgpt.products.header import Header, band_in, read_header
from spectralgpt.products.own_map import refuse_own_map
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.trusted import refuse_vrt
from spectralgpt.raster.vrt_files import is_vrt, located, parse_vrt, vrt_files

PLAIN = ("SimpleSource", "ComplexSource", "AveragedSource")
CHANGES = ("ScaleOffset", "ScaleRatio", "LUT", "Exponent", "ColorTableComponent")
"""Elements that change a source's values, so that the source's own scale no longer applies."""


T = TypeVar("T")

RECTANGLE = ("xOff", "yOff", "xSize", "ySize")

SUBDATASET = re.compile(r"[A-Za-z0-9_]{2,}:")
"""How GDAL's names of images inside files begin: HDF5:file.h5://band."""


@dataclass(frozen=True, slots=True)
class VrtSource:
    """One file of a band of a VRT. band: its index in the file. rows, columns: from and to in the VRT, None for all.

    changed: whether the VRT changes its values. passed: whether its nodata is passed on, not treated as a gap.
    """

    path: str
    band: int
    rows: tuple[float, float] | None = None
    columns: tuple[float, float] | None = None
    changed: bool = False
    passed: bool = True


def read(path: str, expected: int | None) -> Product | None:
    """The Product of a VRT. RasterError when a source is missing, is the VRT itself, or contradicts another,
    and for one over maps of ours, which are no images."""
    if not os.path.isfile(path) or not (path.lower().endswith(".vrt") or is_vrt(path)):
        return None
    refuse_vrt(path)  # looks at all VRTs in it: none is its own source, so that reading them ends
    headers: dict[str, Header] = {}
    header = _read(path, expected, headers)
    refuse_own_map(header)
    own = day_in_tags(dict(header.tags))
    taken = Acquisition(own) if own != UNKNOWN else acquisition_in_name(Path(path).name)
    day = taken.day
    warnings = header.warnings
    if day == UNKNOWN:
        days = {_day(each) for each in headers.values()} - {UNKNOWN}
        day = days.pop() if len(days) == 1 else UNKNOWN
        if days and day == UNKNOWN:
            warnings = (*warnings, f"{path}: its sources have {len(days)} dates; the image gets none")
    if day == taken.day:
        warnings = (*warnings, *taken.notes)
    return Product(header.bands, day=day, tags=header.tags, warnings=tuple(dict.fromkeys(warnings)))


def _day(header: Header) -> int:
    tagged = day_in_tags(dict(header.tags))
    return tagged if tagged != UNKNOWN else day_in_name(Path(header.path).name)


def _read(path: str, expected: int | None, headers: dict[str, Header]) -> Header:
    """The VRT's header, completed from its sources. headers: of files, by path."""
    root = parse_vrt(path)
    sources = tuple(tuple(_sources(band, path)) for band in root.findall("VRTRasterBand"))
    warped = root.find("GDALWarpOptions/SourceDataset")
    if warped is not None:
        origin = located(warped, path)
        sources = tuple((VrtSource(origin, index, passed=False),) for index in _mapped(root, len(sources)))
    for other in _others(root, path):
        _header_of(other, path, headers)
    found = {source.path: _header_of(source.path, path, headers) for of_band in sources for source in of_band}
    header = read_header(path, expected, as_vrt=True)
    warnings = list(header.warnings)
    bands = tuple(
        _completed(band, sources[band.index - 1], found, path, warnings) if band.index <= len(sources) else band
        for band in header.bands
    )
    return replace(
        header, bands=bands, warnings=(*warnings, *(w for source in found.values() for w in source.warnings))
    )


def named_files(path: str) -> Iterator[str]:
    """The files that a VRT names: of its bands, masks and overviews."""
    if is_vrt(path):
        yield from vrt_files(parse_vrt(path), path)


def _sources(band: ElementTree.Element, path: str) -> Iterator[VrtSource]:
    derived = band.get("subClass") == "VRTDerivedRasterBand"
    for element in band:
        file = element.find("SourceFilename")
        if element.tag not in PLAIN or file is None:
            continue
        index = (element.findtext("SourceBand") or "1").strip()
        if index.startswith("mask"):
            continue
        try:
            where = element.find("DstRect")
            x, y, width, height = (float(where.get(k, "nan")) if where is not None else math.nan for k in RECTANGLE)
            number = int(index)
        except ValueError:
            raise RasterError(f"{path}: found a source with band {index!r} or a broken DstRect", "numbers") from None
        placed = all(map(math.isfinite, (x, y, width, height)))
        yield VrtSource(
            located(file, path),
            number,
            (y, y + height) if placed else None,
            (x, x + width) if placed else None,
            changed=derived or any(element.find(each) is not None for each in CHANGES),
            passed=element.find("NODATA") is None,
        )


def _mapped(root: ElementTree.Element, count: int) -> tuple[int, ...]:
    """The index in the source per band of a warped VRT."""
    stated = {mapping.get("dst"): mapping.get("src", "") for mapping in root.iter("BandMapping")}
    return tuple(int(src) if (src := stated.get(str(i), "")).isdecimal() else i for i in range(1, count + 1))


def _others(root: ElementTree.Element, path: str) -> Iterator[str]:
    """Files other than the bands' plain sources: of a mask, a pansharpening, filters."""
    plain = [file for band in root.findall("VRTRasterBand") for tag in PLAIN for file in band.findall(f"{tag}/*")]
    left_out = {id(file) for file in (*plain, *root.iter("Overview"), *root.findall(".//Overview/*"))}
    for element in (*root.iter("SourceFilename"), *root.iter("SourceDataset")):
        if id(element) not in left_out:
            yield located(element, path)


def _refuse_missing(source: str, path: str) -> None:
    if not ("://" in source or source.startswith("/vsi") or SUBDATASET.match(source) or os.path.isfile(source)):
        raise RasterError(f"{path}: its source {source} does not exist", do="Put it there, or build the VRT again")


def _header_of(source: str, path: str, headers: dict[str, Header]) -> Header:
    """A source's header. RasterError, with the paths of both, when the source is missing."""
    if source in headers:
        return headers[source]
    _refuse_missing(source, path)
    if is_vrt(source) or (source.lower().endswith(".vrt") and os.path.isfile(source)):
        header = _read(source, None, headers)
    else:
        header = read_header(source)
    headers[source] = header
    return header


def _completed(
    band: StoredBand, sources: tuple[VrtSource, ...], headers: dict[str, Header], path: str, warnings: list[str]
) -> StoredBand:
    """The band with its sources' name, scale, offset, nodata and wavelength where it has none.

    RasterError when its sources differ in these, as then none applies to the whole band.
    """
    where = f"{path}: band {band.index}"
    stored = [_band_of(source, headers[source.path], path) for source in sources]
    if not stored or any(source.changed for source in sources):
        return replace(band, nodata=_nodata(band, sources, (), where, warnings))
    scale, offset = _common({(one.scale, one.offset) for one in stored}, "scales and offsets", where)
    if scale is not None and band.scale is not None and (scale, offset) != (band.scale, band.offset):
        raise RasterError(
            f"{where}: found scale and offset {(band.scale, band.offset)}, but {(scale, offset)} in its sources",
            "the same in both",
            "Build the VRT again",
        )
    _common({canonical(one.name) if one.name else None for one in stored}, "band names", where)
    name = stored[0].name  # as written, as B04 is not a name of Landsat's
    if name is None:
        in_files = {band_in(Path(source.path).stem) for source in sources}
        name = in_files.pop() if len(in_files) == 1 and len(headers[sources[0].path].bands) == 1 else None
    # only names of the form B04: red and B04 are one band
    if band.name and name and band_in(band.name) and band_in(name) and canonical(band.name) != canonical(name):
        warnings.append(
            f"{where}: is called {band.name} here, but {name} by its source; {band.name} is used. If the order of the "
            "sources is wrong, build the VRT again"
        )
    return replace(
        band,
        name=band.name or name,
        scale=scale if band.scale is None else band.scale,
        offset=offset if band.scale is None else band.offset,
        nodata=_nodata(band, sources, stored, where, warnings),
        wavelength=band.wavelength or stored[0].wavelength,
        fwhm=band.fwhm or stored[0].fwhm,
        added=_added(band, stored, where),
    )


def _added(band: StoredBand, stored: Sequence[StoredBand], where: str) -> Added | None:
    """What was added to the values of all sources; None where one does not say, unless the VRT does."""
    numbers = {one.added.number for one in stored if one.added is not None}
    if len(numbers) > 1:
        _common(numbers, "numbers added to their values (Sentinel-2 before and after baseline 04.00)", where)
    return band.added or (stored[0].added if all(one.added is not None for one in stored) else None)


def _common(found: set[T], what: str, where: str) -> T:
    if len(found) > 1:
        listed = " and ".join(sorted(map(str, found)))
        raise RasterError(
            f"{where}: found sources with several {what} ({listed})", "the same in all", "Build one VRT for each"
        )
    return next(iter(found))


def _nodata(
    band: StoredBand,
    sources: tuple[VrtSource, ...],
    stored: Sequence[StoredBand],
    where: str,
    warnings: list[str],
) -> float | None:
    """The VRT's nodata, else its sources', else 0 where no source covers some place, as GDAL fills gaps with zeros.

    RasterError when several values mean nodata, as a band can have only one.
    """
    passed = {one.nodata for source, one in zip(sources, stored, strict=bool(stored)) if source.passed} - {None}
    if band.masked or band.alpha:
        return band.nodata
    absent = passed if band.nodata is None else passed | {band.nodata}
    gap = band.nodata is None and (any(not source.passed for source in sources) or _has_gap(sources, band.grid.shape))
    if gap and absent <= {0.0}:
        warnings.append(f"{where}: has places without a source and no nodata value; its zeros are treated as nodata")
        absent = {0.0}
    if len(absent) > 1 or (gap and absent != {0.0}):
        values = ", ".join(f"{value:g}" for value in (*absent, *((0.0,) if gap else ())) if value is not None)
        raise RasterError(
            f"{where}: found several values that mean nodata ({values})",
            "one",
            "Build the VRT again, with -srcnodata and -vrtnodata",
        )
    return next(iter(absent), None)


def _band_of(source: VrtSource, header: Header, path: str) -> StoredBand:
    for band in header.bands:
        if source.band in (band.index, band.alpha):
            return band
    raise RasterError(
        f"{path}: found band {source.band} of {source.path} as a source",
        f"one of its bands, 1 to {len(header.bands)}",
        "Build the VRT again",
    )


def _has_gap(sources: tuple[VrtSource, ...], shape: tuple[int, int]) -> bool:
    """Whether no source's rectangle covers some pixel of the grid."""
    rectangles = [(source.rows, source.columns) for source in sources if source.rows and source.columns]
    if not sources or len(rectangles) < len(sources) or len(rectangles) > 2000:
        return False
    height, width = shape
    # all pixels between neighbouring edges are covered by the same rectangles
    rows, columns = (
        np.unique(np.clip(np.round([0, end, *(edge for sides in rectangles for edge in sides[axis])]), 0, end))
        for axis, end in enumerate((height, width))
    )
    covered = np.zeros((len(rows) - 1, len(columns) - 1), dtype=bool)
    for (top, bottom), (left, right) in rectangles:
        r = np.searchsorted(rows, np.round([top, bottom]))
        c = np.searchsorted(columns, np.round([left, right]))
        covered[r[0] : r[1], c[0] : c[1]] = True
    return not covered.all()


FORMAT = Format(
    title="VRT files: GDAL's mosaics and stacks of other files",
    priority=70,
    read=read,
    suffixes=(".vrt",),
    named_files=named_files,
    single=False,  # a VRT beside bands is mostly built from them
)
