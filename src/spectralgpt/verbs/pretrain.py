"""Shards in, a pretrained model out, in a run that goes on where it stopped."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.progress import Progress, silent

if TYPE_CHECKING:
    from spectralgpt.training import Recipe


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Where a run is.

    loss: the mean of the last steps logged; val_loss: of the held-back samples, None without any. step of steps, over
    all stages. finished: false where it was interrupted; the same command goes on. weights: None before the first
    stage's end. is_main: false in all processes of a run but one, which tells the result.
    """

    folder: Path
    recipe: str
    finished: bool
    step: int
    steps: int
    loss: float
    val_loss: float | None
    images_per_second: float
    tokens_per_second: float
    checkpoint: Path
    weights: Path | None
    seconds: float
    is_main: bool = True
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        held = "" if self.val_loss is None else f", {self.val_loss:.4f} on places held back"
        ended = "finished" if self.finished else "interrupted and saved; the same command goes on"
        return "\n".join(
            [
                f"{self.folder}: {self.recipe}, step {self.step} of {self.steps}, {ended} ({self.seconds:.0f} s)",
                f"loss {self.loss:.4f}{held}; {self.images_per_second:.4g} images/s, "
                f"{self.tokens_per_second:.4g} tokens/s",
                f"checkpoint: {self.checkpoint}",
                *([f"weights: {self.weights}"] if self.weights is not None else []),
                f"log and pictures: {self.folder / 'log.jsonl'}, {self.folder / 'pictures'}",
            ]
        )


def pretrain(
    recipe: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    set: Sequence[str] = (),
    seed: int | None = None,
    precision: str | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> Pretrained:
    """Pretrain a model on shards, in the stages of a recipe.

    The same command goes on where a run stopped, whatever stopped it; Ctrl-C and SIGTERM save first. Under torchrun it
    trains with all its processes: torchrun --nproc-per-node 8 -m spectralgpt pretrain ...

    Args:
        recipe: paper-base, paper-large, paper-huge, multi-sensor, own (a small run for shards of your own), smoke
            (does it work? a minute), or the config.json of a run.
        data: Shards, or a folder of the shards that the recipe names.
        out: The run's folder: config.json, log.jsonl, checkpoints, pictures, weights.
        weights: Go on from these (a folder, a .pth, a name on the hub) instead of a new model; their size, bands and
            units are kept.
        set: Another value for a setting of the recipe, like stages.0.lr=1e-4, stages.*.batch=64 or model.size=small;
            may be given several times.
        seed: Of everything that is drawn; the recipe's if not told.
        precision: bf16 or fp32; auto takes bf16 where the hardware has it.
        device: cpu, cuda, or auto, which takes a GPU when there is one.

    Example:
        spectralgpt pretrain smoke --data shards --out run
    """
    import time

    from spectralgpt.report import save_loss_curve
    from spectralgpt.settings import changed
    from spectralgpt.training import read_log, run_training

    start = time.perf_counter()
    told = {"seed": seed, "machine.precision": precision, "model.weights": None if weights is None else _found(weights)}
    options = [f"{name}={value}" for name, value in told.items() if value is not None]
    chosen = changed(_recipe(os.fspath(recipe)), [*set, *options])
    folder = Path(out)
    result = run_training(chosen, Path(data), folder, device=device, progress=progress)
    records = read_log(folder / "log.jsonl")
    if result.is_main:
        save_loss_curve(
            folder / "pictures" / "loss.png",
            records,
            [name for name in ("loss", "token", "spectral", "val_loss") if any(name in each for each in records)],
            f"{chosen.name}: {chosen.model.size}, {result.step} of {result.steps} steps",
        )
    validated = [each["val_loss"] for each in records if "val_loss" in each]
    return Pretrained(
        folder=folder,
        recipe=chosen.name,
        finished=result.finished,
        step=result.step,
        steps=result.steps,
        loss=result.record["loss"],
        val_loss=validated[-1] if validated else None,
        images_per_second=result.record["images_per_second"],
        tokens_per_second=result.record["tokens_per_second"],
        checkpoint=result.checkpoint,
        weights=result.weights,
        seconds=time.perf_counter() - start,
        is_main=result.is_main,
        warnings=result.notes,
    )


def _recipe(name: str) -> "Recipe":
    from spectralgpt.plain import from_plain
    from spectralgpt.recipes import find
    from spectralgpt.training import Recipe, run_recipe

    if name.endswith(".json") or os.path.isdir(name):
        plain = run_recipe(Path(name))
        if plain is not None:
            return from_plain(Recipe, plain)
    return find(name)


def _found(weights: str | os.PathLike[str]) -> str:
    """Where they are, for the next start too, which may be from elsewhere; a name on the hub as it is."""
    return os.path.abspath(weights) if os.path.exists(weights) else os.fspath(weights)
