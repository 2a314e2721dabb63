"""Labels of known data sets: EuroSAT, fMoW-Sentinel, and what holds for all."""

import shutil
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest
import rasterio
from made_rasters import land, write
from real_rasters import real_all

from made_datasets import by_name, opened
from spectralgpt.data import datasets
from spectralgpt.data.datasets import read_dataset, read_labels
from spectralgpt.data.datasets.eurosat import EUROSAT_CLASSES
from spectralgpt.data.datasets.fmow_sentinel import FMOW_CLASSES
from spectralgpt.data.labels import LabelReading, find_labels, open_labels
from spectralgpt.errors import DataError, OptionError

EUROSAT_ORDER = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12", "B8A")


@pytest.fixture
def eurosat(tmp_path) -> Path:
    """Ten class folders of two images: real ones where the repository has them."""
    folder = tmp_path / "EuroSAT_MS"
    for index, category in enumerate(EUROSAT_CLASSES):
        (folder / category).mkdir(parents=True)
        for number in (1, 2):
            write(folder / category / f"{category}_{number}.tif", land(64, 64, 2 * index + number))
    for path in real_all("eurosat_ms/*/*.tif")[:2]:
        shutil.copy(path, folder / path.parent.name / path.name)
    return folder


def test_every_module_reads_images_or_labels():
    for module in iter_modules(datasets.__path__):
        found = import_module(f"{datasets.__name__}.{module.name}")
        assert hasattr(found, "read") or hasattr(found, "labels"), module.name


def test_a_folder_of_another_layout_has_no_labels(tmp_path):
    (tmp_path / "train" / "field").mkdir(parents=True)
    write(tmp_path / "train" / "field" / "a_1.tif", land(20, 20))
    (tmp_path / "Forest").mkdir()  # a class of EuroSAT with images that are not named like its own
    write(tmp_path / "Forest" / "spruce.tif", land(20, 20))
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    write(tmp_path / "images" / "one.tif", land(20, 20))
    write(tmp_path / "masks" / "one.tif", land(20, 20, bands=1))
    assert read_labels(str(tmp_path)) is None
    assert read_labels(str(tmp_path / "train"), "19") is None


def test_eurosat_images_equal_the_files_band_by_band(eurosat):
    for sample in read_labels(str(eurosat)).samples:
        raster = opened(sample.image)
        with rasterio.open(eurosat / sample.name) as dataset:
            stored = dataset.read()
        names = [band.name for band in raster.bands]
        assert sorted(names) == sorted(EUROSAT_ORDER)
        values = raster.read().values[0]
        for index, band in enumerate(EUROSAT_ORDER):
            np.testing.assert_array_equal(values[names.index(band)], stored[index], err_msg=f"{sample.name} {band}")
        assert sample.labels == (sample.name.split("/")[0],)


def test_eurosat_keeps_b11_and_b8a_is_last(eurosat):
    """MATH.md 10, entry 24: dropping index 10 of the sensor's order drops B11 of these files and keeps cirrus."""
    real = {path.name for path in real_all("eurosat_ms/*/*.tif")}
    sample = next(each for each in read_labels(str(eurosat)).samples if Path(each.name).name in real)

    def cirrus(raster) -> float:
        names = [band.name for band in raster.bands]
        return float(raster.read().values[0, names.index("B10")].mean())

    assert cirrus(opened(sample.image)) < 30  # DN: next to nothing is reflected from below the water vapour
    assert cirrus(opened(sample.image, "s2-l1c")) > 30  # the mistake: B11 taken for B10


def test_eurosat_is_found_where_archives_put_it(eurosat, tmp_path):
    deep = tmp_path / "whole" / "ds" / "images" / "remote_sensing" / "otherDatasets" / "sentinel_2" / "tif"
    deep.parent.mkdir(parents=True)
    whole = read_labels(str(eurosat.parent))  # EuroSAT_MS is in it
    direct = read_labels(str(eurosat))
    assert by_name(whole) == by_name(direct)
    shutil.copytree(eurosat, deep)
    archived = read_labels(str(tmp_path / "whole"))
    assert by_name(archived).keys() == by_name(direct).keys()
    assert [each.name for each in archived.classes] == list(EUROSAT_CLASSES)
    assert {sample.split for sample in archived.samples} == {""}  # none invented


