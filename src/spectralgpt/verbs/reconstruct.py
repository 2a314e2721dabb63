"""Scene in, the same scene with hidden parts rebuilt out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._options import (
    Replacing,
    SceneOptions,
    SceneSources,
    SceneTarget,
    SeedOption,
    ShowProgress,
    with_shared_options,
)
from spectralgpt.verbs._scene import OpenedScene, opened_scene

if TYPE_CHECKING:
    from spectralgpt.scenes import SceneReconstruction


@dataclass(frozen=True, slots=True)
class Reconstructed:
    """Where the rebuilt scene and its figure are, and how far the prediction is from the truth.

    error: root mean square error per band over its hidden pixels, in reflectance; bands that were named come first.
    spread: standard deviation of the truth there, which is the error of a guess from the mean of the band alone.
    hidden: fraction of the pixels. dropped: bands of the image that were not used.
    """

    target: Path
    figure: Path
    error: dict[str, float]
    spread: dict[str, float]
    hidden: float
    fingerprint: str
    dropped: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        dropped = f"; not used: {', '.join(self.dropped)}" if self.dropped else ""
        rows = [f"  {name:>5}  {self.error[name]:.4f}  {self.spread[name]:.4f}" for name in self.error]
        return "\n".join(
            [
                f"{self.target}: {self.hidden:.1%} hidden and rebuilt ({self.seconds:.1f} s){dropped}",
                f"{self.figure}: input, hidden, rebuilt, error, spectra",
                "   band   error  spread (reflectance, hidden pixels)",
                *rows,
                f"weights: {self.fingerprint[:16]}",
            ]
        )


class ReconstructionOptions(SceneOptions, SeedOption, total=False):
    """What a share hides depends on the seed."""


@with_shared_options
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

    Args:
        hide: Bands (B11,B12), dates (2020-05-01), a share (0.9), or several of these, separated by commas.

    Example:
        spectralgpt reconstruct demo-output/part.tif rebuilt.tif --hide B11,B12 --weights demo-output/weights
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
            progress=progress,
            **scene.computing,
        )
    _draw(scene, result, f"hidden: {hide}")
    return Reconstructed(
        target=scene.target,
        figure=scene.picture,
        error=result.error,
        spread=result.spread,
        hidden=result.hidden,
        fingerprint=result.fingerprint,
        dropped=result.alignment.dropped,
        seconds=time.perf_counter() - start,
        warnings=(*scene.verdict.warnings, *_warnings(result.hidden)),
    )


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
