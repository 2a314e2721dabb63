"""Which existing files a result may replace: the same for every verb that writes."""

import os
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from spectralgpt.bands import canonical
from spectralgpt.errors import InputError, TargetError, counted
from spectralgpt.products.format import read_products
from spectralgpt.products.product import StoredBand
from spectralgpt.products.source_files import SourceFiles
from spectralgpt.products.stacking import overlap
from spectralgpt.raster.marks import ResultMark, tags_of
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.tags import VERSION_TAG

OF_OTHERS = "a result of other sources"

NEW_FILE = "the name of a new file"


def check_replacing(
    targets: Iterable[Path],
    mark: ResultMark,
    sources: SourceFiles,
    *,
    overwrite: bool,
    raster: Raster | None = None,
    recognized: Container[Path] = (),
    of_others: Container[Path] = (),
) -> tuple[str, ...]:
    """A line for each existing file that only `overwrite` lets the results replace.

    TargetError where a target exists and must not be replaced. Called before anything is computed. Without `overwrite`,
    only a result with this very mark is replaced (or one that is `recognized` without a mark). With it, anything but a
    file that the sources read, and but an image that is no result of ours and lies on the place of the sources with
    their bands: most likely it is the next of several dates, and the target was forgotten. raster: the opened sources,
    if they are one place. of_others: targets that are results without a mark, from other sources.
    """
    existing = [target for target in targets if os.path.lexists(target)]
    found = [
        _replaced(each, mark, sources, overwrite, raster, each in recognized, each in of_others) for each in existing
    ]
    return tuple(filter(None, found))


def _replaced(
    target: Path,
    mark: ResultMark,
    sources: SourceFiles,
    overwrite: bool,
    raster: Raster | None,
    recognized: bool,
    of_others: bool,
) -> str:
    """What is replaced although this command did not write it, in words; empty where it did."""
    refuse_source(target, sources)
    tags = tags_of(target)
    folder = sources.folder_of(target)
    if folder is not None and VERSION_TAG not in tags:
        raise _source(target, f" (it lies in {folder})")
    if recognized or ResultMark.among(tags) == mark:
        return ""
    if raster is not None and VERSION_TAG not in tags and _could_be_a_date(target, raster):
        raise TargetError(
            f"{target}: found an image of the same place and with the same bands as the sources",
            NEW_FILE,
            "If it is one of the dates, add the file to write as the last argument",
        )
    what = OF_OTHERS if of_others else _described(target, tags, mark)
    if not overwrite:
        raise TargetError(
            f"{target}: exists, and is {what}",
            f"{NEW_FILE}, or a result of the same command",
            "To replace it:",
            ("overwrite", True),
        )
    bands = _bands(str(target)) if VERSION_TAG not in tags else ()
    image = f", an image of {counted(len(bands), 'band')}" if bands and target.suffix.lower() != ".png" else ""
    return f"replaces {target}, which is {what}{image}"


def refuse_source(target: Path, sources: SourceFiles) -> None:
    """TargetError for an existing target that the sources read: it is never replaced, whatever the user asks."""
    if os.path.exists(target) and (reader := sources.reader_of(target)) is not None:
        if os.path.isdir(target):
            raise TargetError(f"{target}: {reader} in it is one of the sources", do="Choose another target")
        raise _source(target, f" ({reader} reads it)" if reader else "")


def _source(target: Path, why: str) -> TargetError:
    return TargetError(f"{target}: is one of the sources{why}", do="Choose another target")


def _described(target: Path, tags: Mapping[str, str], mark: ResultMark) -> str:
    """What an existing file is, that this command did not write."""
    found = ResultMark.among(tags)
    if os.path.isdir(target) or target.suffix.lower() == ".pth":
        return "not the same weights"  # they have no room for a mark
    if found is None:
        return "of a version without marks" if VERSION_TAG in tags else "no result of spectralgpt"
    return OF_OTHERS if found.verb == mark.verb else f"a result of `{found.verb}`"


def _could_be_a_date(target: Path, raster: Raster) -> bool:
    """Whether a file could be another date of the raster: it overlaps it, and has the bands of it or of its files."""
    bands = _bands(str(target))
    if not bands:
        return False
    first = raster.layers[0]
    wanted = [sorted(band.name for band in raster.bands)]
    wanted += [_names(_bands(path)) for path in dict.fromkeys(layer.path for layer in first)]
    return _names(bands) in wanted and overlap(bands[0].grid, first[0].grid)


def _bands(path: str) -> Sequence[StoredBand]:
    """The bands of a file, none for what is no image."""
    try:
        return read_products(os.path.abspath(path) if os.path.exists(path) else path)[0].bands
    except InputError:
        return ()


def _names(bands: Sequence[StoredBand]) -> list[str]:
    """The names of bands, sorted, empty ones for bands without."""
    return sorted(canonical(band.name) if band.name else "" for band in bands)
