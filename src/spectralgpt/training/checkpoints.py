"""Training states on disk, from which a run is resumed, also with another number of processes.

step-00000120/     weights, optimizer and average after step 120, by torch.distributed.checkpoint, one file per process
    state.json     format, version, step, the run's own part, and size and CRC-32 of every other file; written last
step-00000120.partial, step-00000080.old: being written, being removed; never read

A checkpoint is an atomic write: its folder gets its name once it is whole on the disk, and loses the name before
anything in it is removed, whenever the run is killed. One of somebody else is read without running code
(`trusted_state`).
"""

import json
import os
import re
import shutil
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from spectralgpt.disk import atomic_write, fsync_folder
from spectralgpt.errors import DataError, InputError, TargetError, first_few
from spectralgpt.free_space import of_the_disk, refusal
from spectralgpt.nn import bare
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.ema import Average
from spectralgpt.training.ending import ended_together
from spectralgpt.training.trusted_state import METADATA_FILE, TrustedPlanner, TrustedReader

FORMAT = "spectralgpt checkpoint"
VERSION = 1
STATE = "state.json"

TENSOR_BYTES = 2000
"""Of each tensor in a checkpoint beside its values: a zip file of its own, and its metadata."""

KEPT = "Earlier checkpoints are whole, and the same command goes on from the newest"

_NAME = re.compile(r"step-(\d{8,})")
_LEFT = re.compile(r"step-\d{8,}\.(partial|old)")


class DamagedError(DataError):
    """A checkpoint that is not as it was written."""


def save_checkpoint(
    folder: Path,
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    extra: dict[str, Any],
    distribution: Distribution,
    ema: Average | None = None,
    *,
    keep: int = 2,
) -> Path:
    """Write the state after a step, by all processes together; returns the checkpoint.

    extra: anything that JSON can hold. keep: number of checkpoints that stay, the newest up to this step; later ones
    go, as a run that has returned to this step found them damaged. A whole checkpoint of this step stays as it is.
    Raises TargetError when the disk refuses, after removing what is not whole: with the bytes that a checkpoint needs
    and those that are free where the disk is full.
    """
    target = folder / f"step-{step:08d}"
    partial = _with_suffix(target, ".partial")
    there = False
    needed = checkpoint_bytes(model, optimizer, ema)
    with ended_together(distribution, folder), _refusals(partial, needed, distribution):
        if distribution.is_main:
            folder.mkdir(parents=True, exist_ok=True)
            clear_killed(folder)
            there = target.exists() and not _damage(target)
            if not there:
                partial.mkdir()
    if distribution.any(there):
        return target
    with ended_together(distribution, folder), _refusals(partial, needed, distribution), _quiet():
        save(_state(model, optimizer, ema), storage_writer=FileSystemWriter(partial))
    # each process sums the files that it wrote, so that the work is shared
    own = [name for name in os.listdir(partial) if name.startswith(f"__{distribution.rank}_")]
    own += [".metadata"] if distribution.is_main else []
    sums = distribution.gathered({name: _sum(partial / name) for name in own})
    files = {name: each for part in sums for name, each in part.items()}
    content = {"format": FORMAT, "version": VERSION, "step": step, "extra": extra, "files": files}
    with ended_together(distribution, folder), _refusals(partial, needed, distribution):
        if distribution.is_main:
            _finish(partial, target, content, keep)
    return target


def _finish(partial: Path, target: Path, content: dict[str, Any], keep: int) -> None:
    """Write state.json, give the checkpoint its name, and remove those that are not kept."""
    with atomic_write(partial / STATE) as file:
        file.write((json.dumps(content) + "\n").encode())
    if target.exists():
        _remove(target)
    os.rename(partial, target)
    fsync_folder(target.parent)
    every = checkpoints(target.parent)
    for other in every[: every.index(target)] + every[every.index(target) + max(1, keep) :]:
        _remove(other)


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    distribution: Distribution,
    ema: Average | None = None,
) -> dict[str, Any]:
    """Load a checkpoint into model, optimizer and average, by all processes together; returns its `extra`.

    Raises DamagedError when it is not as it was written, DataError when it is of another model.
    """
    extra = read_extra(path, distribution)
    state = _state(model, optimizer, ema)
    _load(path, state)
    set_optimizer_state_dict(bare(model), optimizer, state["optimizer"])
    return extra


def read_extra(path: Path, distribution: Distribution) -> dict[str, Any]:
    """What the run itself put into a checkpoint, after a check of all its files; by all processes together.

    Raises DamagedError when a file is not as it was written.
    """
    return _checked(path, distribution)["extra"]  # type: ignore[no-any-return]


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints, newest first, without those that are being written or removed."""
    if not folder.is_dir():
        return []
    steps = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    return [steps[step] for step in sorted(steps, reverse=True)]


def checkpoint_bytes(model: nn.Module, optimizer: torch.optim.Optimizer, ema: Average | None = None) -> int:
    """About how large a checkpoint is, over all processes: weights, two moments of all that is trained, the average."""
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    tensors = [*bare(model).state_dict().values(), *trained, *trained, *(ema.weights.values() if ema else ())]
    values: int = sum(tensor.numel() * tensor.itemsize for tensor in tensors)
    return values + TENSOR_BYTES * (len(tensors) + len(trained))


def _state(model: nn.Module, optimizer: torch.optim.Optimizer, ema: Average | None) -> dict[str, Any]:
    """References to everything that is saved, by the names of the parameters: loading fills them in place."""
    inside, fresh = bare(model), not optimizer.state
    if not fresh:
        _complete(optimizer)
    state = {"model": inside.state_dict(), "optimizer": get_optimizer_state_dict(inside, optimizer)}
    if fresh:
        # PyTorch creates the moments by a step with rate 0, and counts it
        for each in optimizer.state.values():
            each["step"].zero_()
    return state if ema is None else state | {"average": ema.weights}


def _complete(optimizer: torch.optim.Optimizer) -> None:
    """Start the state of parameters that never had a gradient, as AdamW starts it: a checkpoint has it for all."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if not optimizer.state[parameter]:
                moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                step = torch.zeros((), dtype=torch.float32, device=parameter.device)
                optimizer.state[parameter] = {"step": step, **moments}


