"""What GDAL says of one file, without reading pixels: its bands, grid and tags, and whether it is whole."""

import math
import os
import re
import struct
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.transform import from_gcps

from spectralgpt.bands import NUMBERED, canonical
from spectralgpt.errors import RasterError
from spectralgpt.products.product import StoredBand
from spectralgpt.products.tiff import end_of_tags
from spectralgpt.raster.grid import Grid, applied
from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset
from spectralgpt.raster.pixels import is_real

MOST_BYTES_A_BYTE, MOST_BYTES_BESIDES = 1e5, 1e8
"""What a file may claim to unpack to: the best that deflate does is a thousand to one, an empty tile costs nothing."""

BAND_IN_NAME = re.compile(r"B0*[1-9]\d*A?", re.IGNORECASE)
"""A band's name among the parts of a file's name: T32UQD_20200501_B8A_20m.tif."""

WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanometers?|um|µm|micrometers?|microns?)\)?\s*$", re.IGNORECASE)
"""A band's centre wavelength at the end of its description: 409.82 nm; blue 475 nm; B4, central wavelength 665 nm."""

DRIVER = re.compile(r"[A-Z0-9_]{2,}:")
"""How GDAL names an image inside a file: GTIFF_DIR:2:scene.tif."""

NANOMETRES_IN = {"n": 1.0, "u": 1000.0, "µ": 1000.0, "m": 1000.0}
"""Nanometres in a unit, by its first letter."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: its bands without the alpha band, its tags, and what a user should know."""

    path: str
    bands: tuple[StoredBand, ...]
    tags: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def read_header(path: str, expected: int | None = None) -> Header:
    """What a file says of itself, without reading pixels.

    expected: how many bands the user says that it has. GDAL takes the fourth band of bytes for alpha when nobody said
    what it is; it is a band when it has a band's name, or when the user counts it.
    RasterError when it is missing, empty, no image, or claims what it cannot hold.
    """
    if path.upper().startswith("MEM:"):
        raise RasterError(f"{path}: found an address in memory", "a file")
    if "://" not in path and not path.startswith("/vsi") and not DRIVER.match(path):
        if not os.path.exists(path):
            raise RasterError(f"{path}: found nothing there", "an image", "Check the path")
        if not os.path.isfile(path):
            raise RasterError(f"{path}: found something that is no file", "an image")
        for beside in (path + ".hdr", os.path.splitext(path)[0] + ".hdr"):
            if os.path.exists(beside) and not os.path.isfile(beside):  # GDAL would read it, and a pipe may never end
                raise RasterError(f"{beside}: found something that is no file", "a header, or nothing")
        if os.path.getsize(path) == 0:
            raise RasterError(f"{path}: found an empty file (0 bytes)", "an image", "Fetch it again")
    with open_dataset(path) as dataset:
        try:
            return _header(path, dataset, expected)
        except (*GDAL_ERRORS, struct.error) as error:
            raise RasterError(f"{path}: found a header that cannot be read ({error})", "an image") from error


def single_band(path: str) -> tuple[StoredBand, Header]:
    """The band of a file, and the file's header. RasterError when it has several."""
    header = read_header(path)
    if len(header.bands) != 1:
        raise RasterError(f"{path}: found {len(header.bands)} bands", "the one that the metadata name")
    return header.bands[0], header


def band_in(stem: str) -> str | None:
    """The band that a file's name tells: its last part of the form B02 or B8A, as it is written there."""
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", stem) if BAND_IN_NAME.fullmatch(part)]
    return parts[-1] if parts else None


def number_in(text: str | None, what: str, default: float, source: str) -> float:
    """A number that metadata tell as text; the default where they are silent. RasterError where it is none."""
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RasterError(f"{source}: found {text!r} for {what}", "a number")
    return value


