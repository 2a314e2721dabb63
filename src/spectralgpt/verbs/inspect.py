"""What weights are."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spectralgpt.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Inspected:
    """What weights are; `text` says all of it in words.

    source: a path, or a name on the hub. size: its name, or width x depth. image: side it was trained at, pixels.
    bands: in the model's order, with their wavelengths in nm. classes: None without a head. parameters: all of them,
    decoder or head included.
    """

    source: Path | str
    kind: str
    size: str
    image: int
    bands: tuple[str, ...]
    wavelengths: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    classes: int | None
    normalization: str
    parameters: int
    fingerprint: str
    data: str | None
    licence: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.source}\n{self.text}"


def inspect(
    source: str | os.PathLike[str],
    *,
    kind: Literal["segmentation", "change"] | None = None,
    progress: Progress = silent,
) -> Inspected:
    """Say what weights are: kind, size, bands, units, parameters, fingerprint.

    Args:
        source: A weights folder, a released checkpoint (.pth), or a model of the Hugging Face hub (owner/name).
        kind: What a checkpoint with a class for each pixel is; untold, two classes are change detection.

    Example:
        spectralgpt inspect demo-output/weights
    """
    from spectralgpt.errors import WeightsError, check_choice
    from spectralgpt.weights import describe, open_weights

    check_choice("--kind", kind, (None, "segmentation", "change"))
    path = Path(source)
    if os.path.isfile(path) and path.suffix.lower() != ".pth":
        raise WeightsError(
            f"{path}: found a file of the kind {path.suffix or 'without an ending'}; expected weights: a folder, a "
            "released checkpoint (.pth), or the name of a model on the Hugging Face hub. Images are not inspected yet."
        )
    progress("reading weights", 0, 1)
    found = describe(open_weights(source, kind))
    progress("reading weights", 1, 1)
    return Inspected(
        source=path if os.path.exists(path) else os.fspath(source),
        kind=found.kind,
        size=found.size,
        image=found.image,
        bands=tuple(band.name for band in found.bands),
        wavelengths=tuple(band.wavelength for band in found.bands),
        groups=found.groups,
        classes=found.classes,
        normalization=found.normalization,
        parameters=found.parameters,
        fingerprint=found.fingerprint,
        data=found.data,
        licence=found.licence,
        text=str(found),
    )
