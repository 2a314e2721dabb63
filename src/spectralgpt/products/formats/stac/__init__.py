"""A STAC item in a local JSON file: the files of its assets, as the item describes them. Only local files are read."""

import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from spectralgpt.bands import canonical, is_sensor, sensor
from spectralgpt.errors import BandError, RasterError, first_few
from spectralgpt.products.format import Format, cloud_codes
from spectralgpt.products.formats.stac.asset_band import AssetBand
from spectralgpt.products.formats.stac.item import Asset, Item, cloud_key, read_item
from spectralgpt.products.header import Header, read_header
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.grid import Grid, applied
from spectralgpt.raster.handles import GDAL_ERRORS

MOST_ITEM_BYTES = 64_000_000
"""Bytes; an item has some ten thousand."""


def read(path: str, expected: int | None) -> Product | None:
    """The Product of a STAC item. RasterError for other JSON, an item that contradicts itself or its files, or without
    local files."""
    if not path.lower().endswith((".json", ".geojson")) or not os.path.isfile(path):
        return None
    if os.path.getsize(path) > MOST_ITEM_BYTES:
        raise RasterError(f"{path}: found {os.path.getsize(path)} bytes of JSON", "one STAC item")
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RasterError(f"{path}: is not UTF-8 text ({error})", do="Give a STAC item") from None
    return _opened(read_item(text, path), path, expected)


