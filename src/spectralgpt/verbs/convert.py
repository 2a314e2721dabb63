"""Weights from the released format to ours, and back."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spectralgpt.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Converted:
    """What was found and where it went.

    source: a path, or a name on the hub; size: its name, or width x depth; image: side it is for, pixels; classes: None
    for pretraining; resized: the tables that were read at another size, in words.
    """

    source: Path | str
    target: Path
    kind: str
    size: str
    image: int
    classes: int | None
    resized: tuple[str, ...]
    parameters: int
    tensors: int
    fingerprint: str
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        classes = "" if self.classes is None else f", {self.classes} classes"
        resized = "".join(f"resized {each}\n" for each in self.resized)
        return (
            f"{self.source}: {self.kind} weights, {self.size}, for {self.image} px{classes}, {self.parameters:,} "
            f"parameters in {self.tensors} tensors\n{resized}{self.target}: written, weights {self.fingerprint[:16]}"
        )


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    image: int | None = None,
    kind: Literal["segmentation", "change"] | None = None,
    progress: Progress = silent,
) -> Converted:
    """Convert a released checkpoint to a weights folder, or back.

    Pretraining, classification, segmentation and change detection. A TARGET that ends in .pth is written in the
    released format, any other is a weights folder.

    Args:
        source: A released checkpoint (.pth), a weights folder, or a model of the Hugging Face hub.
        target: A folder, or a file that ends in .pth.
        image: Side in pixels of the images to go on with; position tables are interpolated to it.
        kind: What a checkpoint with a class for each pixel is; untold, two classes are change detection.

    Example:
        spectralgpt convert SpectralGPT.pth weights/
        spectralgpt convert weights/ SpectralGPT.pth
        spectralgpt convert SpectralGPT.pth weights/ --image 128
    """
    from spectralgpt.errors import OptionError, check_choice
    from spectralgpt.raster import check_target, refuse_overwriting
    from spectralgpt.weights import check_weights_target, describe, open_weights

    target = Path(target)
    check_choice("--kind", kind, (None, "segmentation", "change"))
    if image is not None and image < 1:
        raise OptionError(
            f"--image {image}: found no side of an image; expected one in pixels, a multiple of the patch."
        )
    to_released = target.suffix.lower() == ".pth"
    if to_released:
        check_target(target, "file")
    else:
        check_weights_target(target)
    refuse_overwriting([os.fspath(source)], [target])
    progress("reading weights", 0, 2)
    model = open_weights(source, kind)
    resized: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    if image is not None:
        earlier = len(model.provenance.get("resized", ()))
        model = model.resized(image)
        resized = tuple(model.provenance.get("resized", ())[earlier:])
        if not resized:
            warnings = (f"--image {image}: found nothing to resize; every position table is as it was.",)
    found = describe(model)
    progress("writing weights", 1, 2)
    if to_released:
        model.save_released(target)
    else:
        model.save_pretrained(target, description=found)
    progress("writing weights", 2, 2)
    return Converted(
        source=Path(source) if os.path.exists(source) else os.fspath(source),
        target=target,
        kind=found.kind,
        size=found.size,
        image=found.image,
        classes=found.classes,
        resized=resized,
        parameters=found.parameters,
        tensors=len(model.state_dict()),
        fingerprint=found.fingerprint,
        warnings=warnings,
    )
