"""What GDAL reports about one file without reading pixels: its bands, grid and tags, and whether it is complete."""

import math
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.transform import from_gcps

from spectralgpt.bands import NUMBERED, canonical, names_a_band, only_count
from spectralgpt.days import UNKNOWN
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import day_in_name
from spectralgpt.products.added import added_in_name, added_in_tags, notes_on_unusable
from spectralgpt.products.classic_netcdf import refuse_impossible_counts
from spectralgpt.products.product import StoredBand
from spectralgpt.products.tiff import end_of_tags
from spectralgpt.raster.grid import Grid, applied
from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset
from spectralgpt.raster.pixels import is_real
from spectralgpt.raster.vrt_files import is_vrt

MOST_BYTES_PER_BYTE, MOST_EXTRA_BYTES = 1e5, 1e8
"""What a file may claim to unpack to: deflate reaches a thousand to one at best, and empty tiles take no space."""

BAND_IN_NAME = re.compile(r"B0*[1-9]\d*A?", re.IGNORECASE)
"""A band's name among the parts of a file's name: T32UQD_20200501_B8A_20m.tif."""

WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanometers?|um|µm|micrometers?|microns?)\)?\s*$", re.IGNORECASE)
"""A band's centre wavelength at the end of its description: 409.82 nm; blue 475 nm; B4, central wavelength 665 nm."""

DRIVER = re.compile(r"[A-Z0-9_]{2,}:")
"""How GDAL's names of an image inside a file begin: GTIFF_DIR:2:scene.tif."""

NANOMETRES_IN = {"n": 1.0, "u": 1000.0, "µ": 1000.0, "m": 1000.0}
"""Nanometres in a unit, by its first letter."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file states: its bands without the alpha band, its tags, and what a user should know."""

    path: str
    bands: tuple[StoredBand, ...]
    tags: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def read_header(path: str, expected: int | None = None, *, as_vrt: bool = False) -> Header:
    """The header of a file, without reading pixels.

    expected: the number of bands that the user gives. GDAL takes the fourth of four byte bands for alpha where the file
    does not say what it is; it counts as a band when it has a band's name, or when the user's number includes it.
    as_vrt: whether a VRT is expected; only the reader of VRTs completes one from its sources.
    RasterError when the file is missing, empty, not an image, or claims more than it can hold.
    """
    if path.upper().startswith("MEM:"):
        raise RasterError(f"{path}: found an address in memory", "a file")
    if "://" not in path and not path.startswith("/vsi") and not DRIVER.match(path):
        if not os.path.exists(path):
            raise RasterError(f"{path}: does not exist", do="Check the path")
        if not os.path.isfile(path):
            raise RasterError(f"{path}: is not a file", do="Check the path")
        for beside in (path + ".hdr", os.path.splitext(path)[0] + ".hdr"):
            if os.path.exists(beside) and not os.path.isfile(beside):  # GDAL would read it, and a pipe may never end
                raise RasterError(
                    f"{beside}: is not a file", do="Replace it with the header of the image, or remove it"
                )
        if os.path.getsize(path) == 0:
            raise RasterError(f"{path}: found an empty file (0 bytes)", "an image", "Download it again")
        refuse_impossible_counts(path, os.path.getsize(path))
    if not as_vrt and is_vrt(path):
        raise RasterError(f"{path}: found a VRT", "an image itself", "Give the VRT alone")
    with open_dataset(path) as dataset:
        try:
            return _header(path, dataset, expected)
        except UnicodeDecodeError as error:
            raise RasterError(
                f"{path}: found text that is not UTF-8 in its header ({shown_bytes(error)})",
                "descriptions and tags in UTF-8",
                "Write them again, for example with gdal_edit.py -unsetmd, which removes the tags",
            ) from None
        except (*GDAL_ERRORS, struct.error) as error:
            raise RasterError(f"{path}: the header cannot be read ({error})", do="Download it again") from error


def shown_bytes(error: UnicodeDecodeError) -> str:
    """The text that could not be decoded, near where it fails, as Python shows bytes."""
    return repr(bytes(error.object[max(0, error.start - 20) : error.start + 20]))[1:]


def single_band(path: str) -> tuple[StoredBand, Header]:
    """The only band of a file, and the file's header. RasterError for several bands."""
    header = read_header(path)
    if len(header.bands) != 1:
        raise RasterError(f"{path}: found {len(header.bands)} bands", "the one that the metadata list")
    return header.bands[0], header


