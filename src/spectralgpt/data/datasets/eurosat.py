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
from collections.abc import Iterator, Mapping

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.folders import folders_in
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.incomplete import incomplete
from spectralgpt.data.listed import first_existing, refuse_unlisted, splits_of
from spectralgpt.errors import DataError, InputError, OptionError, argument, check_choice, counted, first_few
from spectralgpt.products import image_suffixes
from spectralgpt.raster.handles import open_dataset
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
EUROSAT_BANDS = 13
EUROSAT_IMAGE = re.compile(r"(?P<category>[A-Za-z]+)_\d+\.(?P<suffix>tiff?|jpe?g)", re.IGNORECASE)
EUROSAT_FOLDERS = (
    "EuroSATallBands",
    "EuroSAT_MS",
    os.path.join("ds", "images", "remote_sensing", "otherDatasets", "sentinel_2", "tif"),
    "2750",
)
"""Where archives put the class folders; the last one holds the RGB images."""

EUROSAT_ORIGIN = "doi.org/10.5281/zenodo.7711810 (EuroSAT_MS.zip)"

EUROSAT_LISTS: Mapping[str, Mapping[str, str]] = {
    "spectralgpt": {"train": "train_euro_result.txt", "val": "val_euro_result.txt"},
    "torchgeo": {"train": "eurosat-train.txt", "val": "eurosat-val.txt", "test": "eurosat-test.txt"},
}
"""Variant -> split -> name of its list."""


def labels(folder: str, variant: str | None = None) -> FileLabels | None:
    """One of ten classes per patch. variant: spectralgpt or torchgeo, the lists that give the splits; default those
    that are there. Without lists no patch has a split.

    An archive's folder is refused without one of the classes; any other folder may hold some of them, with a note. A
    folder with images of other classes or names is not EuroSAT: its images would be lost.
    """
    roots = [folder, *(os.path.join(folder, each) for each in EUROSAT_FOLDERS)]
    root = next(filter(_has_classes, roots), None)
    if root is None:
        return None
    check_choice("variant", variant, (None, *EUROSAT_LISTS))
    missing = _missing_classes(root)
    if missing and _is_of_archive(root):
        raise incomplete(root, "10 class folders", missing, "at least one image in each", EUROSAT_ORIGIN)
    present = [each for each in EUROSAT_CLASSES if each not in missing]
    splits = _splits(folder, root, variant)
    samples = []
    for category in present:
        for path in _images(os.path.join(root, category)):
            image = ImageSource(path, (path,), bands="eurosat")
            name = f"{category}/{os.path.basename(path)}"
            samples.append(FileSample(name, image, labels=(category,), split=splits.get(_stem(name), "")))
    refuse_unlisted(root, splits, (_stem(sample.name) for sample in samples), "image", EUROSAT_ORIGIN)
    notes = [f"without {len(missing)} of EuroSAT's 10 classes: {first_few(missing, 4)}"] if missing else []
    if loose := _loose(root):
        notes.append(f"left out: {counted(len(loose), 'image')} in no class folder ({first_few(loose, 4)})")
    return FileLabels(folder, "class", tuple(samples), tuple(map(Class, present)), notes=tuple(notes))


def _has_classes(root: str) -> bool:
    """Whether every folder with images is one of the classes, two or more, and every image in them is named like
    EuroSAT's; in a folder that has no name of an archive, they have 13 bands, or are the RGB images."""
    if not os.path.isdir(root):
        return False
    folders = [each for each in folders_in(root) if not each.startswith(".")]
    if len(set(folders) & set(EUROSAT_CLASSES)) < 2:
        return False
    firsts = []
    for folder in folders:
        path = os.path.join(root, folder)
        if next(_strange_images(path), None) is not None:
            return False
        firsts += _images(path)[:1]
    with_bands = _is_of_archive(root) or all(_bands(each) == EUROSAT_BANDS for each in firsts)
    return with_bands and (bool(firsts) or bool(_rgb_classes(root)))


def _is_of_archive(root: str) -> bool:
    return root.endswith(tuple(os.sep + each for each in EUROSAT_FOLDERS))


def _strange_images(folder: str) -> Iterator[str]:
    """Paths of images below a folder that are none of EuroSAT, with the RGB ones as its own."""
    category = os.path.basename(folder)
    endings = image_suffixes()
    for top, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in names:
            own = top == folder and category in EUROSAT_CLASSES and _is_image_of(name, category)
            if name.lower().endswith(endings) and not name.startswith(".") and not own:
                yield os.path.join(top, name)


def _bands(path: str) -> int:
    """The number of bands in a file; a broken one is reported when it is read."""
    try:
        with open_dataset(path) as dataset:
            return int(dataset.count)
    except InputError:
        return EUROSAT_BANDS


def _images(folder: str) -> list[str]:
    """Paths of the images of a class folder, sorted, without the RGB ones."""
    category = os.path.basename(folder)
    names = sorted(name for name in os.listdir(folder) if _is_image_of(name, category) and not _is_rgb(name))
    return [os.path.join(folder, name) for name in names]


def _is_rgb(image: str) -> bool:
    return image.lower().endswith(("jpg", "jpeg"))


def _is_image_of(name: str, category: str) -> bool:
    match = EUROSAT_IMAGE.fullmatch(name)
    return match is not None and match["category"] == category


def _rgb_classes(root: str) -> list[str]:
    """Classes with nothing but RGB images."""
    present = [os.path.join(root, each) for each in EUROSAT_CLASSES if os.path.isdir(os.path.join(root, each))]
    without = [each for each in present if not _images(each)]
    return [each for each in without if any(_is_image_of(name, os.path.basename(each)) for name in os.listdir(each))]


def _missing_classes(root: str) -> list[str]:
    """Classes without an image. DataError for the RGB images."""
    if _rgb_classes(root):
        raise DataError(
            f"{root}: found EuroSAT's RGB images (JPEG)",
            "the multispectral ones, of 13 bands (TIFF)",
            f"Download them from {EUROSAT_ORIGIN}",
        )
    paths = {each: os.path.join(root, each) for each in EUROSAT_CLASSES}
    return [each for each, path in paths.items() if not os.path.isdir(path) or not _images(path)]


def _loose(root: str) -> list[str]:
    """Names of images that are in no class folder."""
    with os.scandir(root) as entries:
        names = sorted(each.name for each in entries if each.is_file() and not each.name.startswith("."))
    return [name for name in names if name.lower().endswith(image_suffixes())]


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
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")  # of a row that is cut off
            if not {"file", "spectralgpt_split"} <= set(reader.fieldnames or ()):
                return {}
            return {_stem(row["file"]): row["spectralgpt_split"] for row in reader if row["spectralgpt_split"]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as a CSV table ({error})", do="Download it again") from None


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path.replace("\\", "/")))[0]