def test_eurosat_takes_the_splits_of_list_files(eurosat):
    (eurosat / "txt_file").mkdir()
    # MATH.md 10, entry 28: the lists have paths of somebody's machine; only names count
    (eurosat / "txt_file" / "train_euro_result.txt").write_text(
        "theirs/of/2023/tif/Forest/Forest_1.tif    1\ntif/River/River_2.tif    8\n"
    )
    (eurosat / "txt_file" / "val_euro_result.txt").write_text("tif/Forest/Forest_2.tif    1\n")
    found = by_name(read_labels(str(eurosat)))
    splits = {name: sample.split for name, sample in found.items() if sample.split}
    assert splits == {"Forest/Forest_1.tif": "train", "River/River_2.tif": "train", "Forest/Forest_2.tif": "val"}

    for split, line in (("train", "River_1.jpg"), ("val", "River_2.jpg"), ("test", "Forest_1.jpg")):
        (eurosat / f"eurosat-{split}.txt").write_text(f"{line}\n")
    with pytest.raises(OptionError, match=r"the lists of spectralgpt and of torchgeo; expected one.*variant"):
        read_labels(str(eurosat))
    assert by_name(read_labels(str(eurosat), "torchgeo"))["Forest/Forest_1.tif"].split == "test"
    assert by_name(read_labels(str(eurosat), "spectralgpt"))["Forest/Forest_1.tif"].split == "train"
    with pytest.raises(OptionError, match=r"variant='43'; expected one of: spectralgpt, torchgeo"):
        read_labels(str(eurosat), "43")


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        ("Forest_1.jpg\n", "Forest_1.jpg\n", r"1 in more than one list: Forest_1; expected each in one"),
        ("Forest_1.jpg\nForest_9.jpg\n", "Forest_2.jpg\n", r"1 listed image missing: Forest_9; expected all of them"),
    ],
)
def test_eurosat_lists_that_do_not_fit_are_refused(eurosat, train, val, message):
    for split, lines in (("train", train), ("val", val), ("test", "River_1.jpg\n")):
        (eurosat / f"eurosat-{split}.txt").write_text(lines)
    with pytest.raises(DataError, match=message):
        read_labels(str(eurosat))


def test_one_list_of_eurosat_alone_is_refused(eurosat):
    (eurosat / "eurosat-train.txt").write_text("River_1.jpg\n")
    with pytest.raises(DataError, match=r"eurosat-train.txt without eurosat-val.txt, eurosat-test.txt"):
        read_labels(str(eurosat))


def test_half_of_eurosat_says_what_is_missing_and_where_it_is(eurosat):
    shutil.rmtree(eurosat / "Highway")
    for path in (eurosat / "River").iterdir():
        path.unlink()
    for folder in (eurosat, eurosat.parent):
        with pytest.raises(DataError, match=r"2 of 10 class folders incomplete: Highway, River; .*zenodo"):
            read_labels(str(folder))


def test_a_part_of_eurosat_in_a_folder_of_ones_own_is_used(eurosat, tmp_path):
    mine = tmp_path / "five"
    for category in EUROSAT_CLASSES[::2]:
        shutil.copytree(eurosat / category, mine / category)
    labels = read_labels(str(mine))
    assert [each.name for each in labels.classes] == list(EUROSAT_CLASSES[::2])
    assert len(labels.samples) == len(list(mine.rglob("*.tif")))
    assert labels.notes == ("without 5 of EuroSAT's 10 classes: Forest, Highway, Pasture, Residential and 1 more",)
    for category in EUROSAT_CLASSES[::2]:  # the same names, but images of four bands
        for path in (mine / category).iterdir():
            write(path, land(20, 20, bands=4))
    assert read_labels(str(mine)) is None


@pytest.mark.parametrize("strange", ["Meadow/Meadow_1.tif", "Forest/spruce.tif", "Forest/deep/Forest_3.tif"])
def test_a_folder_with_other_classes_or_names_is_not_eurosat(tmp_path, strange):
    mine = tmp_path / "mine"
    for name in ("Forest/Forest_1.tif", "River/River_1.tif"):
        (mine / name).parent.mkdir(parents=True)
        write(mine / name, land(20, 20))
    assert read_labels(str(mine)) is not None
    (mine / "Forest" / "._Forest_1.tif").touch()
    write(mine / "whole.tif", land(20, 20))
    (left_out,) = (note for note in read_labels(str(mine)).notes if "left out" in note)
    assert left_out == "left out: 1 image in no class folder (whole.tif)"
    (mine / strange).parent.mkdir(exist_ok=True)
    write(mine / strange, land(20, 20))
    assert read_labels(str(mine)) is None
    found = {sample.name: sample.labels for sample in find_labels(mine, LabelReading()).samples}
    assert found[strange] == (strange.split("/")[0],)
    assert len(found) == 3


