"""A measured read-out for weights: what of the features makes the embedding of a place and of an image.

python benchmarks/read_out.py WEIGHTS SHARDS OUT --held SHARDS
    Measures on samples of SHARDS, which the weights may have been trained on; the scale of int8 on samples of places
    that they were not (--held). Writes the weights with the read-out, rounded to half precision, to OUT.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spectralgpt.data.augmentation import centred
from spectralgpt.data.shards import open_shards
from spectralgpt.draws import permutation
from spectralgpt.errors import BandError
from spectralgpt.nn import Cube, ReadOut, ReadOutConfig, computing_in
from spectralgpt.nn.read_out import MOST_DEVIATIONS, pooled_statistics
from spectralgpt.weights import SpectralGPT, load_model

BATCH = 16
"""Samples computed together."""

LARGEST_SIDE = 128
"""Of the middle of a sample that is used, pixels."""

CROP = 0.625
"""Side of each of the two crops of an image, as share of the image's: they share its middle."""

LEAST_SD = 1e-4
"""Of a number that is divided by its standard deviation."""

TOTAL_SHARE = 0.03
"""Share of the whole covariance that is added to that within a place or an image, so that no value looks exact."""

SMALLEST_SHARE = 1e-6
"""Size of a principal component's variance, as share of the largest, below which it is left out."""

QUANTILE = 0.999
"""Of the magnitudes of values that int8 reaches without clipping."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What places and images look like, and how much of that comes from what lies around them.

    places: (place, value), means over present tokens after each block that is read, concatenated. twice: (place, 2,
    value), those that are in two crops of an image. statistics, known: (image, 2, value), of two crops of each image.
    """

    places: Tensor
    twice: Tensor
    statistics: Tensor
    known: Tensor


def cubes_of(folder: Path, model: SpectralGPT, most: int, seed: int) -> Iterator[Cube]:
    """The middles of samples of every layout, at most `most` in all, with at most two dates."""
    shards = open_shards(folder)
    share = min(1.0, most / sum(shards.counts))
    for layout, count in enumerate(shards.counts):
        chosen = permutation(seed, layout, count=count)[: max(1, round(share * count))]
        dates, side = shards.layouts[layout].dates, min(LARGEST_SIDE, shards.layouts[layout].side)
        for start in range(0, len(chosen), BATCH):
            part = chosen[start : start + BATCH]
            shown = np.tile(np.arange(min(2, dates)), (len(part), 1))
            try:
                samples = shards.read(layout, part, shown)
                yield centred(samples, side, model.config.bands, model.normalization, trained_side=model.config.image)
            except BandError as error:
                print(f"left out: {error}", file=sys.stderr)
                break


def crop(cube: Cube, start: int, side: int) -> Cube:
    """The square of `side` pixels from row and column `start` on."""
    here = (..., slice(start, start + side), slice(start, start + side))
    return replace(cube, values=cube.values[here], valid=None if cube.valid is None else cube.valid[here])


@torch.inference_mode()
def measured(
    cubes: Iterator[Cube], model: SpectralGPT, place: Sequence[int], image: Sequence[int], precision: str
) -> Measured:
    """Each image in two crops that share its middle. place, image: the blocks that are read."""
    places, twice, statistics, known = [], [], [], []
    every, patch = sorted({*place, *image}), model.config.patch
    for cube in cubes:
        if any(group.native is None for group in cube.bands.groups):
            continue
        whole = cube.values.shape[-1] // patch
        side = math.ceil(CROP * whole)
        seen, numbers = [], []
        for start in (0, whole - side):
            part = crop(cube, start * patch, side * patch)
            with computing_in(precision, torch.device("cpu")):  # type: ignore[arg-type]
                features, present = model._encoded(part, every)[0], model.present(part)
            by_block = dict(zip(every, features, strict=True))
            count = present.sum(dim=(1, 2))[..., None]
            means = [by_block[block].sum(dim=(1, 2)) / count.clamp(min=1) for block in place]
            seen.append((torch.cat(means, dim=-1), count[..., 0] > 0))
            numbers.append(pooled_statistics([by_block[block] for block in image], present))
        places += [values[there] for values, there in seen]
        (first, in_first), (second, in_second) = seen
        both = 2 * side - whole  # places along a side that are in both crops: the last of one, the first of the other
        shared = in_first[:, -both:, -both:] & in_second[:, :both, :both]
        twice.append(torch.stack([first[:, -both:, -both:][shared], second[:, :both, :both][shared]], dim=1))
        statistics.append(torch.stack([each for each, _ in numbers], dim=1))
        known.append(torch.stack([each for _, each in numbers], dim=1))
    return Measured(*(torch.cat(each) for each in (places, twice, statistics, known)))