def _opened(item: Item, path: str, expected: int | None) -> Product:
    """The Product of an item, from its local files."""
    folder = os.path.dirname(os.path.abspath(path))
    found: dict[str, list[tuple[Asset, StoredBand]]] = defaultdict(list)
    headers: list[Header] = []
    absent: list[tuple[str, str]] = []
    beside: list[str] = []
    warnings = list(item.warnings)
    cut: list[str] = []
    for asset in item.assets:
        local = _local(asset.href, folder)
        if local is None:
            absent += [(band.name or asset.key, asset.href) for band in asset.bands] or [(asset.key, asset.href)]
            continue
        if _is_remote(asset.href):
            beside.append(os.path.basename(local))
        header = read_header(local, len(asset.bands) or expected)
        headers.append(header)
        warnings += header.warnings
        _compare_grid(asset, header.bands[0].grid, path, cut)
        for number, band in enumerate(_completed(asset, header, item.by_rule, path)):
            found[canonical(band.name) if band.name else f"{asset.key} {number}"].append((asset, band))
    if not found:
        raise _no_files(path, absent)
    if cut:
        warnings.append(
            f"{path}: the files of {_few(cut)} are cropped or resampled versions of those in the item; read as they are"
        )
    coarser = [name for name, _ in absent if canonical(name) in found]
    if coarser:
        warnings.append(f"{path}: read {_few(coarser)} from another asset, as not all files are present")
    missing = {name: href for name, href in absent if canonical(name) not in found}
    return Product(
        bands=tuple(_native(bands, item.sensor, path) for bands in found.values()),
        sensor=item.sensor,
        day=item.day,
        clouds=_cloud_layer(item.clouds, folder),
        missing=tuple(missing.items()),
        tags=tuple(sorted(set.intersection(*(set(header.tags) for header in headers)))),
        facts=(*item.facts, f"read from beside the item: {_few(beside)}") if beside else item.facts,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _local(href: str, folder: str) -> str | None:
    """The file on this machine for an href, None without one.

    A remote file is searched beside the item, by its name, as an item and its files are often downloaded together.
    """
    parts = urlsplit(href)
    if parts.scheme == "file":
        candidates = [url2pathname(parts.path)] if parts.netloc in ("", "localhost") else []
    elif _is_remote(href):
        candidates = [PurePosixPath(unquote(parts.path)).name]
    else:
        candidates = [href, unquote(href)]
    paths = (os.path.normpath(os.path.join(folder, name)) for name in candidates if name)
    return next((path for path in paths if os.path.isfile(path)), None)


def _is_remote(href: str) -> bool:
    # one letter before the colon is a drive
    return re.match(r"(?!file:)[a-z][a-z0-9+.-]+:", href, re.IGNORECASE) is not None


def _no_files(path: str, absent: Sequence[tuple[str, str]]) -> RasterError:
    """The error for an item without a local file of a band."""
    if not absent:
        return RasterError(f"{path}: found no asset with bands", "images with eo:bands or bands, or keys like B02")
    name, href = absent[0]
    if _is_remote(href):
        return RasterError(
            f"{path}: found {len(absent)} bands, all of them remote ({name} at {href})",
            "local files, as nothing is downloaded",
            "Download them first and put them beside the item, or their paths into its hrefs",
        )
    return RasterError(
        f"{path}: none of the {len(absent)} files that it lists exists ({name}: {href})",
        do="Correct the hrefs, which are relative to the item",
    )


def _few(names: Iterable[str]) -> str:
    return first_few(list(dict.fromkeys(names)), 4)


def _completed(asset: Asset, header: Header, by_rule: bool, path: str) -> list[StoredBand]:
    """The bands of a file, completed from the item. RasterError where both state something and differ."""
    where = f"{path}: asset {asset.key} ({header.path})"
    if not asset.bands:
        return list(header.bands)
    if len(asset.bands) != len(header.bands):
        raise RasterError(
            f"{where}: found {len(header.bands)} bands in the file", f"{len(asset.bands)}, as in the item"
        )
    return [
        completed_band(stated, band, by_rule, where) for stated, band in zip(asset.bands, header.bands, strict=True)
    ]


def completed_band(stated: AssetBand, band: StoredBand, by_rule: bool, where: str) -> StoredBand:
    """A band of a file, completed from the item. RasterError where both state something and differ."""
    if stated.dtype is not None and _is_float(stated.dtype) != _is_float(band.dtype):
        raise RasterError(
            f"{where}: found {band.dtype} in the file and {stated.dtype} in the item",
            "the same in both, as scale and offset belong to the item's",
            "Give the file alone, or correct the item",
        )
    scale, offset = stated.scale, stated.offset
    if by_rule and np.dtype(band.dtype).kind == "f":
        scale = offset = None  # a copy in floats may be reflectance already, which its values show
    for what, in_item, in_file in (("scale", scale, band.scale), ("offset", offset, band.offset)):
        if in_item is not None and in_file is not None and not _is_close(in_item, in_file):
            raise RasterError(
                f"{where}: found {what} {in_file:g} in the file and {in_item:g} in the item",
                "the same in both",
                "Correct the item, or give the file alone",
            )
    nodata = band.nodata if stated.nodata is None else stated.nodata
    if band.nodata is not None and not _same(band.nodata, nodata):
        raise RasterError(
            f"{where}: found nodata {band.nodata:g} in the file and {nodata:g} in the item",
            "the same in both, so that pixels without a measurement do not count",
            "Correct the item",
        )
    return replace(
        band,
        name=stated.name,
        scale=band.scale if scale is None else scale,
        offset=band.offset if scale is None else offset or 0.0,
        nodata=nodata,
        wavelength=stated.wavelength or band.wavelength,
        fwhm=stated.fwhm or band.fwhm,
    )


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)


def _is_float(dtype: str) -> bool:
    return dtype.startswith(("float", "cfloat"))


def _same(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and math.isnan(one) and math.isnan(other))


def _compare_grid(asset: Asset, grid: Grid, path: str, cut: list[str]) -> None:
    """RasterError for a file elsewhere than the item states. The key of one on another grid is added to `cut`."""
    if asset.crs is None or grid.crs is None:
        return
    where = f"{path}: asset {asset.key}"
    try:
        crs = CRS.from_user_input(asset.crs)
    except (*GDAL_ERRORS, ValueError) as error:
        raise RasterError(f"{where}: found the CRS {asset.crs} ({error})", "one like EPSG:32633") from None
    if CRS.from_wkt(grid.crs) != crs:
        raise RasterError(
            f"{where}: found {CRS.from_wkt(grid.crs).to_string()[:60]} in the file and {asset.crs} in the item",
            "the same in both",
            "Give the item's own file, or the file alone",
        )
    if asset.shape is None or asset.transform is None:
        return
    described = Grid(grid.crs, Affine(*asset.transform), *asset.shape)
    if described.coincides(grid):
        return
    in_item, in_file = _extent(described), _extent(grid)
    if any(max(a[0], b[0]) >= min(a[1], b[1]) for a, b in zip(in_item, in_file, strict=True)):
        raise RasterError(
            f"{where}: found a file at x {in_file[0]}, y {in_file[1]}, which the item places at x {in_item[0]}, "
            f"y {in_item[1]}",
            "the item's own file",
        )
    cut.append(asset.key)


