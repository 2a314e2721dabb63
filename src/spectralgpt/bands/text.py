"""Small text files that users write: sensors, lists of wavelengths."""

import os
import stat
from pathlib import Path

from spectralgpt.errors import BandError

LARGEST = 1_000_000
"""Bytes; a larger file is something else."""


def read_small_text(path: str | os.PathLike[str], expected: str) -> str:
    """The text of a file that the user wrote. BandError if it cannot be read, is not text, or is too large for one."""
    try:
        found = os.stat(path)
        # a pipe or a device may never end
        if not stat.S_ISREG(found.st_mode):
            raise BandError(f"{path}: is a folder or a device, not a file", do=f"Give {expected}")
        text = Path(path).read_text(encoding="utf-8-sig") if found.st_size <= LARGEST else None
    except OSError as error:
        raise BandError(f"{path}: cannot be read ({error.strerror})", do=f"Give {expected}") from None
    except ValueError:
        raise BandError(f"{path}: is not UTF-8 text", do=f"Give {expected}") from None
    if text is None:
        raise BandError(f"{path}: found {found.st_size} bytes", f"at most {LARGEST}", f"Give {expected}")
    return text
