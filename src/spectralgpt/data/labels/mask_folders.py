"""Folders of images and masks, and of pairs and masks; partners are found by name."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.labels.faults import Fault, Faults
from spectralgpt.data.labels.listing import (
    JPEG_SUFFIXES,
    files_below,
    folders_of,
    image_files_below,
    images_below,
    name_below,
    split_of,
    stem_below,
)
from spectralgpt.data.labels.partners import partners
from spectralgpt.errors import DataError, argument, counted, first_few

IMAGE_FOLDER_NAMES = ("images", "image", "img", "imgs", "input", "inputs", "s2")
MASK_FOLDER_NAMES = (
    *("masks", "mask", "labels", "label", "gt", "groundtruth", "ground_truth", "annotations", "annotation", "target"),
    *("targets", "water", "change", "cm"),
)
BEFORE_FOLDER_NAMES = ("before", "pre", "a", "t1", "date1", "time1", "im1", "img1", "image1", "imgs_1", "images_1")
AFTER_FOLDER_NAMES = ("after", "post", "b", "t2", "date2", "time2", "im2", "img2", "image2", "imgs_2", "images_2")
"""Names of folders, in lower case; the first and second images of pairs in the same order."""


@dataclass(frozen=True, slots=True)
class MaskFolders:
    """Paths of the folders (or of one file each) of images, of second images (empty unless pairs) and of masks."""

    images: str
    masks: str
    after: str = ""


def mask_folders_in(folder: str) -> MaskFolders | None:
    """The folders of images and masks in a folder, by their names; None where it has another layout.

    DataError where several folders could hold the masks.
    """
    names = {name.lower(): name for name in folders_of(folder)}
    masks = [name for name in MASK_FOLDER_NAMES if name in names]
    pairs = [
        (one, two) for one, two in zip(BEFORE_FOLDER_NAMES, AFTER_FOLDER_NAMES, strict=True) if {one, two} <= set(names)
    ]
    images = [name for name in IMAGE_FOLDER_NAMES if name in names]
    if not masks or not (pairs or images):
        return None
    several = masks if len(masks) > 1 else images if len(images) > 1 and not pairs else []
    if several:
        listed = ", ".join(names[name] for name in several)
        raise DataError(
            f"{folder}: found the folders {listed}",
            "one of them, of images and of masks each",
            "Give the images' folder, and which holds the masks with",
            *(("masks", names[name]) for name in masks),
        )

    def path(name: str) -> str:
        return os.path.join(folder, names[name])

    if pairs:
        return MaskFolders(path(pairs[0][0]), path(masks[0]), path(pairs[0][1]))
    return MaskFolders(path(images[0]), path(masks[0]))


def refuse_pairs_without_masks(folder: str) -> None:
    """DataError for folders of first and second images, which are no classes, as no folder holds their masks.

    `a` and `b` may be classes.
    """
    names = {name.lower(): name for name in folders_of(folder)}
    for one, two in zip(BEFORE_FOLDER_NAMES, AFTER_FOLDER_NAMES, strict=True):
        if {one, two} <= set(names) and one != "a":
            before, after = names[one], names[two]
            raise DataError(
                f"{folder}: found the folders {before} and {after} of pairs, and none that is called masks or labels",
                "a folder of the masks of change",
                f"Give {os.path.join(folder, before)}, with {argument('after', after)} and the folder of masks, like",
                ("masks", os.path.join(folder, "masks")),
            )


def given_folders(source: str, masks: str | None, after: str | None) -> MaskFolders:
    """The folders that the arguments name: as paths, else below the source, else beside it.

    The source is the folder of (first) images, or holds it under a usual name. DataError, naming the argument, for a
    folder that does not exist.
    """
    images = source
    if os.path.isdir(source):
        usual = BEFORE_FOLDER_NAMES if after else IMAGE_FOLDER_NAMES
        images = next((os.path.join(source, name) for name in folders_of(source) if name.lower() in usual), source)
    if masks is None:
        raise DataError(
            f"{argument('after', after)}: found no masks",
            "those of the change",
            "Name their folder, like",
            ("masks", os.path.join(source, "masks")),
        )
    return MaskFolders(images, _existing(source, "masks", masks), _existing(source, "after", after) if after else "")


def _existing(source: str, option: str, given: str) -> str:
    parent = os.path.dirname(os.path.abspath(source))
    for path in (given, os.path.join(source, given), os.path.join(parent, given)):
        if os.path.exists(path):
            return os.path.abspath(path)
    raise DataError(f"{argument(option, given)}: does not exist", do="Check the path")


def of_mask_folders(source: str, folders: MaskFolders, split: str = "") -> FileLabels:
    """Images, each with the mask of its name, and of pairs with the second image of its name.

    Folders called train, val and test in the images' folder are parts. split: of all samples, where it is known. One
    DataError for images without a mask or a second image, and for unclear names.
    """
    faults = Faults(source)
    images = _images(folders.images)
    masks = [folders.masks] if os.path.isfile(folders.masks) else image_files_below(folders.masks)
    if not images:
        raise DataError(f"{folders.images}: found no image", "at least one")
    if not masks:
        _refuse_jpeg(folders.masks)
        raise DataError(f"{folders.masks}: found no mask", "one for each image")
    of_mask = _partners_of(folders.images, images, folders.masks, masks, "mask", faults)
    notes = _spare(folders.masks, masks, set(of_mask.values()), "mask", "image")
    of_after: dict[int, int] = {}
    afters: list[ImageSource] = []
    if folders.after:
        afters = _images(folders.after)
        paths = [image.paths[0] for image in afters]
        of_after = _partners_of(folders.images, images, folders.after, paths, "second image", faults)
        notes += _spare(folders.after, paths, set(of_after.values()), "second image", "first image")
    faults.refuse()
    samples = []
    for index, image in enumerate(images):
        name = name_below(image.paths[0], source)
        part = split_of(name_below(image.paths[0], folders.images).split("/")[0])
        sample = FileSample(name, image, mask=masks[of_mask[index]], split=split or part)
        samples.append(replace(sample, after=afters[of_after[index]]) if afters else sample)
    return FileLabels(source, "change" if folders.after else "mask", tuple(samples), notes=tuple(notes))


def _refuse_jpeg(folder: str) -> None:
    """DataError for a folder with JPEG files."""
    below = [name_below(path, folder) for path in files_below(folder) if path.lower().endswith(JPEG_SUFFIXES)]
    if below:
        raise DataError(
            f"{folder}: found {counted(len(below), 'JPEG file')} ({first_few(below, 4)})",
            "masks without loss, like PNG or TIFF, as JPEG compression changes codes",
        )


def _images(path: str) -> list[ImageSource]:
    """The images of a folder, or the one at the path of a file."""
    return [ImageSource(path, (path,))] if os.path.isfile(path) else images_below(path)


def _partners_of(
    folder: str, images: Sequence[ImageSource], other: str, paths: Sequence[str], noun: str, faults: Faults
) -> dict[int, int]:
    """Index of an image -> index of its partner; what is missing or unclear becomes a fault."""
    names = [stem_below(image.paths[0], _folder(folder)) for image in images]
    matched = partners(names, [stem_below(path, _folder(other)) for path in paths])
    shown = [name_below(image.paths[0], _folder(folder)) for image in images]
    faults.add(
        Fault("image", f"without a {noun} in {other}", "a file of the same name for each"),
        [shown[index] for index in matched.alone],
    )
    faults.add(
        Fault("image", f"with several possible partners in {other}, or sharing one", "one file of the same name"),
        [shown[index] for index in matched.unclear],
    )
    return dict(matched.found)


def _folder(path: str) -> str:
    return os.path.dirname(path) if os.path.isfile(path) else path


def _spare(folder: str, paths: Sequence[str], used: set[int], noun: str, missing: str) -> list[str]:
    spare = [name_below(path, _folder(folder)) for index, path in enumerate(paths) if index not in used]
    return [f"left out: {counted(len(spare), noun)} without {missing} ({first_few(spare, 4)})"] if spare else []
