"""Which entries of a folder are folders, whatever links it contains."""

import os


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one."""
    return can_be_followed(entry) and entry.is_dir()


def can_be_followed(entry: os.DirEntry[str]) -> bool:
    """False for a link to itself, in a circle or through a closed folder; a link to a missing file is True."""
    try:
        entry.is_dir()
    except OSError:
        return False
    return True


def folders_in(path: str) -> list[str]:
    """Names of the folders in a folder, sorted."""
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if is_folder(entry))
