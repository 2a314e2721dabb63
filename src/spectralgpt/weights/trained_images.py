"""Which images weights were trained on, in their provenance: so that an evaluation can recognize them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spectralgpt.errors import counted

IMAGES, CHIPS = "images", "chips"
"""Keys of the provenance: hashes of images, and the sides, in pixels, of the chips that larger images were cut into."""


@dataclass(frozen=True, slots=True)
class TrainedImages:
    """Images that a model was trained on.

    hashes: of each image or chip and date (data.image_hash), 16 hexadecimal digits. chips: sides, in pixels, of the
    chips that larger images were cut into. A million images are 23 MB of config.json.
    """

    hashes: frozenset[str] = frozenset()
    chips: frozenset[int] = frozenset()

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> "TrainedImages":
        """What a provenance declares, which others may have written: entries of any other kind are left out."""
        hashes, chips = (_listed(provenance.get(key)) for key in (IMAGES, CHIPS))
        return cls(
            frozenset(each for each in hashes if isinstance(each, str)),
            frozenset(each for each in chips if type(each) is int and each > 0),
        )

    def __or__(self, other: "TrainedImages") -> "TrainedImages":
        """The images of both."""
        return TrainedImages(self.hashes | other.hashes, self.chips | other.chips)

    def entries(self) -> dict[str, Any]:
        """The entries of the provenance, sorted: the same images give the same text."""
        return {IMAGES: sorted(self.hashes), CHIPS: sorted(self.chips)}

    def __str__(self) -> str:
        """Their number, for model cards."""
        sides = f", chips of {', '.join(map(str, sorted(self.chips)))} px" if self.chips else ""
        return f"{counted(len(self.hashes), 'image')}, as hashes in config.json{sides}"


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()
