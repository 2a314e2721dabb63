"""The TOML file of a sensor. Its keys are the fields of `SensorTable`, those of its bands the fields of `BandTable`.

A file has one of three keys for its bands: `bands`, in file order; `wavelengths`, a list in nm, perhaps with `fwhm`,
for bands named by them, like `409.82 nm`; or `bands_of`, another sensor, with `order` for some of its bands or another
order, and `aliases` for further names. Borrowed bands become bands of this sensor; only with `names_files = false` they
stay those of the other one, and this is a file order of them.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.sensor import Sensor, spelled
from spectralgpt.bands.wavelengths import LONGEST, SHORTEST, bands_at
from spectralgpt.days import day_of
from spectralgpt.errors import BandError, OptionError, RasterError
from spectralgpt.plain import from_plain

ROUNDING = 0.011
"""nm that the centre and the width may differ from the edges by."""

Aliases = list[tuple[str, str]]
"""Aliases as they are written, each with the name of its band."""


@dataclass(frozen=True, slots=True)
class BandTable:
    """wavelength: centre, nm. fwhm: nm. gsd: m. aliases: other names that files give the band. edges: wavelengths (nm)
    of half the response, as the source has them; the centre and the width must agree with them.

    OptionError, beginning with the key, for a value that cannot be right.
    """

    name: str
    wavelength: float | int
    fwhm: float | int
    gsd: float | int
    aliases: tuple[str, ...] = ()
    edges: tuple[float | int, float | int] | None = None

    def __post_init__(self) -> None:
        if not canonical(self.name):
            raise OptionError(f"name: found {self.name!r}", "a name that is not empty")
        for key, unit in (("wavelength", "nm"), ("fwhm", "nm"), ("gsd", "m")):
            value = getattr(self, key)
            if not 0 < value < math.inf:
                raise OptionError(f"{key}: found {value:g}", f"{unit}, above 0")
        if not SHORTEST <= self.wavelength <= LONGEST:
            raise OptionError(
                f"wavelength: found {self.wavelength:g}",
                f"nanometres, {SHORTEST} to {LONGEST}",
                "A micrometre is 1000 nm",
            )

    def check_edges(self, measured: bool) -> None:
        """OptionError if the centre or the width does not agree with the edges. measured: on a response, which is not
        symmetric."""
        if self.edges is None:
            return
        middle, width = sum(self.edges) / 2, self.edges[1] - self.edges[0]
        if abs(self.wavelength - middle) > (0.08 * width if measured else ROUNDING):
            raise OptionError(f"wavelength: found {self.wavelength:g}", f"{middle:g}, the middle of the edges")
        if abs(self.fwhm - width) > (max(1, 0.005 * width) if measured else ROUNDING):
            raise OptionError(f"fwhm: found {self.fwhm:g}", f"{width:g}, the distance between the edges")


@dataclass(frozen=True, slots=True)
class SensorTable:
    """title: default: the name. level: of processing. source: where the figures come from; default: the file.

    scale, offset: reflectance = stored x scale + offset; without them the stored numbers are no reflectance unless
    metadata say so. nodata: the value of pixels that were not measured. names_files: false: names of bands in a file
    never point to this sensor. zero_padded: true: its products write B02. product: regular expression, searched in
    names of files and folders. words: regular expression of words for its satellites in names of files, as whole words;
    only a hint. examples: names of real products. launched: the date on which the first satellite was
    launched, like "2015-06-23"; no image is older. measured: true: centres and widths were measured on
    the responses, so that they agree with the edges only roughly.

    OptionError, beginning with the key, for values that do not fit each other.
    """

    title: str | None = None
    level: str = "user"
    source: str | None = None
    scale: float | int | None = None
    offset: float | int | None = None
    nodata: float | int | None = None
    names_files: bool = True
    zero_padded: bool = False
    product: str | None = None
    words: str | None = None
    examples: tuple[str, ...] = ()
    launched: str | None = None
    measured: bool = False
    bands: tuple[BandTable, ...] | None = None
    wavelengths: tuple[float | int, ...] | None = None
    fwhm: tuple[float | int, ...] | None = None
    bands_of: str | None = None
    order: tuple[str, ...] | None = None
    aliases: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        self._check_ways()
        self._check_numbers()
        self._check_product()
        for number, row in enumerate(self.bands or ()):
            try:
                row.check_edges(self.measured)
            except OptionError as error:
                raise OptionError(f"bands.{number}.{error.found}", error.expected, error.do) from None

    def _check_ways(self) -> None:
        ways = [key for key in ("bands", "wavelengths", "bands_of") if getattr(self, key) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) if ways else "neither bands nor wavelengths nor bands_of"
            raise OptionError(f"found {found}", "exactly one of them")
        for key, other in (("order", "bands_of"), ("aliases", "bands_of"), ("fwhm", "wavelengths")):
            if getattr(self, key) is not None and ways[0] != other:
                raise OptionError(f"{key}: cannot be combined with {ways[0]}", do=f"Use it only with {other}")
        for key in ("bands", "order"):
            if getattr(self, key) == ():
                raise OptionError(f"{key}: found no band", "at least one")

    def _check_numbers(self) -> None:
        if self.offset is not None and self.scale is None:
            raise OptionError("offset: given without a scale", do="Give both, or neither")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise OptionError(f"scale: found {self.scale:g}", "a number above 0")
        for key in ("offset", "nodata"):
            value = getattr(self, key)
            # files of floats mark what was not measured by nan
            if value is not None and not math.isfinite(value) and not (key == "nodata" and math.isnan(value)):
                raise OptionError(f"{key}: found {value:g}", "a finite number")

        if self.launched is not None:
            try:
                day_of(self.launched, "launched")
            except RasterError as error:
                raise OptionError(error.found, error.expected) from None

    def _check_product(self) -> None:
        for key in ("words", "product"):
            try:
                pattern = re.compile(getattr(self, key) or "(?!)", re.IGNORECASE)
            except re.error as error:
                raise OptionError(f"{key}: found {getattr(self, key)!r} ({error})", "a regular expression") from None
        for example in self.examples:
            if not pattern.search(example):
                raise OptionError(f"examples: found {example!r}", "names that `product` matches")


def described(name: str, table: dict[str, Any], where: str, known: Callable[[str], Sensor]) -> Sensor:
    """The sensor that a TOML file describes. where: the file, for messages. known: the sensor of a name, for
    `bands_of`.

    BandError, beginning with the file, the number and name of the band and the key, for what is wrong.
    """
    try:
        return _sensor(name, from_plain(SensorTable, table), where, known)
    except (BandError, OptionError) as error:
        found = re.sub(r"^bands\.(\d+)(\.?)", lambda match: _band(table, match), error.found)
        raise BandError(f"{where}: {found}", error.expected, error.do, *error.advice) from None


def _band(table: dict[str, Any], match: re.Match[str]) -> str:
    """`band 1 (B1), ` for `bands.0.`: people count from 1."""
    row = table["bands"][int(match[1])]
    name = f" ({row['name']})" if isinstance(row, dict) and isinstance(row.get("name"), str) else ""
    return f"band {int(match[1]) + 1}{name}{', ' if match[2] else ''}"


def _sensor(name: str, table: SensorTable, where: str, known: Callable[[str], Sensor]) -> Sensor:
    aliases: Aliases = []
    if table.bands is not None:
        bands, aliases = _own_bands(name, table.bands)
    elif table.wavelengths is not None:
        bands = bands_at(name, table.wavelengths, table.fwhm)
    else:
        bands, aliases = _borrowed_bands(name, table, known)
    return Sensor(
        name=name,
        title=name if table.title is None else table.title,
        level=table.level,
        bands=bands,
        scale=None if table.scale is None else float(table.scale),
        offset=None if table.scale is None else float(table.offset or 0),
        nodata=None if table.nodata is None else float(table.nodata),
        source=where if table.source is None else table.source,
        names_files=table.names_files,
        zero_padded=table.zero_padded,
        product=table.product,
        aliases=_unambiguous(bands, aliases),
        examples=table.examples,
        launched=None if table.launched is None else day_of(table.launched, "launched"),
        words=table.words,
    )


def _own_bands(sensor: str, rows: Sequence[BandTable]) -> tuple[tuple[Band, ...], Aliases]:
    bands = tuple(Band(sensor, canonical(row.name), row.wavelength, row.fwhm, row.gsd) for row in rows)
    return bands, [(alias, band.name) for band, row in zip(bands, rows, strict=True) for alias in row.aliases]


def _borrowed_bands(name: str, table: SensorTable, known: Callable[[str], Sensor]) -> tuple[tuple[Band, ...], Aliases]:
    assert table.bands_of is not None, "the only way that is left"
    other = known(table.bands_of)
    order = [other.band(each) for each in (other.names if table.order is None else table.order)]
    written = [(alias, other.band(band).name) for band, own in (table.aliases or {}).items() for alias in own]
    if table.names_files:
        order = [replace(band, sensor=name) for band in order]
    names = {band.name for band in order}
    return tuple(order), [(alias, band) for alias, band in (*other.aliases, *written) if band in names]


def _unambiguous(bands: Sequence[Band], aliases: Aliases) -> tuple[tuple[str, str], ...]:
    """The aliases as they are compared. BandError if a name means two bands, or a band stands there twice."""
    meant: dict[str, str] = {}
    for band in bands:
        if spelled(band.name) in meant:
            raise BandError(f"found the band {band.name} twice", "each band once")
        meant[spelled(band.name)] = band.name
    for alias, name in aliases:
        if meant.setdefault(spelled(alias), name) != name:
            raise BandError(f"found {alias!r} for {meant[spelled(alias)]} and {name}", "each name for one band")
    return tuple((alias, name) for alias, name in meant.items() if alias != spelled(name))
