"""How `change` makes its map: by weights for change detection, a probe, or the distance of embeddings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from spectralgpt.errors import OptionError, WeightsError, argument
from spectralgpt.progress import Announce, Progress
from spectralgpt.verbs._image_kind import kind_of_image
from spectralgpt.verbs._options import ImageOptions, PathLike, SceneOptions
from spectralgpt.verbs._scene import OpenedScene, opened_scene

if TYPE_CHECKING:
    import numpy as np

    from spectralgpt.bands import Alignment
    from spectralgpt.features import Probe
    from spectralgpt.raster import DateShift, Raster
    from spectralgpt.report import DrawnClasses, DrawnDistances
    from spectralgpt.scenes.changed import ClassTotals
    from spectralgpt.tasks import Class

DRAWN_MAP = 1024
"""Largest side of a map of classes in the picture."""


@dataclass(frozen=True, slots=True)
class ShiftFound:
    """How far the later image lies from the earlier one, in pixels (further down, further right) and in metres; NaN
    where not measured or unknown. text: in words, with the spread over blocks, or why it was not measured. aligned:
    whether it was corrected."""

    rows: float
    columns: float
    metres_rows: float
    metres_columns: float
    text: str
    aligned: bool


@dataclass(frozen=True, slots=True)
class ChangingWeights:
    """What answers. probe: of the folder that was given as weights. options: with the weights to be loaded."""

    probe: "Probe | None"
    options: SceneOptions


@dataclass(frozen=True, slots=True)
class OpenedDates:
    """Both dates and the weights."""

    scene: OpenedScene
    probe: "Probe | None"


@dataclass(frozen=True, slots=True, eq=False)
class MappedChange:
    """The written maps, as in Changed."""

    kind: Literal["distances", "classes"]
    threshold: float
    threshold_chosen: str
    totals: "ClassTotals"
    fingerprint: str
    alignment: "Alignment"
    rows: int
    columns: int
    blocks_resumed: int


@dataclass(frozen=True, slots=True, eq=False)
class FoundChange:
    """The written maps, and the shift between both dates."""

    mapped: MappedChange
    shift: ShiftFound
    warnings: tuple[str, ...]


def check_threshold(threshold: float | None) -> None:
    """OptionError for a threshold that no distance has."""
    if threshold is not None and not 0 <= threshold < float("inf"):
        raise OptionError(argument("threshold", threshold), "a distance of 0 or more")


def changing_weights(options: SceneOptions, encoder: PathLike | None) -> ChangingWeights:
    """The probe, or the weights, that the option names. WeightsError for a probe of anything but changes."""
    from spectralgpt.features import Probe
    from spectralgpt.features.probe_files import is_probe

    weights = options["weights"]
    if weights is None or not is_probe(Path(weights)):
        return ChangingWeights(None, options)
    probe = Probe.load(weights, weights=encoder, device=options["device"])
    if probe.description.target != "change":
        raise WeightsError(
            f"{weights}: found a probe of {probe.description.target} labels",
            "one of changes",
            "The verb `predict` maps its answers",
        )
    return ChangingWeights(probe, cast(SceneOptions, {**options, "weights": encoder or probe.description.weights}))


@contextmanager
def opened_dates(
    before: PathLike, after: PathLike, target: Path, changed_map: Path, weights: ChangingWeights, announce: Announce
) -> Iterator[OpenedDates]:
    """Both dates and the weights, opened. InputError before anything is written, also for weights that answer something
    else."""
    sources = [before, after]
    with opened_scene(
        "change", sources, target, weights.options, beside=[changed_map], opening=_opened_pair, announce=announce
    ) as scene:
        targets = scene.model.task.targets
        if targets and "change" not in targets:
            raise WeightsError(
                f"{weights.options['weights']}: found weights for {scene.model.task.name}",
                "weights for change, or weights without a head",
                "The verb `predict` maps their answers for one date",
            )
        probe = None if weights.probe is None else replace(weights.probe, model=scene.model)
        yield OpenedDates(scene, probe)


def _opened_pair(sources: list[PathLike], options: ImageOptions) -> "Raster":
    from spectralgpt.plain import as_text
    from spectralgpt.products import open_pair

    return open_pair(
        *sources,
        bands=as_text(options["bands"]),
        dates=as_text(options["dates"]),
        gsd=options["gsd"],
        aoi=options["aoi"],
        clouds=as_text(options["clouds"]),
        nodata=as_text(options["nodata"]),
        allow_remote=options["allow_remote"],
    )


def change_of(
    opened: OpenedDates, changed_map: Path, align: bool, threshold: float | None, progress: Progress
) -> FoundChange:
    """Measure the shift, correct it if wanted, and write the maps and the picture."""
    from spectralgpt.raster import aligned, date_shift
    from spectralgpt.scenes.common_ground import check_common_ground

    scene = opened.scene
    if threshold is not None and (opened.probe is not None or scene.model.task.targets):
        found = f"{argument('threshold', threshold)}: found weights that say themselves what changed"
        raise OptionError(found, "weights without a head, by which distances are measured")
    check_common_ground(scene.raster)
    shift = date_shift(scene.raster)
    corrected = align and shift.is_large
    if corrected:
        scene = replace(scene, raster=aligned(scene.raster, shift))
    measured = None if shift.missing else [round(each, 2) for each in (shift.rows, shift.columns)]
    verb: dict[str, object] = {"verb": "change", "shift": measured, "aligned": corrected}
    if threshold is not None:
        verb["threshold"] = float(threshold)
    if opened.probe is None and not scene.model.task.targets:
        mapped = _by_distance(scene, changed_map, threshold, verb, progress)
    else:
        mapped = _by_classes(scene, opened.probe, verb, progress)
    found_shift = ShiftFound(shift.rows, shift.columns, *shift.metres, str(shift), corrected)
    notes = (*_outside_note(opened), *_order_note(scene.raster), *_shift_notes(shift, align))
    return FoundChange(mapped, found_shift, notes)


def _by_distance(
    scene: OpenedScene, changed_map: Path, threshold: float | None, verb: dict[str, object], progress: Progress
) -> MappedChange:
    import numpy as np

    from spectralgpt.report import DrawnDistances
    from spectralgpt.scenes import distance_scene
    from spectralgpt.scenes.changed import CHANGE_CLASSES, class_totals, stored_rows, write_changed

    result = distance_scene(
        scene.raster,
        scene.model,
        scene.target,
        verdict=scene.verdict,
        verb=verb,
        mark=scene.mark,
        course=scene.course,
        progress=progress,
        **scene.computing,
    )
    grid = scene.raster.grid.coarsened(scene.model.config.patch)
    chosen = write_changed(scene.target, changed_map, grid, threshold)
    values = np.concatenate(list(stored_rows(scene.target)))
    _draw(scene, DrawnDistances(values, chosen.value), scene.model.config.patch, result.fingerprint)
    return MappedChange(
        "distances",
        chosen.value,
        chosen.chosen,
        class_totals(CHANGE_CLASSES, grid, stored_rows(changed_map)),
        result.fingerprint,
        result.alignment,
        result.rows,
        result.columns,
        result.blocks_resumed,
    )


def _by_classes(scene: OpenedScene, probe: "Probe | None", verb: dict[str, object], progress: Progress) -> MappedChange:
    from spectralgpt.report import DrawnClasses
    from spectralgpt.report.evaluation import class_colours
    from spectralgpt.scenes.changed import class_totals, stored_rows

    written = _write_classes(scene, verb, progress) if probe is None else _write_probed(scene, probe, verb, progress)
    colours = class_colours([each.colour for each in written.classes])
    drawn = DrawnClasses(_thinned(scene.target), [each.name for each in written.classes], colours)
    _draw(scene, drawn, max(1.0, max(scene.raster.grid.shape) / DRAWN_MAP), written.fingerprint)
    grid, nan = scene.raster.grid, float("nan")
    return MappedChange(
        "classes",
        written.thresholds[0] if written.thresholds else nan,
        "chosen with the weights" if written.thresholds else "the likeliest class",
        class_totals(written.classes, grid, stored_rows(scene.target)),
        written.fingerprint,
        written.alignment,
        *grid.shape,
        written.blocks_resumed,
    )


@dataclass(frozen=True, slots=True, eq=False)
class WrittenClasses:
    """A written map of classes. thresholds: of probabilities, empty where the likeliest class is the answer."""

    classes: "tuple[Class, ...]"
    thresholds: tuple[float, ...]
    fingerprint: str
    alignment: "Alignment"
    blocks_resumed: int


def _write_classes(scene: OpenedScene, verb: dict[str, object], progress: Progress) -> WrittenClasses:
    """The map of weights for change detection."""
    from spectralgpt.scenes import map_scene
    from spectralgpt.tasks import ClassMap

    answers = ClassMap.of(scene.model)
    classes = _named(scene.model.classes, len(answers.classes)) or answers.classes
    result = map_scene(
        scene.raster,
        scene.model,
        replace(answers, classes=classes),
        scene.target,
        verdict=scene.verdict,
        verb=verb,
        mark=scene.mark,
        course=scene.course,
        progress=progress,
        **scene.computing,
    )
    return WrittenClasses(classes, answers.thresholds, result.fingerprint, result.alignment, result.blocks_resumed)


def _write_probed(scene: OpenedScene, probe: "Probe", verb: dict[str, object], progress: Progress) -> WrittenClasses:
    """The map of a probe of changes."""
    from spectralgpt.features import ProbedPixels
    from spectralgpt.scenes import ClassTargets, map_classes

    overlap, batch = scene.computing["overlap"], scene.computing["batch"]
    answers = ProbedPixels.made(scene.raster, probe, overlap=overlap, batch=batch)
    classes = _named(probe.classes, len(probe.classes)) or probe.classes
    result = map_classes(
        scene.raster,
        scene.model,
        replace(answers, of=replace(answers.of, classes=classes)),
        scene.target,
        ClassTargets(),
        verdict=scene.verdict,
        verb={**verb, "probe": probe.description.answering[:16]},
        own=probe.own,
        overlap=overlap,
        precision=probe.description.precision,
        mark=scene.mark,
        course=scene.course,
        progress=progress,
    )
    thresholds = probe.description.thresholds
    return WrittenClasses(classes, thresholds, result.fingerprint, result.alignment, result.blocks_resumed)


def _named(classes: "tuple[Class, ...]", count: int) -> "tuple[Class, ...]":
    """The colours of unchanged and changed for two classes without colours of their own, and their names for classes
    without; empty for other numbers of classes."""
    from spectralgpt.scenes.changed import CHANGE_CLASSES

    if count != len(CHANGE_CLASSES):
        return classes
    if not classes:
        return CHANGE_CLASSES
    return tuple(
        replace(each, colour=each.colour or usual.colour) for each, usual in zip(classes, CHANGE_CLASSES, strict=True)
    )


def _thinned(path: Path) -> "np.ndarray":
    """A map of classes, every n-th pixel of it."""
    from spectralgpt.raster.handles import open_dataset

    with open_dataset(str(path)) as dataset:
        step = max(1.0, max(dataset.shape) / DRAWN_MAP)
        shape = tuple(max(1, round(size / step)) for size in dataset.shape)
        return cast("np.ndarray", dataset.read(1, out_shape=shape))  # the nearest


def _draw(scene: OpenedScene, change: "DrawnDistances | DrawnClasses", reduce: float | int, fingerprint: str) -> None:
    """The picture. reduce: pixels of the scene along one of the drawn map."""
    from spectralgpt.raster import overview, selected
    from spectralgpt.report import save_change
    from spectralgpt.report.pictures import natural

    raster = scene.raster
    colours = natural([band.wavelength for band in raster.bands])
    pictures = [overview(selected(raster, dates=[date], bands=colours)) for date in (0, 1)]
    named = ", ".join(raster.bands[band].name for band in colours)
    dates = [f"{name} {date}".rstrip() for name, date in zip(("before", "after"), raster.dates, strict=True)]
    height, width = raster.grid.shape
    save_change(
        scene.picture,
        pictures[0],
        pictures[1],
        change,
        [f"{date} ({named})" for date in dates],
        f"{scene.target.name}, weights {fingerprint[:12]}",
        (height / reduce, width / reduce),
        scene.mark.tags,
    )


def _outside_note(opened: OpenedDates) -> tuple[str, ...]:
    """A line where the dates are outside what a probe was fitted to."""
    from spectralgpt.weights.trained_domain import outside_probe_note

    fitted_on = None if opened.probe is None else opened.probe.description.fitted_on
    raster = opened.scene.raster
    return outside_probe_note(fitted_on, raster.source, [kind_of_image(raster, opened.scene.model)])


def _order_note(raster: "Raster") -> tuple[str, ...]:
    """A line where the second date is before the first."""
    if raster.days[1] >= raster.days[0] or raster.days[1] < 0:
        return ()
    return (f"the later image is of {raster.dates[1]}, before {raster.dates[0]}: taken in the order given",)


def _shift_notes(shift: "DateShift", align: bool) -> tuple[str, ...]:
    if shift.missing:
        return (f"the shift between both dates was {shift}: a shift looks like change",)
    if not shift.is_large or align:
        return ()
    advice = argument("align", True)
    return (f"the later image is shifted by over half a pixel, which looks like change: correct it with {advice}",)