def _load(path: Path, state: dict[str, Any]) -> None:
    """Fill the state. DataError when the checkpoint is of another model."""
    found = _metadata(path)
    wanted = dict(_tensors("", state))
    problems = [f"no {name}" for name in wanted if name not in found]
    problems += [
        f"{name} of {tuple(found[name].size)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].size != tensor.shape
    ]
    if problems:
        raise DataError(
            f"{path}: found {first_few(problems, 3)}",
            "the state of this model",
            "Use the configuration that the run was started with, or choose another folder",
        )
    with _quiet():
        try:
            load(state, storage_reader=TrustedReader(path), planner=TrustedPlanner(path))
        except CheckpointException as error:
            if isinstance(cause := _cause(error), InputError):
                raise cause from None
            raise _damaged(path, f"files that cannot be read ({cause})") from error


def _tensors(prefix: str, state: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, value in state.items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, dict):
            yield from _tensors(f"{prefix}{name}.", value)


def _metadata(path: Path) -> dict[str, Any]:
    return dict(TrustedReader(path).read_metadata().state_dict_metadata)


# -- whole or damaged --------------------------------------------------------------------------------------------------


def _checked(path: Path, distribution: Distribution) -> dict[str, Any]:
    """The content of state.json. Rank 0 compares all files with it, so that all processes come to one verdict."""
    damage = distribution.gathered(_damage(path) if distribution.is_main else "")[0]
    if damage:
        raise _damaged(path, damage)
    content = json.loads((path / STATE).read_bytes())
    if content["version"] != VERSION:
        raise DataError(
            f"{path}: found a checkpoint of version {content['version']}",
            f"version {VERSION}",
            "Use the version of spectralgpt that wrote it",
        )
    return content  # type: ignore[no-any-return]


def _damage(path: Path) -> str:
    """What is wrong with a checkpoint, in words; empty when nothing is."""
    try:
        content = json.loads((path / STATE).read_bytes())
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            return f'a {STATE} with another format than "{FORMAT}"'
        for name, wanted in {METADATA_FILE: None, **content["files"]}.items():
            if Path(name).name != name:
                return f"the file {name}, which lies outside"
            if _sum(path / name) != wanted:
                return f"{name}, which is not as it was written"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"a file that cannot be read ({error})"
    return ""


def _damaged(path: Path, damage: str) -> DamagedError:
    every = checkpoints(path.parent)
    if path in every[:-1]:
        do = "Delete this folder to resume from the previous one"
    else:
        do = "There is no previous one: put it back from a copy, or start a new run in another folder"
    return DamagedError(f"{path}: found {damage}", "a whole checkpoint", do)


def _sum(path: Path) -> list[int]:
    """Size and CRC-32 of a file."""
    size = checksum = 0
    with path.open("rb") as file:
        while part := file.read(2**22):
            size, checksum = size + len(part), zlib.crc32(part, checksum)
    return [size, checksum]


# -- on the disk -------------------------------------------------------------------------------------------------------


def clear_killed(folder: Path) -> None:
    """Remove the remains of killed runs. Before a run writes anything: they may be all that a full disk has to give."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _LEFT.fullmatch(path.name):
            shutil.rmtree(path)


def _remove(path: Path) -> None:
    """Remove a checkpoint, its name first: a part of a checkpoint must not look like one."""
    old = _with_suffix(path, ".old")
    os.rename(path, old)
    shutil.rmtree(old)


def _with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@contextmanager
def _refusals(partial: Path, needed: int, distribution: Distribution) -> Iterator[None]:
    """TargetError, in a process that could not write, for a full disk or a folder that was removed: the user can fix
    these. What is written of the checkpoint is removed before the message says what is free."""
    try:
        yield
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise _refusal(partial, error, needed) from error
    except CheckpointException as error:
        # in all processes, with the errors of each
        if distribution.is_main:
            shutil.rmtree(partial, ignore_errors=True)
        distribution.barrier()
        cause = _cause(error)
        if not of_the_disk(cause):
            # like a second Ctrl-C
            raise cause from error
        own = error.failures.get(distribution.rank)
        if own is not None and of_the_disk(own[0]):
            raise _refusal(partial, own[0], needed) from error


def _cause(error: CheckpointException) -> BaseException:
    """The error of a process that could not write, else of the first that had one."""
    found = [each[0] for each in error.failures.values()]
    return next((each for each in found if of_the_disk(each)), found[0])


def _refusal(partial: Path, cause: BaseException, needed: int) -> TargetError:
    return refusal(partial.parent, cause, needed=needed, do=KEPT)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that DCP gives for every single-process run."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is .*assuming the intent", UserWarning)
        yield
