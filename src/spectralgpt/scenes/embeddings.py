"""A scene into a map of embeddings: one pixel a place."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from numpy.typing import NDArray

from spectralgpt.bands import Alignment
from spectralgpt.nn import Precision, computing_in
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Layout, Raster, Verdict, Window
from spectralgpt.scenes.plan import plan_scene
from spectralgpt.scenes.provenance import scene_provenance
from spectralgpt.scenes.run import run_scene
from spectralgpt.scenes.windows import read_windows, scene_alignment, scene_scaling
from spectralgpt.weights import Pretrained

INT8_NODATA = -128
PICTURE_VECTORS = 50_000
"""Most vectors that the picture's components are fitted to."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneEmbeddings:
    """What was written: by which weights, of which bands; rows and columns of places, values a place; the picture
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

    per: group or date keep those apart and stack them as bands. dtype: float32 with nodata NaN, or int8 with a scale a
    band (largest magnitude / 127) and nodata -128. GSD is the scene's times the patch. Raises InputError for what the
    user can mend: bands, dates too many, an unwritable target.
    """
    dates, patch = raster.shape[0], model.config.patch
    alignment = scene_alignment(raster, model, own)
    bandset = alignment.bandset
    groups = len(bandset.groups)
    side = model.config.window(groups, dates)
    plan = plan_scene(*raster.grid.shape, patch=patch, side=side, overlap=overlap, batch=batch, reduce=patch)
    scaling = scene_scaling(raster, model, own)
    stacks = {"all": 1, "group": groups, "date": dates}[per]
    values = model.config.size.dim * stacks

    def apply(windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        pixels = read_windows(raster, windows)
        with torch.inference_mode(), computing_in(precision, model.device):
            cube = model.cube(pixels, own=own, image_side=max(raster.grid.shape), scaling=scaling)
            vectors = model.embed(cube, "place" if per == "all" else per)
            present = model.present(cube)
        if per == "all":
            known = present.any(dim=(1, 2))[:, None]
            return vectors.permute(0, 3, 1, 2).float().cpu().numpy(), known.cpu().numpy()
        known = present.any(dim=1 if per == "group" else 2).repeat_interleave(model.config.size.dim, dim=1)
        return vectors.permute(0, 1, 4, 2, 3).flatten(1, 2).float().cpu().numpy(), known.cpu().numpy()

    def compose(_: Window, blended: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[Any]:
        return np.where(known, blended, np.nan).astype(np.float32)

    provenance = scene_provenance(
        raster,
        model,
        verdict,
        alignment,
        plan,
        own=own,
        overlap=overlap,
        precision=precision,
        verb={"verb": "embed", "per": per, "dtype": dtype},
    )
    picture = _Picture(plan.output_shape)

    def layout(blocks: Iterable[NDArray[Any]]) -> Layout:
        largest = np.zeros(values)
        for block in blocks:
            largest = np.fmax(largest, np.nanmax(np.abs(block), axis=(1, 2), initial=0.0))
            picture.see(block)
        picture.fit()
        scale = tuple(float(value) / 127 or 1.0 for value in largest) if dtype == "int8" else ()
        return Layout(
            grid=raster.grid.coarsened(patch),
            count=values,
            dtype=dtype,
            nodata=float(INT8_NODATA) if dtype == "int8" else math.nan,
            descriptions=_descriptions(per, model.config.size.dim, [g.bands[0].name for g in bandset.groups], raster),
            scale=scale,
            tags=provenance.tags,
            interleave="pixel",
            block=128,
        )

    def encode(block: NDArray[Any], layout: Layout) -> NDArray[Any]:
        picture.draw(block)
        if dtype == "float32":
            return block
        scaled = np.rint(block / np.array(layout.scale, np.float32)[:, None, None])
        return np.where(np.isnan(scaled), INT8_NODATA, np.clip(scaled, -127, 127)).astype(np.int8)

    run_scene(plan, apply, compose, layout, target, provenance.journal, encode=encode, progress=progress)
    rows, columns = plan.output_shape
    return SceneEmbeddings(provenance.fingerprint, alignment, rows, columns, values, picture.image())


def _descriptions(
    per: Literal["all", "group", "date"], dim: int, groups: Sequence[str], raster: Raster
) -> tuple[str | None, ...]:
    """`e0`, or with the first band of the group, or with the date."""
    if per == "all":
        return tuple(f"e{i}" for i in range(dim))
    if per == "group":
        return tuple(f"{name}+ e{i}" for name in groups for i in range(dim))
    names = [date or f"date {number}" for number, date in enumerate(raster.dates, 1)]
    return tuple(f"{name} e{i}" for name in names for i in range(dim))


class _Picture:
    """The first three principal components as red, green and blue, seen block row by block row."""

    def __init__(self, shape: tuple[int, int]):
        self._every = max(1, math.isqrt(shape[0] * shape[1] // PICTURE_VECTORS))
        self._seen: list[Float32[np.ndarray, "vector value"]] = []
        self._mean: Float32[np.ndarray, " value"] = np.zeros(0, np.float32)
        self._axes: Float64[np.ndarray, "value component"] = np.zeros((0, 0))
        self._rows: list[Float64[np.ndarray, "row column component"]] = []

    def see(self, block: NDArray[Any]) -> None:
        vectors = block[:, :: self._every, :: self._every].reshape(len(block), -1).T
        self._seen.append(vectors[~np.isnan(vectors).any(axis=1)])

    def fit(self) -> None:
        vectors = np.concatenate(self._seen)
        self._mean = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1], np.float32)
        spread = (vectors - self._mean).astype(np.float64)
        axes = np.linalg.eigh(spread.T @ spread)[1][:, :-4:-1]
        # an axis has no direction of its own: its largest entry is made positive, so that pictures compare
        strongest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
        self._axes = axes * np.where(strongest < 0, -1.0, 1.0)
        self._seen = []

    def draw(self, block: NDArray[Any]) -> None:
        self._rows.append((np.moveaxis(block, 0, -1) - self._mean).astype(np.float64) @ self._axes)

    def image(self) -> UInt8[np.ndarray, "row column 4"]:
        """Each component stretched from its 2 % to its 98 % quantile; transparent where nothing is."""
        components = np.concatenate(self._rows)
        picture = np.zeros((*components.shape[:2], 4), np.uint8)
        known = ~np.isnan(components).any(axis=-1)
        if known.any():
            low, high = np.quantile(components[known], (0.02, 0.98), axis=0)
            stretched = (components[known] - low) / np.maximum(high - low, 1e-12)
            picture[known, : components.shape[-1]] = np.clip(stretched * 255, 0, 255)
            picture[known, 3] = 255
        return picture
