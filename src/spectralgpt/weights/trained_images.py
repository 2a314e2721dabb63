"""Which images weights were trained on, in their provenance: so that an evaluation can recognize them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spectralgpt.errors import counted

IMAGES, LABELLED_IMAGES, CHIPS = "images", "labelled_images", "chips"
"""Keys of the provenance: hashes of images, of those that were seen with their labels, and the sides, in pixels, of the
chips that larger images were cut into."""


@dataclass(frozen=True, slots=True)
class TrainedImages:
    """Images that a model was trained on.

    hashes: of each image or chip and date (data.image_hash), 16 hexadecimal digits. chips: sides, in pixels, of the
    chips that larger images were cut into. labelled: those of the hashes that were seen with their labels. A million
    images are 23 MB of config.json.
    """

    hashes: frozenset[str] = frozenset()
    chips: frozenset[int] = frozenset()
    labelled: frozenset[str] = frozenset()

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> "TrainedImages":
        """What a provenance declares, which others may have written: entries of any other kind are left out."""
        hashes, labelled, chips = (_listed(provenance.get(key)) for key in (IMAGES, LABELLED_IMAGES, CHIPS))
        known = frozenset(each for each in hashes if isinstance(each, str))
        return cls(
            known,
            frozenset(each for each in chips if type(each) is int and each > 0),
            frozenset(each for each in labelled if isinstance(each, str)) & known,
        )

    def with_labels(self) -> "TrainedImages":
        """The same images, all seen with their labels."""
        return replace(self, labelled=self.hashes)

    def __or__(self, other: "TrainedImages") -> "TrainedImages":
        """The images of both."""
        return TrainedImages(self.hashes | other.hashes, self.chips | other.chips, self.labelled | other.labelled)

    def entries(self) -> dict[str, Any]:
        """The entries of the provenance, sorted: the same images give the same text."""
        labelled = {LABELLED_IMAGES: sorted(self.labelled)} if self.labelled else {}
        return {IMAGES: sorted(self.hashes), **labelled, CHIPS: sorted(self.chips)}

    def __str__(self) -> str:
        """Their number, for model cards."""
        sides = f", chips of {', '.join(map(str, sorted(self.chips)))} px" if self.chips else ""
        labelled = f", {len(self.labelled)} of them with labels" if self.labelled else ""
        return f"{counted(len(self.hashes), 'image')}{labelled}, as hashes in config.json{sides}"


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()
