"""Read-outs: equal to closed forms and to scikit-learn, saved to the bit, and the same for weights and repeats."""

import dataclasses
import time
from itertools import pairwise

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.neighbors import KNeighborsClassifier

from made_features import classes_apart, repeated, several_classes
from spectralgpt.errors import OptionError
from spectralgpt.evaluation import Fitted, Method, Targets, methods
from spectralgpt.evaluation.methods import knn, logistic, ridge, trees
from spectralgpt.evaluation.standardization import Standardization

GENERAL = ["knn", "logistic", "ridge", "trees"]


def standardized(features: np.ndarray, weight: np.ndarray) -> np.ndarray:
    mean = np.average(features.astype(np.float64), axis=0, weights=weight)
    deviation = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weight))
    return (features - mean) / np.where(deviation > 0, deviation, 1)


def weighted(targets: Targets, seed: int = 3) -> Targets:
    return dataclasses.replace(targets, weight=np.random.default_rng(seed).integers(1, 5, len(targets)).astype(float))


def fits(name: str, features: np.ndarray, targets: Targets) -> list:
    method = methods.find(name)
    return list(method.fits(features, targets, method.settings, 0))


def test_methods_are_the_files_of_the_folder():
    assert methods.names() == ["knn", "logistic", "ridge", "threshold", "trees"]
    with pytest.raises(OptionError, match="Did you mean ridge"):
        methods.find("rigde")


@pytest.mark.parametrize("name", methods.names())
def test_a_method_says_what_it_is(name):
    method = methods.find(name)
    assert isinstance(method, Method)
    assert method.name == name
    assert method.usual in method.settings


@pytest.mark.parametrize(
    "made", [classes_apart(40, 60, 4, 0.4), classes_apart(90, 12, 3, 0.4), several_classes(70, 9, 4)]
)
@pytest.mark.parametrize("name", GENERAL)
def test_a_saved_read_out_answers_the_same_to_the_bit(name, made):
    features, targets = made
    method = methods.find(name)
    found = fits(name, features, weighted(targets))
    for one, together in zip(found, method.all_probabilities(found, features), strict=True):
        assert isinstance(one, Fitted)
        again = method.restored({key: value.copy() for key, value in one.arrays().items()})
        answer = one.probabilities(features)
        assert np.array_equal(answer, again.probabilities(features))
        np.testing.assert_allclose(answer, together, atol=1e-6)
        assert answer.min() >= 0
        assert answer.max() <= 1
        if not targets.several:
            np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", GENERAL)
def test_a_fit_depends_on_the_seed_alone(name):
    features, targets = classes_apart(60, 20, 3, 0.3)
    one, other = ([each.arrays() for each in fits(name, features, targets)] for _ in range(2))
    for left, right in zip(one, other, strict=True):
        assert all(np.array_equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize("name", ["logistic", "ridge"])
@pytest.mark.parametrize("several", [False, True])
def test_a_weight_is_a_repeat(name, several):
    features, targets = several_classes(80, 10, 3) if several else classes_apart(80, 10, 3, 0.3)
    targets = weighted(targets)
    by_weight = fits(name, features, targets)
    by_repeat = fits(name, *repeated(features, targets, targets.weight.astype(int)))
    scaled = fits(name, features, dataclasses.replace(targets, weight=targets.weight * 350))
    for one, other, same in zip(by_weight, by_repeat, scaled, strict=True):
        answer = one.probabilities(features)
        np.testing.assert_allclose(answer, same.probabilities(features), atol=2e-3)
        if name == "logistic":
            np.testing.assert_allclose(answer, other.probabilities(features), atol=2e-3)
        elif not several:  # the temperature leaves a weight out at once, but repeats one by one
            scores = [np.log(each.probabilities(features)) for each in (one, other)]
            scores = [each - each.mean(axis=1, keepdims=True) for each in scores]
            np.testing.assert_allclose(*(each / np.abs(each).max() for each in scores), atol=1e-3)
    unweighted = fits(name, features, dataclasses.replace(targets, weight=np.ones(len(targets))))
    assert np.abs(unweighted[3].probabilities(features) - by_weight[3].probabilities(features)).max() > 0.01


@pytest.mark.parametrize(("samples", "values"), [(30, 80), (80, 30), (40, 40)])
def test_ridge_is_the_closed_form_and_scikit_learn_for_each_strength(samples, values):
    features, targets = classes_apart(samples, values, 3, 0.3)
    features[:, 5] = 7.3  # constant
    targets = weighted(targets)
    weight, signs = targets.weight, np.where(targets.truth, 1.0, -1.0)
    rows = standardized(features, weight)
    rows[:, 5] = 0
    own = Standardization.of(features, weight).of_features(features)
    np.testing.assert_allclose(own, rows, atol=1e-5)
    found = ridge.Decomposition.of(own, weight)
    centre = weight @ signs / weight.sum()
    projected = found.left.T @ (np.sqrt(weight)[:, None] * (signs - centre))
    scale = (weight @ own**2).sum() / min(samples, values - 1)
    for strength in ridge.STRENGTHS[:-2]:  # below, the closed form itself is not exact
        b = found.coefficients(projected, strength)
        normal = own.T @ (weight[:, None] * own) + strength * scale * np.eye(values)
        closed = np.linalg.solve(normal, own.T @ (weight[:, None] * (signs - centre)))
        np.testing.assert_allclose(b, closed, atol=1e-5 * np.abs(closed).max())
        theirs = SklearnRidge(alpha=strength * scale, solver="svd").fit(own, signs, sample_weight=weight)
        np.testing.assert_allclose(b, theirs.coef_.T, atol=1e-5 * np.abs(b).max())


def test_ridge_scores_that_leave_a_sample_out_are_those_of_a_fit_without_it():
    features, targets = classes_apart(30, 50, 2, 0.4)
    rows = Standardization.of(features, targets.weight).of_features(features)
    signs = np.where(targets.truth[:, 1], 1.0, -1.0)
    penalty = 0.1 * ridge.Decomposition.of(rows, targets.weight).scale
    seen = []
    real = ridge.temperature
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ridge, "temperature", lambda scores, *rest: seen.append(scores) or real(scores, *rest))
        ridge.METHOD.fits(features, targets, [{"strength": 0.1}], 0)
    for left_out in range(0, 30, 7):
        others = np.delete(np.arange(30), left_out)
        model = SklearnRidge(alpha=penalty).fit(rows[others], signs[others])
        assert model.predict(rows[[left_out]])[0] == pytest.approx(seen[0][left_out, 1], abs=1e-8)


