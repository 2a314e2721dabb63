"""A folder of single-band files, on grids of their own: one image."""

import os
from dataclasses import replace
from pathlib import Path

from spectralgpt.bands import is_alias
from spectralgpt.errors import InputError, RasterError
from spectralgpt.raster.dates import day_told
from spectralgpt.raster.formats.file import Header, band_in, read_header
from spectralgpt.raster.product import SCENE_CLASSES, CloudLayer, Product

SUFFIXES = (".tif", ".tiff", ".jp2", ".img")


def read(path: str, expected: int | None) -> Product | None:
    """The images directly in a folder that have one band with a name: its description's, else the file name's.

    Others are left out with a warning; a broken one whose name tells a band is refused. A file called SCL holds the
    scene classes of Sentinel-2. RasterError when none is left.
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
        if first is not None and first.name is None and "SCL" in file.stem.upper().split("_"):
            clouds = CloudLayer("scl", first.path, first.index, first.grid, SCENE_CLASSES)
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
        day=day_told(path, [header.tags for header in headers], [Path(header.path).name for header in headers]),
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
    files = [entry for entry in entries if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")]
    if not files:
        raise RasterError(
            f"{path}: found a folder without images ({', '.join(SUFFIXES)})",
            "single-band files named after their bands, like scene_B02.tif",
            "Name the folder that holds them, or a file",
        )
    return files


def _alias_in(stem: str) -> str | None:
    """The name that STAC gives a band, like blue or nir08: the whole of a file's name, or its last part."""
    last = stem.replace("-", "_").split("_")[-1].lower()
    return last if is_alias(last) else None
