"""The model card of the packaged weights: what they are, were trained on, reach, and are not good for.

python benchmarks/model_card.py WEIGHTS OUT.md --data DATA --work WORK
    WEIGHTS: a folder of weights that `packaged_weights.py DATA WORK` wrote. OUT.md: the README.md next to the weights,
    or docs/model_card.md, where results are links. Of docs/results, only what was measured with these weights is
    shown; write the card again after measuring.
"""

import argparse
import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_sources import DataSource
from four_tasks import (
    COLUMNS,
    UNTRAINED,
    against,
    all_tasks,
    row_title,
    score_title,
    seen_notes,
    sizes,
    values,
    verdict,
)
from machine import processor_facts
from real_images import LEFT_OUT
from trained_data import PARTS, Count, UsedImage, counts, used_images

from spectralgpt.bands import sensors
from spectralgpt.errors import counted, first_few
from spectralgpt.training.logs import read_log
from spectralgpt.version import RULES
from spectralgpt.weights import SpectralGPT, TrainedDomain, describe, load_model
from spectralgpt.weights.card import Description

DOCS = Path(__file__).resolve().parents[1] / "docs"

RESULTS = {
    "four_tasks": "probes of frozen features, and baselines",
    "hidden_bands": "hidden bands rebuilt, and by regression and boosting",
    "fewer": "accuracy with fewer bands, other pixel sizes and fewer labels",
}
"""Files of docs/results, and what they hold."""

RUNS = ("run", "decoder")
"""Folders of the two runs, one after the other, in the folder of packaged_weights.py."""

COMMAND = "python benchmarks/packaged_weights.py DATA WORK"

MOST_BANDS = 16
"""Of a sensor, that the card lists by name."""


@dataclass(frozen=True)
class StageRun:
    """A stage as it ran. images: shown, repeats counted. seconds: of its steps."""

    name: str
    steps: int
    images: int
    seconds: float


@dataclass(frozen=True)
class RunFacts:
    """A run of pretraining. config: of its config.json."""

    folder: Path
    config: Mapping[str, Any]
    stages: Sequence[StageRun]

    @classmethod
    def read(cls, folder: Path) -> "RunFacts":
        config = json.loads((folder / "config.json").read_text())
        return cls(folder, config, stages_of(config, read_log(folder / "log.jsonl")))


