"""Maps that this package made and that are no images: embeddings, distances between dates, classes, valid shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spectralgpt.errors import RasterError, counted
from spectralgpt.products.header import Header
from spectralgpt.products.own_result import WEIGHTS_SHOWN, OwnResult, own_result, parsed
from spectralgpt.raster.tags import CLASSES_TAG, VALID_SHARE

QUANTITIES: Mapping[str, Literal["embeddings", "distances"]] = {"embed": "embeddings", "change": "distances"}
"""What maps without classes hold, by the verb that made them."""


@dataclass(frozen=True, slots=True)
class OwnMap:
    """A map of embeddings, of distances between two dates, of classes, or of the valid share of each place of a map of
    embeddings, from the tags of its file. classes: their names, by value."""

    kind: Literal["embeddings", "distances", "classes", "valid shares"]
    header: Header
    result: OwnResult
    classes: tuple[str, ...] = ()

    @property
    def tags(self) -> Mapping[str, str]:
        return dict(self.header.tags)

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        if self.kind == "embeddings":
            return f"a map of embeddings ({counted(len(self.header.bands), 'value')} per place)"
        if self.kind == "distances":
            return "a map of distances between two dates"
        return "a map of valid shares" if self.kind == "valid shares" else f"a map of {len(self.classes)} classes"


class OwnMapError(RasterError):
    """A map of ours where an image is expected. map: what was found."""

    map: OwnMap | None = None


def map_in(header: Header) -> OwnMap | None:
    """The map that the tags of a file state; None for other files, and for images that this package made."""
    tags = dict(header.tags)
    result, classes = own_result(tags), parsed(tags.get(CLASSES_TAG, ""), list)
    if result is None or not (classes or result.verb in QUANTITIES):
        return None
    names = tuple(str(each["name"]) for each in classes or () if isinstance(each, dict) and "name" in each)
    if [band.name for band in header.bands] == [VALID_SHARE]:
        return OwnMap("valid shares", header, result)
    return OwnMap("classes" if classes else QUANTITIES[result.verb], header, result, names)


def refuse_own_map(header: Header) -> None:
    """OwnMapError for a map that is no image."""
    found = map_in(header)
    if found is not None:
        error = OwnMapError(
            f"{header.path}: found {found.title}, made by the weights {found.result.weights[:WEIGHTS_SHOWN]}",
            "an image",
            "Give the image that it was made from; the verb `inspect` describes the map",
        )
        error.map = found
        raise error
