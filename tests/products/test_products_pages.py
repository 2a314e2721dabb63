"""Arrays that tifffile wrote as one page per row."""

import numpy as np
import pytest
from made_rasters import distinct, land, write
from made_tiff_pages import write_pages
from real_rasters import real

from spectralgpt.errors import RasterError
from spectralgpt.products import pages
from spectralgpt.products.pages import page_shape, read_pages


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pages_are_read_in_one_piece(tmp_path, monkeypatch, dtype, order):
    values = np.moveaxis(distinct(5, 9, 13, "uint16"), 0, 2).astype(dtype)
    path = str(write_pages(tmp_path / "a.tif", values, order))
    monkeypatch.setattr(pages, "_page_by_page", None)  # slower by far
    read = read_pages(path)
    np.testing.assert_array_equal(read, values)
    assert (page_shape(path), read.dtype) == ((9, 13, 5), values.dtype)


def test_pages_with_gaps_are_read_one_by_one(tmp_path, monkeypatch):
    values = np.moveaxis(distinct(5, 9, 13, "uint16"), 0, 2)
    path = str(write_pages(tmp_path / "a.tif", values, gap=6))
    monkeypatch.setattr(pages, "_in_one_piece", None)
    np.testing.assert_array_equal(read_pages(path), values)


def test_a_cut_file_is_refused(tmp_path):
    path = write_pages(tmp_path / "a.tif", np.moveaxis(distinct(5, 9, 13, "uint16"), 0, 2))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(RasterError, match=r"a.tif"):
        read_pages(str(path))


def test_other_images_have_no_pages(tmp_path):
    path = write(tmp_path / "a.tif", land(20, 20))
    assert page_shape(str(path)) is None
    with pytest.raises(RasterError, match="expected an array that tifffile wrote as pages of rows"):
        read_pages(str(path))


def test_the_real_tile_is_read_as_gdal_reads_its_pages():
    path = str(real("segmunich_tile/SegMunich_train_img_10.tif"))
    assert page_shape(path) == (128, 128, 10)
    np.testing.assert_array_equal(read_pages(path), pages._page_by_page(path, 128))
