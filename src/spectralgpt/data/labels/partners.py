"""Which image belongs to which mask, or which second image to which first, by their names alone."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

BETWEEN_WORDS = re.compile(r"[_\-. ]+")

NameKey = tuple[str, ...]
"""The folder of a name, and the words that tell it from the others."""


@dataclass(frozen=True, slots=True)
class Partners:
    """found: pairs of indices (name, other). alone: names without a partner. spare: others without one. unclear: names
    with several possible partners, or that share one."""

    found: tuple[tuple[int, int], ...]
    alone: tuple[int, ...]
    spare: tuple[int, ...]
    unclear: tuple[int, ...]


def partners(names: Sequence[str], others: Sequence[str]) -> Partners:
    """The partners of names among other names; both are paths below their folders, without endings.

    Same path; else the same words, split at `_`, `-`, `.` and blanks, after leaving out those that all names have in
    common: image_27 and mask_27. Where there is only one name on a side, its partner's own words are among its words.
    """
    used: dict[int, list[int]] = _matched(list(names), list(others))
    left = [index for index in range(len(names)) if index not in used]
    taken = {other for found in used.values() for other in found}
    free = [index for index in range(len(others)) if index not in taken]
    if left and free:
        one, two = own_words(names), own_words(others)
        by_words = _matched([one[index] for index in left], [two[index] for index in free])
        if min(len(names), len(others)) == 1:
            by_words = _of_single([one[index] for index in left], [two[index] for index in free])
        for index, found in by_words.items():
            used[left[index]] = [free[each] for each in found]
    sharing: dict[int, int] = defaultdict(int)
    for found in used.values():
        for other in found:
            sharing[other] += 1
    clear = {index for index, found in used.items() if len(found) == 1 and sharing[found[0]] == 1}
    taken = {other for found in used.values() for other in found}
    return Partners(
        found=tuple((index, used[index][0]) for index in sorted(clear)),
        alone=tuple(index for index in range(len(names)) if index not in used),
        spare=tuple(index for index in range(len(others)) if index not in taken),
        unclear=tuple(index for index in sorted(used) if index not in clear),
    )


def own_words(names: Sequence[str]) -> list[NameKey]:
    """The folder of each name and its words, in lower case, without those that all names have; of a single name all."""
    split = [(posixpath.dirname(name), _words(posixpath.basename(name))) for name in names]
    common = set.intersection(*(set(words) for _, words in split)) if len(split) > 1 else set()
    return [(folder, *(word for word in words if word not in common)) for folder, words in split]


def _words(stem: str) -> list[str]:
    return [word for word in BETWEEN_WORDS.split(stem.lower()) if word]


def _matched(keys: Sequence[NameKey | str], others: Sequence[NameKey | str]) -> dict[int, list[int]]:
    """For the index of each key, the indices of the others that are equal to it; none without one."""
    places: dict[NameKey | str, list[int]] = defaultdict(list)
    for index, other in enumerate(others):
        places[other].append(index)
    return {index: places[key] for index, key in enumerate(keys) if key in places}


def _of_single(keys: Sequence[NameKey], others: Sequence[NameKey]) -> dict[int, list[int]]:
    """As `_matched` where one side has a single name, of which no word can be known to be common."""
    if len(keys) == len(others) == 1:
        return {0: [0]}
    within: dict[int, list[int]] = {}
    for index, key in enumerate(keys):
        found = [place for place, other in enumerate(others) if _fits(key, other)]
        if found:
            within[index] = found
    return within


def _fits(key: NameKey, other: NameKey) -> bool:
    shorter, longer = sorted((set(key[1:]), set(other[1:])), key=len)
    return key[0] == other[0] and bool(shorter) and shorter <= longer
