"""The file of a checkpoint (.pth): read without running code, and the state dict found in it."""

import argparse
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectralgpt.disk import PULL, atomic_write, is_lfs_pointer
from spectralgpt.errors import WeightsError, first_few
from spectralgpt.free_space import refusals

CONTAINERS = (
    *("model", "state_dict", "model_state_dict", "module"),
    *("net", "network", "weights", "student", "params"),
)
"""Keys under which training scripts store the state dict, the likeliest first."""

AVERAGES = ("ema", "model_ema", "ema_model", "state_dict_ema", "ema_state_dict", "swa_model", "teacher")
"""Keys of a moving average of the weights beside them, which is taken only where there is nothing else."""

AVERAGED = re.compile(r"(?:.*_)?(?:ema|swa|teacher|averaged?|shadow)(?:_.*)?", re.IGNORECASE)
"""A part of a tensor's name that says that it belongs to such an average."""

OF_EVERY_MODEL = "patch_embed.proj.weight"
"""A tensor of every model of the released format: what stands before its name is the prefix of that model."""

SHADOWS = ("shadow", "ema_model", "params")
"""Keys under which a moving average keeps its tensors, beside its decay."""

COUNTERS = ("n_averaged",)
"""Tensors of a wrapper that are no weights: torch's AveragedModel counts."""

PREFIXES = ("module.", "model.", "_orig_mod.")
"""What wrappers put before each name: DataParallel, Lightning, torch.compile. Whatever else stands before all names of
a model, like `backbone.`, is found by a tensor that every model has."""

NOTHING_ELSE = "`{}`, a moving average, as it is all that there is"
NOT_THE_AVERAGE = "the weights themselves, not their moving average (`{}`); to take that, save its tensors alone"
"""Notes on which of several state dicts was taken."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckpointState:
    """state: tensors by name, without prefixes. note: which of several state dicts was taken, empty where there is
    one."""

    state: dict[str, Tensor]
    note: str = ""


def read_released(path: Path) -> dict[str, Tensor]:
    """The state dict of a .pth, as `read_checkpoint` finds it."""
    return read_checkpoint(path).state


def read_checkpoint(path: Path) -> CheckpointState:
    """The state dict of a .pth: bare, or under `model`, `state_dict` and the like, one in another; without the prefixes
    `module.`, `model.` and `_orig_mod.`, in any order, or any other that all names of a model have (`backbone.`). A
    moving average (`ema`) is taken only where there is nothing else.

    Read without running code: only tensors, plain values and argparse.Namespace (the released `args`) are accepted.
    WeightsError when the file is damaged, holds anything else, or no state dict.
    """
    content = _content(path)
    found = _state_in(content, CONTAINERS)
    averages = [
        key for key in AVERAGES if isinstance(content, Mapping) and _state_in(content.get(key), CONTAINERS + SHADOWS)
    ]
    if found is None and averages:
        found = _state_in(content[averages[0]], CONTAINERS + SHADOWS)
        assert found is not None
        return CheckpointState(_bare(found, path)[0], NOTHING_ELSE.format(averages[0]))
    if found is None:
        expected = f"one, bare or under {', '.join(f'`{key}`' for key in CONTAINERS)}"
        raise WeightsError(f"{path}: found no state dict{_keys_of(content)}", expected)
    state, note = _bare(found, path)
    return CheckpointState(state, note or (NOT_THE_AVERAGE.format(averages[0]) if averages else ""))


def refuse_pointer(path: Path) -> None:
    """WeightsError for what Git LFS leaves in place of a file that was not downloaded."""
    if is_lfs_pointer(path):
        raise WeightsError(f"{path}: is a pointer of Git LFS, not the file itself", do=PULL)


def write_released(path: Path, released: Mapping[str, Tensor]) -> None:
    """Write a .pth with the state dict under `model`, in float32 and without prefix, in one step (atomically)."""
    state = {name: tensor.float().cpu() for name, tensor in released.items()}
    needed = sum(tensor.numel() * tensor.itemsize for tensor in state.values())
    # torch's zip writer reports a full disk as RuntimeError
    with refusals(path, RuntimeError, needed=needed), atomic_write(path) as file:
        torch.save({"model": state}, file)


def _content(path: Path) -> Any:
    if not path.is_file():
        if path.exists():
            raise WeightsError(f"{path}: is not a file", do="Give a released checkpoint (.pth)")
        raise WeightsError(f"{path}: does not exist", do="Check the path")
    refuse_pointer(path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            # about the pickle protocol and other things that do not concern a user
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise WeightsError(
                f"{path}: found objects that would run code when read",
                "only tensors, plain values and an argparse.Namespace",
                "Nothing was run. Save the state dict alone and convert that",
            ) from None
        raise _damaged(path) from None
    except Exception:  # damaged bytes raise nearly anything inside torch: KeyError, AssertionError, UnicodeDecodeError
        raise _damaged(path) from None


def _state_in(content: Any, keys: tuple[str, ...]) -> Mapping[str, Tensor] | None:
    """The state dict that a value is, or contains under one of these keys; None without one."""
    if not isinstance(content, Mapping) or not content:
        return None
    if all(isinstance(name, str) and isinstance(each, Tensor) for name, each in content.items()):
        return content
    return next((found for key in keys if (found := _state_in(content.get(key), keys)) is not None), None)


def _bare(state: Mapping[str, Tensor], path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of one model without prefixes, and a note on a moving average among them, which is left out."""
    prefix, averages = _prefixes(state, path)
    bare: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if _is_averaged(name) and averages and not (prefix and name.startswith(prefix)):
            continue
        short = name.removeprefix(prefix) if prefix and name.startswith(prefix) else _without_prefixes(name)
        if short in bare:
            raise WeightsError(f"{path}: found two tensors {short}, as {name} and under another prefix", "one of them")
        if short not in COUNTERS:
            bare[short] = tensor
    if prefix and _is_averaged(prefix):
        return bare, NOTHING_ELSE.format(prefix.rstrip("."))
    return bare, NOT_THE_AVERAGE.format(averages[0]) if averages else ""


