"""EuroSAT, multispectral: Level-1C patches of 64 pixels, 13 unnamed bands, B8A last; one of 10 classes.

AnnualCrop/AnnualCrop_1.tif, ..., in the folder itself, in `EuroSATallBands` or `EuroSAT_MS`, or where the archive puts
them, `ds/images/remote_sensing/otherDatasets/sentinel_2/tif`

splits: `train_euro_result.txt`, `val_euro_result.txt` (of SpectralGPT), or `eurosat-train.txt`, `eurosat-val.txt`,
`eurosat-test.txt` (of TorchGeo), in the folder or in `txt_file`

Source: Helber et al., "EuroSAT" (IEEE JSTARS 2019); github.com/phelber/EuroSAT, doi.org/10.5281/zenodo.7711810.
"""

import csv
import os
import re
from collections.abc import Mapping

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.folders import folders_in
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.incomplete import incomplete
from spectralgpt.data.listed import first_existing, refuse_unlisted, splits_of
from spectralgpt.errors import DataError, OptionError, argument, check_choice
from spectralgpt.tasks import Class

EUROSAT_CLASSES = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)
EUROSAT_IMAGE = re.compile(r"(?P<category>[A-Za-z]+)_\d+\.(?P<suffix>tiff?|jpe?g)", re.IGNORECASE)
EUROSAT_FOLDERS = (
    "",
    "EuroSATallBands",
    "EuroSAT_MS",
    os.path.join("ds", "images", "remote_sensing", "otherDatasets", "sentinel_2", "tif"),
    "tif",
    "2750",
)
"""Where the class folders are; the last one holds the RGB images."""

EUROSAT_ORIGIN = "doi.org/10.5281/zenodo.7711810 (EuroSAT_MS.zip)"

EUROSAT_LISTS: Mapping[str, Mapping[str, str]] = {
    "spectralgpt": {"train": "train_euro_result.txt", "val": "val_euro_result.txt"},
    "torchgeo": {"train": "eurosat-train.txt", "val": "eurosat-val.txt", "test": "eurosat-test.txt"},
}
"""Variant -> split -> name of its list."""


def labels(folder: str, variant: str | None = None) -> FileLabels | None:
    """One of ten classes per patch. variant: spectralgpt or torchgeo, the lists that give the splits; default those
    that are there. Without lists no patch has a split."""
    roots = [os.path.normpath(os.path.join(folder, each)) for each in EUROSAT_FOLDERS]
    root = next(filter(_has_classes, roots), None)
    if root is None:
        return None
    check_choice("variant", variant, (None, *EUROSAT_LISTS))
    _refuse_incomplete(root)
    splits = _splits(folder, root, variant)
    samples = []
    for category in EUROSAT_CLASSES:
        for name in _images(os.path.join(root, category)):
            path = os.path.join(root, category, name)
            stem = os.path.splitext(name)[0]
            image = ImageSource(path, (path,), bands="eurosat")
            samples.append(FileSample(f"{category}/{name}", image, labels=(category,), split=splits.get(stem, "")))
    refuse_unlisted(root, splits, (_stem(sample.name) for sample in samples), "image", EUROSAT_ORIGIN)
    return FileLabels(folder, "class", tuple(samples), tuple(map(Class, EUROSAT_CLASSES)))


def _has_classes(root: str) -> bool:
    """Judged by the first image of the first two class folders that are there."""
    if not os.path.isdir(root):
        return False
    present = [each for each in EUROSAT_CLASSES if os.path.isdir(os.path.join(root, each))]
    return bool(present) and all(_first_image(os.path.join(root, each)) is not None for each in present[:2])


def _first_image(folder: str) -> str | None:
    with os.scandir(folder) as entries:
        return next((entry.name for entry in entries if _is_image_of(entry.name, os.path.basename(folder))), None)


def _images(folder: str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if _is_image_of(name, os.path.basename(folder)))


def _is_image_of(name: str, category: str) -> bool:
    match = EUROSAT_IMAGE.fullmatch(name)
    return match is not None and match["category"] == category


def _refuse_incomplete(root: str) -> None:
    """DataError for the RGB images, and without an image of every class."""
    present = set(folders_in(root))
    first = {each: _first_image(os.path.join(root, each)) for each in EUROSAT_CLASSES if each in present}
    if any(name is not None and name.lower().endswith(("jpg", "jpeg")) for name in first.values()):
        raise DataError(
            f"{root}: found EuroSAT's RGB images (JPEG)",
            "the multispectral ones, of 13 bands (TIFF)",
            f"Download them from {EUROSAT_ORIGIN}",
        )
    missing = [each for each in EUROSAT_CLASSES if first.get(each) is None]
    if missing:
        error = incomplete(root, "10 class folders", missing, "at least one image in each", EUROSAT_ORIGIN)
        do = f"{error.do}; to use these classes alone, name the bands:"
        raise DataError(error.found, error.expected, do, ("bands", "eurosat"))


def _splits(folder: str, root: str, variant: str | None) -> dict[str, str]:
    """Stem of an image -> split. OptionError where lists of both kinds are there and the variant does not say which."""
    places = [folder, os.path.join(folder, "txt_file"), root]
    found = {kind: _lists(places, names) for kind, names in EUROSAT_LISTS.items()}
    table = first_existing([folder, root], "labels.csv")
    tabled = _tabled(table) if table is not None else {}
    kinds = [kind for kind, lists in found.items() if lists]
    if tabled and "spectralgpt" not in kinds:
        kinds.insert(0, "spectralgpt")
    if variant is not None and variant not in kinds:
        names = ", ".join(EUROSAT_LISTS[variant].values())
        raise OptionError(f"{argument('variant', variant)}: found no such lists in {folder}", names)
    if variant is None and len(kinds) > 1:
        raise OptionError(
            f"{folder}: found the lists of {' and of '.join(kinds)}", "one", "Choose", ("variant", kinds[0])
        )
    kind = variant or next(iter(kinds), "")
    lists = found.get(kind, {})
    return splits_of(lists, lambda line: _stem(line.split()[0])) if lists else tabled if kind else {}


def _lists(places: list[str], names: Mapping[str, str]) -> dict[str, str]:
    """Split -> path, of the lists that are there. DataError where only some of a kind are."""
    found = {split: path for split, name in names.items() if (path := first_existing(places, name)) is not None}
    if found and len(found) < len(names):
        missing = ", ".join(name for split, name in names.items() if split not in found)
        raise DataError(f"{places[0]}: found {', '.join(found.values())} without {missing}", "all of them or none")
    return found


def _tabled(table: str) -> dict[str, str]:
    """Splits of SpectralGPT's lists, in a table with the columns file and spectralgpt_split; empty for other tables."""
    with open(table, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"file", "spectralgpt_split"} <= set(reader.fieldnames or ()):
            return {}
        return {_stem(row["file"]): row["spectralgpt_split"] for row in reader if row["spectralgpt_split"]}


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path.replace("\\", "/")))[0]
