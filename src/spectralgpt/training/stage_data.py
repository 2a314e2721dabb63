"""The shards of a stage: samples to train on and held-back samples, their bands, and their statistics."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from spectralgpt.bands import BandSet, align
from spectralgpt.data import BandTotals, MixtureEntry, Samples, Shards, merge, open_shards, split
from spectralgpt.data.class_counts import counts_per_sample
from spectralgpt.draws import permutation
from spectralgpt.errors import BandError, DataError
from spectralgpt.nn import BandStatistics, Normalization
from spectralgpt.nn.normalization import SMALLEST_SD
from spectralgpt.tasks import Class
from spectralgpt.training.recipe import DataChoice, Recipe, Stage

AT_ONCE = 64
"""Samples that are read together."""


@dataclass(frozen=True)
class StageData:
    """sources: samples to train on; own: which of the sources feed groups of their own bands. held: held-back samples,
    as source, layout and rows. left_out: layouts with bands that the model does not recognize, in words. classes: of
    the labels, empty where samples have none."""

    sources: tuple[MixtureEntry, ...]
    own: tuple[bool, ...]
    held: tuple[tuple[int, int, Int64[np.ndarray, "..."]], ...]
    left_out: tuple[str, ...]
    classes: tuple[Class, ...] = ()

    @property
    def count(self) -> int:
        """Number of samples to train on."""
        return sum(len(rows) for source in self.sources for rows in source.rows)

    @property
    def held_count(self) -> int:
        """Number of held-back samples."""
        return sum(len(rows) for _, _, rows in self.held)

    def held_samples(self, most: int | None) -> Iterator[tuple[Samples, bool]]:
        """About `most` held-back samples (None: all), the same in every run, evenly from all layouts; with `own` of
        their source."""
        share = None if most is None else -(-most // max(1, len(self.held)))
        for source, layout, rows in self.held:
            chosen = rows[permutation(0, source, layout, count=len(rows))[:share]]
            for start in range(0, len(chosen), AT_ONCE):
                yield self.sources[source].shards.read(layout, chosen[start : start + AT_ONCE]), self.own[source]

    def label_counts(self) -> tuple[Int64[np.ndarray, " class"], int]:
        """Number of samples to train on (pixels, where labels are masks) of each class, and of all with a label."""
        counts, total = np.zeros(len(self.classes), np.int64), 0
        for source in self.sources:
            for layout, rows in zip(source.layouts, source.rows, strict=True):
                for start in range(0, len(rows), AT_ONCE):
                    target = source.shards.targets_at(layout, rows[start : start + AT_ONCE])
                    assert target is not None, "samples of a folder with classes have targets"
                    each = counts_per_sample(target, len(counts)).sum(axis=0)
                    several = source.shards.layouts[layout].target == "classes"
                    counts, total = counts + each, total + (len(target) if several else int(each.sum()))
        return counts, total


def stage_data(stage: Stage, folder: Path, bands: BandSet, held_back: float) -> StageData:
    """Open the shards of a stage. DataError when they are missing or hold no samples to train on."""
    sources, own, held, left_out = [], [], [], []
    for number, choice in enumerate(stage.data.sources):
        shards = open_shards(folder / choice.shards)
        layouts, unknown = _layouts(shards, choice, bands)
        left_out += unknown
        rows = tuple(split.rows(shards, layout, held_back, held_back=False) for layout in layouts)
        held += [(number, layout, split.rows(shards, layout, held_back, held_back=True)) for layout in layouts]
        if not sum(map(len, rows)):
            there = "; ".join(unknown) or f"sensors {', '.join(dict.fromkeys(each.sensor for each in shards.layouts))}"
            raise DataError(
                f"{shards.folder}: found no samples for stage {stage.name} ({there})",
                f"some of {', '.join(choice.sensors) or 'any sensor'}, of {choice.least_dates} dates or more, that are "
                "not held back",
                "The verb `inspect` lists the samples",
            )
        sources.append(MixtureEntry(shards, choice.weight, layouts, rows))
        own.append(choice.bands_as == "own")
    return StageData(tuple(sources), tuple(own), tuple(held), tuple(left_out), _classes(stage, sources))


def of_labels(recipe: Recipe, data: Sequence[StageData]) -> Recipe:
    """The recipe with the classes of the labels of its samples, and their weights. OptionError where it has others,
    DataError where stages have different ones."""
    if all(stage.task.labels is None for stage in recipe.stages):
        return recipe
    # one model is trained, so all stages have the weights of the first
    for each in data[1:]:
        if each.classes != data[0].classes:
            _refuse_other_classes([one.sources[0].shards.folder for one in (data[0], each)])
    counts, total = data[0].label_counts()
    return replace(
        recipe, stages=tuple(replace(each, task=each.task.of_labels(counts, total)) for each in recipe.stages)
    )


def _classes(stage: Stage, sources: Sequence[MixtureEntry]) -> tuple[Class, ...]:
    """The classes of the labels that a stage is fitted to. DataError where its samples have other labels."""
    wanted = stage.task.labels
    found: dict[tuple[Class, ...], Path] = {}
    for source in sources:
        manifest = source.shards.manifest
        if wanted is not None and manifest.target != wanted:
            raise DataError(
                f"{source.shards.folder}: found samples with {manifest.target or 'no'} labels",
                f"labels of the kind {wanted}, for stage {stage.name}",
            )
        found.setdefault(tuple(manifest.classes), source.shards.folder)
    if wanted is None:
        return ()
    if len(found) > 1:
        _refuse_other_classes(list(found.values()))
    return next(iter(found))


def _refuse_other_classes(folders: Sequence[Path]) -> None:
    raise DataError(f"{', '.join(map(str, folders))}: found different classes", "the same in all shards of a run")


def _layouts(shards: Shards, choice: DataChoice, bands: BandSet) -> tuple[tuple[int, ...], list[str]]:
    """Layouts to train on, and in words those with bands that the model does not recognize."""
    taken, unknown = [], []
    for number, layout in enumerate(shards.layouts):
        if layout.dates < choice.least_dates or (choice.sensors and layout.sensor not in choice.sensors):
            continue
        try:
            align(layout.bands, bands, choice.bands_as == "own")
        except BandError:
            unknown.append(
                f"{shards.folder}: {layout.sensor}, with bands that the model does not recognize (the setting "
                "bands_as=own uses them)"
            )
        else:
            taken.append(number)
    return tuple(taken), list(dict.fromkeys(unknown))


def data_fingerprint(stages: Sequence[StageData]) -> str:
    """SHA-256 of the shards of all stages."""
    every = [[source.shards.fingerprint for source in data.sources] for data in stages]
    return hashlib.sha256(json.dumps(every).encode()).hexdigest()


def statistics(stages: Sequence[StageData], kind: str) -> Normalization:
    """The normalization of a new model: statistics of every sensor and band in the shards of all stages, the most
    frequent sensor first.

    standard: of asinh(r / 0.02); min_max: of reflectance, for bands that are not scaled by their own extremes.
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