def band_in(stem: str) -> str | None:
    """The band in a file's name: its last part of the form B02 or B8A, in capitals, as a lower-case b only counts."""
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", stem) if BAND_IN_NAME.fullmatch(part)]
    return parts[-1].upper() if parts else None


def names_band(description: str | None) -> bool:
    """Whether a band's description names it, alone or with its date; what only counts (GDAL and ENVI write Band 1 into
    any file) or tells something else, like Reflectance, does not."""
    if description is None or only_count([description]):
        return False
    return names_a_band(description) or day_in_name(description) != UNKNOWN


def number_in(text: str | None, what: str, default: float, source: str) -> float:
    """A number that metadata hold as text, the default for None. RasterError for other text."""
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RasterError(f"{source}: found {text!r} for {what}", "a number")
    return value


def _header(path: str, dataset: DatasetReader, expected: int | None) -> Header:
    _refuse_containers(path, dataset)
    if len(set(dataset.dtypes)) > 1 or not is_real(np.dtype(dataset.dtypes[0])):
        raise RasterError(
            f"{path}: found values of {', '.join(sorted(set(dataset.dtypes)))}", "one type of real numbers"
        )
    refuse_absurd(path, dataset)
    refuse_cut_off(path, dataset)
    bands = _not_alpha(dataset, expected)
    grid, warnings = _grid(path, dataset)
    _refuse_broken_scales(path, dataset, bands)
    return Header(
        path=path,
        bands=_stored_bands(path, dataset, bands, grid),
        # the transform says where pixels lie: GDAL has accounted for AREA_OR_POINT
        tags=tuple(sorted((k, v) for k, v in dataset.tags().items() if k != "AREA_OR_POINT")),
        warnings=(*warnings, *notes_on_unusable(path, dataset.tags(), [dataset.tags(i + 1) for i in bands])),
    )


def _refuse_containers(path: str, dataset: DatasetReader) -> None:
    """RasterError for a file of several images: a container, or a TIFF with pages."""
    if dataset.count == 0:
        raise RasterError(
            f"{path}: found a container of {len(dataset.subdatasets)} images",
            "one image",
            "Give one of them, as `rio info` lists them",
        )
    if dataset.driver == "GTiff" and dataset.subdatasets and not DRIVER.match(path):
        raise RasterError(
            f"{path}: found {len(dataset.subdatasets)} images (pages of {dataset.height} x {dataset.width} pixels) in "
            "one file",
            "one image",
            "An array of rows x columns x bands gives such a file: write it with bands first. Or give one page, like "
            f"GTIFF_DIR:1:{path}",
        )


def _not_alpha(dataset: DatasetReader, expected: int | None) -> list[int]:
    """The indices, from 0, of the bands that are not alpha."""
    counted = dataset.count in (1, expected)
    return [
        i
        for i, role in enumerate(dataset.colorinterp)
        if counted or role != ColorInterp.alpha or NUMBERED.fullmatch(canonical(dataset.descriptions[i] or ""))
    ]


def _refuse_broken_scales(path: str, dataset: DatasetReader, bands: list[int]) -> None:
    for i in bands:
        if not (math.isfinite(dataset.scales[i]) and math.isfinite(dataset.offsets[i]) and dataset.scales[i] != 0):
            raise RasterError(
                f"{path}: found scale {dataset.scales[i]:g} and offset {dataset.offsets[i]:g} in its metadata",
                "numbers that turn stored values into reflectance",
                "Correct them, for example with gdal_edit.py",
            )


def _stored_bands(path: str, dataset: DatasetReader, bands: list[int], grid: Grid) -> tuple[StoredBand, ...]:
    alpha = [i + 1 for i in range(dataset.count) if i not in bands]
    # GDAL reports 1 and 0 for a file that states neither
    stated = any(dataset.scales[i] != 1 or dataset.offsets[i] != 0 for i in bands)
    tags, in_name = dataset.tags(), added_in_name(path)
    return tuple(
        StoredBand(
            path=os.path.abspath(path) if os.path.exists(path) else path,
            index=i + 1,
            name=dataset.descriptions[i] or None,
            grid=grid,
            dtype=dataset.dtypes[i],
            scale=float(dataset.scales[i]) if stated else None,
            offset=float(dataset.offsets[i]) if stated else None,
            nodata=dataset.nodatavals[i],
            masked=_has_mask(dataset.mask_flag_enums[i]),
            alpha=alpha[0] if alpha else 0,
            wavelength=_wavelength(dataset, i),
            added=added_in_tags(tags, dataset.tags(i + 1), dataset.descriptions[i], len(bands)) or in_name,
        )
        for i in bands
    )


