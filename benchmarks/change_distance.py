"""How well distances of embeddings find the labelled changes of OSCD, by ways to measure them, and thresholds on them.

Pairs are opened, and windows chosen, embedded and blended, as the verb `change` does, with the shift corrected where
it is over half a pixel. A place (8 x 8 pixels) has changed where over a quarter of its labelled pixels have. Means over
the pairs, each of which has its own scores.

    python benchmarks/change_distance.py --data DATA/oscd --weights tiny

Ways: cosine: 1 - cosine of the two vectors. length: of their difference. without context: the distance of
docs/change.md without the median of its window taken out. distance: as the verb measures it.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from spectralgpt.products import open_pair
from spectralgpt.raster import aligned, date_shift
from spectralgpt.scenes import tiled
from spectralgpt.scenes.changed import change_threshold, otsu
from spectralgpt.scenes.choosing import suited
from spectralgpt.scenes.distances import CommonChange, DatePairVectors
from spectralgpt.weights import PretrainedModel, load_model

CHANGED_SHARE = 0.25
"""Of the pixels of a place, above which it has changed."""

CHANGED_CODE = 2


@dataclass(frozen=True)
class PairVectors:
    """[value, row, column] of a pair, blended, and which places have both."""

    before: np.ndarray
    after: np.ndarray
    window: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, model: PretrainedModel, city: Path) -> "PairVectors":
        with open_pair(city / "imgs_1", city / "imgs_2") as raster:
            shift = date_shift(raster)
            moved = aligned(raster, shift) if shift.is_large else raster
            overlap, batch = suited(moved, model, own=False, overlap=None, batch=None)
            vectors = DatePairVectors.of(model)
            values, known = tiled(moved, model, vectors, overlap=overlap, batch=batch)
        before, after = vectors.both(values.astype(np.float64))
        return cls(before, after, values[2 * vectors.values :], known[0])

    def distances(self) -> dict[str, np.ndarray]:
        """By each way, of the known places."""
        before, after = self.before[:, self.known], self.after[:, self.known]
        apart = (after - before).astype(np.float32)
        spread = np.sqrt(np.mean([before.var(axis=1), after.var(axis=1)], axis=0))
        change = CommonChange(np.median(apart, axis=1), spread.astype(np.float32), int(self.known.sum()))
        window = self.window[:, self.known]
        # a window that differs as all places do has no context
        none = np.broadcast_to(change.common[:, None], window.shape)
        lengths = np.linalg.norm(before, axis=0) * np.linalg.norm(after, axis=0)
        return {
            "cosine": 1 - (before * after).sum(axis=0) / lengths,
            "length": np.linalg.norm(apart, axis=0),
            "without context": change.distances(apart[:, None], none[:, None])[0],
            "distance": change.distances(apart[:, None], window[:, None])[0],
        }


def changed_places(city: Path, patch: int, shape: tuple[int, int]) -> np.ndarray:
    """Where places have changed; pixels beyond the image do not count."""
    with rasterio.open(next((city / "cm").glob("*-cm.tif"))) as dataset:
        changed = dataset.read(1) == CHANGED_CODE
    rows, columns = shape
    padded = np.full((rows * patch, columns * patch), np.nan)
    padded[: changed.shape[0], : changed.shape[1]] = changed
    return np.nanmean(padded.reshape(rows, patch, columns, patch), axis=(1, 3)) > CHANGED_SHARE


def scores(truth: np.ndarray, distances: np.ndarray) -> dict[str, float]:
    """Of one way on one pair."""
    robust, apart = change_threshold(distances.astype(np.float32)).value, otsu(distances.astype(np.float64))
    return {
        "auc": roc_auc_score(truth, distances),
        "average precision": average_precision_score(truth, distances),
        "f1": f1_score(truth, distances > robust),
        "f1 at otsu": f1_score(truth, distances > apart),
        "share above": float((distances > robust).mean()),
        "share above otsu": float((distances > apart).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the cities of OSCD")
    parser.add_argument("--weights", default="tiny")
    parser.add_argument("--cities", nargs="+", help="default: all")
    choice = parser.parse_args()
    model = load_model(choice.weights, "cpu")
    started, pairs = time.perf_counter(), {}
    for city in sorted(each.parent for each in choice.data.glob("*/cm")):
        if choice.cities and city.name not in choice.cities:
            continue
        vectors = PairVectors.of(model, city)
        truth = changed_places(city, model.config.patch, vectors.known.shape)[vectors.known]
        ways = {way: scores(truth, found) for way, found in vectors.distances().items()}
        pairs[city.name] = {"changed": float(truth.mean()), "ways": ways}
        print(city.name, json.dumps(ways["distance"]), flush=True)
    ways = next(iter(pairs.values()))["ways"]
    mean = {
        way: {score: float(np.mean([each["ways"][way][score] for each in pairs.values()])) for score in ways[way]}
        for way in ways
    }
    seconds = time.perf_counter() - started
    changed = float(np.mean([each["changed"] for each in pairs.values()]))
    found = {"weights": model.fingerprint()[:16], "pairs": pairs, "mean": mean, "changed": changed, "seconds": seconds}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
