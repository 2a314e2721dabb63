"""What every verb does with a scene before it computes: refuse what cannot work, then open everything."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from spectralgpt.plain import as_text
from spectralgpt.progress import Announce, unheard
from spectralgpt.verbs._image_kind import kind_of_image
from spectralgpt.verbs._options import (
    ImageInPython,
    ImageOptions,
    PathLike,
    Paths,
    PrecisionChoice,
    ReadingOptions,
    SceneOptions,
)

if TYPE_CHECKING:
    from spectralgpt.checks import Verdict
    from spectralgpt.products import SourceFiles
    from spectralgpt.raster import Raster, ResultMark
    from spectralgpt.scenes import Course
    from spectralgpt.weights import PretrainedModel

OF_FILES = ("bands", "gsd", "clouds", "nodata", "dates", "aoi")
"""Options that say how files are read."""


class Computing(TypedDict):
    """Options of a verb in the words of `scenes`."""

    own: bool
    overlap: float
    batch: int
    precision: PrecisionChoice


@dataclass(frozen=True, slots=True)
class OpenedScene:
    """A scene and a model; target and its picture can be written, and may be replaced where they exist. mark: for both
    of them. course: whether an interrupted run is continued, and for how long. What it has finished is kept as long as
    the scene is open, so all files are written until then."""

    raster: "Raster"
    model: "PretrainedModel"
    verdict: "Verdict"
    target: Path
    picture: Path
    mark: "ResultMark"
    computing: Computing
    course: "Course"


@contextmanager
def opened_scene(
    verb: str,
    sources: Paths | ImageInPython,
    target: PathLike,
    options: SceneOptions,
    kind: Literal["pretraining"] | None = None,
    *,
    beside: Sequence[Path] = (),
    opening: Callable[[Any, ImageOptions], "Raster"] | None = None,
    announce: Announce = unheard,
) -> Iterator[OpenedScene]:
    """The scene and the model, opened. verb: that asks. kind: what the weights must be for, None for anything.
    beside: other rasters that are written with the target. opening: opens the sources as a pair, in the order given;
    None: as dates of one place, in order of time. announce: called with a line for each file of others that `overwrite`
    lets them replace.

    Raises InputError before anything is written.
    """
    from spectralgpt.checks import check
    from spectralgpt.nn.threads import computing_threads
    from spectralgpt.products import check_replacing
    from spectralgpt.raster import check_target
    from spectralgpt.scenes import Course, check_scene_target, chosen_before
    from spectralgpt.weights import load_model

    target = Path(target)
    until = ExitStack()
    course = Course(options["restart"], options["max_hours"], announce, until=until)
    before = {} if course.restart else chosen_before(target)
    check_scene_target(target, course.restart)
    picture = target.with_suffix(".png")
    check_target(picture, "file")
    for each in beside:
        check_target(each, "raster" if each.suffix == ".tif" else "file")
    with (opening or opened_image)(sources, options) as raster:
        mark = mark_of(verb, sources, raster)
        files = files_of(sources, options, (options["weights"], options["aoi"]), raster.paths)
        written = (target, picture, *beside)
        for line in check_replacing(written, mark, files, overwrite=options["overwrite"], raster=raster):
            announce(line)
        if options.get("each"):
            mark = replace(mark, unless_done=written)
        model = load_model(options["weights"], options["device"], kind)
        verdict = _with_notes(
            check(raster, options["trust_input"], is_pair=opening is not None), raster, model, options["weights"]
        )
        computing = _computing(raster, model, options, before)
        threads = None if options["threads"] is not None else before.get("threads")
        with until, computing_threads(threads) if threads else nullcontext():
            yield OpenedScene(raster, model, verdict, target, picture, mark, computing, course)


def _computing(
    raster: "Raster", model: "PretrainedModel", options: SceneOptions, before: Mapping[str, Any]
) -> Computing:
    """How the windows are computed: as given, else as the interrupted run that goes on chose, else as suits the scene
    and the machine."""
    from spectralgpt.scenes.choosing import suited

    own = options["bands_as"] == "own"
    overlap = before.get("overlap") if options["overlap"] is None else options["overlap"]
    batch = before.get("batch") if options["batch"] is None else options["batch"]
    overlap, batch = suited(raster, model, own=own, overlap=overlap, batch=batch)
    return Computing(own=own, overlap=overlap, batch=batch, precision=options["precision"])


def _with_notes(verdict: "Verdict", raster: "Raster", model: "PretrainedModel", weights: PathLike | None) -> "Verdict":
    """The verdict with notes on the weights: a path that has a name of others, an image outside their training. Only
    the latter belongs in the tags of a result."""
    from spectralgpt.weights.named import name_note
    from spectralgpt.weights.trained_domain import outside_note

    outside = outside_note(model.provenance, raster.source, [kind_of_image(raster, model)])
    named = name_note(weights)
    return replace(
        verdict,
        text="\n".join((verdict.text, *outside)),
        warnings=(*verdict.warnings, *outside, *([named] if named else [])),
    )


def mark_of(verb: str, sources: Paths | ImageInPython, raster: "Raster | None" = None) -> "ResultMark":
    """The mark of the results of a verb from these sources. raster: the opened image, if it is one."""
    from spectralgpt.products.image import path_and_date
    from spectralgpt.raster import ResultMark

    if isinstance(sources, ImageInPython):
        return ResultMark.of(verb, () if raster is None else raster.paths)
    return ResultMark.of(verb, [path_and_date(os.fspath(each))[0] for each in listed(sources)])


def files_of(
    sources: Paths | ImageInPython,
    options: ReadingOptions,
    more: Iterable[PathLike | None] = (),
    read: Iterable[str] = (),
) -> "SourceFiles":
    """What a command reads: its sources, the files in its options, and `more`. read: files of the opened images."""
    from spectralgpt.products import source_files

    chosen: list[PathLike] = [each for each in (as_text(options["bands"]), *more) if each is not None]
    clouds = [] if options["clouds"] is None else os.fspath(as_text(options["clouds"])).split(",")
    return source_files([*listed(sources), *chosen, *clouds], read)


def listed(sources: Paths | ImageInPython) -> list[PathLike]:
    """One source or several, as a list; empty for an image that is open already."""
    if isinstance(sources, ImageInPython):
        return []
    return [sources] if isinstance(sources, str | os.PathLike) else list(sources)


def opened_image(sources: Paths | ImageInPython, options: ImageOptions) -> "Raster":
    """The image, opened as the options say."""
    if isinstance(sources, ImageInPython):
        return _in_memory(sources, options)
    from spectralgpt.products import open_raster

    return open_raster(
        sources,
        bands=as_text(options["bands"]),
        dates=as_text(options["dates"]),
        gsd=options["gsd"],
        aoi=options["aoi"],
        clouds=as_text(options["clouds"]),
        nodata=as_text(options["nodata"]),
        allow_remote=options["allow_remote"],
    )


def _in_memory(image: ImageInPython, options: ImageOptions) -> "Raster":
    """Pixels or a Raster as a Raster. OptionError for an option that says how files are read."""
    from spectralgpt.errors import OptionError, argument
    from spectralgpt.raster import Pixels, Raster, raster_of

    for name in OF_FILES:
        if options[name] is not None:  # type: ignore[literal-required]
            raise OptionError(
                f"{argument(name, options[name])}: found an image that is open already",  # type: ignore[literal-required]
                "paths, which are opened as the options say",
                f"Leave {name} out, and give it to as_pixels or open_raster",
            )
    if isinstance(image, Raster):
        return image
    if not isinstance(image, Pixels):
        raise OptionError(f"found {type(image).__name__}", "paths, Pixels or a Raster")
    return raster_of(image)
