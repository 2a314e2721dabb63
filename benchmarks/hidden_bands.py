"""How well hidden bands and hidden dates are rebuilt on held-back places, beside ways that are fitted or interpolate.

python benchmarks/hidden_bands.py DATA WORK --weights W --out docs/results/hidden_bands.json
    DATA: a folder of real images. WORK: where parts.py wrote its tables. Writes the results as JSON and, beside it, a
    table (.md). --part: the places that are judged; those of `report` are looked at once, when all choices are made.

Hidden bands, Sentinel-2 of each level apart: the group of each named band is hidden at every place of an image, so no
way sees any band of the group. Linear regression and boosting predict a band from the visible bands of the same pixel;
they are fitted on pixels of the images of that level that the weights were trained on (WORK/train), equally many of
each image. Hidden dates: each date of a pair, from the other.
"""

import argparse
import csv
import json
import platform
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cut_images import clipped, patches
from four_tasks import described
from pixel_regression import SAMPLED, SEED, Fitted, training_spectra
from place_intervals import compared, shown, verdict
from real_images import SEPTEMBERS

from spectralgpt.bands import canonical
from spectralgpt.metrics import in_time
from spectralgpt.nn import Hide, computing_in
from spectralgpt.products import open_raster
from spectralgpt.raster import Pixels, Window
from spectralgpt.weights import SpectralGPT, load_model

HIDDEN = {"B11, B12": ("B11", "B12"), "B8A": ("B8A",), "B5 to B7": ("B5", "B6", "B7")}
"""What is hidden, each with its groups."""

LEVELS = {"L1C": ("eurosat", "eurosat_more", "oscd"), "L2A": ("bark_beetle",)}
"""The held-back sets of each level, by the names of parts.py."""

PAIRS = ("oscd", "bark_beetle")
"""Those with two dates of a place; none that is held back has more."""

SENSORS = {"eurosat": "eurosat", "eurosat_more": "eurosat", "bark_beetle": "s2-l2a"}
"""How bands are read where the files do not name them."""

ALL = "mean of these"
"""The mean over bands of the errors of an image."""

SIDE = 64
"""Pixels: larger images are cut into squares of this side."""

MODEL = "model"
WAYS = {
    MODEL: "model",
    "boosting": "boosting",
    "linear": "linear regression",
    "mean": "training mean",
    "nearest": "nearest date",
    "in_time": "linear in time",
}


@dataclass(frozen=True)
class Sample:
    """What is opened of a held-back image. paths: one per date."""

    set: str
    place: str
    paths: tuple[str, ...]


# -- images ------------------------------------------------------------------------------------------------------------


def samples_of(rows: Sequence[Mapping[str, str]], data: Path, part: str) -> list[Sample]:
    """The held-back images of a part; rows: of parts.csv. Two dates of one place are one sample."""
    dates: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row["part"] == part and any(row["set"] in sets for sets in LEVELS.values()):
            relative = Path(row["path"])
            # a group may have several sites, each with two images of one file name
            name = relative.name if row["set"] == "bark_beetle" else ""
            name = name or (row["group"] if row["set"] == "oscd" else row["path"])
            stated = [day for year, day in SEPTEMBERS.items() if year in row["path"]]
            dates[row["set"], row["group"], name].append("@".join([str(data / relative), *stated]))
    return [Sample(name, place, tuple(sorted(paths))) for (name, place, _), paths in dates.items()]


def opened(paths: Sequence[str], sensor: str) -> Pixels:
    with open_raster(list(paths), bands=sensor or None) as raster:
        return raster.read()


def tiles(pixels: Pixels) -> Iterator[Pixels]:
    """The image in squares of SIDE pixels; a smaller one whole."""
    height, width = pixels.shape[2:]
    for window in patches((height, width), SIDE):
        rows, columns = clipped(window, (height, width))
        yield pixels.read(Window(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start))


