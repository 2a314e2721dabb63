"""Disks that take no more: a small real one where this system lets us mount it, else files that refuse a write."""

import builtins
import errno
import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes at a folder that is made; skips the test where none can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no command mount on this system")
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_disk(folder: Path, left: int) -> Path:
    """A file that leaves so many bytes of the disk free. Returns it."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        statistics = os.statvfs(folder)
        file.write(bytes(max(0, statistics.f_bavail * statistics.f_frsize - left)))
    return filler


@contextmanager
def refusing_writes(patch: pytest.MonkeyPatch, below: Path, most: int) -> Iterator[None]:
    """Files below a folder that Python opens meanwhile take `most` bytes in all; the next byte finds the disk full.

    For systems where no small disk can be mounted. Libraries in other languages open their files themselves.
    """
    left = most
    plain = builtins.open

    class Refusing(io.FileIO):
        def write(self, data: object) -> int:
            nonlocal left
            size = memoryview(data).nbytes  # type: ignore[arg-type]
            if size > left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left -= size
            return super().write(data)  # type: ignore[arg-type]

    def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        is_below = isinstance(file, str | os.PathLike) and Path(file).is_relative_to(below)
        if opener is not None or not is_below or not set(mode) & set("wax+"):
            return plain(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = Refusing(file, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            return raw
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, encoding, errors, newline)

    with patch.context() as patched:
        patched.setattr(builtins, "open", opened)
        patched.setattr(io, "open", opened)
        yield
