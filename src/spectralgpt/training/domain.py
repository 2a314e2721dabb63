"""What a run trains on, in the words of `weights.TrainedDomain`."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from spectralgpt.data import Shards
from spectralgpt.training.recipe import Stage
from spectralgpt.training.stage_data import StageData
from spectralgpt.weights import PretrainedModel, TrainedDomain


def domain_of_run(stages: Sequence[Stage], data: Sequence[StageData]) -> TrainedDomain | None:
    """The sensors, GSDs and numbers of dates of the samples that the stages train on, without those held back; the same
    in every process and after a resume. None without a sample."""
    found: TrainedDomain | None = None
    for stage, each in zip(stages, data, strict=True):
        for source in each.sources:
            for layout, rows in zip(source.layouts, source.rows, strict=True):
                if len(rows):
                    one = _of_layout(source.shards, layout, rows, stage.data.dates)
                    found = one if found is None else found | one
    return found


def earlier_domain(start: PretrainedModel) -> TrainedDomain:
    """What the weights that a run starts from were trained on, as far as they say."""
    return TrainedDomain.of(start.provenance) or TrainedDomain.of_normalization(start.normalization)


def _of_layout(shards: Shards, layout: int, rows: Int64[np.ndarray, "..."], dates: int) -> TrainedDomain:
    """Of the samples of a layout. Where they do not state a GSD, it is that of the sensor's finest band."""
    shared = shards.layouts[layout]
    sizes = shards.gsd(layout)[rows]
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    known = sizes.tolist() or [band.gsd for band in shared.bands if 0 < band.gsd < math.inf]
    # the finest band alone says how large pixels are
    ends = (min(known), max(known) if sizes.size else min(known)) if known else None
    return TrainedDomain(
        ((shared.sensor, tuple(band.name for band in shared.bands)),),
        # stored as float32, and the digits of a map projection say nothing
        None if ends is None else (float(f"{ends[0]:.4g}"), float(f"{ends[1]:.4g}")),
        min(dates, shared.dates),
    )
