"""Baselines of probes: numbers worked by hand; neither the order of bands nor invalid pixels matter; pairs."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from affine import Affine

from spectralgpt.bands import Band, BandSet, sensor
from spectralgpt.data.labels import IGNORED, LabelledImage, LabelledSample
from spectralgpt.errors import BandError, OptionError
from spectralgpt.features import ImageMaker, PlaceMaker
from spectralgpt.features.baselines import (
    SAME_METHOD,
    AllDates,
    BaselinePixels,
    Differencing,
    HandmadeImages,
    HandmadePixels,
    ImageConvolutions,
    ImageStatistics,
    NbrDifference,
    PixelConvolutions,
    PixelMaker,
    PixelStatistics,
    find,
    names,
    untrained,
)
from spectralgpt.features.baselines.handmade import band_pairs, normalized_differences
from spectralgpt.features.baselines.spectra import spectra_of
from spectralgpt.features.baselines.surroundings import around
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, PooledConfig, Size
from spectralgpt.raster import Grid, Pixels, Window
from spectralgpt.tasks import Class
from spectralgpt.weights import Classifier, SpectralGPT

IMAGES = [ImageStatistics(), ImageConvolutions(), HandmadeImages()]
PLACES = [PixelStatistics(), PixelConvolutions(), HandmadePixels()]
PAIRS = [Differencing(), NbrDifference(), *(AllDates(each, "pair") for each in PLACES)]

SENTINEL2 = sensor("s2-l1c").bands
FOUR = tuple(band for band in SENTINEL2 if band.name in ("B3", "B4", "B8A", "B12"))


def pixels(values, bands=FOUR, valid=None, scale=1.0) -> Pixels:
    """Of reflectance [band, row, column], or with dates before."""
    values = np.asarray(values, np.float32)
    values = values if values.ndim == 4 else values[None]
    valid = None if valid is None else np.broadcast_to(valid, values.shape)
    count = len(bands)
    return Pixels(
        (values / np.float32(scale)).astype(np.float32),
        valid,
        np.full(count, scale, np.float64),
        np.zeros(count),
        tuple(bands),
        Grid(None, Affine.identity(), *values.shape[2:]),
        np.full(len(values), -1, np.int32),
        10.0,
    )


def drawn(dates: int = 1, bands=FOUR, rows: int = 11, columns: int = 13, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.01, 0.5, (dates, len(bands), rows, columns)).astype(np.float32)


def some_valid(shape, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < 0.8


# -- what a baseline says of itself ------------------------------------------------------------------------------------


def test_baselines_by_the_kind_of_labels():
    assert names() == ["statistics", "convolutions", "handmade", "differencing", "nbr"]
    assert names("class") == names("classes") == names("mask") == ["statistics", "convolutions", "handmade"]
    assert names("change") == names()
    assert [find(name).method for name in names()] == [SAME_METHOD, SAME_METHOD, "trees", "threshold", "threshold"]
    with pytest.raises(OptionError, match=r"unknown baseline 'handmad'.*Did you mean handmade\?"):
        find("handmad")


def test_makers_fit_their_protocols():
    for name in names():
        baseline = find(name)
        assert ("class" in baseline.targets) == (baseline.images is not None)
        assert baseline.images is None or isinstance(baseline.images, ImageMaker)
        assert all(isinstance(each, PixelMaker) for each in baseline.pixels.values())
    assert all(isinstance(each, PlaceMaker) for each in PLACES)
    makers = [*IMAGES, *PLACES, *PAIRS]
    assert len({maker.identity for maker in makers}) == len(makers)


# -- numbers worked by hand --------------------------------------------------------------------------------------------


def test_statistics_by_hand():
    values = np.zeros((4, 1, 2), np.float32)
    values[0], values[1], values[2], values[3] = [[0.1, 0.3]], [[0.2, 0.2]], [[0.5, 0.1]], [[0.4, 0.9]]
    valid = np.ones((4, 1, 2), bool)
    valid[3, 0, 1] = False
    found = ImageStatistics().of([pixels(values, valid=valid)])
    assert found.shape == (1, 8)
    np.testing.assert_allclose(found[0], [0.2, 0.2, 0.3, 0.4, 0.1, 0, 0.2, 0], atol=1e-7)


def test_statistics_are_of_reflectance():
    values = drawn()
    stored = pixels(values, scale=1e-4)
    np.testing.assert_allclose(ImageStatistics().of([stored]), ImageStatistics().of([pixels(values)]), rtol=1e-5)


def test_surroundings_by_hand():
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    valid = np.ones_like(values, bool)
    valid[0, 1, 1] = False
    mean, deviation = around(values, valid, 3)
    corner = [0, 1, 4]  # without the invalid 5
    middle = [1, 2, 3, 6, 7, 9, 10, 11]
    for at, expected in (((0, 0), corner), ((1, 2), middle)):
        assert mean[0][at] == pytest.approx(np.mean(expected), abs=1e-6)
        assert deviation[0][at] == pytest.approx(np.std(expected), abs=1e-6)
    alone, _ = around(values, np.zeros_like(valid), 3)
    assert not alone.any()


@pytest.mark.parametrize("side", [3, 7, 15])
def test_surroundings_as_a_loop_finds_them(side):
    values, valid = drawn()[0], some_valid((4, 11, 13))
    mean, deviation = around(values, valid, side)
    for row, column in ((0, 0), (5, 6), (10, 12), (3, 11)):
        rows, columns = (slice(max(0, at - side // 2), at + side // 2 + 1) for at in (row, column))
        for band in range(4):
            inside = values[band, rows, columns][valid[band, rows, columns]].astype(float)
            assert mean[band, row, column] == pytest.approx(inside.mean(), abs=1e-6)
            assert deviation[band, row, column] == pytest.approx(inside.std(), abs=1e-6)


def test_indices_by_hand():
    values = np.full((4, 1, 1), 0.1, np.float32)
    values[1], values[2] = 0.05, 0.45  # red and NIR
    image = spectra_of(pixels(values))
    assert [band.name for band in image.bands] == ["B3", "B4", "B8A", "B12"]
    pairs = band_pairs(image)
    assert pairs == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    found = normalized_differences(image.values, pairs)[0, :, 0, 0]
    ndvi, nbr = found[pairs.index((1, 2))], -found[pairs.index((2, 3))]
    assert ndvi == pytest.approx((0.45 - 0.05) / (0.45 + 0.05))
    assert nbr == pytest.approx((0.45 - 0.1) / (0.45 + 0.1))


def test_a_missing_band_leaves_its_indices_out():
    with_nir = HandmadeImages().of([pixels(drawn())]).shape[1]
    three = tuple(band for band in FOUR if band.name != "B8A")
    assert HandmadeImages().of([pixels(drawn(bands=three), three)]).shape[1] < with_nir


def test_handmade_features_of_an_image_by_hand():
    rows = np.exp(np.arange(8, dtype=np.float32) / 10 - 3)[:, None]
    image = np.repeat(np.repeat(rows, 8, axis=1)[None], 4, axis=0)
    found = HandmadeImages().of([pixels(image)])[0]
    assert len(found) == 4 * (7 + 3 * 2) + 6 * 2
    logs = np.repeat(np.arange(8) / 10 - 3, 8)
    np.testing.assert_allclose(found[:7], np.percentile(logs, (1, 10, 25, 50, 75, 90, 99)), atol=1e-5)
    # rows differ by 0.1 per pixel, columns not at all: half of the differences are 0
    for at, step in ((7, 1), (9, 2), (11, 4)):
        expected = [math.log(0.1 * step / 2 + 1e-3), math.log(0.1 * step + 1e-3)]
        np.testing.assert_allclose(found[at : at + 2], expected, atol=1e-3)
    np.testing.assert_allclose(found[-12:], 0, atol=1e-6)  # equal bands


def test_sentinel_2_has_about_200_numbers():
    assert HandmadeImages().of([pixels(drawn(bands=SENTINEL2), SENTINEL2)]).shape == (1, 227)


def test_differencing_by_hand():
    before = np.zeros((4, 1, 5), np.float32)
    before[:] = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    after = before * 2 + 0.05  # another gain and offset: no change
    found, valid = Differencing().of(pixels(np.stack([before, after])))
    assert valid.all()
    np.testing.assert_allclose(found, 0, atol=1e-6)
    after[0, 0, 4] += 0.3  # one band of four; quartiles 0.45 and 0.85 stay
    found, _ = Differencing().of(pixels(np.stack([before, after])))
    np.testing.assert_allclose(found[0, :4], 0, atol=1e-6)
    assert found[0, 4, 0] == pytest.approx(0.3 / (0.4 / 1.349) / 2, abs=1e-5)


def test_nbr_difference_by_hand():
    before, after = np.full((4, 1, 2), 0.2), np.full((4, 1, 2), 0.2)
    before[2, 0, 0], after[2, 0, 0], after[3, 0, 0] = 0.4, 0.1, 0.3
    found, valid = NbrDifference().of(pixels(np.stack([before, after])))
    assert valid.all()
    np.testing.assert_allclose(found[0, :, 0], [(0.4 - 0.2) / 0.6 - (0.1 - 0.3) / 0.4, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"), [("s2-l2a", ("B8A", "B12")), ("landsat5-c2l2", ("B4", "B7")), ("hls-l30", ("B5", "B7"))]
)
def test_nbr_takes_nir_and_swir_by_wavelength(name, expected):
    bands = sensor(name).bands
    spectra = spectra_of(pixels(drawn(bands=bands), bands))
    assert tuple(spectra.bands[spectra.index_of(each)].name for each in ("NIR", "SWIR 2")) == expected


def test_b8_is_the_nir_without_b8a():
    bands = tuple(band for band in SENTINEL2 if band.name != "B8A")
    spectra = spectra_of(pixels(drawn(bands=bands), bands))
    assert spectra.bands[spectra.index_of("NIR")].name == "B8"


def test_random_convolutions_are_convolutions():
    image = pixels(drawn())
    filters = PixelConvolutions().filters
    found = filters.responses(spectra_of(image))
    weights, biases = filters._drawn(5, 4)
    values = np.arcsinh(image.values[0] / 0.02) - np.arcsinh(5)
    # the 5 x 5 around row 4, column 6; a convolution of networks does not flip its filters
    expected = (weights.numpy() * values[:, 2:7, 4:9]).sum(axis=(1, 2, 3)) + biases.numpy()
    np.testing.assert_allclose(found[0, filters.count :, 4, 6], np.maximum(expected, 0), atol=1e-5)
    pooled = ImageConvolutions(filters).of([image])[0]
    np.testing.assert_allclose(pooled[: 2 * filters.count], found[0].mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(pooled[2 * filters.count :], found[0].std(axis=(1, 2)), atol=1e-5)


def test_filters_depend_on_their_seed_alone():
    image = pixels(drawn())
    first = ImageConvolutions().of([image])
    torch.manual_seed(5)
    np.random.default_rng(5)
    np.testing.assert_array_equal(first, ImageConvolutions().of([image]))
    other = ImageConvolutions(replace(ImageConvolutions().filters, seed=1))
    assert other.identity != ImageConvolutions().identity
    assert not np.allclose(first, other.of([image]))


# -- properties --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("maker", IMAGES, ids=lambda maker: type(maker).__name__)
def test_the_order_of_bands_does_not_matter_to_images(maker):
    values, valid = drawn(2, SENTINEL2), some_valid((2, 13, 11, 13))
    order = np.random.default_rng(3).permutation(13)
    moved = pixels(values[:, order], [SENTINEL2[at] for at in order], valid[:, order])
    np.testing.assert_array_equal(maker.of([pixels(values, SENTINEL2, valid)]), maker.of([moved]))
    swapped = pixels(values[:, order], SENTINEL2, valid[:, order])
    assert not np.array_equal(maker.of([swapped]), maker.of([moved]))


@pytest.mark.parametrize("maker", [*PLACES, *PAIRS], ids=lambda maker: maker.identity[:20])
def test_the_order_of_bands_does_not_matter_to_pixels(maker):
    values, valid = drawn(2, SENTINEL2), some_valid((2, 13, 11, 13))
    order = np.random.default_rng(3).permutation(13)
    moved = pixels(values[:, order], [SENTINEL2[at] for at in order], valid[:, order])
    for one, other in zip(maker.of(pixels(values, SENTINEL2, valid)), maker.of(moved), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("junk", [-5.0, 1e30, math.nan, math.inf])
@pytest.mark.parametrize("maker", [*IMAGES, *PLACES, *PAIRS], ids=lambda maker: maker.identity[:20])
def test_what_lies_under_invalid_pixels_does_not_matter(maker, junk):
    values, valid = drawn(2), some_valid((2, 4, 11, 13))
    valid[:, :, 4:6, 3] = False
    valid[0, 2] = False  # a whole band
    clean, junked = (pixels(np.where(valid, values, under), valid=valid) for under in (0.3, junk))
    if maker in IMAGES:
        found, again = maker.of([clean]), maker.of([junked])
    else:
        (found, seen), (again, seen_again) = maker.of(clean), maker.of(junked)
        np.testing.assert_array_equal(seen, seen_again)
        assert not seen[..., 4, 3].any()
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("maker", IMAGES, ids=lambda maker: maker.name)
def test_an_image_does_not_depend_on_the_others(maker):
    images = [pixels(drawn(seed=seed)) for seed in range(3)]
    together = maker.of(images)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[1], maker.of(images[1:2])[0])


@pytest.mark.parametrize("maker", [*IMAGES, *PLACES, *PAIRS], ids=lambda maker: maker.identity[:20])
def test_an_image_without_a_valid_pixel_has_zeros_or_is_not_valid(maker):
    nothing = pixels(drawn(2), valid=np.zeros((2, 4, 11, 13), bool))
    if maker in IMAGES:
        assert np.isfinite(maker.of([nothing])).all()
    else:
        values, valid = maker.of(nothing)
        assert np.isfinite(values).all()
        assert not valid.any()


@pytest.mark.parametrize("maker", PLACES, ids=lambda maker: maker.name)
def test_a_pair_is_before_after_and_their_difference(maker):
    values = drawn(2)
    each, _ = maker.of(pixels(values))
    both, valid = AllDates(maker, "pair").of(pixels(values))
    assert valid.all()
    np.testing.assert_array_equal(both, np.concatenate([each[0], each[1], each[1] - each[0]], axis=-1))
    alone, _ = maker.of(pixels(values[1]))
    np.testing.assert_array_equal(each[1], alone[0])
    mean, _ = AllDates(maker).of(pixels(values))
    np.testing.assert_allclose(mean, each.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("maker", PAIRS, ids=lambda maker: maker.identity[:20])
def test_a_pair_has_two_dates(maker):
    with pytest.raises(ValueError, match="found 3 dates"):
        maker.of(pixels(drawn(3)))


def test_bands_that_measure_no_reflectance_are_left_out():
    thermal = Band("made", "T", 11_000, 600, 100)
    image = pixels(drawn(bands=(*FOUR, thermal)), (*FOUR, thermal))
    assert ImageStatistics().of([image]).shape == (1, 8)
    with pytest.raises(BandError, match="found no band between 400 and 2500 nm"):
        ImageStatistics().of([pixels(drawn(bands=[thermal]), [thermal])])
    with pytest.raises(BandError, match="found the bands B3, B4 for the NBR difference"):
        NbrDifference().of(pixels(drawn(2, FOUR[:2]), FOUR[:2]))


# -- the same network untrained ----------------------------------------------------------------------------------------


def tiny() -> SpectralGPT:
    statistics = tuple(BandStatistics(band, 1.5, 1.0) for band in FOUR)
    config = ModelConfig(Size(32, 2, 2, 32, 1, 2), BandSet.native(FOUR, 2), image=16)
    return SpectralGPT(config, Normalization("standard", statistics))


def test_the_same_network_untrained():
    model = tiny()
    state = torch.get_rng_state()
    first, again, other = (untrained(model, seed) for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    assert first.fingerprint() == again.fingerprint()
    assert len({model.fingerprint(), first.fingerprint(), other.fingerprint()}) == 3
    assert (type(first), first.config, first.normalization) == (type(model), model.config, model.normalization)
    assert not first.training


def test_a_model_with_a_head_keeps_its_head_and_classes():
    classes = [Class("one"), Class("two")]
    model = Classifier.from_encoder(tiny(), PooledConfig(classes=2), classes)
    new = untrained(model, 0)
    assert (type(new), new.head_config, new.classes) == (Classifier, model.head_config, model.classes)
    assert new.fingerprint() != model.fingerprint()


# -- pixels of a labelled set ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MadeMasks:
    """Three images; counts how often each is read."""

    reads: list[int]
    source: str = "made"
    target: str = "mask"
    classes: tuple[Class, ...] = (Class("one"), Class("two"))
    samples: tuple[LabelledSample, ...] = tuple(LabelledSample(str(number)) for number in range(3))
    notes: tuple[str, ...] = ()

    def read(self, index: int) -> LabelledImage:
        self.reads.append(index)
        mask = np.full((11, 13), IGNORED, np.int16)
        mask[index] = 1
        return LabelledImage(pixels(drawn(seed=index), valid=some_valid((1, 4, 11, 13), index)), mask)


@pytest.mark.parametrize("maker", PLACES, ids=lambda maker: maker.name)
def test_windows_are_cut_from_the_whole_image(maker):
    data = MadeMasks([])
    found = BaselinePixels(data, AllDates(maker))
    assert len(found) == 3
    assert found.shape(1) == (11, 13)
    whole, valid = AllDates(maker).of(data.read(1).image)
    window = Window(2, 3, 5, 4)
    np.testing.assert_array_equal(found.features(1, window), whole[2:7, 3:7])
    np.testing.assert_array_equal(found.valid(1, window), valid[2:7, 3:7])
    np.testing.assert_array_equal(found.truth(1), data.read(1).mask)


def test_an_image_is_read_once_while_its_windows_are_asked_for():
    data = MadeMasks([])
    found = BaselinePixels(data, AllDates(PixelStatistics()))
    for index in (0, 0, 1, 0, 1):
        found.features(index, Window(0, 0, 2, 2))
        found.truth(index)
    assert data.reads == [0, 1]
    found.shape(2)
    found.shape(0)
    assert data.reads == [0, 1, 2, 0]
