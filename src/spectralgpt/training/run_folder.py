"""The folder of a run: whose it is, and that only the same run goes on in it."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from spectralgpt.disk import atomic_write, locked
from spectralgpt.errors import DataError, InputError, OptionError, TargetError
from spectralgpt.plain import differences, from_plain, to_plain
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.flat_stage import with_parts
from spectralgpt.training.recipe import Recipe
from spectralgpt.training.stage_data import StageData, data_fingerprint
from spectralgpt.version import __version__


def run_recipe(folder: Path) -> dict[str, Any] | None:
    """The resolved recipe of a run's config.json as plain values; None without one. DataError for another file."""
    path = folder / "config.json" if folder.is_dir() else folder
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        recipe: dict[str, Any] = with_parts(content["recipe"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: found no configuration of a run", "the config.json that one wrote") from None
    return recipe


LOCK = ".lock"
LEFT = {LOCK, "config.json.partial"}
"""What a run leaves that was killed before it had a configuration."""


@contextmanager
def claimed(
    recipe: Recipe, data: tuple[StageData, ...], folder: Path, out: Path, distribution: Distribution
) -> Iterator[None]:
    """The run's folder, made, or seen to be of the same run; no other process writes there meanwhile.

    data: of the stages, from `folder`. Raises OptionError for a run of other settings or shards (`machine` may differ),
    TargetError for anything else that stands there, a folder that cannot be written to, or that another run holds; in
    all processes.
    """
    problem: InputError | None = None
    with ExitStack() as held:
        if distribution.is_main:
            try:
                _claim(recipe, data, folder, out, held)
            except InputError as error:
                problem = error
        # every process must end when one refuses
        if distribution.any(problem is not None):
            raise problem or OptionError("the first process refused to start.")
        yield


def _claim(recipe: Recipe, data: tuple[StageData, ...], folder: Path, out: Path, held: ExitStack) -> None:
    """held: takes the lock."""
    config = {
        "recipe": to_plain(recipe),
        "data": os.path.abspath(folder),
        "shards": data_fingerprint(data),
        "samples": [each.count for each in data],
        "versions": {"spectralgpt": __version__, "torch": torch.__version__},
    }
    path = out / "config.json"
    if path.exists():
        # as this version has it: settings that came since have their defaults
        before = to_plain(from_plain(Recipe, run_recipe(out)))
        old = json.loads(path.read_text())
        changes = [each for each in differences(config["recipe"], before) if not each.startswith("machine.")]
        if old.get("shards") != config["shards"]:
            changes.append(f"the shards in {folder} are others than those it was started on")
        if changes:
            raise OptionError(
                f"{out}: found a run of other settings ({'; '.join(changes[:6])}); expected the same to go on with it. "
                "Choose another --out, or the same settings."
            )
    elif out.exists() and (not out.is_dir() or {each.name for each in out.iterdir()} - LEFT):
        raise TargetError(f"{out}: found something that is no run", "a new name, an empty folder, or a run")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = locked(out / LOCK)
        if lock is None:
            raise TargetError(
                f"{out}: another run is already writing to this folder",
                do="Wait for it to end, or choose another folder",
            )
        held.callback(lock.release)
        # first of all: a run that is killed before it has this is none, and starts anew
        with atomic_write(path) as file:
            file.write((json.dumps(config, indent=1) + "\n").encode())
        (out / "pictures").mkdir(exist_ok=True)
    except OSError as error:
        raise TargetError(f"{out}: found that it cannot be written to ({error.strerror})", "a folder") from None
