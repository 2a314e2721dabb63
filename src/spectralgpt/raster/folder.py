"""A folder of single-band files, on grids of their own: one image."""

import re
from dataclasses import dataclass
from pathlib import Path

from spectralgpt.bands import canonical
from spectralgpt.errors import InputError, RasterError
from spectralgpt.raster.geotiff import Contents, read_contents

SUFFIXES = (".tif", ".tiff", ".jp2", ".img")

NAMED = re.compile(r"B0*[1-9]\d*A?", re.IGNORECASE)
"""A band's name among the parts of a file's name: T32UQD_20200501_B8A_20m.tif."""


@dataclass(frozen=True, slots=True)
class Found:
    """The single-band files of a folder, with the name of each one's band, and what was left out."""

    contents: tuple[Contents, ...]
    names: tuple[str, ...]
    warnings: tuple[str, ...]


def read_folder(folder: str) -> Found:
    """The images directly in a folder that have one band with a name: its description's, else the file name's.

    Others are left out with a warning; a broken one whose name tells a band is refused. RasterError when none is left.
    """
    files = sorted(
        path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        raise RasterError(
            f"{folder}: found a folder without images ({', '.join(SUFFIXES)}); expected single-band files named after "
            "their bands, like scene_B02.tif. Name the folder that holds them, or a file."
        )
    contents, names, left_out = [], [], []
    for path in files:
        in_name = name_in(path.stem)
        try:
            content = read_contents(str(path))
        except InputError:
            if in_name is not None:
                raise
            left_out.append(f"{path.name} (not readable)")
            continue
        name = (content.names[0] if len(content.names) == 1 else None) or in_name
        if len(content.indexes) != 1 or name is None:
            left_out.append(f"{path.name} ({'no band name' if len(content.indexes) == 1 else 'several bands'})")
            continue
        contents.append(content)
        names.append(name)
    if not contents:
        raise RasterError(
            f"{folder}: found {len(files)} images but none with one band and its name ({', '.join(left_out[:5])}); "
            "expected single-band files named after their bands, like scene_B02.tif. Name a file, or rename them."
        )
    warnings = (f"{folder}: left out {', '.join(left_out)}",) if left_out else ()
    return Found(tuple(contents), tuple(names), warnings)


def name_in(stem: str) -> str | None:
    """The band that a file's name tells: its last part of the form B02 or B8A."""
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", stem) if NAMED.fullmatch(part)]
    return canonical(parts[-1]) if parts else None
