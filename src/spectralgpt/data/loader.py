"""From shards to the micro-batches of one process, in the order of the run."""

import itertools
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Int64, UInt64

from spectralgpt.data.order import GlobalBatch, Order
from spectralgpt.data.samples import Samples
from spectralgpt.data.shards import Memory, Shards
from spectralgpt.draws import keys
from spectralgpt.errors import DataError, OptionError

Task = TypeVar("Task")
Result = TypeVar("Result")
DATES = -4
"""Part of the keys that draw dates; separates them from other draws with a sample's key."""
PREFETCH = 2
"""Micro-batches that each worker prepares ahead."""


@dataclass(frozen=True, slots=True)
class MixtureEntry:
    """An entry of a mixture: which layouts of a shards folder take part, and which rows of each (not held back ones).

    weight: its share of the steps, of any sum; None if every sample is to come once per epoch, then for all sources of
    a mixture.
    """

    shards: Shards
    weight: float | int | None
    layouts: tuple[int, ...]
    rows: tuple[Int64[np.ndarray, "..."], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What one process computes of a step.

    counted: false where the global batch has fewer samples than there are processes: then the only sample is the
    batch's first, which another process counts, and its loss must be multiplied by 0.
    """

    number: int
    epoch: int
    micro: tuple[Samples, ...]
    counted: bool


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step before it is read. pieces: the places in the global batch, per micro-batch."""

    number: int
    batch: GlobalBatch
    pieces: tuple[range, ...]
    counted: bool


class Loader:
    """The steps of one process (rank of ranks), endless, from any step on; the same for any number of workers.

    batch: approximate number of samples per step over all processes (`Order`). micro: most samples at a time; all
    processes have the same number of micro-batches in a step (where a part would have fewer samples than micro-batches,
    possible only for micro = 1, there is one less, of up to 2 samples). dates: most dates of a sample, drawn by its key
    without repeats, in order of time; None: all. workers: threads that prefetch, about two micro-batches each; 0: no
    threads. pin: into pinned memory, which needs CUDA. pairs: samples 0 and 1 of a step, 2 and 3, and so on, are in one
    micro-batch, as they are mixed with each other; where micro is below 4, a micro-batch may then have up to 4 samples.

    OptionError for numbers that are too small or weights that do not fit; DataError for a source without samples.
    """

    def __init__(
        self,
        sources: Sequence[MixtureEntry],
        *,
        batch: int,
        micro: int,
        seed: int,
        dates: int | None = None,
        rank: int = 0,
        ranks: int = 1,
        workers: int = 0,
        pin: bool = False,
        pairs: bool = False,
    ) -> None:
        _check_least(1, batch=batch, micro=micro, dates=1 if dates is None else dates, ranks=ranks)
        _check_least(0, rank=rank, workers=workers)
        self.sources, self.micro, self.seed, self.dates = tuple(sources), micro, seed, dates
        self.rank, self.ranks, self.workers, self.pin, self.pairs = rank, ranks, workers, pin, pairs
        if rank >= ranks:
            raise ValueError(f"found rank {rank} of {ranks}; expected at most {ranks - 1}")
        for source in self.sources:
            if not sum(map(len, source.rows)):
                raise DataError(f"{source.shards.folder}: found no samples to train on", do="Leave this folder out")
        weights = [source.weight for source in self.sources if source.weight is not None]
        if weights and len(weights) < len(self.sources):
            raise OptionError("weights: found sources with and without a weight", "a weight for all or for none")
        self.memory: Memory = pinned if pin else BufferPool()
        counts = [[len(rows) for rows in source.rows] for source in self.sources]
        self.order = Order(counts, weights or None, batch, seed)
        # by source and layout: the number of its first sample among all samples of all sources
        ends = np.cumsum([0, *(count for source in self.sources for count in source.shards.counts)]).tolist()
        folders = itertools.accumulate((len(source.shards.counts) for source in self.sources), initial=0)
        self.firsts = [ends[first:] for first in folders]

    @property
    def steps_per_epoch(self) -> int:
        return self.order.steps_per_epoch

    def steps(self, start: int = 0) -> Generator[Step, None, None]:
        """The steps from `start` on. Errors of a source are raised here; closing the iterator ends the threads."""
        plans = map(self._plan, itertools.count(start))
        tasks = ((plan, places) for plan in plans for places in plan.pieces)
        micro: list[Samples] = []
        with closing(prefetched(self._read, tasks, self.workers)) as results:
            for plan, samples in results:
                micro.append(samples)
                if len(micro) == len(plan.pieces):
                    yield Step(plan.number, plan.batch.epoch, tuple(micro), plan.counted)
                    micro = []

    def names(self, step: int) -> list[str]:
        """Where the samples of a step over all processes come from: their files, in the order of the global batch."""
        batch = self.order.batch(step)
        source = self.sources[batch.source]
        return source.shards.sources(source.layouts[batch.layout], source.rows[batch.layout][batch.positions])

    def _plan(self, number: int) -> PlannedStep:
        batch = self.order.batch(number)
        pieces = parts(len(batch.positions), self.rank, self.ranks, self.micro, pairs=self.pairs)
        return PlannedStep(number, batch, pieces or (range(1),), bool(pieces))

    def _read(self, task: tuple[PlannedStep, range]) -> tuple[PlannedStep, Samples]:
        plan, places = task
        source = self.sources[plan.batch.source]
        layout = source.layouts[plan.batch.layout]
        rows = source.rows[plan.batch.layout][plan.batch.positions[places.start : places.stop]]
        key = keys(self.seed, plan.number, np.arange(places.start, places.stop))
        dates = drawn_dates(key, source.shards.layouts[layout].dates, self.dates)
        samples = replace(
            source.shards.read(layout, rows, dates, self.memory),
            key=torch.from_numpy(key.view(np.int64)),
            draw=int(keys(self.seed, plan.number)) >> 1,
            number=torch.from_numpy(rows + self.firsts[plan.batch.source][layout]),
        )
        return plan, samples


def parts(count: int, rank: int, ranks: int, micro: int, *, pairs: bool = False) -> tuple[range, ...]:
    """A process's places in a global batch, per micro-batch, with sizes that differ by at most 1; () where it has none.

    All parts in order of rank are 0 to count - 1; every rank with places has the same number of micro-batches. pairs:
    no part begins at an odd place, so sizes differ by up to 3.
    """
    if pairs:
        # parts of the pairs, the last of which may be a single sample
        found = parts(-(-count // 2), rank, ranks, max(1, micro // 2))
        return tuple(range(2 * each.start, min(2 * each.stop, count)) for each in found)
    first, end = rank * count // ranks, (rank + 1) * count // ranks
    if first == end:
        return ()
    largest, least = -(-count // ranks), max(1, count // ranks)
    pieces = min(-(-largest // micro), least)
    edges = [first + piece * (end - first) // pieces for piece in range(pieces + 1)]
    return tuple(range(*pair) for pair in itertools.pairwise(edges))


def drawn_dates(
    key: UInt64[np.ndarray, " batch"], dates: int, most: int | None
) -> Int64[np.ndarray, "batch chosen"] | None:
    """Which dates of each sample are used, ascending and without repeats; None: all."""
    if most is None or most >= dates:
        return None
    turns = keys(DATES, key[:, None], np.arange(dates))
    return np.sort(np.argsort(turns, axis=1, kind="stable")[:, :most], axis=1)


class BufferPool:
    """A buffer pool: memory is reused when no array or tensor holds it any more. Thread-safe.

    The system hands out large memory page by page, filled with zeros, and takes it back: beyond 32 MB that takes longer
    than copying a batch.
    """

    def __init__(self) -> None:
        self._free: list[np.ndarray] = []
        self._lock = threading.Lock()

    def __call__(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        with self._lock:
            fits = [index for index, memory in enumerate(self._free) if memory.nbytes >= size]
            if not fits:
                self._free.clear()  # too small for the arrays that are needed now
            memory = self._free.pop(fits[0]) if fits else np.empty(size, np.uint8)
        # every view, and every tensor made from one, holds this array, not the memory itself
        held = np.frombuffer(memory.data, np.uint8, size)
        weakref.finalize(held, self._free.append, memory).atexit = False
        return held.view(dtype).reshape(shape)


def pinned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Memory from which a GPU copies without waiting; torch keeps it for reuse."""
    return np.asarray(torch.empty(shape, dtype=getattr(torch, dtype), pin_memory=True).numpy())


def prefetched(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Generator[Result, None, None]:
    """Prefetch: `map` by threads, a few tasks ahead of the caller; 0 workers: no threads.

    Threads are enough: NumPy copies without the interpreter's lock. They share mapped files, and nothing is pickled.
    """
    if not workers:
        yield from map(function, tasks)
        return
    tasks = iter(tasks)
    pool = ThreadPoolExecutor(workers, "loader")
    try:
        waiting = deque(pool.submit(function, task) for task in itertools.islice(tasks, PREFETCH * workers))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, task) for task in itertools.islice(tasks, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _check_least(least: int, **options: int) -> None:
    for option, value in options.items():
        if value < least:
            raise OptionError(f"{option}: found {value}", f"{least} or more")
