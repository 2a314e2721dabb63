"""ENVI: a file of plain values, and a text header beside it with sizes, wavelengths, and scales to reflectance."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spectralgpt.bands import only_count
from spectralgpt.days import DATE_IN_TEXT, UNKNOWN, day_of
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import acquisition_day
from spectralgpt.products.format import Format
from spectralgpt.products.header import read_header
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.handles import open_dataset

DATA_SUFFIXES = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".envi")
"""Endings of the data file; ENVI prescribes none. Files that GDAL recognizes by content (TIFF, HFA) are left to it."""

MOST_HEADER_BYTES = 16_000_000
"""Bytes of a header."""

ENVI_TYPES = {
    **{1: "uint8", 2: "int16", 3: "int32", 4: "float32", 5: "float64", 6: "complex64", 9: "complex128"},
    **{12: "uint16", 13: "uint32", 14: "int64", 15: "uint64"},
}
"""NumPy's names of ENVI's `data type`."""

NANOMETRES = {
    "nanometers": 1.0,
    "nm": 1.0,
    "micrometers": 1e3,
    "microns": 1e3,
    "um": 1e3,
    "µm": 1e3,
    "millimeters": 1e6,
}

SPECTRUM = (100.0, 100_000.0)
"""nm. Wavelengths outside are in another unit than the header states."""


@dataclass(frozen=True, slots=True)
class EnviHeader:
    """An ENVI header: sizes, and values per band, empty where it states none.

    wavelengths, fwhms: nm. scales, offsets: reflectance = stored x scale + offset. radiance: whether it states that the
    values are radiance. good: false for bands that bbl marks bad. warnings: what a user should know.
    """

    bands: int
    height: int
    width: int
    dtype: str
    skipped: int
    compressed: bool
    names: tuple[str, ...]
    wavelengths: tuple[float, ...]
    fwhms: tuple[float, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    radiance: bool
    good: tuple[bool, ...]
    nodata: float | None
    day: int
    facts: tuple[str, ...]
    warnings: tuple[str, ...]


def read(path: str, expected: int | None) -> Product | None:
    """The Product of an ENVI image, at the path of its data file or its header.

    RasterError when the header is incomplete or contradicts itself, or the data file is missing or too short.
    """
    pair = _pair(path)
    if pair is None:
        return None
    data, header_path = pair
    header = read_header_text(_text(header_path), header_path)
    if data is None:
        stem = os.path.splitext(header_path)[0]
        raise RasterError(
            f"{header_path}: found no data file beside it",
            f"{stem} or {stem}.img, .dat, .bsq, .bil, .bip",
            "Put both into one folder",
        )
    warnings = _check_size(header, data)
    with open_dataset(data) as dataset:
        if dataset.driver != "ENVI":
            return None  # an ENVI header beside a file of another format
    if header.radiance and header.dtype.startswith("float"):
        # otherwise small floats would be taken for reflectance
        raise RasterError(f"{data}: found radiance, as {header_path} declares", "reflectance", "Convert it first")
    file = read_header(data, header.bands)
    if len(file.bands) != header.bands or file.bands[0].grid.shape != (header.height, header.width):
        raise RasterError(
            f"{data}: found {len(file.bands)} bands of {file.bands[0].grid.shape}",
            f"{header.bands} of {(header.height, header.width)}, as {header_path} declares",
            "Keep only one header beside it",
        )
    bands = tuple(
        _completed(header, band, number) for number, band in enumerate(file.bands) if _is_good(header, number)
    )
    day = header.day if header.day != UNKNOWN else acquisition_day(data, [file.tags], [Path(data).name])
    return Product(
        bands,
        day=day,
        tags=file.tags,
        facts=header.facts,
        warnings=(*(f"{data}: {warning}" for warning in (*header.warnings, *warnings)), *file.warnings),
    )


def _pair(path: str) -> tuple[str | None, str] | None:
    """Data file and header; None without an ENVI header."""
    stem, suffix = os.path.splitext(path)
    if suffix.lower() == ".hdr":
        if not _is_header(path):
            return None
        candidates = (f"{stem}{suffix}" for suffix in DATA_SUFFIXES)
        return next((data for data in candidates if os.path.isfile(data)), None), path
    if suffix.lower() not in DATA_SUFFIXES or not os.path.isfile(path):
        return None
    # in GDAL's order
    headers = (f"{stem}.hdr", f"{stem}.HDR", f"{path}.hdr", f"{path}.HDR")
    return next(((path, header) for header in headers if _is_header(header)), None)


def _is_header(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(16).lstrip(b"\xef\xbb\xbf").split(b"\n")[0].strip() == b"ENVI"


def _text(path: str) -> str:
    if os.path.getsize(path) > MOST_HEADER_BYTES:
        raise RasterError(f"{path}: found {os.path.getsize(path)} bytes", "the text header of an ENVI image")
    raw = Path(path).read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def fields_of(text: str, source: str) -> dict[str, str]:
    """The header's `key = value` lines, keys in lower case; lists, which may span lines, without their braces.

    RasterError for a list without an end, and for a key with two different values.
    """
    lines = iter(text.splitlines()[1:])
    fields: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or line.startswith(";"):
            continue
        key, value = " ".join(key.split()).lower(), value.strip()
        if value.startswith("{"):
            parts = [value]
            while "}" not in parts[-1]:
                following = next(lines, None)
                if following is None:
                    raise RasterError(f"{source}: found no end of the list of {key!r}", "a }", "Correct the header")
                parts.append(following if not following.startswith(";") else "")
            value = "\n".join(parts)[1:].partition("}")[0].strip()
        if fields.setdefault(key, value) != value:
            raise RasterError(
                f"{source}: found {key!r} twice, with different values", "one value", "Correct the header"
            )
    return fields


def read_header_text(text: str, source: str) -> EnviHeader:
    """The header in a text. RasterError when a size is missing, or its lists contradict one another."""
    fields = fields_of(text, source)
    _refuse_other_kinds(fields, source)
    width, height, bands = (_size_of(fields, key, source) for key in ("samples", "lines", "bands"))
    dtype = ENVI_TYPES.get(_size_of(fields, "data type", source))
    if dtype is None:
        raise RasterError(
            f"{source}: found data type {fields['data type']}", f"one of: {', '.join(map(str, ENVI_TYPES))}"
        )
    names = tuple(part.strip() for part in fields["band names"].split(",")) if fields.get("band names") else ()
    wavelengths, fwhms, bbl = (_numbers(fields, key, source) for key in ("wavelength", "fwhm", "bbl"))
    for key, values in (("band names", names), ("wavelength", wavelengths), ("fwhm", fwhms), ("bbl", bbl)):
        _check_count(key, values, bands, source)
    if bbl and not any(bbl):
        raise RasterError(f"{source}: found every band marked bad (bbl)", "some good ones")
    unit, warnings = _unit(fields, wavelengths, source)
    scales, offsets, facts, radiance = _reflectance(fields, bands, source)
    nodata = _numbers(fields, "data ignore value", source)
    if nodata and np.dtype(dtype).kind in "iu" and not np.iinfo(dtype).min <= nodata[0] <= np.iinfo(dtype).max:
        warnings = (*warnings, f"data ignore value {nodata[0]:g} cannot occur in {dtype}; no pixel is nodata")
        nodata = ()
    bad = [_named(number, names, wavelengths, unit) for number, flag in enumerate(bbl) if not flag]
    if bad:
        warnings = (*warnings, f"left out {len(bad)} bands that the header marks bad (bbl): {_few(bad)}")
    return EnviHeader(
        bands=bands,
        height=height,
        width=width,
        dtype=dtype,
        skipped=_whole(fields, "header offset", source),
        compressed=_whole(fields, "file compression", source) != 0,
        # without the bad bands, what is left of a count would look like names
        names=() if only_count(names) and (wavelengths or bbl) else names,
        wavelengths=tuple(unit * wavelength for wavelength in wavelengths) if unit else (),
        fwhms=tuple(unit * fwhm for fwhm in fwhms) if unit else (),
        scales=scales,
        offsets=offsets,
        radiance=bool(radiance),
        good=tuple(flag != 0 for flag in bbl),
        nodata=nodata[0] if nodata else None,
        day=_day(fields, source),
        facts=(*facts, "wavelengths from the header") if unit else facts,
        warnings=(*warnings, *radiance),
    )


def _refuse_other_kinds(fields: dict[str, str], source: str) -> None:
    """RasterError for a classification, a spectral library, or an image with frame offsets."""
    kind = fields.get("file type", "ENVI Standard").lower()
    if "classification" in kind or "library" in kind:
        raise RasterError(f"{source}: found an {fields['file type']}", "an image of measured bands")
    if any(_whole(fields, f"{which} frame offsets", source) for which in ("major", "minor")):
        raise RasterError(f"{source}: found frame offsets", "plain values", "Save the image again, without them")


def _whole(fields: dict[str, str], key: str, source: str) -> int:
    """An integer, 0 where it is not stated; the largest of several."""
    text = fields.get(key, "0").strip()
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d{1,18}", part) for part in parts):
        raise RasterError(f"{source}: found {text[:40]!r} for {key!r}", "a whole number")
    return max(map(int, parts))


def _size_of(fields: dict[str, str], key: str, source: str) -> int:
    if key not in fields:
        raise RasterError(f"{source}: found no {key!r}", "samples, lines, bands and data type")
    size = _whole(fields, key, source)
    if size < 1:
        raise RasterError(f"{source}: found {key!r} {fields[key]}", "at least 1")
    return size


def _numbers(fields: dict[str, str], key: str, source: str) -> tuple[float, ...]:
    """The numbers of a list, empty where it is not stated."""
    text = fields.get(key, "").strip()
    try:
        return tuple(float(part) for part in text.rstrip(", \n").split(",")) if text else ()
    except ValueError:
        raise RasterError(f"{source}: found {text[:60]!r} for {key!r}", "numbers separated by commas") from None


def _check_count(key: str, values: Sequence[object], bands: int, source: str) -> None:
    if values and len(values) != bands:
        raise RasterError(f"{source}: found {len(values)} values of {key!r}", f"one for each of {bands} bands")


def _unit(fields: dict[str, str], wavelengths: tuple[float, ...], source: str) -> tuple[float | None, tuple[str, ...]]:
    """Nanometres in the unit of the wavelengths, from the header, else from their size; None and why if unknown."""
    if not wavelengths:
        return None, ()
    stated = fields.get("wavelength units", "").strip()
    low, high = min(wavelengths), max(wavelengths)
    if not stated:
        # between 15 and 200 a number could be nanometres or micrometres
        unit = 1.0 if low >= 200 and high <= 15_000 else 1e3 if low >= 0.2 and high <= 15 else None
        return unit, () if unit else (f"wavelengths of {low:g} to {high:g} without a unit are ignored",)
    unit = NANOMETRES.get(stated.lower())
    if unit is None:
        return None, (f"wavelengths in {stated!r} are ignored; only nanometers and micrometers are read",)
    if not (SPECTRUM[0] <= low * unit and high * unit <= SPECTRUM[1]):
        raise RasterError(
            f"{source}: found wavelengths of {low:g} to {high:g} in {stated}",
            "wavelengths of light",
            "Correct the wavelengths or their unit",
        )
    return unit, ()


def _reflectance(
    fields: dict[str, str], bands: int, source: str
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...], tuple[str, ...]]:
    """Scales and offsets, where they come from, and warnings. Gains are radiance's unless the key says reflectance."""
    factor = _numbers(fields, "reflectance scale factor", source)
    gains, offsets = (_numbers(fields, f"data reflectance {what} values", source) for what in ("gain", "offset"))
    _check_count("data reflectance gain values", gains, bands, source)
    _check_count("data reflectance offset values", offsets, bands, source)
    if factor and (len(factor) != 1 or not (math.isfinite(factor[0]) and factor[0] > 0)):
        raise RasterError(
            f"{source}: found a reflectance scale factor of {fields['reflectance scale factor']}",
            "a number above 0, by which values are divided",
        )
    if not all(map(math.isfinite, (*gains, *offsets))) or not all(gains):
        raise RasterError(f"{source}: found reflectance gains that are 0 or not finite", "finite gains other than 0")
    if factor and gains and any(not math.isclose(gain * factor[0], 1, rel_tol=1e-6) for gain in gains):
        raise RasterError(
            f"{source}: found a reflectance scale factor of {factor[0]:g} and reflectance gains that differ",
            "the same scale in both",
        )
    if factor or gains:
        key = "reflectance scale factor" if factor else "data reflectance gain values"
        scales = gains or (1 / factor[0],) * bands
        return scales, offsets or (0.0,) * bands, (f"scale {scales[0]:g} from {key}",), ()
    radiance = [key for key in ("data gain values", "data offset values") if fields.get(key)]
    titles = (fields.get(key, "") for key in ("data units", "z plot titles"))
    radiance += [title for title in titles if "radiance" in title.lower()]
    warning = (
        f"contains radiance, as its header declares ({radiance[0]}), and no scale to reflectance" if radiance else ""
    )
    return (), (), (), (warning,) if warning else ()