def _prefixes(state: Mapping[str, Tensor], path: Path) -> tuple[str, list[str]]:
    """What stands before the names of the model that is taken, and the moving averages that are left out.

    WeightsError for several models of which none is an average.
    """
    found = [
        name.removesuffix(OF_EVERY_MODEL)
        for name in state
        if name == OF_EVERY_MODEL or name.endswith(f".{OF_EVERY_MODEL}")
    ]
    plain = [prefix for prefix in found if not _is_averaged(prefix)]
    if len(plain or found) > 1 and len(set(map(_without_prefixes, plain or found))) > 1:
        listed = first_few([f"`{prefix}`" for prefix in plain or found], 6)
        raise WeightsError(
            f"{path}: found {len(plain or found)} models in one state dict ({listed})",
            "one",
            "Save the tensors of one of them alone, and give that file",
        )
    if found and not plain:
        return found[0], []
    averages = [_averaged_part(name) for name in state if _is_averaged(name)]
    if len(averages) == len(state):  # nothing else is there
        return "", []
    return (plain[0] if plain else ""), averages[:1]


def _is_averaged(name: str) -> bool:
    """Whether a part of a tensor's name, or of a prefix, says that it belongs to a moving average."""
    return bool(_averaged_part(name))


def _averaged_part(name: str) -> str:
    return next((part for part in name.split(".")[:-1] if AVERAGED.fullmatch(part)), "")


def _without_prefixes(name: str) -> str:
    while prefix := next((each for each in PREFIXES if name.startswith(each)), ""):
        name = name.removeprefix(prefix)
    return name


def _keys_of(content: Any) -> str:
    keys = [str(key) for key in content] if isinstance(content, Mapping) else []
    return f" among {first_few(keys, 6)}" if keys else ""


def _damaged(path: Path) -> WeightsError:
    return WeightsError(f"{path}: cannot be read as a checkpoint (.pth)", do="Download it again")
