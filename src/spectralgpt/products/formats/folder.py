"""A folder of single-band files as one image; each file has its own grid."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spectralgpt.bands import canonical, is_alias, only_count
from spectralgpt.days import UNKNOWN, iso_date
from spectralgpt.errors import InputError, RasterError, first_few
from spectralgpt.products.acquisition import Acquisition, acquisition, acquisition_in_name, day_in_tags
from spectralgpt.products.format import CloudCode, Format, all_formats, band_suffixes, cloud_codes
from spectralgpt.products.formats.stac.beside import completed_by_item, completed_by_its_item
from spectralgpt.products.header import Header, band_in, names_band, read_header
from spectralgpt.products.no_bands import refuse_no_bands
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.handles import open_dataset


@dataclass(frozen=True, slots=True)
class BandFile:
    """A file of a folder that has one band: a named one or, with a code, a cloud layer. taken: the day in its tags,
    else in its name."""

    header: Header
    band: StoredBand
    taken: Acquisition
    code: CloudCode | None = None


def read(path: str, expected: int | None) -> Product | tuple[Product, ...] | None:
    """The images directly in a folder that have one band with a name, from its description, else the file's name.

    Files of several dates with the same bands are one Product per date. Others are left out with a warning; a broken
    file named after a band is refused. A file named like a product's cloud layer (SCL, QA_PIXEL, Fmask) is one. A STAC
    item beside them completes what they state. RasterError when no band is left.
    """
    if not os.path.isdir(path):
        return None
    return product_of_files(path, _files(path))


def product_of_files(path: str, files: Sequence[Path]) -> Product | tuple[Product, ...]:
    """The image or images that these files of a folder or an archive hold, as `read`; each a path that GDAL reads."""
    found: list[BandFile] = []
    several: list[Header] = []
    left_out = []
    for file in files:
        named = _named_after_band(file)
        header = _header(file, named)
        band = header.bands[0] if header and len(header.bands) == 1 else None
        code = _cloud_code(file.stem) if named is None else None
        name = _name_of(band, named) if band else None
        if header is None:
            left_out.append(f"{file.name} (not readable)")
        elif band is not None and (code is not None or name is not None):
            found.append(BandFile(header, replace(band, name=name), _taken(file.name, header), code))
        else:
            left_out.append(f"{file.name} ({'no band name' if band else 'several bands'})")
            several += [] if band else [header]
    bands = [each for each in found if each.code is None]
    if not bands:
        refuse_no_bands(path, [file.name for file in files], left_out, several)
    notes = (f"{path}: left out {', '.join(left_out)}",) if left_out else ()
    days = _days(bands)
    if not days:
        taken = acquisition(path, [each.header.tags for each in bands], [Path(each.band.path).name for each in bands])
        return completed_by_item(_product(found, taken, notes), path)
    listed = first_few([iso_date(day) for day in days], 6)
    fact = f"dates {listed} from the names or tags of the files in {path}"
    return tuple(
        completed_by_its_item(replace(_product(of_day, taken, notes), facts=(fact,)), path)
        for taken, of_day in ((_first_taken(bands, day), _of_day(found, day)) for day in days)
    )


def _taken(name: str, header: Header) -> Acquisition:
    tagged = day_in_tags(dict(header.tags))
    return acquisition_in_name(name) if tagged == UNKNOWN else Acquisition(tagged)


def _days(bands: Sequence[BandFile]) -> list[int]:
    """The days of the files, in order, where each has one and a band comes on several; else none: one image, or files
    that do not belong together."""
    days = sorted({each.taken.day for each in bands})
    repeated = len({canonical(each.band.name or "") for each in bands}) < len(bands)
    return days if repeated and len(days) > 1 and days[0] != UNKNOWN else []


def _first_taken(bands: Sequence[BandFile], day: int) -> Acquisition:
    """The day with the note on the first of its files: the others' say the same."""
    return next(each.taken for each in bands if each.taken.day == day)


def _of_day(found: Sequence[BandFile], day: int) -> list[BandFile]:
    """The bands of a day and its cloud layers; those without a date are of all days."""
    return [each for each in found if each.taken.day == day or (each.code is not None and each.taken.day == UNKNOWN)]


def _product(files: Sequence[BandFile], taken: Acquisition, notes: tuple[str, ...]) -> Product:
    """The product of the files of one date."""
    bands = [each for each in files if each.code is None]
    clouds = [
        CloudLayer(each.code.option, each.band.path, each.band.index, each.band.grid, each.code.cloudy)
        for each in files
        if each.code is not None
    ]
    return Product(
        bands=tuple(each.band for each in bands),
        day=taken.day,
        clouds=clouds[0] if clouds else None,
        other_clouds=tuple(clouds[1:]),
        tags=tuple(sorted(set.intersection(*(set(each.header.tags) for each in bands)))),
        warnings=(*notes, *(warning for each in bands for warning in each.header.warnings), *taken.notes),
    )


def _files(path: str) -> list[Path]:
    try:
        entries = sorted(Path(path).iterdir())
    except OSError as error:
        raise RasterError(f"{path}: cannot be listed ({error.strerror})", do="Change its permissions") from None
    files = [entry for entry in entries if not entry.name.startswith(".") and _may_be_band(entry)]
    if not files:
        raise RasterError(
            f"{path}: found a folder without images ({', '.join(band_suffixes())})",
            "single-band files named after their bands, like scene_B02.tif",
            "Give the folder that contains them, or a file",
        )
    return files


def _may_be_band(file: Path) -> bool:
    """Whether a file is an image of a format with single-band files."""
    return any(one.single and one.is_image(str(file)) for one in all_formats())


def _name_of(band: StoredBand, named: str | None) -> str | None:
    """The name of a file's band: its description where that names a band, else the band in the file's name (`named`),
    else any description that does not only count."""
    if names_band(band.name):
        return band.name
    return named or (None if only_count([band.name]) else band.name)


def _named_after_band(file: Path) -> str | None:
    """The band in a file's name, like B02, or STAC's name of one, like blue or nir08, as its last part."""
    last = file.stem.replace("-", "_").split("_")[-1].lower()
    return band_in(file.stem) or (last if is_alias(last) else None)


def _header(file: Path, named: str | None) -> Header | None:
    """The header of a file, None for a broken one. RasterError for a broken one that is named after a band."""
    try:
        return read_header(str(file))
    except InputError:
        if named is not None:
            raise
        return None


def _cloud_code(stem: str) -> CloudCode | None:
    """How a cloud layer with this file name marks clouds; None for other files."""
    return next((code for layer, code in cloud_codes().items() if f"_{layer}_" in f"_{stem.lower()}_"), None)


def are_single_bands(paths: Sequence[str]) -> bool:
    """Whether their folder is one image: all files that can be opened have one band. Stops at the first with more."""
    opened = 0
    for path in paths:
        try:
            with open_dataset(path) as dataset:
                if dataset.count != 1:
                    return False
        except InputError:
            continue  # reported when it is read
        opened += 1
    return opened > 0


FORMAT = Format(
    title="a folder of single-band files on any grids, named after their bands",
    priority=90,  # after all kinds of products: their folders hold single-band files, too
    read=read,
)
