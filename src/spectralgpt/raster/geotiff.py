"""What one file holds: a GeoTIFF, or whatever else GDAL opens as one grid of bands."""

import os
import struct
from dataclasses import dataclass

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from spectralgpt.bands.band import NUMBERED, canonical
from spectralgpt.errors import RasterError
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset
from spectralgpt.raster.pixels import is_real
from spectralgpt.raster.tiff import end_of_tags

MOST_BYTES_A_BYTE, MOST_BYTES_BESIDES = 1e5, 1e8
"""What a file may claim to unpack to: the best that deflate does is a thousand to one, an empty tile costs nothing."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says of itself, per band without the alpha band: indexes (from 1), names, scales, offsets, nodata,
    masked (there is a mask besides nodata). alpha: index of the alpha band, 0 without one.
    """

    path: str
    grid: Grid
    dtype: str
    indexes: tuple[int, ...]
    names: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: tuple[float | None, ...]
    masked: tuple[bool, ...]
    alpha: int
    tags: tuple[tuple[str, str], ...]

    @property
    def has_scale(self) -> bool:
        """Whether it tells how values become reflectance; 1 and 0 are what GDAL says of a file that does not."""
        return any(scale != 1 for scale in self.scales) or any(offset != 0 for offset in self.offsets)


def read_contents(path: str, expected: int | None = None) -> Contents:
    """What a file says of itself, without reading pixels.

    expected: how many bands the user says that it has. GDAL takes the fourth band of bytes for alpha when nobody said
    what it is; it is a band when it has a band's name, or when the user counts it.
    RasterError when it is missing, empty, no image, or claims what it cannot hold.
    """
    if "://" not in path and not path.startswith("/vsi"):
        if not os.path.exists(path):
            raise RasterError(f"{path}: found nothing there; expected an image. Check the path.")
        if os.path.getsize(path) == 0:
            raise RasterError(f"{path}: found an empty file (0 bytes); expected an image. Fetch it again.")
    with open_dataset(path) as dataset:
        try:
            return _contents(path, dataset, expected)
        except (*GDAL_ERRORS, struct.error) as error:
            raise RasterError(f"{path}: found a header that cannot be read ({error}); expected an image.") from error


def _contents(path: str, dataset: DatasetReader, expected: int | None) -> Contents:
    if dataset.count == 0:
        raise RasterError(
            f"{path}: found a container of {len(dataset.subdatasets)} images; expected one image. "
            "Name one of them, as `rio info` lists them."
        )
    if len(set(dataset.dtypes)) > 1 or not is_real(np.dtype(dataset.dtypes[0])):
        raise RasterError(
            f"{path}: found values of {', '.join(sorted(set(dataset.dtypes)))}; expected one type of real numbers."
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
    return Contents(
        path=path,
        grid=Grid(
            dataset.crs.to_wkt() if dataset.crs else None, dataset.transform, int(dataset.height), int(dataset.width)
        ),
        dtype=dataset.dtypes[0],
        indexes=tuple(i + 1 for i in bands),
        names=tuple(dataset.descriptions[i] or None for i in bands),
        scales=tuple(float(dataset.scales[i]) for i in bands),
        offsets=tuple(float(dataset.offsets[i]) for i in bands),
        nodata=tuple(dataset.nodatavals[i] for i in bands),
        masked=tuple(_has_mask(dataset.mask_flag_enums[i]) for i in bands),
        alpha=alpha[0] if alpha else 0,
        # where pixels lie is in the transform: GDAL has accounted for AREA_OR_POINT
        tags=tuple(sorted((k, v) for k, v in dataset.tags().items() if k != "AREA_OR_POINT")),
    )


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
            f"{path}: found a header of {dataset.count} bands of {dataset.height} x {dataset.width} pixels, "
            f"{claimed:.2g} bytes, in a file of {stored} bytes; expected sizes that fit it. The header is damaged."
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
            f"{path}: found {stored} bytes; expected at least {needed}, as its header says. It is cut off: fetch it "
            "again."
        )
