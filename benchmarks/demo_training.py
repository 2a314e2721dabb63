"""How well the demo's model rebuilds: against the paper's start, and against guesses without a model.

Trains the tiny model on the demo's training part for --seconds (both starts, --seeds times) and prints as JSON the mean
square error of hidden pixels in normalized units on the 1024 px part that is held back: windows of 128 px, random
tokens hidden at 0.75 and 0.9. Baselines: the mean of visible pixels per window and band, and harmonic interpolation
(200 sweeps of Laplace's equation from the visible pixels of a band).

    python benchmarks/demo_training.py --seconds 120 --seeds 1 > docs/results/demo_training.json
"""

import argparse
import json
import sys

import numpy as np
import torch

import spectralgpt as sg
import spectralgpt.training.single_image as single_image
from spectralgpt.nn import Cube, Reconstruction, computing_in
from spectralgpt.raster import Window
from spectralgpt.verbs.demo import _installed_scene, _parts
from spectralgpt.weights import SpectralGPT

SIDE = 128


def windows(raster: sg.Raster, part: Window, model: SpectralGPT, share: float) -> list[tuple[Cube, Reconstruction]]:
    """Cubes of the held-back part and their reconstructions, with other tokens hidden in each window."""
    found = []
    for number, (row, column) in enumerate(np.ndindex(part.height // SIDE, part.width // SIDE)):
        cube = model.cube(raster.read(Window(part.row + row * SIDE, part.column + column * SIDE, SIDE, SIDE)))
        with torch.inference_mode(), computing_in("auto", model.device):
            found.append((cube, model.reconstruct(cube, share, seed=number)))
    return found


def error(found: list[tuple[Cube, Reconstruction]], guess: list[torch.Tensor]) -> float:
    """Mean over the windows of the mean square error over hidden pixels."""
    return float(
        np.mean(
            [
                float((each - cube.values)[rebuilt.hidden].square().mean())
                for (cube, rebuilt), each in zip(found, guess, strict=True)
            ]
        )
    )


def band_means(cube: Cube, hidden: torch.Tensor) -> torch.Tensor:
    seen = ~hidden
    mean = (cube.values * seen).sum((-1, -2), keepdim=True) / seen.sum((-1, -2), keepdim=True).clamp(min=1)
    return mean.expand_as(cube.values)


def harmonic(cube: Cube, hidden: torch.Tensor, sweeps: int = 200) -> torch.Tensor:
    values = torch.where(hidden, band_means(cube, hidden), cube.values)
    for _ in range(sweeps):
        padded = torch.nn.functional.pad(values[0], (1, 1, 1, 1), mode="replicate")
        around = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
        values = torch.where(hidden, around[None] / 4, cube.values)
    return values


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=120.0)
    arguments.add_argument("--seeds", type=int, default=1)
    given = arguments.parse_args()
    local = single_image.start_local
    rows: dict[str, dict[str, list[float]]] = {}
    with sg.open_raster(_installed_scene()) as raster:
        height, width = raster.grid.shape
        south, part = _parts(height, width)
        pixels = raster.read(south)
        for name, start in (("local start", local), ("the paper's start", lambda model: None)):
            single_image.start_local = start
            for seed in range(given.seeds):
                model, records = single_image.train_on_image(pixels, seconds=given.seconds, seed=seed, provenance={})
                print(f"{name}, seed {seed}: {records[-1]['step']:.0f} steps", file=sys.stderr)
                for share in (0.75, 0.9):
                    found = windows(raster, part, model, share)
                    rows.setdefault(name, {}).setdefault(str(share), []).append(
                        error(found, [rebuilt.predicted for _, rebuilt in found])
                    )
        for share in (0.75, 0.9):
            found = windows(raster, part, model, share)
            for name, guess in (("band mean of the window", band_means), ("harmonic interpolation", harmonic)):
                rows.setdefault(name, {})[str(share)] = [error(found, [guess(c, r.hidden) for c, r in found])]
    result = {
        "what": "mean square error of hidden pixels, normalized units, demo scene, part kept from training",
        "command": f"python benchmarks/demo_training.py --seconds {given.seconds:g} --seeds {given.seeds}",
        "versions": {"spectralgpt": sg.__version__, "torch": torch.__version__, "threads": torch.get_num_threads()},
        "by_start": rows,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
