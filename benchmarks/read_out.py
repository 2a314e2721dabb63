"""A measured read-out for weights: what of the features makes the embedding of a place and of an image.

python benchmarks/read_out.py WEIGHTS SHARDS OUT --held SHARDS
    Measures on samples of SHARDS, which the weights may have been trained on; the scale of int8 on samples of places
    that they were not (--held). Writes the weights with the read-out, rounded to half precision, to OUT.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
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

BATCH, SIDE = 16, 64
"""Samples computed together; side of the middle of each that is used, pixels."""

LEAST_SD = 1e-4
"""Of a number that is divided by its standard deviation."""

SMALLEST_SHARE = 1e-3
"""Size of a principal component of images, as share of the largest, below which it is left out."""

QUANTILE = 0.999
"""Of the magnitudes of values that int8 reaches without clipping."""


def cubes_of(folder: Path, model: SpectralGPT, most: int, seed: int) -> Iterator[Cube]:
    """The middles of samples of every layout, at most `most` in all, with at most two dates."""
    shards = open_shards(folder)
    share = min(1.0, most / sum(shards.counts))
    for layout, count in enumerate(shards.counts):
        chosen = permutation(seed, layout, count=count)[: max(1, round(share * count))]
        dates = shards.layouts[layout].dates
        for start in range(0, len(chosen), BATCH):
            part = chosen[start : start + BATCH]
            shown = np.tile(np.arange(min(2, dates)), (len(part), 1))
            try:
                samples = shards.read(layout, part, shown)
                yield centred(samples, SIDE, model.config.bands, model.normalization, trained_side=model.config.image)
            except BandError as error:
                print(f"left out: {error}", file=sys.stderr)
                break


@torch.inference_mode()
def measured(
    cubes: Iterator[Cube], model: SpectralGPT, place: Sequence[int], image: Sequence[int], precision: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Means of places over their present tokens after the blocks `place`, concatenated (place, value); statistics of
    images after the blocks `image` (image, value), and which are known."""
    places, statistics, known = [], [], []
    every = sorted({*place, *image})
    for cube in cubes:
        if any(group.native is None for group in cube.bands.groups):
            continue
        with computing_in(precision, torch.device("cpu")):  # type: ignore[arg-type]
            features, present = model._encoded(cube, every)[0], model.present(cube)
        by_block = dict(zip(every, features, strict=True))
        count = present.sum(dim=(1, 2))
        means = [by_block[block].sum(dim=(1, 2)) / count.clamp(min=1)[..., None] for block in place]
        places.append(torch.cat(means, dim=-1)[count > 0])
        numbers, there = pooled_statistics([by_block[block] for block in image], present)
        statistics.append(numbers)
        known.append(there)
    return torch.cat(places), torch.cat(statistics), torch.cat(known)


def fitted(
    places: Tensor, statistics: Tensor, known: Tensor, config: ReadOutConfig, model: SpectralGPT, whitening: float
) -> ReadOut:
    """Means and deviations, the projection of places onto their first principal components, and that of images onto all
    of them and back; whitened to the power `whitening`: 0 leaves them as they are, 1 makes all equal.

    Places are turned to few values, by size; values of images stay where they are, as probes standardize each.
    """
    read_out = ReadOut(config, model.config.size.dim)
    values = places.double()
    mean, sd = values.mean(dim=0), values.std(dim=0).clamp(min=LEAST_SD)
    _, sizes, axes = torch.linalg.svd((values - mean) / sd, full_matrices=False)
    sizes = sizes[: config.values] / len(values) ** 0.5
    numbers, weight = torch.where(known, statistics, 0.0).double(), known.double()
    total = weight.sum(dim=0).clamp(min=1)
    average = numbers.sum(dim=0) / total
    spread = ((numbers - average).square() * weight).sum(dim=0).div(total).sqrt().clamp(min=LEAST_SD)
    standardized = torch.where(known, (numbers - average) / spread, 0.0).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    _, lengths, turned = torch.linalg.svd(standardized, full_matrices=False)
    lengths = lengths / len(standardized) ** 0.5
    there = lengths > SMALLEST_SHARE * lengths[0]
    whitened = (turned[there].T * lengths[there] ** -whitening) @ turned[there]
    for name, found in {
        "place_mean": mean,
        "place_deviation": sd,
        "projection": axes[: config.values].T * sizes**-whitening,
        "image_mean": average,
        "image_deviation": spread,
        "image_projection": whitened,
    }.items():
        getattr(read_out, name).copy_(found)
    return read_out


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
    read_out = fitted(*found, config, model, given.whitening)
    held, _, _ = measured(
        cubes_of(given.held, model, given.samples, 1), model, config.place, config.image, given.precision
    )
    read_out.scale.copy_(scale_of(read_out, held))
    model.read_out = read_out
    model.save_pretrained(given.out)
    print(f"{given.out}: {len(found[0])} places, {len(found[1])} images; {model.fingerprint()}")


if __name__ == "__main__":
    main()
