"""Probing: features of a model and of baselines, judged in the same rounds; the read-out that is kept."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.errors import counted
from spectralgpt.progress import Progress
from spectralgpt.verbs._judged_page import Findings, seen_marks, settings_of
from spectralgpt.verbs._labels import IMAGE_TARGETS, Labels, WatchedSet, hashes_of, read_with
from spectralgpt.verbs._learning_curve import curve_of
from spectralgpt.verbs._options import ProbeOptions
from spectralgpt.verbs._probing import (
    Judged,
    Trial,
    judge_images,
    judge_pixels,
    targets_of,
)
from spectralgpt.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32, Int64

    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.evaluation import Chosen, DenseFeatures, Method
    from spectralgpt.features import Cache
    from spectralgpt.features.beside import BesideName
    from spectralgpt.features.encoder import ReadOutName
    from spectralgpt.features.makers import ImageMaker
    from spectralgpt.nn import Precision
    from spectralgpt.raster import ResultMark
    from spectralgpt.weights import PretrainedModel
    from spectralgpt.weights.trained_domain import ImageKind

PROBE_FILES = ("probe.json", "probe.safetensors")
"""Names of a fitted probe's files, which lie beside its report."""

PROBING = ("knn", "ridge", "logistic")
"""The methods among which `auto` chooses."""

NOTES_KEPT = 12
"""Notes of a probe."""

IMAGES_MEASURED = 25
"""Images by which the usual side is measured."""

CHOICES_LISTED = 5
"""Different choices that a report lists, the most frequent first."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbeRun:
    """What is probed, and how features are made.

    methods: names of those that are judged on the model's features; auto: whether one of them is chosen. beside: the
    descriptors behind the model's vectors. vectors: of the images, None for masks; parts: how many of their values are
    the model's, and how many each other's. reading: options by which images were read. hashes: of each image and its
    chips; kinds: of each image; seen: number of images that training saw. notes: on the weights.
    """

    labels: "Labels"
    model: "PretrainedModel"
    weights: str
    methods: tuple[str, ...]
    auto: bool
    read_out: "ReadOutName"
    own: bool
    precision: "Precision"
    cache: "Cache"
    seed: int
    progress: Progress
    beside: "BesideName | None" = None
    vectors: "Float32[np.ndarray, 'image value'] | None" = None
    parts: tuple[int, ...] = ()
    reading: Mapping[str, str] = field(default_factory=dict)
    hashes: tuple[frozenset[str], ...] = ()
    kinds: "Mapping[int, ImageKind]" = field(default_factory=dict)
    seen: int = 0
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> "LabelledSet":
        return self.labels.data

    @property
    def of_images(self) -> bool:
        """Whether labels are of whole images, not of pixels."""
        return self.data.target in IMAGE_TARGETS

    def chosen_methods(self, parts: Sequence[int] = ()) -> list["Method"]:
        """The methods. parts: of the features that they are fitted to."""
        from spectralgpt.evaluation import methods

        return [methods.find(name, parts) for name in self.methods]

    @property
    def title(self) -> str:
        """The features in words."""
        from spectralgpt.features.beside import title_with
        from spectralgpt.features.encoder import name_of

        return title_with(name_of(self.model), self.beside)


def probe_run(
    labels: "Labels",
    model: "PretrainedModel",
    method: str,
    read_out: "ReadOutName",
    options: "ProbeOptions",
    progress: Progress,
    beside: "BesideName | None" = None,
) -> ProbeRun:
    """The run, with the vectors of images computed."""
    from spectralgpt.evaluation.leaks import seen_share
    from spectralgpt.features import Cache, image_vectors
    from spectralgpt.features.beside import makers_beside
    from spectralgpt.weights import TrainedImages
    from spectralgpt.weights.named import versioned_name

    run = ProbeRun(
        labels=labels,
        model=model,
        weights=versioned_name(options["weights"]),
        methods=PROBING if method == "auto" else (method,),
        auto=method == "auto",
        read_out=read_out,
        own=options["bands_as"] == "own",
        precision=options["precision"],
        cache=Cache.default(),
        seed=options["seed"],
        progress=progress,
        beside=beside,
        reading=read_with(options),
    )
    trained, watched = TrainedImages.of(model.provenance), WatchedSet(labels.data, model)
    if run.of_images:
        maker, others = image_maker(run, model), makers_beside(beside)
        made = image_vectors(watched, maker, run.cache, progress, beside=others, sides=trained.chips)
        hashes: Sequence[frozenset[str]] = made.hashes
        run = replace(run, vectors=made.values, parts=made.parts)
    else:
        hashes = hashes_of(watched, trained.chips, progress)
    notes = watched.notes_on_weights(options["weights"])
    seen = seen_share(hashes, trained.hashes).count
    return replace(run, hashes=tuple(hashes), kinds=watched.kinds, seen=seen, notes=notes)


def image_maker(run: ProbeRun, model: "PretrainedModel") -> "ImageMaker":
    """Makes the vectors of a model."""
    from spectralgpt.features import EncoderImages

    return EncoderImages(model, own=run.own, precision=run.precision, read_out=run.read_out)


def model_pixels(run: ProbeRun, model: "PretrainedModel") -> "DenseFeatures":
    """Features of pixels of a model."""
    from spectralgpt.features import EncoderPlaces, PixelFeatures

    maker = EncoderPlaces(model, own=run.own, precision=run.precision)
    dense = PixelFeatures(run.data, maker, model.config.bands, own=run.own, cache=run.cache)
    dense.prepare(run.progress)
    return dense


def findings_of(run: ProbeRun, trial: Trial, *, baselines: bool, shots: Sequence[int]) -> Findings:
    """Everything that was asked for, judged in the same rounds."""
    from spectralgpt.weights import TrainedImages

    trial = trial.with_contents(run.hashes)
    own = _judged_by_model(run, trial)
    main = own["auto" if run.auto else run.methods[0]]
    others = [each for each in own.values() if each is not main]
    curves, notes = [], [*run.notes, *trial.notes, *main.notes]
    if run.beside is not None:
        others += _parts_alone(run, trial)
    others += _baselines(run, trial, notes, all_of_them=baselines)
    if shots and run.vectors is not None:
        curve, noted = curve_of(trial, run.vectors, run.chosen_methods(run.parts), shots)
        curves.append(curve)
        notes += noted
    elif shots:
        notes.append("no learning curve is drawn for masks")
    if run.cache.note:
        notes.append(run.cache.note)
    return Findings.of(
        trial,
        main,
        others,
        marks=seen_marks(TrainedImages.of(run.model.provenance), run.hashes),
        notes=_few(tuple(dict.fromkeys(notes))),
        curves=curves,
        facts=[*_facts(run, trial), ("Chosen", "; ".join(settings_of(main)[:CHOICES_LISTED]))],
    )


def _few(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The first notes, and how many more there are: many folds say much the same."""
    more = len(notes) - NOTES_KEPT
    return notes if more <= 0 else (*notes[:NOTES_KEPT], f"and {counted(more, 'more note')}")


