"""The report on an evaluation: a page and its numbers, from plain values and arrays."""

from spectralgpt.report.evaluation.colours import class_colours, coloured_mask
from spectralgpt.report.evaluation.contents import (
    CalibrationBins,
    ClassRow,
    ComparedScore,
    CurveLine,
    EvaluationPage,
    LearningCurve,
    SampleCard,
    SampleGallery,
    ScoreRow,
)
from spectralgpt.report.evaluation.folder import REPORT_FILES, check_report_target, write_report
from spectralgpt.report.evaluation.gallery import composites

__all__ = [
    "REPORT_FILES",
    "CalibrationBins",
    "ClassRow",
    "ComparedScore",
    "CurveLine",
    "EvaluationPage",
    "LearningCurve",
    "SampleCard",
    "SampleGallery",
    "ScoreRow",
    "check_report_target",
    "class_colours",
    "coloured_mask",
    "composites",
    "write_report",
]
