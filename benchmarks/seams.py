"""How far windows show in a map of embeddings: steps between neighbouring tokens, and maps by two grids of windows.

Steps: lengths of the difference of neighbouring tokens, in the calmest quarter of the scene (by the spread of its
pixels under both), by their place in the grid of windows, along rows and along columns; relative to the median inside
windows, in the middle half of windows that do not overlap. Shift: the map against that of the scene without its first
rows and columns, half a stride of them, in units of the spread of the map; away from its border. Paired: the median of
the same steps over their median in that shifted map, in which they lie elsewhere in their windows. In a scene of few
calm tokens, only this tells seams from what the scene has at a place, which both maps share.

    python benchmarks/seams.py --scene scene.tif other.tif --weights tiny --overlap 0.25 0.375 --taper cosine trimmed

A scene may name its sensor (`scene.tif=s2-l1c`) where its bands have no names.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from measuring import about, given, options, write
from reading import GSDS, made

from spectralgpt.products import open_raster
from spectralgpt.raster import Pixels, Raster, Window
from spectralgpt.scenes import plan as planning
from spectralgpt.scenes import tiled
from spectralgpt.scenes.windows import scene_alignment
from spectralgpt.tasks import Embeddings
from spectralgpt.weights import PretrainedModel, load_model

CALM = 0.25
"""Share of the steps that are the calmest."""

LIMIT = 1.1
NEARLY_NOTHING = 1e-9


def linear(shared: int) -> np.ndarray:
    return (np.arange(shared) + 0.5) / shared


def trimmed(shared: int) -> np.ndarray:
    """The outermost token of each window counts only where no other is; raised cosines between."""
    inner = np.clip((np.arange(shared) - 0.5) / max(1, shared - 2), 0, 1)
    return np.maximum(np.sin(np.pi / 2 * inner) ** 2, NEARLY_NOTHING)


TAPERS: dict[str, Callable[[int], np.ndarray] | None] = {"cosine": None, "linear": linear, "trimmed": trimmed}
"""How the weight of a window rises over what it shares with another; None: as the package does."""


def tapers(rise_over: Callable[[int], np.ndarray]) -> Callable[[Sequence[int], int], np.ndarray]:
    """`plan.taper` with another rise."""

    def taper(starts: Sequence[int], side: int) -> np.ndarray:
        weights = np.ones((len(starts), side))
        for index in range(len(starts) - 1):
            shared = starts[index] + side - starts[index + 1]
            if shared > 0:
                weights[index, side - shared :] *= rise_over(shared)[::-1]
                weights[index + 1, :shared] *= rise_over(shared)
        total = np.zeros(starts[-1] + side)
        for start, weight in zip(starts, weights, strict=True):
            total[start : start + side] += weight
        return np.stack([w / total[start : start + side] for start, w in zip(starts, weights, strict=True)])

    return taper


def roughness(pixels: Pixels, patch: int) -> np.ndarray:
    """[row, column] of whole tokens: the standard deviation of the pixels under each, mean over bands."""
    values = pixels.values[0].astype(np.float64)
    rows, columns = (side // patch for side in values.shape[1:])
    parts = values[:, : rows * patch, : columns * patch].reshape(len(values), rows, patch, columns, patch)
    return parts.std(axis=(2, 4)).mean(axis=0)


def steps(vectors: np.ndarray, valid: np.ndarray, rough: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of neighbours along the last axis: lengths of their difference, and whether they are calm. vectors: [value, row,
    column]."""
    length = np.linalg.norm(np.diff(vectors, axis=2), axis=0)
    there = valid[:, 1:] & valid[:, :-1]
    pair = np.maximum(rough[:, 1:], rough[:, :-1])
    return length, there & (pair <= np.quantile(pair[there], CALM))


def by_phase(length: np.ndarray, calm: np.ndarray, starts: Sequence[int], stride: int) -> list[float]:
    """The median of calm steps at each place between two starts of windows. The step at place p is that into the token
    p after a start; windows that were moved back, the last, are left out."""
    phases = (np.arange(length.shape[1]) + 1) % stride
    regular = np.arange(length.shape[1]) + 1 < starts[-1]
    return [
        float(np.median(length[:, regular & (phases == phase)][calm[:, regular & (phases == phase)]]))
        for phase in range(stride)
    ]


def along(
    axis: str, vectors: np.ndarray, valid: np.ndarray, rough: np.ndarray, starts: Sequence[int], stride: int
) -> list[float]:
    if axis == "rows":
        vectors, valid, rough = vectors.transpose(0, 2, 1), valid.T, rough.T
    return by_phase(*steps(vectors, valid, rough), starts, stride)


def paired(
    vectors: np.ndarray, other: np.ndarray, known: np.ndarray, rough: np.ndarray, first: int, stride: int
) -> list[float]:
    """The median of calm steps along the last axis over the median of the same steps in another map, by their place
    between two starts of windows. first: the place of the first column."""
    length, calm = steps(vectors, known, rough)
    elsewhere, _ = steps(other, known, rough)
    phases = (np.arange(length.shape[1]) + 1 + first) % stride
    at = [(slice(None), phases == phase) for phase in range(stride)]
    return [float(np.median(length[each][calm[each]]) / np.median(elsewhere[each][calm[each]])) for each in at]


