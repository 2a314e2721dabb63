"""One run at a time in a folder: a file that the operating system locks, and lets go of however the run ends."""

from pathlib import Path
from typing import IO


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
