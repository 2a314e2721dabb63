"""An ordered choice of bands, cut into groups that share a token."""

import itertools
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from spectralgpt.bands.band import Band
from spectralgpt.plain import from_plain, to_plain

LARGEST_OWN = 16
"""Most groups of a band set of its own: more tokens per place would leave windows too small to be useful."""


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring bands that share one token.

    bands: those that are present, at least one. slots: wavelengths (nm) of the places for bands in the group. native:
    the number of the group in the model; None for a group of the file's own bands. Each band of a native group has a
    slot of its wavelength; a missing band leaves its slot empty.
    """

    bands: tuple[Band, ...]
    slots: tuple[float, ...]
    native: int | None = None

    def __post_init__(self) -> None:
        if not self.bands or not self.slots:
            raise ValueError("a group has at least one band and one slot")
        object.__setattr__(self, "slots", tuple(float(slot) for slot in self.slots))
        if not all(0 < slot < math.inf for slot in self.slots):
            raise ValueError(f"found slots at {self.slots} nm; expected wavelengths above 0")
        if self.native is not None:
            self.taken_slots()

    def taken_slots(self) -> tuple[int, ...]:
        """The slot of each band of a native group: the first free one of its wavelength. ValueError if there is
        none."""
        taken: list[int] = []
        for band in self.bands:
            free = [i for i, slot in enumerate(self.slots) if slot == band.wavelength and i not in taken]
            if not free:
                raise ValueError(f"{band} has no slot in a native group of {self.slots} nm")
            taken.append(free[0])
        return tuple(taken)

    @property
    def wavelength(self) -> float:
        """Mean wavelength, nm: of the slots in a native group, even if a band is missing; else of the bands."""
        return math.fsum(self.slots) / len(self.slots) if self.native is not None else _mean_wavelength(self.bands)

    def matrix(self) -> Float[np.ndarray, "slot band"]:
        """Weights that take the bands to the slots; rows sum to one.

        In a native group a slot takes its own band alone if that is present. Any other slot takes the bands with
        weights max(0, 1 - |d ln wavelength| / h), h the larger of the largest gap between neighbouring slots and
        between neighbouring bands; a slot that no band reaches takes the nearest (tie: the shorter). One band: all
        ones.
        """
        weights = _reach(np.log(self.slots), np.log([band.wavelength for band in self.bands]))
        if self.native is not None:
            for band, slot in enumerate(self.taken_slots()):
                weights[slot] = np.arange(len(self.bands)) == band
        return weights

    def targets(self) -> tuple[bool, ...]:
        """For each slot whether its prediction can be compared: its band is present, or the group is the file's own."""
        if self.native is None:
            return (True,) * len(self.slots)
        taken = self.taken_slots()
        return tuple(slot in taken for slot in range(len(self.slots)))

    def readback(self) -> Float[np.ndarray, "band slot"]:
        """Weights that read the bands from predictions in slots; rows sum to one.

        Native: each band reads its slot. Own: linear interpolation in ln wavelength; one band: the mean of the slots.
        """
        count = len(self.slots)
        if self.native is not None:
            return np.eye(count)[list(self.taken_slots())]
        if min(self.slots) == max(self.slots):
            return np.full((len(self.bands), count), 1 / count)
        at = np.log([band.wavelength for band in self.bands])
        return np.stack([np.interp(at, np.log(self.slots), unit) for unit in np.eye(count)], axis=1)


def _mean_wavelength(bands: Sequence[Band]) -> float:
    return math.fsum(band.wavelength for band in bands) / len(bands)