def _judged_by_model(run: ProbeRun, trial: Trial) -> dict[str, Judged]:
    if run.vectors is not None:
        return judge_images(trial, run.vectors, run.title, run.chosen_methods(run.parts), auto=run.auto)
    return judge_pixels(trial, model_pixels(run, run.model), run.title, run.chosen_methods(), auto=run.auto)


def _parts_alone(run: ProbeRun, trial: Trial) -> Iterator[Judged]:
    """The model alone, and the descriptors beside it alone, by the same methods."""
    import numpy as np

    from spectralgpt.features.baselines import find
    from spectralgpt.features.encoder import name_of

    assert run.vectors is not None, "descriptors stand beside vectors of images"
    assert run.beside is not None, "it stands beside the model"
    titles = (name_of(run.model), find(run.beside).title)
    for title, part in zip(titles, np.split(run.vectors, np.cumsum(run.parts)[:-1], axis=1), strict=True):
        found = judge_images(trial, np.ascontiguousarray(part), title, run.chosen_methods(), auto=run.auto)
        yield found["auto" if run.auto else run.methods[0]]


def _facts(run: ProbeRun, trial: Trial) -> list[tuple[str, str]]:
    from spectralgpt.verbs._judged_page import content_fact, seen_fact, version_fact

    recipe = run.model.provenance.get("recipe")
    return [
        ("Weights", f"{run.weights}, fingerprint {run.model.fingerprint()}"),
        ("Pretraining", f"recipe {recipe}" if recipe else "not stated by the weights"),
        seen_fact(run.model, run.seen, len(run.data.samples)),
        content_fact(trial),
        ("Split", trial.how),
        ("Features", run.title),
        ("Read-out, bands, precision", f"{run.read_out}, {'own' if run.own else 'model'}, {run.precision}"),
        ("Seed", str(run.seed)),
        version_fact(),
    ]


def _baselines(run: ProbeRun, trial: Trial, notes: list[str], all_of_them: bool) -> Iterator[Judged]:
    """The same network untrained, and the baselines for these labels, each by its method; without `all_of_them`, the
    one that stands beside the model alone. notes: of missing bands."""
    from spectralgpt.errors import BandError
    from spectralgpt.evaluation import methods
    from spectralgpt.features import baselines

    if all_of_them:
        yield _untrained(run, trial)
    for name in baselines.names(run.data.target):
        if not (all_of_them or name == run.beside):
            continue
        baseline = baselines.find(name)
        same = baseline.method == baselines.SAME_METHOD
        asked = run.chosen_methods() if same else [methods.find(baseline.method)]
        auto = run.auto and same
        if run.of_images:
            assert baseline.images is not None, "it is a baseline for images"
            found = judge_images(trial, _vectors(run, baseline.images), baseline.title, asked, auto=auto)
        else:
            dense = baselines.BaselinePixels(run.data, baseline.pixels[run.data.target])
            try:
                found = judge_pixels(trial, dense, baseline.title, asked, auto=auto, only_auto=auto)
            except BandError as error:
                notes.append(f"without the baseline {baseline.title}: {error.found}, expected {error.expected}")
                continue
        yield found["auto" if auto else asked[0].name]


