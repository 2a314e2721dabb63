"""Scene in, map of embeddings out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spectralgpt.progress import Progress, silent
from spectralgpt.verbs._scene import opened_scene


@dataclass(frozen=True, slots=True)
class Embedded:
    """Where the map and its picture are, and what they hold."""

    target: Path
    picture: Path
    rows: int
    columns: int
    values: int
    fingerprint: str
    bands: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        left_out = f"; left out: {', '.join(self.dropped)}" if self.dropped else ""
        lacking = f"; the model also knows: {', '.join(self.missing)}" if self.missing else ""
        return (
            f"{self.target}: {self.rows} x {self.columns} places of {self.values} values ({self.seconds:.1f} s)\n"
            f"{self.picture}: the first three principal components\n"
            f"bands: {', '.join(self.bands)}{left_out}{lacking}\nweights: {self.fingerprint[:16]}"
        )


def embed(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    bands: str | None = None,
    bands_as: Literal["own"] | None = None,
    date: str | None = None,
    gsd: float | None = None,
    aoi: str | os.PathLike[str] | None = None,
    clouds: str | os.PathLike[str] | None = None,
    trust_input: bool = False,
    per: Literal["all", "group", "date"] = "all",
    dtype: Literal["float32", "int8"] = "float32",
    overlap: float = 0.25,
    batch: int = 8,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    progress: Progress = silent,
) -> Embedded:
    """Turn a scene into a map of embeddings, one pixel for each 8 x 8.

    TARGET is a GeoTIFF with one band for each value; beside it a picture of the first three principal components.

    Args:
        sources: An image, a product, a folder of single-band files, or several of them: dates of one place.
        target: The GeoTIFF to write (.tif).
        weights: A weights folder or a released checkpoint (.pth).
        bands: Whose bands they are (a sensor like s2-l2a, or a TOML file of one), a list like B02,B03 or
            landsat8-toa:B2,B3, or wavelengths in nm.
        bands_as: Use every band in groups of their own instead of the model's bands.
        date: Take only these dates, like 2020-05-01,2020-06-10.
        gsd: Metres on the ground of a pixel instead of the image's own; averaged where that is coarser.
        aoi: A GeoJSON file; what lies outside is left out.
        clouds: Leave out clouds: scl, qa or fmask for the product's own layer, or a raster that is not 0 in them.
        trust_input: Go on where the check of the input finds other bands or units than said.
        per: Keep groups of bands, or dates, apart and stack them.
        dtype: How values are stored; int8 takes a quarter, with a scale for each band.
        overlap: Part of its side that a window shares with the next, 0 to below 1.
        batch: Windows computed at once.
        device: cpu, cuda, or auto, which takes a GPU when there is one.
        precision: bf16 or fp32; auto takes bf16 where the hardware has it.

    Example:
        spectralgpt embed demo-output/part.tif vectors.tif --weights demo-output/weights
    """
    import time

    from spectralgpt.errors import check_choice
    from spectralgpt.report import save_picture
    from spectralgpt.scenes import embed_scene

    start = time.perf_counter()
    check_choice("--per", per, ("all", "group", "date"))
    check_choice("--dtype", dtype, ("float32", "int8"))
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
    ) as scene:
        result = embed_scene(
            scene.raster,
            scene.model,
            scene.target,
            verdict=scene.verdict,
            per=per,
            dtype=dtype,
            own=bands_as == "own",
            overlap=overlap,
            batch=batch,
            precision=precision,
            progress=progress,
        )
    save_picture(scene.picture, result.picture)
    return Embedded(
        target=scene.target,
        picture=scene.picture,
        rows=result.rows,
        columns=result.columns,
        values=result.values,
        fingerprint=result.fingerprint,
        bands=(*result.alignment.taken, *result.alignment.merged),
        dropped=result.alignment.dropped,
        missing=result.alignment.missing,
        seconds=time.perf_counter() - start,
        warnings=scene.verdict.warnings,
    )
