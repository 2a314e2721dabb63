"""One fine-tuning: the run, the thresholds, the weights and the report of a seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectralgpt.progress import Announce, Progress
from spectralgpt.verbs._fit_data import FitData
from spectralgpt.verbs._fit_folder import FIT_NAMES
from spectralgpt.verbs._options import ProbeOptions

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float32, Int64

    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.raster import ResultMark
    from spectralgpt.training import Recipe, RunResult
    from spectralgpt.verbs._answering import Answerer
    from spectralgpt.verbs._judged_page import Findings
    from spectralgpt.weights import PretrainedModel

THRESHOLD_PIXELS = 4_000_000
"""Pixels of masks by which a threshold is chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What one seed is fitted with. start: the weights in words, with their fingerprint. train: samples by index.
    folder: of its results. drawn_list: file with the names of the samples, where they are a fraction."""

    data: FitData
    recipe: "Recipe"
    start: str
    train: "Int64[np.ndarray, ' train']"
    fraction: float
    folder: Path
    shards: Path
    drawn_list: Path
    options: ProbeOptions
    mark: "ResultMark"
    progress: Progress

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def weights(self) -> Path:
        return self.folder / "weights"


@dataclass(frozen=True, slots=True, eq=False)
class FitOutcome:
    """What came out. findings: of the part test; both None where the run was interrupted. notes: of the run."""

    result: "RunResult"
    findings: "Findings | None"
    model: "PretrainedModel | None"
    notes: tuple[str, ...] = ()


def estimated(fit: Fit, runs: int, announce: Announce) -> float | None:
    """Seconds that all runs will take, announced; None for a run that continues, and with several processes."""
    from spectralgpt.training import checkpoints
    from spectralgpt.training.distribution import placement
    from spectralgpt.verbs._time_estimate import estimated_time

    if checkpoints(fit.run / "checkpoints") or placement().ranks > 1:
        return None
    fit.progress("measuring a step", 0, 0)
    estimate = estimated_time(fit.recipe, fit.shards, fit.options["device"])
    if estimate is None:
        return None
    announce(estimate.text(runs))
    return runs * estimate.seconds


def fitted(fit: Fit, announce: Announce) -> FitOutcome:
    """Run to the end, and make weights and report; or as far as it comes before an interruption. announce: called with
    what the run says, as in `run_training`."""
    from spectralgpt.training import run_training

    result = run_training(
        fit.recipe, fit.shards, fit.run, device=fit.options["device"], announce=announce, progress=fit.progress
    )
    notes = tuple(each for each in result.notes if not each.startswith("resumed"))
    if result.is_main:
        notes += _draw(fit, result)
    if not result.finished or not result.is_main:
        return FitOutcome(result, None, None, notes)
    model = _with_thresholds(fit)
    return FitOutcome(result, _reported(fit, model), model, notes)


def _draw(fit: Fit, result: "RunResult") -> tuple[str, ...]:
    """The curves of loss and score. Returns a note where the disk refuses them, as the run itself is done."""
    from spectralgpt.errors import TargetError
    from spectralgpt.report import save_loss_curve
    from spectralgpt.tasks import scores_of
    from spectralgpt.training import read_log

    records = read_log(fit.run / "log.jsonl")
    title = f"recipe {fit.recipe.name}: {result.step} of {result.steps} steps"
    score = scores_of(fit.data.labels.data.target)[0].title
    try:
        save_loss_curve(fit.run / "pictures" / "loss.png", records, ("loss", "class", "dice"), title, score=score)
    except TargetError as error:
        return (f"a picture is missing: {error}",)
    return ()


def _with_thresholds(fit: Fit) -> "PretrainedModel":
    """The model of the run with its thresholds, saved as the result."""
    from spectralgpt.verbs._answering import answerer_of_head
    from spectralgpt.weights import load_model

    model = load_model(fit.run / "weights", fit.options["device"])
    found = _thresholds(
        answerer_of_head(model, fit.options), fit.data.labels.data, fit.data.parts.of("val").tolist(), fit.progress
    )
    model.thresholds = found
    if found:
        model.provenance = {**model.provenance, "thresholds": "chosen on the part val"}
    model.save_pretrained(fit.weights)
    return model


def _thresholds(answerer: "Answerer", data: "LabelledSet", val: Sequence[int], progress: Progress) -> tuple[float, ...]:
    """Those that are best on the part val; none where the likeliest class is the answer, or without such a part."""
    import numpy as np

    from spectralgpt.data.labels import in_classes_of
    from spectralgpt.evaluation import aim_of
    from spectralgpt.features import Cache
    from spectralgpt.verbs._probing import truth_of

    aim = aim_of(data.target, answerer.count)
    if aim.thresholds is None or not val:
        return ()
    chosen, _ = in_classes_of(data, answerer.classes, answerer.count, val)
    if answerer.images is not None:
        likely, truth = np.nan_to_num(answerer.images(chosen, Cache.default(), progress)), truth_of(chosen)
    else:
        likely, truth = _pixels(answerer, chosen, progress)
    return tuple(aim.thresholds(truth, likely, np.ones(len(truth))).tolist())


def _pixels(
    answerer: "Answerer", data: "LabelledSet", progress: Progress
) -> "tuple[Float32[np.ndarray, 'pixel class'], Bool[np.ndarray, 'pixel class']]":
    """Probabilities and truth of the labelled pixels, evenly thinned out where there are very many."""
    import numpy as np

    assert answerer.pixels is not None, "it answers about pixels"
    likely, labels, most = [], [], max(1, THRESHOLD_PIXELS // len(data.samples))
    for index in range(len(data.samples)):
        sample = data.read(index)
        assert sample.mask is not None, "a target of masks has masks"
        of_each, known = answerer.pixels(sample.image)
        at = np.flatnonzero(known & (sample.mask >= 0))
        at = at[:: -(-len(at) // most) or 1]
        likely.append(of_each.reshape(-1, answerer.count)[at])
        labels.append(sample.mask.ravel()[at])
        progress("choosing thresholds", index + 1, len(data.samples))
    truth = np.concatenate(labels)[:, None] == np.arange(answerer.count)
    return np.concatenate(likely).astype(np.float32), truth


def _reported(fit: Fit, model: "PretrainedModel") -> "Findings":
    """Judge the part test and write the report."""
    from spectralgpt.data import open_shards
    from spectralgpt.verbs._answering import answerer_of_head
    from spectralgpt.verbs._checkout import commit
    from spectralgpt.verbs._evaluating import judged_answers, write_judged
    from spectralgpt.weights.card import thresholds_in_words

    options: Any = {**fit.options, "weights": fit.weights}
    answerer, test = answerer_of_head(model, options), fit.data.parts.of("test").tolist()
    findings, seen = judged_answers(answerer, fit.data.labels, test, options, fit.progress)
    findings = replace(findings, notes=tuple(dict.fromkeys([*findings.notes, *fit.data.parts.notes])))
    data_hash, kept = open_shards(fit.shards).fingerprint, _kept(fit)
    counts = {part: len(fit.data.parts.of(part)) for part in ("val", "test")}
    facts = [
        ("Fine-tuned from", fit.start),
        ("Recipe", f"{fit.recipe.name}, seed {fit.recipe.seed}"),
        ("Trained on", f"{len(fit.train)} images; shards {data_hash[:16]}" + _share(fit.fraction)),
        ("Chosen by", _chosen_by(fit, kept)),
        ("Split", fit.data.parts.how),
    ]
    if model.thresholds:
        facts.append(("Thresholds", thresholds_in_words(model.thresholds, [one.name for one in model.classes])))
    write_judged(
        fit.folder,
        answerer,
        findings,
        fit.data.labels,
        "the part test",
        seen,
        fit.mark,
        beside=(*FIT_NAMES, "summary.json"),
        title="Fine-tuning, judged",
        facts=facts,
        start=fit.start,
        recipe=fit.recipe.name,
        seed=fit.recipe.seed,
        fraction=fit.fraction,
        parts={"train": len(fit.train), **counts},
        split=fit.data.parts.how,
        val_score=None if kept is None else kept["val_score"],
        thresholds=list(model.thresholds),
        data_hash=data_hash,
        commit=commit(),
    )
    return findings


def _share(fraction: float) -> str:
    return "" if fraction == 1 else f"; a fraction of {fraction:g}, drawn by the seed"


def _kept(fit: Fit) -> "Mapping[str, Any] | None":
    """The judgement of the state that was kept; None where nothing was judged."""
    from spectralgpt.training import read_log

    kept = [each for each in read_log(fit.run / "log.jsonl") if each.get("kept")]
    return kept[-1] if kept else None


def _chosen_by(fit: Fit, kept: "Mapping[str, Any] | None") -> str:
    """How the state was chosen, in words."""
    from spectralgpt.tasks import scores_of

    if kept is None:
        return "the last state"
    data = fit.data.labels.data
    score, images = scores_of(data.target)[0].title, f"the part val, {len(fit.data.parts.of('val'))} images"
    task: Any = fit.recipe.stages[-1].task
    if replace(task, classes=len(data.classes)).chooses_by_score:
        return f"{score} on {images}: {kept['val_score']:.3f}, step {kept['step']:g}"
    return f"the loss on {images}: {kept['val_loss']:.3f}, step {kept['step']:g}"
