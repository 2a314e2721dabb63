"""Pretraining on real images: tables of them for `spectralgpt shard`, and how well a model rebuilds held-back places.

python benchmarks/real_pretraining.py tables DATA TABLES
    DATA: a folder of real images as described in tests/products/shared_images.toml. Writes one table per kind of
    images, and sensor files where the images need one; `spectralgpt shard TABLES/*.csv` makes shards of them.

python benchmarks/real_pretraining.py evaluate WEIGHTS SHARDS --out FILE.json
    Mean square error of hidden tokens, in the normalization's units: of the weights, of means, and of interpolation
    between visible values in space, spectrum and time. All methods see the same values.
"""

import argparse
import json
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from interpolation import Corrected, Scene, Weighted, estimated, fitted
from rasterio.errors import NotGeoreferencedWarning
from real_images import rows_of_all, write_tables
from torch import Tensor

from spectralgpt.data.augmentation import centred
from spectralgpt.data.shards import Shards, open_shards
from spectralgpt.data.split import rows
from spectralgpt.draws import keys, permutation
from spectralgpt.errors import BandError
from spectralgpt.nn import Cube, Mask, draw_mask
from spectralgpt.nn.patches import to_slots
from spectralgpt.nn.slots import to_bands
from spectralgpt.report.rebuilt_samples import save_rebuilt_samples
from spectralgpt.weights import SpectralGPT, load_model

BATCH = 16
FITTED = 96
"""Number of samples of training places on which the interpolation's constants are chosen."""

PICTURED = 6

METHODS = ("mean", "sample_mean", "interpolation", "corrected")
"""The baselines of a model: each band's mean in training; its mean over the sample's visible values; and both ways of
interpolation.py."""


@dataclass(frozen=True)
class Masked:
    """A batch of one layout. rows: of its samples. scene: which values are visible, and which others are scored."""

    layout: int
    rows: np.ndarray
    places: np.ndarray
    cube: Cube
    mask: Mask
    scene: Scene

    @property
    def truth(self) -> Tensor:
        """The values to be rebuilt: (value,)."""
        return self.cube.values[self.scene.hidden]

    @property
    def sample(self) -> Tensor:
        """The index in the batch of each value's sample."""
        return torch.nonzero(self.scene.hidden)[:, 0]


def guessed(scene: Scene, interpolations: Mapping[str, Weighted | Corrected]) -> dict[str, Tensor]:
    """The estimates of the hidden values by each of METHODS."""
    seen, at = scene.seen, scene.hidden
    known, count = (each.sum(dim=(1, 3, 4), keepdim=True) for each in (torch.where(seen, scene.values, 0.0), seen))
    means = {
        "mean": torch.zeros(int(at.sum())),
        "sample_mean": (known / count.clamp(min=1)).expand(at.shape)[at],
    }
    estimates = {power: estimated(scene, power, at) for power in {way.power for way in interpolations.values()}}
    return means | {name: way.of(estimates[way.power]) for name, way in interpolations.items()}


def drawn(shards: Shards, share: float, held: bool, most: int, seed: int, *purpose: int) -> dict[int, np.ndarray]:
    """Samples by layout: all held-back ones (or all others), at most `most` of them, drawn."""
    found = [rows(shards, layout, share, held_back=held) for layout in range(len(shards.layouts))]
    of_layout = np.repeat(np.arange(len(found)), list(map(len, found)))
    every = np.concatenate(found)
    chosen = np.sort(permutation(seed, *purpose, count=len(every))[:most])
    return {int(i): every[chosen][of_layout[chosen] == i] for i in np.unique(of_layout[chosen])}


