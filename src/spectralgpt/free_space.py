"""Free disk space: what a result needs, what is free, and the one message that gives both."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spectralgpt.errors import CHECK_DISK, TargetError

FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
"""Error numbers of a disk, or a share of it, that takes no more."""

LIBRARY_WRITERS = ("inline_container", "PytorchStreamWriter", "os error")
"""In errors of libraries that write files: torch's zip writer, which says no more of what a file refused, and those
that are written in Rust, such as safetensors."""

FREE_IT = "Free some space"
"""What to do about a full disk, as the beginning of a sentence."""


def free_space(path: Path) -> int | None:
    """Bytes that can still be written where `path` is, or would be; None where the system does not say."""
    for folder in (path, *path.absolute().parents):
        try:
            return shutil.disk_usage(folder).free
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
    return None


def in_bytes(count: float | int) -> str:
    """A size to two digits, like 1.4 GB."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.2g} {unit}" if count < 99.5 * size else f"{count / size:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"


def bytes_below(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 for what is missing or goes meanwhile."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it comes from, is that of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        # libraries in other languages pass on the text only, SQLite its own
        if any(text in str(error) for text in (*map(os.strerror, FULL), "database or disk is full")):
            return True
        error = error.__cause__ or error.__context__
    return False


def of_the_disk(error: BaseException) -> bool:
    """Whether an error is of the disk: an OSError, or that of a library which tells one in its own way."""
    return isinstance(error, OSError) or any(each in str(error) for each in LIBRARY_WRITERS) or is_full(error)


def refusal(path: Path, error: BaseException, *, needed: int | None = None, do: str = "") -> TargetError:
    """What to raise where the disk refuses a write: for a full disk, with what is needed and what is free.

    needed: bytes, None where that is not known. do: what else to do, or what is kept, as a sentence.
    """
    free = free_space(path)
    number = error.errno if isinstance(error, OSError) else None
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # a library may say neither; then too little space is the likeliest cause
    short = number is None and needed is not None and free is not None and free < needed
    if free is None or not (is_full(error) or short):
        return TargetError(f"{path}: cannot be written to ({reason})", do=". ".join(filter(None, (CHECK_DISK, do))))
    return TargetError(
        f"{path}: cannot be written to ({os.strerror(errno.ENOSPC)}), found {in_bytes(free)} free",
        "" if needed is None else f"about {in_bytes(needed)}",
        ". ".join(filter(None, (FREE_IT, do))),
    )


@contextmanager
def refusals(path: Path, *kinds: type[BaseException], needed: int | None = None, do: str = "") -> Iterator[None]:
    """TargetError, as `refusal` makes it, for an OSError inside, or an error of these kinds; RuntimeError, which may be
    anything, counts where it is of the disk."""
    try:
        yield
    except OSError as error:
        raise refusal(path, error, needed=needed, do=do) from error
    except kinds as error:
        if isinstance(error, RuntimeError) and not of_the_disk(error):
            raise
        raise refusal(path, error, needed=needed, do=do) from error


def require_space(path: Path, needed: int, what: str, do: str) -> None:
    """TargetError where less than `needed` bytes are free. what: they are for. do: what else could be done."""
    free = free_space(path)
    if free is not None and free < needed:
        raise TargetError(
            f"{path}: found {in_bytes(free)} free on its disk",
            f"{in_bytes(needed)}, for {what}",
            f"{FREE_IT}, or {do}",
        )
