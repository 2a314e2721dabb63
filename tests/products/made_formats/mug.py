"""MUG: a made-up format. `scene.mug` is a text file that names its image and its layer of clouds, one per line."""

import os
from pathlib import Path

from spectralgpt.products.format import CloudCode, Format
from spectralgpt.products.header import read_header
from spectralgpt.products.product import Product
from spectralgpt.raster.clouds import CloudLayer

STEAM = ((255, 7),)
"""What a mug's layer calls steam."""


def read(path: str, expected: int | None) -> Product | None:
    """The Product of a mug, None for other files."""
    if not path.endswith(".mug") or not os.path.isfile(path):
        return None
    image, steam = (Path(path).parent / line for line in Path(path).read_text().split())
    header, layer = read_header(str(image)), read_header(str(steam)).bands[0]
    clouds = CloudLayer("steam", layer.path, layer.index, layer.grid, STEAM)
    return Product(header.bands, sensor="s2-l1c", day=18383, clouds=clouds)


FORMAT = Format(
    title="mugs",
    priority=5,
    read=read,
    suffixes=(".mug",),
    owns_neighbours=True,
    clouds=(CloudCode("steam", "steam", STEAM),),
)
