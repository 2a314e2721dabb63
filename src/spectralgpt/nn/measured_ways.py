"""The fastest way to compute attention of a shape on this computer: measured at its first use, and kept in a file.

Each kind of shape has a file of its own, so that processes that measure at the same time lose nothing of each other.
"""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from spectralgpt.cores import usual_threads
from spectralgpt.disk import user_cache, write_refusal
from spectralgpt.nn.cpu import CPU_NAME, INSTRUCTIONS
from spectralgpt.nn.ways import WAYS, AttentionShape, Way, asked_way, possible_ways, usual_way

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
    """The way for this shape: as measured on this computer, now or before; by the rule where this cannot be kept, as
    results would otherwise not be the same in the next run. OptionError where the environment asks for an unknown
    way."""
    asked = asked_way()
    if asked in WAYS:
        return asked if asked in possible_ways(shape) else usual_way(shape)
    if asked == "usual" or torch.compiler.is_compiling():
        return usual_way(shape)
    return _way_of(shape)


def kept_ways() -> dict[str, dict[str, Any]]:
    """What has been measured on this computer: by kind of shape, the way and milliseconds of each."""
    folder = ways_folder()
    if folder is None or not folder.is_dir():
        return {}
    found = [_kept(path) for path in sorted(folder.glob("*.json"))]
    return {each["kind"]: each for each in found if each is not None}


def used_ways() -> dict[str, Way]:
    """What this process has computed with: by kind of shape."""
    return {shape.kind: way for shape, way in sorted(_chosen.items(), key=lambda each: each[0].kind)}


def ways_folder() -> Path | None:
    """The folder for this CPU, number of threads and PyTorch, None where there is no folder for caches."""
    folder = user_cache()
    computer = hashlib.sha256(f"{CPU_NAME} {INSTRUCTIONS} {ALL_THREADS} {torch.__version__}".encode()).hexdigest()[:16]
    return None if folder is None else folder / "attention" / computer


_chosen: dict[AttentionShape, Way] = {}


def _way_of(shape: AttentionShape) -> Way:
    way = _chosen.get(shape)
    if way is None:
        with _lock:
            way = _chosen.get(shape) or _known_or_measured(shape.kind, shape)
            _chosen[shape] = way
    return way


def _known_or_measured(kind: str, shape: AttentionShape) -> Way:
    folder = ways_folder()
    if folder is None:
        return usual_way(shape)
    path = folder / (re.sub(r"\W+", "-", kind) + ".json")
    known = _kept(path)
    if known is None:
        if write_refusal(folder) is not None:
            return usual_way(shape)
        with _apart():
            found = measured(shape)
        known = _kept_first(path, {"kind": kind, "cpu": CPU_NAME, "torch": torch.__version__, **found})
    return usual_way(shape) if known is None else known["way"]


def _kept(path: Path) -> dict[str, Any] | None:
    """What was measured; None where nothing was, or the file is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ("kind", "way"))
    return found if whole and found["way"] in WAYS else None


def _kept_first(path: Path, found: dict[str, Any]) -> dict[str, Any] | None:
    """What is kept from now on: what was found, or what another process has kept meanwhile; None where the disk
    refuses."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(found, indent=1))
        if _kept(path) is None:
            path.unlink(missing_ok=True)  # damaged
            _named(partial, path)
        return _kept(path)
    except OSError:
        return None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _named(partial: Path, path: Path) -> None:
    """Give the whole file its name, unless another process was the first to."""
    try:
        os.link(partial, path)
    except FileExistsError:
        return
    except OSError:  # file systems without links
        os.replace(partial, path)


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
        best = _best_seconds(ways, inputs, 1, time.thread_time)
        if ALL_THREADS > 1:
            together = _best_seconds(ways, inputs, ALL_THREADS, time.perf_counter)
            best = together if all(together[way] <= best[way] for way in ways) else best
    finally:
        torch.set_num_threads(before)
    usual, fastest = usual_way(shape), min(best, key=best.__getitem__)
    way = fastest if best[fastest] < WORTHWHILE * best[usual] else usual
    return {"way": way, "ms": {name: round(seconds * 1e3, 3) for name, seconds in best.items()}}


def _best_seconds(ways: Sequence[Way], inputs: Inputs, threads: int, clock: Callable[[], float]) -> dict[Way, float]:
    """Seconds of each way, in turns: the shortest of several, as other processes only ever make it longer; without the
    first, which also starts the kernels."""
    torch.set_num_threads(threads)
    found: dict[Way, list[float]] = {way: [] for way in ways}
    best, start = dict.fromkeys(ways, float("inf")), time.perf_counter()
    for turn in range(MOST_ROUNDS):
        if turn >= ROUNDS and time.perf_counter() - start > SECONDS_MEASURED:
            break
        for way, seconds in found.items():
            if turn < 2 or best[way] < HOPELESS * min(best.values()):
                seconds.append(_seconds(way, *inputs, clock))
                best[way] = min(seconds[1:] or seconds)
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
