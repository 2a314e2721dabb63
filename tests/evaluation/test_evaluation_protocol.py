"""Fit, choose, report once; each leak is noticed by the check that forbids it."""

import inspect
import time
import types

import numpy as np
import pytest

import spectralgpt.evaluation.choice as choice_module
import spectralgpt.evaluation.protocol as protocol_module
import spectralgpt.evaluation.rounds as rounds_module
from made_features import classes_apart, several_classes
from spectralgpt.errors import DataError
from spectralgpt.evaluation import AUTO, Places, Protocol, Targets, aim_of, given_parts, methods, run_protocol
from spectralgpt.evaluation.rounds import rounds_of

AIM = aim_of("class", 3)
NAMES = [f"image{number}" for number in range(60)]


def alone(count: int) -> Places:
    return Places(np.arange(count), "positions")


def chosen_arrays(features: np.ndarray, targets: Targets, name: str) -> list[np.ndarray]:
    """Everything that is fitted and chosen in one round, which reports the first 15 of 60 samples."""
    protocol = Protocol(np.arange(15), AIM, NAMES)
    rest = np.arange(15, 60)
    inner = [(rest[rest % 2 == 0], rest[rest % 2 == 1]), (rest[rest % 2 == 1], rest[rest % 2 == 0])]
    found = protocol.choose(methods.find(name), features, targets, inner, rest)
    return [*found.fitted.arrays().values(), np.array([each.score for each in found.tried])]


def check_that_nothing_of_the_test_part_is_used(name: str) -> None:
    features, targets = classes_apart(60, 12, 3, 0.3)
    wild, other = features.copy(), targets.truth.copy()
    wild[:15] = 1e6 * np.random.default_rng(0).normal(size=(15, 12))
    other[:15] = np.roll(other[:15], 1, axis=1)
    changed = Targets(other, False, targets.weight)
    before, after = chosen_arrays(features, targets, name), chosen_arrays(wild, changed, name)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["knn", "logistic", "ridge", "trees"])
def test_nothing_of_the_test_part_reaches_a_fit_or_a_choice(name):
    check_that_nothing_of_the_test_part_is_used(name)


def test_standardizing_by_all_samples_would_be_noticed(monkeypatch):
    def leaky(method, features, *rest, **named):
        exact = (features - features.mean(axis=0)) / features.std(axis=0)
        return choice_module.choose(method, exact.astype(np.float32), *rest, **named)

    monkeypatch.setattr(protocol_module, "choose", leaky)
    with pytest.raises(AssertionError):
        check_that_nothing_of_the_test_part_is_used("ridge")


def test_a_final_fit_on_all_samples_would_be_noticed(monkeypatch):
    line = "everything = np.unique(np.concatenate([fit for fit, _ in inner]))"
    source = inspect.getsource(choice_module)
    assert source.count(line) == 1
    broken = types.ModuleType("broken")
    monkeypatch.setitem(__import__("sys").modules, "broken", broken)
    exec(source.replace(line, "everything = np.arange(len(features))"), broken.__dict__)
    broken.Chosen, broken.Tried = choice_module.Chosen, choice_module.Tried  # which annotations name
    monkeypatch.setattr(protocol_module, "choose", broken.choose)
    with pytest.raises(AssertionError):
        check_that_nothing_of_the_test_part_is_used("ridge")


def test_a_sample_that_is_reported_cannot_choose_or_fit():
    features, targets = classes_apart(60, 12, 3, 0.3)
    protocol = Protocol(np.arange(15), AIM, NAMES)
    rest = np.arange(15, 60)
    with pytest.raises(DataError, match="2 samples both to choose by and to report: image3, image4"):
        protocol.choose(methods.find("ridge"), features, targets, [(rest, np.array([3, 4]))], rest)
    with pytest.raises(DataError, match="1 sample both"):
        protocol.choose(methods.find("ridge"), features, targets, [], np.arange(14, 60))


def test_a_copy_of_a_reported_sample_cannot_choose_or_fit():
    features, targets = classes_apart(60, 12, 3, 0.3)
    contents = [str(number) for number in range(60)]
    contents[40], contents[50] = "7", ""
    contents[9] = ""  # unknown: a copy of nothing
    protocol = Protocol(np.arange(15), AIM, NAMES, contents)
    with pytest.raises(DataError, match="1 image to choose by with the same pixels as one to report: image40 = image7"):
        protocol.choose(methods.find("ridge"), features, targets, [], np.arange(15, 60))


def test_reported_once():
    features, targets = classes_apart(60, 12, 3, 0.3)
    protocol = Protocol(np.arange(15), AIM, NAMES)
    with pytest.raises(RuntimeError, match="nothing was chosen"):
        protocol.report()
    protocol.choose(methods.find("ridge"), features, targets, [], np.arange(15, 60))
    assert list(protocol.report()) == ["ridge"]
    with pytest.raises(RuntimeError, match="a second report"):
        protocol.report()
    with pytest.raises(RuntimeError, match="chosen after the report"):
        protocol.choose(methods.find("knn"), features, targets, [], np.arange(15, 60))


