"""How accurate a probe of frozen image vectors stays with fewer bands, other pixel sizes and fewer labels.

python benchmarks/fewer.py DATA WORK --weights W --out docs/results/fewer.json
    DATA: a folder of real images. WORK: where parts.py wrote parts.csv; the features are kept there too. Writes the
    results as JSON and, beside it, a table (.md) and a picture (.png).

EuroSAT's 120 images (10 classes) and the images of eurosat_more that are reported on (5 classes, other places). Every
kind of features sees the same bands and pixels. Bands and pixel sizes: 5 folds over places, all labels of the other
folds. Labels: k per class, of EuroSAT from the other folds (of 6, so that 10 per class are there), of eurosat_more from
places that are not reported on. Each repeat draws anew.
"""

import argparse
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fewer_shown import KINDS, MODEL, SETS, write
from four_tasks import described
from joblib import Parallel, delayed
from labelled_sets import eurosat, eurosat_more, read_rows
from place_intervals import compared

from spectralgpt.bands import canonical
from spectralgpt.cores import available_cores
from spectralgpt.evaluation import (
    Method,
    Places,
    Targets,
    aim_of,
    choose,
    folds,
    inner_folds,
    nested_shots,
    places_of,
)
from spectralgpt.evaluation.methods import logistic, trees
from spectralgpt.features import Cache, EncoderImages
from spectralgpt.features.baselines import find, untrained
from spectralgpt.features.images import streamed_vectors
from spectralgpt.features.makers import ImageMaker
from spectralgpt.products import open_raster
from spectralgpt.raster import Grid, Pixels
from spectralgpt.raster.grid import composed
from spectralgpt.weights import PretrainedModel, load_model

NO_60_M = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
BANDS = {
    "12": ("B1", *NO_60_M[:8], "B9", "B11", "B12"),
    "10": NO_60_M,
    "6": ("B2", "B3", "B4", "B8", "B11", "B12"),
    "RGB-NIR": ("B2", "B3", "B4", "B8"),
    "RGB": ("B2", "B3", "B4"),
}
"""All but B10; without those of 60 m; and what other sensors have."""

SHOTS = {"eurosat": (5, 10), "eurosat_more": (5, 10, 50)}
"""Labels per class; EuroSAT has 12 images of each."""

FOLDS, SHOT_FOLDS = 5, 6
REPEATS = 10

PROBE = replace(logistic.METHOD, settings=tuple({"strength": strength} for strength in (1.0, 0.1, 0.01, 0.001)))
METHODS: Mapping[str, Method] = dict.fromkeys(KINDS, PROBE) | {"handmade_trees": trees.METHOD}


# -- images ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images with their labels. judged: those that are reported on; of the others labels may be drawn."""

    images: list[Pixels]
    labels: list[str]
    places: Places
    judged: np.ndarray

    @property
    def targets(self) -> Targets:
        names, number = np.unique(self.labels, return_inverse=True)
        return Targets.of_indices(number.astype(np.int64), len(names))

    def only_judged(self) -> "Labelled":
        at = np.flatnonzero(self.judged).tolist()
        ids = np.unique(self.places.ids[at], return_inverse=True)[1].astype(np.int64)
        images, labels = [self.images[index] for index in at], [self.labels[index] for index in at]
        return Labelled(images, labels, Places(ids, "groups"), np.ones(len(at), bool))


def labelled(name: str, data: Path, work: Path) -> Labelled:
    """The images of a set: all of EuroSAT are judged, of eurosat_more those of the part `report`."""
    made = (eurosat if name == "eurosat" else eurosat_more)(data, work / "sets")
    rows = read_rows(Path(made.source))
    parts = {row["path"]: row["part"] for row in read_rows(work / "parts.csv") if row["set"] == name}
    images = []
    for row in rows:
        with open_raster(row["image"], bands=made.bands) as raster:
            images.append(raster.read())
    judged = [parts[str(Path(row["image"]).relative_to(data))] == "report" for row in rows]
    positions = np.full((len(rows), 2), np.nan)
    places = places_of([row["group"] for row in rows], positions)
    return Labelled(images, [row["label"] for row in rows], places, np.array(judged))


def of_bands(pixels: Pixels, names: Sequence[str]) -> Pixels:
    """Only these bands."""
    index = {canonical(band.name): at for at, band in enumerate(pixels.bands)}
    chosen = [index[name] for name in names]
    return replace(
        pixels,
        values=np.ascontiguousarray(pixels.values[:, chosen]),
        valid=None if pixels.valid is None else pixels.valid[:, chosen],
        scale=pixels.scale[chosen],
        offset=pixels.offset[chosen],
        bands=tuple(pixels.bands[at] for at in chosen),
    )


