"""Scene in, the same scene with hidden parts rebuilt out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spectralgpt.progress import Progress, silent
from spectralgpt.verbs._scene import opened_scene


@dataclass(frozen=True, slots=True)
class Reconstructed:
    """Where the rebuilt scene and its figure are, and how far it is from the truth.

    error: root mean square error of each band over its hidden pixels, in reflectance, bands that were named first;
    spread: standard deviation of the truth there, the error of a guess that knows only the band's mean.
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
        left_out = f"; left out: {', '.join(self.dropped)}" if self.dropped else ""
        rows = [f"  {name:>5}  {self.error[name]:.4f}  {self.spread[name]:.4f}" for name in self.error]
        table = ["   band   error  spread (reflectance, hidden pixels)", *rows]
        return "\n".join(
            [
                f"{self.target}: {self.hidden:.1%} hidden and rebuilt ({self.seconds:.1f} s){left_out}",
                f"{self.figure}: input, hidden, rebuilt, error, spectra",
                *table,
                f"weights: {self.fingerprint[:16]}",
            ]
        )


def reconstruct(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    hide: str | float = 0.75,
    weights: str | os.PathLike[str] | None = None,
    bands: str | None = None,
    bands_as: Literal["own"] | None = None,
    date: str | None = None,
    gsd: float | None = None,
    aoi: str | os.PathLike[str] | None = None,
    clouds: str | os.PathLike[str] | None = None,
    trust_input: bool = False,
    overlap: float = 0.25,
    batch: int = 8,
    seed: int = 0,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    progress: Progress = silent,
) -> Reconstructed:
    """Hide bands, dates or a share of a scene and rebuild them.

    TARGET holds the input where it was visible and the prediction where it was hidden, in the input's units; beside it
    a figure. A band is hidden with its group, as the model sees groups of neighbouring bands.

    Args:
        sources: An image, a product, a folder of single-band files, or several of them: dates of one place.
        target: The GeoTIFF to write (.tif).
        hide: Bands (B11,B12), dates (2020-05-01), a share (0.9), or a mixture, with commas.
        weights: A weights folder or a released checkpoint (.pth).
        bands: Whose bands they are (a sensor like s2-l2a, or a TOML file of one), a list like B02,B03 or
            landsat8-toa:B2,B3, or wavelengths in nm.
        bands_as: Use every band in groups of their own instead of the model's bands.
        date: Take only these dates, like 2020-05-01,2020-06-10.
        gsd: Metres on the ground of a pixel instead of the image's own; averaged where that is coarser.
        aoi: A GeoJSON file; what lies outside is left out.
        clouds: Leave out clouds: scl, qa or fmask for the product's own layer, or a raster that is not 0 in them.
        trust_input: Go on where the check of the input finds other bands or units than said.
        overlap: Part of its side that a window shares with the next, 0 to below 1.
        batch: Windows computed at once.
        seed: Which tokens a share hides.
        device: cpu, cuda, or auto, which takes a GPU when there is one.
        precision: bf16 or fp32; auto takes bf16 where the hardware has it.

    Example:
        spectralgpt reconstruct demo-output/part.tif rebuilt.tif --hide B11,B12 --weights demo-output/weights
    """
    import time

    from spectralgpt.report import save_reconstruction
    from spectralgpt.scenes import reconstruct_scene
    from spectralgpt.weights import SpectralGPT

    start = time.perf_counter()
    with opened_scene(
        sources,
        target,
        weights=weights,
        bands=bands,
        bands_as=bands_as,
        date=date,
        gsd=gsd,
        aoi=aoi,
        clouds=clouds,
        trust_input=trust_input,
        device=device,
        precision=precision,
        kind="pretraining",
    ) as scene:
        assert isinstance(scene.model, SpectralGPT)
        result = reconstruct_scene(
            scene.raster,
            scene.model,
            scene.target,
            verdict=scene.verdict,
            hide=str(hide),
            seed=seed,
            own=bands_as == "own",
            overlap=overlap,
            batch=batch,
            precision=precision,
            progress=progress,
        )
    sample = result.sample
    save_reconstruction(
        scene.picture,
        sample.truth,
        sample.rebuilt,
        sample.hidden,
        sample.bands.names,
        [band.wavelength for band in sample.bands.bands],
        f"{scene.target.name}: {result.hidden:.0%} of the pixels hidden (--hide {hide}), "
        f"weights {result.fingerprint[:12]}",
        scene.model.config.patch,
    )
    return Reconstructed(
        target=scene.target,
        figure=scene.picture,
        error=result.error,
        spread=result.spread,
        hidden=result.hidden,
        fingerprint=result.fingerprint,
        dropped=result.alignment.dropped,
        seconds=time.perf_counter() - start,
        warnings=(*scene.verdict.warnings, *_of_share(result.hidden)),
    )


def _of_share(hidden: float) -> tuple[str, ...]:
    """What to say of a share that makes no sense."""
    if hidden == 0:
        return ("nothing was hidden: the result is the input",)
    return ("everything was hidden: the model saw nothing, its answer is a guess",) if hidden == 1 else ()