class Scene:
    """A scene, its model, and the plan of its windows, in tokens."""

    def __init__(self, raster: Raster, model: PretrainedModel, batch: int) -> None:
        self.model, self.batch = model, batch
        self.pixels = raster.read()
        self.patch = model.config.patch
        groups = len(scene_alignment(raster, model, own=False).bandset.groups)
        self.side = model.config.window(groups, raster.shape[0]) // self.patch
        rows, columns = (side // self.patch for side in raster.grid.shape)
        self.pixels = self.pixels.read(Window(0, 0, rows * self.patch, columns * self.patch))
        self.rough = roughness(self.pixels, self.patch)
        # away from the border of windows, of which each token is in one
        self.inside = self._inside()

    def map(self, pixels: Pixels, overlap: float) -> tuple[np.ndarray, np.ndarray]:
        answers = Embeddings.of(self.model, "all")
        values, valid = tiled(pixels, self.model, answers, overlap=overlap, batch=self.batch)
        return values, valid[0]

    def starts(self, overlap: float, length: int) -> tuple[int, ...]:
        whole = planning.plan_scene(
            length * self.patch, 1, patch=self.patch, side=self.side * self.patch, overlap=overlap, batch=1
        )
        return tuple(row // self.patch for row in whole.rows)

    def _inside(self) -> dict[str, float]:
        vectors, valid = self.map(self.pixels, 0.0)
        found = {}
        for axis, length in zip(("rows", "columns"), self.rough.shape, strict=True):
            places = along(axis, vectors, valid, self.rough, self.starts(0.0, length), self.side)
            found[axis] = float(np.median(places[self.side // 4 + 1 : self.side - self.side // 4]))
        return found

    def measured(self, overlap: float) -> dict[str, Any]:
        vectors, valid = self.map(self.pixels, overlap)
        result: dict[str, Any] = {}
        for axis, length in zip(("rows", "columns"), self.rough.shape, strict=True):
            starts = self.starts(overlap, length)
            assert len(starts) > 2, "the scene is too small: no window lies between two others"
            places = along(axis, vectors, valid, self.rough, starts, starts[1])
            result[axis] = [place / self.inside[axis] for place in places]
        result["largest"] = max(*result["rows"], *result["columns"])
        result |= self._shifted(vectors, valid, overlap, starts[1])
        result["windows"] = len(self.starts(overlap, self.rough.shape[0])) * len(starts)
        return result

    def _shifted(self, vectors: np.ndarray, valid: np.ndarray, overlap: float, stride: int) -> dict[str, Any]:
        """Median and 95 % quantile of the difference, in units of the spread; and the paired steps by their place."""
        by = max(1, stride // 2)
        height, width = self.pixels.values.shape[2:]
        cut = self.pixels.read(
            Window(by * self.patch, by * self.patch, height - by * self.patch, width - by * self.patch)
        )
        other, there = self.map(cut, overlap)
        first, known = vectors[:, by:, by:], valid[by:, by:] & there
        inner = np.zeros(known.shape, bool)
        inner[self.side : -self.side, self.side : -self.side] = True
        known = known & (inner if inner.any() else True)
        spread = np.sqrt(vectors[:, valid].var(axis=1).sum())
        apart = np.linalg.norm((first - other)[:, known], axis=0) / spread
        rough = self.rough[by:, by:]
        turned = [each.transpose(0, 2, 1) for each in (first, other)]
        pairs = {
            "rows": paired(*turned, known.T, rough.T, by, stride),
            "columns": paired(first, other, known, rough, by, stride),
        }
        return {
            "shift": {"median": float(np.median(apart)), "p95": float(np.quantile(apart, 0.95))},
            "paired": pairs,
            "largest_paired": max(*pairs["rows"], *pairs["columns"]),
        }


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--scene", nargs="+", default=[], help="FILE, or FILE=SENSOR; default: a made one")
    parser.add_argument("--weights", default="untrained")
    parser.add_argument("--overlap", type=float, nargs="+", default=[0.25])
    parser.add_argument("--taper", choices=TAPERS, nargs="+", default=["cosine"])
    found = given(parser)
    model = load_model(found.weights, found.device)
    scenes, found.scene = found.scene, [Path(each).name for each in found.scene]
    result: dict[str, Any] = {**about(found), "limit": LIMIT, "fingerprint": model.fingerprint(), "cases": {}}
    result["inside"] = {}
    with tempfile.TemporaryDirectory() as folder:
        names = [name for name in GSDS if name != "B10"]
        for each in scenes or [f"{made(Path(folder) / 'scene_2020-05-01.tif', names, 512, 10)}=s2-l2a"]:
            path, _, sensor = each.partition("=")
            with open_raster(path, bands=sensor or None) as raster:
                scene, title = Scene(raster, model, batch=8), Path(path).stem
            result["inside"][title] = scene.inside
            for name in found.taper:
                rise = TAPERS[name]
                taper = planning.taper if rise is None else tapers(rise)
                with mock.patch.object(planning, "taper", taper):
                    for overlap in found.overlap:
                        result["cases"][f"{title}: {name}, overlap {overlap:g}"] = scene.measured(overlap)
    bars = {
        "largest step / inside": {name: case["largest"] for name, case in result["cases"].items()},
        "largest step / the same in the shifted grid": {
            name: case["largest_paired"] for name, case in result["cases"].items()
        },
        "shifted grid": {name: case["shift"]["median"] for name, case in result["cases"].items()},
    }
    write("seams", result, bars, "ratio; in units of the spread", found.out)


if __name__ == "__main__":
    main()