def coarser(pixels: Pixels) -> Pixels:
    """The means of 2 x 2 pixels, of twice the size."""
    values = torch.from_numpy(pixels.values.astype(np.float32))
    return resized(pixels, torch.nn.functional.avg_pool2d(values, 2).numpy(), 2.0)


def finer(pixels: Pixels) -> Pixels:
    """Interpolated bilinearly to pixels of half the size."""
    values = torch.from_numpy(pixels.values.astype(np.float32))
    larger = torch.nn.functional.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)
    return resized(pixels, larger.numpy(), 0.5)


def resized(pixels: Pixels, values: np.ndarray, factor: float) -> Pixels:
    """With these values, on pixels that are larger by a factor."""
    assert pixels.valid is None or pixels.valid.all(), "whole images"
    transform = composed(pixels.grid.transform, type(pixels.grid.transform).scale(factor))
    grid = Grid(pixels.grid.crs, transform, *values.shape[-2:])
    return replace(pixels, values=values, valid=None, grid=grid, gsd=pixels.gsd * factor)


VARIANTS: Mapping[str, Callable[[Pixels], Pixels]] = {
    **{name: partial(of_bands, names=names) for name, names in BANDS.items()},
    "20 m": lambda pixels: coarser(of_bands(pixels, BANDS["12"])),
    "5 m": lambda pixels: finer(of_bands(pixels, BANDS["12"])),
}
WHOLE = "12"
"""The images as they are, at 10 m."""

SWEEPS = {"bands": tuple(BANDS), "pixel size": ("20 m", WHOLE, "5 m")}


# -- features ----------------------------------------------------------------------------------------------------------


def makers(model: PretrainedModel) -> dict[str, ImageMaker]:
    """What makes each kind of features. The untrained network has no measured read-out: it is read at four depths,
    like a model without one."""
    read_out = "auto" if model.read_out is not None else "layers"
    found: dict[str, ImageMaker] = {
        MODEL: EncoderImages(model, read_out=read_out),
        "untrained": EncoderImages(untrained(model, 0), read_out="layers"),
    }
    for name, baseline in (("statistics", "statistics"), ("handmade", "handmade"), ("handmade_trees", "handmade")):
        maker = find(baseline).images
        assert maker is not None, "made for images"
        found[name] = maker
    return found


def vectors(images: Sequence[Pixels], maker: ImageMaker, cache: Cache) -> np.ndarray:
    """A vector per image, from the cache where it has them."""
    stream = streamed_vectors(images.__getitem__, len(images), "image {}".format, [maker], cache, readers=1)
    rows = []
    for each in stream:
        if each.failure is not None:
            raise each.failure
        rows += each.vectors
    return np.stack(rows)


# -- probes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Draw:
    """Samples to fit to and to judge, in one repeat."""

    repeat: int
    train: np.ndarray
    test: np.ndarray


def of_folds(ids: np.ndarray, truth: np.ndarray, count: int, repeats: int) -> Iterator[Draw]:
    """Every sample judged once per repeat, fitted to the other folds of whole places."""
    for repeat in range(repeats):
        for train, test in folds(ids, truth, count, repeat).pairs():
            yield Draw(repeat, train, test)


def of_parts(judged: np.ndarray, repeats: int) -> Iterator[Draw]:
    """The judged samples, fitted to the others."""
    for repeat in range(repeats):
        yield Draw(repeat, np.flatnonzero(~judged), np.flatnonzero(judged))


def with_shots(draws: Iterator[Draw], truth: np.ndarray, shots: int) -> Iterator[Draw]:
    """Only so many samples of each class to fit to; the first of one order per repeat and fold, so 5 lie in 10."""
    for each in draws:
        (few,) = nested_shots(truth, each.train, [shots], each.repeat)
        yield replace(each, train=few)


def right(features: np.ndarray, targets: Targets, ids: np.ndarray, draws: Sequence[Draw], method: Method) -> np.ndarray:
    """The share of the repeats in which each sample is answered rightly; nan where it is never judged.

    The method's settings are chosen by folds of the samples to fit to.
    """
    aim = aim_of("class", targets.classes)
    hits, counts = np.zeros(len(features)), np.zeros(len(features))
    for each in draws:
        inner = inner_folds(ids, targets.truth, each.train, seed=each.repeat) if len(method.settings) > 1 else []
        found = choose(method, features, targets, inner, aim, each.repeat, samples=each.train)
        answered = found.fitted.probabilities(features[each.test]).argmax(axis=1)
        hits[each.test] += targets.truth[each.test, answered]
        counts[each.test] += 1
    return np.divide(hits, counts, out=np.full(len(hits), np.nan), where=counts > 0)


