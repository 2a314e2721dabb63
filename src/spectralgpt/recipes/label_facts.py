"""What a fine-tuning recipe is chosen by."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectralgpt.errors import OptionError

if TYPE_CHECKING:
    from spectralgpt.tasks import TargetKind


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """Facts about labelled images. target: the kind of labels. classes: their number. images: number of images that are
    trained on; of masks, of the chips that they are cut into, of the usual side, at most 128 pixels. side: usual longer
    side of an image, in pixels. dates: largest number of dates of an image."""

    target: "TargetKind"
    classes: int
    images: int
    side: int
    dates: int = 1

    def require(self, target: "TargetKind", recipe: str) -> None:
        """OptionError for labels of another kind than the recipe is for."""
        if self.target != target:
            raise OptionError(
                f"recipe {recipe}: found labels of the kind {self.target!r}",
                f"labels of the kind {target!r}",
                "Choose another recipe, like",
                ("recipe", "own"),
            )
