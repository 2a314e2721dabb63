"""Files that cannot be opened, and open ones that threads share."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio

from spectralgpt.errors import RasterError
from spectralgpt.raster.handles import Handles, open_dataset


@pytest.mark.parametrize(
    ("name", "what"), [("a.csv", "found a table"), ("a.parquet", "found a table"), ("a.GEOJSON", "found vector data")]
)
def test_a_file_that_is_plainly_no_image_is_named_as_what_it_is(tmp_path, name, what):
    (tmp_path / name).write_text("path,label\n")
    with pytest.raises(RasterError, match=rf"{name}: {what}; expected a raster"):
        open_dataset(str(tmp_path / name))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "image.tif"
    with rasterio.open(path, "w", driver="GTiff", height=8, width=8, count=1, dtype="uint8", crs="EPSG:32633") as image:
        image.write(np.ones((1, 8, 8), np.uint8))
    return str(path)


def test_no_two_threads_have_the_same_dataset(path):
    handles, inside = Handles(), threading.Barrier(4)

    def held(_: int) -> int:
        with handles.lent(path) as dataset:
            inside.wait(timeout=30)
            return id(dataset)

    with ThreadPoolExecutor(4) as pool:
        first, second = set(pool.map(held, range(4))), set(pool.map(held, range(4)))
    assert len(first) == 4
    assert second == first, "what was given back is lent again"
    handles.close()


def test_what_was_given_back_last_is_lent_first_to_any_thread(path):
    handles = Handles()
    with handles.lent(path) as first, handles.lent(path) as second:
        assert first is not second
    with ThreadPoolExecutor(1) as pool, handles.lent(path) as again:
        assert again is first, "the outer block ends last"
        assert pool.submit(lambda: handles.lent(path).__enter__()).result() is second
    handles.close()


def test_what_is_lent_is_closed_when_it_is_given_back(path):
    """GDAL ends the process where a dataset is closed while it is read."""
    handles = Handles()
    with handles.lent(path) as free:
        pass
    with handles.lent(path) as dataset, handles.lent(path) as other:
        assert dataset is free
        handles.close()
        assert not dataset.closed
        assert dataset.read(1).sum() == 64
        with handles.lent(path) as later:
            assert later is not other
        assert not later.closed, "opened after the end: another use has begun"
    assert dataset.closed
    assert other.closed
    handles.close()
    assert later.closed


def test_reading_goes_on_while_another_thread_closes(path):
    handles, begun = Handles(), threading.Event()

    def read(_: int) -> int:
        begun.set()
        total = 0
        for _ in range(200):
            with handles.lent(path) as dataset:
                total += int(dataset.read(1).sum())
        return total

    with ThreadPoolExecutor(4) as pool:
        found = pool.map(read, range(4))
        begun.wait(timeout=30)
        for _ in range(200):
            handles.close()
        assert list(found) == [200 * 64] * 4
    handles.close()


def test_after_an_error_the_dataset_is_given_back(path):
    handles = Handles()
    with pytest.raises(OSError, match="lost"), handles.lent(path) as dataset:
        raise OSError("lost")
    with handles.lent(path) as again:
        assert again is dataset
    handles.close()
