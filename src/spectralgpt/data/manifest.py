"""manifest.json of a folder of shards: what it holds, and what could not be stored."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectralgpt.checks import Flag
from spectralgpt.data.layout import Layout, layout_from, plain_layout
from spectralgpt.data.statistics import BandTotals
from spectralgpt.disk import atomic_write
from spectralgpt.errors import DataError, OptionError
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.tasks import Class, TargetKind

NAME, FORMAT, VERSION = "manifest.json", "spectralgpt shards", 2

UNLABELLED_VERSION = 1
"""The version of folders without targets, which earlier versions of the package read too."""


SHARD = re.compile(r"shard-(\d{5,})\.arrow")
"""Names of shards. A manifest names nothing else: no file in another folder."""


LABELLED: dict[str, Any] = {"target": None, "classes": [], "labels": None}
"""The fields that only folders with targets have in files."""


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A shard: the name of its file, the number of its layout, number of samples, size in bytes, CRC-32."""

    file: str
    layout: int
    count: int
    bytes: int
    crc32: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An image, or a date of one, that could not be stored. image: the image of the sources that it belongs to."""

    source: str
    reason: str
    image: str


@dataclass(frozen=True, slots=True)
class Suspected:
    """What the check suspects of an image that was stored, or of a date of one. kind: as of a Flag."""

    source: str
    kind: str
    reason: str
    image: str


def suspected_of(flags: Iterable[Flag], source: str, image: str) -> list[Suspected]:
    """What the flags of an image, or of a date of one, suspect."""
    return [Suspected(source, flag.kind, flag.text, image) for flag in flags]


@dataclass(frozen=True, slots=True)
class LabelsMark:
    """The labelled set that a folder was made of. digest: of its samples, splits and groups. chip: side in pixels, as
    given."""

    digest: str
    chip: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder of shards holds.

    statistics: of each band that has a valid pixel. skipped: images without a chip of enough valid pixels. roots: pairs
    of the name of a source's folder, as `source` has it, and its path. suspected: of images that were stored. nodata:
    the argument of each run, each once, empty where it was not given.

    target: what the labels of the samples are, None without labels. classes: in the order of the indices in labels and
    masks. labels: which labelled set it was made of.
    ValueError for a shard of an unlisted layout, and for the name of a file that is no shard of this folder.
    """

    layouts: tuple[Layout, ...] = ()
    shards: tuple[ShardEntry, ...] = ()
    statistics: tuple[BandTotals, ...] = ()
    failed: tuple[Failure, ...] = ()
    skipped: tuple[str, ...] = ()
    roots: tuple[tuple[str, str], ...] = ()
    suspected: tuple[Suspected, ...] = ()
    nodata: tuple[str, ...] = ()
    target: TargetKind | None = None
    classes: tuple[Class, ...] = ()
    labels: LabelsMark | None = None

    def __post_init__(self) -> None:
        if strangers := [shard.file for shard in self.shards if not SHARD.fullmatch(shard.file)]:
            raise ValueError(f"{strangers[0]!r} in place of the name of a shard, like shard-00000.arrow")
        if any(not 0 <= shard.layout < len(self.layouts) for shard in self.shards):
            raise ValueError("a shard has a layout that is not listed")

    def to_json(self) -> str:
        """The text of manifest.json."""
        content: dict[str, Any] = to_plain(self) | {"layouts": [plain_layout(each) for each in self.layouts]}
        version = VERSION
        if self.target is None:
            version = UNLABELLED_VERSION
            content = {name: value for name, value in content.items() if name not in LABELLED}
        return json.dumps({"format": FORMAT, "version": version, **content}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest of a text that to_json wrote. ValueError or OptionError for anything else."""
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        found = content.pop("format", None), content.pop("version", None)
        if found not in ((FORMAT, UNLABELLED_VERSION), (FORMAT, VERSION)):
            raise ValueError(f"format {found[0]!r}, version {found[1]!r}")
        content.setdefault("suspected", [])  # earlier versions noted none
        content.setdefault("nodata", [""] if content.get("shards") else [])  # and had no such argument
        if found[1] == UNLABELLED_VERSION:
            content = LABELLED | content
        if isinstance(layouts := content.get("layouts"), list):
            content["layouts"] = [to_plain(layout_from(each)) for each in layouts]
        return from_plain(cls, content, complete=True)

    def suspected_images(self) -> dict[str, int]:
        """The number of images per kind of suspicion, the most frequent first."""
        return dict(Counter(kind for kind, _ in {(each.kind, each.image) for each in self.suspected}).most_common())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder. DataError, naming the file, if it is missing or damaged."""
    path = folder / NAME
    try:
        return Manifest.from_json(path.read_text())
    except FileNotFoundError:
        found = f"contains no {NAME}" if folder.is_dir() else "does not exist"
        raise DataError(
            f"{folder}: {found}", "", "Make shards with the verb `shard` and", ("out", str(folder))
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", do="Check its permissions") from None
    except (ValueError, OptionError, RecursionError) as error:
        raise DataError(
            f"{path}: found no manifest of shards ({error})",
            f'format "{FORMAT}", version {UNLABELLED_VERSION} or {VERSION}',
            "Shard the images again, into another folder",
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it atomically. OSError if the disk refuses."""
    with atomic_write(folder / NAME) as file:
        file.write(manifest.to_json().encode())
