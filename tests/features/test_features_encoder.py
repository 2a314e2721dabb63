"""Features of a frozen model: of each image alone, whatever it is computed with; and probabilities of heads."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from made_sets import CONFIG, UNITS, made_image, pair, small_model, with_bands
from spectralgpt.errors import BandError, OptionError
from spectralgpt.features import (
    EncoderImages,
    EncoderPlaces,
    ImageMaker,
    ImageProbabilities,
    PixelProbabilities,
    PlaceMaker,
    encoder,
)
from spectralgpt.features.encoder import even_windows
from spectralgpt.nn import DenseConfig, PooledConfig
from spectralgpt.raster import Pixels, Window
from spectralgpt.scenes import tiled
from spectralgpt.tasks import ChangeConfig, Embeddings
from spectralgpt.weights import ChangeDetector, Classifier, Segmenter, SpectralGPT

SMALL = {"widths": (64, 64, 64, 64), "levels": (16, 32, 48), "channels": 32}
HOLE = slice(3, 30), slice(10, 33)


@pytest.fixture(scope="module")
def model() -> SpectralGPT:
    return small_model()


@pytest.fixture(scope="module")
def images() -> list[Pixels]:
    """Nine images of one shape, three of them with holes."""
    return [made_image(44, 40, seed, hole=HOLE if seed % 3 == 1 else None) for seed in range(9)]


def test_makers_are_what_the_protocols_ask_for(model):
    assert isinstance(EncoderImages(model), ImageMaker)
    assert isinstance(EncoderPlaces(model), PlaceMaker)
    assert EncoderImages(model).name == f"SpectralGPT {model.fingerprint()[:8]}"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("read_out", ["mean", "layers"])
def test_a_vector_depends_on_its_image_alone(model, images, precision, read_out):
    """To the last bit: whatever the batch, and whatever else is in it, also images with holes."""
    alone = np.concatenate([EncoderImages(model, False, precision, read_out, 1).of([image]) for image in images])
    for batch in (2, 7, 16):
        assert np.array_equal(EncoderImages(model, False, precision, read_out, batch).of(images), alone)
    assert np.array_equal(EncoderImages(model, False, precision, read_out).of(images[::-1]), alone[::-1])
    assert len(np.unique(alone, axis=0)) == 9


def test_the_vector_of_a_single_token_depends_on_its_image_alone(model):
    images = [made_image(8, 8, seed) for seed in range(5)]
    few = [with_bands(each, slice(1, 4)) for each in images]
    found = [EncoderImages(model, precision="fp32", batch=batch).of(few) for batch in (1, 2, 5)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_the_read_outs(model, images):
    cube = model.cube(images[1])
    with torch.inference_mode():
        embedded = model.embed(cube)[0].numpy()
        layers = model.image_statistics(cube, (0, 1, 2, 3))[0].numpy()
    auto, mean, by_layer = (EncoderImages(model, False, "fp32", name) for name in ("auto", "mean", "layers"))
    assert np.array_equal(auto.of(images[1:2])[0], embedded)
    assert np.allclose(mean.of(images[1:2])[0], embedded, atol=1e-6)
    assert np.array_equal(by_layer.of(images[1:2])[0], layers)
    assert len({each.identity for each in (auto, mean, by_layer)}) == 3


def test_layers_of_missing_groups_are_zero(model, images):
    few = with_bands(images[0], slice(1, 4))
    found = EncoderImages(model, read_out="layers", precision="fp32").of([few]).reshape(4, -1, 48)
    there = {group.native for group in model.cube(few).bands.groups}
    groups = len(CONFIG.bands.groups)
    assert found.shape == (4, 2 * groups, 48)
    zero = (found == 0).all(axis=(0, 2))
    assert 0 < zero.sum() == 2 * (groups - len(there))


def test_own_bands_have_statistics_of_their_own_groups(model, images):
    maker = EncoderImages(model, own=True, read_out="layers", precision="fp32")
    groups = len(model.cube(images[0], own=True).bands.groups)
    assert maker.of(images[:2]).shape == (2, 4 * groups * 2 * 48)
    assert maker.identity != EncoderImages(model, read_out="layers", precision="fp32").identity


def test_identity_names_all_that_numbers_depend_on(model, monkeypatch):
    other = small_model(1)
    kinds = [EncoderImages(model), EncoderImages(other), EncoderPlaces(model), EncoderPlaces(model, own=True)]
    kinds += [EncoderImages(model, precision="fp32"), EncoderImages(model, precision="bf16"), EncoderPlaces(other)]
    assert len({each.identity for each in kinds}) == len(kinds) - 1, "auto is one of the precisions"
    before = EncoderPlaces(model).identity
    monkeypatch.setattr(encoder, "RULES", 99)
    assert EncoderPlaces(model).identity != before


def test_large_images_are_means_over_even_windows(model):
    image = made_image(264, 100, hole=(slice(0, 90), slice(0, 100)))
    windows = even_windows(model, model.cube(image))
    assert [(rows.start, rows.stop, columns.stop) for rows, columns in windows] == [
        (0, 88, 104),
        (88, 176, 104),
        (176, 264, 104),
    ]
    places = [0, 11 * 13, 11 * 13]
    total = np.zeros(48)
    with torch.inference_mode():
        for (rows, _), weight in zip(windows, places, strict=True):
            part = model.cube(image.read(Window(rows.start, 0, rows.stop - rows.start, 100)))
            total += model.embed(part)[0].double().numpy() * weight
    found = EncoderImages(model, precision="fp32").of([image])[0]
    assert np.allclose(found, total / sum(places), atol=1e-6)
    several = [made_image(264, 100, seed) for seed in range(3)]
    each = [EncoderImages(model, precision="fp32").of([one])[0] for one in several]
    assert np.array_equal(EncoderImages(model, precision="fp32").of(several), each)


def test_nothing_valid_is_zero(model):
    for rows in (40, 264):
        nothing = made_image(rows, 40, hole=(slice(None), slice(None)))
        assert not EncoderImages(model).of([nothing]).any()


def test_places_are_those_of_each_date_alone(model):
    before, after = made_image(60, 150, 0), made_image(60, 150, 1, hole=(slice(0, 20), slice(0, 40)))
    maker = EncoderPlaces(model, precision="fp32")
    values, valid = maker.of(pair(before, after))
    assert values.shape == (2, 8, 19, 48)
    assert valid[0].all()
    assert np.array_equal(np.argwhere(~valid[1]), [[row, column] for row in range(2) for column in range(5)])
    for date, image in enumerate((before, replace(after, days=after.days + 30))):
        expected, known = tiled(image, model, Embeddings.of(model), precision="fp32")
        assert np.array_equal(values[date], expected.transpose(1, 2, 0))
        assert np.array_equal(valid[date], known[0])
    assert not values[1][~valid[1]].any()


def test_bands_that_the_model_does_not_know_are_refused(model, images):
    unknown = tuple(replace(band, wavelength=3000.0 + index) for index, band in enumerate(images[0].bands))
    for maker in (EncoderImages(model).of, lambda several: EncoderPlaces(model).of(several[0])):
        with pytest.raises(BandError, match="none of which"):
            maker([replace(images[0], bands=unknown)])


# -- probabilities of heads --------------------------------------------------------------------------------------------


def test_probabilities_of_images(images):
    torch.manual_seed(0)
    model = Classifier(CONFIG, PooledConfig(5), UNITS).eval()
    maker = ImageProbabilities(model, precision="fp32")
    found = maker.of(images)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    with torch.inference_mode():
        assert np.array_equal(found[2], model.predict(model.cube(images[2])).probabilities[0].numpy())
    assert np.array_equal(ImageProbabilities(model, precision="fp32", batch=1).of(images), found)
    nothing = made_image(44, 40, hole=(slice(None), slice(None)))
    assert np.isnan(maker.of([nothing])).all()
    large = made_image(264, 40, hole=(slice(0, 88), slice(None)))
    assert np.allclose(maker.of([large]).sum(axis=1), 1, atol=1e-6), "a window without a valid pixel counts nothing"


def test_probabilities_of_pixels():
    torch.manual_seed(0)
    image = made_image(60, 150, hole=HOLE)
    model = Segmenter(CONFIG, DenseConfig(3, **SMALL), UNITS).eval()
    found, valid = PixelProbabilities(model, precision="fp32").of(image)
    assert found.shape == (60, 150, 3)
    assert np.array_equal(valid, image.valid[0].any(axis=0))
    assert np.allclose(found[valid].sum(axis=1), 1, atol=1e-6)
    assert not found[~valid].any()
    small = made_image(60, 50)
    with torch.inference_mode():
        expected = model.predict(model.cube(small)).probabilities[0].numpy().transpose(1, 2, 0)
    assert np.allclose(PixelProbabilities(model, precision="fp32").of(small)[0], expected, atol=1e-5)


def test_probabilities_of_change():
    torch.manual_seed(0)
    model = ChangeDetector(CONFIG, ChangeConfig(**SMALL), UNITS).eval()
    both = pair(made_image(44, 40, 0), made_image(44, 40, 1, hole=HOLE))
    found, valid = PixelProbabilities(model, precision="fp32").of(both)
    assert found.shape == (44, 40, 2)
    assert np.array_equal(valid, both.valid.any(axis=1).all(axis=0))
    with pytest.raises(OptionError, match="1 dates"):
        PixelProbabilities(model).of(made_image(44, 40))
