"""How good a pretrained model is, on what one may choose by: labelled places, hidden bands, hidden tokens.

The reported half of what is held back is never opened here. Labels: all other places of the sets (those held back to
choose by are too few alone to tell models apart); pretraining has seen some of these images, of every model alike, and
no label. Hidden bands and tokens: only images that are held back to choose by.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from labelled_sets import DRAWN
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from torch import Tensor

from spectralgpt.data.augmentation import centred
from spectralgpt.data.shards import Shards, open_shards
from spectralgpt.draws import keys
from spectralgpt.features.encoder import EncoderImages
from spectralgpt.metrics.interpolation import harmonic
from spectralgpt.nn import Cube, draw_mask
from spectralgpt.products import open_raster
from spectralgpt.raster import Pixels
from spectralgpt.weights import SpectralGPT

BANDS_OF = {"eurosat_more": "eurosat", "forest_classes": "s2-l2a", "land_cover": "hls-l30"}
"""The labelled sets, and the sensor of each."""

TABLES = {"eurosat_more": "eurosat", "forest_classes": "forest", "land_cover": "land_cover"}
"""The names of their scores."""

DRAWS, PER_CLASS, FOLDS, STRENGTH = 20, 12, 5, 10.0
"""Draws of EuroSAT's training images, and images per class in each; folds of the other sets; the inverse strength of
regularization."""

HIDDEN_BANDS = ("B11", "B12")
SIDE, BATCH, SHARE = 64, 16, 0.75
"""Side of rebuilt images, pixels; how many at once; share of their tokens that is hidden."""

KNEE = 0.02
"""Errors of hidden tokens are those of asinh(reflectance / KNEE), the units of our models, in which a dark image counts
as much as a bright one."""

Vectors = Callable[[Sequence[Pixels]], np.ndarray]
"""Vectors of images of one shape with the same bands."""


# -- labelled places ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labelled:
    """The images of a set with their labels (several separated by semicolons), groups of places, and parts."""

    images: Sequence[Pixels]
    labels: Sequence[str]
    groups: Sequence[str]
    parts: Sequence[str]


def may_choose_by(
    rows: Sequence[dict[str, str]], parts: Sequence[dict[str, str]], name: str
) -> list[tuple[dict[str, str], str]]:
    """The rows of a labelled set that are not reported on, each with its part. parts: the rows that parts.py wrote.

    ValueError for a place without a part, as it might be one of those that are reported on.
    """
    of_group = {each["group"]: each["part"] for each in parts if each["set"] == DRAWN[name]}
    unknown = {row["group"] for row in rows} - of_group.keys()
    if unknown:
        raise ValueError(f"{name}: found places without a part: {sorted(unknown)[:6]}; expected those of parts.csv")
    found = [(row, of_group[row["group"]]) for row in rows]
    return [(row, part) for row, part in found if part in ("train", "choose")]


def labelled(work: Path, name: str) -> Labelled:
    """A set made by labelled_sets.py in WORK/sets, without the places that are reported on."""
    table = work / "sets" / name / "table.csv"
    rows = may_choose_by(_rows(table), _rows(work / "parts.csv"), name)
    return Labelled(
        [open_raster(table.parent / row["image"], bands=BANDS_OF[name]).read() for row, _ in rows],
        [row["label"] if "label" in row else row["labels"] for row, _ in rows],
        [row["group"] for row, _ in rows],
        [part for _, part in rows],
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def half_whitened(vectors: np.ndarray, power: float = 0.5) -> np.ndarray:
    """Vectors of unit length: standardized, and along each principal component divided by its size to this power."""
    exact = vectors.astype(np.float64)
    exact = (exact - exact.mean(axis=0)) / (exact.std(axis=0) + 1e-9)
    left, sizes, _ = np.linalg.svd(exact, full_matrices=False)
    kept = sizes > 1e-6 * sizes[0]
    made = left[:, kept] * sizes[kept] ** (1 - power)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def one_label(vectors: np.ndarray, labels: Sequence[str], groups: Sequence[str], draws: int = DRAWS) -> float:
    """Mean over draws and classes of the share that is right, on places from which no training image was drawn."""
    truth, place = np.array(labels), np.array(groups)
    classes, rng = sorted(set(labels)), np.random.default_rng(0)
    found = []
    for _ in range(draws):
        trained = np.concatenate([rng.permutation(np.flatnonzero(truth == each))[:PER_CLASS] for each in classes])
        tested = ~np.isin(place, place[trained])
        answers = _logistic().fit(vectors[trained], truth[trained]).predict(vectors[tested])
        right = answers == truth[tested]
        shares = [right[truth[tested] == each].mean() for each in classes if (truth[tested] == each).any()]
        found.append(np.mean(shares))
    return float(np.mean(found))


def several_labels(vectors: np.ndarray, labels: Sequence[str], groups: Sequence[str], folds: int = FOLDS) -> float:
    """Mean over classes of the average precision, each place answered by a model that was not trained on it."""
    sets = [set(each.split(";")) - {""} for each in labels]
    classes = sorted(set().union(*sets))
    truth = np.array([[name in each for name in classes] for each in sets])
    order = np.random.default_rng(0).permutation(sorted(set(groups)))
    fold_of = {name: number % folds for number, name in enumerate(order)}
    fold = np.array([fold_of[each] for each in groups])
    answers = np.zeros(truth.shape)
    for number in range(folds):
        trained = fold != number
        for column, known in enumerate(truth[trained].T):
            if known.all() or not known.any():
                answers[~trained, column] = known.mean()
            else:
                model = _logistic().fit(vectors[trained], known)
                answers[~trained, column] = model.predict_proba(vectors[~trained])[:, 1]
    scored = [column for column in range(len(classes)) if truth[:, column].any()]
    return float(np.mean([average_precision_score(truth[:, each], answers[:, each]) for each in scored]))


def _logistic() -> LogisticRegression:
    return LogisticRegression(C=STRENGTH, max_iter=300)


def vectors_of(images: Sequence[Pixels], vectors: Vectors) -> np.ndarray:
    """The vector of each image; those of one shape with the same bands are computed together."""
    together: dict[Any, list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        together[image.values.shape, image.bands].append(index)
    found: dict[int, np.ndarray] = {}
    for indices in together.values():
        for start in range(0, len(indices), BATCH):
            part = indices[start : start + BATCH]
            found |= zip(part, vectors([images[index] for index in part]), strict=True)
    return np.stack([found[index] for index in range(len(images))])


# -- hidden bands and tokens -------------------------------------------------------------------------------------------


def first_dates(shards: Shards) -> Iterator[tuple[int, np.ndarray, Any]]:
    """The samples of each layout at their first date, a few at once: layout, rows, samples."""
    for layout, count in enumerate(shards.counts):
        for start in range(0, count, BATCH):
            rows = np.arange(start, min(start + BATCH, count))
            yield layout, rows, shards.read(layout, rows, np.zeros((len(rows), 1), np.int64))


def cubes_of(model: SpectralGPT, shards: Shards) -> Iterator[tuple[int, Cube, Tensor]]:
    """The middles of all samples with their layout, and which tokens are hidden: the same for every model with the same
    bands."""
    for layout, rows, samples in first_dates(shards):
        cube = centred(samples, SIDE, model.config.bands, model.normalization, trained_side=model.config.image)
        grid = model.grid_of(cube)
        present = None if cube.valid is None else model.present(cube).flatten(1)
        key = torch.from_numpy(keys(0, 2, layout, rows).view(np.int64))
        mask = draw_mask("random", SHARE, (len(rows), *grid.shape[:2], grid.places), key, present)
        yield layout, cube, mask.hidden.reshape(len(rows), *grid.shape)


def bands_errors(model: SpectralGPT, shards: Shards) -> dict[str, float]:
    """Root mean square error of B11 and B12 together, hidden with their group, in reflectance: of all images of
    Sentinel-2, and by sensor."""
    squares: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for layout, cube, _ in cubes_of(model, shards):
        sensor = shards.layouts[layout].sensor
        if not (sensor.startswith("s2") and set(HIDDEN_BANDS) <= set(cube.bands.names)):
            continue
        bands = [cube.bands.names.index(each) for each in HIDDEN_BANDS]
        rebuilt = model.reconstruct(cube, hide=",".join(HIDDEN_BANDS))
        wrong = cube.scaling.reflectance(rebuilt.predicted) - cube.scaling.reflectance(cube.filled())
        scored = wrong[:, :, bands][cube.all_valid()[:, :, bands]].double()
        for name in ("hidden_bands", f"hidden_bands, {sensor}"):
            squares[name] += float(scored.square().sum())
            count[name] += scored.numel()
    return {name: (total / count[name]) ** 0.5 for name, total in squares.items()}


def tokens_error(model: SpectralGPT, shards: Shards) -> float:
    """Mean square error of the pixels of hidden tokens, of asinh(reflectance / KNEE)."""
    squares, count = 0.0, 0
    for _, cube, hidden in cubes_of(model, shards):
        rebuilt = model.reconstruct(cube, hide=hidden)
        units = [(cube.scaling.reflectance(each) / KNEE).asinh() for each in (rebuilt.predicted, cube.filled())]
        wrong = (units[0] - units[1])[rebuilt.hidden & cube.all_valid()].double()
        squares, count = squares + float(wrong.square().sum()), count + wrong.numel()
    return squares / count


def harmonic_error(model: SpectralGPT, shards: Shards) -> float:
    """What `tokens_error` is of harmonic interpolation from the visible pixels of the same band. model: for its bands
    alone."""
    squares, count = 0.0, 0
    for _, cube, hidden in cubes_of(model, shards):
        patch, (height, width) = model.config.patch, cube.shape[-2:]
        pixels = hidden.repeat_interleave(patch, dim=-2).repeat_interleave(patch, dim=-1)[..., :height, :width]
        unseen = pixels[:, :, list(cube.bands.group_of_band)]
        truth = (cube.scaling.reflectance(cube.filled()) / KNEE).asinh().double().flatten(0, 2).numpy()
        shown = (~unseen & cube.all_valid()).flatten(0, 2).numpy()
        scored = (unseen & cube.all_valid()).flatten(0, 2).numpy()
        wrong = (harmonic(truth, shown) - truth)[scored]
        squares, count = squares + float(np.square(wrong).sum()), count + wrong.size
    return squares / count


# -- all of it ---------------------------------------------------------------------------------------------------------


@dataclass
class Judge:
    """work: the folder that packaged_weights.py and labelled_sets.py (into WORK/sets) wrote to. harmonic: the error of
    harmonic interpolation, which is the same for all models, once it is measured."""

    work: Path
    harmonic: float | None = None

    @cached_property
    def sets(self) -> dict[str, Labelled]:
        return {name: labelled(self.work, name) for name in BANDS_OF}

    @cached_property
    def shards(self) -> Shards:
        return open_shards(self.work / "choose_shards")

    def of_features(self, vectors: Vectors) -> dict[str, float]:
        """The scores of frozen features, and their mean; eurosat_choose: on the places to choose by alone."""
        scores = {}
        for name, each in self.sets.items():
            made = half_whitened(vectors_of(each.images, vectors))
            judged = one_label if name == "eurosat_more" else several_labels
            scores[TABLES[name]] = judged(made, each.labels, each.groups)
            if name == "eurosat_more":
                apart = [index for index, part in enumerate(each.parts) if part == "choose"]
                some = [[values[index] for index in apart] for values in (each.labels, each.groups)]
                alone = one_label(made[apart], *some)
        mean = float(np.mean([scores[name] for name in TABLES.values()]))
        return {**scores, "mean": mean, "eurosat_choose": alone}

    def of_model(self, model: SpectralGPT, pixels: bool = True) -> dict[str, float]:
        """All scores of a model. pixels: whether it predicts pixels in the cube's units; if not, only its features."""
        scores = self.of_features(EncoderImages(model, read_out="layers").of)
        if not pixels:
            return scores
        if self.harmonic is None:
            self.harmonic = harmonic_error(model, self.shards)
        tokens = tokens_error(model, self.shards) / self.harmonic
        return {**scores, **bands_errors(model, self.shards), "tokens": tokens}
