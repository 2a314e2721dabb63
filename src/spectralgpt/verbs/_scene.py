"""What every verb does with a scene before it computes: refuse what cannot work, then open everything."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from spectralgpt.plain import as_text
from spectralgpt.verbs._options import ImageOptions, PathLike, Paths, PrecisionChoice, ReadingOptions, SceneOptions

if TYPE_CHECKING:
    from spectralgpt.checks import Verdict
    from spectralgpt.products import SourceFiles
    from spectralgpt.raster import Raster, ResultMark
    from spectralgpt.weights import PretrainedModel


class Computing(TypedDict):
    """Options of a verb in the words of `scenes`."""

    own: bool
    overlap: float
    batch: int
    precision: PrecisionChoice


@dataclass(frozen=True, slots=True)
class OpenedScene:
    """A scene and a model; target and its picture can be written, and may be replaced where they exist. mark: for both
    of them."""

    raster: "Raster"
    model: "PretrainedModel"
    verdict: "Verdict"
    target: Path
    picture: Path
    mark: "ResultMark"
    computing: Computing


@contextmanager
def opened_scene(
    verb: str,
    sources: Paths,
    target: PathLike,
    options: SceneOptions,
    kind: Literal["pretraining"] | None = None,
) -> Iterator[OpenedScene]:
    """The scene and the model, opened. verb: that asks. kind: what the weights must be for, None for anything.

    Raises InputError before anything is written.
    """
    from spectralgpt.checks import check
    from spectralgpt.products import check_replacing
    from spectralgpt.raster import check_target
    from spectralgpt.scenes import check_scene_target
    from spectralgpt.weights import load_model

    target = Path(target)
    check_scene_target(target)
    picture = target.with_suffix(".png")
    check_target(picture, "file")
    mark = mark_of(verb, sources)
    computing = Computing(
        own=options["bands_as"] == "own",
        overlap=options["overlap"],
        batch=options["batch"],
        precision=options["precision"],
    )
    with opened_image(sources, options) as raster:
        files = files_of(sources, options, (options["weights"], options["aoi"]), raster.paths)
        check_replacing((target, picture), mark, files, overwrite=options["overwrite"], raster=raster)
        model = load_model(options["weights"], options["device"], kind)
        yield OpenedScene(raster, model, check(raster, options["trust_input"]), target, picture, mark, computing)


def mark_of(verb: str, sources: Paths) -> "ResultMark":
    """The mark of the results of a verb from these sources."""
    from spectralgpt.products.image import path_and_date
    from spectralgpt.raster import ResultMark

    return ResultMark.of(verb, [path_and_date(os.fspath(each))[0] for each in listed(sources)])


def files_of(
    sources: Paths, options: ReadingOptions, more: Iterable[PathLike | None] = (), read: Iterable[str] = ()
) -> "SourceFiles":
    """What a command reads: its sources, the files in its options, and `more`. read: files of the opened images."""
    from spectralgpt.products import source_files

    chosen: list[PathLike] = [each for each in (as_text(options["bands"]), *more) if each is not None]
    clouds = [] if options["clouds"] is None else os.fspath(as_text(options["clouds"])).split(",")
    return source_files([*listed(sources), *chosen, *clouds], read)


def listed(sources: Paths) -> list[PathLike]:
    """One source or several, as a list."""
    return [sources] if isinstance(sources, str | os.PathLike) else list(sources)


def opened_image(sources: Paths, options: ImageOptions) -> "Raster":
    """The image, opened as the options say."""
    from spectralgpt.products import open_raster

    return open_raster(
        sources,
        bands=as_text(options["bands"]),
        dates=as_text(options["dates"]),
        gsd=options["gsd"],
        aoi=options["aoi"],
        clouds=as_text(options["clouds"]),
        nodata=as_text(options["nodata"]),
    )