def test_the_temperature_minimizes_the_log_loss():
    random = np.random.default_rng(0)
    truth = np.eye(3, dtype=bool)[random.integers(0, 3, 400)]
    scores = 0.7 * truth + random.normal(size=(400, 3))
    weight = random.uniform(0.5, 2, 400)

    def loss(heat: float) -> float:
        likely = np.exp(heat * scores) / np.exp(heat * scores).sum(axis=1, keepdims=True)
        return float(-weight @ np.log(likely[truth]))

    best = ridge.temperature(scores, truth, weight, False)
    assert loss(best) < min(loss(best * 1.05), loss(best / 1.05))
    assert ridge.temperature(truth * 2.0 - 1, truth, weight, False) > 5  # nothing bounds it


@pytest.mark.parametrize("several", [False, True])
def test_knn_is_scikit_learns_on_directions(several):
    features, targets = several_classes(90, 15, 3) if several else classes_apart(90, 15, 3, 0.2)
    fit, rest = np.arange(60), np.arange(60, 90)
    mean, deviation = features[fit].mean(axis=0), features[fit].std(axis=0)
    directions = (features - mean) / deviation
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for one in knn.METHOD.fits(features[fit], targets.take(fit), knn.METHOD.settings, 0):
        # on a sphere, the nearest by distance are the nearest by cosine
        theirs = KNeighborsClassifier(int(one.neighbours), algorithm="brute")
        labels = targets.truth[fit].astype(int) if several else targets.truth[fit].argmax(axis=1)
        answer = theirs.fit(directions[fit], labels).predict_proba(directions[rest])
        if several:
            answer = np.stack([each[:, 1] for each in answer], axis=1)
        np.testing.assert_allclose(one.probabilities(features[rest]), answer, atol=1e-6)


def test_knn_answers_the_same_in_chunks_and_with_few_samples(monkeypatch):
    features, targets = classes_apart(50, 8, 2, 0.3)
    (one,) = knn.METHOD.fits(features, targets, [{"neighbours": 5}], 0)
    whole = one.probabilities(features)
    monkeypatch.setattr(knn, "SIMILARITIES", 50 * 7)
    assert np.array_equal(one.probabilities(features), whole)
    few = np.arange(3)
    (three,) = knn.METHOD.fits(features[few], targets.take(few), [{"neighbours": 20}], 0)
    np.testing.assert_allclose(three.probabilities(features[:4]), np.tile([2 / 3, 1 / 3], (4, 1)), atol=1e-6)
    assert three.probabilities(features[:0]).shape == (0, 2)


def test_knn_of_many_samples_looks_at_every_second_third_and_so_on(monkeypatch):
    features, targets = classes_apart(50, 8, 2, 0.3)
    (whole,) = knn.METHOD.fits(features, targets, [{"neighbours": 3}], 0)
    monkeypatch.setattr(knn, "EXAMPLES", 20)
    (one,) = knn.METHOD.fits(features, targets, [{"neighbours": 3}], 0)
    assert np.array_equal(one.directions, whole.directions[::3])
    assert np.array_equal(one.truth, targets.truth[::3])
    assert np.array_equal(one.standardization.mean, whole.standardization.mean)


