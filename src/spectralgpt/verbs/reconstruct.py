"""Scene in, the same scene with hidden parts rebuilt out."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._each import EachSceneOptions, weights_for_pretraining, with_each
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    Replacing,
    SceneSources,
    SceneTarget,
    SeedOption,
    ShowProgress,
)
from spectralgpt.verbs._scene import OpenedScene, opened_scene

if TYPE_CHECKING:
    from spectralgpt.scenes import SceneReconstruction


@dataclass(frozen=True, slots=True)
class Reconstructed:
    """Where the rebuilt scene and its figure are, and how far the prediction is from the truth.

    error: root mean square error per band over its hidden pixels, in reflectance; bands that were named come first.
    spread: standard deviation of the truth there, which is the error of a guess from the mean of the band alone.
    simple: the error of the simple way to estimate them, NaN where it was not measured; there: the model's error on
    the pixels where it was. simple_share: their share of the hidden pixels. simple_way: its name, or "not measured" and
    why. simple_ways: errors per band of all ways that were compared, by name, the best first.
    hidden: fraction of the pixels. dropped: bands of the image that were not used. blocks_resumed: block rows that an
    interrupted run had finished.

    The simple way is measured on this image. For hidden bands: linear regression from the visible bands of the same
    pixel and date, fitted in one half of the scene (squares of a checkerboard) and measured in the other, and the
    reverse. It has seen the hidden bands elsewhere in this image and the model has not, so it is a high bar. For hidden
    dates: the nearest visible date, or linear interpolation between the visible dates before and after, whichever is
    better. For a share: harmonic interpolation in space between the visible pixels of the same band and date, in a
    sample of windows. Of several kinds, only the bands, else the dates, are compared.
    """

    target: Path
    figure: Path
    error: dict[str, float]
    spread: dict[str, float]
    simple: dict[str, float]
    there: dict[str, float]
    simple_share: float
    simple_way: str
    simple_ways: dict[str, dict[str, float]]
    hidden: float
    fingerprint: str
    dropped: tuple[str, ...]
    seconds: float
    blocks_resumed: int = 0
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        dropped = f"; not used: {', '.join(self.dropped)}" if self.dropped else ""
        return "\n".join(
            [
                f"{self.target}: {self.hidden:.1%} hidden and rebuilt ({self.seconds:.1f} s){dropped}",
                f"{self.figure}: input, hidden, rebuilt, error, spectra",
                *self._table(),
                f"weights: {self.fingerprint[:16]}",
            ]
        )

    def _table(self) -> list[str]:
        """Errors per band, and what was compared; `there` where the simple way was measured on a part only."""
        part = 0 < self.simple_share < 1
        columns = {"error": self.error} | ({"there": self.there} if part else {})
        columns |= {"simple": self.simple, "spread": self.spread}
        head = "".join(f"{name:>8}" for name in columns)
        rows = [f"  {name:>5}" + "".join(_cell(each[name]) for each in columns.values()) for name in self.error]
        on = f", on {self.simple_share:.1%} of the hidden pixels (there: the model's error on these)" if part else ""
        _, *worse = self.simple_ways or [""]
        others = [f"{each}: {_mean(self.simple_ways[each]):.4f} on average" for each in worse]
        also = f" ({', '.join(others)})" if others else ""
        return [f"   band{head} (reflectance, hidden pixels)", *rows, f"simple: {self.simple_way}{also}{on}"]


class ReconstructionOptions(EachSceneOptions, SeedOption, total=False):
    """What a share hides depends on the seed."""


@with_shared_options
@with_each(weights_for_pretraining)
def reconstruct(
    sources: SceneSources,
    target: SceneTarget,
    *,
    hide: str | float = 0.75,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[ReconstructionOptions],
) -> Reconstructed:
    """Hide bands, dates or a random share of a scene, and rebuild them.

    TARGET has the input where it was visible and the prediction where it was hidden, in the units of the input. A
    figure is written next to it. A band is hidden together with its group: the model sees neighbouring bands in groups.
    The error per band is compared with that of a simple way (regression from the visible bands, interpolation between
    dates or places), measured on this scene.

    Args:
        hide: Bands (B11,B12), dates (2020-05-01), a share (0.9), or several of these, separated by commas.

    Example:
        spectralgpt reconstruct demo-output/part.tif rebuilt.tif --hide B11,B12
    """
    import time

    from spectralgpt.scenes import reconstruct_scene
    from spectralgpt.weights import SpectralGPT

    start = time.perf_counter()
    with opened_scene("reconstruct", sources, target, options, "pretraining", announce=announce) as scene:
        assert isinstance(scene.model, SpectralGPT), "weights for pretraining are of this class"
        result = reconstruct_scene(
            scene.raster,
            scene.model,
            scene.target,
            verdict=scene.verdict,
            hide=str(hide),
            seed=options["seed"],
            mark=scene.mark,
            course=scene.course,
            progress=progress,
            **scene.computing,
        )
        _draw(scene, result, f"hidden: {hide}")
    simple = result.simple
    way = next(iter(simple.ways)) if simple.model else ""
    return Reconstructed(
        target=scene.target,
        figure=scene.picture,
        error=result.error,
        spread=result.spread,
        simple=_of_bands(simple.ways.get(way, {}), result.error),
        there=_of_bands(simple.model, result.error),
        simple_share=result.simple_share,
        simple_way=way or f"not measured ({result.missing})",
        simple_ways=simple.ways if way else {},
        hidden=result.hidden,
        fingerprint=result.fingerprint,
        dropped=result.alignment.dropped,
        seconds=time.perf_counter() - start,
        blocks_resumed=result.blocks_resumed,
        warnings=(*scene.verdict.warnings, *_warnings(result.hidden)),
    )


def _cell(error: float) -> str:
    return f"{'-':>8}" if math.isnan(error) else f"{error:8.4f}"


def _mean(errors: dict[str, float]) -> float:
    return sum(errors.values()) / len(errors)


def _of_bands(errors: dict[str, float], bands: Iterable[str]) -> dict[str, float]:
    return {name: errors.get(name, math.nan) for name in bands}


def _draw(scene: OpenedScene, result: "SceneReconstruction", what: str) -> None:
    from spectralgpt.report import save_reconstruction

    sample = result.sample
    save_reconstruction(
        scene.picture,
        sample.truth,
        sample.rebuilt,
        sample.hidden,
        sample.bands.names,
        [band.wavelength for band in sample.bands.bands],
        f"{scene.target.name}, {what} ({result.hidden:.0%} of the pixels), weights {result.fingerprint[:12]}",
        scene.model.config.patch,
        scene.mark.tags,
    )


def _warnings(hidden: float) -> tuple[str, ...]:
    """Warnings about a share that makes no sense."""
    if hidden == 0:
        return ("nothing was hidden: the result is the input",)
    return ("everything was hidden: the model saw nothing, so the result is a guess",) if hidden == 1 else ()
