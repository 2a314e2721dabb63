"""The mark in every result that says which command wrote it, so that only the same command replaces it unasked."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spectralgpt.errors import InputError
from spectralgpt.raster.geopackage import POLYGONS_SUFFIX, geopackage_tags
from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset
from spectralgpt.raster.tags import DATES_TAG, OPEN_LEVEL_TAG, VERSION_TAG
from spectralgpt.version import __version__

VERB_TAG, SOURCES_TAG = "SPECTRALGPT_VERB", "SPECTRALGPT_SOURCES"

NOT_INHERITED = (VERSION_TAG, VERB_TAG, SOURCES_TAG, OPEN_LEVEL_TAG, DATES_TAG)
"""Tags of a result that say nothing of a result made from it."""


@dataclass(frozen=True, slots=True)
class ResultMark:
    """A verb, and the fingerprint of its sources: 32 hex digits of SHA-256 over their absolute paths, sorted.

    unless_done: the files of the result, the first one with all tags, where it is not to be made again if it is there
    with the same tags; else empty.
    """

    verb: str
    sources: str
    unless_done: tuple[Path, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, verb: str, sources: Sequence[str | os.PathLike[str]]) -> "ResultMark":
        """The mark of a command. Neither the working directory nor the order of the sources counts."""
        paths = sorted({os.path.realpath(source) for source in sources})
        return cls(verb, hashlib.sha256("\n".join(paths).encode(errors="surrogateescape")).hexdigest()[:32])

    @classmethod
    def among(cls, tags: Mapping[str, str]) -> "ResultMark | None":
        """The mark among a file's tags; None without one."""
        if VERSION_TAG not in tags or VERB_TAG not in tags or SOURCES_TAG not in tags:
            return None
        return cls(tags[VERB_TAG], tags[SOURCES_TAG])

    @property
    def tags(self) -> dict[str, str]:
        """As tags of a raster, text of a PNG, or metadata of a Parquet table."""
        return {VERSION_TAG: f"spectralgpt {__version__}", VERB_TAG: self.verb, SOURCES_TAG: self.sources}


def without_mark(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of an image that a result may inherit."""
    return {name: text for name, text in tags.items() if name not in NOT_INHERITED}


def tags_of(path: Path) -> Mapping[str, str]:
    """The tags of a raster or a GeoPackage, the text in a PNG, or the metadata of a Parquet table; empty for other
    files."""
    if path.suffix.lower() == ".parquet":
        return _metadata(path)
    if path.suffix.lower() == POLYGONS_SUFFIX:
        return geopackage_tags(path)
    try:
        with open_dataset(os.path.abspath(path)) as dataset:
            return dict(dataset.tags())
    except (InputError, *GDAL_ERRORS):
        return {}


def _metadata(path: Path) -> Mapping[str, str]:
    import pyarrow as pa  # here, as only tables need it
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return {}
    return {key.decode(errors="replace"): text.decode(errors="replace") for key, text in found.items()}
