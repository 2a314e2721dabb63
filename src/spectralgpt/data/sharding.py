"""From images to a shards folder: in parallel, resumable; one image's errors never affect another."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spectralgpt.cores import available_cores
from spectralgpt.data.chips import PADDED_SIDES, Cut, Known, look, read_part
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.manifest import NAME, Failure, Manifest, Suspected, read_manifest
from spectralgpt.data.series import Reading
from spectralgpt.data.shards_space import check_shards_space
from spectralgpt.data.sources import find_images
from spectralgpt.data.writing import ShardsWriter
from spectralgpt.errors import DataError, RasterError, argument
from spectralgpt.interruption import Interruption
from spectralgpt.products.nodata import given_nodata
from spectralgpt.progress import Progress, silent

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class ShardingReport:
    """What a run did, and what the folder contains after it.

    images: found in the sources; known: those of them that were already stored. added: samples of this run. left_out:
    chips with too few valid pixels. warnings: from the check of the images. first_failure: of this run; None without
    any.
    """

    manifest: Manifest
    images: int
    known: int
    added: int
    left_out: int
    warnings: tuple[str, ...]
    first_failure: Failure | None = None


T = TypeVar("T")
Submit = Callable[..., "Future[Any]"]


def shard(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    reading: Reading,
    *,
    stack: bool = False,
    size: int = 256 * MEGABYTE,
    workers: int | None = None,
    strict: bool = False,
    progress: Progress = silent,
) -> ShardingReport:
    """Add the images of sources to the shards in `out`.

    stack: each folder with images is one place, and the images are its dates. size: bytes of values per shard. workers:
    number of processes, default one per core; 1 computes in this process. The bytes written do not depend on it.
    strict: the first file that cannot be stored ends the run. progress: stages "finding images" and "sharding", in
    images.

    Images already stored stay as they are, and those that failed are tried again; with another `nodata` than before the
    images would disagree, and the run is refused. Graceful
    shutdown: an interrupt (SIGINT, SIGTERM) finishes the open shards, then raises KeyboardInterrupt. Workers import the
    script that calls this, so the call must stand below `if __name__ == "__main__"`.

    RasterError when there is no image, and in strict mode; DataError for another `nodata`, and for a folder of labelled
    samples; TargetError and DataError as
    ShardsWriter.
    """
    folder = Path(out)
    roots = dict(read_manifest(folder).roots) if (folder / NAME).exists() else {}
    found = find_images(sources, stack, roots, progress)
    with ShardsWriter(folder, size) as writer, Interruption() as interruption:
        if writer.manifest.target is not None:
            raise DataError(f"{folder}: contains labelled samples", "samples without labels", "Choose another folder")
        stored = _stored(writer, reading.chip)
        is_resumed = any(image.name in stored.whole or image.name in stored.parts for image in found.images)
        nodata = _nodata_of_runs(folder, writer.manifest.nodata, reading.nodata, is_resumed)
        writer.update(replace(writer.manifest, roots=tuple(found.roots.items()), nodata=nodata))
        left = [image for image in found.images if image.name not in stored.whole]
        known = len(found.images) - len(left)
        outcome = ShardingOutcome(writer.manifest)
        outcome.warnings += check_shards_space(folder, left, reading)
        progress("sharding", known, len(found.images))
        with _submitting(workers or available_cores()) as (submit, prefetch):
            for cut, is_last in _cuts(left, reading, stored.parts, submit, prefetch):
                outcome.store(cut, writer)
                if is_last:
                    outcome.end(cut.image, cut.image in stored.parts)
                    progress("sharding", known + outcome.done, len(found.images))
                if interruption.asked or (strict and cut.failures):
                    break
    writer.update(outcome.noted_in(writer.manifest))
    if strict and outcome.first_failure is not None:
        raise RasterError(outcome.first_failure.reason)
    if interruption.asked:
        raise KeyboardInterrupt
    return outcome.report(writer.manifest, len(found.images), known)


def _nodata_of_runs(
    folder: Path, before: tuple[str, ...], nodata: str | float | int | None, is_resumed: bool
) -> tuple[str, ...]:
    """The argument of all runs, with this one. DataError for a new value where images are resumed. With which of
    several values an image was stored is not noted, so any of them goes on."""
    given = _in_one_spelling(nodata)
    if given in before:
        return before
    if is_resumed and before:
        values = [value for value in before if value]
        how = f"with {argument('nodata', values[0])}" if values else "without nodata"
        raise DataError(
            f"{folder}: found images that were stored {how}",
            "the same in all runs on these images",
            "Shard them into another folder, or repeat"
            if values
            else "Shard them into another folder, or leave it out",
            *[("nodata", value) for value in values],
        )
    return (*before, given)


def _in_one_spelling(nodata: str | float | int | None) -> str:
    """The argument in the same text for the same meaning: `none,-9999,0`."""
    given = given_nodata(nodata)
    return ",".join([*([] if given.declared else ["none"]), *(f"{value:.17g}" for value in sorted(given.values))])


class ShardingOutcome:
    """The results of the images so far. failed: image -> failures; skipped: images, in the order they first came."""

    def __init__(self, manifest: Manifest) -> None:
        self.done = self.added = self.left_out = 0
        self.first_failure: Failure | None = None
        self.warnings: list[str] = []
        self.skipped = dict.fromkeys(manifest.skipped)
        self.failed: dict[str, list[Failure]] = {}
        for failure in manifest.failed:
            self.failed.setdefault(failure.image, []).append(failure)
        self.suspected: dict[str, list[Suspected]] = {}
        for each in manifest.suspected:
            self.suspected.setdefault(each.image, []).append(each)
        self._chips: dict[str, int] = {}

    def store(self, cut: Cut, writer: ShardsWriter) -> None:
        """Write the chips of a part of an image, and note what it had."""
        for chip in cut.chips:
            assert cut.layout is not None, "chips have a layout"
            writer.add(cut.layout, chip)
        if cut.image not in self._chips:
            self._chips[cut.image] = 0
            if cut.image in self.failed:
                self.failed[cut.image] = []
        self._chips[cut.image] += len(cut.chips)
        self.added, self.left_out = self.added + len(cut.chips), self.left_out + cut.left_out
        self.warnings += cut.warnings
        if cut.suspected:
            self.suspected[cut.image] = list(cut.suspected)
        for failure in cut.failures:
            self.first_failure = self.first_failure or failure
            known = self.failed.setdefault(cut.image, [])
            # a file with unreadable pixels fails in each part
            if failure.source not in {each.source for each in known}:
                known.append(failure)

    def end(self, image: str, was_stored: bool) -> None:
        """Called when all parts of an image are stored. was_stored: whether a former run stored some of its chips."""
        self.done += 1
        if self._chips.pop(image) or was_stored or self.failed.get(image):
            self.skipped.pop(image, None)
        else:
            self.skipped.setdefault(image)

    def noted_in(self, manifest: Manifest) -> Manifest:
        """The manifest with the images that failed or were skipped."""
        failed = tuple(failure for failures in self.failed.values() for failure in failures)
        suspected = tuple(each for of_image in self.suspected.values() for each in of_image)
        return replace(manifest, failed=failed, skipped=tuple(self.skipped), suspected=suspected)

    def report(self, manifest: Manifest, images: int, known: int) -> ShardingReport:
        return ShardingReport(
            manifest, images, known, self.added, self.left_out, tuple(self.warnings), self.first_failure
        )


def _cuts(
    images: Iterable[ImageSource], reading: Reading, stored: Mapping[str, Known], submit: Submit, prefetch: int
) -> Iterator[tuple[Cut, bool]]:
    """The result of each part of each image, in order, and whether it was the image's last part."""

    def parts() -> Iterator["Future[Cut]"]:
        looks = (submit(look, image, reading, stored.get(image.name, frozenset())) for image in images)
        for looked in _in_order(looks, prefetch):
            first: Future[Cut] = Future()
            first.set_result(looked.first)
            lasts.append(not looked.rest)
            yield first
            for index, part in enumerate(looked.rest, 1):
                lasts.append(index == len(looked.rest))
                yield submit(read_part, part)

    lasts: deque[bool] = deque()
    for cut in _in_order(parts(), prefetch):
        yield cut, lasts.popleft()


