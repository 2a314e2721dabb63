"""What of an image is compared with what weights were trained on."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectralgpt.raster import Readable


def kind_of_image(image: "Readable") -> tuple[str, float]:
    """The sensor of an image, which says its level, and its GSD (nan unknown)."""
    return image.bands[0].sensor, float(image.gsd)
