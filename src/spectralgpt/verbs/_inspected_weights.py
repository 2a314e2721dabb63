"""What weights are: the part of `inspect` that is about weights."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spectralgpt.progress import Progress
from spectralgpt.verbs._inspected import Inspected
from spectralgpt.verbs._options import PathLike


@dataclass(frozen=True, slots=True)
class InspectedWeights(Inspected):
    """What weights are; `text` says all of it in words.

    source: a path, or a name on the hub. size: its name, or width x depth. image: side in pixels of the images it was
    trained on. bands: in the model's order, with their wavelengths in nm. classes: None without a head. thresholds:
    from which probability on classes are answered, empty where none were chosen. parameters: of the whole model, with
    its decoder or head.
    """

    source: Path | str
    kind: str
    size: str
    image: int
    bands: tuple[str, ...]
    wavelengths: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    classes: int | None
    thresholds: tuple[float, ...]
    normalization: str
    parameters: int
    fingerprint: str
    data: str | None
    licence: str | None
    text: str
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        return [str(self.source), self.text]


def inspect_weights(
    source: PathLike, kind: Literal["segmentation", "change"] | None, progress: Progress
) -> InspectedWeights:
    """What weights are, of this kind where they do not state it."""
    from spectralgpt.weights import describe, open_weights
    from spectralgpt.weights.named import name_note

    progress("reading weights", 0, 1)
    found = describe(open_weights(source, kind))
    progress("reading weights", 1, 1)
    return InspectedWeights(
        source=Path(source) if os.path.exists(source) else os.fspath(source),
        kind=found.kind,
        size=found.size,
        image=found.image,
        bands=tuple(band.name for band in found.bands),
        wavelengths=tuple(band.wavelength for band in found.bands),
        groups=found.groups,
        classes=found.classes,
        thresholds=found.thresholds,
        normalization=found.normalization,
        parameters=found.parameters,
        fingerprint=found.fingerprint,
        data=found.data,
        licence=found.licence,
        text=str(found),
        warnings=tuple(filter(None, [name_note(source)])),
    )
