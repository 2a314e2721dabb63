"""A folder of class folders: `Forest/a.tif`; or of such folders for each part: `train/Forest/a.tif`."""

import os

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.labels.listing import folders_of, image_files_in, images_below, name_below, split_of
from spectralgpt.errors import DataError, counted, first_few


def of_class_folders(folder: str) -> FileLabels:
    """The images in a folder's class folders; where its folders are called train, val or test, in theirs.

    DataError when no class folder contains an image, or a part is empty.
    """
    parts = [name for name in folders_of(folder) if split_of(name)]
    samples: list[FileSample] = []
    notes: list[str] = []
    for part in parts or [""]:
        root = os.path.join(folder, part) if part else folder
        found, left_out = _of_part(folder, root, split_of(part))
        if part and not found:
            raise DataError(
                f"{root}: found no image in a class folder", "at least one, as the folder names a part of the data set"
            )
        samples += found
        notes += left_out
    if parts:
        notes += _other_folders(folder, parts)
    if not samples:
        raise DataError(
            f"{folder}: found no labelled images",
            "class folders with images, folders like images and masks, or a table",
            "Name the folder of masks, like",
            ("masks", "masks"),
        )
    return FileLabels(folder, "class", tuple(samples), notes=tuple(notes))


def _of_part(source: str, root: str, split: str) -> tuple[list[FileSample], list[str]]:
    samples, empty = [], []
    for label in folders_of(root):
        images = images_below(os.path.join(root, label))
        if not images:
            empty.append(label)
        samples += [
            FileSample(name_below(image.paths[0], source), image, labels=(label,), split=split) for image in images
        ]
    notes = [f"left out: {counted(len(empty), 'folder')} without images ({first_few(empty, 4)})"] if empty else []
    loose = image_files_in(root)
    if loose:
        notes.append(f"left out: {counted(len(loose), 'image')} in no class folder ({first_few(loose, 4)})")
    return samples, notes


def _other_folders(folder: str, parts: list[str]) -> list[str]:
    others = [name for name in folders_of(folder) if name not in parts]
    return [f"left out: folders that are no part ({first_few(others, 4)})"] if others else []