def noise_accuracy(seed: int) -> tuple[float, float]:
    """Accuracy on labels that have nothing to do with the features: of the protocol, and of the best of 15 settings by
    the reported samples themselves, as where the best epoch is the reported number (MATH.md 10, 31)."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(60, 20)).astype(np.float32)
    targets = Targets.of_indices(random.permutation(np.arange(60) % 2), 2)
    found = run_protocol(
        features, targets, alone(60), [methods.find("knn"), methods.find("ridge")], "class", auto=True, repeats=1
    )
    honest = (found[AUTO].answered[0] & targets.truth).any(axis=1).mean()
    best = []
    for each in rounds_of(alone(60), targets.truth, repeats=1).rounds:
        scores = [
            (one.probabilities(features[each.test]).argmax(axis=1) == targets.truth[each.test].argmax(axis=1)).mean()
            for method in (methods.find("knn"), methods.find("ridge"))
            for one in method.fits(features[each.train], targets.take(each.train), method.settings, 0)
        ]
        best.append(max(scores))
    return float(honest), float(np.mean(best))


def test_noise_is_not_learned_by_choosing_on_what_is_reported():
    honest, chosen_on_test = np.mean([noise_accuracy(seed) for seed in range(8)], axis=0)
    assert honest < 0.56
    assert chosen_on_test > honest + 0.08


def test_copies_are_reported_once_and_share_a_fold(monkeypatch):
    """MATH.md 10, 33: samples that pad a batch count as often as they were copied."""
    features, targets = classes_apart(40, 400, 2, 0.0)
    twice = np.append(np.arange(40), np.arange(40))
    features, targets = features[twice], targets.take(twice)
    contents = [str(number) for number in twice]

    def accuracy(contents: list[str]) -> float:
        found = run_protocol(features, targets, alone(80), [methods.find("knn")], "class", contents=contents, repeats=2)
        answered = found["knn"].answered
        assert answered.shape == (2, 80, 2)
        assert np.array_equal(found["knn"].samples, np.arange(80))
        assert (answered.sum(axis=2) == 1).all()
        return float((answered & targets.truth).any(axis=2).mean())

    assert accuracy(contents) < 0.65  # chance
    monkeypatch.setattr(Protocol, "check", lambda self, used: None)
    assert accuracy([]) > 0.7, "a copy in training answers for its twin"
    monkeypatch.undo()
    split = given_parts(["train"] * 40 + ["test"] * 40, targets.truth, ("a", "b"))
    with pytest.raises(DataError, match="40 images to choose by with the same pixels"):
        run_protocol(features, targets, split, [methods.find("knn")], "class", contents=contents)


def test_a_place_in_two_folds_would_be_noticed(monkeypatch):
    """Neighbours share what is no class: their place. Labels are per place, features say the place alone."""
    random = np.random.default_rng(0)
    place = np.repeat(np.arange(20), 5)
    features = (random.normal(size=(20, 30))[place] + 0.3 * random.normal(size=(100, 30))).astype(np.float32)
    targets = Targets.of_indices((np.arange(20) % 2)[place], 2)

    def accuracy() -> float:
        found = run_protocol(features, targets, Places(place, "groups"), [methods.find("knn")], "class", repeats=3)
        return float((found["knn"].answered & targets.truth).any(axis=2).mean())

    assert accuracy() < 0.7
    real = rounds_module.folds
    monkeypatch.setattr(rounds_module, "folds", lambda ids, *rest, **named: real(np.arange(len(ids)), *rest, **named))
    assert accuracy() > 0.9


def test_an_outcome_says_how_it_came_about():
    features, targets = classes_apart(60, 12, 3, 1.0)
    three = [methods.find(name) for name in ("knn", "logistic", "ridge")]
    one, same, other = (
        run_protocol(features, targets, alone(60), three, "class", auto=True, repeats=2, seed=seed)
        for seed in (1, 1, 2)
    )
    assert list(one) == ["knn", "logistic", "ridge", "auto"]
    for name, found in one.items():
        assert found.probabilities.shape == (2, 60, 3)
        assert np.isfinite(found.probabilities).all()
        assert np.array_equal(found.probabilities, same[name].probabilities)
        assert len(found.choices) == 10
        assert len(set(found.seeds)) == 2
        assert found.aim == "accuracy"
        assert (found.answered & targets.truth).any(axis=2).mean() > 0.8
    assert one["knn"].seeds != other["knn"].seeds
    assert not np.array_equal(one["knn"].probabilities, other["knn"].probabilities)
    for number, each in enumerate(one[AUTO].choices):
        scores = {name: one[name].choices[number].score for name in ("knn", "logistic", "ridge")}
        assert each.score == scores[each.method] == max(scores.values())


def test_a_given_split_is_reported_once_with_thresholds_from_validation():
    features, targets = several_classes(90, 15, 3)
    words = ["train"] * 45 + ["val"] * 20 + ["test"] * 25
    split = given_parts(words, targets.truth, ("a", "b", "c"))
    found = run_protocol(features, targets, split, [methods.find("ridge")], "classes")["ridge"]
    assert np.array_equal(found.samples, np.arange(65, 90))
    assert found.probabilities.shape == (1, 25, 3)
    (choice,) = found.choices
    assert len(choice.thresholds) == 3
    assert np.array_equal(found.answered[0], found.probabilities[0].astype(float) >= choice.thresholds)


def test_features_that_are_not_finite_are_refused():
    features, targets = classes_apart(20, 5, 2, 0.3)
    features[3, 2], features[7, 0] = np.nan, np.inf
    with pytest.raises(DataError, match="2 samples with features that are not finite: sample 3, sample 7"):
        run_protocol(features, targets, alone(20), [methods.find("ridge")], "class")


def test_a_hundred_twenty_images_take_seconds():
    features, targets = classes_apart(120, 1000, 10, 0.1)
    three = [methods.find(name) for name in ("knn", "logistic", "ridge")]
    start = time.process_time()
    run_protocol(features, targets, alone(120), three, "class", repeats=2)
    assert time.process_time() - start < 6  # a fifth of the work of ten repeats: 1.6 s alone, on one thread
