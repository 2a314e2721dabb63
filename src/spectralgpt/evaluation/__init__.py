"""Honest numbers from features and labels: fit, choose, report once; splits by place, leaks, intervals."""

from spectralgpt.evaluation.aims import Aim, aim_of, answers
from spectralgpt.evaluation.choice import Chosen, choose
from spectralgpt.evaluation.method import Fitted, Method, Targets
from spectralgpt.evaluation.outcome import Choice, Outcome, run_protocol
from spectralgpt.evaluation.places import Places, places_of
from spectralgpt.evaluation.protocol import AUTO, Protocol
from spectralgpt.evaluation.splits import Folds, Parts, folds, given_parts, inner_folds

__all__ = [
    "AUTO",
    "Aim",
    "Choice",
    "Chosen",
    "Fitted",
    "Folds",
    "Method",
    "Outcome",
    "Parts",
    "Places",
    "Protocol",
    "Targets",
    "aim_of",
    "answers",
    "choose",
    "folds",
    "given_parts",
    "inner_folds",
    "places_of",
    "run_protocol",
]
