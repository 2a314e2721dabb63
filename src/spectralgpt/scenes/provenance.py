"""The statement in every result of how it was made."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from spectralgpt.bands import Alignment
from spectralgpt.checks import Verdict
from spectralgpt.nn import Precision, resolved_precision
from spectralgpt.products import source_files
from spectralgpt.raster import DATE_TAG, SENSOR_TAG, Raster, ResultMark
from spectralgpt.raster.tags import (
    DATES_TAG,
    INPUT_TAG,
    OPEN_LEVEL_TAG,
    PARAMETERS_TAG,
    RULES_TAG,
    UNKNOWN_DATE,
    VERSION_TAG,
    WEIGHTS_TAG,
)
from spectralgpt.scenes.done import AlreadyDone, is_done
from spectralgpt.scenes.plan import Plan
from spectralgpt.version import RULES, __version__
from spectralgpt.weights import PretrainedModel


@dataclass(frozen=True, slots=True)
class Provenance:
    """fingerprint: of the weights. tags: of the result. journal: all it depends on but the plan, as JSON values."""

    fingerprint: str
    tags: Mapping[str, str]
    journal: Mapping[str, object]


def scene_provenance(
    raster: Raster,
    model: PretrainedModel,
    verdict: Verdict,
    alignment: Alignment,
    plan: Plan,
    *,
    own: bool,
    overlap: float,
    precision: Precision,
    verb: Mapping[str, object],
    mark: ResultMark | None,
) -> Provenance:
    """Weights, versions, verdict, sensor, dates, and parameters: those of the verb and those of every scene.

    mark: what lets the same command replace the result, None where no command wrote it. Raises AlreadyDone where the
    mark asks for it and the result is there.
    """
    fingerprint = model.fingerprint()
    parameters = {
        **verb,
        "bands": list(alignment.bandset.names),
        "bands_as": "own" if own else "model",
        "gsd": round(raster.gsd, 3) if math.isfinite(raster.gsd) else None,
        "without_clouds": raster.without_clouds and any(raster.clouds),
        **({"clouds": _cloud_layers(raster)} if raster.without_clouds and any(raster.clouds) else {}),
        **({"nodata": raster.given_nodata} if raster.given_nodata else {}),
        "area": None if raster.area is None else raster.area.fingerprint(),
        "window": model.config.window(len(alignment.bandset.groups), raster.shape[0]),
        "overlap": overlap,
        "batch": plan.batch,
        "threads": torch.get_num_threads(),
        "precision": resolved_precision(precision, model.device),
    }
    journal = {
        "inputs": _file_states(raster.paths),
        "dates": [date or UNKNOWN_DATE for date in raster.dates],
        "layers": _layers(raster),
        "verdict": verdict.text,
        "software": _software(),
        "device": model.device.type,
        "units": [list(raster.scale), list(raster.offset)],
        "weights": fingerprint,
        "rules": RULES,
        "parameters": parameters,
    }
    tags = {**({} if mark is None else mark.tags), **_tags(raster, fingerprint, parameters, verdict)}
    if mark is not None and mark.unless_done and is_done(mark.unless_done, tags, raster.paths):
        raise AlreadyDone
    return Provenance(fingerprint, tags, journal)


def _cloud_layers(raster: Raster) -> list[str]:
    """The cloud layers that are used: those of products by their names, a user's own by the names of their files."""
    layers = [each for layer in raster.clouds if layer is not None for each in layer.every()]
    return list(dict.fromkeys(Path(each.path).name if each.name == "mask" else each.name for each in layers))


def _layers(raster: Raster) -> list[list[str]]:
    """Of each date, the file and the band in it that each band is read from, with those behind it: other dates, or
    bands in another order, of the same files are other pixels."""
    return [
        [
            " over ".join(f"{Path(each.path).name}:{each.index}" for each in layer.front_to_back())
            + f" as {layer.band.name}"
            for layer in layers
        ]
        for layers in raster.layers
    ]


def _file_states(paths: Sequence[str]) -> dict[str, list[int] | None]:
    """Size and time of the last change (ns) of every file that is read, also through another like a VRT; None for what
    is no file, like an array, which its name identifies."""
    files = source_files((), paths).files
    states: dict[str, list[int] | None] = {path: None for path in paths if not os.path.exists(path)}
    for path in files:
        found = os.stat(path)
        states[path] = [found.st_size, found.st_mtime_ns]
    return states


def _software() -> str:
    return f"spectralgpt {__version__}, torch {torch.__version__}"


def _tags(raster: Raster, fingerprint: str, parameters: Mapping[str, object], verdict: Verdict) -> dict[str, str]:
    tags = {
        VERSION_TAG: _software(),
        WEIGHTS_TAG: fingerprint,
        RULES_TAG: str(RULES),
        PARAMETERS_TAG: json.dumps(parameters, sort_keys=True),
        INPUT_TAG: verdict.text,
        SENSOR_TAG: raster.sensor.name,
    }
    if raster.other_level:
        tags[OPEN_LEVEL_TAG] = raster.other_level
    if len(raster.dates) > 1:
        tags[DATES_TAG] = ",".join(date or UNKNOWN_DATE for date in raster.dates)
    elif raster.dates[0]:
        tags[DATE_TAG] = raster.dates[0]
    return tags
