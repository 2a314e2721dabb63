"""What a STAC item states: its assets' bands, scale, offset, sensor and date. No file is opened.

Versions 0.7 to 1.1: bands in `eo:bands` (objects, or indices into the properties') or `bands`, values in `raster:bands`
or `raster:scale`, `raster:offset`. Contradictions that would make pixels wrong are refused.
"""

import json
import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from affine import Affine

from spectralgpt.bands import canonical
from spectralgpt.days import UNKNOWN, day_of
from spectralgpt.errors import RasterError
from spectralgpt.products.format import cloud_codes, image_suffixes
from spectralgpt.products.formats.stac.asset_band import AssetBand
from spectralgpt.products.formats.stac.offset import BASELINES, shift_of
from spectralgpt.products.formats.stac.satellite import sensor_of
from spectralgpt.products.header import band_in

LEFT_OUT = {
    *("thumbnail", "overview", "visual", "metadata", "tiles"),
    *("data-mask", "water-mask", "cloud", "cloud-shadow", "snow-ice", "saturation"),
}
"""Roles of assets that measure nothing."""

PICTURE = re.compile(r"(visual|thumbnail|overview|preview|rendered_preview|tci)(?![a-z])|.*-jp2$", re.IGNORECASE)
"""Keys of pictures, to which catalogues give the role `data`, and of second copies of bands in earth-search."""

NUMBERED_BAND = re.compile(
    r"(?:(?:SR|ST|OLI|TIRS|ETM|TM|MSS)_)?(B0*[1-9]\d*A?(?:_VCID_[12])?)(?:[_-]\d+m)?(?:\.tiff?)?", re.IGNORECASE
)
"""A numbered band as catalogues write it: B02, B02_10m, SR_B2, OLI_B2, SR_B2.TIF."""

POSITION = re.compile(r"b[1-9]\d*")
"""A name that only counts; rio-stac writes b1, b2, ... for any file."""

