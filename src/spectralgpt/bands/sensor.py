"""A sensor: a named list of bands with its conventions, and how names of bands are compared."""

import re
from dataclasses import dataclass
from functools import lru_cache

from spectralgpt.bands.band import Band, canonical
from spectralgpt.errors import BandError, did_you_mean

LONG_WORDS = {
    "nir": re.compile(r"^near(?:infrared|ir)(?![a-z])"),
    "swir": re.compile(r"^shortwave(?:infrared|ir)(?![a-z])"),
}
"""Words of the spectrum, as `spelled` joins them, and what they are short for."""

ONLY_NIR = "nir1"
"""The near infrared of sensors that have one such band; WorldView-2 has a band of this name beside nir2."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A named list of bands, in file order, with its conventions: reflectance = stored x scale + offset.

    scale, offset: None where the stored numbers are no reflectance without metadata. nodata: the value of pixels that
    were not measured, None if the products have none. names_files: whether names of bands in a file may point to this
    sensor; otherwise it is chosen by its name, by metadata or by the name of the file only. zero_padded: whether its
    products write B02. product: regular expression, searched in names of files and folders in any case. aliases: pairs
    of another name, as `spelled` gives it, and the name of the band. examples: names of real products. launched: the
    day of the first satellite's launch since 1970-01-01, None if it is not known. words: regular expression of words
    for its satellites in names of files, like L8; such a word is a hint, and decides nothing.
    """

    name: str
    title: str
    level: str
    bands: tuple[Band, ...]
    scale: float | None
    offset: float | None
    nodata: float | None
    source: str
    names_files: bool = True
    zero_padded: bool = False
    product: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    examples: tuple[str, ...] = ()
    launched: int | None = None
    words: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names and aliases of its bands."""
        return (*self.names, *(alias for alias, _ in self.aliases))

    @property
    def is_scaled(self) -> bool:
        """Whether its stored numbers become reflectance without metadata."""
        return self.scale is not None and self.offset is not None

    def knows(self, name: str) -> bool:
        """Whether a band has this name or alias."""
        return self._find(name) is not None

    def band(self, name: str) -> Band:
        """The band with this name or alias, in any spelling. BandError, with the nearest name, if there is none."""
        found = self._find(name)
        if found is None:
            raise BandError(
                f"{self.name} has no band {name!r}",
                f"one of: {', '.join(self.names)}",
                did_you_mean(canonical(name), self.names),
            )
        return found

    def claims(self, name: str) -> bool:
        """Whether a file or folder of this name is one of its products."""
        return self.product is not None and re.search(self.product, name, re.IGNORECASE) is not None

    def is_spoken_of(self, name: str) -> bool:
        """Whether the name of a file or folder has a word for its satellites: landsat8_lake.tif, L8_2017-08-15.tif."""
        words = self.words or re.escape(self.name.split("-")[0])
        spoken = re.search(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])", name, re.IGNORECASE)
        return spoken is not None or self.claims(name)

    def _find(self, name: str) -> Band | None:
        wanted = spelled(name)
        found = self._spelled(wanted)
        return self._spelled("nir") if found is None and wanted == ONLY_NIR else found

    def _spelled(self, wanted: str) -> Band | None:
        meant = next((band for alias, band in self.aliases if alias == wanted), None)
        return next((band for band in self.bands if band.name == meant or spelled(band.name) == wanted), None)


@lru_cache(maxsize=8192)
def spelled(name: str) -> str:
    """The spelling in which names are compared: `canonical` in lower case, `red-edge` like `Red Edge`, `SWIR_1` like
    `swir1`, `Near-Infrared` like `nir`, `458.90 nm` like `458.9_nm`.
    """
    word = canonical(name)
    measured = re.fullmatch(r"(\d+(?:\.\d*)?)\s*nm", word, re.IGNORECASE)
    one = re.sub(r"[ _-]+", "_", f"{float(measured[1]):.10g} nm" if measured else word).casefold()
    joined = re.sub(r"(?<=[^\W\d_])_(?=[^\W_])", "", one)
    for short, long in LONG_WORDS.items():
        joined = long.sub(short, joined)
    return joined
