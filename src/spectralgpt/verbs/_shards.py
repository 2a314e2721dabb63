"""What a shards folder contains: the part of `inspect` that is about shards."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from spectralgpt.progress import Announce, Progress
from spectralgpt.verbs._inspected import Inspected
from spectralgpt.verbs.shard import NotStored, StoredSamples, suspected_kinds

if TYPE_CHECKING:
    from spectralgpt.data.layout import Layout
    from spectralgpt.data.manifest import Manifest
    from spectralgpt.data.shards import Shards
    from spectralgpt.raster import ResultMark

REASONS_SHOWN = 4
"""Reasons of failures that are shown in full."""

BANDS_SHOWN = 30
"""Bands of a sensor that are shown in full; a spectrometer has hundreds."""


@dataclass(frozen=True, slots=True)
class ShardBandStatistics:
    """Statistics of the valid pixels of a band. wavelength: nm. mean to high: reflectance; sd: standard deviation."""

    sensor: str
    name: str
    wavelength: float
    pixels: int
    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShardLabels:
    """The labels of the samples. target: class, classes, mask or change. samples: their number by part of the split
    (train, val, test, or empty). counts: by part and class, samples or, in masks, labelled pixels."""

    target: str
    samples: Mapping[str, int]
    counts: Mapping[str, Mapping[str, int]]

    def lines(self) -> list[str]:
        """What they are, and a table of the classes."""
        from spectralgpt.data.labels.label_report import TARGET_WORDS, class_table

        unit = "pixels" if self.target in ("mask", "change") else "images"
        classes = len(next(iter(self.counts.values()), {}))
        kind = next(words for target, words in TARGET_WORDS.items() if target == self.target)
        return [f"labels      {kind}; number of classes: {classes}", *class_table(self.samples, self.counts, unit)]


@dataclass(frozen=True, slots=True)
class InspectedShards(Inspected):
    """What a shards folder contains.

    bytes: of all shards. dates: the first and the last, ISO, empty if none is known. dated: fraction of the samples'
    dates that are known. gsd: the smallest and the largest, metres, nan if none is known. placed: fraction of the
    samples with a known position. places: their number; all samples of a place are trained on, or all are held back.
    failed: images, or dates of them, that could not be stored. skipped: images without a chip of enough valid pixels.
    suspected: the number of images per kind of suspicion. labels: None for samples without labels.
    """

    source: Path
    samples: int
    shards: int
    bytes: int
    layouts: tuple[StoredSamples, ...]
    dates: tuple[str, str]
    dated: float
    gsd: tuple[float, float]
    placed: float
    places: int
    table: tuple[ShardBandStatistics, ...]
    failed: tuple[NotStored, ...]
    skipped: tuple[str, ...]
    suspected: dict[str, int]
    fingerprint: str
    picture: Path | None
    labels: ShardLabels | None = None

    def lines(self) -> list[str]:
        first, last = self.dates
        when = f"{first} to {last}" if first != last else first
        low, high = self.gsd
        metres = f"{low:.4g} to {high:.4g} m" if high - low > 0.005 * high else f"{low:.4g} m"
        known = f", known for {self.dated:.1%}" if first and self.dated < 1 else ""
        shards = "1 shard" if self.shards == 1 else f"{self.shards:,} shards"
        size = f"{self.bytes / 1e9:.3g} GB" if self.bytes >= 1e9 else f"{self.bytes / 1e6:.3g} MB"
        return [
            str(self.source),
            f"samples     {self.samples:,} in {shards} of {size}",
            *(f"layout {number:<4} {_described(layout)}" for number, layout in enumerate(self.layouts)),
            f"dates       {when or 'unknown'}{known}",
            f"GSD         {metres if low == low else 'unknown'}",
            f"places      {self.places:,}; position known for {self.placed:.1%} of the samples",
            *(self.labels.lines() if self.labels else []),
            *_table(self.table),
            *([f"picture     {self.picture}"] if self.picture else []),
            *_failures(self.failed),
            *_skipped(self.skipped),
            *(
                [f"suspected   {suspected_kinds(self.suspected)}; manifest.json has the reasons"]
                if self.suspected
                else []
            ),
            f"fingerprint {self.fingerprint}",
        ]


def are_shards(source: str | os.PathLike[str]) -> bool:
    """Whether a folder has the manifest of shards or, if that is missing or damaged, shards.

    A folder of images may have a manifest.json too, from whoever delivered them.
    """
    folder = Path(source)
    try:
        with (folder / "manifest.json").open("rb") as file:
            ours = b'"spectralgpt shards"' in file.read(200)
    except OSError:
        ours = False
    return ours or (os.path.isdir(folder) and any(folder.glob("shard-*.arrow")))


def inspect_shards(
    source: str | os.PathLike[str], picture: Path | None, overwrite: bool, announce: Announce, progress: Progress
) -> InspectedShards:
    """What the folder contains. picture: the PNG to write, if any. overwrite: also over a file of another command.
    DataError for a damaged folder."""
    from spectralgpt.data.shards import open_shards
    from spectralgpt.products import check_replacing, source_files
    from spectralgpt.raster import ResultMark

    progress("opening", 0, 3)
    shards = open_shards(source)
    manifest, layouts = shards.manifest, range(len(shards.layouts))
    mark = ResultMark.of("inspect", [source])
    if picture is not None:
        files = ("manifest.json", *dict.fromkeys(entry.file for entry in manifest.shards))
        read = source_files([os.path.join(source, name) for name in files])
        for line in check_replacing((picture,), mark, read, overwrite=overwrite):
            announce(line)
    progress("looking at the samples", 1, 3)
    positions = np.concatenate([np.zeros((0, 2), np.float32), *map(shards.positions, layouts)])
    places = np.unique(np.concatenate([np.zeros(0, np.uint64), *map(shards.places, layouts)]))
    days = np.concatenate([np.zeros(0, np.int32), *(shards.days(layout).ravel() for layout in layouts)])
    gsd = np.concatenate([np.zeros(0, np.float32), *map(shards.gsd, layouts)])
    known, metres = days[days >= 0], gsd[~np.isnan(gsd)]
    if picture is not None:
        progress("drawing", 2, 3)
        _draw(shards, positions, picture, mark)
    progress("looking at the samples", 3, 3)
    return InspectedShards(
        source=Path(source),
        samples=sum(shards.counts),
        shards=len(manifest.shards),
        bytes=sum(entry.bytes for entry in manifest.shards),
        layouts=tuple(map(_stored, shards.layouts, shards.counts)),
        dates=(_written(known.min()), _written(known.max())) if known.size else ("", ""),
        dated=known.size / max(1, days.size),
        gsd=(float(metres.min()), float(metres.max())) if metres.size else (float("nan"), float("nan")),
        placed=float((~np.isnan(positions)).all(axis=1).sum() / max(1, len(positions))),
        places=len(places),
        table=_statistics(manifest),
        failed=tuple(NotStored(each.source, _alone(each.reason, each.source)) for each in manifest.failed),
        skipped=manifest.skipped,
        suspected=manifest.suspected_images(),
        fingerprint=shards.fingerprint,
        picture=picture,
        labels=_labels(shards),
    )


def chosen(counts: Sequence[int], most: int) -> list[tuple[int, Int64[np.ndarray, " row"]]]:
    """At most `most` samples as (layout, rows), shared as evenly among the layouts as their counts allow.

    The samples of a layout are far apart: neighbours are chips of one image.
    """
    shares = [0] * len(counts)
    for _ in range(min(most, sum(counts))):
        left = [layout for layout, count in enumerate(counts) if shares[layout] < count]
        # if shares are equal, the largest layout comes first: there may be more layouts than samples wanted
        shares[min(left, key=lambda layout: (shares[layout], -counts[layout]))] += 1
    return [
        (layout, ((np.arange(share) + 0.5) * count / share).astype(np.int64))
        for layout, (share, count) in enumerate(zip(shares, counts, strict=True))
        if share
    ]


def _labels(shards: "Shards") -> ShardLabels | None:
    """What the labels are, and how often each class occurs."""
    from spectralgpt.data.class_counts import class_counts

    if shards.manifest.target is None:
        return None
    samples = Counter(split for layout in range(len(shards.layouts)) for split in shards.splits(layout))
    names = [each.name for each in shards.manifest.classes]
    counts = {part: dict(zip(names, found.tolist(), strict=True)) for part, found in class_counts(shards).items()}
    return ShardLabels(shards.manifest.target, dict(samples), counts)


def _stored(layout: "Layout", samples: int) -> StoredSamples:
    names = tuple(band.name for band in layout.bands)
    return StoredSamples(layout.sensor, names, layout.dtype, layout.dates, layout.side, samples)


def _statistics(manifest: "Manifest") -> tuple[ShardBandStatistics, ...]:
    """Sensors in the order of their first appearance, the bands of each by wavelength."""
    bands = manifest.statistics
    sensors = list(dict.fromkeys(each.band.sensor for each in bands))
    in_order = sorted(bands, key=lambda each: (sensors.index(each.band.sensor), each.band.wavelength))
    return tuple(
        ShardBandStatistics(
            sensor=each.band.sensor,
            name=each.band.name,
            wavelength=float(each.band.wavelength),
            pixels=each.count,
            mean=each.mean,
            sd=each.sd,
            low=each.low,
            high=each.high,
        )
        for each in in_order
    )


def _described(layout: StoredSamples) -> str:
    names = ", ".join(layout.bands) if len(layout.bands) <= BANDS_SHOWN else f"{len(layout.bands)} bands"
    dates = "1 date" if layout.dates == 1 else f"{layout.dates} dates"
    return f"{layout.samples:,} of {layout.sensor}, {dates}, {layout.side} px, {layout.dtype}: {names}"


def _draw(shards: "Shards", positions: Float32[np.ndarray, "sample 2"], target: Path, mark: "ResultMark") -> None:
    """Draws the first date of each sample."""
    from spectralgpt.report import save_samples
    from spectralgpt.report.samples import MOST_SAMPLES

    images, wavelengths, titles = [], [], []
    for layout, rows in chosen(shards.counts, MOST_SAMPLES):
        samples, shared = shards.read(layout, rows, np.zeros((len(rows), 1), np.int64)), shards.layouts[layout]
        for index in range(len(rows)):
            height, width = samples.extent[index].tolist()
            scale, offset = (each[index].numpy()[:, None, None] for each in (samples.scale, samples.offset))
            image = (samples.values[index, 0].numpy() * scale + offset).astype(np.float32)
            if samples.valid is not None:
                image[~samples.valid[index, 0].numpy()] = np.nan
            images.append(image[:, :height, :width])
            wavelengths.append([float(band.wavelength) for band in shared.bands])
            titles.append(_title(shared, int(samples.days[index, 0]), float(samples.gsd[index])))
    title = f"{shards.folder.resolve().name}: {sum(shards.counts):,} samples"
    save_samples(target, images, wavelengths, titles, positions, title, mark.tags)


def _title(layout: "Layout", day: int, gsd: float) -> str:
    when = _written(day) or "date unknown"
    several = f" (1 of {layout.dates})" if layout.dates > 1 else ""
    return f"{layout.sensor}\n{when}{several}, {f'{gsd:.3g} m' if gsd == gsd else 'GSD unknown'}"


def _written(day: int | np.integer) -> str:
    from spectralgpt.days import iso_date

    return iso_date(int(day))


def _table(table: tuple[ShardBandStatistics, ...]) -> list[str]:
    """Columns: sensor and band, wavelength, statistics in reflectance, number of pixels."""
    if not table:
        return []
    width = max(len(f"{row.sensor} {row.name}") for row in table)
    lines = [f"{'band':<{width}}  {'nm':>7}  {'mean':>8}  {'sd':>8}  {'lowest':>8}  {'highest':>8}  {'pixels':>14}"]
    for _, of_sensor in groupby(table, key=lambda row: row.sensor):
        rows = list(of_sensor)
        lines += [
            f"{f'{row.sensor} {row.name}':<{width}}  {row.wavelength:7.1f}  {row.mean:8.4f}  {row.sd:8.4f}  "
            f"{row.low:8.4f}  {row.high:8.4f}  {row.pixels:14,}"
            for row in rows[:BANDS_SHOWN]
        ]
        if len(rows) > BANDS_SHOWN:
            lines.append(f"and {len(rows) - BANDS_SHOWN} more bands of {rows[0].sensor}")
    return ["", *lines, ""]


def _alone(reason: str, source: str) -> str:
    """A reason without the path of the file, so that the same reason is the same text for all files."""
    path, _, rest = reason.partition(": ")
    return rest.replace(path, "the file") if rest and path.endswith(source) else reason


def _failures(failed: tuple[NotStored, ...]) -> list[str]:
    """Their number, then one line per reason with one of its images, the most frequent first."""
    if not failed:
        return []
    reasons = Counter(each.reason for each in failed)
    first = {each.reason: each.source for each in reversed(failed)}
    lines = [
        f"            {first[reason]}{f' and {count - 1:,} more' if count > 1 else ''}: {reason}"
        for reason, count in reasons.most_common(REASONS_SHOWN)
    ]
    left = len(reasons) - REASONS_SHOWN
    more = [f"            and {left:,} more reasons, which are listed in manifest.json"] if left > 0 else []
    return [f"failed      {len(failed):,}", *lines, *more]


def _skipped(images: tuple[str, ...]) -> list[str]:
    return [f"skipped     {len(images):,} with too few valid pixels, such as {images[0]}"] if images else []
