"""What a file format declares about itself. Each module or package in `formats/` has one `FORMAT`; no list names it."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from spectralgpt.errors import RasterError
from spectralgpt.products.product import Product

FOLDER_OF_FORMATS = "spectralgpt.products.formats"

OWN_LAYER = "auto"
"""Value of the argument `clouds`: the product's own layer, whatever its name."""


@dataclass(frozen=True, slots=True)
class CloudCode:
    """How a kind of product marks clouds and their shadows.

    option: its name as a value of the argument `clouds`, like scl. layer: the name of the layer in file names and STAC
    items. cloudy: (mask, value) pairs, as in CloudLayer.
    """

    option: str
    layer: str
    cloudy: tuple[tuple[int, int], ...]


def _no_folder(folder: str, names: Sequence[str]) -> bool:
    return False


def any_named(name: re.Pattern[str]) -> Callable[[str, Sequence[str]], bool]:
    """Claims a folder in which a file has a name that matches."""
    return lambda folder, names: any(map(name.fullmatch, names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format: how it is read, and what the rest of the package needs to know about it.

    title: what it reads, for people. priority: formats are tried in this order, lowest first; each has its own.
    read: the Product at a path, one per date of a folder of several, or None for another format; its second
    argument is the number of bands that the user gives for a file, or None. suffixes: endings (lower case) of its
    images in folders. archives: endings of archives that may hold its products. named: further endings of paths
    that a user may give as an image. claims: whether a file is its image, where the ending does not decide.
    claims_folder: whether a folder with these file names is one product. named_files: the files that one of its
    files names and that are read with it, like the sources of a VRT; none for other files. owns_neighbours: whether
    images beside its file belong to it. single: whether its files may be the bands of a folder. clouds: the cloud
    layers of its products.
    """

    title: str
    priority: int
    read: Callable[[str, int | None], Product | tuple[Product, ...] | None]
    suffixes: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    claims: Callable[[str], bool] | None = None
    claims_folder: Callable[[str, Sequence[str]], bool] = _no_folder
    named_files: Callable[[str], Iterable[str]] | None = None
    owns_neighbours: bool = False
    single: bool = True
    clouds: tuple[CloudCode, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        for endings in (self.suffixes, self.archives, self.named):
            if not isinstance(endings, tuple) or not all(each.startswith(".") for each in endings):
                raise ValueError(f"found the endings {endings!r}; expected a tuple like ('.tif', '.tiff')")

    def is_image(self, path: str) -> bool:
        """Whether a file is an image of this format: by `claims`, else by the ending of its name."""
        return path.lower().endswith(self.suffixes) if self.claims is None else self.claims(path)


def all_formats() -> tuple[Format, ...]:
    """All formats, in the order in which they are tried."""
    return _formats_in(tuple(import_module(FOLDER_OF_FORMATS).__path__))


@cache
def _formats_in(folders: tuple[str, ...]) -> tuple[Format, ...]:
    found: dict[int, Format] = {}
    for module in iter_modules(folders):
        declared = getattr(import_module(f"{FOLDER_OF_FORMATS}.{module.name}"), "FORMAT", None)
        if not isinstance(declared, Format):
            raise TypeError(f"{module.name}: found FORMAT = {declared!r}; expected a Format, as in every such module")
        if declared.priority in found:
            raise ValueError(
                f"{module.name}: found priority {declared.priority}, which {found[declared.priority].name} has; each "
                f"format has its own. Taken: {', '.join(map(str, sorted(found)))}"
            )
        found[declared.priority] = replace(declared, name=module.name)
    return tuple(found[priority] for priority in sorted(found))


def read_products(path: str, expected: int | None = None) -> tuple[Product, ...]:
    """The Product at a path, or one per date, by the first format that recognizes it. RasterError when none does, or it
    is broken."""
    for one in all_formats():
        found = one.read(path, expected)
        if found is not None:
            return (found,) if isinstance(found, Product) else found
    raise RasterError(f"{path}: no format recognizes it", do="Give an image")


def format_of_file(path: str) -> Format | None:
    """The first format that the file is an image of; None for other files."""
    return next((one for one in all_formats() if one.is_image(path)), None)


def is_product_folder(folder: str, names: Sequence[str]) -> bool:
    """Whether a format claims a folder with these file names as one product."""
    return any(one.claims_folder(folder, names) for one in all_formats())


def image_suffixes() -> tuple[str, ...]:
    """Endings of image files, the most common first."""
    return _unique(one.suffixes for one in reversed(all_formats()))


def band_suffixes() -> tuple[str, ...]:
    """Endings of files that may be the bands of a folder."""
    return _unique(one.suffixes for one in reversed(all_formats()) if one.single)


def archive_suffixes() -> tuple[str, ...]:
    """Endings of archives that may hold a product."""
    return _unique(one.archives for one in all_formats())


def looks_like_image(name: str) -> bool:
    """Whether a name ends like an image's, whether or not the file exists."""
    endings = _unique((*one.suffixes, *one.archives, *one.named) for one in all_formats())
    return os.fspath(name).lower().endswith(endings)


def cloud_codes() -> dict[str, CloudCode]:
    """How products mark clouds, by the layer's name."""
    return {code.layer: code for one in all_formats() for code in one.clouds}


def cloud_options() -> tuple[str, ...]:
    """The values of the argument `clouds` for the products' own layers: whichever it has, or one by its name."""
    return OWN_LAYER, *dict.fromkeys(code.option for one in all_formats() for code in one.clouds)


def _unique(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ending for group in groups for ending in group))
