"""How far vectors move when pixels of their patch are missing, filled from the patch and with a constant.

    python benchmarks/partial_patches.py DATA --weights WEIGHTS untrained

Move: change of a place's vector (L2) over the mean distance of all vectors of the image to their mean.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from spectralgpt.nn import Cube
from spectralgpt.nn.filling import filled_patches
from spectralgpt.nn.patches import pad
from spectralgpt.products import open_raster
from spectralgpt.version import __version__
from spectralgpt.weights import SpectralGPT
from spectralgpt.weights.untrained import untrained

RESULT = Path(__file__).parents[1] / "docs" / "results" / "partial_patches.json"
SIDE, PATCH = 128, 8
IMAGES = (
    ("s2_pairs/282D_485L_3_3/282D_485L_3_3_S2L1C.tif", None),
    ("s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L2A.tif", None),
    ("s2_pairs/637U*/*_S2L2A.tif", None),
    ("s2_pairs/609U*/*_S2L1C.tif", None),
    ("landslide4sense/images/image_902.tif", None),
    ("s2_l1c_scenes/copernicusfm_nz_T60HWB_2020-10-02.tif", None),
    ("hls/hlsl30_texas.tif", None),
    ("hls/hlss30_romania_52002694.tif", None),
    ("eurosat_ms/River/River_3.tif", "eurosat"),
    ("bigearthnet_samples/S2B_MSIL2A_20170924T093019_43_47", None),
    ("oscd/bercy/imgs_1", None),
    ("timeseries/romania_forest/romania_forest_2015-08-31.tif", None),
    ("worldcereal_ts/wc_be_a/*", None),
)
"""Files below DATA and their --bands; of these, the first ten with a part of at least 64 x 64 valid pixels."""


def cubes(data: Path, model: SpectralGPT, count: int) -> Iterator[tuple[str, Cube]]:
    """Valid parts of images, at most SIDE pixels a side and whole patches."""
    found = 0
    for name, bands in IMAGES:
        path = next(iter(sorted(data.glob(name))), None)
        if path is None or found == count:
            continue
        try:
            cube = model.cube(open_raster(path, bands=bands).read())
        except ValueError as error:
            print(f"left out: {error}")
            continue
        rows, columns = (min(SIDE, side // PATCH * PATCH) for side in cube.shape[-2:])
        cube = cube.cut(slice(0, rows), slice(0, columns))
        if min(rows, columns) >= 64 and bool(cube.all_valid().all()):
            found += 1
            yield str(path.relative_to(data)), replace(cube, valid=None)


def cases(cube: Cube, seed: int) -> Iterator[tuple[str, Cube]]:
    """The cube cropped, with half a patch missing in every 16th, and below clouds with ragged edges."""
    rows, columns = cube.shape[-2:]
    for gone in range(1, 8):
        yield f"cropped by {gone}", cube.cut(slice(None), slice(0, columns - gone))
    known = torch.ones(rows, columns, dtype=torch.bool)
    for row in range(16, rows - 8, 32):
        for column in range(16, columns - 8, 32):
            known[row : row + 8, column : column + 4] = False
    yield "half a patch", with_valid(cube, known)
    noise = torch.rand((1, 1, rows // 4, columns // 4), generator=torch.Generator().manual_seed(seed))
    smooth = F.interpolate(F.avg_pool2d(noise, 5, 1, 2), (rows, columns), mode="bilinear")[0, 0]
    yield "clouds, 10 %", with_valid(cube, smooth < smooth.flatten().quantile(0.9))


def with_valid(cube: Cube, known: Bool[Tensor, "row column"]) -> Cube:
    return replace(cube, valid=known.expand(cube.shape).contiguous())


def constant(values, valid, bands, patch_side, absent):  # type: ignore[no-untyped-def]
    """The fill of rules 1."""
    return pad(values if valid is None else torch.where(valid, values, absent), patch_side, absent)


@torch.inference_mode()
def moves(model: SpectralGPT, cube: Cube, harmed: Cube) -> tuple[list[float], list[float]]:
    """Of the places that miss some pixels, and of their neighbours that miss none."""
    whole, found = (model.embed(each, "place")[0] for each in (cube, harmed))
    move = (whole - found).norm(dim=-1) / (whole - whole.mean(dim=(0, 1))).norm(dim=-1).mean()
    share = harmed.valid_share(PATCH)[0]
    touched = (share > 0) & (share < 1)
    near = F.max_pool2d(touched[None].float(), 3, 1, 1)[0] > 0
    return move[touched].tolist(), move[near & (share == 1)].tolist()


def measured(name: str, data: Path, count: int) -> dict[str, object]:
    """Moves per case: median over images of an image's median, 90 % quantile of all places."""
    model = untrained(name) if name.startswith("untrained") else SpectralGPT.from_pretrained(name).eval()
    result: dict[str, object] = {
        "weights": name if name.startswith("untrained") else "recipe own, stage 1",
        "fingerprint": model.fingerprint(),
    }
    images = list(cubes(data, model, count))
    result["images"] = [name for name, _ in images]
    for fill, function in (("constant", constant), ("patch", filled_patches)):
        per_case: dict[str, list[tuple[list[float], list[float]]]] = {}
        with patch("spectralgpt.nn.cube.filled_patches", function):
            for number, (_, cube) in enumerate(images):
                for case, harmed in cases(cube, number):
                    per_case.setdefault(case, []).append(moves(model, cube, harmed))
        result[fill] = {case: summary(found) for case, found in per_case.items()}
    return result


def summary(found: list[tuple[list[float], list[float]]]) -> dict[str, float]:
    touched, near = zip(*found, strict=True)
    return {
        "median": round(float(np.median([np.median(each) for each in touched])), 3),
        "quantile_90": round(float(np.quantile(np.concatenate(touched), 0.9)), 3),
        "neighbours": round(float(np.median([np.median(each) for each in near])), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the real images")
    parser.add_argument("--weights", nargs="+", default=["untrained"])
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    found = [measured(name, given.data, given.images) for name in given.weights]
    versions = {"spectralgpt": __version__, "torch": torch.__version__}
    given.out.write_text(json.dumps({"versions": versions, "results": found}, indent=1) + "\n")
    for each in found:
        print(each["weights"], len(each["images"]), "images")  # type: ignore[arg-type]
        for fill in ("constant", "patch"):
            for case, one in each[fill].items():  # type: ignore[attr-defined]
                print(f"  {fill:9s} {case:14s} {one}")


if __name__ == "__main__":
    main()
