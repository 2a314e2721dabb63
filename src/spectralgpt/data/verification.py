"""Whether a shards folder matches its manifest, byte by byte."""

import os
from pathlib import Path

from spectralgpt.data.manifest import read_manifest
from spectralgpt.data.writing import checksum
from spectralgpt.errors import DataError
from spectralgpt.progress import Progress, silent


def verify_shards(folder: str | os.PathLike[str], progress: Progress = silent) -> int:
    """Read every shard and compare its bytes and CRC-32 with the manifest; returns their number.

    DataError names all that are missing or damaged.
    """
    path = Path(folder)
    entries = {entry.file: entry for entry in read_manifest(path).shards}
    wrong = []
    for done, entry in enumerate(entries.values(), 1):
        try:
            size, crc32 = checksum(path / entry.file)
            if size != entry.bytes:
                wrong.append(f"{entry.file} ({size} bytes instead of {entry.bytes})")
            elif crc32 != entry.crc32:
                wrong.append(f"{entry.file} (not the bytes that were written)")
        except OSError as error:
            wrong.append(f"{entry.file} ({error.strerror})")
        progress("checking shards", done, len(entries))
    if wrong:
        raise DataError(
            f"{path}: {len(wrong)} of {len(entries)} shards are missing or damaged: {', '.join(wrong)}",
            do="Remove these files, and run the verb `shard` again with the same sources",
        )
    return len(entries)
