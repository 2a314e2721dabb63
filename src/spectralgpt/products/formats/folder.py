"""A folder of single-band files as one image; each file has its own grid."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spectralgpt.bands import is_alias, only_count
from spectralgpt.errors import InputError, RasterError
from spectralgpt.products.acquisition import acquisition_day
from spectralgpt.products.format import CloudCode, Format, all_formats, band_suffixes, cloud_codes
from spectralgpt.products.formats.stac.beside import completed_by_item
from spectralgpt.products.header import Header, band_in, read_header
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.handles import open_dataset


def read(path: str, expected: int | None) -> Product | None:
    """The images directly in a folder that have one band with a name, from its description, else the file's name.

    Others are left out with a warning; a broken file named after a band is refused. A file named like a product's cloud
    layer (SCL, QA_PIXEL, Fmask) is one. A STAC item beside them completes what they state. RasterError when no band is
    left.
    """
    if not os.path.isdir(path):
        return None
    files = _files(path)
    headers: list[Header] = []
    bands, left_out = [], []
    clouds: list[CloudLayer] = []
    for file in files:
        named = _named_after_band(file)
        header = _header(file, named)
        band = header.bands[0] if header and len(header.bands) == 1 else None
        code = _cloud_code(file.stem) if named is None else None
        name = (_name_of(band) if band else None) or named
        if header is None:
            left_out.append(f"{file.name} (not readable)")
        elif band is not None and code is not None:
            clouds.append(CloudLayer(code.option, band.path, band.index, band.grid, code.cloudy))
        elif band is None or name is None:
            left_out.append(f"{file.name} ({'no band name' if band else 'several bands'})")
        else:
            headers.append(header)
            bands.append(replace(band, name=name))
    if not bands:
        raise RasterError(
            f"{path}: found no image with a single band and its name among {len(files)} ({', '.join(left_out[:5])})",
            "single-band files named after their bands, like scene_B02.tif",
            "Give one file, or rename them",
        )
    product = Product(
        bands=tuple(bands),
        day=acquisition_day(path, [header.tags for header in headers], [Path(header.path).name for header in headers]),
        clouds=clouds[0] if clouds else None,
        other_clouds=tuple(clouds[1:]),
        tags=tuple(sorted(set.intersection(*(set(header.tags) for header in headers)))),
        warnings=(
            *((f"{path}: left out {', '.join(left_out)}",) if left_out else ()),
            *(warning for header in headers for warning in header.warnings),
        ),
    )
    return completed_by_item(product, path)


def _files(path: str) -> list[Path]:
    try:
        entries = sorted(Path(path).iterdir())
    except OSError as error:
        raise RasterError(f"{path}: cannot be listed ({error.strerror})", do="Change its permissions") from None
    files = [entry for entry in entries if not entry.name.startswith(".") and _may_be_band(entry)]
    if not files:
        raise RasterError(
            f"{path}: found a folder without images ({', '.join(band_suffixes())})",
            "single-band files named after their bands, like scene_B02.tif",
            "Give the folder that contains them, or a file",
        )
    return files


def _may_be_band(file: Path) -> bool:
    """Whether a file is an image of a format with single-band files."""
    return any(one.single and one.is_image(str(file)) for one in all_formats())


def _name_of(band: StoredBand) -> str | None:
    """The name in a file's description, unless it only counts: GDAL and ENVI write Band 1 into any file."""
    return None if only_count([band.name]) else band.name


def _named_after_band(file: Path) -> str | None:
    """The band in a file's name, like B02, or STAC's name of one, like blue or nir08, as its last part."""
    last = file.stem.replace("-", "_").split("_")[-1].lower()
    return band_in(file.stem) or (last if is_alias(last) else None)


def _header(file: Path, named: str | None) -> Header | None:
    """The header of a file, None for a broken one. RasterError for a broken one that is named after a band."""
    try:
        return read_header(str(file))
    except InputError:
        if named is not None:
            raise
        return None


def _cloud_code(stem: str) -> CloudCode | None:
    """How a cloud layer with this file name marks clouds; None for other files."""
    return next((code for layer, code in cloud_codes().items() if f"_{layer}_" in f"_{stem.lower()}_"), None)


def are_single_bands(paths: Sequence[str]) -> bool:
    """Whether their folder is one image: all files that can be opened have one band. Stops at the first with more."""
    opened = 0
    for path in paths:
        try:
            with open_dataset(path) as dataset:
                if dataset.count != 1:
                    return False
        except InputError:
            continue  # reported when it is read
        opened += 1
    return opened > 0


FORMAT = Format(
    title="a folder of single-band files on any grids, named after their bands",
    priority=90,  # after all kinds of products: their folders hold single-band files, too
    read=read,
)
