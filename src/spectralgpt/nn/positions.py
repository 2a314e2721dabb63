"""A token's position: the sum of learned tables for place, wavelength, time and scale.

Beyond the ends of a table its end nodes apply. The released model is the case with a place table (as large as its
window), a spectrum table with one node per native group, and zeros elsewhere.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from spectralgpt.bands import BandSet

SEASON_NODES = 12
ELAPSED_NODES = 10
SCALE_NODES = 11
SMALLEST_GSD = 0.5
DAYS_PER_YEAR = 365.2425


class Positions(nn.Module):
    """Tables of one side of the model (encoder or decoder).

    joint: one table (group, row, column, dim) instead of place and spectrum, read like these two; the released
    classifiers have it.
    place (row, column, dim): bicubic (a = -0.75, align_corners False, no antialias) to the window's places.
    spectrum (node, dim): linear in ln wavelength at the group's mean wavelength.
    season (12, dim): a circle of the year. elapsed (10, dim): nodes at 8 (2^k - 1) days since the sample's first known
    day, linear in log2(1 + d / 8). scale (11, dim): one node per octave of GSD from 0.5 to 512 m.
    Season, elapsed and scale start at zero, and unknown days and GSD add nothing.
    """

    def __init__(self, dim: int, place_nodes: tuple[int, int], spectrum_nodes: Sequence[float], *, joint: bool = False):
        super().__init__()
        self.spectrum_nodes = tuple(spectrum_nodes)
        self.is_joint = joint
        if joint:
            self.joint = nn.Parameter(torch.zeros(len(self.spectrum_nodes), *place_nodes, dim))
        else:
            self.place = nn.Parameter(torch.empty(*place_nodes, dim))
            self.spectrum = nn.Parameter(torch.empty(len(self.spectrum_nodes), dim))
        self.season = nn.Parameter(torch.zeros(SEASON_NODES, dim))
        self.elapsed = nn.Parameter(torch.zeros(ELAPSED_NODES, dim))
        self.scale = nn.Parameter(torch.zeros(SCALE_NODES, dim))

    def of_places(self, rows: int, columns: int) -> Float[Tensor, "place dim"]:
        """Positions of a window's places, row by row."""
        return resize_table(self.place, rows, columns).flatten(0, 1)

    def of_groups(self, bands: BandSet) -> Float[Tensor, "group dim"]:
        """Positions of the groups by their mean wavelengths (native groups: over all slots, also of missing bands)."""
        return read_table(self.spectrum, self._nodes_of(bands))

    def of_groups_and_places(self, bands: BandSet, rows: int, columns: int) -> Float[Tensor, "group_and_place dim"]:
        """Positions of one date's tokens: group, row, column."""
        if not self.is_joint:
            return (self.of_groups(bands)[:, None] + self.of_places(rows, columns)[None]).flatten(0, 1)
        return resize_table(read_table(self.joint, self._nodes_of(bands)), rows, columns).flatten(0, 2)

    def resize_places(self, rows: int, columns: int) -> str:
        """Resample the table of places to rows x columns places, in place. Returns the table's name."""
        name = "joint" if self.is_joint else "place"
        table = self.get_parameter(name)
        resized = resize_table(table.detach(), rows, columns).contiguous()
        setattr(self, name, nn.Parameter(resized, requires_grad=table.requires_grad))
        return name

    def _nodes_of(self, bands: BandSet) -> Float[Tensor, " group"]:
        return spectrum_nodes_of(bands, self.spectrum_nodes).to(self.season.device, non_blocking=True)

    def of_samples(
        self, days: Int[Tensor, "batch date"], gsd: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch date dim"]:
        """Positions of the dates and the scale. days: since 1970, negative unknown; gsd: m, NaN or <= 0 unknown."""
        known = days >= 0
        first = days.masked_fill(~known, torch.iinfo(days.dtype).max).amin(dim=1, keepdim=True)
        elapsed = (days - first).clamp(min=0).double()
        # double: in float32 the days of this century are off by up to a 30th of a node
        year = days.double() / DAYS_PER_YEAR
        season = read_circle(self.season, (year - year.floor()) * SEASON_NODES)
        time = season + read_table(self.elapsed, torch.log2(1 + elapsed / 8))
        time = torch.where(known[..., None], time, 0.0)
        measured = gsd > 0
        octave = torch.log2(torch.where(measured, gsd, SMALLEST_GSD).double() / SMALLEST_GSD)
        scale = torch.where(measured[:, None], read_table(self.scale, octave), 0.0)
        return time + scale[:, None]

    def forward(
        self,
        bands: BandSet,
        rows: int,
        columns: int,
        days: Int[Tensor, "batch date"],
        gsd: Float[Tensor, " batch"],
        index: Int[Tensor, "batch chosen"] | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """Positions of all tokens (date, group, row, column), or only of those at `index`, in this order."""
        table = self.of_groups_and_places(bands, rows, columns)
        sample = self.of_samples(days, gsd)
        if index is None:
            return (sample[:, :, None] + table[None, None]).flatten(1, 2)
        per_date = table.shape[0]
        date = (index // per_date)[..., None].expand(-1, -1, sample.shape[-1])
        return table[index % per_date] + sample.gather(1, date)


def spectrum_nodes_of(bands: BandSet, nodes: Sequence[float]) -> Float[Tensor, " group"]:
    """The groups' places between nodes at these wavelengths (nm): fractional node numbers, linear in ln wavelength."""
    wavelengths = [math.log(group.wavelength) for group in bands.groups]
    return torch.from_numpy(np.interp(wavelengths, np.log(nodes), np.arange(len(nodes))))


def resize_table(
    table: Float[Tensor, "*stack node_rows node_columns dim"], rows: int, columns: int
) -> Float[Tensor, "*stack rows columns dim"]:
    """The table read bicubically at rows x columns places (a = -0.75, align_corners False, no antialias)."""
    if table.shape[-3:-1] == (rows, columns):
        return table
    images = table.reshape(-1, *table.shape[-3:]).permute(0, 3, 1, 2)
    resized = F.interpolate(images, size=(rows, columns), mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1).reshape(*table.shape[:-3], rows, columns, table.shape[-1])


def read_table(table: Float[Tensor, "node *value"], at: Float[Tensor, "*axes"]) -> Float[Tensor, "..."]:
    """The table at fractional node numbers, linear between nodes, constant beyond the end nodes: (*axes, *value)."""
    last = table.shape[0] - 1
    at = at.clamp(0, last)
    low = at.floor().long()
    part = (at - low).to(table.dtype).reshape(*at.shape, *[1] * (table.ndim - 1))
    return table[low] * (1 - part) + table[(low + 1).clamp(max=last)] * part


def read_circle(table: Float[Tensor, "node dim"], at: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes dim"]:
    """`read_table` on a circle: after the last node comes the first."""
    nodes = table.shape[0]
    low = at.floor().long()
    part = (at - low).to(table.dtype)[..., None]
    return table[low % nodes] * (1 - part) + table[(low + 1) % nodes] * part
