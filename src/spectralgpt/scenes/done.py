"""Whether a result that a command would make is there already."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spectralgpt.products import source_files
from spectralgpt.products.own_result import parsed
from spectralgpt.raster.marks import SOURCES_TAG, VERB_TAG, tags_of
from spectralgpt.raster.tags import PARAMETERS_TAG, RULES_TAG, SENSOR_TAG, WEIGHTS_TAG
from spectralgpt.scenes.journal import partial_of

SAME_TAGS = (VERB_TAG, SOURCES_TAG, WEIGHTS_TAG, RULES_TAG, SENSOR_TAG)
"""Tags that two results of one command share."""

OF_THE_MACHINE = ("batch", "threads")
"""Parameters that choose how, not what is computed."""


class AlreadyDone(Exception):
    """The result is there: made by the same command from the same files with the same weights and parameters."""


def is_done(written: Sequence[Path], tags: Mapping[str, str], read: Sequence[str]) -> bool:
    """Whether all files of a result are there, the first with these tags, and none of the files that it is made from is
    newer; and whether its run has ended, as one that was killed after the first file left the others as they were."""
    target = written[0]
    if partial_of(target).exists() or not all(each.exists() for each in written):
        return False
    found = tags_of(target)
    if any(found.get(name) != tags.get(name) for name in SAME_TAGS):
        return False
    if _parameters(found) != _parameters(tags):
        return False
    return _newest(read) <= target.stat().st_mtime


def _parameters(tags: Mapping[str, str]) -> dict[str, Any]:
    """What is computed, from the tag of a result; empty without one."""
    found = parsed(tags.get(PARAMETERS_TAG, ""), dict) or {}
    return {name: value for name, value in found.items() if name not in OF_THE_MACHINE}


def _newest(read: Sequence[str]) -> float:
    """When the last of the files was changed, also of those that they name, and of archives that they lie in."""
    times = [os.path.getmtime(file) for file in source_files(read).files if os.path.exists(file)]
    return max(times, default=0.0)
