"""A scene, window by window, into one GeoTIFF: in bounded memory, and never a partial TARGET."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectralgpt.errors import InputError, WeightsError
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import CogWriter, Grid, Profile
from spectralgpt.scenes.blend import Blender
from spectralgpt.scenes.journal import Journal, check_scene_target
from spectralgpt.scenes.maker import Maker, Notes, P, Piece, S
from spectralgpt.scenes.plan import Plan


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
    progress: Progress = silent,
) -> S:
    """Write TARGET: every window is read, computed, blended, stored with its notes, and finally encoded.

    Returns the maker's summary of the scene. journal: what the result depends on in addition to the plan (inputs,
    fingerprint of the weights, parameters), as JSON values; kept in plan.json. beside: written together with TARGET,
    and renamed just before it, so that no TARGET is without them. progress: stages "windows", "writing".

    Memory depends on the window and group, and on the scene's width by the rows that two rows of windows share and a
    block row of TARGET, but not on the scene's height. TARGET is tested for writing before anything is read. Until it
    is whole, finished block rows and their notes are kept in TARGET.partial; an earlier TARGET stays until the new one
    replaces it atomically.

    Raises TargetError where TARGET cannot be written, another run is writing it, or TARGET.partial is not ours. After
    an InputError, from here or from the maker, nothing of this run is left. After any other exception, or a kill,
    TARGET.partial stays, and the next run replaces it. ValueError is the maker's fault: a shape or dtype that differs
    from the plan or its own declaration, or notes that are too large.
    """
    _check_grid(maker.grid, plan)
    check_scene_target(target)
    partial = Journal(target, plan, journal)
    try:
        partial.start()
        _make_rows(plan, maker, partial, progress)
        summary = _write(plan, maker, target, beside, partial, progress)
    except InputError:
        partial.remove()
        raise
    else:
        partial.remove()
    finally:
        partial.release()
    return summary


def _make_rows(plan: Plan, maker: Maker[P, S], partial: Journal, progress: Progress) -> None:
    """Every block row into the journal."""
    blender = Blender(plan)
    progress("windows", 0, plan.count)
    for row in range(len(plan.rows)):
        _make_row(row, plan, maker, blender, partial, progress)


def _make_row(row: int, plan: Plan, maker: Maker[P, S], blender: Blender, partial: Journal, progress: Progress) -> None:
    """A block row into the journal, with its notes."""
    start, stop = plan.block_rows[row]
    done = row * len(plan.columns)
    with partial.row(row, (maker.bands, stop - start, plan.output_shape[1]), maker.dtype) as file:
        notes: list[Notes] = []
        for group in plan.groups(row):
            for piece in _pieces(maker, blender, maker.read(group), len(group)):
                stored = maker.stored(piece)
                _check_stored(stored, piece, maker)
                file.write(stored)
                notes.append(maker.notes(piece, stored))
            # joined after each group: the notes of all pieces of a wide scene would take memory
            notes = [maker.joined(notes)]
            done += len(group)
            progress("windows", done, plan.count)
        partial.finish(row, file, notes[0])


def _pieces(maker: Maker[P, S], blender: Blender, pixels: P, count: int) -> Iterator[Piece[P]]:
    """The pieces that a group of `count` windows ends."""
    values, valid = maker.compute(pixels)
    if len(values) != count or len(valid) != count:
        raise ValueError(f"compute returned {len(values)} values and {len(valid)} valid; expected {count} each")
    _refuse_not_finite(values, valid)
    for index in range(count):
        window, blended, known = blender.add(values[index], valid[index])
        yield Piece(window, blended, known, pixels, index)


def _refuse_not_finite(values: NDArray[Any], valid: NDArray[Any]) -> None:
    """WeightsError where valid answers are NaN or infinite: a map of them would look like one without data."""
    if np.isfinite(values).all():
        return
    odd = (~np.isfinite(values) & valid).any(axis=1)
    if odd.any():
        places = int(valid.any(axis=1).sum())
        raise WeightsError(
            f"the model answers with NaN or infinite values in {int(odd.sum())} of {places} valid places of a batch",
            "finite numbers",
            "Compare the values of the image with what the weights expect (the verb `inspect`), or compute with",
            ("precision", "fp32"),
        )


def _write(
    plan: Plan, maker: Maker[P, S], target: Path, beside: Sequence[SecondRaster], partial: Journal, progress: Progress
) -> S:
    """All block rows of the journal into TARGET and the rasters beside it, which are replaced at the end."""
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


def _check_stored(stored: NDArray[Any], piece: Piece[P], maker: Maker[P, S]) -> None:
    """Raises ValueError where a piece has not the maker's bands, type or size: at the first piece, not at the end."""
    if stored.shape[1:] != piece.window.shape:
        raise ValueError(
            f"stored returned an array of shape {stored.shape}; expected (band, {piece.window.height}, "
            f"{piece.window.width})"
        )
    if len(stored) != maker.bands or stored.dtype != maker.dtype:
        raise ValueError(
            f"stored returned {len(stored)} bands of {stored.dtype}; expected {maker.bands} of {maker.dtype}"
        )


def _check_encoded(values: NDArray[Any], profile: Profile) -> None:
    """Raises ValueError where bands or type are not those of the layout."""
    if len(values) != profile.count or values.dtype != np.dtype(profile.dtype):
        raise ValueError(
            f"encoded returned {len(values)} bands of {values.dtype}; expected {profile.count} of {profile.dtype}"
        )
