"""Maps that this package made and that are no images: embeddings, distances, classes and what lies beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spectralgpt.errors import RasterError, counted
from spectralgpt.products.header import Header
from spectralgpt.products.own_result import WEIGHTS_SHOWN, OwnResult, own_result, parsed
from spectralgpt.raster.tags import CLASSES_TAG, LAYER_TAG, VALID_SHARE

MapKind = Literal["embeddings", "distances", "classes", "labels", "class probabilities", "entropies", "valid shares"]

LAYER_KINDS: Mapping[str, MapKind] = {
    "labels": "labels",
    "probabilities": "class probabilities",
    "entropy": "entropies",
}
"""By the tag of a raster that a verb wrote with a map of classes."""

QUANTITIES: Mapping[str, MapKind] = {"embed": "embeddings", "change": "distances"}
"""What maps without classes hold, by the verb that made them."""


@dataclass(frozen=True, slots=True)
class OwnMap:
    """A map of embeddings, of distances between two dates, of classes (one per pixel, or labels in a band each), of the
    probabilities of classes, of their entropy, or of the valid share of each place of a map of embeddings, from the
    tags of its file. classes: their names, by value or band."""

    kind: MapKind
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
        if self.kind in ("classes", "labels"):
            return f"a map of {len(self.classes)} {self.kind}"
        return "a map of distances between two dates" if self.kind == "distances" else f"a map of {self.kind}"


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
    kind: MapKind = "classes" if classes else QUANTITIES.get(result.verb, "embeddings")
    return OwnMap(LAYER_KINDS.get(tags.get(LAYER_TAG, ""), kind), header, result, names)


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