def one_date(pixels: Pixels, date: int) -> Pixels:
    only = slice(date, date + 1)
    valid = None if pixels.valid is None else pixels.valid[only]
    return replace(pixels, values=pixels.values[only], valid=valid, days=pixels.days[only])


# -- errors ------------------------------------------------------------------------------------------------------------


def rmse(prediction: np.ndarray, truth: np.ndarray) -> float:
    """nan without a pixel."""
    if not len(truth):
        return float("nan")
    return float(np.sqrt(np.mean((prediction.astype(np.float64) - truth.astype(np.float64)) ** 2)))


def rebuilt(model: SpectralGPT, pixels: Pixels, hide: Hide | str) -> tuple[np.ndarray, tuple[str, ...], set[str]]:
    """The model's prediction (date, band, row, column) in reflectance, the names of these bands, and which of them were
    hidden."""
    cube = model.cube(pixels, reconstructing=True)
    with torch.inference_mode(), computing_in("fp32", model.device):
        found = model.reconstruct(cube, hide)
    hidden = found.hidden[0].flatten(2).any(dim=2).any(dim=0).tolist()
    names = tuple(canonical(name) for name in cube.bands.names)
    hidden_names = {name for name, is_hidden in zip(names, hidden, strict=True) if is_hidden}
    return cube.scaling.reflectance(found.predicted)[0].numpy(), names, hidden_names


