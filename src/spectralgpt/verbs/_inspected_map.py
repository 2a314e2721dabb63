"""What a map of embeddings or classes is: the part of `inspect` that is about our own maps."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.verbs._inspected import Inspected
from spectralgpt.verbs._options import PathLike
from spectralgpt.version import RULES

if TYPE_CHECKING:
    from spectralgpt.products.own_map import OwnMap

MOST_SAMPLED = 512
"""Rows and columns that are read to count pixels; a larger map is read at a coarser resolution."""

PURPOSES = {
    "embeddings": (
        "similarity search, clustering and classifiers of places; it is not an image, so no verb takes it for one"
    ),
    "classes": "maps and statistics of classes; it is not an image, so no verb takes it for one",
}


@dataclass(frozen=True, slots=True)
class InspectedMap(Inspected):
    """What a map of embeddings or of classes is.

    weights: the fingerprint of the weights that made it. rules: the number of the rules by which. verb: that made it.
    per: what each vector is of: all, or each group or date. places: rows and columns. values: per place. stored: type
    of the values. bands: of the image that it was made from; sensor, dates: of that image. classes: by value, each
    with its share of the valid pixels. transform, gsd: of the places. valid: share of the places with a value.
    made_with: versions. input: the verdict on the image. purpose: what it is for.
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
    bands: tuple[str, ...]
    dates: tuple[str, ...]
    classes: dict[str, float]
    crs: str | None
    transform: tuple[float, ...]
    gsd: float
    valid: float
    made_with: str
    input: str
    purpose: str
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        rows, columns = self.places
        per = "" if self.per in ("", "all") else f" ({self.values} values: one vector per {self.per}, stacked)"
        embeds = self.kind == "embeddings"
        what = f"embeddings, {self.values} values per place{per}" if embeds else f"{len(self.classes)} classes"
        nodata = "" if self.nodata is None else f", nodata {self.nodata:g}"
        return [
            str(self.source),
            f"map        {what}",
            f"weights    {self.weights}",
            f"rules      {self.rules}",
            f"made by    {self.verb or 'unknown'}; {self.made_with}",
            f"from       {self.sensor}: {', '.join(self.bands)}; dates {', '.join(self.dates) or 'unknown'}",
            f"grid       {rows} x {columns} {'places' if embeds else 'pixels'}, {self.crs or 'no CRS'}, transform "
            f"({', '.join(f'{number:.10g}' for number in self.transform)})",
            f"GSD        {f'{self.gsd:.2f} m on the ground' if self.gsd == self.gsd else 'unknown'}",
            f"stored     {self.stored}{nodata}",
            f"valid      {self.valid:.1%}",
            *(f"class      {name}: {share:.1%}" for name, share in self.classes.items()),
            *([f"input      {self.input}"] if self.input else []),
            f"for        {self.purpose}",
            *(f"note       {note}" for note in self.notes),
        ]


def inspect_map(found: "OwnMap", picture: PathLike | None) -> InspectedMap:
    """What the map is. RasterError where it cannot be read; OptionError for a picture, as it is no image."""
    from spectralgpt.errors import OptionError, argument
    from spectralgpt.raster.tags import DATE_TAG, DATES_TAG, INPUT_TAG, SENSOR_TAG, VERSION_TAG

    if picture is not None:
        raise OptionError(
            f"{argument('picture', str(picture))}: {found.header.path} is {found.title}",
            "an image or shards",
            "The picture of a map of embeddings lies beside it",
        )
    header, tags, parameters = found.header, found.tags, found.parameters
    grid, first = header.bands[0].grid, header.bands[0]
    valid, counts = _counted(header.path, len(found.classes))
    dates = tags.get(DATES_TAG) or tags.get(DATE_TAG, "")
    old = () if found.rules == RULES else (_other_rules(found.rules),)
    return InspectedMap(
        source=Path(header.path),
        kind=found.kind,
        weights=found.weights,
        rules=found.rules,
        verb=str(parameters.get("verb", "")),
        per=str(parameters.get("per", "")),
        places=grid.shape,
        values=len(header.bands),
        stored=first.dtype,
        nodata=None if first.nodata is None else float(first.nodata),
        sensor=tags.get(SENSOR_TAG, "unknown"),
        bands=tuple(map(str, parameters.get("bands") or ())),
        dates=tuple(filter(None, dates.split(","))),
        classes=dict(zip(found.classes, counts, strict=True)),
        crs=grid.crs_name,
        transform=tuple(map(float, tuple(grid.transform)[:6])),
        gsd=float(grid.gsd),
        valid=valid,
        made_with=tags.get(VERSION_TAG, "an unknown version"),
        input=tags.get(INPUT_TAG, ""),
        purpose=PURPOSES[found.kind],
        notes=old,
    )


def _other_rules(rules: int) -> str:
    return f"made by rules {rules}; this version makes vectors by rules {RULES}, which do not compare with them"


def _counted(path: str, classes: int) -> tuple[float, list[float]]:
    """The share of valid pixels, and of each class among them."""
    import numpy as np

    from spectralgpt.errors import RasterError
    from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset

    with open_dataset(path) as dataset:
        shape = min(dataset.height, MOST_SAMPLED), min(dataset.width, MOST_SAMPLED)
        try:
            values, nodata = dataset.read(1, out_shape=shape), dataset.nodatavals[0]
        except GDAL_ERRORS as error:
            raise RasterError(f"{path}: cannot be read ({error})", do="It may be damaged: make it again") from error
    valid = np.ones(shape, bool) if nodata is None else values != nodata
    if values.dtype.kind == "f" and (nodata is None or math.isnan(nodata)):
        valid = ~np.isnan(values)
    known = values[valid]
    shares = [float((known == value).mean()) if known.size else 0.0 for value in range(classes)]
    return float(valid.mean()), shares
