"""A zip or tar of plain images: one raster, or the single-band files of one image, read in place."""

import os
from pathlib import Path

from spectralgpt.errors import InputError, RasterError, first_few
from spectralgpt.products.archive import Archive, open_archive
from spectralgpt.products.format import Format, band_suffixes
from spectralgpt.products.formats import file, folder
from spectralgpt.products.header import Header, read_header
from spectralgpt.products.product import Product

HOLDS = "a product as its provider packs it, one raster, or single-band files named after their bands, like B02.tif"
"""What an archive may hold."""


def read(path: str, expected: int | None) -> Product | tuple[Product, ...] | None:
    """The Product of the only raster in an archive, or of its single-band files, as of a folder of these; one per date
    where the files have dates. RasterError for an archive of anything else."""
    archive = open_archive(path)
    if archive is None or archive.kind == "folder":
        return None
    names = _images(archive)
    if len(names) == 1:
        return file.read(archive.gdal_path(names[0]), expected)
    if not names:
        listed = first_few(archive.names(), 6) or "nothing"
        raise RasterError(f"{path}: found no image in the archive ({listed})", HOLDS)
    inside = sorted({os.path.dirname(name) for name in names})
    several = [name for name in names if _count(archive, name) > 1]
    if len(inside) > 1 or len(several) == len(names):
        where = f" in {len(inside)} folders" if len(inside) > 1 else ""
        raise RasterError(
            f"{path}: found {len(names)} images{where} in the archive ({first_few(names, 6)})",
            HOLDS,
            "Unpack it, and give the images or their folders",
        )
    return folder.product_of_files(path, [Path(archive.gdal_path(name)) for name in names])


def _images(archive: Archive) -> list[str]:
    """The images in an archive, without the copies of names that macOS adds."""
    return [
        name
        for name in archive.names()
        if name.lower().endswith(band_suffixes())
        and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]


def _count(archive: Archive, name: str) -> int:
    """The number of bands of an image, 0 for a broken one, which is reported when it is read."""
    try:
        header: Header = read_header(archive.gdal_path(name))
    except InputError:
        return 0
    return len(header.bands)


FORMAT = Format(
    title="a zip or tar with one raster, or with single-band files named after their bands",
    priority=95,  # after all products, which may be packed, too
    read=read,
    archives=(".zip", ".tar"),
    single=False,
)
