"""Shards in, a pretrained model out, in a run that continues where it stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    Announced,
    DeviceOption,
    PathLike,
    PrecisionChoice,
    ShowProgress,
    ThreadsOption,
)
from spectralgpt.verbs._recipes import pretraining_recipe, with_settings


@dataclass(frozen=True, slots=True)
class Pretrained:
    """How far a run is, and where its results are.

    loss: the mean of the last logged steps; val_loss: of the validation samples, None without any. step and steps: over
    all stages. finished: False if it was interrupted; the same command continues it. weights: None before the end of
    the first stage. is_main: True in one process of a run only, which prints the result.
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
        validation = "" if self.val_loss is None else f", {self.val_loss:.4f} on held-back places"
        ended = "finished" if self.finished else "interrupted and saved; the same command continues"
        return "\n".join(
            [
                f"{self.folder}: {self.recipe}, step {self.step} of {self.steps}, {ended} ({self.seconds:.0f} s)",
                f"loss {self.loss:.4f}{validation}; {self.images_per_second:.4g} images/s, "
                f"{self.tokens_per_second:.4g} tokens/s",
                f"checkpoint: {self.checkpoint}",
                *([f"weights: {self.weights}"] if self.weights is not None else []),
                f"log and pictures: {self.folder / 'log.jsonl'}, {self.folder / 'pictures'}",
            ]
        )


class PretrainOptions(DeviceOption, ThreadsOption, total=False):
    """Where the model runs, and how."""


@with_shared_options
def pretrain(
    recipe: PathLike,
    *,
    data: PathLike,
    out: PathLike,
    weights: PathLike | None = None,
    set: str | Sequence[str] = (),
    seed: int | None = None,
    precision: PrecisionChoice | None = None,
    announce: Announced = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[PretrainOptions],
) -> Pretrained:
    """Pretrain a model on shards, in the stages of a recipe.

    The same command continues a run, whatever stopped it; on Ctrl-C and SIGTERM the run is saved first. To train with
    several processes, use torchrun: torchrun --nproc-per-node 8 -m spectralgpt pretrain ...

    Args:
        recipe: The name of a recipe, like own (a small run on your own shards) or smoke (a test of one minute), or the
            config.json of a run. docs/pretraining.md lists all recipes.
        data: Folder of shards, or of the folders of shards that the recipe names.
        out: Folder of the run: config.json, log.jsonl, checkpoints, pictures, weights.
        weights: Weights to start from (a folder, a .pth file, or a name on the hub) instead of a new model; their size,
            bands and units are kept.
        set: Change a setting of the recipe, like stages.0.lr=1e-4, stages.*.batch=64 or model.size=small; can be
            repeated.
        seed: Seed of all random choices; default: that of the recipe.
        precision: fp32, bf16, or auto (bf16 where the hardware supports it); default: that of the recipe.
        announce: Function that is called with what is worth knowing, before anything else.

    Example:
        spectralgpt pretrain smoke --data shards --out run
    """
    import time

    from spectralgpt.settings import changed
    from spectralgpt.training import read_log, run_training

    start = time.perf_counter()
    chosen = with_settings(changed(pretraining_recipe(recipe), set), seed, precision, weights)
    folder = Path(out)
    result = run_training(chosen, Path(data), folder, device=options["device"], announce=announce, progress=progress)
    records = read_log(folder / "log.jsonl")
    notes = result.notes
    if result.is_main:
        title = f"{chosen.name}: {chosen.model.size}, {result.step} of {result.steps} steps"
        notes += _draw(folder / "pictures" / "loss.png", records, title)
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
        warnings=notes,
    )


def _draw(target: Path, records: Sequence[dict[str, Any]], title: str) -> tuple[str, ...]:
    """Draw the curve of the losses. Returns a note where the disk refuses it, as the run itself is done."""
    from spectralgpt.errors import TargetError
    from spectralgpt.report import save_loss_curve

    losses = [name for name in ("loss", "token", "spectral", "val_loss") if any(name in each for each in records)]
    try:
        save_loss_curve(target, records, losses, title)
    except TargetError as error:
        return (f"a picture is missing: {error}",)
    return ()
