"""How long a whole scene takes, from file to file, against the bare model on the same windows in memory.

`embed` and `reconstruct` with overlap and batch as they choose them, interleaved with the model's answers for the same
groups of windows, in one process; medians. Without --scene, a made scene.

    python benchmarks/scene_speed.py --scene scene.tif --weights tiny --repeats 5
"""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from measuring import about, given, interleaved, options, write
from reading import GSDS, made

from spectralgpt.checks import check
from spectralgpt.products import open_raster
from spectralgpt.raster import Raster
from spectralgpt.scenes import AnswerMaker, ReconstructionMaker, embed_scene, reconstruct_scene
from spectralgpt.scenes.choosing import suited
from spectralgpt.weights import PretrainedModel, load_model

VERBS: dict[str, tuple[type, Callable[..., Any]]] = {
    "embed": (AnswerMaker, embed_scene),
    "reconstruct": (ReconstructionMaker, reconstruct_scene),
}
LIMITS = {"embed": 1.08, "reconstruct": 1.15}
QUICK_SIDE, SIDE = 256, 1024


def whole_and_bare(
    verb: str, raster: Raster, model: PretrainedModel, folder: Path, chosen: tuple[float, int]
) -> dict[str, Callable[[], object]]:
    """The whole scene, and the model's answers for its groups of windows, which one run is asked for here."""
    kind, make = VERBS[verb]
    overlap, batch = chosen
    groups: list[tuple[Any, Any]] = []
    read = kind.read

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


def main() -> None:
    parser = options(__doc__ or "", repeats=5)
    parser.add_argument("--scene", type=Path)
    parser.add_argument("--weights", default="untrained")
    found = given(parser)
    model = load_model(found.weights, found.device)
    result: dict[str, Any] = {**about(found), "limits": LIMITS, "cases": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = [name for name in GSDS if name != "B10"]
        scene = found.scene or made(folder / "scene_2020-05-01.tif", names, QUICK_SIDE if found.quick else SIDE, 10)
        with open_raster(scene, bands=None if found.scene else "s2-l2a") as raster:
            chosen = suited(raster, model, own=False, overlap=None, batch=None)
            result["scene"] = {"shape": raster.shape, "overlap": chosen[0], "batch": chosen[1]}
            for verb in VERBS:
                runs = whole_and_bare(verb, raster, model, folder, chosen)
                seconds = interleaved(runs, found.repeats, found.device)
                bare, whole = (statistics.median(each) for each in seconds.values())
                ratios = [a / b for b, a in zip(*seconds.values(), strict=True)]
                result["cases"][verb] = {
                    "bare_s": bare,
                    "whole_s": whole,
                    "ratio": statistics.median(ratios),
                    "ratio_range": [min(ratios), max(ratios)],
                }
    bars = {"whole scene / bare model": {verb: case["ratio"] for verb, case in result["cases"].items()}}
    write("scene_speed", result, bars, "ratio of times", found.out)


if __name__ == "__main__":
    main()
