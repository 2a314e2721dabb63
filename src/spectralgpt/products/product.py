"""What a format's reader returns: bands as they are stored, and what the product's metadata state about them."""

from dataclasses import dataclass

from spectralgpt.days import UNKNOWN
from spectralgpt.products.added import Added
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.grid import Grid


@dataclass(frozen=True, slots=True)
class StoredBand:
    """One band as a file stores it, before its sensor and band are identified.

    path: what GDAL opens, absolute for a file. index: in the file, from 1. name: as the product writes it, None without
    one. scale, offset: reflectance = stored x scale + offset, None where neither file nor metadata state them. nodata:
    the stored value of pixels that were not measured. masked: whether the file also has a mask for this band. alpha:
    index of the file's alpha band, 0 without one. wavelength, fwhm: nm, None where not stated. added: what tags or
    names state about the 1000 that Sentinel-2's products add; it counts where no offset is stated.
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
    added: Added | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """One date of one place, as a format's reader returns it.

    sensor: the sensor of the bands, where the metadata state it. missing: bands that the metadata list and that have no
    file, as (name, file). clouds: its cloud layer, other_clouds: further ones, of a folder of several kinds. facts:
    what was read from where, one line each, like `offset -0.1 from MTD_MSIL2A.xml`. warnings: what a user should
    know.
    """

    bands: tuple[StoredBand, ...]
    sensor: str | None = None
    day: int = UNKNOWN
    clouds: CloudLayer | None = None
    other_clouds: tuple[CloudLayer, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
