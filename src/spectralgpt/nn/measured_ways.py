"""The fastest way to compute attention of a shape on this computer: measured at its first use, and kept in a file."""

import hashlib
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from spectralgpt.cores import usual_threads
from spectralgpt.disk import atomic_write, user_cache
from spectralgpt.nn.cpu import CPU_NAME, INSTRUCTIONS
from spectralgpt.nn.ways import WAYS, AttentionShape, Way, possible_ways, usual_way

ATTENTION_VARIABLE = "SPECTRALGPT_ATTENTION"
"""Environment variable: `usual` measures nothing, `measured` is the default, the name of a way is taken for all."""

MEASURED_SCORES = 2**24
"""Scores that are measured at most: of larger batches fewer samples, as time grows with their number."""

ROUNDS, MOST_ROUNDS, SECONDS_MEASURED = 4, 20, 0.1
"""Measurements of each way and number of threads: at least and, while all together take less than these seconds, at
most."""

HOPELESS = 1.5
"""A way that took this many times the shortest is not measured again."""

WORTHWHILE = 0.95
"""Share of the usual way's time that another way must undercut, so that noise decides nothing."""

ALL_THREADS = usual_threads()
"""Of this process, before a part of it asks for fewer. PyTorch is not asked: that would start its threads here."""

Inputs = tuple[Tensor, Tensor, Tensor | None]
"""q, k and v in one, a gradient, a key mask."""

_lock = threading.Lock()


def chosen_way(shape: AttentionShape) -> Way:
    """The way for this shape: as measured on this computer, now or before; by the rule where the file that keeps it
    cannot be written, as results would otherwise not be the same in the next run."""
    asked = os.environ.get(ATTENTION_VARIABLE, "measured")
    if asked in WAYS:
        return asked if asked in possible_ways(shape) else usual_way(shape)
    if asked == "usual" or torch.compiler.is_compiling():
        return usual_way(shape)
    return _way_of(shape)


def kept_ways() -> dict[str, dict[str, Any]]:
    """What has been measured on this computer: by kind of shape, the way and milliseconds of each."""
    path = ways_file()
    if path is None:
        return {}
    with suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads(path.read_text())["ways"]
        if isinstance(found, dict):
            return {kind: each for kind, each in found.items() if isinstance(each, dict) and each.get("way") in WAYS}
    return {}


def ways_file() -> Path | None:
    """The file for this CPU, number of threads and PyTorch, None where there is no folder for caches."""
    folder = user_cache()
    computer = hashlib.sha256(f"{CPU_NAME} {INSTRUCTIONS} {ALL_THREADS} {torch.__version__}".encode()).hexdigest()[:16]
    return None if folder is None else folder / f"attention-{computer}.json"


_chosen: dict[AttentionShape, Way] = {}


def _way_of(shape: AttentionShape) -> Way:
    way = _chosen.get(shape)
    if way is None:
        with _lock:
            way = _chosen.get(shape) or _known_or_measured(shape.kind, shape)
            _chosen[shape] = way
    return way


def _known_or_measured(kind: str, shape: AttentionShape) -> Way:
    path, known = ways_file(), kept_ways()
    if kind in known:
        return known[kind]["way"]  # type: ignore[no-any-return]
    if path is None or not _is_writable(path.parent):
        return usual_way(shape)
    with _apart():
        found = measured(shape)
    known = kept_ways()  # another process may have been faster: what it chose is what counts
    entry = known.setdefault(kind, found)
    try:
        with atomic_write(path, f".{os.getpid()}", durable=False) as file:
            file.write(json.dumps({"cpu": CPU_NAME, "torch": torch.__version__, "ways": known}, indent=1).encode())
    except OSError:
        return usual_way(shape)
    return entry["way"]  # type: ignore[no-any-return]


@contextmanager
def _apart() -> Iterator[None]:
    """Without the modes that the model is in, and the hooks of a checkpointed block, of which only the last count."""
    with torch.inference_mode(False), torch.autocast("cpu", enabled=False), saved_tensors_hooks(_same, _same):
        yield


def _same(tensor: Tensor) -> Tensor:
    return tensor


def measured(shape: AttentionShape) -> dict[str, Any]:
    """The fastest way, and milliseconds of all: on all threads where they are at least as fast as one; else, beside
    other processes, of one thread, in its own time, which others hardly change."""
    batch = max(1, min(shape.batch, MEASURED_SCORES // (shape.scores // shape.batch)))
    ways, inputs, before = possible_ways(shape), _inputs(replace(shape, batch=batch)), torch.get_num_threads()
    try:
        best = _usual_seconds(ways, inputs, 1, time.thread_time)
        if ALL_THREADS > 1:
            together = _usual_seconds(ways, inputs, ALL_THREADS, time.perf_counter)
            best = together if all(together[way] <= best[way] for way in ways) else best
    finally:
        torch.set_num_threads(before)
    usual, fastest = usual_way(shape), min(best, key=best.__getitem__)
    way = fastest if best[fastest] < WORTHWHILE * best[usual] else usual
    return {"way": way, "ms": {name: round(seconds * 1e3, 3) for name, seconds in best.items()}}


def _usual_seconds(ways: Sequence[Way], inputs: Inputs, threads: int, clock: Callable[[], float]) -> dict[Way, float]:
    """Seconds of each way, in turns: the median of several, without the first, which also starts the kernels."""
    torch.set_num_threads(threads)
    found: dict[Way, list[float]] = {way: [] for way in ways}
    best, start = dict.fromkeys(ways, float("inf")), time.perf_counter()
    for turn in range(MOST_ROUNDS):
        if turn >= ROUNDS and time.perf_counter() - start > SECONDS_MEASURED:
            break
        for way, seconds in found.items():
            if turn < 2 or best[way] < HOPELESS * min(best.values()):
                seconds.append(_seconds(way, *inputs, clock))
                best[way] = statistics.median(seconds[1:] or seconds)
    return best


def _inputs(shape: AttentionShape) -> Inputs:
    """q, k, v as one tensor, as they come from one matrix; a gradient; a key mask. Drawn apart from all other draws."""
    draws = torch.Generator().manual_seed(0)
    dtype = getattr(torch, shape.dtype)
    together = torch.randn(shape.batch, shape.tokens, 3, shape.heads, shape.width, generator=draws).to(dtype)
    gradient = torch.randn(shape.batch, shape.heads, shape.tokens, shape.width, generator=draws).to(dtype)
    keys = torch.rand(shape.batch, 1, 1, shape.tokens, generator=draws) < 0.75
    keys[..., 0] = True
    return together.requires_grad_(shape.training), gradient, keys if shape.masked else None


def _seconds(way: Way, together: Tensor, gradient: Tensor, keys: Tensor | None, clock: Callable[[], float]) -> float:
    with torch.set_grad_enabled(together.requires_grad):
        q, k, v = together.permute(2, 0, 3, 1, 4).unbind(0)
        start = clock()
        out = WAYS[way](q, k, v, keys)
        if together.requires_grad:
            torch.autograd.grad(out, (q, k, v), gradient)
        return clock() - start


@lru_cache(maxsize=1)
def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
