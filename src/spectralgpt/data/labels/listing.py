"""Which images and masks a folder contains."""

import os
from collections.abc import Iterable

from spectralgpt.data.folders import is_folder
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.sources import PREVIEW, find_images
from spectralgpt.errors import DataError, RasterError
from spectralgpt.products import image_suffixes

MASK_SUFFIXES = (".png", ".bmp", ".gif")
"""Endings of masks besides those of images; JPEG is not among them, as it changes codes."""

JPEG_SUFFIXES = (".jpg", ".jpeg")

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of folders, and values in tables, that say which part a sample is of."""


def folders_of(folder: str) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones."""
    try:
        with os.scandir(folder) as entries:
            return sorted(each.name for each in entries if not each.name.startswith(".") and is_folder(each))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})", do="Change its permissions") from None


def images_below(folder: str) -> list[ImageSource]:
    """The images of a folder: files, products and folders of single-band files; empty without one."""
    try:
        return list(find_images([folder]).images)
    except RasterError as error:
        if error.found.startswith(f"{folder}: found no image"):
            return []  # not a fault: a folder may hold something else
        raise


def image_files_in(folder: str) -> list[str]:
    """Names of the raster files directly in a folder, sorted."""
    with os.scandir(folder) as entries:
        return _images_among(entry.name for entry in entries if entry.is_file())


def image_files_below(folder: str) -> list[str]:
    """Paths of the raster files below a folder, sorted: as masks lie there, one per file."""
    return _images_among(files_below(folder))


def files_below(folder: str) -> list[str]:
    """Paths of the files below a folder, without those in hidden folders."""
    found = []
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        found += [os.path.join(top, file) for file in sorted(files)]
    return found


def _images_among(files: Iterable[str]) -> list[str]:
    """Names or paths, sorted."""
    endings = (*image_suffixes(), *MASK_SUFFIXES)
    return sorted(file for file in files if file.lower().endswith(endings) and _is_shown(os.path.basename(file)))


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and not PREVIEW.fullmatch(os.path.splitext(name)[0])


def name_below(path: str, folder: str) -> str:
    """A path below a folder as a name, with `/` between its parts; the whole path where it lies elsewhere."""
    relative = os.path.relpath(path, folder)
    return (path if relative.startswith(os.pardir) else relative).replace(os.sep, "/")


def stem_below(path: str, folder: str) -> str:
    """The name of a path below a folder without the ending of a file."""
    name = name_below(path, folder)
    return name if os.path.isdir(path) else os.path.splitext(name)[0]


def split_of(name: str) -> str:
    """The part that a folder's name says, empty where it says none."""
    return SPLIT_NAMES.get(name.lower(), "")
