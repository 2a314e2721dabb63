"""What every result tells about how it was made."""

import json
from collections.abc import Mapping

import torch

import spectralgpt
from spectralgpt.raster import DATE_TAG, SENSOR_TAG, Raster, Verdict
from spectralgpt.weights import SpectralGPT


def result_tags(
    raster: Raster, model: SpectralGPT, verdict: Verdict, parameters: Mapping[str, object]
) -> dict[str, str]:
    """Tags of a result: fingerprint of the weights, parameters, versions, verdict on the input, sensor, dates."""
    tags = {
        "SPECTRALGPT_VERSION": f"spectralgpt {spectralgpt.__version__}, torch {torch.__version__}",
        "SPECTRALGPT_WEIGHTS": model.fingerprint(),
        "SPECTRALGPT_PARAMETERS": json.dumps(dict(parameters), sort_keys=True),
        "SPECTRALGPT_INPUT": verdict.text,
        SENSOR_TAG: raster.sensor.name,
    }
    dates = [date for date in raster.dates if date]
    return tags | (
        {DATE_TAG: ",".join(dates)} if len(dates) == 1 else {"SPECTRALGPT_DATES": ",".join(dates)} if dates else {}
    )


def scene_journal(raster: Raster, model: SpectralGPT, parameters: Mapping[str, object]) -> dict[str, object]:
    """What a result depends on besides the plan, as JSON has it."""
    return {"inputs": list(raster.paths), "weights": model.fingerprint(), "parameters": dict(parameters)}
