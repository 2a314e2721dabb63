"""Atomic writes, and locks on folders that only one run may write to."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from filelock import BaseFileLock, FileLock, Timeout

from spectralgpt.renames import former_names

CACHE_VARIABLE = "SPECTRALGPT_CACHE"
"""Environment variable that names the folder of what is kept between runs."""

LOCK = ".lock"
"""Name of the lock file in a folder that only one run may write to."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""The first bytes of what Git LFS leaves in place of a file that was not downloaded."""

PULL = "Run `git lfs install` and `git lfs pull` in its repository, or download the file from its page"
"""What to do about such a file."""


TRIED_BYTES = 4096
"""Written to learn whether a folder takes a file: a disk that is full still takes an empty one."""


@contextmanager
def atomic_write(path: Path, suffix: str = ".partial", *, durable: bool = True) -> Iterator[BinaryIO]:
    """An atomic write: a file to write to, as path + suffix, that replaces `path` when the block ends without an error.

    durable: fsync before and after the file gets its name, so that a power cut leaves the old file or the whole new
    one. Raises OSError when the disk refuses.
    """
    partial = path.with_name(path.name + suffix)
    with open(partial, "wb") as file:
        yield file
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(partial, path)
    if durable:
        fsync_folder(path.parent)


def user_cache() -> Path | None:
    """$SPECTRALGPT_CACHE, else `spectralgpt` in the user's cache folder; None where there is no home."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    if named := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
        return Path(named) / "spectralgpt"
    try:
        caches = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except RuntimeError:
        return None
    return caches / "spectralgpt"


def write_refusal(folder: Path) -> OSError | None:
    """Why a small file cannot be written into this folder, which is made if missing; None where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            if file.write(bytes(TRIED_BYTES)) < TRIED_BYTES:
                return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        return error
    return None


def fsync_folder(folder: Path) -> None:
    """fsync of the names in the folder; on Windows, where a folder cannot be opened, the system takes care of them."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def locked(path: Path) -> BaseFileLock | None:
    """The lock of this file, which is made if missing; None at once when it is held already, here or elsewhere.

    It is held until `release()`, or until the process ends, however it ends. Forked processes do not hold it. A file
    that an earlier run left does no harm. Raises OSError when the disk refuses.
    """
    # not of one thread: a run may end in another thread than it began in
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def release_and_remove(lock: BaseFileLock) -> None:
    """Release the lock and remove its file."""
    # Before the release, as the file may be of the next run's lock after it. Windows removes no open file: there
    # filelock itself removes it after the release.
    if os.name == "posix":
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


if not TYPE_CHECKING:  # type checkers see the new names only
    __getattr__ = former_names(__name__, {"written_beside": "disk.atomic_write", "synced": "disk.fsync_folder"})


def is_lfs_pointer(path: str | os.PathLike[str]) -> bool:
    """Whether a file is what Git LFS leaves in place of one that was not downloaded."""
    try:
        with open(path, "rb") as file:
            return file.read(len(LFS_POINTER)) == LFS_POINTER
    except (OSError, ValueError):
        return False
