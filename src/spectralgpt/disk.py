"""Files that are whole or not there, and folders in which one run writes at a time, whatever ends a process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO


@contextmanager
def written_beside(path: Path, suffix: str = ".partial", *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write, beside its place, which takes its name when the block ends well.

    durable: when it is on the disk, so that a power cut does not empty it. OSError when the disk refuses.
    """
    beside = path.with_name(path.name + suffix)
    with open(beside, "wb") as file:
        yield file
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(beside, path)
    if durable:
        synced(path.parent)


def synced(folder: Path) -> None:
    """Names in the folder are on the disk; where a folder cannot be opened (Windows), the system takes care."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def locked(path: Path) -> IO[bytes] | None:
    """The file, open and locked until it is closed; None when another process has it. Made where there is none."""
    file = path.open("ab")
    try:
        import fcntl
    except ImportError:  # not on Windows: two runs at once are not noticed there
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
