"""What an image is, what weights are, or what shards contain."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from spectralgpt.progress import Announce, Progress, silent, unheard
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._inspected import STATEMENTS_SHOWN, Inspected, date_line, line_per_text
from spectralgpt.verbs._inspected_weights import inspect_weights
from spectralgpt.verbs._options import (
    ImageInPython,
    ImageOptions,
    KindOption,
    OverwriteOption,
    PathLike,
    Paths,
    Replacing,
    ShowProgress,
)
from spectralgpt.verbs._scene import files_of, listed, mark_of, opened_image

if TYPE_CHECKING:
    from spectralgpt.bands import BandSet
    from spectralgpt.checks import BandRow, Flag, Verdict
    from spectralgpt.raster import Raster, ResultMark

NOTES_SHOWN = 4
"""Facts or notes that are shown in full."""

WEIGHT_FILES = ("config.json", "model.safetensors")

PLAIN_NAME = re.compile(r"[a-z][a-z0-9-]*(?:@[\w.-]+/[\w.-]+)?")
"""What a name of weights looks like; a mirror on the hub may follow it."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How a reconstruction was made. hidden: a share, bands or dates. input: what was read from where, and suspected,
    of the image that it was made from."""

    weights: str
    rules: int
    hidden: str
    made_with: str
    input: tuple[str, ...]

    def lines(self) -> list[str]:
        return [
            f"result     a reconstruction: what was hidden ({self.hidden}) is predicted, the rest is the input",
            f"weights    {self.weights}",
            f"rules      {self.rules}",
            f"made by    reconstruct; {self.made_with}",
            *line_per_text("input", self.input, STATEMENTS_SHOWN),
        ]


@dataclass(frozen=True, slots=True)
class InspectedImage(Inspected):
    """What an image is.

    source: its files. bands: in the file's order, wavelengths in nm; per band, reflectance = stored x scale + offset.
    dates: ISO, empty if unknown. size: rows, columns. transform: six numbers from column and row to x and y of the CRS.
    gsd: metres on the ground, nan if unknown. valid, clouds: fractions of pixels; clouds is None without a layer of
    clouds. table: statistics per band, in reflectance. flags: what is suspected. feeds: `model band <- bands of the
    file`. dropped: bands of the file that the model does not use; missing: bands of the model that the file does not
    have. read_from: where each piece of metadata was read; fixed: what was corrected in them. notes: warnings from
    opening. open_level: the sensor of another level that the bands could be of, empty if none. rebuilt: how
    `reconstruct` made it, if it did.
    """

    source: tuple[Path, ...]
    sensor: str
    title: str
    level: str
    open_level: str
    bands: tuple[str, ...]
    wavelengths: tuple[float, ...]
    stored: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    nodata: float | None
    dates: tuple[str, ...]
    crs: str | None
    size: tuple[int, int]
    transform: tuple[float, ...]
    gsd: float
    valid: float
    clouds: float | None
    table: tuple["BandRow", ...]
    flags: tuple["Flag", ...]
    feeds: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]
    read_from: tuple[str, ...]
    fixed: tuple[str, ...]
    notes: tuple[str, ...]
    picture: Path | None
    rebuilt: Rebuilt | None = None

    def lines(self) -> list[str]:
        rows, columns = self.size
        clouds = "" if self.clouds is None else f", cloudy {self.clouds:.1%}"
        folders = list(dict.fromkeys(str(path.parent) for path in self.source))
        files = (
            str(self.source[0]) if len(self.source) == 1 else f"{len(self.source)} files of {', '.join(folders[:3])}"
        )
        # a name that both use is shown once
        feeds = ", ".join(arrow.split(" ")[0] if _same_name(arrow) else arrow for arrow in self.feeds)
        return [
            files,
            *([] if self.rebuilt is None else self.rebuilt.lines()),
            f"sensor     {self.sensor}: {self.title}" + (f"; level {self.level}" if self.level else ""),
            f"units      {_units(self)}",
            date_line(self.dates),
            f"grid       {rows} x {columns} pixels, {self.crs or 'no CRS'}, transform "
            f"({', '.join(f'{number:.10g}' for number in self.transform)})",
            f"GSD        {f'{self.gsd:.2f} m on the ground' if self.gsd == self.gsd else 'unknown'}",
            f"valid      {self.valid:.1%}{clouds}",
            *line_per_text("read", self.read_from, NOTES_SHOWN),
            "",
            *_rows(self.table),
            "",
            "feeds      " + (feeds or "none of the model's bands"),
            *([f"left out   {', '.join(self.dropped)}"] if self.dropped else []),
            *([f"missing    {', '.join(self.missing)}, which the model also uses"] if self.missing else []),
            *([f"picture    {self.picture}"] if self.picture else []),
            *line_per_text("note", self.notes, NOTES_SHOWN),
            *(f"suspected  {flag.kind}: {flag.text}" for flag in self.flags),
            *([] if self.flags else ["verdict    nothing suspicious"]),
        ]


class InspectionOptions(ImageOptions, KindOption, OverwriteOption, total=False):
    """How an image is read, or what weights are for."""


@with_shared_options
def inspect(
    sources: Paths | ImageInPython,
    *,
    weights: PathLike | None = None,
    picture: PathLike | None = None,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[InspectionOptions],
) -> Inspected:
    """Describe an image, map, weights or shards, and check if an image is plausible.

    For an image: sensor, level, bands, units, dates, grid, statistics per band, anything suspicious, and which of the
    model's bands it feeds. For weights: kind, size, bands, units, parameters, fingerprint. For shards: samples, their
    bands, dates, places and sizes, statistics per band, failures, fingerprint. For a map or table that `embed` made:
    weights, places or images, values, what it is for; a reconstruction says that it is one, and by which weights. For
    a folder of results (`each`): how many sources were done, and why others failed.

    Args:
        sources: An image, a product, or a folder of single-band files; several are dates of the same place, and
            PATH@2020-05-01 gives an image its date. Or weights: a folder, a released checkpoint (.pth), a model on the
            Hugging Face hub (owner/name), or a name like tiny. Or a folder of shards. In Python also Pixels or a
            Raster.
        weights: Weights to compare the bands of the image with; default: the 12 bands of the released weights.
        picture: PNG file to write. For an image: true colour, false colour, SWIR and the mean spectrum; for shards:
            samples and a map of their places.
        trust_input: No effect here: inspect reports what the input check finds, but never refuses an image.

    Example:
        spectralgpt inspect demo-output/part.tif
        spectralgpt inspect tiny
        spectralgpt inspect shards
    """
    from spectralgpt.verbs._fit_folder import refuse_fine_tuning

    several = listed(sources)
    if len(several) == 1 and _are_weights(os.fspath(several[0])):
        return inspect_weights(several[0], options["kind"], progress)
    if len(several) == 1:
        refuse_fine_tuning(several[0])
    _refuse_kind(several, options["kind"])
    from spectralgpt.raster import check_target
    from spectralgpt.verbs._shards import are_shards, inspect_shards

    target = None if picture is None else Path(picture)
    if target is not None:
        check_target(target, "picture")
    if len(several) == 1 and are_shards(several[0]):
        return inspect_shards(several[0], target, options["overwrite"], announce, progress)
    from spectralgpt.verbs._inspected_each import inspect_each
    from spectralgpt.verbs._inspected_table import inspect_table

    if len(several) == 1 and (folder := inspect_each(Path(several[0]), target)) is not None:
        return folder
    if len(several) == 1 and (table := inspect_table(Path(several[0]), target)) is not None:
        return table
    from spectralgpt.products.own_map import OwnMapError

    try:
        return _opened(sources, weights, target, options, announce, progress)
    except OwnMapError as error:
        if error.map is None or len(several) > 1:
            raise
        from spectralgpt.verbs._inspected_map import inspect_map

        return inspect_map(error.map, picture)


def _opened(
    sources: Paths | ImageInPython,
    weights: PathLike | None,
    picture: Path | None,
    options: InspectionOptions,
    announce: Announce,
    progress: Progress,
) -> InspectedImage:
    from spectralgpt.checks import check
    from spectralgpt.products import check_replacing

    progress("opening", 0, 3)
    with opened_image(sources, options) as raster:
        mark = mark_of("inspect", sources, raster)
        if picture is not None:
            files = files_of(sources, options, (weights, options["aoi"]), raster.paths)
            for line in check_replacing((picture,), mark, files, overwrite=options["overwrite"], raster=raster):
                announce(line)
        model = _model_bands(weights)
        progress("looking at the image", 1, 3)
        verdict = check(raster, trust=True)
        progress("looking at the image", 2, 3)
        if picture is not None:
            _draw(raster, picture, mark)
        progress("looking at the image", 3, 3)
        return _image(raster, verdict, model, picture)


def _are_weights(source: str) -> bool:
    """Whether a source is weights rather than an image; anything else is taken for an image."""
    if source.lower().endswith(".pth"):
        return True
    if os.path.exists(source):
        return any(os.path.exists(os.path.join(source, name)) for name in WEIGHT_FILES)
    if PLAIN_NAME.fullmatch(source):
        from spectralgpt.weights.named import is_named

        return is_named(source)
    from spectralgpt.products import looks_like_image

    owner, _, name = source.partition("/")
    on_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", source) is not None and "." not in (owner, name)
    return on_hub and not os.path.exists(owner) and not looks_like_image(name)


def _refuse_kind(sources: Sequence[PathLike], kind: str | None) -> None:
    """OptionError for a kind of what is no weights; a single source that does not exist has its own message."""
    from spectralgpt.errors import OptionError, argument

    source = os.fspath(sources[0]) if sources else ""
    is_here = os.path.exists(re.sub(r"@[\d-]+$", "", source))  # PATH@DATE
    if kind is not None and (len(sources) > 1 or is_here):
        raise OptionError(
            f"{source}: {argument('kind', kind)} is for checkpoints, and this is none", do="Leave out `kind`"
        )


def _model_bands(weights: PathLike | None) -> "BandSet":
    """The bands of weights, by default of the released ones: then torch, which takes a second, is not imported."""
    from spectralgpt.bands import BandSet, sensor

    if weights is None:
        return BandSet.native(sensor("spectralgpt-12").bands)
    from spectralgpt.weights import open_weights

    return open_weights(weights).config.bands


def _image(raster: "Raster", verdict: "Verdict", model: "BandSet", picture: Path | None) -> InspectedImage:
    from spectralgpt.bands import align
    from spectralgpt.checks.level import without_level_note
    from spectralgpt.errors import BandError
    from spectralgpt.products.own_result import own_result, reconstruction_note

    result = own_result(raster.tags)
    said = {note for path in raster.paths for note in reconstruction_note(path, result)}  # by the lines of the result
    try:
        plan = align(raster.bands, model)
        feeds, dropped, missing = (*plan.taken, *plan.merged), plan.dropped, plan.missing
    except BandError:
        feeds, dropped, missing = (), tuple(band.name for band in raster.bands), model.names
    grid = raster.grid
    return InspectedImage(
        source=tuple(map(Path, raster.paths)),
        sensor=raster.sensor.name,
        title=raster.sensor.title,
        level=raster.sensor.level,
        open_level=raster.other_level,
        bands=tuple(band.name for band in raster.bands),
        wavelengths=tuple(float(band.wavelength) for band in raster.bands),
        stored=raster.dtype.name,
        scale=tuple(map(float, raster.scale)),
        offset=tuple(map(float, raster.offset)),
        nodata=None if raster.nodata is None else float(raster.nodata),
        dates=raster.dates,
        crs=grid.crs_name,
        size=grid.shape,
        transform=tuple(map(float, tuple(grid.transform)[:6])),
        gsd=float(raster.gsd),
        valid=verdict.valid,
        clouds=verdict.clouds,
        table=verdict.table,
        flags=verdict.flags,
        feeds=feeds,
        dropped=dropped,
        missing=missing,
        read_from=verdict.read_from,
        fixed=verdict.fixed,
        notes=(
            *(note for note in without_level_note(raster.warnings, verdict.flags) if note not in said),
            *verdict.notes,
        ),
        picture=picture,
        rebuilt=None
        if result is None or not result.is_reconstruction
        else Rebuilt(result.weights, result.rules, result.hidden, result.version, result.input),
    )


def _same_name(arrow: str) -> bool:
    model, file = arrow.split(" <- ", 1)
    return model == file


def _units(image: InspectedImage) -> str:
    pairs = list(dict.fromkeys(zip(image.scale, image.offset, strict=True)))
    nodata = "" if image.nodata is None else f"; nodata {image.nodata:g}"
    if len(pairs) > 1:
        return f"reflectance = {image.stored} x scale + offset, different for each band{nodata}"
    (scale, offset) = pairs[0]
    return f"reflectance = {image.stored} x {scale:g} {'-' if offset < 0 else '+'} {abs(offset):g}{nodata}"


def _rows(table: tuple["BandRow", ...]) -> list[str]:
    """Columns: band, wavelength, 2 %, 50 % and 98 % quantiles in reflectance, valid, flags."""
    width = max(4, *(len(row.name) for row in table))
    return [
        f"{'band':<{width}}  {'nm':>7}  {'2 %':>8}  {'median':>8}  {'98 %':>8}  {'valid':>6}",
        *(
            f"{row.name:<{width}}  {row.wavelength:7.1f}  {row.q02:8.4f}  {row.median:8.4f}  {row.q98:8.4f}  "
            f"{row.valid:6.1%}  {', '.join(row.flags)}".rstrip()
            for row in table
        ),
    ]


def _draw(raster: "Raster", target: Path, mark: "ResultMark") -> None:
    from spectralgpt.raster import overview
    from spectralgpt.report import save_inspection

    date, first = raster.dates[0], Path(raster.paths[0])
    name = first.name if len(raster.paths) == 1 else first.parent.name
    save_inspection(
        target,
        overview(raster),
        [band.name for band in raster.bands],
        [float(band.wavelength) for band in raster.bands],
        f"{name}, {raster.sensor.name}" + (f", {date}" if date else ""),
        mark.tags,
    )
