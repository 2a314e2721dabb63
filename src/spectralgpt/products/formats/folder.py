"""A folder of single-band files, on grids of their own: one image."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spectralgpt.bands import is_alias
from spectralgpt.errors import InputError, RasterError
from spectralgpt.products.acquisition import acquisition_day
from spectralgpt.products.format import CloudCode, Format, band_suffixes, cloud_codes
from spectralgpt.products.header import Header, band_in, read_header
from spectralgpt.products.product import Product
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.handles import open_dataset


def read(path: str, expected: int | None) -> Product | None:
    """The images directly in a folder that have one band with a name: its description's, else the file name's.

    Others are left out with a warning; a broken one whose name tells a band is refused. A file called
    like a product's cloud layer (SCL, QA_PIXEL, Fmask) is one. RasterError when no band is left.
    """
    if not os.path.isdir(path):
        return None
    files = _files(path)
    headers: list[Header] = []
    bands, left_out, clouds = [], [], None
    for file in files:
        in_name = band_in(file.stem) or _alias_in(file.stem)
        try:
            header = read_header(str(file))
        except InputError:
            if in_name is not None:
                raise
            left_out.append(f"{file.name} (not readable)")
            continue
        first = header.bands[0] if len(header.bands) == 1 else None
        code = _cloud_code(file.stem)
        if first is not None and first.name is None and code is not None:
            clouds = CloudLayer(code.option, first.path, first.index, first.grid, code.cloudy)
            continue
        name = (first.name if first else None) or in_name
        if first is None or name is None:
            left_out.append(f"{file.name} ({'no band name' if first else 'several bands'})")
            continue
        headers.append(header)
        bands.append(replace(first, name=name))
    if not bands:
        raise RasterError(
            f"{path}: found {len(files)} images but none with one band and its name ({', '.join(left_out[:5])})",
            "single-band files named after their bands, like scene_B02.tif",
            "Name a file, or rename them",
        )
    return Product(
        bands=tuple(bands),
        day=acquisition_day(path, [header.tags for header in headers], [Path(header.path).name for header in headers]),
        clouds=clouds,
        tags=tuple(sorted(set.intersection(*(set(header.tags) for header in headers)))),
        warnings=(
            *((f"{path}: left out {', '.join(left_out)}",) if left_out else ()),
            *(warning for header in headers for warning in header.warnings),
        ),
    )


def _files(path: str) -> list[Path]:
    try:
        entries = sorted(Path(path).iterdir())
    except OSError as error:
        raise RasterError(f"{path}: found a folder that cannot be listed ({error.strerror})", "images") from None
    files = [entry for entry in entries if entry.suffix.lower() in band_suffixes() and not entry.name.startswith(".")]
    if not files:
        raise RasterError(
            f"{path}: found a folder without images ({', '.join(band_suffixes())})",
            "single-band files named after their bands, like scene_B02.tif",
            "Name the folder that holds them, or a file",
        )
    return files


def _alias_in(stem: str) -> str | None:
    """The name that STAC gives a band, like blue or nir08: the whole of a file's name, or its last part."""
    last = stem.replace("-", "_").split("_")[-1].lower()
    return last if is_alias(last) else None


def _cloud_code(stem: str) -> CloudCode | None:
    """How the cloud layer of this file name marks clouds; None for other files."""
    return next((code for layer, code in cloud_codes().items() if f"_{layer}_" in f"_{stem.lower()}_"), None)


def are_single_bands(paths: Sequence[str]) -> bool:
    """Whether all files that open have one band, so that their folder is one image; the first with more decides."""
    opened = 0
    for path in paths:
        try:
            with open_dataset(path) as dataset:
                if dataset.count != 1:
                    return False
        except InputError:
            continue  # reported when it is its turn
        opened += 1
    return opened > 0


FORMAT = Format(
    title="a folder of single-band files on any grids, named after their bands",
    priority=90,  # after every kind of product, whose folders hold single-band files, too
    read=read,
)
