"""A small model, and pixels in which every date, band, row and column differs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from spectralgpt.bands import Band, BandSet, sensor
from spectralgpt.draws import keys
from spectralgpt.nn import BandStatistics, Cube, MaskedAutoencoder, ModelConfig, Normalization, Size, make_cube

SENTINEL = {band.name: band for band in sensor("s2-l1c").bands}
NATIVE = BandSet.native(sensor("spectralgpt-12").bands)
STANDARD = Normalization(
    "standard", tuple(BandStatistics(band, 1.5 + 0.1 * i, 0.6 + 0.05 * i) for i, band in enumerate(SENTINEL.values()))
)
MIN_MAX = Normalization(
    "min_max", tuple(BandStatistics(band, 0.1 + 0.01 * i, 0.05 + 0.01 * i) for i, band in enumerate(SENTINEL.values()))
)
NORMALIZATIONS = {"standard": STANDARD, "min_max": MIN_MAX}


@dataclass(frozen=True)
class MadePixels:
    values: Any
    valid: Any
    scale: Any
    offset: Any
    bands: Sequence[Band]
    days: Any
    gsd: Any


SIZE = Size(48, 2, 3, 32, 1, 2)


def small_model(seed: int = 0, **options: Any) -> MaskedAutoencoder:
    """No parameter is zero, as a property of zero could pass for one of the model."""
    torch.manual_seed(seed)
    model = MaskedAutoencoder(ModelConfig(SIZE, NATIVE, **options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


def sentinel_bands(count: int) -> list[Band]:
    names = ["B8", "B4", "B3", "B2", "B11", "B12", "B5", "B1", "B6", "B7", "B8A", "B9"][:count]
    return [SENTINEL[name] for name in names]


def narrow_bands(count: int) -> list[Band]:
    return [Band("narrow", str(i), float(w), 12.0, 30.0) for i, w in enumerate(np.linspace(410.0, 2450.0, count))]


def made_pixels(
    bands: Sequence[Band], height: int, width: int, *, batch: int = 2, dates: int = 1, seed: int = 0, valid: Any = None
) -> MadePixels:
    rng = np.random.default_rng(seed)
    return MadePixels(
        values=rng.integers(50, 6000, (batch, dates, len(bands), height, width)).astype(np.uint16),
        valid=valid,
        scale=np.full(len(bands), 1e-4),
        offset=np.full(len(bands), -0.004),
        bands=tuple(bands),
        days=18_000 + 37 * np.arange(dates, dtype=np.int32),
        gsd=10.0,
    )


def made_cube(
    bands: Sequence[Band] | None = None,
    height: int = 24,
    width: int = 32,
    *,
    kind: str = "standard",
    own: bool = False,
    reconstructing: bool = False,
    **options: Any,
) -> Cube:
    pixels = made_pixels(bands or NATIVE.bands, height, width, **options)
    return make_cube(pixels, NATIVE, NORMALIZATIONS[kind], 128, own=own, reconstructing=reconstructing)


def with_valid(cube: Cube, valid: torch.Tensor | None) -> Cube:
    return replace(cube, valid=valid)


def made_keys(seed: int, batch: int) -> torch.Tensor:
    """A key per sample, from which its random numbers are made."""
    return torch.from_numpy(keys(seed, np.arange(batch)).view(np.int64))
