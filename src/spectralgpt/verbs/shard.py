"""Images in, shards out: what a model is pretrained on."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.progress import Progress, silent

if TYPE_CHECKING:
    from spectralgpt.data.manifest import Manifest

FEW = 10
"""Kinds of failures that are told."""


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
    """An image, or a date of one, and why it was not stored."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sharded:
    """What a shards folder holds after a run.

    samples, shards, bytes, layouts: of the whole folder, from whatever run. added: samples of this run. images: found
    in the sources; known: of these, stored before. left_out: chips with too few valid pixels. skipped: images of which
    no chip had enough. verified: shards whose bytes were compared.
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
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        plural = "" if self.shards == 1 else "s"
        return "\n".join(
            [
                f"{self.folder}: {self.samples} samples in {self.shards} shard{plural} of {self.bytes / 1e6:.1f} MB "
                f"({self.seconds:.1f} s)",
                *(
                    f"{each.samples} x {each.sensor}: {len(each.bands)} bands, {each.side} pixels, "
                    f"{each.dates} date{'' if each.dates == 1 else 's'}, {each.dtype}"
                    for each in self.layouts
                ),
                *([f"{self.added} added from {self.images} images, {self.known} known"] if self.images else []),
                *([f"left out: {self.left_out} chips with too few valid pixels"] if self.left_out else []),
                *([f"verified: {self.verified} shard{plural}"] if self.verified else []),
                *([f"not stored: {len(self.failed)}, each with its reason in manifest.json"] if self.failed else []),
                *(f"  {each}" for each in grouped([failure.reason for failure in self.failed])[:FEW]),
            ]
        )


def shard(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    *,
    out: str | os.PathLike[str],
    chip: int = 128,
    stack: bool = False,
    most_dates: int = 12,
    least_valid: float = 0.1,
    bands: str | None = None,
    clouds: str | os.PathLike[str] | None = None,
    gsd: float | None = None,
    trust_input: bool = False,
    strict: bool = False,
    verify: bool = False,
    shard_size: float = 256.0,
    workers: int | None = None,
    progress: Progress = silent,
) -> Sharded:
    """Cut images into chips and store them for pretraining.

    Every raster below a folder is an image; a product, a folder of single-band files, a zip or tar is one.
    fMoW-Sentinel and BigEarthNet are known by their folders. A table (.csv) has a row an image: path, and if known
    place, date, bands, clouds; images of one place that have dates are one sample of several dates.

    Run it again after a stop: what is stored stays, what failed is tried again. A file that cannot be read is reported
    and does not stop the others.

    Args:
        sources: Images, products, folders of them, or tables (.csv). None with --verify.
        out: The folder of the shards, new or one to add to.
        chip: Side of a chip in pixels; smaller images are padded.
        stack: The images in a folder are the dates of one place.
        most_dates: Longer series are cut into runs of so many dates.
        least_valid: Leave out chips with a smaller part of valid pixels, 0 to 1.
        bands: Whose bands they are (a sensor like s2-l2a, or a TOML file of one), a list like B02,B03, or wavelengths.
        clouds: Leave out clouds: scl, qa or fmask for the product's own layer.
        gsd: Metres on the ground of a pixel instead of the image's own.
        trust_input: Store also where the check of the input finds other bands or units than said.
        strict: Stop at the first file that cannot be stored.
        verify: Compare every shard with the checksum of its bytes at the end.
        shard_size: MB of a shard.
        workers: Processes; one a core when not told.

    Example:
        spectralgpt shard demo-output/part.tif --out shards
    """
    import time

    from spectralgpt.data.manifest import read_manifest
    from spectralgpt.data.verification import verify_shards
    from spectralgpt.errors import DataError, OptionError

    start = time.perf_counter()
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given and not verify:
        raise OptionError("SOURCE: found none; expected images, folders or tables, or --verify to check shards.")
    images = known = added = left_out = 0
    warnings: tuple[str, ...] = ()
    if given:
        from spectralgpt.data.chips import Reading
        from spectralgpt.data.sharding import MEGABYTE
        from spectralgpt.data.sharding import shard as shard_images

        _check("--chip", chip, 8, 32_000, "pixels")
        _check("--most-dates", most_dates, 1, 10_000, "dates")
        _check("--least-valid", least_valid, 0, 1, "as a part of all pixels")
        _check("--shard-size", shard_size, 0.001, 100_000, "MB")
        if workers is not None:
            _check("--workers", workers, 1, 1000, "processes")
        masks = None if clouds is None else os.fspath(clouds)
        report = shard_images(
            given,
            out,
            Reading(chip, float(least_valid), most_dates, bands, masks, gsd, trust_input),
            stack=stack,
            size=int(shard_size * MEGABYTE),
            workers=workers,
            strict=strict,
            progress=progress,
        )
        images, known, added, left_out = report.images, report.known, report.added, report.left_out
        warnings = grouped(report.warnings)
        if not report.manifest.shards:
            failed = report.manifest.failed
            why = f" The first: {failed[0].reason}" if failed else f" {left_out} chips have too few valid pixels."
            raise DataError(f"{out}: found {images} images, of which none could be stored; expected some.{why}")
    verified = verify_shards(out, progress) if verify else 0
    manifest = read_manifest(Path(out))
    return Sharded(
        folder=Path(out),
        samples=sum(entry.count for entry in manifest.shards),
        added=added,
        images=images,
        known=known,
        left_out=left_out,
        shards=len(manifest.shards),
        bytes=sum(entry.bytes for entry in manifest.shards),
        layouts=_layouts(manifest),
        failed=tuple(NotStored(each.source, each.reason) for each in manifest.failed),
        skipped=manifest.skipped,
        verified=verified,
        seconds=time.perf_counter() - start,
        warnings=warnings,
    )


def _check(option: str, value: float | int, low: float | int, high: float | int, unit: str) -> None:
    from spectralgpt.errors import OptionError

    if not low <= value <= high:  # also of NaN
        raise OptionError(f"{option} {value:g}: expected {low:g} to {high:g} {unit}.")


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


def grouped(messages: Sequence[str]) -> tuple[str, ...]:
    """The first of each kind, with how many are like it; a message begins with its image's path."""
    kinds: dict[str, list[str]] = {}
    for message in messages:
        kinds.setdefault(re.sub(r"[\d.]+", "", message.partition(": ")[2])[:40], []).append(message)
    return tuple(each[0] + (f" (and {len(each) - 1} like it)" if len(each) > 1 else "") for each in kinds.values())
