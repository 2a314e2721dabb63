"""manifest.json of a shards folder: what lies in it, and what could not be stored."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from spectralgpt.data.layout import Layout
from spectralgpt.data.statistics import BandTotals
from spectralgpt.disk import atomic_write
from spectralgpt.errors import DataError

NAME, FORMAT, VERSION = "manifest.json", "spectralgpt shards", 1


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A shard: its file's name, which layout its samples have, how many, its size in bytes, its CRC-32."""

    file: str
    layout: int
    count: int
    bytes: int
    crc32: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An image, or a date of one, that could not be stored. image: to which image of the sources it belongs."""

    source: str
    reason: str
    image: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a shards folder holds.

    statistics: of every band that has a valid pixel. skipped: images without a chip of enough valid pixels. roots: what
    the sources' folders are called in `source` -> where they are.
    """

    layouts: tuple[Layout, ...] = ()
    shards: tuple[ShardEntry, ...] = ()
    statistics: tuple[BandTotals, ...] = ()
    failed: tuple[Failure, ...] = ()
    skipped: tuple[str, ...] = ()
    roots: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        content = {
            "format": FORMAT,
            "version": VERSION,
            "layouts": [layout.to_dict() for layout in self.layouts],
            "shards": [asdict(shard) for shard in self.shards],
            "statistics": [band.to_dict() for band in self.statistics],
            "failed": [asdict(failure) for failure in self.failed],
            "skipped": self.skipped,
            "roots": self.roots,
        }
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """KeyError, TypeError or ValueError for what to_json did not write."""
        content = json.loads(text)
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            raise ValueError(f"{content['format']} {content['version']} instead of {FORMAT} {VERSION}")
        layouts = tuple(map(Layout.from_dict, content["layouts"]))
        shards = tuple(ShardEntry(**shard) for shard in content["shards"])
        if any(not 0 <= shard.layout < len(layouts) for shard in shards):
            raise ValueError("a shard of a layout that is not there")
        return cls(
            layouts=layouts,
            shards=shards,
            statistics=tuple(map(BandTotals.from_dict, content["statistics"])),
            failed=tuple(Failure(**failure) for failure in content["failed"]),
            skipped=tuple(content["skipped"]),
            roots=tuple((name, path) for name, path in content["roots"]),
        )


def read_manifest(folder: Path) -> Manifest:
    """DataError, naming the file, when it is missing or none."""
    path = folder / NAME
    try:
        return Manifest.from_json(path.read_text())
    except FileNotFoundError:
        found = "no manifest.json" if folder.is_dir() else "no such folder"
        raise DataError(
            f"{folder}: found {found}; expected shards. Make them with: spectralgpt shard SOURCE... --out {folder}"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: found that it cannot be read ({error.strerror})", "a manifest") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: found no manifest of shards ({type(error).__name__}: {error})",
            f'format "{FORMAT}", version {VERSION}',
            "Shard the images again, into another folder",
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace it at once. OSError when the disk refuses."""
    with atomic_write(folder / NAME) as file:
        file.write(manifest.to_json().encode())
