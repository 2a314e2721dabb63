"""Names of bands as files write them: those that only count, auxiliary ones, and what stands around a name."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spectralgpt.bands.band import NUMBERED, canonical
from spectralgpt.bands.catalogue import sensors
from spectralgpt.errors import first_few

COUNTING = re.compile(r"(.*?)0*(\d+)", re.DOTALL)
"""A prefix and a number."""

OWN_NUMBER = re.compile(r"B\d+")
"""A sensor's own kind of name: SPOT calls its bands B0 to B3."""

COULD_COUNT = 9
"""From this number on, B1 ... Bn may also count the bands of a sensor with B8A."""

REMARKED = re.compile(
    r"((?:S[RT]_)?B(?:AND)?[ _]?\d+A?)(?:\s*[(\[]\s*(.+?)\s*[)\]]|\s*:\s*(.+)|\s+-\s+(.+)|\s+(.+))",
    re.IGNORECASE | re.DOTALL,
)
"""The number of a band and a remark: `B1 blue`, `Band 2 (Blue)`, `B04 - Red`."""

REDUCED = re.compile(r"(.+?)_(median|mean|medoid|mosaic|first|last|mode|min|max|p\d{1,2})", re.IGNORECASE)
"""A name with the reducer that made the band of many dates."""

RESOLVED = re.compile(r"(.+?)[ _-]+[(\[]?(\d{1,4})[ _]?m(?:et(?:er|re)s?)?[)\]]?", re.IGNORECASE)
"""A name with the pixel size of its file, like B02_10m."""

INDICES = (
    "NDVI EVI EVI2 GNDVI NDRE NDRE1 NDRE2 NDWI MNDWI NDMI NDBI NDSI NDTI NBR NBR2 SAVI OSAVI MSAVI MSAVI2 ARVI VARI "
    "RVI DVI GCI CIRE BSI AWEI LSWI LAI FAPAR FCOVER KNDVI NIRV TCB TCG TCW"
)

QUALITY = (
    "QA QA10 QA20 QA60 BQA QA_PIXEL PIXEL_QA QA_RADSAT RADSAT_QA QA_AEROSOL SR_QA_AEROSOL SR_AEROSOL SR_CLOUD_QA "
    "SR_ATMOS_OPACITY ST_QA ST_ATRAN ST_CDIST ST_DRAD ST_EMIS ST_EMSD ST_TRAD ST_URAD SCL FMASK DATAMASK DATA_MASK "
    "MASK AOT WVP TCI_R TCI_G TCI_B CLD SNW CLP CLM CS CS_CDF CLOUDS CLOUD CLOUD_MASK CLOUDMASK CLOUD_PROBABILITY "
    "UDM UDM2 SAA SZA VAA VZA SUNAZIMUTHANGLES SUNZENITHANGLES VIEWAZIMUTHMEAN VIEWZENITHMEAN"
)

AUXILIARY = frozenset(f"{INDICES} {QUALITY}".split())
"""Names, in capitals, of layers beside a sensor's bands: indices, masks, quality, and angles."""


@dataclass(frozen=True, slots=True)
class WrittenName:
    """A name in its one spelling, a word beside its number that names the band, too, and a reducer's suffix."""

    name: str | None
    word: str | None = None
    suffix: str | None = None


def is_alias(name: str) -> bool:
    """Whether any sensor has a band with this name or alias."""
    return any(each.knows(name) for each in sensors())


def without_resolution(name: str) -> str:
    """The name of a band without a pixel size after it, as in B02_10m; other names as they are."""
    resolved = RESOLVED.fullmatch(name.strip())
    return resolved[1] if resolved and is_alias(resolved[1]) and not is_alias(name) else name


def is_auxiliary(name: str) -> bool:
    """Whether a layer of this name holds no band of a sensor: a mask, quality, an angle, or an index."""
    reduced = REDUCED.fullmatch(name.strip())
    word = re.sub(r"[\s_-]+", "_", reduced[1] if reduced else name.strip()).upper()
    return word in AUXILIARY or word.startswith("MSK_")


