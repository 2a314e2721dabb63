"""Vectors in a stream: in the order of the images, with a bounded number of images at hand."""

import threading
from contextlib import closing

import numpy as np
import pytest

from made_sets import made_image
from spectralgpt.errors import RasterError
from spectralgpt.features import Cache, images
from spectralgpt.features.images import streamed_vectors

TOTAL = 60


class Means:
    """Vectors of the means of bands; images of 24 rows cannot be used."""

    name = identity = "means"

    def of(self, pixels):
        if any(each.shape[2] == 24 for each in pixels):
            raise RasterError("24 rows", "others")
        return np.stack([each.values.mean(axis=(0, 2, 3)).astype(np.float32) for each in pixels])


class Counted:
    """Images in memory: mostly of one size, the first of another. `ahead`: the most that were read and not used."""

    def __init__(self, rows=lambda index: 16 if index else 8):
        self.rows, self.read, self.used, self.ahead = rows, 0, 0, 0
        self._lock = threading.Lock()

    def image(self, index):
        return made_image(self.rows(index), 8, index)

    def __call__(self, index):
        with self._lock:
            self.read += 1
            self.ahead = max(self.ahead, self.read - self.used)
        return self.image(index)

    def stream(self, **how):
        return streamed_vectors(self, TOTAL, "image {}".format, [Means()], Cache(None), **how)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Small numbers instead of large ones."""
    monkeypatch.setattr(images, "MADE_TOGETHER", 4)
    monkeypatch.setattr(images, "WAITING", 12)


def run(source, **how):
    found = []
    with closing(source.stream(**how)) as stream:
        for each in stream:
            source.used += 1
            found.append(each)
    return found


@pytest.mark.parametrize("readers", [0, 3])
@pytest.mark.parametrize("rows", [lambda i: 16 if i else 8, lambda i: 8 + i % 5, lambda i: 8])
def test_vectors_come_in_order(rows, readers):
    source = Counted(rows)
    found = run(source, readers=readers)
    assert [each.index for each in found] == list(range(TOTAL))
    for each in found:
        expected = Means().of([source.image(each.index)])[0]
        np.testing.assert_array_equal(each.vectors, [expected])
        assert (each.failure, each.valid) == (None, 1.0)


@pytest.mark.parametrize("broken", [False, True])
def test_the_images_at_hand_are_bounded(broken, monkeypatch):
    """A rare size does not wait until the end. Broken: with patience for all images."""
    if broken:
        monkeypatch.setattr(images, "WAITING", 10 * TOTAL)
    source = Counted()
    run(source, readers=2)
    most = 12 + 4 + 2 * 2 + 2
    assert (source.ahead > most) is broken


@pytest.mark.parametrize("broken", [False, True])
def test_their_bytes_are_bounded(broken, monkeypatch):
    """Room for three images of 16 x 8 pixels."""
    source = Counted(lambda index: 16 + index % 12)
    monkeypatch.setattr(images, "WAITING_BYTES", 10**9 if broken else 3 * source.image(0).values.nbytes)
    run(source, readers=0)
    assert (source.ahead > 5) is broken


def test_large_images_are_read_one_at_a_time(monkeypatch):
    """And give the same vectors."""
    expected = run(Counted(), readers=2)
    monkeypatch.setattr(images, "VALUES_AHEAD", 100)
    for each, large in zip(expected, run(Counted(), readers=2), strict=True):
        np.testing.assert_array_equal(each.vectors, large.vectors)
        assert each.content == large.content


def test_an_image_that_cannot_be_used_is_named_and_the_others_stay():
    """Also one that fails together with others of its size."""

    def rows(index):
        return 24 if index in (3, 30) else 16

    class Failing(Counted):
        def image(self, index):
            if index == 5:
                raise RasterError("image 5", "an image")
            return super().image(index)

    found = run(Failing(rows), readers=2)
    failed = {each.index: str(each.failure) for each in found if each.failure is not None}
    assert failed == {
        3: "image 3: 24 rows; expected others.",
        5: "image 5; expected an image.",
        30: "image 30: 24 rows; expected others.",
    }
    assert sum(each.vectors is not None for each in found) == TOTAL - 3
    assert [each.index for each in found] == list(range(TOTAL))


def test_hashes_only_when_asked():
    assert run(Counted(), readers=0)[0].hashes == frozenset()
    assert len(run(Counted(), readers=0, sides=())[0].hashes) == 1
