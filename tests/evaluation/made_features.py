"""Made features and labels for the tests of this room."""

import numpy as np

from spectralgpt.evaluation import Targets


def classes_apart(samples: int, values: int, classes: int, apart: float, seed: int = 0) -> tuple[np.ndarray, Targets]:
    """Gaussian classes, with centres `apart` deviations from 0 in each value, and values of different sizes."""
    random = np.random.default_rng(seed)
    label = np.arange(samples) % classes
    centres = apart * random.normal(size=(classes, values))
    features = (centres[label] + random.normal(size=(samples, values))) * np.geomspace(0.1, 100, values) + 5
    return features.astype(np.float32), Targets.of_indices(label, classes)


def several_classes(samples: int, values: int, classes: int, seed: int = 0) -> tuple[np.ndarray, Targets]:
    """Each class is where a direction of the features is high."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(samples, values)).astype(np.float32)
    truth = features @ random.normal(size=(values, classes)) + random.normal(size=(samples, classes)) > 0.5
    return features, Targets(truth, True, np.ones(samples))


def repeated(features: np.ndarray, targets: Targets, times: np.ndarray) -> tuple[np.ndarray, Targets]:
    """Each sample so many times, each with the weight 1."""
    rows = np.repeat(np.arange(len(features)), times)
    return features[rows], Targets(targets.truth[rows], targets.several, np.ones(len(rows)))
