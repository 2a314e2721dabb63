"""Scene in, map of embeddings out; or many images in, one table of embeddings out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

from spectralgpt.errors import OptionError, argument
from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._each import EachSceneOptions, weights_of_any_kind, with_each
from spectralgpt.verbs._embed_table import embed_table
from spectralgpt.verbs._embedded import EmbeddedImages
from spectralgpt.verbs._flat_options import default_options, with_shared_options
from spectralgpt.verbs._options import (
    ImageInPython,
    Replacing,
    SceneSources,
    SceneTarget,
    ShowProgress,
)
from spectralgpt.verbs._scene import opened_scene

OF_MAPS = ("per", "dtype", "scale", "min_valid", "overlap", "restart", "max_hours", "aoi", "dates", "allow_remote")
"""Options that mean nothing for a table."""


@dataclass(frozen=True, slots=True)
class Embedded(EmbeddedImages):
    """Where the map, its picture and the raster of valid shares (percent) are, and what they hold.

    rows, columns: places of the map; values: per place. bands: `model band <- bands of the image`. dropped: bands of
    the image that were not used; missing: bands of the model that the image does not have. blocks_resumed: block rows
    of the map that an interrupted run had finished.
    """

    target: Path
    picture: Path
    valid: Path
    rows: int
    columns: int
    values: int
    fingerprint: str
    bands: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]
    seconds: float
    blocks_resumed: int = 0
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        dropped = f"; not used: {', '.join(self.dropped)}" if self.dropped else ""
        missing = f"; missing: {', '.join(self.missing)}" if self.missing else ""
        return (
            f"{self.target}: {self.rows} x {self.columns} places, {self.values} values each ({self.seconds:.1f} s)\n"
            f"{self.picture}: the first three principal components\n"
            f"{self.valid}: the valid share of each place in percent\n"
            f"bands: {', '.join(self.bands)}{dropped}{missing}\nweights: {self.fingerprint[:16]}"
        )


@with_shared_options
@with_each(weights_of_any_kind)
def embed(
    sources: SceneSources,
    target: SceneTarget,
    *,
    per: Literal["all", "group", "date"] = "all",
    dtype: Literal["float32", "int8"] = "float32",
    scale: Literal["weights", "file"] = "weights",
    min_valid: float = 0.0,
    beside: Literal["handmade"] | None = None,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[EachSceneOptions],
) -> EmbeddedImages:
    """Turn a scene into a map of embeddings, with one pixel per 8 x 8 pixels.

    TARGET is a GeoTIFF with one band per value. A picture of the first three principal components is written next to
    it, and the valid share of each place in percent (TARGET.valid.tif). With a name that ends in .parquet or .csv,
    TARGET is a table with one embedding per image; SOURCE may then also be a folder of images, or a CSV table with the
    column path. With each=True, TARGET is a folder, with one map per SOURCE.

    Args:
        sources: An image, a product, or a folder of single-band files; several are dates of the same place, for a table
            images of their own. PATH@2020-05-01 gives an image its date. In Python also Pixels or a Raster.
        target: The GeoTIFF to write (.tif), or the table (.parquet, .csv).
        per: Average over band groups and dates (all), or stack one vector per band group (group) or per date (date).
        dtype: Type of the stored values; int8 takes a quarter of the space.
        scale: Scale of int8 values: that of the weights, so that files compare, or a closer one of this file.
        min_valid: Leave out places with a smaller valid share, from 0 to 1.
        beside: handmade: write hand-made features of each image, too, into a column of this name; for a table.

    Example:
        spectralgpt embed demo-output/part.tif vectors.tif
    """
    import time

    from spectralgpt.features.vector_table import is_table

    if is_table(Path(target)):
        if isinstance(sources, ImageInPython):
            raise OptionError(f"{target}: found a table as the target of one image", "a GeoTIFF (.tif)")
        _refuse_options_of_maps({"per": per, "dtype": dtype, "scale": scale, "min_valid": min_valid, **options})
        return embed_table(sources, Path(target), options, announce, progress, beside)
    if beside is not None:
        found = f"{argument('beside', beside)}: found a map as the target, and these are numbers of a whole image"
        raise OptionError(found, "a table (.parquet, .csv)")

    from spectralgpt.report import save_picture
    from spectralgpt.scenes import embed_scene, share_target
    from spectralgpt.scenes.embeddings import check_min_valid

    check_min_valid(min_valid)
    start = time.perf_counter()
    shares = share_target(Path(target))
    with opened_scene("embed", sources, target, options, beside=[shares], announce=announce) as scene:
        result = embed_scene(
            scene.raster,
            scene.model,
            scene.target,
            verdict=scene.verdict,
            per=per,
            dtype=dtype,
            scale=scale,
            min_valid=min_valid,
            mark=scene.mark,
            course=scene.course,
            progress=progress,
            **scene.computing,
        )
        save_picture(scene.picture, result.picture, scene.mark.tags)
    return Embedded(
        target=scene.target,
        picture=scene.picture,
        valid=shares,
        rows=result.rows,
        columns=result.columns,
        values=result.values,
        fingerprint=result.fingerprint,
        bands=(*result.alignment.taken, *result.alignment.merged),
        dropped=result.alignment.dropped,
        missing=result.alignment.missing,
        seconds=time.perf_counter() - start,
        blocks_resumed=result.blocks_resumed,
        warnings=scene.verdict.warnings,
    )


def _refuse_options_of_maps(given: Mapping[str, Any]) -> None:
    """OptionError for an option of maps that has another value than its default."""
    defaults = default_options(embed)
    for name in OF_MAPS:
        if given[name] != defaults[name]:
            raise OptionError(f"{argument(name, given[name])}: found a table as the target", "a GeoTIFF (.tif)")
