"""Images in, shards out: what a model is pretrained on."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from spectralgpt.errors import counted
from spectralgpt.plain import as_text
from spectralgpt.progress import silent
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import PathLike, Paths, ReadingOptions, ShowProgress

if TYPE_CHECKING:
    from spectralgpt.data.manifest import Manifest
    from spectralgpt.data.sharding import ShardingReport

FAILURES_SHOWN = 10
"""Kinds of failures that are shown."""


@dataclass(frozen=True, slots=True)
class StoredSamples:
    """Samples of one layout. side: pixels."""

    sensor: str
    bands: tuple[str, ...]
    dtype: str
    dates: int
    side: int
    samples: int


@dataclass(frozen=True, slots=True)
class NotStored:
    """An image, or one date of it, and why it was not stored."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sharded:
    """What a shards folder contains after a run.

    samples, shards, bytes, layouts: of the whole folder, including earlier runs. added: samples of this run. images:
    found in the sources; known: those that an earlier run stored. left_out: chips with too few valid pixels. skipped:
    images without a chip of enough valid pixels. suspected: the number of stored images per kind of suspicion, with
    the reasons in manifest.json. verified: shards with a correct checksum.
    """

    folder: Path
    samples: int
    added: int
    images: int
    known: int
    left_out: int
    shards: int
    bytes: int
    layouts: tuple[StoredSamples, ...]
    failed: tuple[NotStored, ...]
    skipped: tuple[str, ...]
    verified: int
    seconds: float
    suspected: dict[str, int]
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        shards = counted(self.shards, "shard")
        size = f"{self.bytes / 1e6:.1f} MB"
        lines = [f"{self.folder}: {counted(self.samples, 'sample')} in {shards} of {size} ({self.seconds:.1f} s)"]
        lines += [
            f"{each.samples} x {each.sensor}: {counted(len(each.bands), 'band')}, {each.side} pixels, "
            f"{counted(each.dates, 'date')}, {each.dtype}"
            for each in self.layouts
        ]
        if self.images:
            images = counted(self.images, "image")
            lines.append(f"added {counted(self.added, 'sample')}; {images}, {self.known} of them stored before")
        if self.left_out:
            lines.append(f"left out: {counted(self.left_out, 'chip')} with too few valid pixels")
        if self.suspected:
            lines.append(f"suspected: {suspected_kinds(self.suspected)}; manifest.json has the reason for each")
        if self.verified:
            lines.append(f"verified: {shards}")
        if self.failed:
            lines.append(f"not stored: {len(self.failed)}; manifest.json has the reason for each")
        return "\n".join(
            [*lines, *(f"  {each}" for each in grouped([one.reason for one in self.failed])[:FAILURES_SHOWN])]
        )


@with_shared_options
def shard(
    sources: Paths = (),
    *,
    out: PathLike,
    chip: int = 128,
    stack: bool = False,
    most_dates: int = 12,
    least_valid: float = 0.1,
    strict: bool = False,
    verify: bool = False,
    shard_size: float = 256.0,
    workers: int | None = None,
    progress: ShowProgress = silent,
    **options: Unpack[ReadingOptions],
) -> Sharded:
    """Cut images into chips and store them for pretraining.

    Every raster below a folder is an image; so is a product, a folder of single-band files, and a zip or tar with one
    of these. The folders of fMoW-Sentinel and BigEarthNet are recognized. A table (.csv) has one row per image, with
    its path and, if known, place, date, bands and clouds; dated images of one place become one sample with several
    dates.

    After an interruption, run the same command again: what is stored is kept, and what failed is tried again. A file
    that cannot be read is reported and does not stop the run.

    Args:
        sources: Images, products, folders of them, or tables (.csv). Not needed with verify=True.
        out: Folder of the shards: a new one, or one to add to.
        chip: Side of a chip in pixels; smaller images are padded.
        stack: Take the images in a folder as dates of the same place.
        most_dates: Maximum number of dates per sample; longer series are split.
        least_valid: Leave out chips with a smaller fraction of valid pixels, from 0 to 1.
        strict: Stop at the first file that cannot be stored.
        verify: Check every shard against its checksum at the end.
        shard_size: Size of a shard in MB.
        workers: Number of processes; default: one per core.
        clouds: Mask out clouds: auto, with the product's own layer, or scl, qa or fmask. A table can name a raster per
            image.

    Example:
        spectralgpt shard demo-output/part.tif --out shards
    """
    import time

    from spectralgpt.data.manifest import read_manifest
    from spectralgpt.data.series import Reading
    from spectralgpt.data.sharding import MEGABYTE, ShardingReport
    from spectralgpt.data.sharding import shard as shard_images
    from spectralgpt.data.verification import verify_shards
    from spectralgpt.errors import OptionError

    start = time.perf_counter()
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given and not verify:
        raise OptionError("no sources given", "images, folders or tables, or verify=True to check existing shards")
    _check("chip", chip, 8, 32_000, "pixels")
    _check("most_dates", most_dates, 1, 10_000, "dates")
    _check("least_valid", least_valid, 0, 1, "as a fraction of the pixels")
    _check("shard_size", shard_size, 0.001, 100_000, "MB")
    _check("workers", 1 if workers is None else workers, 1, 1000, "processes")
    if given:
        bands, clouds, nodata = (as_text(options[name]) for name in ("bands", "clouds", "nodata"))
        masks = None if clouds is None else os.fspath(clouds)
        image_options = (bands, masks, options["gsd"], options["trust_input"], nodata)
        report = shard_images(
            given,
            out,
            Reading(chip, float(least_valid), most_dates, *image_options),
            stack=stack,
            size=int(shard_size * MEGABYTE),
            workers=workers,
            strict=strict,
            progress=progress,
        )
        _refuse_nothing(out, report)
    else:
        report = ShardingReport(read_manifest(Path(out)), images=0, known=0, added=0, left_out=0, warnings=())
    verified = verify_shards(out, progress) if verify else 0
    return _result(Path(out), report, verified, time.perf_counter() - start)