def names_a_band(text: str) -> bool:
    """Whether a description names a band of a sensor or an auxiliary layer, whatever remark or suffix it has."""
    (written,) = written_names([text])
    return is_auxiliary(text) or any(each is not None and is_alias(each) for each in (written.name, written.word))


def only_count(names: Sequence[str | None]) -> bool:
    """Whether names only count: `PREFIX1 ... PREFIXn` or `PREFIX0 ...` in file order, as `b1`, `Band 1`, `Layer_1`,
    `band_0` or `1`. With the prefix B only from 0, as B1 ... Bn are names; so is what a sensor calls its bands: SR_B1
    ... SR_B7."""
    return _count_from(names, 1) or _count_from(names, 0)


def could_count(names: Sequence[str | None]) -> bool:
    """Whether names are B1 ... Bn in file order, nine or more, so that they may be names or a count."""
    return len(names) >= COULD_COUNT and list(names) == [f"B{number}" for number in range(1, len(names) + 1)]


def written_names(names: Sequence[str | None], knows: Callable[[str], bool] | None = None) -> tuple[WrittenName, ...]:
    """What each name says. Names that only count are None, unless they are B0 ... Bn and the sensor of the file, known
    otherwise, `knows` them; those with a word, like `Band 1 (Blue)`, are the word.

    A number's remark and a reducer's suffix are kept apart unless two bands would then have the same name.
    """
    own = knows is not None and all(name and OWN_NUMBER.fullmatch(name.strip()) and knows(name) for name in names)
    if only_count(names) and not own:
        return (WrittenName(None),) * len(names)
    whole = [WrittenName(canonical(name) if name and name.strip() else None) for name in names]
    split = [_split(each.name) for each in whole]
    times = Counter(each.name for each in split)
    parted = [one if times[one.name] == 1 else other for one, other in zip(split, whole, strict=True)]
    numbers = [
        (found[1] if name and (found := REMARKED.fullmatch(name.split(",")[0].strip())) else None) for name in names
    ]
    if only_count(numbers) and all(each.word for each in parted):
        return tuple(WrittenName(canonical(each.word or "")) for each in parted)
    return tuple(parted)


def notes_on(written: Sequence[WrittenName], source: str) -> tuple[str, ...]:
    """A note on suffixes that were stripped."""
    stripped = [f"_{each.suffix}" for each in written if each.suffix]
    if not stripped:
        return ()
    suffixes = first_few(list(dict.fromkeys(stripped)), 6)
    return (f"{source}: {len(stripped)} of {len(written)} band names read without their suffix {suffixes}",)


def _count_from(names: Sequence[str | None], first: int) -> bool:
    """Whether names only count, from this number on."""
    prefixes = {_counted_by(name, number) for number, name in enumerate(names, first)}
    if len(prefixes) != 1 or None in prefixes:
        return False
    (prefix,) = prefixes
    return str(prefix).strip(" _-") != "B" or (first == 0 and len(names) > 1)


def _counted_by(name: str | None, number: int) -> str | None:
    """The prefix of a name that ends in this number; None where it does not, or where the name means a band."""
    found = COUNTING.fullmatch(name.strip()) if name else None
    if found is None or int(found[2]) != number:
        return None
    whole, prefix = found[0], found[1].strip(" _-")
    numbered = NUMBERED.fullmatch(canonical(whole)) or prefix.upper() == "B"
    return None if (not numbered and is_alias(whole)) or (prefix and is_alias(prefix)) else found[1]


def _split(name: str | None) -> WrittenName:
    """A name without remark and suffix."""
    if name is None or is_alias(name):
        return WrittenName(name)
    if (resolved := without_resolution(name)) != name:
        return WrittenName(canonical(resolved))
    remarked = REMARKED.fullmatch(name)
    if remarked:
        remark = canonical(next(part for part in remarked.groups()[1:] if part))
        return WrittenName(canonical(remarked[1]), remark if is_alias(remark) else None)
    reduced = REDUCED.fullmatch(name)
    if reduced and is_alias(without_resolution(reduced[1])):
        return WrittenName(canonical(without_resolution(reduced[1])), suffix=reduced[2])
    return WrittenName(name)