def timed(*of: Any) -> tuple[np.ndarray, float]:
    """What `right` returns, and the CPU seconds that it took, which the main process does not see."""
    start = time.process_time()
    return right(*of), time.process_time() - start


def point(
    features: Mapping[str, np.ndarray], data: Labelled, draws: Sequence[Draw], spent: list[float]
) -> dict[str, dict[str, Any]]:
    """Accuracy of each kind of features with its interval over places, and the model's differences. spent: gets the CPU
    seconds of the fits."""
    targets, ids = data.targets, data.places.ids
    # a process per core: fits of few samples use one thread
    ways = Parallel(n_jobs=min(available_cores(), len(features)))(
        delayed(timed)(values, targets, ids, draws, METHODS[kind]) for kind, values in features.items()
    )
    found = {kind: way.tolist() for kind, (way, _) in zip(features, ways, strict=True)}
    spent += [seconds for _, seconds in ways]
    return compared(found, [str(each) for each in ids], MODEL, by_place=False)


def curves(name: str, data: Labelled, made: Mapping[str, ImageMaker], cache: Cache, repeats: int) -> dict[str, Any]:
    """The points of all sweeps of a set, by sweep and what is varied."""
    result: dict[str, Any] = {sweep: {} for sweep in (*SWEEPS, "labels per class")}
    judged, spent = data.only_judged(), list[float]()
    truth, ids = judged.targets.truth, judged.places.ids
    draws = list(of_folds(ids, truth, FOLDS, repeats))
    for variant, changed in VARIANTS.items():
        images = [changed(each) for each in judged.images]
        features = {kind: vectors(images, maker, cache) for kind, maker in made.items()}
        found = point(features, judged, draws, spent)
        print(f"{name}, {variant}: {said(found)}", flush=True)
        for sweep, members in SWEEPS.items():
            if variant in members:
                result[sweep][variant if variant != WHOLE or sweep == "bands" else "10 m"] = found
    result["pixel size"] = {size: result["pixel size"][size] for size in ("20 m", "10 m", "5 m")}
    images = [VARIANTS[WHOLE](each) for each in data.images]
    features = {kind: vectors(images, maker, cache) for kind, maker in made.items()}
    truth, all_judged = data.targets.truth, bool(data.judged.all())
    for shots in SHOTS[name]:
        every = of_folds(data.places.ids, truth, SHOT_FOLDS, repeats) if all_judged else of_parts(data.judged, repeats)
        found = point(features, data, list(with_shots(every, truth, shots)), spent)
        print(f"{name}, {shots} per class: {said(found)}", flush=True)
        result["labels per class"][str(shots)] = found
    return {
        "images": len(judged.images),
        "places": judged.places.count,
        "classes": judged.targets.classes,
        "images_of_labels": len(data.images) - (0 if all_judged else len(judged.images)),
        "cpu_seconds_of_fits": round(sum(spent), 1),
        "curves": result,
    }


def said(found: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{kind} {each['value']:.3f}" for kind, each in found.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--trained-on", default="", help="the data of the pretraining in words, for the notes")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument(
        "--out", type=Path, required=True, help="the JSON file; table and picture are written beside it"
    )
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.process_time()
    data, work = given.data.resolve(), given.work.resolve()
    made, cache = makers(load_model(given.weights, "cpu")), Cache(work / "fewer_features")
    result: dict[str, Any] = {
        "command": "python benchmarks/fewer.py DATA WORK --weights W --out OUT",
        "weights": described(given.weights, given.trained_on),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("spectralgpt", "torch", "numpy", "scikit-learn")},
        },
        "settings": {"repeats": given.repeats, "folds": FOLDS, "folds_for_labels": SHOT_FOLDS, "bands": BANDS},
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "sets": {},
    }
    for name in SETS:
        result["sets"][name] = curves(name, labelled(name, data, work), made, cache, given.repeats)
    fits = sum(each["cpu_seconds_of_fits"] for each in result["sets"].values())
    result["cpu_seconds"] = round(time.process_time() - start + fits, 1)
    write(given.out, result)


if __name__ == "__main__":
    main()