def _day(fields: dict[str, str], source: str) -> int:
    text = fields.get("acquisition time", "")
    return day_of(text, f"{source}: acquisition time") if DATE_IN_TEXT.match(text) else UNKNOWN


def _named(number: int, names: Sequence[str], wavelengths: Sequence[float], unit: float | None) -> str:
    if names:
        return names[number]
    return f"{wavelengths[number] * unit:.10g} nm" if unit else str(number + 1)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _is_good(header: EnviHeader, number: int) -> bool:
    return not header.good or header.good[number]


def _check_size(header: EnviHeader, data: str) -> tuple[str, ...]:
    """A warning for a data file that is longer than the header states. RasterError for a shorter one: GDAL would read
    zeros."""
    stored = os.path.getsize(data)
    needed = header.skipped + header.bands * header.height * header.width * np.dtype(header.dtype).itemsize
    if header.compressed or stored == needed:
        return ()
    if stored < needed:
        raise RasterError(
            f"{data}: found {stored} bytes",
            f"{needed}, as its header declares ({header.bands} bands of {header.height} x {header.width} "
            f"{header.dtype})",
            "It is cut off, or the header belongs to another file",
        )
    return (f"{stored - needed} bytes more than the header declares; does the header belong to this file?",)


def _completed(header: EnviHeader, band: StoredBand, number: int) -> StoredBand:
    """The band as GDAL opens it, completed from the header; GDAL takes scales from its own side file."""
    wavelength = header.wavelengths[number] if header.wavelengths else None
    fwhm = header.fwhms[number] if header.fwhms else None
    unique = len(set(header.names)) == header.bands
    name = header.names[number] if header.names and (unique or wavelength is None) else None
    return replace(
        band,
        name=name or (f"{wavelength:.10g} nm" if wavelength is not None else None),
        scale=header.scales[number] if header.scales else None if header.radiance else band.scale,
        offset=header.offsets[number] if header.scales else None if header.radiance else band.offset,
        nodata=header.nodata,
        wavelength=wavelength,
        fwhm=fwhm if fwhm and fwhm > 0 else None,
    )


def _has_header(path: str) -> bool:
    pair = _pair(path)
    return pair is not None and pair[0] == path


FORMAT = Format(
    title="ENVI images: a data file and its text header (.hdr)",
    priority=60,
    read=read,
    suffixes=(".dat", ".bsq", ".bil", ".bip"),
    named=(".hdr",),
    claims=_has_header,
)
