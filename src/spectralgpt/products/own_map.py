"""Maps that this package made and that are no images: embeddings and classes."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spectralgpt.errors import InputError, RasterError, counted
from spectralgpt.products.header import Header, read_header
from spectralgpt.raster.tags import CLASSES_TAG, PARAMETERS_TAG, RULES_TAG, WEIGHTS_TAG
from spectralgpt.raster.writing import TIFF_SUFFIXES


@dataclass(frozen=True, slots=True)
class OwnMap:
    """A map of embeddings or of classes, from the tags of its file.

    weights: the fingerprint of the weights that made it. rules: the number of the rules by which. parameters: of the
    verb. classes: their names, by value.
    """

    kind: Literal["embeddings", "classes"]
    header: Header
    weights: str
    rules: int
    parameters: Mapping[str, Any]
    classes: tuple[str, ...] = ()

    @property
    def tags(self) -> Mapping[str, str]:
        return dict(self.header.tags)

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        if self.kind == "embeddings":
            return f"a map of embeddings ({counted(len(self.header.bands), 'value')} per place)"
        return f"a map of {len(self.classes)} classes"


def own_map(path: str) -> OwnMap | None:
    """The map in a file; None for anything else, also for a file that cannot be opened."""
    if not path.lower().endswith(TIFF_SUFFIXES) or not os.path.isfile(path):
        return None
    try:
        header = read_header(path)
    except InputError:
        return None
    return map_in(header)


def map_in(header: Header) -> OwnMap | None:
    """The map that the tags of a file state; None for other files, and for images that this package made."""
    tags = dict(header.tags)
    parameters = _parsed(tags.get(PARAMETERS_TAG, ""), dict)
    classes = _parsed(tags.get(CLASSES_TAG, ""), list)
    weights = tags.get(WEIGHTS_TAG)
    embeds = parameters is not None and parameters.get("verb") == "embed"
    if weights is None or not (embeds or classes):
        return None
    rules = tags.get(RULES_TAG, "1")  # versions before the number went by the first
    return OwnMap(
        kind="classes" if classes else "embeddings",
        header=header,
        weights=weights,
        rules=int(rules) if rules.isdecimal() else 1,
        parameters=parameters or {},
        classes=tuple(str(each["name"]) for each in classes or () if isinstance(each, dict) and "name" in each),
    )


def refuse_own_map(header: Header) -> None:
    """RasterError for a map that is no image."""
    found = map_in(header)
    if found is not None:
        raise RasterError(
            f"{header.path}: found {found.title}, made by the weights {found.weights[:16]}",
            "an image",
            "Give the image that it was made from; the verb `inspect` describes the map",
        )


def _parsed(text: str, kind: type) -> Any:
    """The JSON value of a tag, None for other text or another kind of value."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, kind) else None
