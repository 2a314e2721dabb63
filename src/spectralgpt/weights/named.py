"""Weights by name: those that come in the package, and the checkpoints that the authors of SpectralGPT publish."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectralgpt.disk import CACHE_VARIABLE, user_cache
from spectralgpt.errors import WeightsError, did_you_mean
from spectralgpt.weights.hub import HUB_ERRORS, HUB_NAME, hub_file, hub_reason
from spectralgpt.weights.store import CONFIG

PACKAGED_FOLDER = Path(__file__).resolve().parents[1] / "packaged_weights"
"""Folder of the package with a folder NAME-VERSION for each of its weights."""

USUAL_WEIGHTS = "tiny"
"""Name of the packaged weights that are used where none are given."""

NAME_AND_VERSION = re.compile(r"([a-z][a-z0-9-]*?)(?:-(\d{1,6}))?")

ZENODO_RECORD = "https://zenodo.org/records/8412455"
"""Where the authors publish their checkpoints, as the README of github.com/danfenghong/IEEE_TPAMI_SpectralGPT says."""

CACHED_WEIGHTS = "weights"
"""Folder for downloaded checkpoints in the user's cache."""


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Weights that come in the package."""

    name: str
    version: int
    folder: Path

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(each.stat().st_size for each in self.folder.iterdir())


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """A checkpoint that the authors publish. file: its name there. trained: on what, as they say."""

    name: str
    file: str
    trained: str

    def path(self, mirror: str, hub: Mapping[str, Any]) -> Path:
        """The file, from the user's cache or, where one is named, from a mirror on the Hugging Face hub (owner/name).

        hub: options of the hub's client. WeightsError, saying where to get the file, if it is missing.
        """
        if mirror:
            return self._mirrored(mirror, hub)
        cache = user_cache()
        folder = None if cache is None else cache / CACHED_WEIGHTS
        if folder is not None and (folder / self.file).is_file():
            return folder / self.file
        where = f"a folder `{CACHED_WEIGHTS}` in the folder that {CACHE_VARIABLE} names" if folder is None else folder
        raise WeightsError(
            f"{self.name}: found no {self.file} in {where}",
            f"the checkpoint that its authors publish at {ZENODO_RECORD} ({self.trained})",
            f"Download {ZENODO_RECORD}/files/{self.file}?download=1 to that folder as {self.file}, or ask for "
            f"{self.name}@OWNER/NAME, a model on the Hugging Face hub that contains it",
        )

    def _mirrored(self, mirror: str, hub: Mapping[str, Any]) -> Path:
        if not HUB_NAME.fullmatch(mirror):
            raise WeightsError(
                f"{self.name}@{mirror}: {mirror!r} is no name on the Hugging Face hub", f"{self.name}@OWNER/NAME"
            )
        try:
            return hub_file(mirror, self.file, hub)
        except HUB_ERRORS as error:
            raise WeightsError(
                f"{self.name}@{mirror}: the Hugging Face hub did not provide {self.file} ({hub_reason(error)})",
                f"a model that contains {self.file}",
                f"Check the name, or download the file from {ZENODO_RECORD}",
            ) from None


PUBLISHED = (
    PublishedCheckpoint("spectralgpt-base", "SpectralGPT.pth", "200 epochs on fMoW-Sentinel"),
    PublishedCheckpoint("spectralgpt-plus-base", "SpectralGPT+.pth", "continued for 100 epochs on BigEarthNet"),
)
"""The authors' checkpoints for pretraining, as their README describes them."""


def packaged() -> tuple[PackagedWeights, ...]:
    """The weights in the package, by name, the newest of each name first."""
    if not PACKAGED_FOLDER.is_dir():
        return ()
    found = []
    for folder in PACKAGED_FOLDER.iterdir():
        match = NAME_AND_VERSION.fullmatch(folder.name)
        if match is not None and match[2] is not None and (folder / CONFIG).is_file():
            found.append(PackagedWeights(match[1], int(match[2]), folder))
    return tuple(sorted(found, key=lambda each: (each.name, -each.version)))


def packaged_as(name: str) -> PackagedWeights | None:
    """The packaged weights of a name, the newest (`tiny`) or those of a version (`tiny-1`); None for any other name.

    WeightsError, naming the versions, for a version that does not come with the package.
    """
    match = NAME_AND_VERSION.fullmatch(name)
    found = [] if match is None else [each for each in packaged() if each.name == match[1]]
    if match is None or not found:
        return None
    if match[2] is None:
        return found[0]
    for each in found:
        if each.version == int(match[2]):
            return each
    raise WeightsError(
        f"{name}: this version of spectralgpt comes without these weights", f"one of: {', '.join(map(str, found))}"
    )


def published_as(name: str) -> tuple[PublishedCheckpoint, str] | None:
    """The authors' checkpoint of a name, and the mirror that follows it after an @, empty without one."""
    own, _, mirror = name.partition("@")
    return next(((each, mirror) for each in PUBLISHED if each.name == own), None)


def usual_weights() -> PackagedWeights | None:
    """The packaged weights that are used where none are given."""
    return packaged_as(USUAL_WEIGHTS)


def is_named(text: str) -> bool:
    """Whether a text that is no path is a name of weights; also for a version that does not come with the package."""
    try:
        return published_as(text) is not None or packaged_as(text) is not None
    except WeightsError:
        return True


def versioned_name(weights: str | os.PathLike[str] | None) -> str:
    """What names the same weights later, too: a name in the package with its version, anything else as it is given."""
    name = USUAL_WEIGHTS if weights is None else os.fspath(weights)
    if weights is not None and os.path.exists(name):
        return name
    found = packaged_as(name)
    return name if found is None else str(found)


def name_note(weights: str | os.PathLike[str] | None) -> str:
    """What to say where a path that exists was taken although weights have its name; empty otherwise."""
    name = "" if weights is None else os.fspath(weights)
    if not name or not os.path.exists(name) or not is_named(name):
        return ""
    return f"{name}: {os.path.abspath(name)} was taken, not the weights that have this name{_instead(name)}"


def _instead(name: str) -> str:
    """How to get the weights of a name that is also that of a path."""
    found = None if published_as(name) is not None else next((each for each in packaged() if each.name == name), None)
    if found is None or os.path.exists(str(found)):
        return "; rename the path to get those"
    return f"; {found} is their name, too"


def names_in_words(unknown: str) -> str:
    """What comes with the package, and the name that an unknown one may stand for; for messages."""
    known = packaged()
    if not known:
        return "no weights come with this version"
    near = did_you_mean(unknown, [*dict.fromkeys(each.name for each in known), *(each.name for each in PUBLISHED)])
    return f"in the package are {', '.join(map(str, known))}{'. ' + near if near else ''}"
