"""Weights from the released format to ours, and back."""

import os
from dataclasses import dataclass
from pathlib import Path

from spectralgpt.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Converted:
    """What was found and where it went. size: its name, or width x depth; image: side it was trained at, pixels."""

    source: Path
    target: Path
    kind: str
    size: str
    image: int
    parameters: int
    tensors: int
    fingerprint: str

    def __str__(self) -> str:
        return (
            f"{self.source}: {self.kind}, {self.size}, trained at {self.image} px, {self.parameters:,} parameters in "
            f"{self.tensors} tensors\n{self.target}: written, weights {self.fingerprint[:16]}"
        )


def convert(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, progress: Progress = silent
) -> Converted:
    """Convert a released pretraining checkpoint to a weights folder, or back.

    A TARGET that ends in .pth is written in the released format, any other is a weights folder.

    Args:
        source: A released checkpoint (.pth) or a weights folder.
        target: A folder, or a file that ends in .pth.

    Example:
        spectralgpt convert SpectralGPT.pth weights/
        spectralgpt convert weights/ SpectralGPT.pth
    """
    from spectralgpt.nn import SIZES
    from spectralgpt.raster import check_target
    from spectralgpt.weights import SpectralGPT, check_weights_target

    source, target = Path(source), Path(target)
    to_released = target.suffix.lower() == ".pth"
    if to_released:
        check_target(target, "file")
    else:
        check_weights_target(target)
    progress("reading weights", 0, 2)
    model = SpectralGPT.from_pretrained(source)
    progress("writing weights", 1, 2)
    if to_released:
        model.save_released(target)
    else:
        model.save_pretrained(target)
    progress("writing weights", 2, 2)
    size = model.config.size
    name = next((name for name, each in SIZES.items() if each == size), f"{size.dim} x {size.depth}")
    return Converted(
        source=source,
        target=target,
        kind="pretraining weights",
        size=name,
        image=model.config.image,
        parameters=sum(each.numel() for each in model.parameters()),
        tensors=len(model.state_dict()),
        fingerprint=model.fingerprint(),
    )
