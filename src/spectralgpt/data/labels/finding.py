"""What a source of labelled images is, by its names alone; no image is opened."""

import os
from dataclasses import replace

from spectralgpt.data.datasets import read_labels
from spectralgpt.data.file_labels import FileLabels
from spectralgpt.data.labels.class_folders import of_class_folders
from spectralgpt.data.labels.label_table import is_table, of_table
from spectralgpt.data.labels.listing import folders_of, split_of
from spectralgpt.data.labels.mask_folders import (
    IMAGE_FOLDER_NAMES,
    MaskFolders,
    given_folders,
    mask_folders_in,
    of_mask_folders,
    refuse_pairs_without_masks,
)
from spectralgpt.data.labels.partners import BETWEEN_WORDS
from spectralgpt.data.labels.reading import LabelReading
from spectralgpt.errors import DataError, argument, first_few


def find_labels(source: str | os.PathLike[str], reading: LabelReading) -> FileLabels:
    """The labelled images of a table, a known data set, a folder of class folders, or folders of images and masks.

    DataError, one message for all files, for what does not exist, holds no labelled image, or misses partners.
    """
    path = os.path.abspath(source)
    if not os.path.exists(path):
        raise DataError(f"{os.fspath(source)}: does not exist", do="Check the path")
    if os.path.isfile(path) and is_table(path):
        return of_table(path, reading)
    if reading.label is not None:
        raise DataError(f"{argument('label', reading.label)}: found {path}", "a table, as the argument names a column")
    if reading.masks is not None or reading.after is not None:
        return of_mask_folders(path, given_folders(path, reading.masks, reading.after))
    if os.path.isfile(path):
        raise DataError(
            f"{path}: found one file",
            "labelled images: a folder with one folder per class, a folder of images and one of masks, or a table "
            "(.csv, .parquet, .geojson) with the columns image and label",
            "Give the folder or table that holds the labels",
        )
    return read_labels(path, reading.variant) or _of_folder(path)


def _of_folder(path: str) -> FileLabels:
    folders = mask_folders_in(path)
    names = folders_of(path)
    if folders is not None:
        found = of_mask_folders(path, folders)
        used = {os.path.basename(each) for each in (folders.images, folders.after, folders.masks)}
        others = [name for name in names if name not in used]
        note = f"masks are those of {os.path.basename(folders.masks)}; left out: the folders {first_few(others, 4)}"
        return replace(found, notes=(note, *found.notes)) if others else found
    of_parts = {name: mask_folders_in(os.path.join(path, name)) for name in names if split_of(name)}
    parts = {name: folders for name, folders in of_parts.items() if folders is not None}
    if parts:
        return _of_parts(path, parts)
    for folder in (path, *(os.path.join(path, name) for name in of_parts)):
        refuse_pairs_without_masks(folder)
    images = [name for name in names if set(BETWEEN_WORDS.split(name.lower())) & set(IMAGE_FOLDER_NAMES)]
    if images:
        raise DataError(
            f"{path}: found {first_few(images, 3)} among its folders, and none that is called masks or labels",
            "class folders, or the folders of images and masks by name",
            f"Give the images' folder, like {os.path.join(path, images[0])}, with",
            ("masks", "..."),
        )
    return of_class_folders(path)


def _of_parts(path: str, folders: dict[str, MaskFolders]) -> FileLabels:
    """One data set of `train/images`, `train/masks`, `val/images`, ..."""
    parts = [of_mask_folders(path, of_part, split_of(name)) for name, of_part in folders.items()]
    if len({part.target for part in parts}) > 1:
        raise DataError(f"{path}: found pairs in some parts only", "pairs in all parts, or in none")
    return replace(
        parts[0],
        samples=tuple(sample for part in parts for sample in part.samples),
        notes=tuple(note for part in parts for note in part.notes),
    )
