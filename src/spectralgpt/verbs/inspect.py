"""What an image is, weights are, or shards hold."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from spectralgpt.progress import Progress, silent

if TYPE_CHECKING:
    from spectralgpt.bands import BandSet
    from spectralgpt.checks import BandRow, Flag, Verdict
    from spectralgpt.raster import Raster

FEW = 4
"""Facts or notes that are told in full."""

WEIGHT_FILES = ("config.json", "model.safetensors")


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a source is: InspectedWeights, InspectedShards or InspectedImage."""

    def lines(self) -> list[str]:
        """All of it in words."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True, slots=True)
class InspectedWeights(Inspected):
    """What weights are; `text` says all of it in words.

    source: a path, or a name on the hub. size: its name, or width x depth. image: side it was trained at, pixels.
    bands: in the model's order, with their wavelengths in nm. classes: None without a head. parameters: all of them,
    decoder or head included.
    """

    source: Path | str
    kind: str
    size: str
    image: int
    bands: tuple[str, ...]
    wavelengths: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    classes: int | None
    normalization: str
    parameters: int
    fingerprint: str
    data: str | None
    licence: str | None
    text: str

    def lines(self) -> list[str]:
        return [str(self.source), self.text]


@dataclass(frozen=True, slots=True)
class InspectedImage(Inspected):
    """What an image is.

    source: its files. bands: in the file's order, wavelengths in nm; reflectance = stored x scale + offset, a band.
    dates: ISO, empty where unknown. size: rows, columns. transform: six numbers from column and row to x and y of the
    CRS. gsd: metres on the ground, nan unknown. valid, clouds: shares of pixels, clouds None without a layer of them.
    table: statistics a band, in reflectance. flags: what is suspected. feeds: `model band <- bands of the file`;
    dropped and missing: bands of the file and of the model that are not in it. read_from: what was read from where;
    fixed: what of that metadata set right. notes: what opening warned of.
    """

    source: tuple[Path, ...]
    sensor: str
    title: str
    level: str
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

    def lines(self) -> list[str]:
        rows, columns = self.size
        known = [date for date in self.dates if date]
        told = f"{len(known)}, {known[0]} to {known[-1]}" if len(known) > 1 else "".join(known) or "unknown"
        clouds = "" if self.clouds is None else f", cloudy {self.clouds:.1%}"
        folders = list(dict.fromkeys(str(path.parent) for path in self.source))
        files = (
            str(self.source[0]) if len(self.source) == 1 else f"{len(self.source)} files of {', '.join(folders[:3])}"
        )
        # what goes by one name in both is told once
        feeds = ", ".join(arrow.split(" ")[0] if _same_name(arrow) else arrow for arrow in self.feeds)
        return [
            files,
            f"sensor     {self.sensor}: {self.title}" + (f"; level {self.level}" if self.level else ""),
            f"units      {_units(self)}",
            f"date{'s' if len(known) > 1 else ' '}      {told}",
            f"grid       {rows} x {columns} pixels, {self.crs or 'no CRS'}, transform "
            f"({', '.join(f'{number:.10g}' for number in self.transform)})",
            f"GSD        {f'{self.gsd:.2f} m on the ground' if self.gsd == self.gsd else 'unknown'}",
            f"valid      {self.valid:.1%}{clouds}",
            *_few("read", self.read_from),
            "",
            *_rows(self.table),
            "",
            "feeds      " + (feeds or "none of the model's bands"),
            *([f"left out   {', '.join(self.dropped)}"] if self.dropped else []),
            *([f"missing    {', '.join(self.missing)}, which the model also knows"] if self.missing else []),
            *([f"picture    {self.picture}"] if self.picture else []),
            *_few("note", self.notes),
            *(f"suspected  {flag.kind}: {flag.text}" for flag in self.flags),
            *([] if self.flags else ["verdict    nothing is suspected"]),
        ]


def inspect(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    weights: str | os.PathLike[str] | None = None,
    bands: str | None = None,
    date: str | None = None,
    gsd: float | None = None,
    aoi: str | os.PathLike[str] | None = None,
    clouds: str | os.PathLike[str] | None = None,
    picture: str | os.PathLike[str] | None = None,
    kind: Literal["segmentation", "change"] | None = None,
    trust_input: bool = False,
    progress: Progress = silent,
) -> Inspected:
    """Say what an image, weights or shards are, and whether an image can be right.

    Of an image: sensor, level, bands, units, dates, grid, statistics of each band, what is suspected, and which of the
    model's bands it feeds. Of weights: kind, size, bands, units, parameters, fingerprint. Of shards: samples, their
    bands, dates, places and sizes, statistics of each band, what failed, fingerprint.

    Args:
        sources: An image, a folder of single-band files, a product, or several: dates of one place. Or weights: a
            folder, a released checkpoint (.pth), or a model of the Hugging Face hub (owner/name). Or a folder of
            shards.
        weights: Weights whose bands are compared with the image's; untold, the 12 bands of the released ones.
        bands: Whose names the file's are, or a list like B02,B03.
        date: Take only these dates, like 2020-05-01,2020-06-10.
        gsd: Metres of a pixel to read at.
        aoi: A GeoJSON file; only what lies inside is read.
        clouds: Leave out clouds by the product's own layer (scl, qa, fmask) or by a mask file.
        picture: Write true colour, false colour, SWIR and the mean spectrum to this PNG; of shards, some samples and a
            map of their places.
        kind: What a checkpoint with a class for each pixel is; untold, two classes are change detection.
        trust_input: As in other verbs; what they would refuse is reported here either way.

    Example:
        spectralgpt inspect demo-output/part.tif
        spectralgpt inspect demo-output/weights
        spectralgpt inspect shards
    """
    from spectralgpt.errors import check_choice

    check_choice("--kind", kind, (None, "segmentation", "change"))
    several = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if len(several) == 1 and (kind is not None or _are_weights(os.fspath(several[0]))):
        return _weights(several[0], kind, progress)
    from spectralgpt.checks import check
    from spectralgpt.products import open_raster
    from spectralgpt.raster import check_target, refuse_overwriting
    from spectralgpt.verbs._shards import are_shards, inspect_shards

    target = None if picture is None else Path(picture)
    if target is not None:
        check_target(target, "file")
    if len(several) == 1 and are_shards(several[0]):
        return inspect_shards(several[0], target, progress)
    progress("opening", 0, 3)
    with open_raster(several, bands=bands, dates=date, gsd=gsd, aoi=aoi, clouds=clouds) as raster:
        model = _model_bands(weights)
        progress("looking at the image", 1, 3)
        verdict = check(raster, trust=True)
        progress("looking at the image", 2, 3)
        if target is not None:
            refuse_overwriting(raster.paths, (target,))
            _draw(raster, target)
        progress("looking at the image", 3, 3)
        return _image(raster, verdict, model, target)


def _are_weights(source: str) -> bool:
    """Whether a source is weights rather than an image; what is neither is taken for an image."""
    if source.lower().endswith(".pth"):
        return True
    if os.path.exists(source):
        return any(os.path.exists(os.path.join(source, name)) for name in WEIGHT_FILES)
    from spectralgpt.products import looks_like_image

    owner, _, name = source.partition("/")
    on_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", source) is not None and "." not in (owner, name)
    return on_hub and not os.path.exists(owner) and not looks_like_image(name)


def _weights(
    source: str | os.PathLike[str], kind: Literal["segmentation", "change"] | None, progress: Progress
) -> InspectedWeights:
    from spectralgpt.weights import describe, open_weights

    progress("reading weights", 0, 1)
    found = describe(open_weights(source, kind))
    progress("reading weights", 1, 1)
    return InspectedWeights(
        source=Path(source) if os.path.exists(source) else os.fspath(source),
        kind=found.kind,
        size=found.size,
        image=found.image,
        bands=tuple(band.name for band in found.bands),
        wavelengths=tuple(band.wavelength for band in found.bands),
        groups=found.groups,
        classes=found.classes,
        normalization=found.normalization,
        parameters=found.parameters,
        fingerprint=found.fingerprint,
        data=found.data,
        licence=found.licence,
        text=str(found),
    )


def _model_bands(weights: str | os.PathLike[str] | None) -> "BandSet":
    """The bands of weights, or of the released ones; without weights no torch is imported, which takes a second."""
    from spectralgpt.bands import BandSet, sensor

    if weights is None:
        return BandSet.native(sensor("spectralgpt-12").bands)
    from spectralgpt.weights import open_weights

    return open_weights(weights).config.bands


def _image(raster: "Raster", verdict: "Verdict", model: "BandSet", picture: Path | None) -> InspectedImage:
    from spectralgpt.bands import align
    from spectralgpt.errors import BandError

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
        bands=tuple(band.name for band in raster.bands),
        wavelengths=tuple(float(band.wavelength) for band in raster.bands),
        stored=raster.dtype.name,
        scale=tuple(map(float, raster.scale)),
        offset=tuple(map(float, raster.offset)),
        nodata=None if raster.nodata is None else float(raster.nodata),
        dates=raster.dates,
        crs=_short(grid.crs),
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
        notes=raster.warnings,
        picture=picture,
    )


def _short(wkt: str | None) -> str | None:
    """EPSG:32618, where the CRS has a code; else its name."""
    if wkt is None:
        return None
    code = re.search(r'(?:AUTHORITY|ID)\["EPSG",\s*"?(\d+)"?\]\]$', wkt.strip())
    if code is not None:
        return f"EPSG:{code[1]}"
    name = re.search(r'\["([^"]*)"', wkt)
    return name[1] if name is not None else wkt


def _same_name(arrow: str) -> bool:
    model, file = arrow.split(" <- ", 1)
    return model == file


def _few(word: str, told: tuple[str, ...]) -> list[str]:
    """A line each; of many, as of many dates, the first."""
    more = [f"{word:<10} and {len(told) - FEW} more like these"] if len(told) > FEW else []
    return [*(f"{word:<10} {each}" for each in told[:FEW]), *more]


def _units(image: InspectedImage) -> str:
    pairs = list(dict.fromkeys(zip(image.scale, image.offset, strict=True)))
    nodata = "" if image.nodata is None else f"; nodata {image.nodata:g}"
    if len(pairs) > 1:
        return f"reflectance = {image.stored} x scale + offset, other numbers for each band{nodata}"
    (scale, offset) = pairs[0]
    return f"reflectance = {image.stored} x {scale:g} {'-' if offset < 0 else '+'} {abs(offset):g}{nodata}"


def _rows(table: tuple["BandRow", ...]) -> list[str]:
    """Band, wavelength, 2 %, 50 %, 98 % in reflectance, valid, flags, in columns."""
    width = max(4, *(len(row.name) for row in table))
    return [
        f"{'band':<{width}}  {'nm':>7}  {'2 %':>8}  {'median':>8}  {'98 %':>8}  {'valid':>6}",
        *(
            f"{row.name:<{width}}  {row.wavelength:7.1f}  {row.q02:8.4f}  {row.median:8.4f}  {row.q98:8.4f}  "
            f"{row.valid:6.1%}  {', '.join(row.flags)}".rstrip()
            for row in table
        ),
    ]


def _draw(raster: "Raster", target: Path) -> None:
    from spectralgpt.raster import overview
    from spectralgpt.report import save_inspection

    date, first = raster.dates[0], Path(raster.paths[0])
    called = first.name if len(raster.paths) == 1 else first.parent.name
    save_inspection(
        target,
        overview(raster),
        [band.name for band in raster.bands],
        [float(band.wavelength) for band in raster.bands],
        f"{called}, {raster.sensor.name}" + (f", {date}" if date else ""),
    )
