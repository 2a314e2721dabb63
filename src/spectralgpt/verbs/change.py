"""Two dates of a place in, a map of what changed out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._changing import ShiftFound
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    Option,
    PathLike,
    Replacing,
    SceneOptions,
    SceneTarget,
    ShowProgress,
)

Earlier = Annotated[PathLike, Option("The earlier image: a file, a product, or a folder of single-band files.")]
Later = Annotated[PathLike, Option("The later image of the same place, with the same bands.")]


@dataclass(frozen=True, slots=True)
class Changed:
    """Where the maps and the picture are, and what changed.

    target: the map of distances, or of classes; changed_map: that of what is changed and unchanged, the same file for
    classes. kind: what target holds. threshold: of distances, or of the probability of change where one was chosen with
    the weights; NaN without one. threshold_chosen: how. changed_share: of the places or pixels that have a class at
    both dates, NaN if none has; changed_square_metres: NaN without a CRS. classes: square metres of each. bands: `model
    band <- bands of the image`. blocks_resumed: block rows that an interrupted run had finished.
    """

    target: Path
    changed_map: Path
    picture: Path
    kind: Literal["distances", "classes"]
    rows: int
    columns: int
    dates: tuple[str, ...]
    shift: ShiftFound
    threshold: float
    threshold_chosen: str
    changed_share: float
    changed_square_metres: float
    classes: Mapping[str, float]
    fingerprint: str
    bands: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]
    blocks_resumed: int
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        dropped = f"; not used: {', '.join(self.dropped)}" if self.dropped else ""
        missing = f"; missing: {', '.join(self.missing)}" if self.missing else ""
        size = f"{self.rows} x {self.columns} {'places' if self.kind == 'distances' else 'pixels'}"
        lines = [f"{self.target}: {self.kind}, {size} ({self.seconds:.1f} s)"]
        if self.kind == "distances":
            above = f"above {self.threshold:.4g} ({self.threshold_chosen})"
            lines += [f"{self.changed_map}: changed where the distance is {above}"]
        elif not math.isnan(self.threshold):
            lines += [f"changed from a probability of {self.threshold:.3g} on ({self.threshold_chosen})"]
        lines += [
            f"{self.picture}: before, after, change",
            f"shift of AFTER: {self.shift.text}{', corrected' if self.shift.aligned else ''}",
            f"changed: {_changed(self.changed_share, self.changed_square_metres)}",
            f"bands: {', '.join(self.bands)}{dropped}{missing}",
            f"weights: {self.fingerprint[:16]}",
        ]
        return "\n".join(lines)


@with_shared_options
def change(
    before: Earlier,
    after: Later,
    target: SceneTarget,
    *,
    align: bool = False,
    threshold: float | None = None,
    encoder: PathLike | None = None,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[SceneOptions],
) -> Changed:
    """Map what changed between two dates of a place.

    With weights for change detection, or a probe of changes, TARGET is their map of classes. With any other weights it
    has the distance between the embeddings of both dates, with one pixel per 8 x 8 pixels, measured by the spread of
    the scene and without what the whole scene has in common; TARGET.changed.tif says where it is above a threshold.
    A picture of both dates and the change is written next to it. The shift between the dates is measured first: a shift
    looks like change.

    Args:
        align: Correct the shift, if it is over half a pixel: the later image is interpolated bilinearly.
        threshold: Distance above which a place has changed; default: the median of the scene plus 3 robust standard
            deviations.
        encoder: Weights that a probe of changes was fitted with, if they have moved.
        weights: Weights for change detection, a folder that `probe` wrote for changes, or weights without a head, as of
            any other verb.
        dates: One date of each image, like 2020-05-01,2021-05-01, where these hold several.

    Example:
        spectralgpt change before.tif after.tif change.tif --weights untrained --align
    """
    import time

    from spectralgpt.verbs._changing import change_of, changing_weights, check_threshold, opened_dates

    start = time.perf_counter()
    check_threshold(threshold)
    target = Path(target)
    changed_map = target.with_suffix(".changed.tif")
    with opened_dates(before, after, target, changed_map, changing_weights(options, encoder), announce) as opened:
        found = change_of(opened, changed_map, align, threshold, progress)
    mapped, totals, alignment = found.mapped, found.mapped.totals, found.mapped.alignment
    return Changed(
        target=target,
        changed_map=changed_map if mapped.kind == "distances" else target,
        picture=opened.scene.picture,
        kind=mapped.kind,
        rows=mapped.rows,
        columns=mapped.columns,
        dates=opened.scene.raster.dates,
        shift=found.shift,
        threshold=mapped.threshold,
        threshold_chosen=mapped.threshold_chosen,
        changed_share=totals.changed_share,
        changed_square_metres=totals.changed_square_metres,
        classes=totals.square_metres,
        fingerprint=mapped.fingerprint,
        bands=(*alignment.taken, *alignment.merged),
        dropped=alignment.dropped,
        missing=alignment.missing,
        blocks_resumed=mapped.blocks_resumed,
        seconds=time.perf_counter() - start,
        warnings=(*opened.scene.verdict.warnings, *found.warnings),
    )


def _changed(share: float, square_metres: float) -> str:
    if math.isnan(share):
        return "unknown, as nothing is valid at both dates"
    valid = f"{share:.2%} of what is valid at both dates"
    if math.isnan(square_metres):
        return valid
    hectares = square_metres / 1e4
    return f"{valid}, {f'{hectares:.4g} ha' if hectares < 1e4 else f'{square_metres / 1e6:.4g} km2'}"
