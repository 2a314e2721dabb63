"""A scene into a map of embeddings: one pixel per place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from spectralgpt.bands import Alignment
from spectralgpt.checks import Verdict
from spectralgpt.errors import OptionError, argument
from spectralgpt.nn import Precision, default_scale
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Raster, ResultMark
from spectralgpt.scenes.answers import map_scene
from spectralgpt.scenes.course import USUAL_COURSE, Course
from spectralgpt.tasks import Embeddings
from spectralgpt.weights import PretrainedModel


@dataclass(frozen=True, slots=True, eq=False)
class SceneEmbeddings:
    """The written map: fingerprint of the weights, alignment of the bands; rows and columns of places, values per
    place; the picture (row, column, RGBA); block rows that an interrupted run had finished."""

    fingerprint: str
    alignment: Alignment
    rows: int
    columns: int
    values: int
    picture: UInt8[np.ndarray, "row column 4"]
    blocks_resumed: int = 0


def embed_scene(
    raster: Raster,
    model: PretrainedModel,
    target: Path,
    *,
    verdict: Verdict,
    per: Literal["all", "group", "date"] = "all",
    dtype: Literal["float32", "int8"] = "float32",
    scale: Literal["weights", "file"] = "weights",
    min_valid: float | int = 0,
    own: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    precision: Precision = "auto",
    mark: ResultMark | None = None,
    course: Course = USUAL_COURSE,
    progress: Progress = silent,
) -> SceneEmbeddings:
    """Write the map: the features of each place, averaged over its present groups and dates.

    per: group or date keeps a vector for each of them, stacked as bands. dtype: float32 with nodata NaN, or int8 with
    nodata -128. scale: of the codes, per value: that of the weights, so that codes of all maps by these weights compare
    (what lies beyond is clipped, its share is in the tags), or of the file, its largest magnitude / 127. min_valid: the
    valid share below which a place has no vector; all shares are written beside the map, as `share_target` names it.
    GSD is the scene's times the patch. The picture shows the first three principal components; above about a million
    places, every second or third place, and so on. Raises OptionError for a share that is not from 0 to 1, and
    InputError for what the user can fix: bands, too many dates, an unwritable target.
    """
    check_min_valid(min_valid)
    of_weights = model.embedding_scale if per == "all" else default_scale(model.encoder.norm)
    result = map_scene(
        raster,
        model,
        Embeddings.of(model, per),
        target,
        verdict=verdict,
        verb={
            "verb": "embed",
            "per": per,
            "dtype": dtype,
            **({"scale": scale} if dtype == "int8" else {}),
            **({"min_valid": min_valid} if min_valid else {}),
        },
        dtype="int8" if dtype == "int8" else None,
        scale=of_weights.tolist() if scale == "weights" else None,
        picture=True,
        least_valid=min_valid,
        own=own,
        overlap=overlap,
        batch=batch,
        precision=precision,
        mark=mark,
        course=course,
        progress=progress,
    )
    assert result.picture is not None, "a picture was requested"
    return SceneEmbeddings(
        result.fingerprint,
        result.alignment,
        result.rows,
        result.columns,
        result.bands,
        result.picture,
        result.blocks_resumed,
    )


def check_min_valid(min_valid: float | int) -> None:
    """OptionError for a share that is not from 0 to 1."""
    if not 0 <= min_valid <= 1:
        raise OptionError(argument("min_valid", min_valid), "a share from 0 to 1")
