"""Small text files that users write: sensors, lists of wavelengths."""

import os
import stat
from pathlib import Path

from spectralgpt.errors import BandError

LARGEST = 1_000_000
"""Bytes; what is larger is another file."""


def read_small_text(path: str | os.PathLike[str], expected: str) -> str:
    """The text of a file that the user wrote. BandError when it cannot be read, is no text, or too large for that."""
    try:
        found = os.stat(path)
        # a pipe or a device may never end
        if not stat.S_ISREG(found.st_mode):
            raise BandError(f"{path}: found no file to read (it is a folder or a device)", f"{expected}")
        text = Path(path).read_text(encoding="utf-8-sig") if found.st_size <= LARGEST else None
    except OSError as error:
        raise BandError(f"{path}: found no file to read ({error.strerror})", f"{expected}") from None
    except ValueError:
        raise BandError(f"{path}: found bytes that are no UTF-8 text", f"{expected}") from None
    if text is None:
        raise BandError(f"{path}: found {found.st_size} bytes", f"{expected}, at most {LARGEST}")
    return text