RADIANCE = re.compile(r"radiance|\bw(atts?)?\b.*sr", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of an item: its bands (empty where only the file names them) and its grid according to the item."""

    key: str
    href: str
    bands: tuple[AssetBand, ...]
    crs: str | None = None
    transform: tuple[float, ...] | None = None
    shape: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """The content of a STAC item. by_rule: whether scale and offset follow from the baseline, not from the assets."""

    assets: tuple[Asset, ...]
    clouds: tuple[Asset, ...]
    sensor: str | None
    day: int
    by_rule: bool
    facts: tuple[str, ...]
    warnings: tuple[str, ...]


def read_item(text: str, source: str) -> Item:
    """The item in a JSON text. RasterError for other JSON, and for an item that contradicts itself."""
    table = _item_table(text, source)
    properties = _typed(table.get("properties", {}), dict, source, "properties")
    described = {"id": table.get("id"), "collection": table.get("collection"), **properties}
    name, facts = sensor_of(described, source)
    assets, clouds = _assets(table, properties, source)
    named = [asset for asset in assets if asset.bands]
    warnings: list[str] = []
    by_rule = (name or "").startswith("s2-") or any(described.get(key) for key in BASELINES[:2])
    if by_rule:
        if name == "s2-l2a" and any(_canonical(band) == "B10" for asset in named for band in asset.bands):
            raise RasterError(f"{source}: found B10 in an item of Level-2A", "it in Level-1C only", "Correct the item")
        shift = shift_of(described, source)
        named = [
            replace(asset, bands=tuple(shift.applied_to(band, asset.key, source, warnings) for band in asset.bands))
            for asset in named
        ]
        offsets = sorted({band.offset or 0.0 for asset in named for band in asset.bands})
        facts = (*facts, f"offset {', '.join(f'{offset:g}' for offset in offsets)} ({shift.fact})")
    elif any(band.scale is not None for asset in named for band in asset.bands):
        facts = (*facts, "scale and offset from the assets")
    stated = any(band.scale is not None for asset in assets for band in asset.bands)
    day = _day(properties, source)
    return Item(
        # an asset without band names counts only if no other has any: beside bands it is water vapour, angles, ...
        assets=tuple(named or assets),
        clouds=tuple(clouds),
        sensor=name,
        day=day,
        by_rule=by_rule and not stated,
        facts=(*facts, "day from datetime") if day != UNKNOWN else facts,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _assets(table: dict[str, Any], properties: dict[str, Any], source: str) -> tuple[list[Asset], list[Asset]]:
    """The assets that may hold bands, and the cloud layers."""
    assets, clouds = [], []
    for key, fields in _typed(table.get("assets", {}), dict, source, "assets").items():
        fields = _typed(fields, dict, source, f"asset {key}")
        href = _typed(fields.get("href"), str, source, f"the href of asset {key}")
        try:
            urlsplit(href)
        except ValueError as error:
            raise RasterError(f"{source}: found {href!r} for the href of {key} ({error})", "a file") from None
        if not _is_image(key, href, fields):
            continue
        if cloud_key(key) in cloud_codes():
            clouds.append(_asset(key, href, fields, properties, source, ()))
        elif not PICTURE.match(key) and not LEFT_OUT & set(map(str, _list(fields, "roles", f"{source}: asset {key}"))):
            assets.append(_asset(key, href, fields, properties, source, _bands(key, href, fields, properties, source)))
    return assets, clouds


def _item_table(text: str, source: str) -> dict[str, Any]:
    """The JSON object of an item. RasterError for other JSON."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RasterError(f"{source}: is not valid JSON ({error})", do="Download it again") from None
    kind = table.get("type") if isinstance(table, dict) else None
    if isinstance(table, dict) and kind == "Feature" and "stac_version" in table:
        return table
    found = {
        "Collection": "a STAC collection",
        "Catalog": "a STAC catalogue",
        "FeatureCollection": "a collection of items",
        "Feature": "a GeoJSON feature without stac_version",
    }.get(str(kind), "a STAC catalogue" if isinstance(table, dict) and "stac_version" in table else "other JSON")
    raise RasterError(f"{source}: found {found}", "one STAC item (type Feature)", "Give the item's own file")


def _typed(value: Any, kind: type, source: str, what: str) -> Any:
    if not isinstance(value, kind):
        expected = "an object" if kind is dict else "a list" if kind is list else "text"
        raise RasterError(f"{source}: found {str(value)[:60]!r} for {what}", f"{expected}, as in STAC")
    return value


def _list(fields: dict[str, Any], key: str, where: str) -> list[Any]:
    return list(_typed(fields.get(key) or [], list, where, key))


def _number(fields: dict[str, Any], key: str, source: str, special: bool = False) -> float | None:
    """A number, None where it is missing. special: NaN and infinity are allowed, as texts."""
    value = fields.get(key)
    if value is None:
        return None
    if special and isinstance(value, str) and value.lower() in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not (special or math.isfinite(value)):
        raise RasterError(f"{source}: found {value!r} for {key}", "a number")
    return float(value)


def _is_image(key: str, href: str, fields: dict[str, Any]) -> bool:
    kind, suffix = str(fields.get("type") or ""), PurePosixPath(urlsplit(href).path).suffix.lower()
    if suffix in (".json", ".geojson") or "jpeg" in kind or "png" in kind:
        return False
    return kind.startswith("image/") if kind else suffix in image_suffixes()


def _bands(
    key: str, href: str, fields: dict[str, Any], properties: dict[str, Any], source: str
) -> tuple[AssetBand, ...]:
    """The bands of an asset that the item names; empty where it names none."""
    where = f"{source}: asset {key}"
    bands = _list(fields, "bands", where) or _list(fields, "eo:bands", where)
    if all(isinstance(band, int) for band in bands):  # before 0.9: indices
        listed = _list(properties, "eo:bands", source)
        if any(not 0 <= index < len(listed) for index in bands):
            raise RasterError(f"{where}: found eo:bands {bands}", f"indices below {len(listed)}")
        bands = [listed[index] for index in bands]
    bands = [_typed(band, dict, where, "a band") for band in bands]
    raster = [_typed(band, dict, where, "one of raster:bands") for band in _list(fields, "raster:bands", where)]
    if bands and raster and len(bands) != len(raster):
        raise RasterError(f"{where}: found {len(bands)} bands but {len(raster)} raster:bands", "the same number")
    names = [_name(band, key, href, len(bands), where) for band in bands]
    if not bands and len(raster) <= 1:
        names = [_name({}, key, href, 1, where)]
    if names == [f"b{i + 1}" for i in range(len(names))]:
        names = [band.get("description") or None for band in bands]
    if all(name is None for name in names):
        return ()
    bands, raster = bands or [{}], raster or [{}] * len(names)
    return tuple(_band(name, {**fields, **r, **b}, where) for name, b, r in zip(names, bands, raster, strict=True))


def _name(band: dict[str, Any], key: str, href: str, count: int, where: str) -> str | None:
    """A band's name: a numbered one from anywhere, as `B04` is clearer than `red`, else the first stated."""
    fields = [band.get(field) for field in ("name", "common_name", "eo:common_name")]
    stated = [name for name in fields if isinstance(name, str) and name.strip()]
    if count > 1:
        return _short(stated[0]) if stated else None
    stem = PurePosixPath(unquote(urlsplit(href).path)).stem
    thermal = re.search(r"B6_VCID_[12]", stem)
    in_file = thermal[0] if thermal else band_in(stem) or ""
    words = (*(name for name in stated if not POSITION.fullmatch(name)), key, in_file)
    numbered = {canonical(name): name for name in map(_short, words) if NUMBERED_BAND.fullmatch(name)}
    if len(numbered) > 1:
        raise RasterError(
            f"{where}: found {' and '.join(numbered)} in its bands, key and file name ({stem})",
            "one name",
            "Correct the item",
        )
    return next(iter(numbered.values()), stated[0] if stated else None)


def _short(name: str) -> str:
    """`B2` for `OLI_B2` or `SR_B2.TIF`; other names unchanged."""
    found = NUMBERED_BAND.fullmatch(name.strip())
    return found[1] if found else name.strip()


def _canonical(band: AssetBand) -> str:
    return canonical(band.name or "")


def _band(name: str | None, fields: dict[str, Any], where: str) -> AssetBand:
    unit = str(fields.get("unit") or "")
    if RADIANCE.search(unit):
        raise RasterError(f"{where}: found values in {unit}", "reflectance", "Convert them first")
    scale, offset = (
        _number(fields, key, where) if key in fields else _number(fields, f"raster:{key}", where)
        for key in ("scale", "offset")
    )
    if scale == 0:
        raise RasterError(f"{where}: found scale 0", "another number")
    if scale in (1, None) and not offset:  # writers put these where they have no values
        scale = offset = None
    wavelength, fwhm = (
        _number(fields, key, where) or _number(fields, f"eo:{key}", where)
        for key in ("center_wavelength", "full_width_half_max")
    )
    return AssetBand(
        name=name,
        scale=1.0 if scale is None and offset is not None else scale,
        offset=offset,
        nodata=_number(fields, "nodata", where, special=True),
        dtype=str(fields["data_type"]) if fields.get("data_type") else None,
        wavelength=1000 * wavelength if wavelength else None,
        fwhm=1000 * fwhm if fwhm else None,
    )


def _asset(
    key: str,
    href: str,
    fields: dict[str, Any],
    properties: dict[str, Any],
    source: str,
    bands: tuple[AssetBand, ...],
) -> Asset:
    def stated(name: str) -> Any:
        return fields.get(name, properties.get(name))

    shape, transform, epsg = stated("proj:shape"), stated("proj:transform"), stated("proj:epsg")
    try:
        if (shape and min(shape) < 1) or (transform and Affine(*transform[:6]).is_degenerate):
            raise ValueError
        return Asset(
            key,
            href,
            bands,
            crs=str(stated("proj:code") or (f"EPSG:{epsg}" if epsg else "")) or None,
            transform=tuple(float(value) for value in transform[:6]) if transform else None,
            shape=(int(shape[0]), int(shape[1])) if shape else None,
        )
    except (TypeError, ValueError, IndexError, OverflowError):
        raise RasterError(
            f"{source}: asset {key}: found proj:shape {shape} and proj:transform {transform}",
            "rows and columns, and six or nine numbers",
        ) from None


def _day(properties: dict[str, Any], source: str) -> int:
    """The day of acquisition in UTC, -1 when not stated."""
    text = properties.get("datetime") or properties.get("start_datetime")
    if text is None:
        return UNKNOWN
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return day_of(str(text), f"{source}: datetime")
    utc = when.astimezone(UTC) if when.tzinfo else when
    return day_of(utc.date().isoformat(), source)


def cloud_key(key: str) -> str:
    """An asset's key as the name of a cloud layer: in lower case, without ending and pixel size."""
    return re.sub(r"_\d+m$", "", key.lower().split(".")[0])