def masked_batches(
    shards: Shards,
    chosen: dict[int, np.ndarray],
    model: SpectralGPT,
    given: argparse.Namespace,
    ratio: float,
    seed: int,
) -> Iterator[Masked]:
    """The samples as cubes, each with a random mask of its own that depends only on sample and seed."""
    config = model.config
    for layout, every in chosen.items():
        places = shards.places(layout)
        for start in range(0, len(every), BATCH):
            part = every[start : start + BATCH]
            dates = shards.layouts[layout].dates
            turns = keys(seed, 1, layout, part[:, None], np.arange(dates)).argsort(axis=1)
            samples = shards.read(layout, part, np.sort(turns[:, : given.dates], axis=1))
            try:
                cube = centred(samples, given.image, config.bands, model.normalization, trained_side=config.image)
            except BandError as error:
                print(f"left out: {error}", file=sys.stderr)
                break
            grid = model.grid_of(cube)
            key = torch.from_numpy(keys(seed, 2, layout, part).view(np.int64))
            shape = (len(part), grid.dates, grid.groups, grid.places)
            present = None if cube.valid is None else model.present(cube).flatten(1)
            mask = draw_mask("random", ratio, shape, key, present)
            patch, height, width = config.patch, *cube.shape[-2:]
            tokens = mask.hidden.reshape(len(part), *grid.shape)[:, :, list(cube.bands.group_of_band)]
            hidden = tokens.repeat_interleave(patch, dim=3).repeat_interleave(patch, dim=4)[..., :height, :width]
            valid = cube.all_valid()
            wavelengths = [band.wavelength for band in cube.bands.bands]
            scene = Scene(cube.filled(), valid & ~hidden, valid & hidden, wavelengths, patch)
            yield Masked(layout, part, places[part], cube, mask, scene)


@torch.no_grad()
def rebuilt(model: SpectralGPT, masked: Masked) -> Tensor:
    """The model's prediction of all values."""
    cube, grid = masked.cube, model.grid_of(masked.cube)
    slots = to_slots(model(cube, masked.mask), model.config.patch, *grid.shape)
    return to_bands(slots, cube.bands)[..., : cube.shape[-2], : cube.shape[-1]]


def evaluate(given: argparse.Namespace) -> dict[str, Any]:
    """The content of the result file; also saves the picture."""
    shards = open_shards(given.shards)
    model = load_model(given.weights, "cpu", "pretraining")
    assert isinstance(model, SpectralGPT)
    chosen = drawn(shards, given.held_back, True, given.samples, 0, 4)
    cases = []
    for ratio, seed in product(given.ratio, range(given.seeds)):
        training = drawn(shards, given.held_back, False, FITTED, seed, 3)
        scenes = (each.scene for each in masked_batches(shards, training, model, given, ratio, seed))
        ways = fitted(scenes, seed)
        parts = []
        for masked in masked_batches(shards, chosen, model, given, ratio, seed):
            of_model = rebuilt(model, masked)[masked.scene.hidden]
            found = {"model": of_model} | guessed(masked.scene, {name: way for name, (way, _) in ways.items()})
            parts.append(Errors.of_batch(masked, found, shards.layouts[masked.layout].sensor))
        errors = Errors.joined(parts)
        sensors = {name: errors.of(errors.sensors == name).summary(seed) for name in np.unique(errors.sensors).tolist()}
        constants = {name: {**asdict(way), "error": error} for name, (way, error) in ways.items()}
        summary = errors.summary(seed)
        cases.append({"ratio": ratio, "seed": seed, **summary, "constants": constants, "sensors": sensors})
        print(f"{ratio} {seed}: {summary['errors']}", file=sys.stderr)
    if given.picture:
        save_picture(given.picture, shards, chosen, model, given)
    names = ("held_back", "image", "dates", "samples", "seeds", "ratio")
    return {
        "command": "python benchmarks/real_pretraining.py evaluate WEIGHTS SHARDS",
        "options": {name: getattr(given, name) for name in names},
        "units": "mean square error of hidden tokens' valid values, in the normalization's units",
        "weights": model.fingerprint(),
        "shards": shards.fingerprint,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "cases": cases,
    }


