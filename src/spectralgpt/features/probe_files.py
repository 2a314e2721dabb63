"""A saved probe on disk: probe.json says what it is, probe.safetensors holds its numbers."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from spectralgpt.disk import atomic_write
from spectralgpt.errors import InputError, WeightsError, first_few
from spectralgpt.features.beside import BesideName
from spectralgpt.free_space import refusals
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.tasks import Class, TargetKind
from spectralgpt.weights import TrainedDomain

DESCRIPTION, NUMBERS = "probe.json", "probe.safetensors"
PROBE_FORMAT = "spectralgpt probe"
PROBE_VERSION = 1

NOT_ANSWERING = ("weights", "images", "reading", "fitted_on", "made")
"""Fields of a description that change no answer: where its weights were, and how it came about."""


@dataclass(frozen=True, slots=True)
class ProbeDescription:
    """What a saved probe is.

    method: of `evaluation.methods`; settings: what was chosen of it. thresholds: from which probability on a class
    applies, one per class, or one of the second class of two; empty where the likeliest class is the answer. weights,
    fingerprint: of the model that makes the features, as it was given. read_out, bands_as, precision: how it does.
    beside: the descriptors behind the vectors of images. rules: number of the rules by which features are made.
    reading: how its images were read, like gsd. images: hashes of the images that it was fitted to or chosen by
    (`data.image_hash`). fitted_on: their sensors, bands and pixel sizes, None unknown. side: the median of their longer
    sides in pixels, None unknown. made: data, seeds, scores and versions, for people.
    checksum: SHA-256 of the numbers.
    """

    format: str
    version: int
    target: TargetKind
    classes: tuple[Class, ...]
    method: str
    settings: Mapping[str, str]
    thresholds: tuple[float, ...]
    weights: str
    fingerprint: str
    read_out: Literal["auto", "mean", "layers"]
    bands_as: Literal["own"] | None
    precision: Literal["fp32", "bf16"]
    rules: int
    checksum: str
    beside: BesideName | None = None
    images: tuple[str, ...] = ()
    side: int | None = None
    reading: Mapping[str, str] = field(default_factory=dict)
    fitted_on: TrainedDomain | None = None
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def answering(self) -> str:
        """SHA-256 of all that its answers depend on, also those that the numbers do not hold, like thresholds."""
        plain = {name: each for name, each in to_plain(self).items() if name not in NOT_ANSWERING}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def is_probe(folder: Path) -> bool:
    """Whether a folder holds a saved probe."""
    return (folder / DESCRIPTION).is_file()


def is_foreign(folder: Path) -> bool:
    """Whether a folder holds a file with the name of a description that is none."""
    path = folder / DESCRIPTION
    if not path.exists():
        return False
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True
    return not isinstance(plain, dict) or plain.get("format") != PROBE_FORMAT


def write_probe(folder: Path, description: ProbeDescription, numbers: Mapping[str, np.ndarray]) -> None:
    """Write both files into a folder that exists, each by atomic write, and neither where the disk refuses one: then
    TargetError."""
    # ascontiguousarray would turn a single number into an array of one
    content = save({name: np.asarray(array, order="C") for name, array in numbers.items()})
    plain = {**to_plain(description), "checksum": hashlib.sha256(content).hexdigest()}
    text = (json.dumps(plain, indent=2) + "\n").encode()
    with (
        refusals(folder, needed=len(content) + len(text)),
        atomic_write(folder / DESCRIPTION) as stated,
        atomic_write(folder / NUMBERS) as file,
    ):
        stated.write(text)
        stated.flush()  # the numbers of another probe must not get their name before this is on the disk
        os.fsync(stated.fileno())
        file.write(content)


def read_probe(folder: Path) -> tuple[ProbeDescription, dict[str, np.ndarray]]:
    """Description and numbers. WeightsError for a file that is missing, damaged, or of another version, and for numbers
    that are not finite."""
    path = folder / DESCRIPTION
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        content = (folder / NUMBERS).read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(f"{error.filename}: does not exist", "a folder that `probe` wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be read ({error})", "a folder that `probe` wrote") from None
    description = _described(path, plain)
    if hashlib.sha256(content).hexdigest() != description.checksum:
        raise WeightsError(
            f"{folder / NUMBERS}: is not the file that was written with {DESCRIPTION} (its checksum differs)",
            do="Run `probe` again, or copy both files again",
        )
    try:
        numbers = load(content)
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{folder / NUMBERS}: is damaged ({error})", do="Run `probe` again") from None
    # not minus infinity: that is the offset of a class that was in no sample, which is never answered
    odd = [name for name, each in numbers.items() if each.dtype.kind == "f" and not bool((each < np.inf).all())]
    if odd:
        raise WeightsError(
            f"{folder / NUMBERS}: found values that are NaN or infinite in {first_few(odd, 6)}",
            "finite numbers",
            "Run `probe` again",
        )
    return description, numbers


def _described(path: Path, plain: Any) -> ProbeDescription:
    if not isinstance(plain, dict) or plain.get("format") != PROBE_FORMAT:
        raise WeightsError(f"{path}: is no description of a probe", "a folder that `probe` wrote")
    if plain.get("version") != PROBE_VERSION:
        raise WeightsError(
            f"{path}: found version {plain.get('version')!r}", f"{PROBE_VERSION}", "Use the version that wrote it"
        )
    try:
        return from_plain(ProbeDescription, plain)
    except InputError as error:
        raise WeightsError(f"{path}: {error}", "a folder that `probe` wrote") from None
