"""Estimates of hidden values without a model: interpolation between visible values in spectrum, space and time.

Axes of tensors: batch, date, band, height, width; bands in order of wavelength. Two ways: the weighted mean of three
interpolations, in spectrum, space and time; and the spatial one, corrected by the differences of the pixel's visible
bands and dates from spatial estimates of themselves (as in cokriging). Their constants are chosen where the truth is
known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from spectralgpt.draws import permutation

FITTED = 400
"""Number of values per sample on which constants are chosen."""

LEAST = 1e-9
"""Smaller than any real sum of weights, larger than rounding errors."""

SWEEPS = 64
"""Sweeps that smooth the spatial estimate."""

POWERS = (3.0, 4.0)
GRID = {
    "reach": (0.02, 0.1, 0.3, 1.0),
    "spatial": (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
    "temporal": (0.0, 0.3, 1.0, 3.0, 10.0, 30.0),
    "bands": (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "dates": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
}


@dataclass(frozen=True)
class Scene:
    """A batch of images that are partly seen. hidden: the valid values of the rest. wavelengths: nm, one per band.
    patch: side of the squares of pixels that are hidden together."""

    values: Tensor
    seen: Tensor
    hidden: Tensor
    wavelengths: Sequence[float]
    patch: int


@dataclass(frozen=True)
class Estimates:
    """Estimates for the hidden values, one each: (value,).

    spectral: linear in ln wavelength between the visible bands of the pixel, `distance` from the nearest, infinite
    without any. spatial: mean of the band's visible pixels with weights 1 / (1 + d^2) ** (power / 2) at a distance of
    d pixels, density: the sum of the weights; then smoothed. temporal: mean of the other dates with the band visible
    there; dated: 1 where any exist. off_bands, off_dates: the spectral and the temporal interpolation of the residuals
    of visible values, each estimated from its neighbours in space only, as if it were hidden; 0 without any.
    """

    spectral: Tensor
    distance: Tensor
    spatial: Tensor
    density: Tensor
    temporal: Tensor
    dated: Tensor
    off_bands: Tensor
    off_dates: Tensor


@dataclass(frozen=True)
class Weighted:
    """The mean of the estimates with weights 1 / (distance + reach), spatial x density ** 0.5, and temporal; 0, the
    mean of all images, without any estimate."""

    power: float
    reach: float
    spatial: float
    temporal: float

    def of(self, found: Estimates) -> Tensor:
        by_bands = 1 / (found.distance + self.reach)
        by_pixels, by_dates = self.spatial * found.density.sqrt(), self.temporal * found.dated
        total = by_bands * found.spectral + by_pixels * found.spatial + by_dates * found.temporal
        return total / (by_bands + by_pixels + by_dates).clamp(min=LEAST)


@dataclass(frozen=True)
class Corrected:
    """The spatial estimate plus shares (bands, dates) of the residuals of visible bands and dates; for a band without
    visible values the spectral estimate."""

    power: float
    bands: float
    dates: float

    def of(self, found: Estimates) -> Tensor:
        corrected = found.spatial + self.bands * found.off_bands + self.dates * found.off_dates
        return torch.where(found.density > 0, corrected, found.spectral)


def fitted(scenes: Iterable[Scene], seed: int) -> dict[str, tuple[Weighted | Corrected, float]]:
    """For each way the constants with the least mean square error, and that error."""
    truth, found = [], {power: [] for power in POWERS}
    for number, scene in enumerate(scenes):
        # some values of each sample are enough for four constants
        at = torch.nonzero(scene.hidden.flatten()).flatten()
        at = at[torch.from_numpy(permutation(seed, number, count=len(at))[: FITTED * len(scene.values)])]
        drawn = torch.zeros(scene.hidden.numel(), dtype=torch.bool).index_fill(0, at, True).reshape(scene.hidden.shape)
        truth.append(scene.values[drawn])
        for power, estimates in found.items():
            estimates.append(estimated(scene, power, drawn))
    wanted = torch.cat(truth)
    whole = {
        power: Estimates(*map(torch.cat, zip(*(vars(each).values() for each in estimates), strict=True)))
        for power, estimates in found.items()
    }
    ways = {
        "interpolation": [
            Weighted(*each) for each in product(POWERS, *(GRID[n] for n in ("reach", "spatial", "temporal")))
        ],
        "corrected": [Corrected(*each) for each in product(POWERS, GRID["bands"], GRID["dates"])],
    }
    errors = {
        name: {way: float((way.of(whole[way.power]) - wanted).square().mean()) for way in tried}
        for name, tried in ways.items()
    }
    return {name: min(each.items(), key=lambda pair: pair[1]) for name, each in errors.items()}


def estimated(scene: Scene, power: float, at: Tensor) -> Estimates:
    """Estimates from the seen values for those where `at`, of the scene's shape, is true."""
    seen, known = scene.seen, torch.where(scene.seen, scene.values, 0.0)
    spatial, density, as_hidden = spread(known, seen, power, scene.patch)
    x = torch.tensor(scene.wavelengths, dtype=torch.float32).log()
    # without the few seen values that cannot be estimated from neighbours
    compared = seen & as_hidden.isfinite()
    off = torch.where(compared, known - as_hidden, 0.0)
    others = compared.sum(dim=1, keepdim=True) - compared.int()
    off_dates = (off.sum(dim=1, keepdim=True) - off) / others.clamp(min=1)
    others = seen.sum(dim=1, keepdim=True) - seen.int()
    temporal = (known.sum(dim=1, keepdim=True) - known) / others.clamp(min=1)
    spectral, distance = between(known, seen, x)
    spatial = torch.where(density > 0, smoothed(spatial, known, seen), 0.0)
    off_bands, _ = between(off, compared, x)
    found = spectral, distance, spatial, density, temporal, (others > 0).float(), off_bands, off_dates
    return Estimates(*(each[at] for each in found))


