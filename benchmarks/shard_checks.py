"""What it costs to compare each record batch of shards with its checksum as it is first read.

An epoch of all samples in random order, from shards with checksums and from the same shards without, as earlier
versions wrote them; each time opened anew, so that every batch is checked. Pages in memory, and dropped before each
epoch, so that they come from the disk. Alone, and with the augmentation of every batch (crops of 96 px) on the same
core: the least that a training does with a sample. A later epoch of the same opened shards checks nothing. Runs are
interleaved.

    python benchmarks/shard_checks.py --repeats 7
"""

import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from loader import CHIP, IMAGE, sharded
from measuring import about, given, interleaved, options, write

from spectralgpt.bands import BandSet
from spectralgpt.data.augmentation import Augmentation, augmented
from spectralgpt.data.column_checksums import CHECKSUMS, column_checksum
from spectralgpt.data.loader import Loader, MixtureEntry
from spectralgpt.data.manifest import read_manifest, write_manifest
from spectralgpt.data.shards import Shards, open_shards
from spectralgpt.nn import BandStatistics, Normalization

WITH, WITHOUT = "with checksums", "without"


def without_checksums(folder: Path, out: Path) -> None:
    """The same shards as an earlier version wrote them."""
    out.mkdir()
    manifest, entries = read_manifest(folder), []
    for entry in manifest.shards:
        with pa.memory_map(str(folder / entry.file)) as file:
            reader = pa.ipc.open_file(file)
            kept = {name: value for name, value in reader.schema.metadata.items() if name != CHECKSUMS}
            with pa.ipc.new_file(out / entry.file, reader.schema.with_metadata(kept)) as writer:
                for number in range(reader.num_record_batches):
                    writer.write_batch(reader.get_batch(number).replace_schema_metadata(kept))
        content = (out / entry.file).read_bytes()
        entries.append(replace(entry, bytes=len(content), crc32=zlib.crc32(content)))
    write_manifest(out, replace(manifest, shards=tuple(entries)))


def dropped(folder: Path) -> None:
    """No page of the folder's files is in memory."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def epoch(shards: Shards, batch: int, workers: int, augments: bool) -> Callable[[], None]:
    """Every sample once."""
    source = MixtureEntry(shards, None, (0,), (np.arange(shards.counts[0]),))
    loader = Loader([source], batch=batch, micro=batch, seed=0, workers=workers)
    found = tuple(BandStatistics(each.band, each.asinh_mean, each.asinh_sd) for each in shards.manifest.statistics)
    normalization, augmentation = Normalization("standard", found), Augmentation(IMAGE)

    def run() -> None:
        steps = loader.steps()
        for _ in range(loader.steps_per_epoch):
            (samples,) = next(steps).micro
            if augments:
                bands = BandSet.native(samples.bands)
                augmented(samples, augmentation, bands, normalization, trained_side=IMAGE, device="cpu")
        steps.close()

    return run


def first_epochs(
    folders: dict[str, Path], batch: int, workers: int, augments: bool, from_disk: bool, repeats: int
) -> dict[str, list[float]]:
    """Seconds of first epochs, interleaved, pages being where they are to be; the first of each is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in folders}
    for repeat in range(repeats + 1):
        for name, folder in folders.items():
            dropped(folder) if from_disk else [path.read_bytes() for path in folder.iterdir()]
            run = epoch(open_shards(folder), batch, workers, augments)
            start = time.perf_counter()
            run()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def compared(seconds: dict[str, list[float]], size: int) -> dict[str, float]:
    """Medians, and by how much checks lengthen an epoch: of medians, and of neighbouring runs."""
    shares = [own / bare - 1 for own, bare in zip(seconds[WITH], seconds[WITHOUT], strict=True)]
    own, bare = (statistics.median(seconds[name]) for name in (WITH, WITHOUT))
    return {
        "with_s": own,
        "without_s": bare,
        "gigabytes_per_s_without": size / bare / 1e9,
        "lengthened_by": own / bare - 1,
        "lowest": min(shares),
        "median_of_pairs": statistics.median(shares),
        "highest": max(shares),
    }


def throughput(shards: Shards, repeats: int) -> dict[str, float]:
    """Gigabytes per second of the checksum, and of a CRC-32 of all bytes, on the record batches of the shards."""
    columns = [block.batch.column("values") for block in shards._table(shards.manifest.shards[0]).blocks]
    size = sum(column.buffers()[1].size for column in columns)
    ways = {
        "checksum": lambda: [column_checksum(column) for column in columns],
        "crc-32 of all bytes": lambda: [zlib.crc32(column.buffers()[1]) for column in columns],
    }
    return {name: size / statistics.median(each) / 1e9 for name, each in interleaved(ways, repeats, "cpu").items()}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=100, help="of a whole run, for the share of all its epochs")
    parser.set_defaults(threads=1)
    found = given(parser)
    side = 3072 if not found.quick else 512
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as temporary:
        folder = Path(temporary)
        shards, _ = sharded(folder, side, 1)
        without_checksums(shards.folder, folder / "bare")
        folders = {WITH: shards.folder, WITHOUT: folder / "bare"}
        size = sum(entry.bytes for entry in shards.manifest.shards)
        rows: dict[str, dict[str, float]] = {}
        for augments in (False, True):
            for workers in (0, 2):
                what = f"{'with augmentation' if augments else 'loader alone'}, {workers} workers"
                how = (found.batch, workers, augments)
                for place, from_disk in (("pages in memory", False), ("from the disk", True)):
                    taken = first_epochs(folders, *how, from_disk, found.repeats)
                    rows[f"first epoch, {place}, {what}"] = compared(taken, size)
                runs = {name: epoch(open_shards(each), *how) for name, each in folders.items()}
                rows[f"later epoch, {what}"] = compared(interleaved(runs, found.repeats, "cpu"), size)
        speeds = throughput(shards, found.repeats)
    whole = {}
    for name, row in rows.items():
        kind, _, what = name.partition(", ")
        if kind == "first epoch":
            bare = found.epochs * rows[f"later epoch, {what.partition(', ')[2]}"]["without_s"]
            whole[what] = (row["with_s"] - row["without_s"]) / bare
    result = {
        "what": f"an epoch of {sum(shards.counts)} samples of 12 x {CHIP} x {CHIP} uint16 in batches of {found.batch}",
        **about(found),
        "gigabytes_per_s": speeds,
        "rows": rows,
        f"share_of_{found.epochs}_epochs": whole,
    }
    bars = {
        "seconds of an epoch with checks, by those without": {
            name: 1 + row["lengthened_by"] for name, row in rows.items()
        }
    }
    write("shard_checks", result, bars, "without checks = 1", found.out)


if __name__ == "__main__":
    main()