def fitted(found: Measured, config: ReadOutConfig, model: SpectralGPT, whitening: float) -> ReadOut:
    """Means and deviations, and projections in which what differs between two crops of a place or an image counts less.

    Places: scaled until all differs alike between crops, as in within-class covariance normalization, and projected on
    the components that differ most between places. Images: the same to the power `whitening` (0 leaves them as they
    are), turned back, as probes standardize each value.
    """
    read_out = ReadOut(config, model.config.size.dim)
    values = found.places.double()
    mean, sd = values.mean(dim=0), values.std(dim=0).clamp(min=LEAST_SD)
    scaled = (values - mean) / sd
    within = powered(inner((found.twice.double() - mean) / sd, scaled), -0.5)
    _, axes = torch.linalg.eigh(within @ covariance(scaled) @ within)
    weight, numbers = found.known.double(), torch.where(found.known, found.statistics, 0.0).double()
    total = weight.sum(dim=(0, 1)).clamp(min=1)
    average = numbers.sum(dim=(0, 1)) / total
    spread = ((numbers - average).square() * weight).sum(dim=(0, 1)).div(total).sqrt().clamp(min=LEAST_SD)
    standardized = torch.where(found.known, (numbers - average) / spread, 0.0).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    for name, result in {
        "place_mean": mean,
        "place_deviation": sd,
        "projection": (within @ axes).flip(dims=[1])[:, : config.values],
        "image_mean": average,
        "image_deviation": spread,
        "image_projection": powered(inner(standardized, standardized.flatten(0, 1)), -whitening / 2),
    }.items():
        getattr(read_out, name).copy_(result)
    return read_out


def inner(twice: Tensor, every: Tensor) -> Tensor:
    """The covariance within what was seen twice (thing, 2, value), and a little of that of all (thing, value)."""
    difference = twice[:, 0] - twice[:, 1]
    return difference.T @ difference / (2 * len(difference)) + TOTAL_SHARE * covariance(every)


def covariance(values: Tensor) -> Tensor:
    return values.T @ values / len(values)


def powered(matrix: Tensor, power: float) -> Tensor:
    """The power of a symmetric matrix, within the space of its components that are not almost nothing."""
    sizes, axes = torch.linalg.eigh(matrix)
    there = sizes > SMALLEST_SHARE * sizes[-1]
    return (axes[:, there] * sizes[there] ** power) @ axes[:, there].T


def unit(values: Tensor) -> Tensor:
    return values / values.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def scale_of(read_out: ReadOut, places: Tensor) -> Tensor:
    """The int8 scale of each value of a unit vector."""
    vectors = unit(((places - read_out.place_mean) / read_out.place_deviation) @ read_out.projection)
    return vectors.abs().quantile(QUANTILE, dim=0) / 127


def without_descriptors(model: SpectralGPT) -> SpectralGPT:
    """The model without the layer that predicts descriptors, which only training needs."""
    kept = SpectralGPT(replace(model.config, descriptors=False), model.normalization, model.provenance)
    own = kept.state_dict()
    kept.load_state_dict({name: tensor for name, tensor in model.state_dict().items() if name in own})
    return kept.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("shards", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held", type=Path, required=True, help="shards of places that were not trained on")
    parser.add_argument("--place", type=int, nargs="+", default=[4, 8, 12], help="blocks read for a place")
    parser.add_argument("--image", type=int, nargs="+", default=[12], help="blocks read for an image")
    parser.add_argument("--values", type=int, default=192)
    parser.add_argument("--whitening", type=float, default=0.5)
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    model = load_model(given.weights, "cpu", "pretraining")
    assert isinstance(model, SpectralGPT)
    model = without_descriptors(model).rounded()
    config = ReadOutConfig(tuple(given.place), tuple(given.image), given.values)
    found = measured(
        cubes_of(given.shards, model, given.samples, 0), model, config.place, config.image, given.precision
    )
    read_out = fitted(found, config, model, given.whitening)
    held = measured(cubes_of(given.held, model, given.samples, 1), model, config.place, config.image, given.precision)
    read_out.scale.copy_(scale_of(read_out, held.places))
    model.read_out = read_out
    model.save_pretrained(given.out)
    print(f"{given.out}: {len(found.places)} places, {len(found.statistics)} images; {model.fingerprint()}")


if __name__ == "__main__":
    main()
