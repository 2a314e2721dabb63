"""A scene into a map of embeddings: one pixel per place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from spectralgpt.bands import Alignment
from spectralgpt.checks import Verdict
from spectralgpt.nn import Precision
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Raster, ResultMark
from spectralgpt.scenes.answers import map_scene
from spectralgpt.tasks import Embeddings
from spectralgpt.weights import PretrainedModel


@dataclass(frozen=True, slots=True, eq=False)
class SceneEmbeddings:
    """The written map: fingerprint of the weights, alignment of the bands; rows and columns of places, values per
    place; the picture (row, column, RGBA)."""

    fingerprint: str
    alignment: Alignment
    rows: int
    columns: int
    values: int
    picture: UInt8[np.ndarray, "row column 4"]


def embed_scene(
    raster: Raster,
    model: PretrainedModel,
    target: Path,
    *,
    verdict: Verdict,
    per: Literal["all", "group", "date"] = "all",
    dtype: Literal["float32", "int8"] = "float32",
    own: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    precision: Precision = "auto",
    mark: ResultMark | None = None,
    progress: Progress = silent,
) -> SceneEmbeddings:
    """Write the map: the features of each place, averaged over its present groups and dates.

    per: group or date keeps a vector for each of them, stacked as bands. dtype: float32 with nodata NaN, or int8 with a
    scale per band (largest magnitude / 127) and nodata -128. GSD is the scene's times the patch. The picture shows the
    first three principal components; above about a million places, every second or third place, and so on. Raises
    InputError for what the user can fix: bands, too many dates, an unwritable target.
    """
    result = map_scene(
        raster,
        model,
        Embeddings.of(model, per),
        target,
        verdict=verdict,
        verb={"verb": "embed", "per": per, "dtype": dtype},
        dtype="int8" if dtype == "int8" else None,
        picture=True,
        own=own,
        overlap=overlap,
        batch=batch,
        precision=precision,
        mark=mark,
        progress=progress,
    )
    assert result.picture is not None, "a picture was requested"
    return SceneEmbeddings(
        result.fingerprint, result.alignment, result.rows, result.columns, result.bands, result.picture
    )
