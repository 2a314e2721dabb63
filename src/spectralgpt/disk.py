"""Atomic writes of files and folders, and locks on folders that only one run may write to."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
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
    one. After an error nothing is left but the old file; what a kill leaves, the next write replaces. Raises OSError
    when the disk refuses.
    """
    partial = path.with_name(path.name + suffix)
    try:
        with open(partial, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):  # what refused the file
            partial.unlink(missing_ok=True)
        raise
    if durable:
        fsync_folder(path.parent)


@contextmanager
def atomic_folder(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """An atomic write of a folder of files: an empty one to write to, that replaces `folder` when the block ends
    without an error. names: of the files that such a folder may hold.

    Two folders cannot be exchanged in one step, so there are fixed names beside it, and whatever a kill leaves there,
    the next writer, or `settle_folder`, clears or completes:

    .NAME.partial  being written; whole, and on the disk, before `folder` gets its other name
    .NAME.old      `folder` as it was, until the new one has its place
    .NAME.lock     held by the writer

    After an error the old folder is in its place, and nothing else is left. Raises OSError when the disk refuses:
    FileExistsError where one of these names has something else, BlockingIOError while another process writes it.
    """
    partial, old = _beside(folder)
    with _writing(folder):
        _settle(folder, names)
        try:
            partial.mkdir()
            yield partial
            for each in partial.iterdir():
                _fsync_file(each)
            fsync_folder(partial)
            if os.path.lexists(folder):
                os.rename(folder, old)
            os.rename(partial, folder)
        except BaseException:
            with suppress(OSError):  # what is left, the next writer settles
                if os.path.isdir(old) and not os.path.lexists(folder):
                    os.rename(old, folder)
                _clear(partial, names)
            raise
        fsync_folder(folder.parent)
        _clear(old, names)


def settle_folder(folder: Path, names: Collection[str]) -> None:
    """Clear or complete what a killed `atomic_folder` left: afterwards there is the old folder or the new one, whole,
    and nothing beside it. Raises as `atomic_folder`."""
    if any(os.path.lexists(each) for each in (*_beside(folder), _lock_of(folder))):
        with _writing(folder):
            _settle(folder, names)


def is_unsettled(folder: Path) -> bool:
    """Whether a killed `atomic_folder` left no folder in its place, but the old and the new one beside it."""
    return os.path.isdir(_beside(folder)[1]) and not os.path.lexists(folder)


def _beside(folder: Path) -> tuple[Path, Path]:
    """Of a folder: the one that is being written, and the one that it replaces."""
    return folder.with_name(f".{folder.name}.partial"), folder.with_name(f".{folder.name}.old")


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{LOCK}")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    lock = locked(_lock_of(folder))
    if lock is None:
        raise BlockingIOError(errno.EAGAIN, "another process is writing it", str(folder))
    try:
        yield
    finally:
        release_and_remove(lock)


def _settle(folder: Path, names: Collection[str]) -> None:
    partial, old = _beside(folder)
    if is_unsettled(folder):
        # killed between the two names: the new folder is whole, unless somebody took it away
        os.rename(partial if os.path.isdir(partial) else old, folder)
        fsync_folder(folder.parent)
    for each in (partial, old):
        _clear(each, names)


def _clear(folder: Path, names: Collection[str]) -> None:
    """Remove a folder that `atomic_folder` made, or the link that stood in its place."""
    if os.path.islink(folder):
        folder.unlink()
    if not os.path.lexists(folder):
        return
    # safetensors writes .tmpXXXXXX beside a file, which a kill leaves
    found = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else ["a file"]
    other = [name for name in found if name not in names and not name.startswith(".tmp")]
    if other:
        raise FileExistsError(
            errno.EEXIST, f"{folder.name} beside it holds {other[0]}, which spectralgpt did not write", str(folder)
        )
    shutil.rmtree(folder)


def _fsync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


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