def _extent(grid: Grid) -> tuple[tuple[float, float], tuple[float, float]]:
    """From and to, in x and in y."""
    corners = [(0.0, 0.0), (0.0, float(grid.height)), (float(grid.width), 0.0), (float(grid.width), float(grid.height))]
    xs, ys = zip(*(applied(grid.transform, *corner) for corner in corners), strict=True)
    return (min(xs), max(xs)), (min(ys), max(ys))


def _native(claims: Sequence[tuple[Asset, StoredBand]], of_sensor: str | None, path: str) -> StoredBand:
    """Of several files with the same band, the one nearest to the band's own GSD; the finest where this is unknown.

    RasterError when they differ in scale or offset, or two have pixels of the same size.
    """
    claims = list({(band.path, band.index): (asset, band) for asset, band in claims}.values())
    if len(claims) == 1:
        return claims[0][1]
    keys = ", ".join(asset.key for asset, _ in claims)
    name = claims[0][1].name
    if len({(band.scale, band.offset) for _, band in claims}) > 1:
        raise RasterError(
            f"{path}: found {name} in the assets {keys} with several scales or offsets", "the same in all"
        )
    own = _own_gsd(name or "", of_sensor)
    sizes = [band.grid.gsd for _, band in claims]
    placed = all(map(math.isfinite, sizes))
    ranks = [
        abs(math.log(size / own)) if own and placed else band.grid.pixel_area
        for size, (_, band) in zip(sizes, claims, strict=True)
    ]
    # the GSD of the same pixel size differs a little between places
    best = [band for (_, band), rank in zip(claims, ranks, strict=True) if rank - min(ranks) < 0.01 * (1 + rank)]
    if len(best) > 1:
        raise RasterError(f"{path}: found {name} in the assets {keys} with the same pixel size", "one file per band")
    return best[0]


def _own_gsd(name: str, of_sensor: str | None) -> float | None:
    """The GSD of a sensor's band in metres, None for unknown ones."""
    if of_sensor is None or not is_sensor(of_sensor):
        return None
    try:
        return sensor(of_sensor).band(name).gsd
    except BandError:
        return None


def _cloud_layer(assets: Sequence[Asset], folder: str) -> CloudLayer | None:
    """The finest of the local cloud layers."""
    layers = []
    for asset in assets:
        local = _local(asset.href, folder)
        if local is not None:
            band = read_header(local).bands[0]
            code = cloud_codes()[cloud_key(asset.key)]
            layers.append(CloudLayer(code.option, band.path, band.index, band.grid, code.cloudy))
    return min(layers, key=lambda layer: layer.grid.pixel_area, default=None)


def is_item(path: str) -> bool:
    """Whether a JSON file contains `stac_version` near its start."""
    if not path.lower().endswith((".json", ".geojson")):
        return False
    try:
        with open(path, "rb") as file:
            return b'"stac_version"' in file.read(1 << 16)
    except OSError:
        return False


def named_files(path: str) -> Iterator[str]:
    """The local files of all assets of an item."""
    if not is_item(path):
        return
    try:
        assets = json.loads(Path(path).read_bytes()).get("assets", {})
        hrefs = [asset["href"] for asset in assets.values()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return  # reported where it is opened
    for href in hrefs:
        local = _local(href, os.path.dirname(os.path.abspath(path))) if isinstance(href, str) else None
        if local is not None:
            yield local


FORMAT = Format(
    title="STAC items (JSON) with local files",
    priority=50,
    read=read,
    named=(".json", ".geojson"),
    claims=is_item,
    named_files=named_files,
    owns_neighbours=True,
    single=False,
)
