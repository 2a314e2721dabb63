"""OSCD's pairs and masks, in both layouts."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from made_rasters import land, write

from made_datasets import GSD_OF_BAND, by_name, changed, file_of, native_bands, opened, stored
from spectralgpt.data.datasets import read_labels
from spectralgpt.data.datasets.oscd import OSCD_LABELS, OSCD_TITLE
from spectralgpt.errors import DataError, OptionError
from spectralgpt.products import open_raster

CODES = {"bercy": (1, 2), "milano": (0, 1), "rio": (0, 255)}


def truth(rows: int, columns: int) -> np.ndarray:
    """Where something changed: also in the last row and column."""
    there = np.zeros((rows, columns), bool)
    there[10:20, 5:9] = there[-1, -1] = True
    return there


def write_mask(path: Path, codes: tuple[int, int], there: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    return write(path, np.where(there, codes[1], codes[0]).astype(np.uint8)[None], driver=driver, crs=None)


def city(folder: Path, codes: tuple[int, int], second: tuple[int, int] = (66, 78)) -> None:
    """A city of 60 x 72 pixels at date 1; date 2 begins at the same corner. The dates' files have other prefixes."""
    native_bands(folder / "imgs_1", 60, 72, 1, "S2A_OPER_MSI_L1C_TL_SGS__20180101T130757_A007527_T31UDQ_")
    native_bands(folder / "imgs_2", *second, 2, "S2B_OPER_MSI_L1C_TL_EPA__20190101T130757_A007527_T31UDQ_")
    (folder / "dates.txt").write_text("date_1: 20161130\ndate_2: 20170829\n")
    write_mask(folder / "cm" / f"{folder.name}-cm.tif", codes, truth(60, 72))


@pytest.fixture
def oscd(tmp_path) -> Path:
    for name, codes in CODES.items():
        city(tmp_path / "oscd" / name, codes)
    return tmp_path / "oscd"


@pytest.fixture
def published(oscd) -> Path:
    """The same cities as the archives put them."""
    folder = oscd.with_name("published")
    images = folder / f"{OSCD_TITLE}Images"
    shutil.copytree(oscd, images)
    for name in CODES:
        split = "test" if name == "rio" else "train"
        (folder / OSCD_LABELS[split] / name).mkdir(parents=True)
        shutil.move(images / name / "cm", folder / OSCD_LABELS[split] / name / "cm")
    (images / "train.txt").write_text("bercy,milano\n")
    (images / "test.txt").write_text("rio")
    return folder


def test_codes_of_change_are_found_per_mask(oscd):
    labels = read_labels(str(oscd))
    assert labels.target == "change"
    assert [each.name for each in labels.classes] == ["no change", "change"]
    found = by_name(labels)
    assert {name: sample.codes for name, sample in found.items()} == CODES
    for sample in found.values():
        np.testing.assert_array_equal(changed(labels, sample), truth(60, 72))
    assert labels.notes[0] == "1 is no change and 2 change in 1 mask"
    # one coding for all would take 1 in a mask of 0 and 1 for no change
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(stored(found["milano"].mask) == CODES["bercy"][1], truth(60, 72))


@pytest.mark.parametrize("codes", CODES.values())
def test_masks_of_one_coding_have_it_as_the_sets(tmp_path, codes):
    city(tmp_path / "paris", codes)
    city(tmp_path / "pisa", codes)
    write_mask(tmp_path / "pisa" / "cm" / "pisa-cm.tif", codes, np.zeros((60, 72), bool))  # 1 alone means either
    labels = read_labels(str(tmp_path))
    assert labels.codes == codes
    assert [int(changed(labels, sample).sum()) for sample in labels.samples] == [41, 0]


def test_other_codes_are_refused(oscd):
    write_mask(oscd / "rio" / "cm" / "rio-cm.tif", (3, 7), truth(60, 72))
    with pytest.raises(DataError, match=r"1 of 3 masks with other codes: .*rio-cm.tif has 3, 7; expected 1 and 2 or 0"):
        read_labels(str(oscd))


