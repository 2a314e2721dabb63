"""What a report on an evaluation shows, in plain values and arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int64, Integer

UNDEFINED = float("nan")

Limits = tuple[float, float]
"""Lower and upper end of an interval, nan where there is none."""

NO_LIMITS: Limits = (UNDEFINED, UNDEFINED)

Composite = Float32[np.ndarray, "row column 3"]
"""A picture in red, green and blue, from 0 to 1, as `composites` returns it."""

IndexMask = Integer[np.ndarray, "_ _"]
"""Indices of classes (row, column); a negative one where a pixel is not labelled. Masks of a page differ in size."""


@dataclass(frozen=True, slots=True)
class ComparedScore:
    """A score of another method on the same samples. difference: the evaluated one's value less this one, paired."""

    method: str
    value: float
    interval: Limits = NO_LIMITS
    difference: float = UNDEFINED
    difference_interval: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A score. name: as in `metrics.json`, like `macro_f1`; title: in words. value: nan where not defined."""

    name: str
    title: str
    value: float
    interval: Limits = NO_LIMITS
    compared: Sequence[ComparedScore] = ()
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class. colour: `#rrggbb`, one by its index where None. count: how often it is in the truth. scores: by title,
    like `F1`, in [0, 1], nan where not defined."""

    name: str
    colour: str | None = None
    count: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CurveLine:
    """One method's line in a learning curve.

    values: of each repeat, nan where one is missing. low, high: the interval of each mean. compared: true for the
    methods that the evaluated one is compared with.
    """

    method: str
    shots: Sequence[int]
    values: Float64[np.ndarray, "shot repeat"]
    low: Float64[np.ndarray, " shot"] | None = None
    high: Float64[np.ndarray, " shot"] | None = None
    compared: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LearningCurve:
    """A score over the number of labelled samples. shots: what they count, like `images per class`."""

    score: str
    lines: Sequence[CurveLine]
    shots: str = "images per class"


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationBins:
    """Answers in bins of equal width by their probability, from 0 to 1.

    counts: of answers. confidence: their mean probability; right: the share of them that is right; both nan in empty
    bins. error: the calibration error, in [0, 1].
    """

    counts: Float64[np.ndarray, " bin"]
    confidence: Float64[np.ndarray, " bin"]
    right: Float64[np.ndarray, " bin"]
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class SampleCard:
    """A sample with its label and the prediction.

    pictures: each with its title, like `before`. truth, predicted: names of classes. truth_mask, predicted_mask:
    indices of classes, of the size of the pictures. score: of this sample, nan where there is none. note: a line below.
    """

    name: str
    pictures: Sequence[tuple[str, Composite]] = ()
    truth: Sequence[str] = ()
    predicted: Sequence[str] = ()
    truth_mask: IndexMask | None = None
    predicted_mask: IndexMask | None = None
    score: float = UNDEFINED
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class SampleGallery:
    """Samples under a title, like `Worst`. score: the title of their scores, like `IoU`. note: how they were chosen."""

    title: str
    samples: Sequence[SampleCard]
    score: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationPage:
    """All that a report shows; parts that are empty or None are left out.

    title, subtitle: like `Land cover of 120 images` and what was evaluated on what. method: the evaluated one, as a
    heading beside others. marks: warnings, on top, like weights that saw the images in pretraining. facts: names and
    values; notes: sentences; command: the command line. intervals: what intervals are, like `95 %, bootstrap over 30
    places`.

    classes: in the order of their indices. confusion: counts [truth, predicted] of what `unit` says (images, pixels).
    galleries: the best and the worst samples.
    """

    title: str
    subtitle: str = ""
    method: str = "this model"
    marks: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    command: str = ""
    scores: Sequence[ScoreRow] = ()
    intervals: str = ""
    classes: Sequence[ClassRow] = ()
    confusion: Int64[np.ndarray, "truth predicted"] | None = None
    unit: str = "images"
    curves: Sequence[LearningCurve] = ()
    calibration: CalibrationBins | None = None
    galleries: Sequence[SampleGallery] = ()
