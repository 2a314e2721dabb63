"""The vectors of a set: in its order, each image made once, and from the cache if it can."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from made_sets import MemorySet, made_image, small_model, with_bands
from spectralgpt.data.sample_hashes import sample_hashes
from spectralgpt.errors import BandError, DataError, RasterError
from spectralgpt.features import Cache, EncoderImages, content_of, image_vectors, images
from spectralgpt.raster import Pixels


@dataclass
class Means:
    """The mean of each band. made: how many images it was given at once."""

    identity: str = "means"
    name: str = "means"
    made: list[int] = field(default_factory=list)

    def of(self, images: list[Pixels]) -> np.ndarray:
        assert len({(each.shape, each.bands) for each in images}) == 1
        self.made.append(len(images))
        return np.stack([each.values.mean(axis=(0, 2, 3)) for each in images]).astype(np.float32)


def mixed(count: int = 30) -> list[Pixels]:
    """Images of three sizes, in turns."""
    return [made_image(16 + 8 * (seed % 3), 16, seed) for seed in range(count)]


@pytest.mark.parametrize("readers", [0, 1, 4])
@pytest.mark.parametrize("together", [1, 4, 100])
def test_vectors_are_in_the_order_of_the_set(monkeypatch, readers, together):
    monkeypatch.setattr(images, "MADE_TOGETHER", together)
    monkeypatch.setattr(images, "WAITING", 6)
    data, maker, shown = MemorySet.of(mixed()), Means(), []
    found = image_vectors(data, maker, Cache(None), lambda *each: shown.append(each), readers=readers)
    expected = [Means().of([each.image])[0] for each in data.images]
    assert np.array_equal(found.values, expected)
    assert found.contents == tuple(content_of(each.image) for each in data.images)
    assert found.hashes == tuple(sample_hashes(each.image) for each in data.images)
    assert sorted(data.reads) == list(range(30)), "each image is read once"
    assert sum(maker.made) == 30
    assert max(maker.made) <= max(together, 3)
    assert shown[0] == ("features", 0, 30)
    assert shown[-1] == ("features", 30, 30)


def test_an_image_is_made_once(tmp_path):
    model, cache = small_model(), Cache(tmp_path)
    data = MemorySet.of(mixed(7))
    first = image_vectors(data, EncoderImages(model), cache)
    moved = [replace(each.image, grid=made_image(*each.image.grid.shape).grid) for each in data.images]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(EncoderImages, "of", lambda *_: pytest.fail("made again"))
        again = image_vectors(MemorySet.of(moved[::-1]), EncoderImages(model), cache)
    assert np.array_equal(again.values, first.values[::-1])
    other = image_vectors(data, EncoderImages(small_model(1)), cache)
    assert not np.array_equal(other.values, first.values)


def test_scores_cannot_depend_on_batches():
    model, data = small_model(), MemorySet.of(mixed(20))
    found = [image_vectors(data, EncoderImages(model, batch=batch), Cache(None)).values for batch in (1, 7, 20)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_chips_have_hashes_too():
    data = MemorySet.of([made_image(32, 32)])
    (hashes,) = image_vectors(data, Means(), Cache(None), sides=[16]).hashes
    assert len(hashes) == 5
    assert sample_hashes(data.images[0].image.read()) < hashes


def test_errors_name_the_image():
    unknown = made_image(16, 16)
    unknown = replace(unknown, bands=tuple(replace(b, wavelength=3000.0 + i) for i, b in enumerate(unknown.bands)))
    with pytest.raises(BandError, match="made: image 1: found the bands"):
        image_vectors(MemorySet.of([made_image(16, 16), unknown]), EncoderImages(small_model()), Cache(None))
    few = with_bands(made_image(16, 16), slice(0, 3))
    with pytest.raises(DataError, match="image 0 has a vector of 13 values, image 1 one of 3"):
        image_vectors(MemorySet.of([made_image(16, 16), few]), Means(), Cache(None))


def test_an_image_that_cannot_be_read_ends_the_run():
    class Broken(MemorySet):
        def read(self, index: int):
            if index == 3:
                raise RasterError("3.tif: cut off")
            return super().read(index)

    with pytest.raises(RasterError, match=r"3\.tif"):
        image_vectors(Broken(MemorySet.of(mixed(9)).images), Means(), Cache(None))


def test_an_empty_set_has_no_vectors():
    assert len(image_vectors(MemorySet.of([]), Means(), Cache(None)).values) == 0
