"""Answers of weights or of a probe judged by labels, and the report on them: what `evaluate` and `finetune` share."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectralgpt.progress import Progress
from spectralgpt.verbs._options import ProbeOptions

if TYPE_CHECKING:
    from spectralgpt.raster import ResultMark
    from spectralgpt.verbs._answering import Answerer
    from spectralgpt.verbs._judged_page import Findings
    from spectralgpt.verbs._labels import Labels


def judged_answers(
    answerer: "Answerer",
    labels: "Labels",
    chosen: Sequence[int],
    options: ProbeOptions,
    progress: Progress,
) -> tuple["Findings", int]:
    """The judged answers for some samples of the labels, and how many of the images training saw."""
    import numpy as np

    from spectralgpt.data.labels import in_classes_of
    from spectralgpt.errors import DataError
    from spectralgpt.evaluation.leaks import seen_share
    from spectralgpt.features import Cache
    from spectralgpt.verbs._answering import answered_images, answered_pixels
    from spectralgpt.verbs._judged_page import Findings, seen_marks
    from spectralgpt.verbs._labels import WatchedSet, hashes_of
    from spectralgpt.verbs._probing import Judged, image_table, trial_of
    from spectralgpt.weights import TrainedImages

    if labels.data.target not in answerer.targets:
        raise DataError(
            f"{labels.data.source}: its labels are of the kind {labels.data.target!r}",
            f"{' or '.join(map(repr, answerer.targets))}, which {answerer.name} answers",
        )
    data, notes = in_classes_of(labels.data, answerer.classes, answerer.count, chosen)
    trained = TrainedImages.of(answerer.model.provenance)
    watched = WatchedSet(data, answerer.model)
    hashes = hashes_of(watched, trained.chips, progress)
    trial = trial_of(data, split="none", apart=options["apart"], repeats=1, folds=1, seed=options["seed"])
    trial = trial.with_contents(hashes)
    everything = np.arange(len(data.samples))
    likely = answered = predicted = None
    if answerer.images is not None:
        cache = Cache.default()
        likely, answered = answered_images(answerer, data, cache, progress)
        table = image_table(trial, everything, answered, likely)
    else:
        table, predicted = answered_pixels(answerer, data, trial.names, progress)
    seeds = (options["seed"],)
    main = Judged(
        answerer.name,
        "",
        (table,),
        everything,
        trial.places.ids,
        choices=(),
        seeds=seeds,
        seconds=0.0,
        notes=(),
        likely=likely,
        answered=answered,
        predicted=predicted,
    )
    seen = seen_share(hashes, trained.hashes).count
    marks = seen_marks(trained, hashes)
    fitted = seen_share(hashes, answerer.fitted_to).count
    if fitted:
        marks.append(f"The probe was fitted to {fitted} of {len(hashes)} images: the scores are too good.")
    return Findings.of(
        trial,
        main,
        [],
        marks=marks,
        notes=(
            *watched.notes_on_weights(options["weights"], answerer.fitted_on),
            *answerer.other_reading(options),
            *notes,
            *trial.notes,
            *trial.places.notes,
        ),
    ), seen


def write_judged(
    folder: Path,
    answerer: "Answerer",
    findings: "Findings",
    labels: "Labels",
    part: str,
    seen: int,
    mark: "ResultMark",
    *,
    beside: Collection[str] = (),
    overwrite: bool = False,
    title: str = "Evaluation",
    facts: Sequence[tuple[str, str]] = (),
    **more: Any,
) -> None:
    """Write the report on judged answers. beside: names in the folder that are not the report's. facts: more of them
    for the page; more: entries of metrics.json."""
    from dataclasses import replace

    from spectralgpt.report.evaluation import write_report
    from spectralgpt.verbs._judged_page import command_line, content_fact, metrics_of, page_of, seen_fact, version_fact

    fingerprint = answerer.model.fingerprint()
    facts = [
        ("Weights", f"fingerprint {fingerprint}"),
        seen_fact(answerer.model, seen, len(findings.trial.names)),
        content_fact(findings.trial),
        ("Part", part),
        *facts,
        version_fact(),
    ]
    findings = replace(findings, facts=facts)
    title = f"{title} on {len(findings.trial.names)} images, {len(findings.trial.classes)} classes"
    page = page_of(findings, title, f"{answerer.name} on {labels.data.source}", command_line())
    write_report(
        folder,
        page,
        metrics_of(
            findings, weights={"fingerprint": fingerprint}, seen_in_pretraining=seen, labels=labels.text, **more
        ),
        beside,
        mark=mark.tags,
        overwrite=overwrite,
    )
