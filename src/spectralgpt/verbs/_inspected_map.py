"""What a map of embeddings, distances, classes or valid shares is: the part of `inspect` that is about our own maps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectralgpt.verbs._inspected import STATEMENTS_SHOWN, Inspected, date_line, line_per_text
from spectralgpt.verbs._options import PathLike
from spectralgpt.version import RULES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectralgpt.products.own_map import OwnMap

MOST_SAMPLED = 512
"""Rows and columns that are read to count pixels; a larger map is read at a coarser resolution."""

PURPOSES = {
    "embeddings": (
        "similarity search, clustering and classifiers of places; it is not an image, so no verb takes it for one"
    ),
    "distances": "seeing where a place changed, and choosing another threshold; it is not an image",
    "classes": "maps and statistics of classes; it is not an image, so no verb takes it for one",
    "labels": "maps and statistics of labels, a band each: 1 where it applies, 0 where not; it is not an image",
    "class probabilities": "how likely each class is, a band each, in percent; it is not an image",
    "entropies": "how uncertain each pixel is, in percent of the largest entropy; it is not an image",
    "valid shares": (
        "leaving out places of few valid pixels: their vectors rest on these alone; `embed` also does so, if a "
        "least share is given"
    ),
}


OF_PLACES = ("embeddings", "valid shares")
"""Kinds of maps with a pixel per place."""


@dataclass(frozen=True, slots=True)
class InspectedMap(Inspected):
    """What a map of embeddings, of distances, of classes, of what lies beside one, or of valid shares is.

    kind: as in `products.own_map`. weights: the fingerprint of the weights that made it. rules: the number of the
    rules by which. verb: that made it. per: what each vector is of: all, or each group or date. places: rows and
    columns. values: per
    place. stored: type of the values. bands: of the image that it was made from; sensor, dates: of that image;
    open_level: the sensor of another level that its bands could be of, empty if none. classes: by value, each with its
    share of the valid pixels. shares: of a map of valid shares, the fraction of its places that are valid in all
    pixels, in some, and in none. transform, gsd: of the places. valid: share of the places with a value. made_with:
    versions. input: what was read from where, and suspected, of the image. purpose: what it is for.
    """

    source: Path
    kind: str
    weights: str
    rules: int
    verb: str
    per: str
    places: tuple[int, int]
    values: int
    stored: str
    nodata: float | None
    sensor: str
    open_level: str
    bands: tuple[str, ...]
    dates: tuple[str, ...]
    classes: dict[str, float]
    shares: dict[str, float]
    crs: str | None
    transform: tuple[float, ...]
    gsd: float
    valid: float
    made_with: str
    input: tuple[str, ...]
    purpose: str
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        rows, columns = self.places
        level = f" ({self.open_level} is possible, as the level was open)" if self.open_level else ""
        nodata = "" if self.nodata is None else f", nodata {self.nodata:g}"
        return [
            str(self.source),
            f"map        {self._what()}",
            f"weights    {self.weights}",
            f"rules      {self.rules}",
            f"made by    {self.verb or 'unknown'}; {self.made_with}",
            f"from       {self.sensor}: {', '.join(self.bands)}{level}",
            date_line(self.dates),
            f"grid       {rows} x {columns} {'places' if self.kind in OF_PLACES else 'pixels'}, "
            f"{self.crs or 'no CRS'}, transform ({', '.join(f'{number:.10g}' for number in self.transform)})",
            f"GSD        {f'{self.gsd:.2f} m on the ground' if self.gsd == self.gsd else 'unknown'}",
            f"stored     {self.stored}{nodata}",
            *(f"share      {share:.1%} of the places: {which}" for which, share in self.shares.items()),
            *([] if self.shares else [f"valid      {self.valid:.1%}"]),
            *(f"class      {name}: {share:.1%}" for name, share in self.classes.items()),
            *line_per_text("input", self.input, STATEMENTS_SHOWN),
            f"for        {self.purpose}",
            *(f"note       {note}" for note in self.notes),
        ]

    def _what(self) -> str:
        if self.kind == "classes":
            return f"{len(self.classes)} classes"
        if self.kind == "distances":
            return "distance between the embeddings of two dates, one per place"
        if self.kind in PURPOSES and self.kind not in OF_PLACES:
            return self.kind
        if self.kind == "valid shares":
            of = _map_of_shares(self.source)
            return f"valid share of each place {of}, in percent: 100 where all pixels of all bands and dates are valid"
        per = "" if self.per in ("", "all") else f" ({self.values} values: one vector per {self.per}, stacked)"
        return f"embeddings, {self.values} values per place{per}"


def inspect_map(found: "OwnMap", picture: PathLike | None) -> InspectedMap:
    """What the map is. RasterError where it cannot be read; OptionError for a picture, as it is no image."""
    from spectralgpt.errors import OptionError, argument

    if picture is not None:
        raise OptionError(
            f"{argument('picture', str(picture))}: {found.header.path} is {found.title}",
            "an image or shards",
            "The picture of a map of embeddings lies beside it",
        )
    header, result = found.header, found.result
    grid, first = header.bands[0].grid, header.bands[0]
    values, valid = _sampled(header.path)
    shares = _shares(values) if found.kind == "valid shares" else {}
    old = () if result.rules == RULES or shares else (_other_rules(result.rules),)
    return InspectedMap(
        source=Path(header.path),
        kind=found.kind,
        weights=result.weights,
        rules=result.rules,
        verb=result.verb,
        per=str(result.parameters.get("per", "")),
        places=grid.shape,
        values=len(header.bands),
        stored=first.dtype,
        nodata=None if first.nodata is None else float(first.nodata),
        sensor=result.sensor,
        open_level=result.open_level,
        bands=tuple(map(str, result.parameters.get("bands") or ())),
        dates=result.dates,
        classes=_class_shares(found.classes, values[valid]) if found.kind == "classes" else {},
        shares=shares,
        crs=grid.crs_name,
        transform=tuple(map(float, tuple(grid.transform)[:6])),
        gsd=float(grid.gsd),
        valid=float(valid.mean()),
        made_with=result.version,
        input=result.input,
        purpose=PURPOSES[found.kind],
        notes=old,
    )


def _other_rules(rules: int) -> str:
    return f"made by rules {rules}; this version makes vectors by rules {RULES}, which do not compare with them"


def _class_shares(names: Sequence[str], values: "NDArray[Any]") -> dict[str, float]:
    """The fractions of the valid values by class."""
    return {name: float((values == value).sum() / max(1, values.size)) for value, name in enumerate(names)}


def _map_of_shares(path: Path) -> str:
    """Whose shares a raster has: of the map beside it, whose name it continues."""
    beside = path.with_name(path.name.replace(".valid.", "."))
    return f"of {beside.name}" if beside != path and beside.exists() else "of a map of embeddings"


def _shares(percent: "NDArray[Any]") -> dict[str, float]:
    """The fractions of places by their valid share."""
    complete, empty = float((percent >= 100).mean()), float((percent == 0).mean())
    return {"all pixels valid": complete, "some pixels valid": 1 - complete - empty, "no pixel valid": empty}


def _sampled(path: str) -> "tuple[NDArray[Any], NDArray[np.bool_]]":
    """The first band at MOST_SAMPLED or fewer rows and columns, and where it is valid."""
    import numpy as np

    from spectralgpt.errors import RasterError
    from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset

    with open_dataset(path) as dataset:
        shape = min(dataset.height, MOST_SAMPLED), min(dataset.width, MOST_SAMPLED)
        try:
            values, nodata = dataset.read(1, out_shape=shape), dataset.nodatavals[0]
        except GDAL_ERRORS as error:
            raise RasterError(f"{path}: cannot be read ({error})", do="It may be damaged: make it again") from error
    if values.dtype.kind == "f" and (nodata is None or math.isnan(nodata)):
        return values, ~np.isnan(values)
    return values, np.ones(shape, bool) if nodata is None else values != nodata
