"""Features of two parts: how many values a part has does not matter, and how much it counts is chosen."""

import numpy as np
import pytest

from spectralgpt.evaluation import Method, Targets, aim_of, choose, methods
from spectralgpt.evaluation.parted import SHARES, Parted
from spectralgpt.evaluation.standardization import Standardization, part_factors

STANDARDIZING = ["knn", "logistic", "ridge"]


def made(samples: int = 60, noise: int = 400, seed: int = 0) -> tuple[np.ndarray, Targets]:
    """Four values that tell three classes apart, behind many that tell nothing."""
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % 3
    telling = rng.normal(size=(samples, 4)) + 2.5 * np.eye(3, 4)[labels]
    features = np.concatenate([rng.normal(size=(samples, noise)), telling], axis=1).astype(np.float32)
    return features, Targets.of_indices(labels, 3)


def test_factors_by_hand():
    varies = np.array([True, True, True, False, True, True])
    found = part_factors(varies, ((4, 0.5), (2, 0.5)))
    # three and two of five values vary: 3 a^2 = 2 b^2 = 5 / 2
    np.testing.assert_allclose(found**2, [5 / 6] * 4 + [5 / 4] * 2)
    np.testing.assert_allclose(part_factors(varies, ((4, 0.2), (2, 0.8)))[[0, 5]] ** 2, [1 / 3, 2])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("noise", [1, 30, 2000])
def test_a_part_counts_as_its_share_whatever_its_length(noise, share):
    features, targets = made(noise=noise)
    features[:, 0] = 3.0 if noise > 1 else features[:, 0]  # constant
    found = Standardization.of(features, targets.weight, ((noise, 1 - share), (4, share))).of_features(features)
    squares = np.square(found).mean(axis=0)
    assert squares[noise:].sum() / squares.sum() == pytest.approx(share)
    plain = Standardization.of(features, targets.weight).of_features(features)
    assert squares.sum() == pytest.approx(np.square(plain).mean(axis=0).sum())


def test_which_methods_have_parts():
    for name in STANDARDIZING:
        found = methods.find(name, (400, 4))
        assert isinstance(found, Parted)
        assert isinstance(found, Method)
        plain = methods.find(name)
        assert (found.name, found.title) == (plain.name, plain.title)
        assert len(found.settings) == len(SHARES) * len(plain.settings)
        assert found.usual in found.settings
        assert methods.find(name, (404,)) is plain
    assert methods.find("trees", (400, 4)) is methods.find("trees")


@pytest.mark.parametrize("name", STANDARDIZING)
@pytest.mark.parametrize("share", SHARES)
def test_each_setting_is_that_of_the_method_with_these_shares(name, share):
    features, targets = made()
    method, plain = methods.find(name, (400, 4)), methods.find(name)
    asked = [{**plain.settings[1], "share": share}, method.usual, {**plain.settings[0], "share": share}]
    fitted = method.fits(features, targets, asked, 0)
    together = method.all_probabilities(fitted, features)
    parts = ((400, 1 - share), (4, share))
    factor = part_factors(np.ones(404, bool), parts)
    np.testing.assert_allclose(
        fitted[0].standardization.factor / Standardization.of(features, targets.weight).factor, factor
    )
    for one, answer in zip(fitted, together, strict=True):
        np.testing.assert_allclose(one.probabilities(features), answer, atol=1e-6)
        again = method.restored({key: value.copy() for key, value in one.arrays().items()})
        assert np.array_equal(one.probabilities(features), again.probabilities(features))
        # the share is in what is saved: a probe's file needs no more than the method's name
        assert np.array_equal(plain.restored(one.arrays()).probabilities(features), one.probabilities(features))


@pytest.mark.parametrize("name", STANDARDIZING)
def test_many_values_that_tell_nothing_do_not_drown_a_few_that_tell_all(name):
    features, targets = made(120)
    fit, judge = np.arange(90), np.arange(90, 120)
    inner = [(fit[fit // 30 != fold], fit[fit // 30 == fold]) for fold in range(3)]
    scores = []
    for method in (methods.find(name), methods.find(name, (400, 4))):
        chosen = choose(method, features, targets, inner, aim_of("class", 3), 0)
        answered = chosen.fitted.probabilities(features[judge]).argmax(axis=1)
        scores.append((answered == targets.truth[judge].argmax(axis=1)).mean())
    assert chosen.settings["share"] >= 0.5
    assert scores[1] > scores[0] + 0.1
    assert scores[1] > 0.75
