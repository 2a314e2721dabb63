"""SegMunich: Level-2A tiles of Munich, 128 pixels, 10 unnamed bands (10 m ones first), and 13 land cover classes.

img/SegMunich_train_img_10.tif, label/SegMunich_train_label_10.tif, with `train.txt`, `val.txt`; or train/img,
train/label, val/img, val/label

images are arrays (row, column, band) of `tifffile`, or GeoTIFFs; masks hold the codes of CORINE's second level

Source: Hong et al., "SpectralGPT" (IEEE TPAMI 2024); huggingface.co/datasets/Moonboy12138/SegMunich. Band order: from
the pixels; codes: github.com/danfenghong/IEEE_TPAMI_SpectralGPT/issues/25, named as in CORINE.
"""

import os
import re
from collections.abc import Iterator

import numpy as np

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.folders import folders_in
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.incomplete import incomplete
from spectralgpt.data.listed import first_existing, splits_of
from spectralgpt.data.variants import refuse_variant
from spectralgpt.errors import InputError, first_few
from spectralgpt.products import as_pixels, open_raster
from spectralgpt.products.pages import page_shape, read_pages
from spectralgpt.products.whole import opened_whole
from spectralgpt.raster import Readable
from spectralgpt.raster.handles import open_dataset
from spectralgpt.tasks import Class

SEGMUNICH_BANDS = "s2-l2a:B02,B03,B04,B08,B05,B06,B07,B8A,B11,B12"
SEGMUNICH_GSD = 10
SEGMUNICH_ORIGIN = "huggingface.co/datasets/Moonboy12138/SegMunich (TUM_128.zip)"
SEGMUNICH_CLASSES = {
    0: "Background",
    21: "Arable land",
    22: "Permanent crops",
    23: "Pastures",
    31: "Forests",
    5: "Surface water",
    32: "Shrub",
    33: "Open spaces",
    41: "Wetlands",
    13: "Mine dump",
    14: "Artificial vegetation",
    11: "Urban fabric",
    12: "Buildings",
}
"""Code -> class, in the order of the paper's table; the first digits are those of CORINE's classes."""

IMAGE_FOLDERS = ("img", "imgs", "image", "images")
MASK_FOLDERS = ("label", "labels", "mask", "masks")
PART_OF_NAME = re.compile(r"(?<![A-Za-z])(img|image|label|mask|lbl|gt)(?![A-Za-z])", re.IGNORECASE)
"""What distinguishes the name of a tile's image from that of its mask."""

CHECKED_MASKS = 20
"""Masks that are read to find out which codes they hold."""


def labels(folder: str, variant: str | None = None) -> FileLabels | None:
    """A mask of 13 classes per tile. Splits are those of the folders, else of the lists, else of the tiles' names."""
    parts = list(_parts(folder))
    if not parts or not _is_tile(parts[0][1], folder):
        return None
    refuse_variant("SegMunich", variant)
    lists = {
        split: path
        for split in ("train", "val", "test")
        if (path := first_existing([folder, os.path.join(folder, "dataset")], f"{split}.txt")) is not None
    }
    listed = splits_of(lists, lambda line: _tile(line.split()[0])) if lists else {}
    samples = [sample for part in parts for sample in _samples(folder, *part, listed)]
    odd = _other_codes([sample.mask for sample in samples])
    notes = ["tiles were cut with an overlap of half, so tiles of different parts may share ground"]
    if odd:
        notes.append(f"masks hold codes ({first_few(list(map(str, odd)), 4)}) without published names")
    named = {} if odd else SEGMUNICH_CLASSES
    return FileLabels(
        source=folder,
        target="mask",
        samples=tuple(samples),
        classes=tuple(map(Class, named.values())),
        codes=tuple(named),
        open=open_tile,
        notes=tuple(notes),
    )


def open_tile(image: ImageSource) -> Readable:
    """A tile's ten bands (or what `image.bands` says of them), in order of the file, at 10 m; without georeference, as
    published."""
    (path,) = image.paths
    bands = image.bands or SEGMUNICH_BANDS
    if page_shape(path) is None:
        return open_raster(path, bands=bands)
    return as_pixels(np.moveaxis(read_pages(path), 2, 0), bands=bands, gsd=SEGMUNICH_GSD, trust_input=True)


def _parts(folder: str) -> Iterator[tuple[str, str, str]]:
    """Split, folder of images, folder of masks."""
    for split in ("", "train", "val", "test"):
        below = os.path.join(folder, split) if split else folder
        names = folders_in(below) if os.path.isdir(below) else []
        images = next((name for name in names if name.lower() in IMAGE_FOLDERS), None)
        masks = next((name for name in names if name.lower() in MASK_FOLDERS), None)
        if images is not None and masks is not None:
            yield split, os.path.join(below, images), os.path.join(below, masks)


def _is_tile(images: str, folder: str) -> bool:
    """Judged by the first image: an array of ten bands, or ten bands in a folder of the data set's name."""
    first = next(iter(sorted(_tiles(images).values())), None)
    if first is None:
        return False
    try:
        shape = page_shape(first)
        if shape is not None:
            return shape[2] == 10
        with open_dataset(first) as dataset:
            return dataset.count == 10 and re.search("segmunich|tum_128", first, re.IGNORECASE) is not None
    except InputError:
        return False


def _tiles(folder: str) -> dict[str, str]:
    """Tile -> path."""
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith((".tif", ".tiff", ".png")))
    return {_tile(name): os.path.join(folder, name) for name in names}


def _tile(path: str) -> str:
    return PART_OF_NAME.sub("", os.path.splitext(os.path.basename(path))[0])


def _named_split(tile: str) -> str:
    match = re.search(r"_(train|val|test)_", tile, re.IGNORECASE)
    return match[1].lower() if match else ""


def _samples(folder: str, split: str, images: str, masks: str, listed: dict[str, str]) -> list[FileSample]:
    tiles, masked = _tiles(images), _tiles(masks)
    lonely = [f"{path} (no mask)" for tile, path in tiles.items() if tile not in masked]
    lonely += [f"{path} (no image)" for tile, path in masked.items() if tile not in tiles]
    lonely += [f"{tile} (listed, no image)" for tile in ([] if split else listed) if tile not in tiles]
    if lonely:
        raise incomplete(folder, f"{len(tiles)} tiles", lonely, "an image and a mask of each", SEGMUNICH_ORIGIN)
    return [
        FileSample(
            name=os.path.relpath(path, folder),
            image=ImageSource(path, (path,), bands=SEGMUNICH_BANDS),
            mask=masked[tile],
            split=split or (listed.get(tile, "") if listed else _named_split(tile)),
        )
        for tile, path in tiles.items()
    ]


def _other_codes(masks: list[str]) -> list[int]:
    """Codes in some of the masks that are not those of the classes."""
    found: set[int] = set()
    for mask in masks[:: max(1, len(masks) // CHECKED_MASKS)]:
        with opened_whole(mask) as dataset:
            found |= set(np.unique(dataset.read(1)).astype(int).tolist())
    return sorted(found - set(SEGMUNICH_CLASSES))
