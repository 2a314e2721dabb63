"""What every verb does with a scene before it computes: refuse what cannot work, then open everything."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from spectralgpt.plain import as_text
from spectralgpt.verbs._options import ImageOptions, PathLike, Paths, PrecisionChoice, SceneOptions

if TYPE_CHECKING:
    from spectralgpt.checks import Verdict
    from spectralgpt.raster import Raster
    from spectralgpt.weights import PretrainedModel


class Computing(TypedDict):
    """Options of a verb in the words of `scenes`."""

    own: bool
    overlap: float
    batch: int
    precision: PrecisionChoice


@dataclass(frozen=True, slots=True)
class OpenedScene:
    """A scene and a model; target and its picture can be written and are none of the sources."""

    raster: "Raster"
    model: "PretrainedModel"
    verdict: "Verdict"
    target: Path
    picture: Path
    computing: Computing


@contextmanager
def opened_scene(
    sources: Paths, target: PathLike, options: SceneOptions, kind: Literal["pretraining"] | None = None
) -> Iterator[OpenedScene]:
    """The scene and the model, opened. kind: what the weights must be for, None for anything.

    Raises InputError before anything is written.
    """
    from spectralgpt.checks import check
    from spectralgpt.raster import check_target, refuse_overwriting
    from spectralgpt.scenes import check_scene_target
    from spectralgpt.weights import load_model

    target = Path(target)
    check_scene_target(target)
    picture = target.with_suffix(".png")
    check_target(picture, "file")
    model = load_model(options["weights"], options["device"], kind)
    computing = Computing(
        own=options["bands_as"] == "own",
        overlap=options["overlap"],
        batch=options["batch"],
        precision=options["precision"],
    )
    with opened_image(sources, options) as raster:
        refuse_overwriting(raster.paths, (target, picture))
        yield OpenedScene(raster, model, check(raster, options["trust_input"]), target, picture, computing)


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
