"""The folder of a fine-tuning: what was asked, so that only the same command continues it.

finetune.json  what was asked: data, parts, recipe, weights
shards/        the samples that are trained on and chosen by, with their labels
run/           the run: config.json, log.jsonl, checkpoints, the best state, the curve
weights/       the result: the best state, with the thresholds chosen on the part val
report.html    the report on the part test, and metrics.json
fractions/     names of the images that were drawn, where only a fraction is trained on
seed-0/ ...    run, weights and report of each seed, where there are several; then summary.json
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spectralgpt.disk import atomic_write
from spectralgpt.errors import DataError, InputError, OptionError, TargetError, first_few
from spectralgpt.free_space import refusals

ASKED = "finetune.json"
ASKED_FORMAT = "spectralgpt finetune"
FIT_NAMES = (ASKED, "shards", "run", "weights", "fractions")
"""Names in the folder that are not the report's."""
MOST_DIFFERENCES = 6


def claim_folder(folder: Path, asked: Mapping[str, Any]) -> None:
    """Make the folder and write what was asked, or check that the same was asked before.

    OptionError with what differs for another command; TargetError for a folder that holds something else.
    """
    from spectralgpt.plain import differences
    from spectralgpt.version import __version__

    path = folder / ASKED
    plain = json.loads(json.dumps(asked))
    before = _asked_before(folder)
    if before is not None:
        before = {**before, "recipe": _as_of_now(before.get("recipe"))}
        changes = [each for each in differences(plain, before) if not each.startswith("recipe.machine.")]
        if changes:
            raise OptionError(
                f"{folder}: holds a fine-tuning with other settings ({'; '.join(changes[:MOST_DIFFERENCES])})",
                "the same settings, to continue it",
                "Use those, or choose another folder",
            )
        return
    text = json.dumps({"format": ASKED_FORMAT, "version": __version__, "asked": plain}, indent=1) + "\n"
    with refusals(folder, needed=len(text)):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(text.encode())


def _as_of_now(recipe: Any) -> Any:
    """A recipe as this version writes it: settings that are new since then have their defaults. As it is, where this
    version cannot read it."""
    from spectralgpt.plain import from_plain, to_plain
    from spectralgpt.training import Recipe

    try:
        return json.loads(json.dumps(to_plain(from_plain(Recipe, recipe))))
    except OptionError:
        return recipe


@contextmanager
def claimed_folder(folder: Path, asked: Mapping[str, Any]) -> Iterator[None]:
    """The folder, claimed for what was asked.

    Where the input is refused before a step was saved, nothing is left behind: a claim would refuse the command that
    was put right. A disk that refuses is not the input's fault: what is stored is kept.
    """
    was_asked = (folder / ASKED).exists()
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    claim_folder(folder, asked)
    try:
        yield
    except TargetError:
        raise
    except InputError:
        if not was_asked and not any(folder.glob("**/checkpoints/step-*")):
            _release(folder, missing)
        raise


def _release(folder: Path, missing: list[Path]) -> None:
    """Remove what a fine-tuning wrote into the folder, and the folders that were missing before."""
    for each in [*(folder / name for name in FIT_NAMES), *folder.glob("seed-*")]:
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
    with suppress(OSError):  # someone else's file
        for each in missing:
            each.rmdir()


def check_fit_folder(folder: Path) -> None:
    """TargetError unless the folder is new, empty, or that of a fine-tuning, whose weights can be replaced."""
    from spectralgpt.weights.store import check_weights_target

    if folder.is_dir() and _asked_before(folder) is not None:
        # now, not when everything is trained
        for each in (folder / "weights", *sorted(folder.glob("seed-*/weights"))):
            if os.path.lexists(each):
                check_weights_target(each)
        return
    if folder.exists() and not folder.is_dir():
        raise TargetError(f"{folder}: found a file", "a folder", "Choose another name")
    if not folder.exists():
        return
    others = sorted(each.name for each in folder.iterdir() if not each.name.startswith((".", ASKED)))
    if others:
        raise TargetError(
            f"{folder}: found {first_few(others, 3)}", "a new folder, an empty one, or one that `finetune` wrote"
        )


def refuse_fine_tuning(path: str | os.PathLike[str]) -> None:
    """DataError for the folder of a fine-tuning, where its weights are meant."""
    folder = Path(path)
    if not os.path.isfile(folder / ASKED):  # Path.is_file raises for a name that is too long before Python 3.14
        return
    weights = [*folder.glob("weights/config.json"), *sorted(folder.glob("seed-*/weights/config.json"))]
    raise DataError(
        f"{folder}: found the folder of a fine-tuning" + ("" if weights else ", without weights as yet"),
        "an image, weights or shards",
        f"Give {weights[0].parent}" if weights else "The same command continues it",
    )


def _asked_before(folder: Path) -> Any:
    """What was asked before; None in a folder without it. TargetError for another file of that name."""
    path = folder / ASKED
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
        if content["format"] == ASKED_FORMAT:
            return content["asked"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise TargetError(f"{path}: is not of spectralgpt", "a folder that `finetune` wrote", "Choose another folder")
