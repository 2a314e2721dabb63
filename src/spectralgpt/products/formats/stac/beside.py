"""A STAC item that lies in a folder of single-band files: it states what these do not."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import numpy as np

from spectralgpt.bands import canonical
from spectralgpt.days import UNKNOWN
from spectralgpt.errors import RasterError, first_few
from spectralgpt.products.added import Added
from spectralgpt.products.formats.stac import MOST_ITEM_BYTES, completed_band, is_item
from spectralgpt.products.formats.stac.asset_band import AssetBand
from spectralgpt.products.formats.stac.item import Item, read_item
from spectralgpt.products.product import Product, StoredBand


def completed_by_its_item(product: Product, folder: str) -> Product:
    """The product of one of several dates in a folder, completed by the only item that lists one of its files."""
    files = {os.path.basename(band.path) for band in product.bands}
    items = {path: _read(path) for path in _items(folder)}
    listing = [path for path, item in items.items() if item is not None and files & _files_of(item)]
    return _completed_product(product, folder, listing) if len(listing) == 1 else product


def completed_by_item(product: Product, folder: str) -> Product:
    """The product of a folder, with scale, offset, nodata, sensor and day of the item in it.

    Several items, a broken one, and one of other bands are left out with a warning. RasterError where the item and a
    file state different things.
    """
    paths = _items(folder)
    return _completed_product(product, folder, paths) if paths else product


def _items(folder: str) -> list[str]:
    if not os.path.isdir(folder):  # files of an archive
        return []
    return sorted(str(path) for path in Path(folder).iterdir() if is_item(str(path)))


def _files_of(item: Item) -> set[str]:
    """The names of the files that an item lists."""
    return {PurePosixPath(unquote(urlsplit(asset.href).path)).name for asset in item.assets}


def _completed_product(product: Product, folder: str, paths: Sequence[str]) -> Product:
    item = _read(paths[0]) if len(paths) == 1 else None
    stated = [None if item is None else _stated_of(band, item) for band in product.bands]
    if item is None or not any(stated):
        listed = first_few([os.path.basename(path) for path in paths], 4)
        why = "several items" if len(paths) > 1 else "broken, or of other files"
        return replace(product, warnings=(*product.warnings, f"{folder}: left out {listed} ({why})"))
    where = paths[0]
    common = _common([each for each in stated if each is not None], os.path.basename(where))
    return replace(
        product,
        bands=tuple(
            replace(band, added=common or band.added)
            if of_band is None
            else _completed(band, of_band, item.by_rule, where)
            for band, of_band in zip(product.bands, stated, strict=True)
        ),
        sensor=item.sensor or product.sensor,
        day=product.day if item.day == UNKNOWN else item.day,
        facts=(*product.facts, f"completed by {os.path.basename(where)}", *item.facts),
        warnings=(*product.warnings, *item.warnings),
    )


def _common(stated: Sequence[AssetBand], name: str) -> Added | None:
    """What was added to the values of a file that the item does not list: the same as to all that it lists."""
    offsets = {(each.offset or 0.0) / each.scale if each.scale else None for each in stated}
    offset = offsets.pop()
    return None if offsets or offset is None else Added(round(-offset, 6), f"the other bands in {name}")


def _read(path: str) -> Item | None:
    """The item, None for a broken one."""
    try:
        if os.path.getsize(path) > MOST_ITEM_BYTES:
            return None
        return read_item(Path(path).read_text(encoding="utf-8-sig"), path)
    except (RasterError, OSError, UnicodeDecodeError):
        return None


def _stated_of(band: StoredBand, item: Item) -> AssetBand | None:
    """What an item states of a band: by the name of its file, else of the band; None where it has neither."""
    alone = [(asset.href, asset.bands[0]) for asset in item.assets if len(asset.bands) == 1]
    file = os.path.basename(band.path)
    by_file = [one for href, one in alone if PurePosixPath(unquote(urlsplit(href).path)).name == file]
    by_name = [one for _, one in alone if canonical(one.name or "") == canonical(band.name or "")]
    return next(iter((*by_file, *_agreed(by_name))), None)


def _agreed(found: Sequence[AssetBand]) -> Sequence[AssetBand]:
    """The same band in files of several pixel sizes counts where all have the same scale and offset."""
    return found if len({(one.scale, one.offset) for one in found}) == 1 else ()


def _completed(band: StoredBand, stated: AssetBand, by_rule: bool, where: str) -> StoredBand:
    if np.dtype(band.dtype).kind == "f" and not (stated.dtype or "").startswith("float"):
        return band  # a copy, perhaps reflectance already, which its values show
    completed = completed_band(stated, band, by_rule, f"{where}: {os.path.basename(band.path)}")
    return replace(completed, name=band.name)
