"""A scene, window by window, into one GeoTIFF: in bounded memory, and never half a TARGET."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectralgpt.errors import InputError
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import CogWriter, Layout, Window
from spectralgpt.scenes.blend import Blender
from spectralgpt.scenes.journal import Journal, check_scene_target
from spectralgpt.scenes.plan import Plan

Apply = Callable[[Sequence[Window]], tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]]
"""Windows on the padded grid -> values [window, channel, row, column], and valid of that shape or with one channel."""

Compose = Callable[[Window, NDArray[np.float64], NDArray[np.bool_]], NDArray[Any]]
"""A block row: window of the output grid, values, valid [channel, row, column] -> what is kept, [band, row, column]."""

Encode = Callable[[NDArray[Any], Layout], NDArray[Any]]
"""What `compose` stored of a block row, and the layout -> what TARGET holds, [band, row, column]."""

LayoutOf = Callable[[Iterable[NDArray[Any]]], Layout]
"""All stored block rows from the top, one at a time -> the layout, where it depends on them all."""


def run_scene(
    plan: Plan,
    apply: Apply,
    compose: Compose,
    layout: Layout | LayoutOf,
    target: Path,
    journal: Mapping[str, object],
    *,
    encode: Encode | None = None,
    progress: Progress = silent,
) -> None:
    """Write TARGET: `apply` of every window, blended, `compose` of every block row, and at last `encode`.

    apply: one call a group of windows. They lie on the padded grid and may go beyond the scene: what lies there is the
    caller's to fill, and not valid. Its results have side / reduce rows and columns; values that are not valid do not
    count. compose: one call a block row, clipped to the scene; values are 0 where not valid. Its results, all of one
    dtype, are kept on disk as they are. layout: the result's; or a function that makes it from all that is stored, such
    as a scale a band for integers, which is read twice then. encode: makes what TARGET holds from what was stored;
    without it both are the same. journal: what the result depends on besides the plan (inputs, fingerprint of weights,
    parameters), as JSON has it; kept in plan.json. progress: stages "windows" and "writing".

    Memory depends on window, group and block row, not on the scene's height. TARGET is tested for writing before
    `apply` is called. Until TARGET is whole, finished block rows lie in TARGET.partial; what was TARGET before stays,
    until the new one replaces it at once.

    Raises TargetError where TARGET cannot be written, another run writes it, or TARGET.partial is not ours. After an
    InputError, from here or from a function given, nothing of this run is left. After any other exception what
    TARGET.partial keeps is left, and the next run replaces it; so does one after a kill. ValueError: a function
    returned another shape or dtype than the plan and the layout ask for, which is no user's fault.
    """
    if isinstance(layout, Layout):
        _check_grid(layout, plan)
    check_scene_target(target)
    partial = Journal(target, plan, journal)
    try:
        partial.start()
        _compute(plan, apply, compose, layout if encode is None else None, partial, progress)
        _write(plan, layout, target, partial, encode, progress)
    except InputError:
        partial.remove()
        raise
    else:
        partial.remove()
    finally:
        partial.release()


def _compute(
    plan: Plan,
    apply: Apply,
    compose: Compose,
    stored_as: Layout | LayoutOf | None,
    partial: Journal,
    progress: Progress,
) -> None:
    """Every block row of the plan into the journal; checked against `stored_as` where it is a layout."""
    blender = Blender(plan)
    done = 0
    progress("windows", done, plan.count)
    for row in range(len(plan.rows)):
        column = 0
        for group in plan.groups(row):
            values, valid = apply(group)
            if len(values) != len(group) or len(valid) != len(group):
                raise ValueError(
                    f"apply returned {len(values)} values and {len(valid)} valid; expected {len(group)} each"
                )
            for index in range(len(group)):
                blender.add(column + index, values[index], valid[index])
            column += len(group)
            done += len(group)
            progress("windows", done, plan.count)
        window, blended, known = blender.finish()
        stored = compose(window, blended, known)
        if stored.shape[1:] != (window.height, window.width):
            raise ValueError(
                f"compose returned an array of shape {stored.shape}; expected (band, {window.height}, {window.width})"
            )
        if isinstance(stored_as, Layout):
            _check_stored("compose", stored, stored_as)
        partial.save(row, stored)


def _write(
    plan: Plan,
    layout: Layout | LayoutOf,
    target: Path,
    partial: Journal,
    encode: Encode | None,
    progress: Progress,
) -> None:
    """All block rows of the journal into TARGET, which is replaced at the end."""
    if not isinstance(layout, Layout):
        layout = layout(partial.blocks())
        _check_grid(layout, plan)
    total = len(plan.rows)
    progress("writing", 0, total)
    with CogWriter(target, layout, partial.writing()) as writer:
        for index, ((start, _), stored) in enumerate(zip(plan.block_rows, partial.blocks(), strict=True)):
            values = stored if encode is None else encode(stored, layout)
            _check_stored("compose" if encode is None else "encode", values, layout)
            writer.write(start, values)
            progress("writing", index + 1, total)


def _check_grid(layout: Layout, plan: Plan) -> None:
    """Raises ValueError where the layout's grid is not the plan's output."""
    shape = (layout.grid.height, layout.grid.width)
    if shape != plan.output_shape:
        raise ValueError(f"found a layout of {shape} rows, columns; expected the plan's {plan.output_shape}")


def _check_stored(source: str, values: NDArray[Any], layout: Layout) -> None:
    """Raises ValueError where bands or dtype are not the layout's: at the first block row, not after an hour."""
    if len(values) != layout.count or values.dtype != np.dtype(layout.dtype):
        raise ValueError(
            f"{source} returned {len(values)} bands of {values.dtype}; expected {layout.count} of {layout.dtype}"
        )