def _reach(slots: Float[np.ndarray, " slot"], bands: Float[np.ndarray, " band"]) -> Float[np.ndarray, "slot band"]:
    """Triangular weights between ln wavelengths, rows summing to one."""
    distance = np.abs(slots[:, None] - bands[None, :])
    if len(slots) == 1:
        # without a gap to take the reach from, twice the distance of the farthest band lets every band count
        reach = 2 * distance.max()
    else:
        reach = max(np.diff(np.sort(points)).max(initial=0.0) for points in (slots, bands))
    weights = np.clip(1 - distance / reach, 0.0, None) if reach > 0 else (distance == 0).astype(float)
    # a band at just one reach has no weight: what rounding leaves of it must not feed the slot
    weights[weights < 1e-9] = 0.0
    nearest = np.lexsort((np.broadcast_to(bands, distance.shape), distance), axis=1)[:, 0]
    for slot in np.flatnonzero(weights.sum(axis=1) == 0):
        weights[slot, nearest[slot]] = 1.0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class BandSet:
    """Bands in the order of a cube, cut into groups; every group has the same number of slots."""

    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        if not self.groups:
            raise ValueError("a band set has at least one group")
        if len({len(group.slots) for group in self.groups}) > 1:
            raise ValueError(f"groups differ in slots: {[len(group.slots) for group in self.groups]}")

    def __len__(self) -> int:
        return sum(len(group.bands) for group in self.groups)

    @property
    def bands(self) -> tuple[Band, ...]:
        return tuple(band for group in self.groups for band in group.bands)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    @property
    def group_of_band(self) -> tuple[int, ...]:
        """The index of the group of each band."""
        return tuple(number for number, group in enumerate(self.groups) for _ in group.bands)

    @property
    def slots(self) -> int:
        """Number of slots of a group, which is that of the embedding's kernel."""
        return len(self.groups[0].slots)

    @classmethod
    def native(cls, bands: Sequence[Band], slots: int = 3) -> "BandSet":
        """The band set of a model: consecutive bands in wavelength order. ValueError unless slots divides their
        number."""
        if slots < 1 or len(bands) % slots:
            raise ValueError(f"{len(bands)} bands do not divide into groups of {slots}")
        ordered = by_wavelength(bands)
        groups = (ordered[start : start + slots] for start in range(0, len(ordered), slots))
        return cls(
            tuple(Group(group, tuple(b.wavelength for b in group), number) for number, group in enumerate(groups))
        )

    @classmethod
    def own(cls, bands: Sequence[Band], slots: int = 3) -> "BandSet":
        """The band set of bands that need not be those of a model: n bands in wavelength order form
        G = min(16, ceil(n / slots)) groups; group i has the bands floor(i n / G) to floor((i + 1) n / G) - 1, and slots
        spaced evenly in ln wavelength from its first band to its last.
        """
        if slots < 1 or not bands:
            raise ValueError("a band set of its own has at least one band and one slot")
        ordered, n = by_wavelength(bands), len(bands)
        count = min(LARGEST_OWN, -(-n // slots))
        cuts = [i * n // count for i in range(count + 1)]
        groups = (ordered[start:stop] for start, stop in itertools.pairwise(cuts))
        return cls(tuple(Group(group, _evenly(group, slots)) for group in groups))

    def subset(self, indices: Iterable[int]) -> "BandSet":
        """The band set with these bands (indices into .bands) only: native groups keep their slots, the slots of own
        groups are spaced again, groups without a band are dropped. ValueError if nothing is left.
        """
        keep, first, groups = set(indices), 0, []
        if not keep <= set(range(len(self))):
            raise ValueError(f"{sorted(keep)} are not indices of {len(self)} bands")
        for group in self.groups:
            bands = tuple(band for i, band in enumerate(group.bands, first) if i in keep)
            first += len(group.bands)
            if bands:
                slots = group.slots if group.native is not None else _evenly(bands, len(group.slots))
                groups.append(Group(bands, slots, group.native))
        return BandSet(tuple(groups))

    def to_dict(self) -> dict[str, Any]:
        """Former name of `spectralgpt.plain.to_plain(bandset)`."""
        _warn_of("to_dict() is spectralgpt.plain.to_plain(bandset)")
        return dict(to_plain(self))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "BandSet":
        """Former name of `spectralgpt.plain.from_plain(BandSet, content)`."""
        _warn_of("from_dict(content) is spectralgpt.plain.from_plain(BandSet, content)")
        return from_plain(cls, content, complete=True)


def _warn_of(now: str) -> None:
    warnings.warn(f"BandSet.{now} now", DeprecationWarning, stacklevel=3)


def by_wavelength(bands: Sequence[Band]) -> tuple[Band, ...]:
    """Shortest first; equal wavelengths by identity, so that the order of a file makes no difference."""
    return tuple(sorted(bands, key=lambda band: (band.wavelength, band.identity)))


def _evenly(bands: Sequence[Band], slots: int) -> tuple[float, ...]:
    """Slots spaced evenly in ln wavelength from the first band to the last, ends exact; a single one in the middle."""
    first, last = bands[0].wavelength, bands[-1].wavelength
    if slots == 1 or first == last:
        return (math.sqrt(first * last) if first != last else first,) * slots
    between = np.exp(np.linspace(math.log(first), math.log(last), slots)[1:-1])
    return (first, *(float(slot) for slot in between), last)