def test_a_pair_lies_on_the_first_dates_grid_to_the_last_pixel(oscd):
    """MATH.md 10, entries 29 and 30: no border is left unread; date 2 may be the larger one."""
    labels = read_labels(str(oscd))
    for sample in labels.samples:
        pair = open_raster([sample.image.opened(0), sample.after.opened(0)], bands=sample.image.bands)
        assert pair.dates == ("2016-11-30", "2017-08-29")
        assert pair.shape == (2, 13, 60, 72)
        there = changed(labels, sample)
        assert there.shape == pair.shape[2:]
        # the border counts: whole tiles of 32 pixels, cut from the first corner, miss a change in the last pixel
        assert (int(there.sum()), int(there[: 60 // 32 * 32, : 72 // 32 * 32].sum())) == (41, 40)
        read = pair.read()
        assert read.valid is None
        for band, gsd in (("B02", 1), ("B8A", 2), ("B10", 6)):
            index = [each.name for each in pair.bands].index({"B02": "B2"}.get(band, band))
            for date, folder in enumerate(("imgs_1", "imgs_2")):
                values = file_of(oscd / sample.name / folder, band)
                if gsd == 1:
                    np.testing.assert_array_equal(read.values[date, index], values[:60, :72])
                else:  # interpolated, so near the file's own corner pixel
                    assert abs(int(read.values[date, index, -1, -1]) - int(values[59 // gsd, 71 // gsd])) < 300


def test_a_listing_in_any_order_gives_the_same(oscd, monkeypatch):
    """MATH.md 10, entry 30: the prefix of the first file of an unsorted listing says nothing."""
    expected = read_labels(str(oscd))
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path=".": sorted(listed(path), reverse=True))
    found = read_labels(str(oscd))
    assert found == expected
    (sample, *_) = found.samples
    raster = opened(sample.image)
    for index in range(4):
        band = raster.bands[[each.name for each in raster.bands].index(("B2", "B3", "B4", "B8")[index])]
        values = file_of(oscd / sample.name / "imgs_1", f"B0{band.name[1:]}")
        np.testing.assert_array_equal(raster.read().values[0, raster.bands.index(band)], values)


def test_the_published_layout_has_splits(published):
    found = by_name(read_labels(str(published)))
    assert {name: sample.split for name, sample in found.items()} == {
        "bercy": "train",
        "milano": "train",
        "rio": "test",
    }
    assert {sample.group for sample in found.values()} == set(CODES)
    assert Path(found["rio"].mask).is_file()
    # an archive may hold a folder of its own name
    images = published / f"{OSCD_TITLE}Images"
    shutil.move(images, published / "there")
    images.mkdir()
    shutil.move(published / "there", images / images.name)
    assert by_name(read_labels(str(published))).keys() == set(CODES)


def test_cities_without_a_mask_are_left_out(published):
    shutil.rmtree(published / OSCD_LABELS["test"])  # labels of the test cities were published later
    labels = read_labels(str(published))
    assert by_name(labels).keys() == {"bercy", "milano"}
    assert labels.notes[-1] == "left out 1 of 3 cities without a mask: rio"
    shutil.rmtree(published / OSCD_LABELS["train"] / "milano")
    with pytest.raises(DataError, match=r"1 of 3 cities incomplete: milano \(no cm/milano-cm.tif\); .*ieee-dataport"):
        read_labels(str(published))


def test_half_extracted_cities_are_named(oscd):
    shutil.rmtree(oscd / "bercy" / "imgs_2")
    next((oscd / "rio" / "imgs_1").glob("*B8A.tif")).unlink()
    with pytest.raises(DataError, match=r"2 of 3 cities incomplete: bercy \(no imgs_2\), rio \(no B8A in imgs_1\)"):
        read_labels(str(oscd))


def test_listed_cities_must_be_there(published):
    (published / f"{OSCD_TITLE}Images" / "test.txt").write_text("rio, dubai")
    with pytest.raises(DataError, match=r"1 of 4 cities of train.txt and test.txt incomplete: dubai \(no images\)"):
        read_labels(str(published))


def test_registered_images_serve_where_the_native_are_missing(oscd):
    for date in (1, 2):
        shutil.move(oscd / "rio" / f"imgs_{date}", oscd / "rio" / f"imgs_{date}_rect")
    sample = by_name(read_labels(str(oscd)))["rio"]
    assert [Path(image.paths[0]).name for image in (sample.image, sample.after)] == ["imgs_1_rect", "imgs_2_rect"]


def test_png_masks_serve_where_there_is_no_tiff(oscd):
    for name in CODES:
        write_mask(oscd / name / "cm" / "cm.png", (0, 255), truth(60, 72))
        (oscd / name / "cm" / f"{name}-cm.tif").unlink()
    labels = read_labels(str(oscd))
    assert labels.codes == (0, 255)
    assert all((changed(labels, sample) == truth(60, 72)).all() for sample in labels.samples)


def test_a_png_mask_that_differs_is_said(oscd):
    for name in CODES:
        write_mask(oscd / name / "cm" / "cm.png", (0, 255), truth(60, 72) if name != "rio" else ~truth(60, 72))
    labels = read_labels(str(oscd))
    assert {sample.codes for sample in labels.samples} == set(CODES.values())  # of the TIFF masks
    assert labels.notes[-1] == "cm.png shows other changes than the TIFF, which is used, in 1 mask: rio"


def test_images_without_a_place_are_a_pair_by_their_size(tmp_path):
    """Registered images lie on one grid of 10 m, so no georeference is needed."""
    for date in (1, 2):
        folder = tmp_path / "rio" / f"imgs_{date}_rect"
        folder.mkdir(parents=True)
        for index, band in enumerate(GSD_OF_BAND):
            write(folder / f"{band}.tif", land(60, 72, 20 * date + index, 1), crs=None, transform=Affine.identity())
    (tmp_path / "rio" / "dates.txt").write_text("date_1: 20161130\ndate_2: 20170829\n")
    write_mask(tmp_path / "rio" / "cm" / "rio-cm.tif", (1, 2), truth(60, 72))
    (sample,) = read_labels(str(tmp_path)).samples
    pair = open_raster([sample.image.opened(0), sample.after.opened(0)], bands=sample.image.bands)
    assert pair.shape == (2, 13, 60, 72)
    for date, folder in enumerate(("imgs_1_rect", "imgs_2_rect")):
        for band, values in zip(pair.bands, pair.read().values[date], strict=True):
            padded = band.name if len(band.name) > 2 else f"B0{band.name[1:]}"
            np.testing.assert_array_equal(values, stored(tmp_path / "rio" / folder / f"{padded}.tif"))


def test_oscd_has_no_variants(oscd):
    with pytest.raises(OptionError, match=r"variant='43': found OSCD, which has no variants"):
        read_labels(str(oscd), "43")


def test_real_pairs_lie_on_the_grid_of_their_mask(shared):
    labels = read_labels(str(shared / "data" / "oscd"))
    assert (len(labels.samples), labels.codes) == (10, (1, 2))
    assert labels.notes == ("1 is no change and 2 change in 10 masks",)  # the pictures agree, also the one with greys
    found = by_name(labels)
    for name in ("bercy", "abudhabi"):  # date 2 of abudhabi lies on another grid
        sample = found[name]
        pair = open_raster([sample.image.opened(0), sample.after.opened(0)], bands=f"{sample.image.bands}:B02,B8A")
        there = changed(labels, sample)
        assert pair.shape[2:] == there.shape
        np.testing.assert_array_equal(stored(Path(sample.mask).with_name("cm.png")) == 255, there)
        folder = Path(sample.image.paths[0])
        np.testing.assert_array_equal(pair.read().values[0, 0], file_of(folder, "B02"))