def known(pixels: Pixels, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance and where it is valid (date, band, row, column), of these bands."""
    index = {canonical(band.name): at for at, band in enumerate(pixels.bands)}
    chosen = [index[name] for name in names]
    values = pixels.reflectance()[:, chosen]
    return values, np.ones(values.shape, bool) if pixels.valid is None else pixels.valid[:, chosen]


def band_errors(
    model: SpectralGPT, pixels: Pixels, wanted: Sequence[str], fitted: Fitted
) -> dict[str, dict[str, float]]:
    """Errors of one date per band and way, over the pixels where all bands are valid."""
    prediction, names, hidden = rebuilt(model, pixels, ",".join(wanted))
    truth, valid = known(pixels, names)
    there = valid[0].all(axis=0)
    spectra, by_model = (each[0][:, there].T for each in (truth, prediction))
    # the columns of those that are fitted
    ordered = spectra[:, [names.index(name) for name in fitted.names]]
    visible = tuple(name for name in fitted.names if name not in hidden)
    errors: dict[str, dict[str, float]] = {}
    for band in wanted:
        exact = spectra[:, names.index(band)]
        errors[band] = {MODEL: rmse(by_model[:, names.index(band)], exact)}
        for way in ("boosting", "linear", "mean"):
            found = fitted.predicted(way, band, visible, ordered) if len(exact) else exact
            errors[band][way] = rmse(found, exact)
    return errors


def date_errors(model: SpectralGPT, pixels: Pixels, date: int) -> dict[str, dict[str, float]]:
    """Errors of a hidden date per band and way, over the pixels that are valid and have a visible date."""
    prediction, names, _ = rebuilt(model, pixels, Hide(dates=(date,)))
    truth, valid = known(pixels, names)
    visible = valid.copy()
    visible[date] = False
    estimates, has_other = in_time(truth, visible, pixels.days.tolist(), date)
    errors = {}
    for at, name in enumerate(names):
        there = valid[date, at] & has_other[at]
        ways = {MODEL: prediction[date, at], "nearest": estimates[0, at], "in_time": estimates[1, at]}
        errors[name] = {way: rmse(each[there], truth[date, at][there]) for way, each in ways.items()}
    return errors


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of images: a row each, by band and way; the place of each."""

    rows: list[dict[str, dict[str, float]]]
    places: list[str]

    def add(self, row: dict[str, dict[str, float]], place: str) -> None:
        self.rows.append(row)
        self.places.append(place)

    def summary(self) -> dict[str, Any]:
        """Means over places per band and, of several bands, of their mean."""
        bands = list(self.rows[0])
        columns = {band: [row[band] for row in self.rows] for band in bands}
        if len(bands) > 1:
            columns[ALL] = [
                {way: float(np.mean([row[band][way] for band in bands])) for way in row[bands[0]]} for row in self.rows
            ]
        ways = list(self.rows[0][bands[0]])
        return {
            "images": len(self.rows),
            "places": len(set(self.places)),
            "bands": {
                band: compared({way: [each[way] for each in column] for way in ways}, self.places, MODEL)
                for band, column in columns.items()
            },
        }


# -- the run -----------------------------------------------------------------------------------------------------------


def hidden_bands(model: SpectralGPT, samples: Sequence[Sample], work: Path, level: str) -> dict[str, Any]:
    """Hidden bands on the images of a level."""
    names = tuple(canonical(name) for name in model.config.bands.names)
    spectra, images = training_spectra(work, level, names)
    fitted = Fitted(names, spectra, {})
    errors = {title: Errors([], []) for title in HIDDEN}
    for sample in samples:
        for tile in tiles(opened(sample.paths, SENSORS.get(sample.set, ""))):
            for date in range(tile.shape[0]):
                for title, wanted in HIDDEN.items():
                    errors[title].add(band_errors(model, one_date(tile, date), wanted, fitted), sample.place)
    groups = {title: sorted(hidden_with(model, wanted), key=names.index) for title, wanted in HIDDEN.items()}
    return {
        "sets": dict(Counter(sample.set for sample in samples)),
        "fitted": {"pixels": len(spectra), "images": images},
        "hidden": {title: {"bands_hidden": groups[title], **each.summary()} for title, each in errors.items()},
    }


def hidden_with(model: SpectralGPT, wanted: Sequence[str]) -> set[str]:
    """All bands of the groups of these."""
    groups = [{canonical(band.name) for band in group.bands} for group in model.config.bands.groups]
    return set[str]().union(*(group for group in groups if group & set(wanted)))


def hidden_dates(model: SpectralGPT, samples: Sequence[Sample]) -> dict[str, Any]:
    """Hidden dates of samples of one set, each date in turn."""
    errors = Errors([], [])
    for sample in samples:
        for tile in tiles(opened(sample.paths, SENSORS.get(sample.set, ""))):
            for date in range(tile.shape[0]):
                errors.add(date_errors(model, tile, date), sample.place)
    return {"dates": dict(Counter(len(sample.paths) for sample in samples)), **errors.summary()}


# -- the table ---------------------------------------------------------------------------------------------------------

NOTES = (
    "Root mean square error in reflectance per image (squares of 64 pixels of larger ones), means over the images of a "
    "place, then over places; 95 % intervals by bootstrap over places. Fewer than 20 places give too narrow an "
    "interval, one place gives none.",
    "The last columns are paired differences, below 0 where the model is better; open: the interval holds 0.",
    "Bands are hidden by groups, at every place: what else is hidden with them is named, and no way sees it.",
    "Linear regression and boosting (scikit-learn's HistGradientBoostingRegressor as it is) see the visible bands of "
    "the same pixel, and are fitted on images of the same level that the weights were trained on.",
    "Of two dates, the nearest date and linear in time are the same. No held-back place has three dates.",
)

LEVEL_TITLES = {"L1C": "Sentinel-2 L1C", "L2A": "Sentinel-2 L2A"}
PAIR_TITLES = {"oscd": "OSCD, L1C", "bark_beetle": "bark beetle, L2A"}


def table(result: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    facts = [f"Weights: {result['weights']['text']}", f"Places of the part {result['part']!r}.", *sources(result)]
    return "\n".join([
        "# Hidden bands and hidden dates",
        "",
        f"Made by `{result['command']}`; numbers and versions in [hidden_bands.json](hidden_bands.json).",
        "",
        *of_ways("hidden; error of", bands_of(result), (MODEL, "boosting", "linear", "mean"), ("linear", "boosting")),
        "",
        *of_ways("hidden date; error of", dates_of(result), (MODEL, "nearest", "in_time"), ("nearest", "in_time")),
        "",
        *(f"- {note}" for note in (*facts, *NOTES)),
        "",
    ])  # fmt: skip


def sources(result: Mapping[str, Any]) -> list[str]:
    """What was judged and fitted, a sentence per level."""
    found = []
    for level, each in result["bands"].items():
        sets = ", ".join(f"{count} of {name}" for name, count in each["sets"].items())
        fitted = each["fitted"]
        found.append(f"{level}: {sets}; fitted on {fitted['pixels']} pixels of {fitted['images']} images.")
    return found


Case = tuple[str, str, Mapping[str, Any]]
"""What the rows are about, how many images and places, and the errors by band and way."""


def bands_of(result: Mapping[str, Any]) -> Iterator[Case]:
    for level, each in result["bands"].items():
        for title, found in each["hidden"].items():
            companions = [band for band in found["bands_hidden"] if band not in HIDDEN[title]]
            also = f" (with {', '.join(companions)})" if companions else ""
            yield f"{LEVEL_TITLES[level]}, {title}{also}", f"{found['images']}, {found['places']}", found["bands"]


def dates_of(result: Mapping[str, Any]) -> Iterator[Case]:
    for name, found in result["dates"].items():
        yield PAIR_TITLES[name], f"{found['images']}, {found['places']}", {ALL: found["bands"][ALL]}


def of_ways(title: str, cases: Iterator[Case], ways: Sequence[str], against: Sequence[str]) -> list[str]:
    """A table with a column per way, the least error in bold, and the differences of the model from some."""
    head = [title, "images, places", *(WAYS[way] for way in ways), *(f"model - {WAYS[way]}" for way in against)]
    rows = []
    for about, sizes, bands in cases:
        for band, errors in bands.items():
            best = min(errors[way]["value"] for way in ways)
            cells = [shown(errors[way]) for way in ways]
            bold = [
                f"**{cell}**" if errors[way]["value"] == best else cell for way, cell in zip(ways, cells, strict=True)
            ]
            differences = [verdict(errors[way], lower_is_better=True) for way in against]
            rows.append([f"{about}; {band}", sizes, *bold, *differences])
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def save(out: Path, result: Mapping[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    out.with_suffix(".md").write_text(table(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--trained-on", default="", help="the data of the pretraining in words, for the notes")
    parser.add_argument("--part", choices=("choose", "report"), default="choose")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file; the table is written beside it")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.process_time()
    model = load_model(given.weights, "cpu", "pretraining")
    assert isinstance(model, SpectralGPT), "weights of pretraining"
    with (given.work / "parts.csv").open(newline="") as file:
        samples = samples_of(list(csv.DictReader(file)), given.data.resolve(), given.part)
    result: dict[str, Any] = {
        "command": f"python benchmarks/hidden_bands.py DATA WORK --weights W --part {given.part} --out OUT",
        "weights": described(given.weights, given.trained_on),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("spectralgpt", "torch", "numpy", "scikit-learn")},
        },
        "part": given.part,
        "settings": {"side": SIDE, "sampled": SAMPLED, "seed": SEED},
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "bands": {},
        "dates": {},
    }
    for level, sets in LEVELS.items():
        own = [sample for sample in samples if sample.set in sets]
        result["bands"][level] = hidden_bands(model, own, given.work, level)
        print(f"{level}: {round(time.process_time() - start)} s", flush=True)
    for name in PAIRS:
        result["dates"][name] = hidden_dates(model, [sample for sample in samples if sample.set == name])
    result["cpu_seconds"] = round(time.process_time() - start, 1)
    save(given.out, result)


if __name__ == "__main__":
    main()
