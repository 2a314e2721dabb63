"""BigEarthNet's Sentinel-2 patches: one folder of single-band files per patch, Level-2A, 120 pixels; several classes.

v1: BigEarthNet-v1.0/S2A_MSIL2A_20170613T101031_87_48/..._B02.tif, `..._labels_metadata.json` (43 classes, or the 19
made of them); if present, `splits/train.csv`, ..., `patches_with_seasonal_snow.csv`,
`patches_with_cloud_and_shadow.csv`

v2: BigEarthNet-S2/S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP/S2A_..._T33UUP_26_57/..._B02.tif, and beside
BigEarthNet-S2 `metadata.parquet` (19 classes, splits)

Source: Sumbul et al., "BigEarthNet" (IGARSS 2019), "BigEarthNet-MM" (IEEE GRSM 2021); Clasen et al., "reBEN" (2024);
bigearth.net.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet

from spectralgpt.data.corine import CLASSES_19, CLASSES_43, of_19
from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.folders import folders_in, is_folder
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.incomplete import incomplete
from spectralgpt.data.listed import first_existing, lines_of, refuse_unlisted, splits_of
from spectralgpt.errors import DataError, OptionError, argument, check_choice, counted
from spectralgpt.tasks import Class

PATCH = re.compile(r"S2[AB]_MSIL2A_\d{8}T\d{5,6}(_N\d{4}_R\d{3}_T\w{5})?_\d{1,3}_\d{1,3}")
PRODUCT_NAME = re.compile(r"S2[AB]_MSIL2A_\d{8}T\d{6}_N\d{4}_R\d{3}_T\w{5}")

LISTED_PATCHES = 20
"""Subfolders that are looked at before a folder counts as another layout."""

PATCH_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B11", "B12", "B8A")
PATCH_DATE = re.compile(r"_(\d{4})(\d{2})(\d{2})T")
V1_ORIGIN = "bigearth.net (BigEarthNet-S2-v1.0.tar.gz)"
V2_ORIGIN = "doi.org/10.5281/zenodo.10891137"
V1_JSON = "_labels_metadata.json"
V2_METADATA = "metadata.parquet"
V2_SPLITS = {"train": "train", "validation": "val", "test": "test"}
LEFT_OUT_LISTS = {
    "patches_with_seasonal_snow.csv": "seasonal snow",
    "patches_with_cloud_and_shadow.csv": "cloud or shadow",
}
"""Official lists of patches of v1 that its authors leave out."""


def read(folder: str) -> list[ImageSource] | None:
    """The patches directly in a folder, or in the products directly in it."""
    if not _is_laid_out(folder):
        return None
    patches = []
    for name in folders_in(folder):
        path = os.path.join(folder, name)
        if PATCH.fullmatch(name):
            patches.append(path)
        elif PRODUCT_NAME.fullmatch(name):
            patches += [os.path.join(path, patch) for patch in folders_in(path) if PATCH.fullmatch(patch)]
    return [ImageSource(patch, (patch,), bands="s2-l2a") for patch in patches]


def labels(folder: str, variant: str | None = None) -> FileLabels | None:
    """Any number of classes per patch. variant: 43 or 19 classes, default 19; v2 has 19.

    Without lists no patch of v1 has a split. Patches of v1 without any of the 19 classes, and those in the lists of
    snow, cloud and shadow, are left out with a note, as the authors do.
    """
    roots = [folder, *(os.path.join(folder, name) for name in ("BigEarthNet-v1.0", "BigEarthNet-S2"))]
    root = next((path for path in roots if os.path.isdir(path) and _is_laid_out(path)), None)
    if root is None:
        return None
    check_choice("variant", variant, (None, "43", "19"))
    patches = read(root) or []
    around = [folder, root]
    if os.path.basename(root).startswith("BigEarthNet"):
        around.append(os.path.dirname(root))
    if PRODUCT_NAME.fullmatch(os.path.basename(os.path.dirname(patches[0].name))):
        if variant == "43":
            raise OptionError(f"{argument('variant', variant)}: found BigEarthNet v2, which has 19 classes", "19")
        return _labels_v2(folder, root, patches, around)
    return _labels_v1(folder, root, patches, around, variant or "19")


def _labels_v1(
    folder: str, root: str, patches: Sequence[ImageSource], around: Sequence[str], variant: str
) -> FileLabels:
    lists = {
        split: path
        for split in ("train", "val", "test")
        if (
            path := first_existing(
                [each for base in around for each in (os.path.join(base, "splits"), base)], f"{split}.csv"
            )
        )
    }
    splits = splits_of(lists, _listed_patch)
    refuse_unlisted(root, splits, (os.path.basename(patch.name) for patch in patches), "patch folder", V1_ORIGIN)
    notes = []
    for name, why in LEFT_OUT_LISTS.items():
        path = first_existing(around, name)
        unfit = set(map(_listed_patch, lines_of(path))) if path is not None else set()
        kept = [patch for patch in patches if os.path.basename(patch.name) not in unfit]
        if len(kept) < len(patches):
            notes.append(f"left out {len(patches) - len(kept)} of {len(patches)} patches with {why}, as {name} says")
        patches = kept
    _refuse_incomplete(root, patches, f"{{}}{V1_JSON}", V1_ORIGIN)
    samples = [_sample_v1(root, patch, splits) for patch in patches]
    if variant == "19":
        reduced = [replace(sample, labels=of_19(sample.labels)) for sample in samples]
        samples = [sample for sample in reduced if sample.labels]
        if len(samples) < len(reduced):
            notes.append(f"left out {counted(len(reduced) - len(samples), 'image')} without any of the 19 classes")
    classes = CLASSES_43 if variant == "43" else CLASSES_19
    return FileLabels(folder, "classes", tuple(samples), tuple(map(Class, classes)), notes=tuple(notes))


def _listed_patch(line: str) -> str:
    """The first column: lists for both Sentinels name the Sentinel-1 patch in the second."""
    return line.split(",")[0].strip()


def _sample_v1(root: str, patch: ImageSource, splits: dict[str, str]) -> FileSample:
    name = os.path.basename(patch.name)
    path = os.path.join(patch.name, f"{name}{V1_JSON}")
    try:
        with open(path, encoding="utf-8") as file:
            metadata = json.load(file)
        found, date = tuple(metadata["labels"]), metadata["acquisition_date"][:10]
        of_19(found)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: cannot be read ({error!r})", "BigEarthNet's labels and date", f"Get it again from {V1_ORIGIN}"
        ) from None
    image = replace(patch, dates=(date,))
    return FileSample(os.path.relpath(patch.name, root), image, labels=found, split=splits.get(name, ""), date=date)


def _labels_v2(folder: str, root: str, patches: Sequence[ImageSource], around: Sequence[str]) -> FileLabels:
    path = first_existing(around, V2_METADATA)
    if path is None:
        raise DataError(
            f"{root}: found {counted(len(patches), 'patch folder')} without {V2_METADATA}, which holds their labels",
            "it beside BigEarthNet-S2",
            f"Download it from {V2_ORIGIN}",
        )
    rows = {str(row["patch_id"]): row for row in _rows_v2(path)}
    known = [patch for patch in patches if os.path.basename(patch.name) in rows]
    refuse_unlisted(root, rows, (os.path.basename(patch.name) for patch in known), "patch folder", V2_ORIGIN)
    _refuse_incomplete(root, known, "", V2_ORIGIN)
    samples = [_sample_v2(root, patch, rows[os.path.basename(patch.name)], path) for patch in known]
    left_out = len(patches) - len(known)
    notes = (f"left out {left_out} of {len(patches)} patches that {V2_METADATA} does not list",) if left_out else ()
    return FileLabels(folder, "classes", tuple(samples), tuple(map(Class, CLASSES_19)), notes=notes)


def _rows_v2(path: str) -> list[dict[str, object]]:
    columns = ["patch_id", "labels", "split"]
    try:
        rows: list[dict[str, object]] = pyarrow.parquet.read_table(path, columns=columns).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error})", f"the columns {', '.join(columns)}") from None
    return rows


def _sample_v2(root: str, patch: ImageSource, row: dict[str, object], path: str) -> FileSample:
    found, split = row["labels"], V2_SPLITS.get(str(row["split"]))
    if split is None or not isinstance(found, list) or any(each not in CLASSES_19 for each in found):
        raise DataError(f"{path}: found {row}", f"labels among the 19 classes, and a split of {', '.join(V2_SPLITS)}")
    match = PATCH_DATE.search(os.path.basename(patch.name))
    date = "-".join(match.groups()) if match else ""
    name = os.path.relpath(patch.name, root)
    return FileSample(name, replace(patch, dates=(date,)), labels=tuple(found), split=split, date=date)


def _refuse_incomplete(root: str, patches: Sequence[ImageSource], besides: str, origin: str) -> None:
    parts = list(_incomplete(patches, besides))
    if parts:
        expected = "12 bands and the labels in each" if besides else "12 bands in each"
        raise incomplete(root, counted(len(patches), "patch folder"), parts, expected, origin)


def _incomplete(patches: Sequence[ImageSource], besides: str) -> Iterator[str]:
    """Patches without a band or the file `besides`, with `{}` for the patch's name."""
    for patch in patches:
        name = os.path.basename(patch.name)
        present = set(os.listdir(patch.name))
        missing = [band for band in PATCH_BANDS if f"{name}_{band}.tif" not in present]
        if besides and besides.format(name) not in present:
            missing.append("labels")
        if missing:
            yield f"{name} (no {', '.join(missing[:3])})"


def _is_laid_out(folder: str) -> bool:
    with os.scandir(folder) as entries:
        named = [
            entry.name
            for entry, _ in zip((each for each in entries if is_folder(each)), range(LISTED_PATCHES), strict=False)
        ]
    for name in named:
        path = os.path.join(folder, name)
        if PATCH.fullmatch(name):
            return _is_patch(path)
        if PRODUCT_NAME.fullmatch(name):
            return any(
                PATCH.fullmatch(patch) and _is_patch(os.path.join(path, patch)) for patch in folders_in(path)[:1]
            )
    return False


def _is_patch(path: str) -> bool:
    return os.path.isfile(os.path.join(path, f"{os.path.basename(path)}_B02.tif"))