def _check(name: str, value: float | int, low: float | int, high: float | int, unit: str) -> None:
    """OptionError for a value outside low to high."""
    from spectralgpt.errors import OptionError, argument

    if not low <= value <= high:  # also of NaN
        raise OptionError(argument(name, value), f"{low:g} to {high:g} {unit}")


def _refuse_nothing(out: PathLike, report: "ShardingReport") -> None:
    """DataError if the folder has no shard after a run, with a reason."""
    from spectralgpt.errors import DataError

    if report.manifest.shards:
        return
    failure, chips = report.first_failure, report.left_out
    if failure is None:
        why = f"{counted(chips, 'chip')} {'has' if chips == 1 else 'have'} too few valid pixels."
    else:
        why = failure.reason if report.images == 1 else f"The first: {failure.reason}"
    images = "the only image" if report.images == 1 else f"none of {report.images} images"
    raise DataError(f"{out}: {images} could {'not ' if report.images == 1 else ''}be stored. {why}")


def _result(folder: Path, report: "ShardingReport", verified: int, seconds: float) -> Sharded:
    from spectralgpt.data.manifest import read_manifest

    manifest = read_manifest(folder)
    return Sharded(
        folder=folder,
        samples=sum(entry.count for entry in manifest.shards),
        added=report.added,
        images=report.images,
        known=report.known,
        left_out=report.left_out,
        shards=len(manifest.shards),
        bytes=sum(entry.bytes for entry in manifest.shards),
        layouts=_layouts(manifest),
        failed=tuple(NotStored(each.source, each.reason) for each in manifest.failed),
        skipped=manifest.skipped,
        verified=verified,
        seconds=seconds,
        suspected=manifest.suspected_images(),
        warnings=grouped(report.warnings),
    )


def _layouts(manifest: "Manifest") -> tuple[StoredSamples, ...]:
    return tuple(
        StoredSamples(
            sensor=layout.sensor,
            bands=tuple(band.name for band in layout.bands),
            dtype=layout.dtype,
            dates=layout.dates,
            side=layout.side,
            samples=sum(entry.count for entry in manifest.shards if entry.layout == index),
        )
        for index, layout in enumerate(manifest.layouts)
    )


def suspected_kinds(images: Mapping[str, int]) -> str:
    """`constant (3 images), duplicate (1 image)`."""
    return ", ".join(f"{kind} ({counted(number, 'image')})" for kind, number in images.items())


def grouped(messages: Sequence[str]) -> tuple[str, ...]:
    """The first message of each kind, with the number of others. A message begins with the path of its image."""
    kinds: dict[str, list[str]] = {}
    for message in messages:
        kinds.setdefault(kind_of_message(message), []).append(message)
    return tuple(each[0] + (f" (and {len(each) - 1} like it)" if len(each) > 1 else "") for each in kinds.values())


def kind_of_message(message: str) -> str:
    """What messages about several images have in common. A message begins with the path of its image."""
    reason = message.partition(": ")[2].partition(" (")[0]
    return re.sub(r"[\d.]+", "", reason)[:40]
