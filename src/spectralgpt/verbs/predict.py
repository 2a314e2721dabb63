"""Scene in, map of classes out."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from spectralgpt.errors import counted
from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._each import EachSceneOptions, with_each
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    PathLike,
    Replacing,
    SceneSources,
    SceneTarget,
    ShowProgress,
)
from spectralgpt.verbs._predicting import Predicting, answers_for, check_options, check_predicting, opened_predicting
from spectralgpt.verbs._scene import OpenedScene, opened_scene

if TYPE_CHECKING:
    from spectralgpt.scenes import ClassTargets, MappedClasses

HECTARE = 1e4
CLASSES_SHOWN = 30
"""Rows of the table of classes, the largest areas first."""


@dataclass(frozen=True, slots=True)
class MappedClass:
    """A class of a map. pixels: of the map; share: of those with an answer; area: in square metres, None without a
    CRS."""

    value: int
    name: str
    colour: str
    pixels: int
    share: float
    area: float | None


@dataclass(frozen=True, slots=True)
class Predicted:
    """Where the map of classes and what belongs to it are, and what they hold.

    probabilities, entropy, polygons: None where they were not asked for. rows, columns: of the map; gsd: metres on the
    ground of its pixels, None unknown. side: pixels of the scene along the squares that were answered about, None where
    each pixel has an answer. several: any number of classes may apply to a pixel, so shares and areas may add up to
    more than all. valid: pixels of the map with an answer; area: theirs in square metres. polygons_count: their number.
    bands: `model band <- bands of the image`. dropped: bands of the image that were not used; missing: bands of the
    model that the image does not have. blocks_resumed: block rows that an interrupted run had finished.
    """

    target: Path
    picture: Path
    probabilities: Path | None
    entropy: Path | None
    polygons: Path | None
    rows: int
    columns: int
    gsd: float | None
    side: int | None
    several: bool
    classes: tuple[MappedClass, ...]
    valid: int
    area: float | None
    polygons_count: int | None
    fingerprint: str
    bands: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]
    blocks_resumed: int
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = "labels" if self.several else "classes"
        of = "" if self.side is None else f" from squares of {self.side} x {self.side} pixels"
        dropped = f"; not used: {', '.join(self.dropped)}" if self.dropped else ""
        missing = f"; missing: {', '.join(self.missing)}" if self.missing else ""
        return "\n".join(
            [
                f"{self.target}: {what} of {self.rows} x {self.columns} pixels{of} ({self.seconds:.1f} s)",
                f"{self.picture}: the map beside the scene",
                *([f"{self.probabilities}: probabilities in percent"] if self.probabilities else []),
                *([f"{self.entropy}: entropy in percent of the largest"] if self.entropy else []),
                *([f"{self.polygons}: {counted(self.polygons_count or 0, 'polygon')}"] if self.polygons else []),
                *self._table(),
                f"bands: {', '.join(self.bands)}{dropped}{missing}",
                f"weights: {self.fingerprint[:16]}",
            ]
        )

    def _table(self) -> list[str]:
        found = sorted((each for each in self.classes if each.pixels), key=lambda each: -each.pixels)
        width = max([len("class"), *(len(each.name) for each in found[:CLASSES_SHOWN])])
        rows = [
            f"  {each.name.ljust(width)}{each.share:8.1%}{_hectares(each.area):>14}{each.pixels:>12}"
            for each in found[:CLASSES_SHOWN]
        ]
        more = len(found) - CLASSES_SHOWN
        return [
            f"  {'class'.ljust(width)}{'share':>8}{'ha':>14}{'pixels':>12}",
            *rows,
            *([f"  and {more} more classes"] if more > 0 else []),
            f"  {'all'.ljust(width)}{'':8}{_hectares(self.area):>14}{self.valid:>12}",
        ]


@with_shared_options
@with_each(check_predicting)
def predict(
    sources: SceneSources,
    target: SceneTarget,
    *,
    probabilities: bool = False,
    entropy: bool = False,
    polygons: bool = False,
    min_area: float = 0.0,
    side: int | None = None,
    encoder: PathLike | None = None,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[EachSceneOptions],
) -> Predicted:
    """Map the classes of a scene by fine-tuned weights or a probe.

    TARGET is a GeoTIFF with the class of each pixel, its colours and names, and a picture is written next to it.
    Weights or probes that answer about whole images give a coarse map: they are asked about overlapping squares, and a
    pixel of the map is half a square wide. Where several labels may apply, TARGET has a band per label, with 1 and 0.

    Args:
        probabilities: Write TARGET.probabilities.tif, a band per class in whole percent, which add up to 100.
        entropy: Write TARGET.entropy.tif, how uncertain each pixel is: percent of the largest entropy.
        polygons: Write TARGET.gpkg, a GeoPackage with the connected parts of the map.
        min_area: Leave out polygons of fewer square metres.
        side: Pixels along the squares of a coarse map; default: as the images that the weights or the probe were
            fitted to.
        encoder: Where the weights are now that a probe given as weights was fitted with, if they have moved.
        weights: Weights with a head (a folder that `finetune` wrote, a released checkpoint or a model on the hub), or a
            folder that `probe` wrote.
        overlap: Overlap of neighbouring windows, as a fraction of their side, from 0 to below 1; default: 0.25, or more
            where that takes no more windows. Not for coarse maps.

    Example:
        spectralgpt predict scene.tif classes.tif --weights fine-tuned/weights
    """
    import time

    from spectralgpt.scenes import map_classes

    check_options(polygons, min_area)
    start = time.perf_counter()
    layers = {"probabilities": probabilities, "entropy": entropy}
    beside = _targets(Path(target), probabilities, entropy, polygons, min_area)
    predicting = opened_predicting(options, encoder)
    with opened_scene("predict", sources, target, predicting.options, beside=beside.all, announce=announce) as scene:
        found = answers_for(scene, predicting, side)
        verb = {
            "verb": "predict",
            **predicting.probe_mark,
            **({} if found.side is None else {"side": found.side}),
            **{name: True for name, wanted in layers.items() if wanted},
            **({"min_area": min_area} if polygons else {}),
        }
        result = map_classes(
            scene.raster,
            scene.model,
            found.answers,
            scene.target,
            beside,
            verdict=scene.verdict,
            verb=verb,
            own=found.own,
            overlap=found.overlap,
            precision=found.precision,
            mark=scene.mark,
            course=scene.course,
            progress=progress,
        )
        _draw(scene, result, found.side)
    return _result(scene, predicting, result, beside, found.side, time.perf_counter() - start)


def _targets(target: Path, probabilities: bool, entropy: bool, polygons: bool, min_area: float) -> "ClassTargets":
    from spectralgpt.scenes import ClassTargets

    return ClassTargets(
        target.with_suffix(".probabilities.tif") if probabilities else None,
        target.with_suffix(".entropy.tif") if entropy else None,
        target.with_suffix(".gpkg") if polygons else None,
        min_area,
    )


def _draw(scene: OpenedScene, result: "MappedClasses", side: int | None) -> None:
    """The picture of the map beside the scene."""
    from spectralgpt.raster import overview
    from spectralgpt.report import LegendEntry, save_class_map
    from spectralgpt.report.pictures import natural

    bands = scene.raster.bands
    shown = natural([band.wavelength for band in bands])
    shares = _shares(result)
    save_class_map(
        scene.picture,
        overview(scene.raster, shown),
        f"red, green, blue: {', '.join(bands[index].name for index in shown)}",
        result.summary.picture,
        [
            LegendEntry(value, each.name, str(each.colour), share)
            for value, (each, share) in enumerate(zip(result.classes, shares, strict=True))
        ],
        scene.target.name + ("" if side is None else f", squares of {side} x {side} pixels"),
        size=scene.raster.grid.shape,
        covered=(result.rows * result.reduce, result.columns * result.reduce),
        text=scene.mark.tags,
    )


def _shares(result: "MappedClasses") -> list[float]:
    """Of the pixels with an answer, those of each class."""
    sums = result.summary.sums
    return [int(count) / max(1, sums.valid) for count in sums.pixels]


def _result(
    scene: OpenedScene,
    predicting: Predicting,
    result: "MappedClasses",
    beside: "ClassTargets",
    side: int | None,
    seconds: float,
) -> Predicted:
    sums = result.summary.sums
    classes = tuple(
        MappedClass(value, each.name, str(each.colour), int(pixels), share, _known(area))
        for value, (each, pixels, share, area) in enumerate(
            zip(result.classes, sums.pixels, _shares(result), sums.area.tolist(), strict=True)
        )
    )
    return Predicted(
        target=scene.target,
        picture=scene.picture,
        probabilities=beside.probabilities,
        entropy=beside.entropy,
        polygons=beside.polygons,
        rows=result.rows,
        columns=result.columns,
        gsd=_known(scene.raster.gsd * result.reduce),
        side=side,
        several=result.several,
        classes=classes,
        valid=sums.valid,
        area=_known(sums.valid_area),
        polygons_count=result.summary.polygons,
        fingerprint=result.fingerprint,
        bands=(*result.alignment.taken, *result.alignment.merged),
        dropped=result.alignment.dropped,
        missing=result.alignment.missing,
        blocks_resumed=result.blocks_resumed,
        seconds=seconds,
        warnings=(*scene.verdict.warnings, *predicting.outside(scene), *_notes(predicting, result)),
    )


def _notes(predicting: Predicting, result: "MappedClasses") -> tuple[str, ...]:
    """How the images of a probe were read, and where polygons are cut."""
    from spectralgpt.errors import first_few

    cuts = [str(row) for row in result.summary.cuts]
    cut = f"the map has more parts than fit into memory, so polygons are cut at its rows {first_few(cuts, 6)}"
    return (*predicting.other_reading(), *([cut] if cuts else []))


def _hectares(area: float | None) -> str:
    return "-" if area is None else f"{area / HECTARE:,.2f}"


def _known(number: Any) -> float | None:
    return float(number) if math.isfinite(number) else None