def test_knn_weighs_votes():
    features = np.array([[0.0, 1], [0, 1.1], [1, 0], [1.1, 0]], np.float32)
    targets = Targets(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], bool), False, np.array([3.0, 1, 1, 1]))
    (one,) = knn.METHOD.fits(features, targets, [{"neighbours": 2}], 0)
    np.testing.assert_allclose(one.probabilities(features[:1]), [[0.75, 0.25]])


@pytest.mark.parametrize(("samples", "values", "classes"), [(60, 12, 3), (30, 70, 3), (60, 12, 2), (40, 90, 2)])
def test_logistic_regression_is_scikit_learns(samples, values, classes):
    features, targets = classes_apart(samples, values, classes, 0.3)
    weight = np.ones(samples)
    rows = standardized(features, weight)
    scale = (rows**2).sum() / samples / min(samples, values)
    for settings, one in zip(logistic.METHOD.settings[1:4], fits("logistic", features, targets)[1:4], strict=True):
        theirs = LogisticRegression(C=1 / (settings["strength"] * scale * samples), tol=1e-8, max_iter=10_000)
        answer = theirs.fit(rows, targets.truth.argmax(axis=1)).predict_proba(rows)
        np.testing.assert_allclose(one.probabilities(features), answer, atol=5e-3)


@pytest.mark.parametrize("name", GENERAL)
def test_a_class_without_samples_is_never_answered(name):
    features, targets = classes_apart(40, 60, 2, 0.4)
    wide = dataclasses.replace(targets, truth=np.insert(targets.truth, 1, False, axis=1))
    for one in fits(name, features, wide):
        assert not (one.probabilities(features).argmax(axis=1) == 1).any()
    features, several = several_classes(60, 10, 3)
    several.truth[:, 0], several.truth[:, 2] = True, False
    for one in fits(name, features, several):
        answer = one.probabilities(features)
        assert (answer[:, 0] > 0.5).all()
        assert (answer[:, 2] < 0.5).all()


def test_fewer_trees_are_grown_on_many_samples(monkeypatch):
    features, targets = classes_apart(30, 5, 2, 0.3)
    assert len(fits("trees", features, targets)[0].roots) == 300
    monkeypatch.setattr(trees, "MANY", 29)
    assert len(fits("trees", features, targets)[0].roots) == 100


def test_trees_answer_as_scikit_learn_does():
    features, targets = classes_apart(120, 12, 3, 0.3)
    (one,) = fits("trees", features, targets)
    theirs = ExtraTreesClassifier(300, random_state=0).fit(features, targets.truth.argmax(axis=1))
    np.testing.assert_allclose(one.probabilities(features), theirs.predict_proba(features), atol=1e-6)
    other = classes_apart(60, 12, 3, 0.3, seed=9)[0]
    np.testing.assert_allclose(one.probabilities(other), theirs.predict_proba(other), atol=1e-6)


def test_a_threshold_on_the_probability_is_one_on_the_value():
    random = np.random.default_rng(0)
    value = np.sort(random.lognormal(sigma=2, size=500)).astype(np.float32)
    targets = Targets.of_indices((value > 3).astype(int), 2)
    up, down = fits("threshold", value[:, None], targets)
    answer = up.probabilities(value[:, None])[:, 1]
    assert (np.diff(answer) > 0).all()
    assert (np.diff(down.probabilities(value[:, None])[:, 1]) < 0).all()
    for at in (3, 250, 480):
        assert up.value_at(float(answer[at])) == pytest.approx(value[at], rel=1e-3)
    assert np.array_equal(methods.find("threshold").restored(up.arrays()).probabilities(value[:, None])[:, 1], answer)
    with pytest.raises(OptionError, match="2 values per sample"):
        fits("threshold", np.ones((4, 2), np.float32), targets.take(np.arange(4)))


def test_pixels_are_fitted_in_seconds():
    features, targets = classes_apart(20_000, 230, 5, 0.1)
    for name, most in (("ridge", 4), ("logistic", 15)):  # 0.7 s and 1.5 s alone, on one thread
        start = time.process_time()
        fits(name, features, targets)
        assert time.process_time() - start < most


def test_constant_values_count_nothing():
    features, targets = classes_apart(40, 6, 2, 0.4)
    # what rounding leaves of a constant in float32
    constant = np.concatenate([features, np.full((40, 1), 0.1), np.full((40, 1), 1e6)], axis=1).astype(np.float32)
    constant[3, 7] = np.nextafter(np.float32(1e6), np.float32(2e6))
    for name in ("knn", "logistic", "ridge"):
        for one, other in pairwise([fits(name, each, targets) for each in (features, constant)]):
            for left, right in zip(one, other, strict=True):
                wild = np.concatenate([features, np.full((40, 2), 1e9)], axis=1).astype(np.float32)
                np.testing.assert_allclose(left.probabilities(features), right.probabilities(wild), atol=2e-3)