def _header(path: str, dataset: DatasetReader, expected: int | None) -> Header:
    if dataset.count == 0:
        raise RasterError(
            f"{path}: found a container of {len(dataset.subdatasets)} images",
            "one image",
            "Name one of them, as `rio info` lists them",
        )
    if dataset.driver == "GTiff" and dataset.subdatasets and not DRIVER.match(path):
        raise RasterError(
            f"{path}: found {len(dataset.subdatasets)} images (pages of {dataset.height} x {dataset.width} pixels) in "
            "one file; expected one. An array of rows x columns x bands looks so: write it with bands first. Or name a "
            f"page, like GTIFF_DIR:1:{path}"
        )
    if len(set(dataset.dtypes)) > 1 or not is_real(np.dtype(dataset.dtypes[0])):
        raise RasterError(
            f"{path}: found values of {', '.join(sorted(set(dataset.dtypes)))}", "one type of real numbers"
        )
    refuse_absurd(path, dataset)
    refuse_cut_off(path, dataset)
    counted = dataset.count in (1, expected)
    bands = [
        i
        for i, role in enumerate(dataset.colorinterp)
        if counted or role != ColorInterp.alpha or NUMBERED.fullmatch(canonical(dataset.descriptions[i] or ""))
    ]
    alpha = [i + 1 for i in range(dataset.count) if i not in bands]
    grid, warnings = _grid(path, dataset)
    for i in bands:
        if not (math.isfinite(dataset.scales[i]) and math.isfinite(dataset.offsets[i]) and dataset.scales[i] != 0):
            raise RasterError(
                f"{path}: found scale {dataset.scales[i]:g} and offset {dataset.offsets[i]:g} in its metadata; "
                "expected numbers by which stored values become reflectance. Correct them, as gdal_edit.py does"
            )
    # 1 and 0 are what GDAL says of a file that does not tell
    told = any(dataset.scales[i] != 1 or dataset.offsets[i] != 0 for i in bands)
    return Header(
        path=path,
        bands=tuple(
            StoredBand(
                path=os.path.abspath(path) if os.path.exists(path) else path,
                index=i + 1,
                name=dataset.descriptions[i] or None,
                grid=grid,
                dtype=dataset.dtypes[i],
                scale=float(dataset.scales[i]) if told else None,
                offset=float(dataset.offsets[i]) if told else None,
                nodata=dataset.nodatavals[i],
                masked=_has_mask(dataset.mask_flag_enums[i]),
                alpha=alpha[0] if alpha else 0,
                wavelength=_wavelength(dataset, i),
            )
            for i in bands
        ),
        # where pixels lie is in the transform: GDAL has accounted for AREA_OR_POINT
        tags=tuple(sorted((k, v) for k, v in dataset.tags().items() if k != "AREA_OR_POINT")),
        warnings=warnings,
    )


def _grid(path: str, dataset: DatasetReader) -> tuple[Grid, tuple[str, ...]]:
    """Where the pixels lie; by ground control points, when these lie on one affine grid to half a pixel."""
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
                    f"{path}: georeferenced by {len(points)} ground control points that lie on no regular grid; read "
                    "without georeference. Warp it first, with gdalwarp",
                )
        elif dataset.rpcs:
            warnings = (f"{path}: georeferenced by RPCs; read without georeference. Orthorectify it first",)
    if not (all(map(math.isfinite, transform[:6])) and transform.determinant):
        raise RasterError(
            (
                f"{path}: found a transform of pixels without an area "
                f"({', '.join((f'{each:g}' for each in transform[:6]))})"
            ),
            "one that places them",
            "Georeference the file again",
        )
    return Grid(crs.to_wkt() if crs else None, transform, int(dataset.height), int(dataset.width)), warnings


def _misses(to_pixels: Affine, point: GroundControlPoint) -> float:
    """Pixels between a ground control point and where an affine grid has it."""
    column, row = applied(to_pixels, point.x, point.y)
    return math.hypot(column - point.col, row - point.row)


def _wavelength(dataset: DatasetReader, band: int) -> float | None:
    """The centre wavelength in nm that a band's description or metadata tell."""
    found = WAVELENGTH.search(dataset.descriptions[band] or "")
    if found is not None:
        return float(found[1]) * NANOMETRES_IN[found[2][0].lower()]
    told = dataset.tags(band + 1, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
    try:
        return float(told) * 1000 if told else None
    except ValueError:
        return None


def _has_mask(flags: list[MaskFlags]) -> bool:
    """Whether GDAL's mask of a band is more than nodata, which is compared here, and alpha, which is read as a band."""
    return MaskFlags.all_valid not in flags and MaskFlags.alpha not in flags and flags != [MaskFlags.nodata]


def refuse_absurd(path: str, dataset: DatasetReader) -> None:
    """RasterError when the header claims more pixels than the file can hold: reading them would exhaust memory."""
    if not os.path.isfile(path) or dataset.driver == "VRT":
        return
    claimed = dataset.count * dataset.height * dataset.width * np.dtype(dataset.dtypes[0]).itemsize
    stored = os.path.getsize(path)
    if claimed > MOST_BYTES_A_BYTE * stored + MOST_BYTES_BESIDES:
        raise RasterError(
            (
                f"{path}: found a header of {dataset.count} bands of {dataset.height} x {dataset.width} pixels, "
                f"{claimed:.2g} bytes, in a file of {stored} bytes"
            ),
            "sizes that fit it",
            "The header is damaged",
        )


def refuse_cut_off(path: str, dataset: DatasetReader) -> None:
    """RasterError when a tag or a band's last block lies beyond the file's end, which costs no read of pixels."""
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
            f"{path}: found {stored} bytes", f"at least {needed}, as its header says", "It is cut off: fetch it again"
        )
