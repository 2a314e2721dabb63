"""Weights on disk: a folder with config.json and model.safetensors."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spectralgpt.disk import atomic_folder, is_unsettled, settle_folder
from spectralgpt.errors import TargetError, WeightsError, counted, first_few
from spectralgpt.free_space import refusals
from spectralgpt.nn import Size
from spectralgpt.weights.checkpoint_file import refuse_pointer

CARD = "README.md"
MARK = "<!-- written by spectralgpt: remove this line to keep your own text when weights are saved again -->"
CONFIG, TENSORS = "config.json", "model.safetensors"
WEIGHTS_FILES = frozenset({CONFIG, TENSORS, CARD})
PROBED = "probe.json"
"""In a folder that `probe` wrote, which is often given for one of weights."""

IN_FULL = ("read_out.", "conditional_mean.covariance", "conditional_mean.means", "conditional_mean.shares")
"""How names of tensors begin that are never rounded to half precision: those of the read-out, and the covariances
and what belongs to them, as their smallest eigenvalues would be lost."""
MOST_TENSORS = 6
"""Tensors of one kind that a message names."""

PARTS = ("model", "bands", "normalization", "read_out")
"""The parts of config.json that, with the tensors, make a model."""


def fingerprint(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over the canonical JSON of model, bands, normalization and read-out, and the tensors by name.

    config: in the arrangement of version 1 (Contents.arrangement). Tensors count as float32, so that storing them in
    another type, or saving them again, changes nothing. Provenance is not included.
    """
    digest = hashlib.sha256(json.dumps({part: config[part] for part in PARTS}, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().float().contiguous()
        digest.update(json.dumps([name, list(tensor.shape)]).encode())
        digest.update(np.ascontiguousarray(tensor.numpy(), "<f4").data)
    return digest.hexdigest()


def check_weights_target(folder: Path) -> None:
    """Refuse, before any work, a folder that could not be written; leaves nothing behind.

    TargetError when the parent is missing or cannot be written to, or when the folder holds anything but weights, as it
    would be replaced.
    """
    # os.path: no traceback for a name that is too long
    if os.path.exists(folder) and not _replaceable(folder):
        names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        # what is in the way: beside our files, what is not ours
        found = first_few(sorted(names - {CONFIG, TENSORS, CARD} or names), 3) or "a file"
        raise TargetError(
            f"{folder}: found {found}",
            "a new folder, an empty one, or weights to replace",
            "Choose another folder, or move what is not weights elsewhere",
        )
    try:
        with tempfile.TemporaryFile(dir=folder.parent):  # nameless: a kill leaves nothing
            pass
    except OSError as error:
        raise TargetError(
            f"{folder}: {folder.parent} cannot be written to ({error.strerror or error})",
            do="Create that folder, or choose another",
        ) from None


def write_weights(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], card: str) -> None:
    """Write the folder, whole or not at all, and create its parents. A card that was written by hand is kept.

    TargetError as in check_weights_target, or when the disk refuses. The older weights stay until the new ones are in
    their place; what a kill leaves beside them, the next writer clears or completes (`atomic_folder`).
    """
    with suppress(OSError):  # reported below
        folder.parent.mkdir(parents=True, exist_ok=True)
    check_weights_target(folder)
    stored = as_stored(tensors)
    needed = sum(tensor.numel() * tensor.itemsize for tensor in stored.values())
    with refusals(folder, SafetensorError, needed=needed):
        text = card.encode()
        with suppress(FileNotFoundError):
            written = (folder / CARD).read_bytes()  # a card written by hand may be in any encoding
            text = text if MARK.encode() in written else written
        with atomic_folder(folder, WEIGHTS_FILES) as partial:
            save_file(stored, partial / TENSORS)
            # safetensors makes it readable by its owner alone, unlike a user's other files
            (partial / TENSORS).chmod(0o644)
            content = {**config, "checksum": checksum(partial / TENSORS)}
            (partial / CONFIG).write_text(json.dumps(content, indent=1) + "\n")
            (partial / CARD).write_bytes(text)


def settle_weights(folder: Path) -> None:
    """Clear or complete what a killed `write_weights` left beside the folder. TargetError when the disk refuses."""
    with refusals(folder):
        settle_folder(folder, WEIGHTS_FILES)


def refuse_unsettled(folder: Path) -> None:
    """WeightsError where a kill left no weights in their place, but the old and the new ones beside it."""
    if is_unsettled(folder):
        raise WeightsError(
            f"{folder}: its writer was killed while it replaced these weights",
            do="Run the same command again, which completes them",
        )


def as_stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as they are written: in half precision where that loses nothing of the whole model, as after
    `PretrainedModel.rounded`; those of IN_FULL always in float32."""
    written = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    halves = {name: tensor.half() for name, tensor in written.items() if not name.startswith(IN_FULL)}
    if all(torch.equal(half.to(written[name].dtype), written[name]) for name, half in halves.items()):
        written |= halves
    return written


def checksum(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sum(folder: Path, config: Mapping[str, Any]) -> None:
    """WeightsError when the tensors are not those written with config.json; version 1 has no checksum."""
    wanted = config.get("checksum")
    if wanted is not None and checksum(folder / TENSORS) != wanted:
        raise WeightsError(
            f"{folder / TENSORS}: is not the file that was written with {CONFIG} (its checksum differs)",
            do="Download it again",
        )


def read_weights(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """config.json and the tensors, as float32. WeightsError when one is missing, damaged, or not ours."""
    config = _read_config(folder / CONFIG)
    path = folder / TENSORS
    refuse_pointer(path)
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise WeightsError(f"{folder}: found no {TENSORS}", f"one beside {CONFIG}") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: is damaged ({error})", do="Download it again") from None
    return config, {name: tensor.to(torch.float32) for name, tensor in tensors.items()}


def check_tensors(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], source: str) -> None:
    """WeightsError naming the missing, unexpected and misshapen tensors, the first six of each and how many there are;
    nothing when they are the same."""
    faults = {
        "missing": [f"missing {name} {expected[name]}" for name in expected if name not in found],
        "unexpected": [f"unexpected {name} {found[name]}" for name in found if name not in expected],
        "of another shape": [
            f"{name} has shape {found[name]}, expected {expected[name]}"
            for name in expected
            if name in found and found[name] != expected[name]
        ],
    }
    listed = [
        first_few(names, MOST_TENSORS, "\n  ") + (f" {kind}" if len(names) > MOST_TENSORS else "")
        for kind, names in faults.items()
        if names
    ]
    if listed:
        raise WeightsError(f"{source}: the tensors are not exactly those of the model:\n  " + "\n  ".join(listed))


def check_sizes(size: Size, found: Mapping[str, tuple[int, ...]], source: str) -> None:
    """WeightsError where the configuration has another width or depth than the tensors: before a model is made, as one
    of a hundred thousand blocks takes minutes to make, only to be refused.

    found: shapes by name. What the tensors do not show is left to `check_tensors`.
    """
    faults = []
    for part, prefix in (("encoder", ""), ("decoder", "decoder_")):
        blocks = {name.split(".")[2] for name in found if name.startswith(f"{part}.blocks.")}
        norm = found.get(f"{part}.norm.weight", ())
        for name, shown in ((f"{prefix}depth", len(blocks)), (f"{prefix}dim", norm[0] if len(norm) == 1 else 0)):
            stated = getattr(size, name)
            if shown and shown != stated:
                faults.append(f"{name} {stated} in {CONFIG} and {shown} in the tensors")
    if faults:
        raise WeightsError(
            f"{source}: found {', '.join(faults)}",
            "a configuration of these tensors",
            f"{CONFIG} and {TENSORS} are of two models, or one was edited: take both from where they were written",
        )


def refuse_not_finite(tensors: Mapping[str, Tensor], source: str) -> None:
    """WeightsError naming the tensors with values that are NaN or infinite, and how many these are."""
    # a finite sum shows that every value is finite, and is several times as fast as looking at each
    odd = {name: tensor for name, tensor in tensors.items() if not bool(tensor.sum().isfinite())}
    counts = {name: int((~tensor.isfinite()).sum()) for name, tensor in odd.items()}
    faults = [f"{name} ({counts[name]} of {odd[name].numel()})" for name in odd if counts[name]]
    if faults:
        raise WeightsError(
            f"{source}: found values that are NaN or infinite in {counted(len(faults), 'tensor')}: "
            f"{first_few(faults, MOST_TENSORS)}",
            "finite numbers",
            "Take an earlier checkpoint of that training, or download the file again",
        )


def _replaceable(folder: Path) -> bool:
    """Whether a folder is empty, or holds weights of ours and nothing else."""
    if not folder.is_dir():
        return False
    names = {entry.name for entry in folder.iterdir()}
    try:
        # other models also have files of these names
        return not names or (names <= WEIGHTS_FILES and bool(_read_config(folder / CONFIG)))
    except WeightsError:
        return False


def _read_config(path: Path) -> dict[str, Any]:
    refuse_pointer(path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        refuse_unsettled(path.parent)
        # the folder of a run, or of several
        below = [each.parent for depth in ("", "*/") for each in sorted(path.parent.glob(f"{depth}weights/{CONFIG}"))]
        found = f"weights only below it, in {below[0]}" if below else f"no {CONFIG}"
        do = "Give that folder" if below else ""
        if (path.parent / PROBED).is_file():
            found = "what `probe` wrote"
            do = "Give the weights that it was fitted with; the verbs `predict` and `evaluate` take the probe"
        raise WeightsError(f"{path.parent}: found {found}", "a folder of spectralgpt weights", do) from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})", do="Check its permissions") from None
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: is not valid JSON ({error})", do="Download it again") from None
    missing = [part for part in (*PARTS, "provenance") if not isinstance(config, dict) or part not in config]
    if missing:
        raise WeightsError(f"{path}: found no {', '.join(missing)}", "the configuration of spectralgpt weights")
    return config  # type: ignore[no-any-return]
