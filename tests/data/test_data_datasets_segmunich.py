"""SegMunich's tiles: arrays that GDAL takes for pages, and masks with codes of CORINE."""

from pathlib import Path

import numpy as np
import pytest
from made_rasters import land, write
from made_tiff_pages import write_pages
from real_rasters import real

from made_datasets import by_name
from spectralgpt.data.datasets import read_labels
from spectralgpt.data.datasets.segmunich import SEGMUNICH_CLASSES, open_tile
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.labels import LabelReading, open_labels
from spectralgpt.errors import DataError, OptionError

BANDS = ["B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12"]


def tile(folder: Path, number: int, codes: tuple[int, ...] = tuple(SEGMUNICH_CLASSES)) -> np.ndarray:
    """An image of 16 x 24 pixels and its mask. Returns the image (band, row, column)."""
    for name in ("img", "label"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    values = land(16, 24, number, 10).astype(np.float32)
    write_pages(folder / "img" / f"SegMunich_train_img_{number}.tif", np.moveaxis(values, 0, 2))
    mask = np.array(codes, np.uint8)[np.arange(16 * 24).reshape(1, 16, 24) % len(codes)]
    write(folder / "label" / f"SegMunich_train_label_{number}.tif", mask, crs=None)
    return values


def test_tiles_have_ten_bands_by_name(tmp_path):
    """MATH.md 10, entry 28: ten values are ten named bands, not the first of twelve."""
    values = {number: tile(tmp_path, number) for number in (1, 10)}
    labels = read_labels(str(tmp_path))
    assert labels.target == "mask"
    assert len(labels.samples) == 2
    for sample in labels.samples:
        image = labels.open(sample.image)
        assert [band.name for band in image.bands] == BANDS
        assert {band.sensor for band in image.bands} == {"s2-l2a"}
        assert (image.gsd, image.shape) == (10.0, (1, 10, 16, 24))
        number = int(sample.name.split("_")[-1].removesuffix(".tif"))
        np.testing.assert_array_equal(image.read().values[0], values[number])
        assert sample.mask.endswith(f"SegMunich_train_label_{number}.tif")
        assert sample.split == "train"  # as its name says


def test_given_bands_select_those_of_a_tile(tmp_path):
    values = tile(tmp_path, 1)
    image = open_labels(tmp_path, LabelReading(bands="B8A,B02", trust_input=True)).data.read(0).image
    assert [band.name for band in image.bands] == ["B8A", "B2"]
    assert np.array_equal(image.read().values[0], values[[7, 0]])
    with pytest.raises(OptionError, match="bands='B02,B10': found no B10"):
        open_labels(tmp_path, LabelReading(bands="B02,B10", trust_input=True))


def test_classes_are_those_of_the_paper(tmp_path):
    tile(tmp_path, 1)
    labels = read_labels(str(tmp_path))
    assert len(labels.classes) == len(labels.codes) == 13
    named = dict(zip(labels.codes, (each.name for each in labels.classes), strict=True))
    assert (named[0], named[21], named[31], named[41], named[5]) == (
        "Background",
        "Arable land",
        "Forests",
        "Wetlands",
        "Surface water",
    )


def test_other_codes_are_taken_as_they_occur(tmp_path):
    tile(tmp_path, 1, codes=(0, 1, 2, 5))
    labels = read_labels(str(tmp_path))
    assert (labels.classes, labels.codes) == ((), ())
    assert labels.notes[-1] == "masks hold codes (1, 2) without published names"


def test_splits_are_of_folders_or_lists(tmp_path):
    tile(tmp_path / "parts" / "train", 1)
    tile(tmp_path / "parts" / "val", 2)
    found = by_name(read_labels(str(tmp_path / "parts")))
    assert [(name.split("/")[0], sample.split) for name, sample in found.items()] == [
        ("train", "train"),
        ("val", "val"),
    ]
    for number in (1, 2, 3):
        tile(tmp_path / "lists", number)
    (tmp_path / "lists" / "train.txt").write_text("SegMunich_train_img_1.tif\nSegMunich_train_img_3.tif\n")
    (tmp_path / "lists" / "val.txt").write_text("img/SegMunich_train_img_2.tif label/SegMunich_train_label_2.tif\n")
    samples = by_name(read_labels(str(tmp_path / "lists")))
    assert [sample.split for sample in samples.values()] == ["train", "val", "train"]


def test_a_tile_without_its_mask_is_named(tmp_path):
    for number in (1, 2):
        tile(tmp_path, number)
    (tmp_path / "label" / "SegMunich_train_label_1.tif").unlink()
    with pytest.raises(DataError, match=r"1 of 2 tiles incomplete: .*train_img_1.tif \(no mask\); .*huggingface"):
        read_labels(str(tmp_path))


def test_images_and_masks_of_others_are_not_segmunich(tmp_path):
    tile(tmp_path, 1)
    write(tmp_path / "img" / "SegMunich_train_img_1.tif", land(16, 24, bands=4))
    assert read_labels(str(tmp_path)) is None


def test_the_real_tile_is_read_in_order_of_its_bands():
    """The bands of 20 m consist of blocks of 2 x 2 equal pixels, from the second row and column on; those of 10 m do
    not."""
    path = str(real("segmunich_tile/SegMunich_train_img_10.tif"))
    image = open_tile(ImageSource(path, (path,)))
    assert image.shape == (1, 10, 128, 128)
    values = image.read().values[0]
    blocks = values[:, 1:127, 1:127].reshape(10, 63, 2, 63, 2)
    coarse = (blocks == blocks[:, :, :1, :, :1]).all(axis=(1, 2, 3, 4))
    assert [band.name for band, is_coarse in zip(image.bands, coarse, strict=True) if not is_coarse] == BANDS[:4]
    assert np.abs(image.read().reflectance()).max() < 2
