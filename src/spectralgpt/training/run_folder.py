"""The folder of a run: only the same run is resumed in it, and only one process at a time writes to it."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from spectralgpt.disk import LOCK, atomic_write, locked
from spectralgpt.errors import DataError, OptionError, TargetError
from spectralgpt.free_space import refusals
from spectralgpt.plain import differences, from_plain, to_plain
from spectralgpt.training.checkpoints import clear_killed
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.ending import ended_together
from spectralgpt.training.flat_stage import with_parts
from spectralgpt.training.recipe import Recipe
from spectralgpt.training.stage_data import StageData, data_fingerprint
from spectralgpt.version import __version__
from spectralgpt.weights.store import check_weights_target, settle_weights


def run_recipe(folder: Path) -> dict[str, Any] | None:
    """The resolved recipe in the config.json of a run, as plain values; None if missing. DataError for another file."""
    path = folder / "config.json" if folder.is_dir() else folder
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        recipe: dict[str, Any] = with_parts(content["recipe"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{path}: found no configuration of a run", "a config.json that a run wrote") from None
    return recipe


LEFT = {LOCK, "config.json.partial"}
"""What a run that was killed before it had a configuration leaves."""


@contextmanager
def claimed(
    recipe: Recipe, data: tuple[StageData, ...], folder: Path, out: Path, distribution: Distribution
) -> Iterator[None]:
    """Make the folder of the run, or check that it is of the same run; while entered, no other run writes to it.

    data: of the stages, opened from `folder`. Raises, in all processes, OptionError for a run with other settings or
    shards (`machine` may differ); TargetError for a folder that holds something else, that cannot be written to, or
    that another run is writing to.
    """
    with ExitStack() as held:
        with ended_together(distribution, out):
            if distribution.is_main:
                _claim(recipe, data, folder, out, held)
        yield


def _claim(recipe: Recipe, data: tuple[StageData, ...], folder: Path, out: Path, held: ExitStack) -> None:
    """held: the stack that releases the lock."""
    config = {
        "recipe": to_plain(recipe),
        "data": os.path.abspath(folder),
        "shards": data_fingerprint(data),
        "samples": [each.count for each in data],
        "versions": {"spectralgpt": __version__, "torch": torch.__version__},
    }
    path = out / "config.json"
    if path.exists():
        # as this version writes it: settings that are new since then have their defaults
        before = to_plain(from_plain(Recipe, run_recipe(out)))
        old = json.loads(path.read_text())
        changes = [each for each in differences(config["recipe"], before) if not each.startswith("machine.")]
        if old.get("shards") != config["shards"]:
            changes.append(f"the shards in {folder} differ from those at its start")
        if changes:
            raise OptionError(
                f"{out}: found a run with other settings ({'; '.join(changes[:6])})",
                "the same settings, to resume it",
                "Use those, or choose another folder",
            )
    elif out.exists() and (not out.is_dir() or {each.name for each in out.iterdir()} - LEFT):
        raise TargetError(f"{out}: found something that is not a run", "a new folder, an empty one, or a run")
    # now, not when a stage is trained and they are written
    for each in (out / "weights", *sorted(out.glob("best/stage-*"))):
        if os.path.lexists(each):
            check_weights_target(each)
    text = json.dumps(config, indent=1) + "\n"
    with refusals(out, needed=len(text)):
        out.mkdir(parents=True, exist_ok=True)
        lock = locked(out / LOCK)
        if lock is None:
            raise TargetError(
                f"{out}: another run is already writing to this folder",
                do="Wait for it to end, or choose another folder",
            )
        held.callback(lock.release)
        _clear_killed(out, len(recipe.stages))
        # first of all: a folder without it is not a run yet, and a run that was killed before starts again
        with atomic_write(path) as file:
            file.write(text.encode())
        (out / "pictures").mkdir(exist_ok=True)


def best_weights(out: Path, number: int) -> Path:
    """The folder of a stage's best weights so far. One per stage: a run that returns to the end of a stage has already
    written those of the next."""
    return out / "best" / f"stage-{number + 1}"


def _clear_killed(out: Path, stages: int) -> None:
    """Remove what killed starts were writing, before this one writes: on a full disk there may be no other space."""
    clear_killed(out / "checkpoints")
    for weights in (out / "weights", *(best_weights(out, number) for number in range(stages))):
        settle_weights(weights)
    for picture in out.glob("pictures/*.png.partial"):
        picture.unlink()