def test_given_bands_take_precedence_over_those_of_eurosat(eurosat):
    def first(bands=None):
        data = open_labels(eurosat, LabelReading(bands=bands, trust_input=True)).data
        image = data.read(0).image
        return [band.name for band in image.bands], image.read().values[0], data.samples[0].name

    _, whole, name = first()
    names, values, _ = first("B8A,B02,B11")
    assert names == ["B8A", "B2", "B11"]
    assert np.array_equal(values, whole[[EUROSAT_ORDER.index(each) for each in names]])
    with rasterio.open(eurosat / name) as dataset:
        assert np.array_equal(values, dataset.read([13, 2, 11]))
    names, values, _ = first("s2-l1c")  # another order of the file's bands
    assert names[8] == "B8A"
    assert np.array_equal(values, whole)
    with pytest.raises(OptionError, match=r"bands='B02,B13': found no B13.*s2-l1c:B1,B2"):
        first("B02,B13")
    with pytest.raises(OptionError, match=r"bands='landsat8-toa:B2,B3': found no B2 and no B3 of this sensor"):
        first("landsat8-toa:B2,B3")


def test_rgb_eurosat_is_refused(tmp_path):
    for category in EUROSAT_CLASSES:
        (tmp_path / "2750" / category).mkdir(parents=True)
        (tmp_path / "2750" / category / f"{category}_1.jpg").touch()
    with pytest.raises(DataError, match=r"RGB images \(JPEG\); expected the multispectral ones"):
        read_labels(str(tmp_path))


def test_the_whole_shared_eurosat_has_the_splits_of_its_table(shared):
    labels = read_labels(str(shared / "data" / "eurosat_ms"))
    assert len(labels.samples) == 120
    splits = [sample.split for sample in labels.samples]
    assert [splits.count(each) for each in ("train", "val", "")] == [73, 28, 19]


@pytest.fixture
def fmow(tmp_path) -> Path:
    folder = tmp_path / "fmow-sentinel"
    images = (("train", "airport", 3, (0, 2)), ("train", "dam", 0, (1,)), ("test_gt", "dam", 0, (1,)))
    for split, category, location, numbers in images:
        place = folder / split / category / f"{category}_{location}"
        place.mkdir(parents=True)
        table = folder / f"{split}.csv"
        rows = table.read_text() if table.exists() else "category,location_id,image_id,timestamp\n"
        for number in numbers:
            write(place / f"{category}_{location}_{number}.tif", land(40, 50, number))
            rows += f"{category},{location},{number},201{number + 6}-05-01T10:00:00Z\n"
        table.write_text(rows)
    return folder


def test_fmow_has_a_sample_per_image_and_a_group_per_location(fmow):
    labels = read_labels(str(fmow))
    assert labels.target == "class"
    assert tuple(each.name for each in labels.classes) == FMOW_CLASSES
    assert len(FMOW_CLASSES) == 62
    found = by_name(labels)
    first, second = (found[f"train/airport/airport_3/airport_3_{number}.tif"] for number in (0, 2))
    assert (first.labels, first.split, first.date, second.date) == (("airport",), "train", "2016-05-01", "2018-05-01")
    assert first.group == second.group
    dams = [sample for sample in labels.samples if sample.labels == ("dam",)]
    assert {sample.split for sample in dams} == {"train", "test"}
    assert len({sample.group for sample in dams}) == 2  # numbers of locations begin anew in each split
    raster = opened(first.image)
    np.testing.assert_array_equal(raster.read().values[0], land(40, 50, 0))
    assert raster.dates == ("2016-05-01",)


def test_half_of_fmow_says_what_is_missing(fmow):
    (fmow / "train" / "dam" / "dam_0" / "dam_0_1.tif").unlink()
    with pytest.raises(DataError, match=r"found 1 of the 3 images of train.csv missing: dam_0_1; .*purl.stanford.edu"):
        read_labels(str(fmow))
    (fmow / "train.csv").unlink()
    (fmow / "test_gt.csv").unlink()
    with pytest.raises(DataError, match=r"2 of 2 splits incomplete: train \(no train.csv\), test_gt \(no test"):
        read_labels(str(fmow))
    assert read_dataset(str(fmow)) is not None  # images alone need no table


def test_fmow_has_no_variants(fmow):
    with pytest.raises(OptionError, match=r"variant='19': found fMoW-Sentinel, which has no variants"):
        read_labels(str(fmow), "19")


def test_tables_with_a_row_that_is_cut_off(fmow, eurosat):
    table = fmow / "train.csv"
    table.write_text(table.read_text()[:-24])
    with pytest.raises(DataError, match=r"found 1 of the 3 images of train\.csv missing"):
        read_labels(str(fmow))
    table.write_text(table.read_text().replace("dam,0,1,", "dam"))
    with pytest.raises(DataError, match="missing: dam"):
        read_labels(str(fmow))
    (eurosat / "labels.csv").write_text("spectralgpt_split,file\ntrain\n")
    with pytest.raises(DataError, match="found"):
        read_labels(str(eurosat))
    (eurosat / "labels.csv").write_bytes(b"spectralgpt_split,file\ntrain,\xe9\n")
    with pytest.raises(DataError, match=r"labels\.csv: cannot be read as a CSV table"):
        read_labels(str(eurosat))