def _grid(path: str, dataset: DatasetReader) -> tuple[Grid, tuple[str, ...]]:
    """The grid, and warnings. Ground control points are used where one affine grid fits them to half a pixel."""
    crs, transform = dataset.crs, dataset.transform
    warnings: tuple[str, ...] = ()
    if transform == Affine.identity():
        points, points_crs = dataset.gcps
        if len(points) >= 3:
            fitted = from_gcps(points)
            if fitted.determinant and all(_misses(~fitted, point) < 0.5 for point in points):
                crs, transform = points_crs, fitted
            else:
                warnings = (
                    f"{path}: its {len(points)} ground control points do not lie on a regular grid; read without "
                    "georeference. Warp it first, with gdalwarp",
                )
        elif dataset.rpcs:
            warnings = (f"{path}: georeferenced by RPCs; read without georeference. Orthorectify it first",)
    if not (all(map(math.isfinite, transform[:6])) and transform.determinant):
        raise RasterError(
            f"{path}: found a transform that gives pixels no area "
            f"({', '.join(f'{number:g}' for number in transform[:6])})",
            "one that places them",
            "Georeference the file again",
        )
    return Grid(crs.to_wkt() if crs else None, transform, int(dataset.height), int(dataset.width)), warnings


def _misses(to_pixels: Affine, point: GroundControlPoint) -> float:
    """The distance in pixels between a ground control point and its place on an affine grid."""
    column, row = applied(to_pixels, point.x, point.y)
    return math.hypot(column - point.col, row - point.row)


def _wavelength(dataset: DatasetReader, band: int) -> float | None:
    """The centre wavelength in nm, from a band's description or metadata; None without one."""
    found = WAVELENGTH.search(dataset.descriptions[band] or "")
    if found is not None:
        return float(found[1]) * NANOMETRES_IN[found[2][0].lower()]
    stated = dataset.tags(band + 1, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
    try:
        return float(stated) * 1000 if stated else None
    except ValueError:
        return None


def _has_mask(flags: list[MaskFlags]) -> bool:
    """Whether GDAL's mask of a band is more than nodata, which readers compare, and alpha, which is read as a band."""
    return MaskFlags.all_valid not in flags and MaskFlags.alpha not in flags and flags != [MaskFlags.nodata]


def _bytes_of(dtype: str) -> int:
    """Of a value; types that only GDAL has, like complex_int16, have 4 and more."""
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        return 4


def refuse_absurd(path: str, dataset: DatasetReader, files: Sequence[str] = ()) -> None:
    """RasterError when the header claims more pixels than the file can hold: reading them would exhaust memory.

    files: all that a VRT is read from. Without them it may claim anything, as it is read by windows."""
    if not os.path.isfile(path) or (dataset.driver == "VRT" and not files):
        return
    claimed = dataset.count * dataset.height * dataset.width * _bytes_of(dataset.dtypes[0] if dataset.dtypes else "")
    stored = sum(map(os.path.getsize, files or [path]))
    if claimed > MOST_BYTES_PER_BYTE * stored + MOST_EXTRA_BYTES:
        raise RasterError(
            f"{path}: found a header of {dataset.count} bands of {dataset.height} x {dataset.width} pixels, "
            f"{claimed:.2g} bytes, in a file of {stored} bytes",
            "sizes that fit into it",
            "The header is damaged: download it again",
        )


def refuse_cut_off(path: str, dataset: DatasetReader) -> None:
    """RasterError when a tag or a band's last block lies beyond the file's end; no pixels are read."""
    if dataset.driver != "GTiff" or not os.path.isfile(path):
        return
    stored, needed = os.path.getsize(path), end_of_tags(path)
    for index, (rows, columns) in enumerate(dataset.block_shapes, 1):
        block = f"{(dataset.width - 1) // columns}_{(dataset.height - 1) // rows}"
        offset, size = (
            int(dataset.get_tag_item(f"BLOCK_{what}_{block}", "TIFF", bidx=index) or 0) for what in ("OFFSET", "SIZE")
        )
        needed = max(needed, offset + size)
    if needed > stored:
        raise RasterError(
            f"{path}: found {stored} bytes",
            f"at least {needed}, as its header declares",
            "It is cut off: download it again",
        )
