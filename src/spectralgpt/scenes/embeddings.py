"""A scene into a map of embeddings: one pixel per place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, UInt8
from torch import Tensor

from spectralgpt.bands import Alignment, BandSet
from spectralgpt.nn import Backbone, Cube, ModelConfig, Precision
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Raster, Verdict
from spectralgpt.scenes.answers import MapClass, map_scene
from spectralgpt.weights import Pretrained


@dataclass(frozen=True, slots=True)
class EmbeddingAnswers:
    """The features of each place, averaged over its present groups and dates.

    config: the model's. per: group or date keep those apart and stack them as channels.
    """

    config: ModelConfig
    per: Literal["all", "group", "date"]

    @property
    def reduce(self) -> int:
        return self.config.patch

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def nodata(self) -> float:
        return math.nan

    @property
    def classes(self) -> tuple[MapClass, ...]:
        return ()

    def names(self, bands: BandSet, dates: Sequence[str]) -> tuple[str, ...]:
        """`e0`, or with the first band of the group, or with the date."""
        values = [f"e{i}" for i in range(self.config.size.dim)]
        if self.per == "all":
            return tuple(values)
        if self.per == "group":
            return tuple(f"{group.bands[0].name}+ {value}" for group in bands.groups for value in values)
        return tuple(f"{date or f'date {number}'} {value}" for number, date in enumerate(dates, 1) for value in values)

    def answer(
        self, model: Backbone, cube: Cube
    ) -> tuple[Float[Tensor, "batch channel row column"], Bool[Tensor, "batch #channel row column"]]:
        vectors = model.embed(cube, "place" if self.per == "all" else self.per)
        present = model.present(cube)
        if self.per == "all":
            return vectors.permute(0, 3, 1, 2), present.any(dim=(1, 2))[:, None]
        known = present.any(dim=1 if self.per == "group" else 2)
        return (
            vectors.permute(0, 1, 4, 2, 3).flatten(1, 2),
            known.repeat_interleave(self.config.size.dim, dim=1),
        )

    def stored(
        self, values: Float64[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channel row column"]
    ) -> Float32[np.ndarray, "channel row column"]:
        return np.where(valid, values, np.nan).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SceneEmbeddings:
    """What was written: by which weights, of which bands; rows and columns of places, values per place; the picture
    (row, column, RGBA)."""

    fingerprint: str
    alignment: Alignment
    rows: int
    columns: int
    values: int
    picture: UInt8[np.ndarray, "row column 4"]


def embed_scene(
    raster: Raster,
    model: Pretrained,
    target: Path,
    *,
    verdict: Verdict,
    per: Literal["all", "group", "date"] = "all",
    dtype: Literal["float32", "int8"] = "float32",
    own: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    precision: Precision = "auto",
    progress: Progress = silent,
) -> SceneEmbeddings:
    """Write the map: the features of each place, averaged over its present groups and dates.

    per: group or date keep those apart and stack them as bands. dtype: float32 with nodata NaN, or int8 with a scale
    per band (largest magnitude / 127) and nodata -128. GSD is the scene's times the patch. The picture shows the first
    three principal components; of more than about a million places every second, every third, ... Raises InputError for
    what the user can mend: bands, dates too many, an unwritable target.
    """
    result = map_scene(
        raster,
        model,
        EmbeddingAnswers(model.config, per),
        target,
        verdict=verdict,
        verb={"verb": "embed", "per": per, "dtype": dtype},
        dtype="int8" if dtype == "int8" else None,
        picture=True,
        own=own,
        overlap=overlap,
        batch=batch,
        precision=precision,
        progress=progress,
    )
    assert result.picture is not None, "a picture was asked for"
    return SceneEmbeddings(
        result.fingerprint, result.alignment, result.rows, result.columns, result.bands, result.picture
    )
