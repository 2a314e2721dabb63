"""What every verb does with a scene before it computes: refuse what cannot work, then open everything."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from spectralgpt.checks import Verdict
    from spectralgpt.raster import Raster
    from spectralgpt.weights import PretrainedModel


@dataclass(frozen=True, slots=True)
class OpenedScene:
    """target and the picture beside it can be written, and are none of the sources."""

    raster: "Raster"
    model: "PretrainedModel"
    verdict: "Verdict"
    target: Path
    picture: Path


@contextmanager
def opened_scene(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None,
    bands: str | None,
    bands_as: str | None,
    date: str | None,
    gsd: float | None,
    aoi: str | os.PathLike[str] | None,
    clouds: str | os.PathLike[str] | None,
    trust_input: bool,
    device: str,
    precision: str,
    kind: Literal["pretraining"] | None = None,
) -> Iterator[OpenedScene]:
    """The scene and the model, opened; the arguments are the verbs'. kind: of the weights, None for any.

    Raises InputError before anything is written.
    """
    from spectralgpt.checks import check
    from spectralgpt.errors import check_choice
    from spectralgpt.products import open_raster
    from spectralgpt.raster import check_target, refuse_overwriting
    from spectralgpt.scenes import check_scene_target
    from spectralgpt.weights import load_model

    check_choice("--bands-as", bands_as, (None, "own"))
    check_choice("--precision", precision, ("auto", "fp32", "bf16"))
    target = Path(target)
    check_scene_target(target)
    picture = target.with_suffix(".png")
    check_target(picture, "file")
    model = load_model(weights, device, kind)
    with open_raster(sources, bands=bands, dates=date, gsd=gsd, aoi=aoi, clouds=clouds) as raster:
        refuse_overwriting(raster.paths, (target, picture))
        yield OpenedScene(raster, model, check(raster, trust_input), target, picture)
