"""Cloud optimized GeoTIFFs by atomic write: written beside their target, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import rasterio
from affine import Affine
from jaxtyping import Shaped
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetWriter
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window as RasterioWindow

from spectralgpt.errors import TargetError
from spectralgpt.free_space import refusals
from spectralgpt.raster.categories import name_categories
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS, without_georeference_warning
from spectralgpt.raster.read_back import WrittenRows, refuse_unlike

TIFF_SUFFIXES = (".tif", ".tiff")
SIDECARS = (".aux.xml", ".ovr", ".msk")


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything about a raster on disk except its values; reflectance = stored x scale + offset, per band.

    descriptions, scale, offset: one per band, or empty. tags: of the file. block: side of a tile in pixels; also the
    size above which an image gets overviews, made by `resampling`. categories: what the values 0, 1, ... of the only
    band are; colours: red, green and blue of each, 0 to 255.
    """

    grid: Grid
    count: int
    dtype: str
    nodata: float | int | None = None
    descriptions: tuple[str | None, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    interleave: Literal["pixel", "band"] = "pixel"
    block: int = 512
    resampling: Literal["average", "nearest", "mode"] = "average"
    categories: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        for name in ("descriptions", "scale", "offset"):
            if len(getattr(self, name)) not in (0, self.count):
                raise ValueError(f"{len(getattr(self, name))} {name} for {self.count} bands")
        if self.count > 1 and (self.categories or self.colours):
            raise ValueError(f"categories of the only band, and {self.count} bands")
        if self.colours and self.dtype not in ("uint8", "uint16"):
            raise ValueError(f"colours are of values of uint8 or uint16, not of {self.dtype}")
        if self.colours and self.resampling != "nearest":  # GDAL warns of others: no class lies between two classes
            raise ValueError(f"colours need overviews by 'nearest', not by {self.resampling!r}")
        if len(self.colours) > 256 and self.dtype == "uint8":
            raise ValueError(f"{len(self.colours)} colours for the 256 values of uint8")
        if self.block % 16:
            raise ValueError(f"a TIFF tile's side is a multiple of 16, not {self.block}")


def check_target(path: str | os.PathLike[str], kind: Literal["raster", "picture", "file"] = "raster") -> None:
    """Refuse, before any work, a target that could not be written at the end; leaves nothing behind.

    TargetError when the folder is missing or cannot be written to, when the target is itself a folder, or when the name
    of a raster does not end in .tif, or that of a picture not in .png.
    """
    target = Path(path)
    # os.path: Path.is_dir may raise for a name that is too long
    if os.path.isdir(target):
        raise TargetError(f"{target}: is a folder", "", "Give the name of a file inside it")
    if kind == "raster" and target.suffix.lower() not in TIFF_SUFFIXES:
        raise TargetError(f"{target}: found the name {target.name!r}", "one that ends in .tif, for a GeoTIFF")
    if kind == "picture" and target.suffix.lower() != ".png" and not target.exists():  # else what it is matters more
        raise TargetError(
            f"{target}: found the name {target.name!r}", "one that ends in .png, as pictures are PNG files"
        )
    folder = target.parent
    if not folder.is_dir():
        if folder.exists():
            raise TargetError(f"{target}: {folder} is not a folder", do="Choose another folder")
        raise TargetError(f"{target}: the folder {folder} does not exist", do="Create it first")
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=f".{target.name[:100]}."):
            pass
    except OSError as error:
        raise TargetError(
            f"{target}: {folder} cannot be written to ({error.strerror or error})",
            do="Choose another folder, or change its permissions",
        ) from error


