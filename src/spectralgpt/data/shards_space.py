"""Whether the disk holds the samples of images: asked before the first is stored, from the size of a few of them."""

from collections.abc import Sequence
from pathlib import Path

from spectralgpt.data.chips import corners, padded_side
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.layout import Layout
from spectralgpt.data.series import Reading, first_of, opened
from spectralgpt.errors import InputError, counted
from spectralgpt.free_space import free_space, in_bytes, require_space
from spectralgpt.raster.handles import GDAL_ERRORS

MEASURED_IMAGES = 8
"""Images that are opened to learn how large their samples are, evenly over all of them."""

CERTAIN_SHARE = 0.5
"""Share of the estimate that must be free: images differ, and chips with too few valid pixels are left out."""


def check_shards_space(folder: Path, images: Sequence[ImageSource], reading: Reading) -> tuple[str, ...]:
    """TargetError where the disk has less than half of the estimate for the images that are to be stored; a warning
    where it has less than the estimate. None of either where no image opens, which is then reported per image."""
    every = max(1, len(images) // MEASURED_IMAGES)
    chosen = images[::every][:MEASURED_IMAGES]
    sizes = [size for image in chosen if (size := sample_bytes(image, reading)) is not None]
    if not sizes:
        return ()
    needed = sum(sizes) * len(images) // len(sizes)
    what = f"the samples of {counted(len(images), 'image')} (about {in_bytes(needed)}, from the size of {len(sizes)})"
    require_space(folder, int(needed * CERTAIN_SHARE), what, "store them on another disk")
    free = free_space(folder)
    if free is None or free >= needed:
        return ()
    return (f"{folder}: {in_bytes(free)} were free at the start, and {what} may take more",)


def sample_bytes(image: ImageSource, reading: Reading) -> int | None:
    """Bytes of all samples of an image, if each has enough valid pixels; None for an image that does not open."""
    try:
        raster = opened(first_of(image, reading))
        side = padded_side(*raster.grid.shape, reading.chip)
        chips = sum(1 for _ in corners(*raster.grid.shape, side))
        dates = len(image.paths) if image.stack else len(raster.days)
        return chips * Layout(raster.bands, str(raster.dtype), dates, side).bytes
    except (InputError, OSError, *GDAL_ERRORS):
        return None
