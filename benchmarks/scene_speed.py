"""How long a whole scene takes, from file to file, against the bare model on the same windows in memory.

`embed`, `reconstruct`, and `predict` with a light head (untrained, six classes), with overlap and batch as they choose
them, interleaved with the model's answers for the same groups of windows, in one process; medians. Without --scene, a
made scene. --tile: instead, one run of each command on the scene mirrored to so many pixels, as a user starts it, and
what its windows take in the bare model, by those of the scene itself before and after the run; with its peak memory.

    python benchmarks/scene_speed.py --scene scene.tif --weights tiny --repeats 5
    python benchmarks/scene_speed.py --scene scene.tif --weights tiny --tile 10980 --verbs embed
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import rasterio
from measuring import about, given, interleaved, options, write
from rasterio.windows import Window as RasterioWindow
from reading import GSDS, made

from spectralgpt.checks import check
from spectralgpt.nn import LightConfig
from spectralgpt.products import open_raster
from spectralgpt.raster import Raster
from spectralgpt.scenes import (
    AnswerMaker,
    ClassTargets,
    HeadOnPixels,
    ReconstructionMaker,
    embed_scene,
    map_classes,
    reconstruct_scene,
)
from spectralgpt.scenes.choosing import suited
from spectralgpt.scenes.class_map import ClassMaker
from spectralgpt.scenes.windows import scene_alignment, windows_plan
from spectralgpt.weights import PretrainedModel, load_model
from spectralgpt.weights.models import on_encoder

LIMITS = {"embed": 1.08, "reconstruct": 1.15, "predict": 1.08}
CLASSES = 6
QUICK_SIDE, SIDE = 256, 1024
STRIP = 512
TILE_SENSOR = "s2-l1c"
"""Of the demo's scene: without B10, its bands do not say the level."""

MOST = 2e9
"""Bytes that a process may take for a tile."""


def predict_scene(
    raster: Raster, model: PretrainedModel, target: Path, *, verdict: Any, overlap: float, batch: int
) -> object:
    """As the verb makes a map of classes, without picture and report."""
    assert model.task.answers is not None
    how: dict[str, Any] = {"own": False, "overlap": overlap, "precision": "auto"}
    answers = HeadOnPixels.made(raster, model, model.task.answers(model), batch=batch, **how)
    return map_classes(
        raster, model, answers, target, ClassTargets(), verdict=verdict, verb={"verb": "predict"}, overlap=overlap
    )


VERBS: dict[str, tuple[type, Callable[..., Any]]] = {
    "embed": (AnswerMaker, embed_scene),
    "reconstruct": (ReconstructionMaker, reconstruct_scene),
    "predict": (ClassMaker, predict_scene),
}


def whole_and_bare(
    verb: str, raster: Raster, model: PretrainedModel, folder: Path, chosen: tuple[float, int]
) -> dict[str, Callable[[], object]]:
    """The whole scene, and the model's answers for its groups of windows, which one run is asked for here."""
    kind, make = VERBS[verb]
    overlap, batch = chosen
    groups: list[tuple[Any, Any]] = []
    read = kind.read  # type: ignore[attr-defined]

    def recorded(maker: Any, windows: Sequence[Any]) -> Any:
        pixels = read(maker, windows)
        groups.append((maker, pixels))
        return pixels

    def whole() -> object:
        verdict = check(raster, trust=True)
        return make(raster, model, folder / f"{verb}.tif", verdict=verdict, overlap=overlap, batch=batch)

    with mock.patch.object(kind, "read", recorded):
        whole()
    return {
        f"{verb}, bare": lambda: [maker.compute(pixels) for maker, pixels in groups],
        f"{verb}, whole": whole,
    }


def mirrored(scene: Path, target: Path, side: int) -> Path:
    """The scene's bands but B10, mirrored again and again to side x side pixels, in tiles like a product's."""
    with rasterio.open(scene) as source:
        bands = [i for i, name in zip(source.indexes, source.descriptions, strict=True) if name != "B10"]
        values, profile = source.read(bands), source.profile
        names = [source.descriptions[i - 1] for i in bands]
    profile |= {"height": side, "width": side, "count": len(bands), "tiled": True, "interleave": "band"}
    profile |= {"blockxsize": STRIP, "blockysize": STRIP, "compress": "deflate", "predictor": 2, "bigtiff": "yes"}
    rows, columns = (np.pad(np.arange(length), (0, side), "symmetric")[:side] for length in values.shape[1:])
    with rasterio.open(target, "w", **profile) as tile:
        for start in range(0, side, STRIP):
            strip = values[:, rows[start : start + STRIP]][:, :, columns]
            tile.write(strip, window=RasterioWindow(0, start, side, strip.shape[1]))
        tile.descriptions = names
    return target


