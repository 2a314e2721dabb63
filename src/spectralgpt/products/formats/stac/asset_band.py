"""What a STAC item states about one band of an asset."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AssetBand:
    """What an item states about one band, None for the rest. wavelength, fwhm: nm."""

    name: str | None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    dtype: str | None = None
    wavelength: float | None = None
    fwhm: float | None = None
