"""The hash of an image depends on its pixels alone, and finds its chips in shards."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land, write
from real_rasters import real_all

from spectralgpt.data import sample_hashes as of_samples
from spectralgpt.data.image_hash import date_hashes, image_hash
from spectralgpt.data.sample_hashes import sample_hashes
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import open_shards
from spectralgpt.products import open_raster

VALUES = land(70, 61)
ORDER = [3, 0, 12, 1, 2, 4, 11, 5, 6, 7, 8, 9, 10]


def hashed(path: Path, *sides: int, **how) -> frozenset[str]:
    with open_raster(path, **how) as raster:
        return sample_hashes(raster, sides)


def assert_files_are_the_same(folder: Path) -> None:
    """The same pixels in five files, one with other junk below its mask."""
    plain = hashed(write(folder / "plain.tif", VALUES, names=NAMES))
    assert len(plain) == 1
    tiled = write(
        folder / "tiled.tif",
        VALUES,
        names=NAMES,
        compress="deflate",
        predictor=2,
        tiled=True,
        blockxsize=16,
        blockysize=32,
        interleave="pixel",
        crs=None,
        transform=None,
    )
    names = [NAMES[index] for index in ORDER]
    assert hashed(tiled) == plain
    assert hashed(write(folder / "order.tif", VALUES[ORDER], names=names)) == plain
    assert hashed(write(folder / "envi.img", VALUES, names=NAMES, driver="ENVI", interleave="bil")) == plain
    assert hashed(write(folder / "big.tif", VALUES, names=NAMES, ENDIANNESS="BIG")) == plain


def test_how_an_image_is_stored_changes_nothing(tmp_path):
    assert_files_are_the_same(tmp_path)


def test_that_test_notices_bands_in_the_order_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(of_samples, "wavelength_order", lambda bands: list(range(len(bands))))
    with pytest.raises(AssertionError):
        assert_files_are_the_same(tmp_path)


def test_a_eurosat_patch_is_recognized_by_its_names_in_another_file(tmp_path):
    """In EuroSAT's order without names, and compressed in the order of names; not if the bands are misnamed."""
    path = real_all("eurosat_ms/*/*.tif")[0]
    with rasterio.open(path) as dataset:
        values = dataset.read()
    names = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12", "B8A"]
    order = [names.index(name) for name in NAMES]
    copy = write(tmp_path / "copy.tif", values[order], names=NAMES, compress="zstd", crs=None, transform=None)
    assert hashed(copy) == hashed(path, bands="eurosat") != hashed(path, bands=",".join(NAMES))


def test_one_pixel_another_type_or_another_shape_is_another_image():
    values = VALUES.copy()
    values[7, 8, 9] += 1
    others = [values, VALUES.astype(np.int16), VALUES.reshape(13, 61, 70), VALUES[::-1], VALUES[:, :, :-1]]
    hashes = {image_hash(each) for each in (VALUES, *others)}
    assert len(hashes) == 6
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in hashes)
    # stored by any machine: the number itself
    assert image_hash(np.arange(24, dtype="<u2").reshape(2, 3, 4)) == "34aa20b5a85305e6"
    assert image_hash(np.arange(24, dtype=">u2").reshape(2, 3, 4)) == "34aa20b5a85305e6"


def test_what_is_not_valid_does_not_count():
    valid = np.ones(VALUES.shape, bool)
    valid[2, 5:9, 5:9] = False
    junk = np.where(valid, VALUES, 31_000).astype(VALUES.dtype)
    assert image_hash(junk, valid) == image_hash(VALUES, valid) != image_hash(VALUES)
    floats = np.where(valid, VALUES, np.nan).astype(np.float32)
    assert image_hash(floats, valid) == image_hash(np.nan_to_num(floats))


def test_nothing_has_no_hash():
    """Places without data are the same everywhere: two of them are no leak."""
    dates = np.stack([VALUES, np.zeros_like(VALUES), VALUES])
    valid = np.ones(dates.shape, bool)
    valid[2] = False
    assert date_hashes(dates, valid) == [image_hash(VALUES)]
    assert date_hashes(dates) == [image_hash(VALUES)] * 2


def assert_chips_are_found(folder: Path, chip: int) -> None:
    """Every chip of a folder's shards is one of the image's, in any of its files; odd sizes, holes, a padded image."""
    images = folder / "images"
    images.mkdir(parents=True)
    values = land(70, 61, 3)
    values[:, 20:30, 8:50] = 0
    sources = [
        write(images / "large.tif", values, names=NAMES, nodata=0),
        write(images / "small.tif", land(20, 17, 4), names=NAMES),
    ]
    shard([images], folder / "shards", Reading(chip, 0.0, 12), workers=1)
    shards = open_shards(folder / "shards")
    stored = [
        frozenset(shards.hashes(layout, np.array([row])))
        for layout in range(len(shards.layouts))
        for row in range(shards.counts[layout])
    ]
    sides = [layout.side for layout in shards.layouts]
    again = write(folder / "again.tif", values[ORDER], names=[NAMES[index] for index in ORDER], compress="zstd")
    found = hashed(again, *sides) | hashed(sources[1], *sides)
    assert all(len(each) == 1 and each <= found for each in stored)
    # the other way round: a chip, cut out and saved as an image
    cut = write(folder / "cut.tif", values[:, :chip, 61 - min(chip, 61) :], names=NAMES)
    assert hashed(cut) <= frozenset().union(*stored)
    other = write(folder / "other.tif", land(70, 61, 5), names=NAMES)
    assert hashed(other, *sides).isdisjoint(frozenset().union(*stored))


@pytest.mark.parametrize("chip", [32, 40, 128])
def test_chips_of_shards_are_found_in_their_image(tmp_path, chip):
    assert_chips_are_found(tmp_path, chip)


def test_that_test_notices_chips_that_are_not_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(of_samples, "corners", lambda height, width, side: iter([(0, 0)]))
    with pytest.raises(AssertionError):
        assert_chips_are_found(tmp_path, 32)


def test_each_date_counts_alone(tmp_path):
    one = write(tmp_path / "a_2020-01-02.tif", land(20, 20, 1), names=NAMES)
    two = write(tmp_path / "a_2020-03-04.tif", land(20, 20, 2), names=NAMES)
    with open_raster([one, two]) as raster:
        both = sample_hashes(raster)
    assert both == hashed(one) | hashed(two)
    assert len(both) == 2