def spread(known: Tensor, seen: Tensor, power: float, patch: int) -> tuple[Tensor, Tensor, Tensor]:
    """At every pixel the mean of the band's known values, weighted by nearness; the sum of the weights; and the same
    mean without the pixel's own patch, NaN where nothing else is known."""
    height, width = known.shape[-2:]
    size = (2 * height, 2 * width)
    rows, columns = (torch.fft.fftfreq(each, 1 / each, dtype=torch.float64) for each in size)
    transformed = torch.fft.rfft2((1 + rows[:, None] ** 2 + columns**2) ** (-power / 2))
    inside = torch.cartesian_prod(*[torch.arange(patch, dtype=torch.float64)] * 2)
    within = (1 + torch.cdist(inside, inside) ** 2) ** (-power / 2)

    def sums(image: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted sums over the whole image, and over the pixel's own patch."""
        # in double precision: distant weights are below the 7th digit of the nearest
        image = image.double()
        every = torch.fft.irfft2(torch.fft.rfft2(image, s=size) * transformed, s=size)[..., :height, :width]
        patches = image.unflatten(-1, (-1, patch)).unflatten(-3, (-1, patch)).transpose(-3, -2)
        own = (patches.flatten(-2) @ within).unflatten(-1, (patch, patch)).transpose(-3, -2)
        return every, own.flatten(-2).flatten(-3, -2)

    (total, of_own), (density, own) = sums(known), sums(seen)
    outside = density - own
    spatial = torch.where(density > LEAST, total / density.clamp(min=LEAST), 0.0)
    as_hidden = torch.where(outside > LEAST, (total - of_own) / outside.clamp(min=LEAST), torch.nan)
    return spatial.float(), torch.where(density > LEAST, density, 0.0).float(), as_hidden.float()


def smoothed(spatial: Tensor, known: Tensor, seen: Tensor) -> Tensor:
    """The estimate smoothed towards the mean of its four neighbours wherever nothing is seen (by Jacobi sweeps)."""
    result = torch.where(seen, known, spatial).flatten(0, 1)
    known, seen = known.flatten(0, 1), seen.flatten(0, 1)
    for _ in range(SWEEPS):
        near = torch.nn.functional.pad(result, (1, 1, 1, 1), mode="replicate")
        around = near[..., :-2, 1:-1] + near[..., 2:, 1:-1] + near[..., 1:-1, :-2] + near[..., 1:-1, 2:]
        result = torch.where(seen, known, around / 4)
    return result.reshape(spatial.shape)


def between(known: Tensor, seen: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """At each pixel and band: linear in x between the nearest lower and the nearest higher seen band, or only the
    nearest; and its distance. 0 and infinite where no other band is seen."""
    below, far_below = nearest(known, seen, x)
    above, far_above = (each.flip(2) for each in nearest(known.flip(2), seen.flip(2), -x.flip(0)))
    both = far_below.isfinite() & far_above.isfinite()
    gap = torch.where(both, far_below + far_above, 1.0).clamp(min=LEAST)
    linear = below + (above - below) * torch.where(both, far_below / gap, 0.0)
    lone = torch.where(far_below <= far_above, below, above)
    return torch.where(both, linear, lone), torch.minimum(far_below, far_above)


def nearest(known: Tensor, seen: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The value of the last seen band before each band, and its distance."""
    values, distances = torch.zeros_like(known), torch.full_like(known, torch.inf)
    last, where = torch.zeros_like(known[:, :, 0]), torch.full_like(known[:, :, 0], -torch.inf)
    for band in range(known.shape[2]):
        values[:, :, band], distances[:, :, band] = last, x[band] - where
        here = seen[:, :, band]
        last, where = torch.where(here, known[:, :, band], last), torch.where(here, x[band], where)
    return values, distances
