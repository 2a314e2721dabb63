"""The numbers of a page, for programs."""

from typing import Any

from spectralgpt.report.evaluation.contents import EvaluationPage, LearningCurve, ScoreRow


def measured(page: EvaluationPage) -> dict[str, Any]:
    """All that the page says, except pictures, by name; numbers in full precision, parts that it lacks left out.

    `scores`: by name, each with `title`, `value`, `low`, `high` and `compared`, which has by method `value`, `low`,
    `high`, `difference`, `difference_low` and `difference_high`. `classes`: in the order of their indices, each with
    `name`, `count` and `scores`. `confusion`: rows of counts, one row per class of the truth, of what `unit` says.
    `curves`: each with `score`, `shots` and `lines`, those with `method`, `compared`, `shots`, `values` (per number of
    shots, those of all repeats), `low` and `high`. `calibration`: `error`, and per bin `counts`, `confidence` and
    `right`. `facts` by name; `title`, `subtitle`, `method`, `marks`, `notes`, `command` and `intervals` as shown.
    """
    parts = {
        "title": page.title,
        "subtitle": page.subtitle,
        "method": page.method,
        "marks": list(page.marks),
        "scores": {row.name: _score(row) for row in page.scores},
        "intervals": page.intervals,
        "classes": [{"name": each.name, "count": each.count, "scores": dict(each.scores)} for each in page.classes],
        "unit": page.unit,
        "confusion": page.confusion,
        "curves": [_curve(curve) for curve in page.curves],
        "calibration": page.calibration,
        "facts": dict(page.facts),
        "notes": list(page.notes),
        "command": page.command,
    }
    return {name: part for name, part in parts.items() if part is not None}


def _score(row: ScoreRow) -> dict[str, Any]:
    compared = {
        each.method: {
            "value": each.value,
            "low": each.interval[0],
            "high": each.interval[1],
            "difference": each.difference,
            "difference_low": each.difference_interval[0],
            "difference_high": each.difference_interval[1],
        }
        for each in row.compared
    }
    low, high = row.interval
    return {"title": row.title, "value": row.value, "low": low, "high": high, "compared": compared}


def _curve(curve: LearningCurve) -> dict[str, Any]:
    return {"score": curve.score, "shots": curve.shots, "lines": list(curve.lines)}
