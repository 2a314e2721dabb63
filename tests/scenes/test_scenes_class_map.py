"""Layers of a map of classes: from probabilities to what is stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.scenes.class_answers import AnsweredClasses
from spectralgpt.scenes.class_layers import ClassAreas, ClassLayers, entropy_share, percentages
from spectralgpt.tasks import Class


def classes(count: int) -> tuple[Class, ...]:
    return tuple(Class(f"c{index}") for index in range(count))


def drawn(seed: int, count: int, several: bool = False) -> np.ndarray:
    """Probabilities of some pixels; some are certain."""
    rng = np.random.default_rng(seed)
    if several:
        return rng.random((count, 5, 7))
    likely = rng.dirichlet(np.full(count, rng.choice([0.05, 1.0, 50.0])), (5, 7)).transpose(2, 0, 1)
    likely[:, 0, 0] = np.arange(count) == count - 1
    return likely


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60))
def test_percentages_sum_to_100(seed, count):
    likely = drawn(seed, count)
    percent = percentages(likely, exact=True)
    assert (percent.sum(axis=0) == 100).all()
    assert np.abs(percent - 100 * likely).max() < 1
    assert (percent >= 0).all()


def test_percentages_by_hand():
    """The largest remainders are rounded up: 33.3 twice, 33.4; and 0.5, 49.6, 49.9."""
    likely = np.array([[[0.333, 0.005]], [[0.333, 0.496]], [[0.334, 0.499]]])
    assert percentages(likely, exact=True)[:, 0].T.tolist() == [[33, 33, 34], [0, 50, 50]]
    assert percentages(np.array([[[0.996]], [[0.003]]]), exact=False).ravel().tolist() == [100, 0]


def test_entropy_by_hand():
    """1 where all are equally likely; of 1/2, 1/4, 1/4: 1.5 of log2(3) = 1.585 bits; 0 where one is certain."""
    likely = np.array([[[1 / 3, 0.5, 1.0]], [[1 / 3, 0.25, 0.0]], [[1 / 3, 0.25, 0.0]]])
    np.testing.assert_allclose(entropy_share(likely, several=False)[0], [1, 1.5 / np.log2(3), 0], atol=1e-12)
    two = np.array([[[0.5, 1.0, 0.25]], [[0.5, 0.0, 1.0]]])
    np.testing.assert_allclose(entropy_share(two, several=True)[0], [1, 0, 0.811278 / 2], atol=1e-6)
    assert entropy_share(np.ones((1, 1, 1)), several=False).tolist() == [[0]]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("count", [2, 3, 300])
def test_what_is_stored(count, several):
    likely = drawn(count, count, several)
    known = np.random.default_rng(1).random((5, 7)) > 0.3
    plain = ClassLayers(AnsweredClasses(classes(count), several))
    full = ClassLayers(plain.classes, probabilities=True, entropy=True)
    assert full.bands == plain.bands + count + 1
    stored = full.stored(likely, known)
    assert stored.dtype == plain.dtype == (np.uint16 if count > 255 else np.uint8)
    np.testing.assert_array_equal(stored[: plain.bands], plain.stored(likely, known))
    assert (stored[: plain.bands, ~known] == plain.nodata).all()
    of_each = full.of_each(stored)
    assert not of_each[:, ~known].any()
    np.testing.assert_array_equal(of_each[:, known], full.classes.answered(likely)[:, known])
    np.testing.assert_array_equal(stored[full.likeliest_band][known], likely.argmax(axis=0)[known])
    assert full.percent(stored).shape == (count, 5, 7)
    assert (full.percent(stored)[:, ~known] == 255).all()
    assert full.uncertainty(stored).shape == (1, 5, 7)
    assert full.uncertainty(stored)[0, known].max() <= 100


def test_thresholds():
    """From the threshold on; of two classes that of the second; of labels one each, and 1/2 without any."""
    likely = np.array([[[0.6, 0.2, 0.5]], [[0.4, 0.8, 0.5]]])
    found = {
        (): [[1, 0, 1], [0, 1, 0]],
        (0.4,): [[0, 0, 0], [1, 1, 1]],
        (0.5,): [[1, 0, 0], [0, 1, 1]],
    }
    for thresholds, wanted in found.items():
        answered = AnsweredClasses(classes(2), thresholds=thresholds).answered(likely)
        assert answered[:, 0].astype(int).tolist() == wanted
    labels = AnsweredClasses(classes(2), several=True, thresholds=(0.55, 0.9)).answered(likely)
    assert labels[:, 0].tolist() == [[True, False, False], [False, False, False]]
    assert AnsweredClasses(classes(2), several=True).answered(likely)[:, 0].tolist() == [
        [True, False, True],
        [False, True, True],
    ]


def test_sums_of_parts_are_the_sum_of_all():
    rng = np.random.default_rng(0)
    layers = ClassLayers(AnsweredClasses(classes(4)))
    known = rng.random((12, 9)) > 0.2
    stored = layers.stored(drawn(3, 4).repeat(3, 1)[:, :12].repeat(2, 2)[..., :9], known)
    areas = np.linspace(90, 110, 12)
    whole = ClassAreas.of(layers.of_each(stored), known, areas)
    parts = [
        ClassAreas.of(layers.of_each(stored[:, rows]), known[rows], areas[rows]) for rows in (np.s_[:5], np.s_[5:])
    ]
    total = parts[0] + parts[1]
    assert total.pixels.tolist() == whole.pixels.tolist()
    assert (total.valid, total.total) == (known.sum(), 12 * 9)
    np.testing.assert_allclose(total.area, whole.area)
    assert whole.pixels.sum() == whole.valid
    assert whole.area.sum() == pytest.approx(whole.valid_area) == pytest.approx(float(known.sum(axis=1) @ areas))
