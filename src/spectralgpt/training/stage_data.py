"""The shards of a stage: what is trained on, what is held back, in which bands, and its statistics."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from spectralgpt.bands import BandSet, align
from spectralgpt.data import BandTotals, MixtureEntry, Samples, Shards, merge, open_shards, split
from spectralgpt.draws import permutation
from spectralgpt.errors import BandError, DataError
from spectralgpt.nn import BandStatistics, Normalization
from spectralgpt.nn.normalization import SMALLEST_SD
from spectralgpt.training.recipe import DataChoice, Stage


@dataclass(frozen=True)
class StageData:
    """sources: what is trained on; own: which of them feed their own groups. held: what is held back, by source, layout
    and row. left_out: layouts whose bands the model does not know, in words."""

    sources: tuple[MixtureEntry, ...]
    own: tuple[bool, ...]
    held: tuple[tuple[int, int, Int64[np.ndarray, "..."]], ...]
    left_out: tuple[str, ...]

    @property
    def count(self) -> int:
        """Samples that are trained on."""
        return sum(len(rows) for source in self.sources for rows in source.rows)

    @property
    def held_count(self) -> int:
        """Samples that are held back."""
        return sum(len(rows) for _, _, rows in self.held)

    def held_samples(self, most: int) -> Iterator[tuple[Samples, bool]]:
        """Up to about so many held-back samples, the same in every run, from all layouts alike; with `own`."""
        share = -(-most // max(1, len(self.held)))
        for source, layout, rows in self.held:
            chosen = rows[permutation(0, source, layout, count=len(rows))[:share]]
            if len(chosen):
                yield self.sources[source].shards.read(layout, chosen), self.own[source]


def stage_data(stage: Stage, folder: Path, bands: BandSet, held_back: float) -> StageData:
    """Open a stage's shards. DataError when they are missing or nothing of them can be trained on."""
    sources, own, held, left_out = [], [], [], []
    for number, choice in enumerate(stage.data.sources):
        shards = open_shards(folder / choice.shards)
        layouts, unknown = _layouts(shards, choice, bands)
        left_out += unknown
        rows = tuple(split.rows(shards, layout, held_back, held_back=False) for layout in layouts)
        held += [(number, layout, split.rows(shards, layout, held_back, held_back=True)) for layout in layouts]
        if not sum(map(len, rows)):
            told = "; ".join(unknown) or f"sensors {', '.join(dict.fromkeys(each.sensor for each in shards.layouts))}"
            raise DataError(
                f"{shards.folder}: found no samples for stage {stage.name} ({told}); expected some of "
                f"{', '.join(choice.sensors) or 'any sensor'}, of {choice.least_dates} dates or more, that are not "
                f"held back. Look with: spectralgpt inspect {shards.folder}"
            )
        sources.append(MixtureEntry(shards, choice.weight, layouts, rows))
        own.append(choice.bands_as == "own")
    return StageData(tuple(sources), tuple(own), tuple(held), tuple(left_out))


def _layouts(shards: Shards, choice: DataChoice, bands: BandSet) -> tuple[tuple[int, ...], list[str]]:
    """Layouts that take part, and in words those that do not as the model knows none of their bands."""
    taken, unknown = [], []
    for number, layout in enumerate(shards.layouts):
        if layout.dates < choice.least_dates or (choice.sensors and layout.sensor not in choice.sensors):
            continue
        try:
            align(layout.bands, bands, choice.bands_as == "own")
        except BandError:
            unknown.append(f"{shards.folder}: {layout.sensor}, whose bands the model does not know (bands_as=own)")
        else:
            taken.append(number)
    return tuple(taken), list(dict.fromkeys(unknown))


def data_fingerprint(stages: Sequence[StageData]) -> str:
    """SHA-256 over the shards of all stages."""
    every = [[source.shards.fingerprint for source in data.sources] for data in stages]
    return hashlib.sha256(json.dumps(every).encode()).hexdigest()


def statistics(stages: Sequence[StageData], kind: str) -> Normalization:
    """Units of a new model: statistics of every sensor and band in the shards of all stages, the commonest first.

    standard: of asinh(r / 0.02); min_max: of reflectance, for what is not scaled by its own extremes.
    """
    folders = {source.shards.folder: source.shards for data in stages for source in data.sources}
    merged = merge(each for shards in folders.values() for each in shards.manifest.statistics)
    found = sorted((each for each in merged if each.count), key=lambda each: -_of_sensor(merged, each.band.sensor))
    return Normalization(
        "standard" if kind == "standard" else "min_max",
        tuple(
            BandStatistics(each.band, each.asinh_mean, max(each.asinh_sd, SMALLEST_SD))
            if kind == "standard"
            else BandStatistics(each.band, each.mean, max(each.sd, SMALLEST_SD))
            for each in found
        ),
    )


def _of_sensor(merged: Sequence[BandTotals], sensor: str) -> int:
    return max(each.count for each in merged if each.band.sensor == sensor)