class CogWriter:
    """Streams rows to a tiled GeoTIFF beside the target and makes it cloud optimized when the block ends.

        with CogWriter(target, profile) as writer:
            writer.write(0, rows)

    Memory depends on the rows given at a time and on a row of tiles, not on the image. folder: for the temporary files,
    on the target's file system; default a hidden folder beside the target, which is always removed. After an exception
    nothing is left, and an earlier target stays. TargetError when the disk refuses, also where GDAL does not notice
    it: the rows are read back before the target gets its name.
    """

    def __init__(self, target: str | os.PathLike[str], profile: Profile, folder: str | os.PathLike[str] | None = None):
        self.target = Path(target)
        self.profile = profile
        self._parent = self.target.parent if folder is None else Path(folder)
        self._folder: Path | None = None
        self._dataset: DatasetWriter | None = None
        self._written = 0
        self._rows: list[WrittenRows] = []

    def __enter__(self) -> "CogWriter":
        check_target(self.target)
        try:
            with self._refusals(), without_georeference_warning():
                self._folder = Path(tempfile.mkdtemp(dir=self._parent, prefix=f".{self.target.name[:100]}."))
                self._dataset = rasterio.open(self._folder / "rows.tif", "w", **_creation_options(self.profile))
                _describe(self._dataset, self.profile)
        except BaseException:
            self._leave()
            raise
        return self

    def write(self, row: int, values: Shaped[np.ndarray, "band row column"]) -> None:
        """Store whole rows, the first of which is `row`. ValueError when they do not fit or are not the next."""
        assert self._dataset is not None, "a CogWriter writes inside its with block"
        grid = self.profile.grid
        expected = (self.profile.count, values.shape[1], grid.width)
        if values.shape != expected or values.dtype != np.dtype(self.profile.dtype):
            raise ValueError(f"found {values.dtype} {values.shape}; expected {self.profile.dtype} {expected}")
        if row != self._written or row + values.shape[1] > grid.height:
            raise ValueError(f"found rows {row} to {row + values.shape[1]}; expected from {self._written}, in order")
        with self._refusals():
            self._dataset.write(values, window=RasterioWindow(0, row, grid.width, values.shape[1]))
        self._written += values.shape[1]
        self._rows.append(WrittenRows.of(row, values))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._refusals():  # what is free is asked once the temporary files are gone
            try:
                if error is None:
                    self._finish()
            finally:
                self._leave()

    def _finish(self) -> None:
        assert self._dataset is not None, "a CogWriter ends after it began"
        assert self._folder is not None, "a CogWriter has its folder as long as its dataset"
        if self._written != self.profile.grid.height:
            raise ValueError(f"found {self._written} rows written; expected {self.profile.grid.height}")
        rows, cog = self._folder / "rows.tif", self._folder / "cog.tif"
        self._dataset.build_overviews(_factors(self.profile), Resampling[self.profile.resampling])
        self._dataset.close()
        with without_georeference_warning():
            copy_raster(rows, cog, driver="GTiff", copy_src_overviews=True, **_compression(self.profile))
            refuse_unlike(cog, self._rows)
        if self.profile.categories:
            name_categories(Path(f"{cog}.aux.xml"), self.profile.categories)
        os.replace(cog, self.target)
        for suffix in SIDECARS:
            made, beside = Path(f"{cog}{suffix}"), Path(f"{self.target}{suffix}")
            # a CRS that a GeoTIFF cannot hold is in a sidecar; sidecars of an earlier target are not of this one
            if made.exists():
                os.replace(made, beside)
            else:
                beside.unlink(missing_ok=True)

    def _refusals(self) -> AbstractContextManager[None]:
        """A full disk or a lost folder is the user's to fix: TargetError."""
        return refusals(self.target, *GDAL_ERRORS, needed=2 * raster_bytes(self.profile))

    def _leave(self) -> None:
        if self._dataset is not None:
            with suppress(*GDAL_ERRORS):  # what cannot be flushed is thrown away anyway
                self._dataset.close()
            self._dataset = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def raster_bytes(profile: Profile) -> int:
    """Bytes of a raster with its overviews, not compressed; while it is written, at most twice that is on the disk."""
    values = profile.count * profile.grid.height * profile.grid.width * np.dtype(profile.dtype).itemsize
    return values * 4 // 3


def write_raster(path: str | os.PathLike[str], values: Shaped[np.ndarray, "band row column"], profile: Profile) -> None:
    """Write a whole raster at once; errors as CogWriter."""
    with CogWriter(path, profile) as writer:
        writer.write(0, values)


def _creation_options(profile: Profile) -> dict[str, Any]:
    """Of the temporary file: tiled like the result, not compressed, so that rows can be stored as they come. Band by
    band also where the result is pixel by pixel, of which GDAL makes overviews of many bands dozens of times slower."""
    options = {
        "driver": "GTiff",
        "height": profile.grid.height,
        "width": profile.grid.width,
        "count": profile.count,
        "dtype": profile.dtype,
        "nodata": profile.nodata,
        "crs": None if profile.grid.crs is None else CRS.from_wkt(profile.grid.crs),
        "tiled": True,
        "blockxsize": profile.block,
        "blockysize": profile.block,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    if profile.grid.transform != Affine.identity():
        options["transform"] = profile.grid.transform
    return options


def _compression(profile: Profile) -> dict[str, Any]:
    """Deflate, with the predictor of the number type. For vectors, level 4 takes a fifth to a third less time than the
    usual 6 and gives files less than 1 % larger; for reflectance in whole numbers, level 1 takes a quarter less time
    than 4, for files no larger."""
    floats = np.dtype(profile.dtype).kind == "f"
    return {
        "tiled": True,
        "blockxsize": profile.block,
        "blockysize": profile.block,
        "interleave": profile.interleave,
        "compress": "deflate",
        "zlevel": 4 if floats else 1,
        "predictor": 3 if floats else 2,
        "bigtiff": "if_safer",
        "num_threads": "all_cpus",
    }


def _describe(dataset: DatasetWriter, profile: Profile) -> None:
    for index, description in enumerate(profile.descriptions, 1):
        if description:
            dataset.set_band_description(index, description)
    if profile.scale:
        dataset.scales = profile.scale
    if profile.offset:
        dataset.offsets = profile.offset
    dataset.update_tags(**profile.tags)
    if profile.colours:
        dataset.write_colormap(1, {value: (*colour, 255) for value, colour in enumerate(profile.colours)})


def _factors(profile: Profile) -> list[int]:
    """Halving until the image fits one tile; none for an image one pixel high or wide, which would not get smaller."""
    factors: list[int] = []
    while min(profile.grid.shape) > 1 and max(profile.grid.shape) > profile.block * 2 ** len(factors):
        factors.append(2 ** (len(factors) + 1))
    return factors
