"""Probes of a small model that are fitted to drawn features: quick to make, and their answers vary over a scene."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spectralgpt import SpectralGPT
from spectralgpt.evaluation import Chosen, Targets, methods
from spectralgpt.features import Probe
from spectralgpt.tasks import Class, TargetKind

SQUARE = 32
"""Side of the images that probes of whole images were fitted to, by their word."""


def drawn_probe(
    weights: Path,
    folder: Path,
    target: TargetKind,
    classes: Sequence[Class],
    values: int,
    threshold_of: Callable[[Probe], float] | None = None,
) -> Path:
    """A saved probe. values: of a feature vector. threshold_of: from which probability on the second class is answered,
    asked of the probe with the threshold 0; None: the likeliest class is answered."""
    rng = np.random.default_rng(0)
    truth = np.arange(20 * len(classes))[:, None] % len(classes) == np.arange(len(classes))
    features = (rng.normal(size=(len(truth), values)) + truth.argmax(axis=1)[:, None]).astype(np.float32)
    method = methods.find("ridge")
    several = target == "classes"
    (one,) = method.fits(features, Targets(truth, several, np.ones(len(truth))), [method.usual], seed=0)
    model = SpectralGPT.from_pretrained(weights)

    def made(thresholds: np.ndarray | None) -> Probe:
        chosen = Chosen("ridge", method.usual, one, thresholds, np.arange(len(truth)), np.arange(0), None, 0.5, 0.0, ())
        return Probe.of(model, chosen, target, classes, weights=str(weights), side=SQUARE)

    if several:
        probe = made(np.full(len(classes), 0.5))
    elif threshold_of is None:
        probe = made(None)
    else:
        probe = made(np.array([threshold_of(made(np.zeros(1)))]))
    probe.save(folder)
    return folder