def one_run(verb: str, tile: Path, weights: Path | str, folder: Path, more: Sequence[str]) -> dict[str, Any]:
    """A command in a process of its own: seconds, peak bytes, and what it reports."""
    target, report = folder / f"{verb}_tile.tif", folder / f"{verb}.json"
    command = [sys.executable, "-m", "spectralgpt", verb, str(tile), str(target), "--weights", str(weights), *more]
    start = time.perf_counter()
    with report.open("w") as out:
        child = subprocess.Popen([*command, "--json"], stdout=out)
        _, status, used = os.wait4(child.pid, 0)
    assert not status, command
    said = json.loads(report.read_text())
    return {
        "seconds": time.perf_counter() - start,
        "peak_bytes": used.ru_maxrss * 1024,
        "target_bytes": target.stat().st_size,
        "said": {name: value for name, value in said.items() if isinstance(value, int | float)},
    }


def scene_case(verb: str, raster: Raster, model: PretrainedModel, folder: Path, found: Any) -> dict[str, Any]:
    """Whole and bare, interleaved."""
    chosen = suited(raster, model, own=False, overlap=None, batch=None)
    runs = whole_and_bare(verb, raster, model, folder, chosen)
    seconds = interleaved(runs, found.repeats, found.device)
    bare, whole = (statistics.median(each) for each in seconds.values())
    ratios = [a / b for b, a in zip(*seconds.values(), strict=True)]
    return {
        "bare_s": bare,
        "whole_s": whole,
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "windows": windows_in(raster, model, *chosen),
    }


def tile_case(verb: str, raster: Raster, tile: Path, model: PretrainedModel, weights: Any, folder: Path) -> Any:
    """One run, between two runs of the bare model on the scene that the tile repeats."""
    with open_raster(tile, bands=TILE_SENSOR) as large:
        overlap, batch = suited(large, model, own=False, overlap=None, batch=None)
        count = windows_in(large, model, overlap, batch)
    windows = windows_in(raster, model, overlap, batch)
    bare = whole_and_bare(verb, raster, model, folder, (overlap, batch))[f"{verb}, bare"]

    def per_window() -> float:
        start = time.perf_counter()
        bare()
        return (time.perf_counter() - start) / windows

    bare()
    before = [per_window() for _ in range(3)]
    run = one_run(verb, tile, weights, folder, ["--bands", TILE_SENSOR])
    each = statistics.median([*before, *(per_window() for _ in range(3))])
    return run | {
        "bare_s": each * count,
        "ratio": run["seconds"] / (each * count),
        "windows": count,
        "overlap": overlap,
        "batch": batch,
        "within_memory": run["peak_bytes"] <= MOST,
    }


def windows_in(raster: Raster, model: PretrainedModel, overlap: float, batch: int) -> int:
    """How many windows a scene has."""
    return windows_plan(raster, model, scene_alignment(raster, model, False), overlap=overlap, batch=batch).count


def main() -> None:
    parser = options(__doc__ or "", repeats=5)
    parser.add_argument("--scene", type=Path)
    parser.add_argument("--weights", default="untrained")
    parser.add_argument("--verbs", nargs="+", choices=list(VERBS), default=list(VERBS))
    parser.add_argument("--tile", type=int, help="side of the tile, pixels")
    found = given(parser)
    model = load_model(found.weights, found.device)
    given_scene, found.scene = found.scene, found.scene and found.scene.name
    result: dict[str, Any] = {**about(found), "limits": LIMITS, "cases": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = [name for name in GSDS if name != "B10"]
        scene = given_scene or made(folder / "scene_2020-05-01.tif", names, QUICK_SIDE if found.quick else SIDE, 10)
        tile = mirrored(scene, folder / "tile.tif", found.tile) if found.tile else None
        with open_raster(scene, bands=None if found.scene else "s2-l2a") as raster:
            result["scene"] = {"shape": raster.shape}
            for verb in found.verbs:
                used, weights = model, found.weights
                if verb == "predict":
                    used = on_encoder(model, "segmentation", LightConfig(CLASSES))
                    weights = folder / "light"
                    used.save_pretrained(weights)
                if tile:
                    case = tile_case(verb, raster, tile, used, weights, folder)
                else:
                    case = scene_case(verb, raster, used, folder, found)
                result["cases"][verb] = case
                print(verb, json.dumps(case), file=sys.stderr, flush=True)
    bars = {"whole scene / bare model": {verb: case["ratio"] for verb, case in result["cases"].items()}}
    write("scene_tile" if found.tile else "scene_speed", result, bars, "ratio of times", found.out)


if __name__ == "__main__":
    main()
