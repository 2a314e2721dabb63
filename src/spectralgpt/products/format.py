"""What a file format says of itself. Every module and package in `formats/` has one `FORMAT`; nothing lists them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from spectralgpt.errors import RasterError
from spectralgpt.products import formats as folder_of_formats
from spectralgpt.products.product import Product


@dataclass(frozen=True, slots=True)
class CloudCode:
    """How a kind of product marks clouds and their shadows.

    option: what the argument `clouds` calls it, like scl. layer: the name of the layer in file names and STAC items.
    cloudy: (mask, value) pairs, as in CloudLayer.
    """

    option: str
    layer: str
    cloudy: tuple[tuple[int, int], ...]


def _no_folder(folder: str, names: Sequence[str]) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format: how it is read, and what other parts of the package ask about it.

    title: what it reads, for people. priority: formats are asked in this order, lowest first. read: the Product at a
    path, or None when it is of another format; its second argument is the number of bands that the user says a file
    has, or None. suffixes: endings (lower case) of its images, as they are looked for in folders. archives: endings of
    archives that may hold its products. named: further endings by which a user may name an image. claims: whether a
    file is its image even without such an ending. claims_folder: whether a folder with these file names is one
    product. owns_neighbours: whether images beside its file are parts of it. single: whether its files may be the
    bands of a folder. clouds: the cloud layers of its products.
    """

    title: str
    priority: int
    read: Callable[[str, int | None], Product | None]
    suffixes: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    claims: Callable[[str], bool] = lambda path: False
    claims_folder: Callable[[str, Sequence[str]], bool] = _no_folder
    owns_neighbours: bool = False
    single: bool = True
    clouds: tuple[CloudCode, ...] = ()
    name: str = ""

    def is_image(self, path: str) -> bool:
        """Whether a file is an image of this format, by its name and, where that says nothing, its first bytes."""
        return path.lower().endswith(self.suffixes) or self.claims(path)


def formats() -> tuple[Format, ...]:
    """All formats, in the order in which they are asked."""
    return _found(tuple(folder_of_formats.__path__))


@cache
def _found(folders: tuple[str, ...]) -> tuple[Format, ...]:
    found = []
    for module in iter_modules(folders):
        made: Format = import_module(f"{folder_of_formats.__name__}.{module.name}").FORMAT
        found.append(replace(made, name=module.name))
    return tuple(sorted(found, key=lambda each: (each.priority, each.name)))


def read_product(path: str, expected: int | None = None) -> Product:
    """The Product at a path, by the first format that knows it. RasterError when none does, or it is broken."""
    for each in formats():
        product = each.read(path, expected)
        if product is not None:
            return product
    raise RasterError(f"{path}: found neither a file nor a folder", "an image", "Check the path")


def format_of_file(path: str) -> Format | None:
    """The first format of which a file is an image; None for other files."""
    return next((each for each in formats() if each.is_image(path)), None)


def is_product_folder(folder: str, names: Sequence[str]) -> bool:
    """Whether a folder with these file names is one product, by what its format says."""
    return any(each.claims_folder(folder, names) for each in formats())


def image_suffixes() -> tuple[str, ...]:
    """Endings of image files, each once, the commonest first."""
    return _each_once(each.suffixes for each in reversed(formats()))


def band_suffixes() -> tuple[str, ...]:
    """Endings of files that may be the bands of a folder, each once."""
    return _each_once(each.suffixes for each in reversed(formats()) if each.single)


def archive_suffixes() -> tuple[str, ...]:
    """Endings of archives that may hold a product, each once."""
    return _each_once(each.archives for each in formats())


def looks_like_image(name: str) -> bool:
    """Whether a name ends as images do, whether or not there is such a file."""
    endings = _each_once((*each.suffixes, *each.archives, *each.named) for each in formats())
    return os.fspath(name).lower().endswith(endings)


def cloud_codes() -> dict[str, CloudCode]:
    """How products mark clouds, by the layer's name."""
    return {code.layer: code for each in formats() for code in each.clouds}


def cloud_options() -> tuple[str, ...]:
    """What the argument `clouds` calls the products' own layers."""
    return tuple(dict.fromkeys(code.option for each in formats() for code in each.clouds))


def _each_once(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ending for group in groups for ending in group))
