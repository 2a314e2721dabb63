"""What a format's reader finds: bands as they are stored, and what the product's metadata say of them."""

from dataclasses import dataclass

from spectralgpt.days import UNKNOWN
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.grid import Grid


@dataclass(frozen=True, slots=True)
class StoredBand:
    """One band as a file stores it, before it is known which band of which sensor it is.

    path: what GDAL opens, absolute for a file. index: in the file, from 1. name: as the product writes it, None without
    one. scale, offset: reflectance = stored x scale + offset, None where neither file nor metadata tell. nodata: the
    stored value of pixels that were not measured. masked: whether the file has a mask of this band besides. alpha:
    index of the file's alpha band, 0 without one. wavelength, fwhm: nm, None where not told.
    """

    path: str
    index: int
    name: str | None
    grid: Grid
    dtype: str
    scale: float | None
    offset: float | None
    nodata: float | None
    masked: bool = False
    alpha: int = 0
    wavelength: float | None = None
    fwhm: float | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """One date of one place, as a format's reader found it.

    sensor: whose bands these are, when the metadata say so. missing: bands that the metadata list and whose file is
    not there, as (name, file). facts: what was read from where, one line each, like `offset -0.1 from MTD_MSIL2A.xml`.
    warnings: what a user should know.
    """

    bands: tuple[StoredBand, ...]
    sensor: str | None = None
    day: int = UNKNOWN
    clouds: CloudLayer | None = None
    missing: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
