"""One file a format. Each has `read(path, expected)`: the Product at a path, or None when it is of another format.

A module of this folder is asked without being listed anywhere; `folder` and `file` come last, as any folder and any
file may be one of theirs. expected: how many bands the user says that a file has, None untold.
"""

from importlib import import_module
from pkgutil import iter_modules

from spectralgpt.errors import RasterError
from spectralgpt.raster.product import Product

LAST = ("folder", "file")


def read_product(path: str, expected: int | None = None) -> Product:
    """The Product at a path, by the first format that knows it. RasterError when none does, or it is broken."""
    names = [module.name for module in iter_modules(__path__) if module.name not in LAST]
    for name in (*names, *LAST):
        product: Product | None = import_module(f"{__name__}.{name}").read(path, expected)
        if product is not None:
            return product
    raise RasterError(f"{path}: found neither a file nor a folder", "an image", "Check the path")
