"""The measured read-out: a place in two crops is the same place, and what lies around it counts little."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from read_out import Measured, fitted, measured  # noqa: E402

import spectralgpt  # noqa: E402
from spectralgpt.nn import ReadOutConfig  # noqa: E402
from spectralgpt.nn.read_out import ReadOut  # noqa: E402
from spectralgpt.weights.untrained import untrained  # noqa: E402

DIM = 12


class Means:
    """A model of which the features of a token are the mean of its values, the same after every block."""

    config = SimpleNamespace(patch=8)

    def present(self, cube) -> Tensor:
        return self.seen(cube)[1]

    def _encoded(self, cube, blocks) -> tuple[list[Tensor], Tensor]:
        features, present = self.seen(cube)
        return [features] * len(blocks), present

    def seen(self, cube) -> tuple[Tensor, Tensor]:
        values = F.avg_pool2d(cube.filled().flatten(1, 2), 8).unflatten(1, cube.shape[1:3])
        return values[..., None], torch.ones(values.shape, dtype=torch.bool)


@pytest.mark.parametrize("side", [32, 64, 96, 128])
def test_a_place_in_two_crops_is_the_same_place(side):
    model = untrained("tiny", seed=0)
    values = np.random.default_rng(0).integers(1, 3000, (1, 12, side, side)).astype(np.uint16)
    image = spectralgpt.as_pixels(values, bands="s2-l2a", gsd=10, trust_input=True)
    cube = model.cube(image)
    found = measured(iter([cube]), Means(), (1,), (1,), "fp32")
    whole = side // 8
    crop = -(-5 * whole // 8)
    assert len(found.places) == 2 * crop**2
    assert found.twice.shape == ((2 * crop - whole) ** 2, 2, 1)
    torch.testing.assert_close(found.twice[:, 0], found.twice[:, 1], rtol=0, atol=1e-7)
    assert (found.twice[:, 0].std() > 1e-4).all()
    assert found.statistics.shape == (1, 2, 2)


def features(places: int, seed: int) -> Tensor:
    """Values that are the same in both crops, with larger ones of what lies around added: (place, 2, value)."""
    draw = torch.Generator().manual_seed(seed)
    mixed = torch.Generator().manual_seed(99)
    own = torch.randn(places, 1, 4, generator=draw) @ torch.randn(4, 2 * DIM, generator=mixed)
    around = torch.randn(places, 2, 3, generator=draw) @ (3 * torch.randn(3, 2 * DIM, generator=mixed))
    rest = 0.1 * torch.randn(places, 2, 2 * DIM, generator=draw)
    return own + around + rest


def noise_share(vectors: Tensor) -> float:
    """Of vectors in two crops (thing, 2, value): their difference over their spread."""
    spread = (vectors - vectors.mean(dim=(0, 1))).square().sum(dim=-1).mean()
    return float((vectors[:, 0] - vectors[:, 1]).square().sum(dim=-1).mean() / 2 / spread)


def made_read_out() -> ReadOut:
    seen = features(3000, 0)
    found = Measured(seen.flatten(0, 1), seen, seen, torch.ones(seen.shape, dtype=torch.bool))
    model = SimpleNamespace(config=SimpleNamespace(size=SimpleNamespace(dim=DIM)))
    return fitted(found, ReadOutConfig((1, 2), (2,), 6), model, 1.0)


def test_what_lies_around_a_place_counts_little():
    read_out = made_read_out()
    seen = features(500, 1)
    assert noise_share(seen) > 0.5

    def vectors(values: Tensor) -> Tensor:
        found = (values - read_out.place_mean) / read_out.place_deviation @ read_out.projection
        return found / found.norm(dim=-1, keepdim=True)

    assert noise_share(vectors(seen)) < 0.05
    # and the place itself is still there: the nearest vector in the other crop is often its own
    first, second = vectors(seen).unbind(dim=1)
    assert ((first @ second.T).argmax(dim=1) == torch.arange(500)).float().mean() > 0.5


def test_what_differs_between_crops_of_an_image_counts_little():
    read_out = made_read_out()
    seen = features(500, 2)
    known = torch.ones(seen.flatten(0, 1).shape, dtype=torch.bool)
    vectors = read_out.of_statistics(seen.flatten(0, 1), known).unflatten(0, (500, 2))
    assert noise_share(vectors) < 0.5 * noise_share(seen / seen.norm(dim=-1, keepdim=True))