def _in_order(futures: Iterable["Future[T]"], prefetch: int) -> Iterator[T]:
    """Results in the order of the calls, with at most `prefetch` calls ahead of the result that is used."""
    waiting: deque[Future[T]] = deque()
    for future in futures:
        waiting.append(future)
        if len(waiting) > prefetch:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def _submitting(workers: int) -> Iterator[tuple[Submit, int]]:
    """A function that runs calls, in other processes or in this one, and the number of calls to prefetch."""
    pools: list[ProcessPoolExecutor] = []
    asked = 0

    def submit(function: Callable[..., T], *arguments: object) -> "Future[T]":
        nonlocal asked
        asked += 1
        # the first runs here: a single image needs no processes, which take seconds to start
        if workers == 1 or asked == 1:
            future: Future[T] = Future()
            future.set_result(function(*arguments))
            return future
        if not pools:
            pools.append(ProcessPoolExecutor(workers, _processes(), _start_worker))
        return pools[0].submit(function, *arguments)

    try:
        yield submit, 0 if workers == 1 else workers + 1
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _processes() -> BaseContext:
    """Workers forked from a process that has only imported what they need; spawned where the system has no fork
    server."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", "spectralgpt.data.chips"])
    return context


def _start_worker() -> None:
    """Signals are left to the parent; a worker ends with it, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None, "a worker has a parent"

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@dataclass(frozen=True, slots=True)
class AlreadyStored:
    """The images in the folder: those with all their chips, and the chips of the others."""

    whole: frozenset[str]
    parts: Mapping[str, Known]


def _stored(writer: ShardsWriter, chip: int) -> AlreadyStored:
    """From the columns of the shards. An image is whole when all chips that it was cut into are there, with the side
    that they would have now."""
    names = ("image", "source", "row", "column", "chips")
    tables = [
        pa.table([*map(table.column, names), pa.array(np.full(len(table), layout.side))], [*names, "side"])
        for layout, table in writer.tables()
    ]
    if not tables:
        return AlreadyStored(frozenset(), {})
    rows = pa.concat_tables(tables)
    sums = [("chips", "count"), ("chips", "max"), ("row", "max"), ("column", "max")]
    images = rows.group_by(["image", "side"]).aggregate(sums)
    side, count, chips, row, column = (
        images.column(name).to_numpy() for name in ("side", "chips_count", "chips_max", "row_max", "column_max")
    )
    same = (side == chip) | ((side < chip) & np.isin(side, PADDED_SIDES) & (row == 0) & (column == 0))
    whole = pa.array(same & (count == chips))
    done = images.column("image").filter(whole)
    left = rows.filter(pc.invert(pc.is_in(rows.column("image"), value_set=done))).select(
        ["image", "source", "row", "column", "side"]
    )
    parts: dict[str, set[tuple[str, int, int, int]]] = {}
    for image, *key in zip(*(column.to_pylist() for column in left.columns), strict=True):
        parts.setdefault(image, set()).add(tuple(key))
    return AlreadyStored(frozenset(done.to_pylist()), {image: frozenset(keys) for image, keys in parts.items()})
