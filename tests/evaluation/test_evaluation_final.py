"""The read-out that is kept: chosen as in the rounds, fitted to all that may be fitted to."""

import numpy as np

from made_features import classes_apart, several_classes
from spectralgpt.evaluation import Places, choose_among, final_round, given_parts, methods


def test_after_cross_validation_all_samples_train_and_choose_once():
    features, targets = classes_apart(60, 12, 3, 0.3)
    places = Places(np.repeat(np.arange(20), 3), "groups")
    each = final_round(places, targets.truth, places, 4)
    assert len(each.test) == 0
    assert np.array_equal(np.sort(np.concatenate([judge for _, judge in each.inner])), np.arange(60))
    for fit, judge in each.inner:
        assert not set(places.ids[fit].tolist()) & set(places.ids[judge].tolist())
    found = [methods.find("knn"), methods.find("ridge")]
    chosen = choose_among(found, features, targets, each, "class")
    assert np.array_equal(chosen.samples, np.arange(60))
    alone = {method.name: choose_among([method], features, targets, each, "class") for method in found}
    assert chosen.score == max(one.score for one in alone.values()) == alone[chosen.method].score


def test_of_a_given_split_the_training_part_trains_and_validation_chooses():
    features, targets = several_classes(60, 9, 2)
    split = given_parts(["train"] * 30 + ["val"] * 10 + ["test"] * 20, targets.truth, ("a", "b"))
    each = final_round(split, targets.truth, Places(np.arange(60), "positions"))
    chosen = choose_among([methods.find("ridge")], features, targets, each, "classes")
    assert np.array_equal(chosen.samples, np.arange(30))
    assert np.array_equal(chosen.judged, np.arange(30, 40))
    assert len(chosen.thresholds) == 2
    without = given_parts(["train"] * 40 + ["test"] * 20, targets.truth, ("a", "b"))
    inner = final_round(without, targets.truth, Places(np.arange(60), "positions")).inner
    assert np.array_equal(np.unique(np.concatenate([np.append(*pair) for pair in inner])), np.arange(40))
