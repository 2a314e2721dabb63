"""BigEarthNet's labels, v1 and v2."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from real_rasters import real

from made_datasets import by_name, file_of, native_bands, opened
from spectralgpt.data.corine import CLASSES_19, CLASSES_43, CORINE_TO_19, of_19
from spectralgpt.data.datasets import read_dataset, read_labels
from spectralgpt.data.labels import LabelReading, open_labels
from spectralgpt.errors import DataError, OptionError

GRIDS = ("B02,B03,B04,B08", "B05,B06,B07,B8A,B11,B12", "B01,B09")
"""Bands of one grid each: read alone, a band is not resampled."""

PATCHES = ("S2A_MSIL2A_20170613T101031_87_48", "S2B_MSIL2A_20170924T93020_69_24", "S2B_MSIL2A_20180502T093039_43_14")


@pytest.fixture
def v1(tmp_path) -> Path:
    """Patches with two classes of one of the 19, with a class that was dropped and one that was not, a dropped one."""
    folder = tmp_path / "BigEarthNet-v1.0"
    found = (["Peatbogs", "Inland marshes"], ["Sea and ocean", "Airports"], ["Bare rock"])
    for patch, labels in zip(PATCHES, found, strict=True):
        native_bands(folder / patch, 120, 120, prefix=f"{patch}_", without=("B10",))
        described = {"labels": labels, "acquisition_date": "2017-06-13 10:10:31"}
        (folder / patch / f"{patch}_labels_metadata.json").write_text(json.dumps(described))
    return folder


@pytest.fixture
def v2(tmp_path) -> Path:
    """A real patch, in a folder with its table."""
    shutil.copytree(real("s2_format_samples/BigEarthNet-v2") / "BigEarthNet-S2", tmp_path / "v2" / "BigEarthNet-S2")
    patch = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_75_43"
    write_metadata(tmp_path / "v2", [patch], ["validation"])
    return tmp_path / "v2"


def write_metadata(folder: Path, patches: list[str], splits: list[str]) -> None:
    columns = {"patch_id": patches, "labels": [["Arable land", "Pastures"]] * len(patches), "split": splits}
    pyarrow.parquet.write_table(pa.table(columns), folder / "metadata.parquet")


def check_band_by_band(sample) -> None:
    folder = Path(sample.image.paths[0])
    for names in GRIDS:
        raster = opened(sample.image, f"s2-l2a:{names}")
        values = raster.read().values[0]
        for band, stored in zip(raster.bands, values, strict=True):
            padded = band.name if len(band.name) > 2 else f"B0{band.name[1:]}"
            np.testing.assert_array_equal(stored, file_of(folder, padded), err_msg=f"{sample.name} {band.name}")
    whole = opened(sample.image)
    assert (len(whole.bands), whole.shape[2:], whole.dates) == (12, (120, 120), (sample.date,))


def test_the_nomenclatures_have_43_and_19_classes():
    assert (len(CLASSES_43), len(set(CLASSES_43)), len(CLASSES_19)) == (43, 43, 19)
    assert {each for each in CORINE_TO_19.values() if each} == set(CLASSES_19)
    assert sum(each is None for each in CORINE_TO_19.values()) == 11
    assert of_19(("Sea and ocean", "Airports", "Olive groves", "Vineyards")) == ("Permanent crops", "Marine waters")


def test_real_patches_have_the_labels_of_both_nomenclatures(shared):
    folder = shared / "data" / "bigearthnet_samples"
    fine, coarse = (by_name(read_labels(str(folder), variant)) for variant in ("43", None))
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(fine) == len(coarse) == 10
    for row in rows:
        assert set(fine[row["patch"]].labels) == set(row["labels_43"].split(";"))
        assert set(coarse[row["patch"]].labels) == set(row["labels_19"].split(";"))
        assert coarse[row["patch"]].date == row["acquisition_date"][:10]


def test_real_patches_equal_the_files_band_by_band(v2):
    for folder in (real("bigearthnet_samples"), v2):
        for sample in read_labels(str(folder)).samples:
            check_band_by_band(sample)


def test_v1_is_reduced_to_19_classes(v1):
    labels = read_labels(str(v1))
    assert labels.target == "classes"
    assert tuple(each.name for each in labels.classes) == CLASSES_19
    found = {name: sample.labels for name, sample in by_name(labels).items()}
    assert found == {PATCHES[0]: ("Inland wetlands",), PATCHES[1]: ("Marine waters",)}
    assert labels.notes == ("left out 1 image without any of the 19 classes",)
    fine = read_labels(str(v1.parent), "43")  # the archive's folder is in it
    assert len(fine.classes) == 43
    assert by_name(fine)[PATCHES[2]].labels == ("Bare rock",)
    assert {sample.split for sample in fine.samples} == {""}


def test_given_bands_are_read_on_their_own_grid(v1):
    data = open_labels(v1, LabelReading(bands="B05,B8A", trust_input=True)).data
    image = data.read(0).image
    assert [(band.name, band.sensor) for band in image.bands] == [("B5", "s2-l2a"), ("B8A", "s2-l2a")]
    assert image.shape[2:] == (60, 60)
    stored = [file_of(v1 / data.samples[0].name, band) for band in ("B05", "B8A")]
    np.testing.assert_array_equal(image.read().values[0], stored)
    with pytest.raises(OptionError, match="bands='B02,B10': found no B10"):
        open_labels(v1, LabelReading(bands="B02,B10"))


def test_v1_takes_official_lists(v1):
    (v1 / "splits").mkdir()
    (v1 / "splits" / "train.csv").write_text(f"{PATCHES[0]},S1A_its_radar_patch\n")
    (v1 / "splits" / "test.csv").write_text(f"{PATCHES[2]}\n")
    (v1 / "patches_with_seasonal_snow.csv").write_text(f"{PATCHES[1]}\n")
    labels = read_labels(str(v1), "43")
    assert {name: sample.split for name, sample in by_name(labels).items()} == {PATCHES[0]: "train", PATCHES[2]: "test"}
    assert labels.notes == ("left out 1 of 3 patches with seasonal snow, as patches_with_seasonal_snow.csv says",)
    (v1 / "splits" / "test.csv").write_text("S2A_MSIL2A_20170613T101031_1_1\n")
    with pytest.raises(DataError, match=r"1 listed patch folder missing: S2A_MSIL2A_20170613T101031_1_1"):
        read_labels(str(v1), "43")


def test_patches_without_a_band_or_labels_are_named(v1):
    (v1 / PATCHES[0] / f"{PATCHES[0]}_labels_metadata.json").unlink()
    (v1 / PATCHES[1] / f"{PATCHES[1]}_B8A.tif").unlink()
    with pytest.raises(DataError, match=r"2 of 3 patch folders incomplete: .*\(no labels\), .*\(no B8A\); .*bigearth"):
        read_labels(str(v1))


def test_images_for_pretraining_need_no_category(v1):
    """MATH.md 10, entry 27: no class has to be invented for patches that are pretrained on."""
    for path in v1.rglob("*.json"):
        path.unlink()
    images = read_dataset(str(v1))
    assert len(images or ()) == 3
    with pytest.raises(DataError, match="3 of 3 patch folders incomplete"):
        read_labels(str(v1))


def test_labels_of_v1_that_are_none_of_the_43_are_refused(v1):
    path = v1 / PATCHES[0] / f"{PATCHES[0]}_labels_metadata.json"
    path.write_text(json.dumps({"labels": ["Airport"], "acquisition_date": "2017-06-13 10:10:31"}))
    with pytest.raises(DataError, match=r"labels_metadata.json: cannot be read \(KeyError\('Airport'\)\)"):
        read_labels(str(v1))


def test_v2_has_its_labels_and_splits_in_a_table(v2):
    for folder in (v2, v2 / "BigEarthNet-S2"):
        (sample,) = read_labels(str(folder)).samples
        assert (sample.labels, sample.split, sample.date) == (("Arable land", "Pastures"), "val", "2017-06-13")
    with pytest.raises(OptionError, match=r"variant='43': found BigEarthNet v2, which has 19 classes"):
        read_labels(str(v2), "43")
    with pytest.raises(OptionError, match=r"variant='20'; expected one of: 43, 19"):
        read_labels(str(v2), "20")


def test_v2_and_its_table_must_fit(v2):
    write_metadata(v2, ["S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_1_1"], ["train"])
    with pytest.raises(DataError, match=r"1 listed patch folder missing: .*_1_1; .*zenodo"):
        read_labels(str(v2))
    (v2 / "metadata.parquet").unlink()
    with pytest.raises(DataError, match=r"found 1 patch folder without metadata.parquet, which holds their labels"):
        read_labels(str(v2))


def test_damaged_labels_are_refused(v1, v2):
    path = next(v1.glob("*/*_labels_metadata.json"))
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"labels_metadata\.json: cannot be read"):
        read_labels(str(v1))
    patch = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_75_43"
    columns = {"patch_id": [patch], "labels": [[["Pastures"]]], "split": ["validation"]}
    pyarrow.parquet.write_table(pa.table(columns), v2 / "metadata.parquet")
    with pytest.raises(DataError, match="labels among the 19 classes"):
        read_labels(str(v2))
