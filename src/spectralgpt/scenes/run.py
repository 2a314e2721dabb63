"""A scene, window by window, into one GeoTIFF: in bounded memory, and never a partial TARGET."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectralgpt.allocation import give_freed_memory_back, keep_freed_memory
from spectralgpt.errors import InputError, UnfinishedError
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import CogWriter, Grid, Profile
from spectralgpt.scenes.block_rows import BlockRows
from spectralgpt.scenes.course import USUAL_COURSE, Course, ResumedRows, SceneEstimate, rows_unheard
from spectralgpt.scenes.journal import Journal, check_scene_target
from spectralgpt.scenes.maker import Maker, P, S
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.space import check_scene_space
from spectralgpt.scenes.threads import DoneBehind, ReadAhead, usual_readers

MOMENTS_MEASURED = 3
"""Moments between which groups are measured: the beginning and the ends of the first two."""


@dataclass(frozen=True, slots=True)
class SecondRaster:
    """A raster beside TARGET from the same block rows. encoded: its values of a stored block row, in the layout's bands
    and type."""

    target: Path
    profile: Profile
    encoded: Callable[[NDArray[Any]], NDArray[Any]]


def run_scene(
    plan: Plan,
    maker: Maker[P, S],
    target: Path,
    journal: Mapping[str, object],
    *,
    beside: Sequence[SecondRaster] = (),
    course: Course = USUAL_COURSE,
    resumed: ResumedRows = rows_unheard,
    progress: Progress = silent,
) -> S:
    """Write TARGET: every window is read, computed, blended, stored with its notes, and finally encoded.

    Returns the maker's summary of the scene. journal: what the result depends on in addition to the plan (inputs,
    fingerprint of the weights, parameters), as JSON values; kept in plan.json. beside: written together with TARGET,
    and renamed just before it, so that no TARGET is without them. resumed: called with the number of block rows that an
    interrupted run had finished. progress: stages "windows", "writing".

    Memory depends on the window and group, and on the scene's width by the rows that two rows of windows share and a
    block row of TARGET, but not on the scene's height. TARGET is tested for writing before anything is read. Until it
    is whole, finished block rows and their notes are kept in TARGET.partial; an earlier TARGET stays until the new one
    replaces it atomically.

    A run that follows an interrupted one with the same plan and journal goes on from the first block row that is not
    finished. All windows that reach into it are computed again, in the same groups, so TARGET is the same to the bit as
    without the interruption (on one machine, with one number of threads).

    Raises TargetError where TARGET cannot be written, its disk has no room for what is stored until then, another run
    is writing it, TARGET.partial is not ours, or has finished block rows of another plan or journal and `course` does
    not begin anew. After an InputError, from here or from the maker, TARGET.partial is removed unless a block row is
    finished; after any other exception, or a kill, it stays. ValueError is the maker's fault: a shape or dtype that
    differs from the plan or its own declaration, or notes that are too large. UnfinishedError where `course` sets a
    limit of time that ends before TARGET is whole.
    """
    keep_freed_memory()
    _check_grid(maker.grid, plan)
    check_scene_target(target, course.restart)
    with ExitStack() as alone:
        partial = (course.until or alone).enter_context(Journal(target, plan, journal))
        done = partial.start(course.restart)
        resumed(done)
        course.go_on(target, done, len(plan.rows))
        check_scene_space(plan, maker, target, [one.profile for one in beside], done, course.announce)
        try:
            _make_rows(plan, maker, partial, target, done, course, progress)
            partial.refuse_changed()
            give_freed_memory_back()  # TARGET is encoded in memory of its own, like GDAL's cache
            return _write(plan, maker, target, beside, partial, done, course, progress)
        except UnfinishedError:
            raise  # which says itself what is kept
        except InputError as error:
            if not partial.done:
                raise
            raise error.also(partial.kept) from error


def _make_rows(
    plan: Plan, maker: Maker[P, S], partial: Journal, target: Path, done: int, course: Course, progress: Progress
) -> None:
    """Every block row from `done` on into the journal: read ahead of the model, blended and kept behind it."""
    if done == len(plan.rows):
        return
    first = plan.first_reaching(done)
    groups = ((row, group) for row in range(first, len(plan.rows)) for group in plan.groups(row))
    computed = first * len(plan.columns)
    progress("windows", computed, plan.count)
    ended = [time.perf_counter()]
    with (
        BlockRows(plan, maker, partial, first, done) as rows,
        DoneBehind() as behind,
        ReadAhead(maker.read, groups, usual_readers()) as read,
    ):
        for (row, group), pixels in read:
            behind.call(rows.take, row, group, pixels, *maker.compute(pixels))
            computed += len(group)
            progress("windows", computed, plan.count)
            if len(ended) < MOMENTS_MEASURED and computed < plan.count:
                ended.append(time.perf_counter())
                if len(ended) == MOMENTS_MEASURED:
                    course.announce(_estimate(plan, maker, computed, (ended[-1] - ended[-2]) / len(group)).text)
            if course.is_over and computed < plan.count:
                behind.wait()
                raise course.unfinished(target, done, partial.done, len(plan.rows))


def _estimate(plan: Plan, maker: Maker[P, S], computed: int, seconds: float) -> SceneEstimate:
    """seconds: per window. The first group is not counted, as much is done once with it."""
    height, width = plan.output_shape
    left = plan.count - computed
    return SceneEstimate(plan, left, left * seconds, maker.bands * height * width * maker.dtype.itemsize)


def _write(
    plan: Plan,
    maker: Maker[P, S],
    target: Path,
    beside: Sequence[SecondRaster],
    partial: Journal,
    done: int,
    course: Course,
    progress: Progress,
) -> S:
    """All block rows of the journal into TARGET and the rasters beside it, which are replaced at the end. done: block
    rows that an interrupted run had finished."""
    assert partial.done == len(plan.rows), "a block row is written before it is made"
    rows = partial.rows()
    summary = maker.merged(partial.notes(), rows)
    profile = maker.profile(summary)
    _check_grid(profile.grid, plan)
    total = len(plan.rows)
    progress("writing", 0, total)
    with ExitStack() as open_writers:
        writer = open_writers.enter_context(CogWriter(target, profile, partial.writing()))
        # the last one entered is renamed first
        others = [open_writers.enter_context(CogWriter(one.target, one.profile, partial.writing())) for one in beside]
        for index, (start, _) in enumerate(plan.block_rows):
            if course.is_over:
                raise course.unfinished(target, done, total, total)
            stored = rows[index]
            values = maker.encoded(stored, profile)
            _check_encoded(values, profile)
            writer.write(start, values)
            for one, other in zip(beside, others, strict=True):
                other.write(start, one.encoded(stored))
            progress("writing", index + 1, total)
    return summary


def _check_grid(grid: Grid, plan: Plan) -> None:
    """Raises ValueError where TARGET's grid is not the plan's output."""
    if grid.shape != plan.output_shape:
        raise ValueError(f"found a grid of {grid.shape} rows, columns; expected the plan's {plan.output_shape}")


def _check_encoded(values: NDArray[Any], profile: Profile) -> None:
    """Raises ValueError where bands or type are not those of the layout."""
    if len(values) != profile.count or values.dtype != np.dtype(profile.dtype):
        raise ValueError(
            f"encoded returned {len(values)} bands of {values.dtype}; expected {profile.count} of {profile.dtype}"
        )
