"""The hashes of an image and of its chips, to find it among the images that a model was trained on."""

from collections.abc import Iterable, Iterator

from spectralgpt.data.chips import corners, padded_side
from spectralgpt.data.image_hash import date_hashes
from spectralgpt.data.layout import wavelength_order
from spectralgpt.raster import Readable, Window


def sample_hashes(image: Readable, sides: Iterable[int] = ()) -> frozenset[str]:
    """The hashes of an image and of its chips, each date alone; dates without a valid pixel have none.

    sides: pixels, of the chips that the training images were cut into; an image was seen if one of its hashes is among
    theirs. Without sides only the whole image, to find the same image in two parts. Reads the whole image at once.
    RasterError, naming the file, when it cannot be read.
    """
    pixels = image.read()
    order = wavelength_order(pixels.bands)
    values = pixels.values[:, order]
    valid = None if pixels.valid is None else pixels.valid[:, order]
    found: set[str] = set()
    for window in _windows(pixels.grid.shape, sides):
        rows, columns = window.slices
        found.update(date_hashes(values[..., rows, columns], None if valid is None else valid[..., rows, columns]))
    return frozenset(found)


def _windows(shape: tuple[int, int], sides: Iterable[int]) -> Iterator[Window]:
    """The whole image, and its chips as sharding cuts them."""
    height, width = shape
    yield Window(0, 0, height, width)
    for chip in dict.fromkeys(sides):
        side = padded_side(height, width, chip)
        if side < max(height, width):
            for row, column in corners(height, width, side):
                yield Window(row, column, min(side, height), min(side, width))
