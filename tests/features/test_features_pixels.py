"""Features of pixels: places interpolated at their centres beside the spectra, by any windows."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from made_sets import CONFIG, MemorySet, made_image, pair, small_model, with_bands
from spectralgpt.data.labels import LabelledImage
from spectralgpt.features import Cache, EncoderPlaces, PixelFeatures
from spectralgpt.features.pixels import spectra
from spectralgpt.features.upsampling import at_pixels
from spectralgpt.raster import Readable, Window

BANDS = CONFIG.bands
HOLE = slice(3, 30), slice(10, 33)


@dataclass
class Corners:
    """Places of 8 x 8 pixels with their row, their column, and the date's number times 100."""

    identity: str = "corners"
    name: str = "corners"
    reduce: int = 8
    made: list[Readable] = field(default_factory=list)

    def of(self, image: Readable) -> tuple[np.ndarray, np.ndarray]:
        self.made.append(image)
        dates, _, rows, columns = image.shape
        d, r, c = np.mgrid[:dates, : -(-rows // 8), : -(-columns // 8)].astype(np.float32)
        return np.stack([r, c, 100 * d * d + r], axis=-1), np.ones(d.shape, bool)


def masks(*images: Readable, target: str = "mask") -> MemorySet:
    labelled = [LabelledImage(each, np.full(each.shape[2:], index, np.int16)) for index, each in enumerate(images)]
    return MemorySet(labelled, target=target)


# -- upsampling --------------------------------------------------------------------------------------------------------


def test_places_are_met_at_their_centres():
    """A ramp over places is a ramp over pixels, 1 per 8 pixels, with 0 between pixels 3 and 4."""
    places = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((5, 4, 1), np.float32)
    found = at_pixels(places, np.ones((5, 4), bool), 8, Window(0, 0, 38, 30))[..., 0]
    expected = np.clip((np.arange(38) + 0.5) / 8 - 0.5, 0, 4)
    assert np.allclose(found, expected[:, None], atol=1e-6)
    shifted = np.repeat(np.arange(5), 8)[:38]
    assert not np.allclose(found[:, 0], shifted), "the test sees the nearest place"
    assert not np.allclose(found[:, 0], np.clip(np.arange(38) / 8, 0, 4)), "and corners in place of centres"


def test_places_that_are_not_valid_have_no_weight():
    draw = np.random.default_rng(0)
    places, valid = draw.normal(size=(6, 7, 3)).astype(np.float32), draw.random((6, 7)) < 0.6
    found = at_pixels(places, valid, 8, Window(0, 0, 48, 56))
    junk = np.where(valid[..., None], places, np.float32(1e30))
    assert np.array_equal(at_pixels(junk, valid, 8, Window(0, 0, 48, 56)), found)
    constant = at_pixels(np.where(valid[..., None], np.float32(7), np.nan), valid, 8, Window(0, 0, 48, 56))
    assert set(np.round(np.unique(constant), 4)) <= {0.0, 7.0}
    assert (constant == 0).any()


def test_the_same_numbers_whatever_the_window():
    draw = np.random.default_rng(1)
    places, valid = draw.normal(size=(6, 7, 3)).astype(np.float32), draw.random((6, 7)) < 0.8
    for known in (valid, np.ones_like(valid)):
        whole = at_pixels(places, known, 8, Window(0, 0, 45, 50))
        for window in (Window(0, 0, 1, 1), Window(7, 9, 20, 13), Window(44, 49, 1, 1)):
            assert np.array_equal(at_pixels(places, known, 8, window), whole[window.slices])


# -- masks -------------------------------------------------------------------------------------------------------------


def test_places_beside_the_own_spectrum():
    image = made_image(40, 33, hole=HOLE)
    for each in (image, with_bands(image, slice(0, 4))):
        found = PixelFeatures(masks(each), Corners(), BANDS)
        whole = Window(0, 0, 40, 33)
        features, valid = found.features(0, whole), found.valid(0, whole)
        assert (len(found), found.shape(0)) == (1, (40, 33))
        assert features.shape == (40, 33, 3 + 12)
        assert np.array_equal(valid, each.valid[0].any(axis=0))
        assert features[20, 5, 0] == pytest.approx(20.5 / 8 - 0.5)
        names = [band.name for band in each.bands]
        for column, band in enumerate(BANDS.bands):
            expected = 0.0
            if band.name in names:
                stored = each.values[0, names.index(band.name)].astype(np.float64)
                expected = np.where(valid, np.arcsinh(stored * 1e-4 / 0.02), 0)
            assert np.allclose(features[..., 3 + column], expected, atol=1e-6), band.name
        part = Window(5, 7, 11, 20)
        assert np.array_equal(found.features(0, part), features[part.slices])
        assert np.array_equal(found.valid(0, part), valid[part.slices])


def test_what_is_labelled_stays_labelled():
    found = PixelFeatures(masks(made_image(40, 33, hole=HOLE)), Corners(), BANDS)
    assert (found.truth(0) == 0).all()
    assert not found.valid(0, Window(0, 0, 40, 33)).all()


def test_several_dates_are_means_over_those_that_are_valid():
    before, after = made_image(40, 33, 0), made_image(40, 33, 1, hole=HOLE)
    features = PixelFeatures(masks(pair(before, after)), Corners(), BANDS).features(0, Window(0, 0, 40, 33))
    assert features[20, 5, 2] == pytest.approx(50 + 20.5 / 8 - 0.5)
    one, two = (spectra(each, BANDS, False)[0][0] for each in (before, after))
    assert np.allclose(features[0, 0, 3:], (one + two)[0, 0] / 2, atol=1e-6)
    assert np.allclose(features[15, 15, 3:], one[15, 15], atol=1e-6)


# -- change ------------------------------------------------------------------------------------------------------------


def test_differences_of_both_dates():
    before, after = made_image(40, 33, 0), made_image(40, 33, 1, hole=HOLE)
    found = PixelFeatures(masks(pair(before, after), target="change"), Corners(), BANDS)
    features = found.features(0, Window(0, 0, 40, 33))
    assert features.shape == (40, 33, 3 + 3 + 12 + 12)
    assert np.allclose(features[..., :6], [0, 0, 100, 0, 0, 100])
    turned = pair(after, before)
    negative = PixelFeatures(masks(turned, target="change"), Corners(), BANDS).features(0, Window(0, 0, 40, 33))
    one, two = (spectra(each, BANDS, False)[0][0] for each in (before, after))
    assert np.allclose(features[..., 6:18], two - one, atol=1e-6)
    assert np.allclose(features[..., 18:], one, atol=1e-6)
    assert np.allclose(negative[..., 6:18], one - two, atol=1e-6)
    assert np.array_equal(found.valid(0, Window(0, 0, 40, 33)), after.valid[0].any(axis=0))


def test_a_model_sees_what_changed():
    image = made_image(40, 72)
    changed = image.values.copy()
    changed[..., 8:24, 8:24] += 900
    data = masks(pair(image, image), pair(image, replace(image, values=changed)), target="change")
    found = PixelFeatures(data, EncoderPlaces(small_model(), precision="fp32"), BANDS)
    same, other = (found.features(index, Window(0, 0, 40, 72)) for index in range(2))
    assert np.abs(other[8:24, 8:24, :48]).mean() > np.abs(other[:, 48:, :48]).mean()
    assert not same[..., 96:108].any()


# -- once --------------------------------------------------------------------------------------------------------------


def test_places_are_made_once_and_few_are_held(tmp_path):
    data, maker = masks(*(made_image(24, 24, seed) for seed in range(6))), Corners()
    found = PixelFeatures(data, maker, BANDS, cache=Cache(tmp_path))
    shown = []
    found.prepare(lambda *each: shown.append(each))
    assert shown == [("features", done, 6) for done in range(7)]
    for index in (0, 5, 0, 3):
        found.features(index, Window(0, 0, 24, 24))
        found.features(index, Window(0, 8, 8, 8))
        assert found.truth(index)[0, 0] == index
    assert len(maker.made) == 6
    again = PixelFeatures(data, Corners(), BANDS, cache=Cache(tmp_path))
    assert np.array_equal(again.features(4, Window(3, 3, 9, 9)), found.features(4, Window(3, 3, 9, 9)))
    assert again.maker.made == []
    assert len(found._places._kept) <= 3
