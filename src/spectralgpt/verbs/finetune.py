"""Labelled images in, a fine-tuned model and its report out, in a run that continues where it stopped."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from spectralgpt.progress import Progress, silent, unheard
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    Announced,
    LabelledData,
    LabelledObject,
    PathLike,
    ProbeOptions,
    ShowProgress,
)
from spectralgpt.verbs._probing import with_interval

if TYPE_CHECKING:
    from spectralgpt.training import Recipe
    from spectralgpt.verbs._fit_data import FitData
    from spectralgpt.verbs._fitting import Fit, FitOutcome

SUMMARY = "summary.json"
"""Scores of several seeds."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A fine-tuned model, or how far its run is.

    score: the name of the first score; value: it, on the part test, the mean over seeds; low, high: its interval over
    places, of a single seed; spread: of each score over seeds, as standard deviation; scores: all, by name; runs: the
    first score of each seed. All are empty or None before the end of the runs. counts: images of each part, classes,
    places. finished: False if it was interrupted; the same command continues. weights: of the model; of the first seed
    where there are several. thresholds: from which probability on classes are answered. seconds_expected: estimated
    before the run, None where it was continued. is_main: True in one process of a run only.
    """

    folder: Path
    recipe: str
    target: str
    finished: bool
    step: int
    steps: int
    score: str
    value: float | None
    low: float | None
    high: float | None
    scores: Mapping[str, float]
    spread: Mapping[str, float]
    runs: tuple[float, ...]
    seeds: tuple[int, ...]
    fraction: float
    counts: Mapping[str, int]
    split: str
    start: str
    thresholds: tuple[float, ...]
    weights: Path | None
    fingerprint: str | None
    report: str
    seconds: float
    seconds_expected: float | None
    is_main: bool = True
    marks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        ended = "finished" if self.finished else "interrupted and saved; the same command continues"
        lines = [f"{self.folder}: {self.recipe}, step {self.step} of {self.steps}, {ended} ({self.seconds:.0f} s)"]
        counts = ", ".join(f"{self.counts[part]} {part}" for part in ("train", "val", "test"))
        lines.append(f"{counts} ({self.split}); from {self.start}")
        for name, value in self.scores.items():
            spread = f" ± {self.spread[name]:.3f} over {len(self.seeds)} seeds" if self.spread else ""
            lines.append(f"  {name}  {self._scored(name, value)}{spread}")
        lines += [f"NOT COMPARABLE: {mark}" for mark in self.marks]
        if self.finished:
            results = ("summary.json", "seed-0") if len(self.seeds) > 1 else ("report.html", "weights")
            lines.append(", ".join(str(self.folder / each) for each in results))
        return "\n".join(lines)

    def _scored(self, name: str, value: float) -> str:
        if name != self.score or self.low is None or self.high is None:
            return f"{value:.3f}"
        return with_interval(value, self.low, self.high, "95 % interval ")


@with_shared_options
def finetune(
    data: LabelledData,
    *,
    out: PathLike,
    recipe: PathLike = "own",
    val: PathLike | LabelledObject | None = None,
    test: PathLike | LabelledObject | None = None,
    fraction: float = 1.0,
    seeds: int = 1,
    freeze: bool = False,
    set: str | Sequence[str] = (),
    announce: Announced = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[ProbeOptions],
) -> Finetuned:
    """Fine-tune a model on labelled images, and judge it.

    DATA is as for `probe`. Without a split, whole places are held back: a fifth to report on, and a fifth to choose the
    best state and the thresholds by. The same command continues a run, whatever stopped it; on Ctrl-C and SIGTERM the
    run is saved first. An estimate of the time comes first. To train with several processes, without an estimate, use
    torchrun: torchrun --nproc-per-node 8 -m spectralgpt finetune ...

    Args:
        out: Folder of the result: weights, report.html, metrics.json, and the run.
        recipe: The name of a recipe: own, which chooses head, length and rate by the labels and the number of images,
            or one of the paper's, like eurosat; or the config.json of a run. docs/finetuning.md lists them.
        val: Labelled images to choose by, where there is a test part; default: the part val of DATA, else a fifth of
            the places.
        test: Labelled images to report on; all of DATA is then trained on. Default: the part test of DATA, else a fifth
            of the places.
        fraction: Share of the training images that is used, like 0.1; their names are listed in the result.
        seeds: Number of runs, each with a seed of its own and, with a fraction, with images of its own; the mean and
            spread of their scores are reported.
        freeze: Train the head only; the encoder stays as it is.
        set: Change a setting of the recipe, like stages.0.lr=1e-4, stages.0.epochs=20 or machine.micro=8; can be
            repeated.
        weights: Weights to start from (a folder, a .pth file, or a name), or untrained, for a new model by the recipe
            (untrained:base for another size). Default: the newest tiny, if the package has one.
        seed: Seed of all random choices, and of the split by place.

    Example:
        spectralgpt finetune labelled --bands s2-l1c --out fine-tuned
    """
    import time
    from contextlib import nullcontext

    from spectralgpt.training.distribution import placement
    from spectralgpt.verbs._fit_data import opened_fit_data
    from spectralgpt.verbs._fit_folder import check_fit_folder, claimed_folder
    from spectralgpt.verbs._fitting import estimated, fitted
    from spectralgpt.verbs._recipes import check_changes
    from spectralgpt.weights.device import named_device

    begun = time.perf_counter()
    folder = Path(out)
    here = placement()
    is_main = here.rank == 0
    if not is_main:
        announce, progress = unheard, silent
    _check_numbers(fraction, seeds)
    named_device(options["device"], here.local)
    check_fit_folder(folder)
    check_changes(recipe, options["weights"], set)
    start, name = _start(options["weights"])
    found = opened_fit_data(data, val, test, options, progress)
    announce("\n".join([found.labels.text, "", found.text]))
    chosen = _recipe(recipe, found, fraction, name, freeze, set, options)
    notes, expected, outcomes = [*found.notes], None, []
    asked = _asked(chosen, found, start, fraction, seeds, options)
    with claimed_folder(folder, asked) if is_main else nullcontext():
        fits = list(_fits(found, chosen, start, fraction, seeds, folder, (data, val, test), options, progress))
        for number, fit in enumerate(fits):
            if is_main:
                notes += _stored(fit)
                if number == 0:
                    expected = estimated(fit, len(fits), announce)
            outcomes.append(fitted(fit, announce))
            if not outcomes[-1].result.finished:
                break
    return _result(fits, outcomes, expected, time.perf_counter() - begun, notes)


def _check_numbers(fraction: float, seeds: int) -> None:
    from spectralgpt.errors import OptionError, argument

    if not 0 < fraction <= 1:
        raise OptionError(argument("fraction", fraction), "a share above 0 and up to 1")
    if seeds < 1:
        raise OptionError(argument("seeds", seeds), "1 or more")


def _start(weights: PathLike | None) -> tuple[str, str | None]:
    """The weights to start from in words, and their name for a recipe; `untrained` without one."""
    from spectralgpt.weights import load_model
    from spectralgpt.weights.named import versioned_name
    from spectralgpt.weights.untrained import UNTRAINED, check_size

    text = None if weights is None else os.fspath(weights)
    if text is not None and text.partition(":")[0] == UNTRAINED and not os.path.exists(text):
        check_size(text)
        return text, None
    model = load_model(weights, "cpu")
    name = versioned_name(weights)
    return f"{name} (fingerprint {model.fingerprint()[:16]})", name


def _recipe(
    recipe: PathLike,
    data: "FitData",
    fraction: float,
    weights: str | None,
    freeze: bool,
    changes: str | Sequence[str],
    options: ProbeOptions,
) -> "Recipe":
    """The recipe with all that the options change."""
    from spectralgpt.settings import changed
    from spectralgpt.training import DataChoice
    from spectralgpt.verbs._recipes import finetuning_recipe, with_settings

    facts = data.facts(data.drawn(fraction, options["seed"]))
    precision = None if options["precision"] == "auto" else options["precision"]
    made = with_settings(finetuning_recipe(recipe, facts), options["seed"], precision, weights)
    if weights is None:
        size = os.fspath(options["weights"] or "").partition(":")[2]
        made = replace(made, model=replace(made.model, weights=None))
        made = changed(made, [f"model.size={size}"] if size else [])
    if freeze:
        made = changed(made, ["stages.*.freeze=true"])
    stages = made.stages
    if options["bands_as"] == "own":
        stages = tuple(each.but(sources=(DataChoice(bands_as="own"),)) for each in stages)
    return changed(replace(made, stages=stages), changes)


def _asked(
    recipe: "Recipe", data: "FitData", start: str, fraction: float, seeds: int, options: ProbeOptions
) -> dict[str, Any]:
    """What decides the result, as plain values."""
    import hashlib
    import json

    from spectralgpt.plain import as_text, to_plain
    from spectralgpt.verbs._labels import read_with

    samples = [
        [each.name, list(each.labels), part]
        for each, part in zip(data.labels.data.samples, data.parts.part, strict=True)
    ]
    return {
        "recipe": to_plain(recipe),
        "weights": start,
        "fraction": float(fraction),
        "seeds": seeds,
        "data": data.labels.data.source,
        "classes": [each.name for each in data.labels.data.classes],
        # the same files, read in another way, are other data: those that are reported on are stored nowhere
        "bands": str(as_text(options["bands"]) or "as the files declare"),
        "ignore": str(as_text(options["ignore"]) or ""),
        "read with": read_with(options),
        "samples and parts": hashlib.sha256(json.dumps(samples).encode()).hexdigest()[:16],
    }


def _fits(
    data: "FitData",
    recipe: "Recipe",
    start: str,
    fraction: float,
    seeds: int,
    folder: Path,
    sources: Sequence[PathLike | LabelledObject | None],
    options: ProbeOptions,
    progress: Progress,
) -> "Iterator[Fit]":
    """What each seed is fitted with. Those without a fraction share the stored samples."""
    from spectralgpt.verbs._fitting import Fit
    from spectralgpt.verbs._labels import mark_of_labels

    for number in range(seeds):
        seed = recipe.seed + number
        own = folder / f"seed-{number}" if seeds > 1 else folder
        yield Fit(
            data=data,
            recipe=replace(recipe, seed=seed),
            start=start,
            train=data.drawn(fraction, seed),
            fraction=float(fraction),
            folder=own,
            shards=(folder if fraction == 1 else own) / "shards",
            drawn_list=folder / "fractions" / f"seed-{number}.txt",
            options={**options, "seed": seed},
            mark=mark_of_labels("finetune", sources),
            progress=progress,
        )


def _stored(fit: "Fit") -> tuple[str, ...]:
    """Store the samples, and the list of those that are trained on where they are a fraction. Returns notes."""
    image = max(stage.augmentation.image for stage in fit.recipe.stages)
    if fit.fraction < 1:
        _write(fit.drawn_list, "\n".join(fit.data.names(fit.train)) + "\n")
    return *fit.data.notes_on(fit.train), *fit.data.store(fit.train, fit.shards, image, fit.progress)


def _result(
    fits: "Sequence[Fit]",
    outcomes: "Sequence[FitOutcome]",
    expected: float | None,
    seconds: float,
    notes: Sequence[str],
) -> Finetuned:
    from spectralgpt.verbs._fit_data import mean_and_spread

    first, data, last = fits[0], fits[0].data, outcomes[-1]
    done = [each.findings for each in outcomes if each.findings is not None]
    names = list(done[0].intervals) if done else []
    found = {name: mean_and_spread([each.intervals[name].value for each in done]) for name in names}
    interval = done[0].intervals[names[0]] if len(done) == 1 else None
    model = outcomes[0].model
    result = Finetuned(
        folder=first.folder if len(fits) == 1 else first.folder.parent,
        recipe=first.recipe.name,
        target=data.labels.data.target,
        finished=len(outcomes) == len(fits) and last.result.finished,
        step=sum(each.result.step for each in outcomes),
        steps=last.result.steps * len(fits),
        score=names[0] if names else "",
        value=found[names[0]][0] if names else None,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        scores={name: mean for name, (mean, _) in found.items()},
        spread={name: spread for name, (_, spread) in found.items()} if len(done) > 1 else {},
        runs=tuple(each.intervals[names[0]].value for each in done),
        seeds=tuple(fit.recipe.seed for fit in fits),
        fraction=first.fraction,
        counts={
            "train": len(first.train),
            **{part: len(data.parts.of(part)) for part in ("val", "test")},
            "classes": len(data.labels.data.classes),
            "places": data.places.count,
        },
        split=data.parts.how,
        start=first.start,
        thresholds=() if model is None else model.thresholds,
        weights=None if model is None else first.weights,
        fingerprint=None if model is None else model.fingerprint(),
        report=data.labels.text,
        seconds=seconds,
        seconds_expected=expected,
        is_main=last.result.is_main,
        marks=tuple(dict.fromkeys(mark for each in done for mark in each.marks)),
        warnings=tuple(dict.fromkeys([*notes, *(note for each in outcomes for note in each.notes), *_notes(done)])),
    )
    if len(done) > 1 and result.finished:
        _write_summary(result)
    return result


def _notes(done: Sequence[Any]) -> list[str]:
    return [note for each in done for note in each.notes]


def _write_summary(result: Finetuned) -> None:
    """summary.json: mean and spread over the seeds."""
    import json

    from spectralgpt.verbs._checkout import commit
    from spectralgpt.version import __version__

    content = {
        "format": "spectralgpt seeds",
        "recipe": result.recipe,
        "start": result.start,
        "target": result.target,
        "fraction": result.fraction,
        "seeds": list(result.seeds),
        "score": result.score,
        "runs": list(result.runs),
        "mean": dict(result.scores),
        "standard_deviation": dict(result.spread),
        "counts": dict(result.counts),
        "split": result.split,
        "version": __version__,
        "commit": commit(),
    }
    _write(result.folder / SUMMARY, json.dumps(content, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a small file, in a folder that is made if missing. TargetError where the disk refuses."""
    from spectralgpt.disk import atomic_write
    from spectralgpt.free_space import refusals

    content = text.encode()
    with refusals(path, needed=len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(content)
