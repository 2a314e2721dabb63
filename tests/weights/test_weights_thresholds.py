"""Thresholds of answers: kept with the weights, part of their identity, used by `predict`, and shown."""

import json

import numpy as np
import pytest
import torch

from made_weights import DENSE, small_weights
from spectralgpt import inspect
from spectralgpt.errors import WeightsError
from spectralgpt.nn import DenseConfig, PooledConfig, Prediction
from spectralgpt.products import as_pixels
from spectralgpt.tasks import ChangeConfig, Class, ClassMap
from spectralgpt.weights import ChangeDetector, Classifier, Segmenter, describe, open_weights

LOGITS = torch.tensor([[-2.0, 0.1, 3.0], [0.5, -0.1, -4.0]])


def several() -> Classifier:
    head = PooledConfig(classes=3, several=True)
    return Classifier.from_encoder(small_weights(), head, [Class("water"), Class("forest"), Class("town")])


@pytest.mark.parametrize(
    ("model", "thresholds"),
    [
        (several, (0.2, 0.5, 0.875)),
        (lambda: Segmenter.from_encoder(small_weights(), DenseConfig(classes=2, **DENSE)), (0.3,)),
        (lambda: ChangeDetector.from_encoder(small_weights(), ChangeConfig(**DENSE)), (0.7,)),
    ],
)
def test_they_are_saved_and_read_and_part_of_the_identity(model, thresholds, tmp_path):
    made = model()
    before = made.fingerprint()
    made.save_pretrained(tmp_path / "without")
    assert "thresholds" not in json.loads((tmp_path / "without" / "config.json").read_text())
    made.thresholds = thresholds
    made.save_pretrained(tmp_path / "with")
    back = open_weights(tmp_path / "with")
    assert back.thresholds == thresholds
    assert back.fingerprint() == made.fingerprint() != before
    assert open_weights(tmp_path / "without").fingerprint() == before
    assert back.with_tensors(back.state_dict()).thresholds == thresholds
    assert inspect(tmp_path / "with").thresholds == thresholds
    back.thresholds = ()
    assert back.fingerprint() == before


def test_they_are_shown_with_their_classes():
    model = several()
    assert "thresholds" not in str(describe(model))
    model.thresholds = (0.25, 0.5, 0.875)
    assert "water 0.25, forest 0.5, town 0.875" in str(describe(model))


@pytest.mark.parametrize(
    ("thresholds", "words"), [((0.5, 0.5), "found 2 thresholds; expected 3"), ((0.1, 1.5, 0.2), "threshold 1.5")]
)
def test_those_that_do_not_fit_are_not_saved(thresholds, words, tmp_path):
    model = several()
    model.thresholds = thresholds
    with pytest.raises(WeightsError, match=words):
        model.save_pretrained(tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_several_labels_are_answered_from_their_thresholds_on():
    """sigmoid(-2) = 0.119, sigmoid(0.1) = 0.525, sigmoid(3) = 0.953; sigmoid(0.5) = 0.622, of -0.1 0.475."""
    plain = Prediction(LOGITS, None, several=True)
    assert plain.classes.tolist() == [[False, True, True], [True, False, False]]
    chosen = Prediction(LOGITS, None, several=True, thresholds=(0.1, 0.6, 0.953))
    assert chosen.classes.tolist() == [[True, False, False], [True, False, False]]
    one = float(torch.sigmoid(torch.tensor(3.0)))
    assert Prediction(LOGITS, None, several=True, thresholds=(0.1, 0.6, one)).classes[0, 2], "from it on"


def test_the_second_of_two_classes_is_answered_from_its_threshold_on():
    """Logits 0 and 1 give the second class a probability of 0.731."""
    logits = torch.tensor([[[0.0, 0.0, 0.0]], [[1.0, -1.0, 1.0]]])[None]
    present = torch.tensor([[[True, True, False]]])
    assert Prediction(logits, present).classes.tolist() == [[[1, 0, -1]]]
    assert Prediction(logits, present, thresholds=(0.8,)).classes.tolist() == [[[0, 0, -1]]]
    assert Prediction(logits, present, thresholds=(0.2,)).classes.tolist() == [[[1, 1, -1]]]


def test_a_model_predicts_by_its_thresholds():
    model = several()
    rng = np.random.default_rng(0)
    values = rng.uniform(0.02, 0.3, (13, 16, 16)).astype("float32")
    cube = model.cube(as_pixels(values, bands="s2-l1c", trust_input=True))
    likely = model.eval().predict(cube).probabilities[0]
    model.thresholds = tuple(float(each) + shift for each, shift in zip(likely, (0.01, -0.01, 0.01), strict=True))
    assert model.predict(cube).classes[0].tolist() == [False, True, False]


def test_a_map_is_made_by_them():
    """The second of two classes is 0.5, 0.73 and 0.27 likely."""
    values, valid = np.array([[[0.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]]]), np.ones((2, 1, 3), bool)
    two = (Class("land"), Class("water"))
    assert ClassMap(two).stored(values, valid).tolist() == [[[0, 1, 0]]]
    assert ClassMap(two, (0.25,)).stored(values, valid).tolist() == [[[1, 1, 1]]]
    assert ClassMap(two, (0.9,)).stored(values, valid).tolist() == [[[0, 0, 0]]]