def _untrained(run: ProbeRun, trial: Trial) -> Judged:
    from spectralgpt.features.baselines import untrained

    model, title = untrained(run.model, run.seed), "the same network untrained"
    if run.of_images:
        found = judge_images(trial, _vectors(run, image_maker(run, model)), title, run.chosen_methods(), auto=run.auto)
    else:
        dense = model_pixels(run, model)
        found = judge_pixels(trial, dense, title, run.chosen_methods(), auto=run.auto, only_auto=run.auto)
    return found["auto" if run.auto else run.methods[0]]


def _vectors(run: ProbeRun, maker: "ImageMaker") -> "np.ndarray":
    from spectralgpt.features import image_vectors

    return image_vectors(run.data, maker, run.cache, run.progress).values


# -- the read-out that is kept ----------------------------------------------------------------------------------------


def keep(folder: Path, run: ProbeRun, findings: Findings, mark: "ResultMark", overwrite: bool) -> None:
    """Write the report, and the probe beside it."""
    from spectralgpt.features import Probe
    from spectralgpt.report.evaluation import write_report
    from spectralgpt.verbs._judged_page import command_line, metrics_of, page_of
    from spectralgpt.weights import TrainedDomain

    trial, main = findings.trial, findings.main
    chosen, used = final_choice(run, trial, main.method)
    score, interval = next(iter(findings.intervals.items()))
    probe = Probe.of(
        run.model,
        chosen,
        trial.data.target,
        trial.data.classes,
        weights=lasting_name(run.weights),
        read_out=run.read_out,
        own=run.own,
        precision=run.precision,
        beside=run.beside,
        images=(each for index in used.tolist() for each in run.hashes[index]),
        side=_usual_side(run.data, used.tolist()) if run.of_images else None,
        reading=run.reading,
        fitted_on=TrainedDomain.of_images(run.kinds[index] for index in used.tolist()),
        made={
            "data": run.data.source,
            "split": trial.how,
            "seed": str(run.seed),
            score: f"{interval.value:.6g} ({interval.low:.6g} to {interval.high:.6g})",
            "version": __version__,
        },
    )
    page = page_of(
        findings,
        title=f"Probe of {len(trial.names)} images, {len(trial.classes)} classes",
        subtitle=f"{main.title} on {run.data.source}",
        command=command_line(),
    )
    final = {"method": chosen.method, "settings": chosen.settings, "thresholds": chosen.thresholds}
    write_report(
        folder,
        page,
        metrics_of(
            findings,
            weights={"name": run.weights, "fingerprint": run.model.fingerprint()},
            seen_in_pretraining=run.seen,
            beside=run.beside,
            probe=final,
            labels=run.labels.text,
        ),
        PROBE_FILES,
        mark=mark.tags,
        overwrite=overwrite,
    )
    probe.save(folder)


def final_choice(run: ProbeRun, trial: Trial, method: str) -> "tuple[Chosen, Int64[np.ndarray, ' used']]":
    """A read-out fitted to all samples (of a given split: to its training part), chosen by inner folds or validation;
    and the samples that fitted or chose it.

    method: `auto`, or the name of one. It is kept, and not judged: its score is that of the rounds.
    """
    import numpy as np

    from spectralgpt.evaluation import choose_among, choose_among_pixels, final_round, fit_threads

    each = final_round(trial.split, trial.truth, trial.places, trial.seed)
    used = np.unique(np.concatenate([each.train, *(judge for _, judge in each.inner)]))
    names = run.methods if method == "auto" else (method,)
    found = [one for one in run.chosen_methods(run.parts) if one.name in names]
    kind = trial.data.target
    if run.vectors is not None:
        with fit_threads(run.vectors):
            return choose_among(found, run.vectors, targets_of(trial), each, kind), used
    dense = model_pixels(run, run.model)
    return choose_among_pixels(found, dense, each, kind, len(trial.classes), contents=trial.contents), used


def _usual_side(data: "LabelledSet", used: Sequence[int]) -> int:
    """The median length of the longer side of the first images, pixels."""
    import numpy as np

    sides = [max(data.read(index).image.shape[-2:]) for index in used[:IMAGES_MEASURED]]
    return int(np.median(sides))


def lasting_name(weights: str) -> str:
    """An absolute path, as the probe may be opened from another folder; other names stay as they are."""
    return os.path.abspath(weights) if os.path.exists(weights) else weights