def save_picture(
    path: Path, shards: Shards, chosen: dict[int, np.ndarray], model: SpectralGPT, given: argparse.Namespace
) -> None:
    """Draw six held-back samples of the largest layouts: the input, its visible part, and the result."""
    most = sorted(chosen, key=lambda layout: len(chosen[layout]), reverse=True)
    counts = {layout: PICTURED // len(most) + (place < PICTURED % len(most)) for place, layout in enumerate(most)}
    shown = {layout: chosen[layout][:count] for layout, count in counts.items() if count}
    truth, made, hidden, wavelengths, titles = [], [], [], [], []
    for masked in masked_batches(shards, shown, model, given, given.ratio[0], 0):
        cube = masked.cube
        values = torch.where(masked.scene.hidden, rebuilt(model, masked), cube.filled())
        reflectance = cube.scaling.reflectance(values).where(cube.all_valid(), torch.nan)
        for number in range(len(masked.rows)):
            truth.append(cube.reflectance()[number, 0].numpy())
            made.append(reflectance[number, 0].numpy())
            hidden.append(~masked.scene.seen[number, 0].numpy())
            wavelengths.append([band.wavelength for band in cube.bands.bands])
            date = f", {np.datetime64(int(cube.days[number, 0]), 'D')}" if cube.days[number, 0] >= 0 else ""
            titles.append(f"{shards.layouts[masked.layout].sensor}{date}, {cube.gsd[number]:.0f} m")
    title = f"Held-back places, {given.ratio[0]:.0%} of the tokens hidden"
    save_rebuilt_samples(path, truth, made, hidden, wavelengths, titles, title)


@dataclass(frozen=True)
class Errors:
    """Sums of squares per sample and method; number of values, place and sensor per sample."""

    squares: dict[str, np.ndarray]
    counts: np.ndarray
    places: np.ndarray
    sensors: np.ndarray

    @classmethod
    def of_batch(cls, masked: Masked, found: dict[str, Tensor], sensor: str) -> "Errors":
        size = len(masked.rows)
        squares = {
            name: torch.zeros(size, dtype=torch.float64)
            .index_add(0, masked.sample, (values - masked.truth).double().square())
            .numpy()
            for name, values in found.items()
        }
        counts = torch.bincount(masked.sample, minlength=size).numpy()
        return cls(squares, counts, masked.places, np.full(size, sensor))

    @classmethod
    def joined(cls, parts: Sequence["Errors"]) -> "Errors":
        squares = {name: np.concatenate([part.squares[name] for part in parts]) for name in parts[0].squares}
        rest = ([getattr(part, name) for part in parts] for name in ("counts", "places", "sensors"))
        return cls(squares, *map(np.concatenate, rest))

    def of(self, chosen: np.ndarray) -> "Errors":
        squares = {name: each[chosen] for name, each in self.squares.items()}
        return Errors(squares, self.counts[chosen], self.places[chosen], self.sensors[chosen])

    def summary(self, seed: int) -> dict[str, Any]:
        """Mean square errors, and the ratios of the model's to each other one, with 95 % intervals over places."""
        mean = {name: float(each.sum() / self.counts.sum()) for name, each in self.squares.items()}
        return {
            "samples": len(self.counts),
            "places": len(np.unique(self.places)),
            "values": int(self.counts.sum()),
            "errors": mean,
            "ratios": {
                name: {"ratio": mean["model"] / mean[name], "interval": self.interval(name, seed)} for name in METHODS
            },
        }

    def interval(self, other: str, seed: int, draws: int = 2000) -> list[float] | None:
        """The interval of the ratio of errors, by drawing places with replacement. None for fewer than two places."""
        _, place = np.unique(self.places, return_inverse=True)
        if place.max() < 1:
            return None
        sums = np.stack([np.bincount(place, self.squares[name]) for name in ("model", other)])
        weights = np.random.default_rng(seed).multinomial(len(sums[0]), np.full(len(sums[0]), 1 / len(sums[0])), draws)
        model, others = sums @ weights.T
        return np.quantile(model / others, (0.025, 0.975)).tolist()


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    tables = commands.add_parser("tables")
    tables.add_argument("data", type=Path)
    tables.add_argument("tables", type=Path)
    command = commands.add_parser("evaluate")
    command.add_argument("weights")
    command.add_argument("shards", type=Path)
    command.add_argument("--out", type=Path, help="file for the result, in addition to standard output")
    command.add_argument("--picture", type=Path, help="of six held-back samples")
    command.add_argument("--held-back", type=float, default=0.1, help="share of the places")
    command.add_argument("--image", type=int, default=96, help="side in pixels")
    command.add_argument("--dates", type=int, default=2, help="largest number of dates per sample")
    command.add_argument("--samples", type=int, default=512)
    command.add_argument("--seeds", type=int, default=3)
    command.add_argument("--ratio", type=float, action="append", help="share of hidden tokens; default: 0.75 and 0.9")
    command.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.command == "tables":
        write_tables(rows_of_all(given.data, given.tables), given.data, given.tables)
        return
    torch.set_num_threads(given.threads)
    given.ratio = given.ratio or [0.75, 0.9]
    text = json.dumps(evaluate(given), indent=2)
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
