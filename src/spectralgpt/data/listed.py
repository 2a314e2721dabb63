"""Lists of names that come with a data set: which samples belong to which part."""

import os
from collections.abc import Callable, Iterable, Mapping

from spectralgpt.errors import DataError, counted, first_few


def lines_of(path: str) -> list[str]:
    """The lines of a text file that are not empty, stripped. DataError when it cannot be read."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list ({error})", do="Download it again") from None


def first_existing(folders: Iterable[str], name: str) -> str | None:
    """The path of the file of this name in the first folder that has it."""
    return next((path for folder in folders if os.path.isfile(path := os.path.join(folder, name))), None)


def splits_of(lists: Mapping[str, str], named: Callable[[str], str]) -> dict[str, str]:
    """Sample -> split. lists: path of a split's list. named: the sample that a line of a list names.

    DataError for a sample in two lists: nobody could tell whether it may be learned from.
    """
    found: dict[str, str] = {}
    twice = []
    for split, path in lists.items():
        for sample in map(named, lines_of(path)):
            if found.setdefault(sample, split) != split:
                twice.append(sample)
    if twice:
        raise DataError(
            f"{' and '.join(lists.values())}: found {len(twice)} in more than one list: {first_few(twice, 4)}",
            "each in one",
            "Download the lists again",
        )
    return found


def refuse_unlisted(folder: str, listed: Iterable[str], present: Iterable[str], noun: str, origin: str) -> None:
    """DataError when samples that an official list names are not in the folder: its numbers would not be the official
    ones."""
    missing = sorted(set(listed) - set(present))
    if missing:
        raise DataError(
            f"{folder}: found {counted(len(missing), f'listed {noun}')} missing: {first_few(missing, 4)}",
            "all of them",
            f"Extract it again, or download it from {origin}, or remove the lists to use what is here",
        )
