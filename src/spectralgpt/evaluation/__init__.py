"""Honest numbers from features and labels: fit, choose, report once; splits by place, leaks, intervals."""

from spectralgpt.evaluation.aims import Aim, aim_of, answers
from spectralgpt.evaluation.choice import Chosen, choose
from spectralgpt.evaluation.curve import Curve, CurvePoint, learning_curve, nested_shots
from spectralgpt.evaluation.dense import DenseOutcome, StripAnswer, run_dense
from spectralgpt.evaluation.final import choose_among, choose_among_pixels, final_round
from spectralgpt.evaluation.fractions import fraction_of
from spectralgpt.evaluation.method import Fitted, Method, Targets
from spectralgpt.evaluation.outcome import Choice, Outcome, run_protocol
from spectralgpt.evaluation.pixels import DenseFeatures, DrawnPixels, sample_pixels
from spectralgpt.evaluation.places import Places, places_of
from spectralgpt.evaluation.protocol import AUTO, Protocol
from spectralgpt.evaluation.splits import Folds, Parts, folds, given_parts, inner_folds
from spectralgpt.evaluation.threads import fit_threads
from spectralgpt.evaluation.three_parts import ThreeParts, three_parts

__all__ = [
    "AUTO",
    "Aim",
    "Choice",
    "Chosen",
    "Curve",
    "CurvePoint",
    "DenseFeatures",
    "DenseOutcome",
    "DrawnPixels",
    "Fitted",
    "Folds",
    "Method",
    "Outcome",
    "Parts",
    "Places",
    "Protocol",
    "StripAnswer",
    "Targets",
    "ThreeParts",
    "aim_of",
    "answers",
    "choose",
    "choose_among",
    "choose_among_pixels",
    "final_round",
    "fit_threads",
    "folds",
    "fraction_of",
    "given_parts",
    "inner_folds",
    "learning_curve",
    "nested_shots",
    "places_of",
    "run_dense",
    "run_protocol",
    "sample_pixels",
    "three_parts",
]