def stages_of(config: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> list[StageRun]:
    """Steps, images and seconds of each stage, from a run's config.json and log.jsonl. Seconds are those of the steps
    that the log keeps: not of steps that were repeated after an interruption."""
    found, last_step, before = [], 0, 0.0
    for stage in config["recipe"]["stages"]:
        records = [each for each in log if each.get("stage") == stage["name"] and each.get("seconds") is not None]
        if not records:
            continue
        seconds = 0.0
        for each in records:
            # a resumed run, and maybe a stage, counts from 0 again
            seconds += each["seconds"] - (before if each["seconds"] >= before else 0.0)
            before = each["seconds"]
        # of the whole run, or of the stage
        first, last = int(records[0]["step"]), int(records[-1]["step"])
        steps = last - last_step if first > last_step else last
        last_step = last
        found.append(StageRun(stage["name"], steps, steps * stage["data"]["batch"], seconds))
    return found


# -- sections ----------------------------------------------------------------------------------------------------------


def what_it_is(name: str, about: Description, runs: Sequence[RunFacts]) -> Iterator[str]:
    tasks = [stage["task"] for stage in runs[0].config["recipe"]["stages"]]
    yield f"# {name}"
    yield (
        f"A small SpectralGPT that comes with the Python package spectralgpt: {about.purpose}. It is pretrained "
        f"without labels: a share of {joined(task['mask_ratio'] for task in tasks)} of the tokens is hidden and "
        f"rebuilt{descriptors(tasks)} Then the decoder alone was trained to rebuild whole bands and dates, too. It adds"
        f" to the estimates of a mixture of {runs[1].config['recipe']['model']['gaussians']} Gaussians of all bands."
    )
    yield table(
        ("", ""),
        [
            ("size", f"{about.size}: width {about.width}, {about.depth} blocks, {about.heads} heads"),
            ("decoder", about.decoder or "none"),
            ("parameters", f"{about.parameters:,}, of which encoder {about.encoder_parameters:,}"),
            ("images", f"{about.image} x {about.image} pixels in patches of {about.patch} x {about.patch}"),
            ("position tables", "; ".join(about.positions)),
            ("read-out", about.read_out),
            ("fingerprint", f"`{about.fingerprint}`"),
            ("rules", f"{RULES}: vectors compare only with those of the same weights and the same rules"),
            ("licence", about.licence or "Apache-2.0, as the package; the data keep their own terms (NOTICE)"),
        ],
    )


def descriptors(tasks: Sequence[Mapping[str, Any]]) -> str:
    """The end of the sentence on what is learnt."""
    weights = [task["descriptor_weight"] for task in tasks if task.get("descriptor_weight")]
    if not weights:
        return "."
    return (
        f", and descriptors of each place and of 5 x 5 places around it are predicted (weight {joined(weights)}). "
        "These are hand-made features: mean and spread of each band, gradients, differences of bands. A loss on them "
        "distils hand-made features into the network, so part of what it reaches is theirs."
    )


def data(rows: Sequence[tuple[DataSource, dict[str, Count]]], used: Mapping[str, Sequence[UsedImage]]) -> Iterator[str]:
    total = {part: Count.of(used[part]) for part in PARTS}
    yield "## Data"
    yield (
        f"{total['train'].images:,} images of {total['train'].places:,} places "
        f"({total['train'].bytes / 1e6:.0f} MB on disk), cut into chips. They are what was at hand, not a sample of "
        "the Earth. Numbers are images of places, and MB; all dates of a place are in one part. The licence is that of "
        "the data, or of the repository or package that contains them. No image is in the package. Sources and "
        "authors: NOTICE."
    )
    cells = [
        (each.title, each.licence, "" if each.covers == "none" else each.covers, *(str(count[part]) for part in PARTS))
        for each, count in rows
    ]
    cells.append(("**all**", "", "", *(str(total[part]) for part in PARTS)))
    yield table(("data", "licence", "of", *PARTS.values()), cells)
    silent = [each.title for each, count in rows if each.covers == "none" and count["train"].images]
    if silent:
        yield f"No licence of the data is stated for: {'; '.join(silent)}."


def not_trained_on(rows: Sequence[tuple[DataSource, dict[str, Count]]]) -> Iterator[str]:
    held = {
        part: [each.title for each, count in rows if count[part].images] for part in PARTS if part != "train"
    }  # fmt: skip
    files = defaultdict(list)
    for name, why in LEFT_OUT.items():
        files[why].append(f"`{name}`")
    yield "## Not trained on"
    yield listed(
        [
            "Labels: they are no input, no target, and no reason to choose an image.",
            *(f"Places {PARTS[part]}: of {'; '.join(titles)}." for part, titles in held.items() if titles),
            "Anything within 1 km of a place that is held back, and the 120 EuroSAT images of the evaluation with all "
            "that lies within 10 km of them.",
            "The demo's scene.",
            "Images that their source calls cloudy over half of their pixels.",
            *(f"{', '.join(names)} of DATA: {why}." for why, names in files.items()),
        ]
    )


def bands(model: SpectralGPT, about: Description) -> Iterator[str]:
    yield "## Bands, levels, pixel sizes"
    yield (
        "Bands are matched by name, sensor and wavelength, never by position; any subset works. The model's own, in "
        f"{counted(len(about.groups), 'group')}: {' | '.join(', '.join(group) for group in about.groups)}."
    )
    yield table(
        ("band", "sensor", "wavelength (nm)", "FWHM (nm)", "pixel (m)"),
        [
            (band.name, band.sensor, f"{band.wavelength:g}", f"{band.fwhm:g}", f"{band.gsd:g}")
            for band in about.bands
        ],
    )  # fmt: skip
    stated = TrainedDomain.of(model.provenance)
    domain = stated or TrainedDomain.of_normalization(model.normalization)
    levels = {each.name: each.level for each in sensors()}
    yield "Trained on these sensors and bands:"
    yield table(
        ("sensor", "level", "bands"),
        [(name, levels.get(name) or "", first_few(names, MOST_BANDS)) for name, names in domain.sensors],
    )
    pixels = "not recorded" if domain.gsd is None else "{:.3g} to {:.3g} m".format(*domain.gsd)
    dates = f"up to {counted(domain.dates, 'date')}" if stated else "not recorded"
    yield f"Pixels: {pixels}. Dates of one place: {dates}. Commands warn outside of this."


def normalization(about: Description) -> Iterator[str]:
    yield "## Normalization"
    yield (
        "The input is reflectance (stored value x scale + offset), normalized by the method "
        f"{about.normalization.split('; statistics')[0]}. Means and deviations of "
        f"{counted(len(about.statistics), 'band')} are in config.json."
    )


def compute(runs: Sequence[RunFacts], about: Description) -> Iterator[str]:
    recipes, config = [each.config["recipe"] for each in runs], runs[-1].config
    versions = ", ".join(f"{name} {number}" for name, number in config.get("versions", {}).items())
    yield "## Training"
    names = ", then ".join(f"`{each['name']}` (seed {each['seed']})" for each in recipes)
    yield f"Recipes {names}; {about.data or 'data not declared'}; {versions}."
    stages = [stage for each in runs for stage in each.stages]
    rows = [(each.name, f"{each.steps:,}", f"{each.images:,}", hours(each.seconds)) for each in stages]
    images, seconds = sum(each.images for each in stages), sum(each.seconds for each in stages)
    rows.append(("all", f"{sum(each.steps for each in stages):,}", f"{images:,}", hours(seconds)))
    yield table(("stage", "steps", "images shown", "time"), rows)
    name = processor_facts().get("model name", platform.processor() or "unknown processor")
    yield (
        f"On {counted(os.cpu_count() or 1, 'core')} of {name} (the machine that wrote this card). "
        f"{max(config['samples']):,} of the samples are trained on; the others are held back to watch the loss."
    )


def results(fingerprint: str, folder: Path, links: bool) -> Iterator[str]:
    yield "## Results"
    measured = {name: found for name in RESULTS if (found := result_of(folder / f"{name}.json", fingerprint))}
    cases = [case for case in measured.get("four_tasks", {}).get("cases", ()) if case["fingerprint"] == fingerprint]
    if cases:
        yield (
            "Frozen features, read by the probe that inner folds choose, with 95 % intervals by bootstrap over places; "
            "the last two columns are paired differences."
        )
        own = ("pretrained - untrained", "pretrained - best other")
        yield table(("task", "score", "images, places", *COLUMNS.values(), *own), [probe_row(case) for case in cases])
        yield listed([*all_tasks(cases), *(seen_notes(cases) or ["Pretraining saw none of these images."])])
    yield listed(
        [
            f"{text}: {shown(name, folder, links) if name in measured else 'not measured with these weights yet'}."
            for name, text in RESULTS.items()
        ]
    )


def limits(used: Mapping[str, Sequence[UsedImage]], runs: Sequence[RunFacts], about: Description) -> Iterator[str]:
    trained, seconds = Count.of(used["train"]), sum(stage.seconds for each in runs for stage in each.stages)
    yield "## Not good for"
    yield listed(
        [
            "Decisions that need law or safety behind them: compliance, insurance, navigation, disaster response, "
            "anything about single people or their property. Rebuilt pixels are guesses, not measurements.",
            f"The last points of accuracy: it is small ({about.parameters / 1e6:.1f} M parameters, {hours(seconds)} of "
            f"training, {trained.images:,} images of {trained.places:,} places in few regions). Fine-tune it, or use a "
            "larger model.",
            "Proof that pretraining by rebuilding works: where descriptors are a target, it learns hand-made features "
            "in part. Hand-made features alone are among the baselines; compare.",
            "What it was not evaluated on: anything but EuroSAT (Sentinel-2 L1C, Europe), forest sites in Czechia "
            "(L2A), HLS chips with water, the OSCD cities, and the few more sets in the table. Nothing was "
            "measured on ice, in tropical forests or under clouds, nor on sensors that the results do not name.",
            "Raw numbers, radiance, radar, thermal bands: the input is reflectance.",
            "Images that are not checked: an offset or scale that is not stated gives wrong vectors.",
        ]
    )


def repeated() -> Iterator[str]:
    yield "## To repeat it"
    yield f"```\n{COMMAND}\n```"
    yield "DATA is a folder of the images above. It draws the parts, trains, measures the read-out and writes a card."


def probe_row(case: Mapping[str, Any]) -> list[str]:
    """A line of the table of probes."""
    return [
        row_title(case),
        score_title(case),
        sizes(case),
        *values(case),
        against(case["columns"][UNTRAINED]),
        verdict(case),
    ]


# -- text --------------------------------------------------------------------------------------------------------------


def result_of(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The content of a result file that was made with these weights; None for any other, and where there is none."""
    found = json.loads(path.read_text()) if path.exists() else None
    return found if isinstance(found, dict) and fingerprint in fingerprints(found) else None


def fingerprints(value: Any) -> Iterator[str]:
    """All that a result file calls a fingerprint."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from [each] if name == "fingerprint" and isinstance(each, str) else fingerprints(each)
    elif isinstance(value, list):
        for each in value:
            yield from fingerprints(each)


def shown(name: str, folder: Path, links: bool) -> str:
    """The files of a result, as links from docs or as names in the repository."""
    files = sorted(each.name for each in folder.glob(f"{name}*") if each.suffix in (".md", ".json", ".png"))
    return ", ".join(f"[{file}](results/{file})" if links else f"`docs/results/{file}`" for file in files)


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.0f} minutes"


def joined(numbers: Any) -> str:
    return ", ".join(dict.fromkeys(f"{each:g}" for each in numbers))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def listed(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def require_same_runs(model: SpectralGPT, runs: Sequence[RunFacts]) -> None:
    """Ends the program where the weights say that they are of other runs."""
    (first, last), made = runs, model.provenance
    before = made.get("from", {})
    recipe = last.config["recipe"]
    of_runs = {
        "from": (first.config["recipe"]["name"], sum(each.steps for each in first.stages)),
        "name": recipe["name"],
        "seed": recipe["seed"],
        "stages": [each["name"] for each in recipe["stages"]],
    }
    stated = {
        "from": (before.get("recipe"), before.get("steps")),
        "name": made.get("recipe"),
        "seed": made.get("seed"),
        "stages": list(made.get("stages", ())),
    }
    if stated != of_runs:
        sys.exit(f"{last.folder}: found the run {of_runs}; expected that of the weights, {stated}")


def card(weights: Path, folder: Path, work: Path, results_in: Path, links: bool) -> str:
    """The card. folder: of the images; work: of packaged_weights.py. links: whether it lies in docs."""
    model = load_model(weights, "cpu", "pretraining")
    assert isinstance(model, SpectralGPT)
    about = describe(model)
    runs = [RunFacts.read(work / name) for name in RUNS]
    require_same_runs(model, runs)
    used = used_images(folder, work)
    rows = counts(used)
    blocks = [
        *what_it_is(weights.resolve().name, about, runs),
        *data(rows, used),
        *not_trained_on(rows),
        *bands(model, about),
        *normalization(about),
        *compute(runs, about),
        *results(about.fingerprint, results_in, links),
        *limits(used, runs, about),
        *repeated(),
    ]
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the folder of images that was trained on")
    parser.add_argument("--work", type=Path, required=True, help="the folder that packaged_weights.py worked in")
    parser.add_argument("--results", type=Path, default=DOCS / "results")
    given = parser.parse_args()
    links = given.out.resolve().parent == DOCS
    given.out.write_text(card(given.weights, given.data, given.work, given.results, links))
    print(given.out)


if __name__ == "__main__":
    main()
