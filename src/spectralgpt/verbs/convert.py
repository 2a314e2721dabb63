"""Weights from the released format to ours, and back."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    KindOption,
    OverwriteOption,
    PathLike,
    Replacing,
    ShowProgress,
)

if TYPE_CHECKING:
    from spectralgpt.weights import Description, PretrainedModel


@dataclass(frozen=True, slots=True)
class Converted:
    """What the weights are and where they are now.

    source: a path, or a name on the hub. size: its name, or width x depth. image: side of the model's images in pixels.
    classes: None for pretraining. resized: the tables that were resized, as text.
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
        return "\n".join(
            [
                f"{self.source}: {self.kind} weights, {self.size}, for images of {self.image} px{classes}; "
                f"{self.parameters:,} parameters in {self.tensors} tensors",
                *(f"resized {each}" for each in self.resized),
                f"{self.target}: written, weights {self.fingerprint[:16]}",
            ]
        )


class ConvertOptions(KindOption, OverwriteOption, total=False):
    """What a checkpoint is for, and what may be replaced."""


@with_shared_options
def convert(
    source: PathLike,
    target: PathLike,
    *,
    image: int | None = None,
    announce: Replacing = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[ConvertOptions],
) -> Converted:
    """Convert a released checkpoint to a weights folder, or back.

    Converts models for pretraining, classification, segmentation and change detection. A TARGET that ends in .pth is
    written in the released format, any other as a weights folder. What exists is replaced unasked only if it holds the
    very same weights.

    Args:
        source: A released checkpoint (.pth), a weights folder, a model on the Hugging Face hub (owner/name), or
            a name like spectralgpt-base.
        target: A folder, or a file that ends in .pth.
        image: Side in pixels of the images that the model will see; position tables are interpolated to it.
        overwrite: Replace a file, or a folder of weights, that holds something else. The source is never replaced.

    Example:
        spectralgpt convert SpectralGPT.pth weights/
        spectralgpt convert weights/ SpectralGPT.pth
        spectralgpt convert SpectralGPT.pth weights/ --image 128
    """
    from spectralgpt.errors import argument
    from spectralgpt.weights import describe, open_weights
    from spectralgpt.weights.named import name_note

    target = Path(target)
    _check(source, target, image)
    progress("reading weights", 0, 2)
    model, resized = _resized(open_weights(source, options["kind"]), image)
    found = describe(model)
    for line in _replaced(source, target, found.fingerprint, options):
        announce(line)
    progress("writing weights", 1, 2)
    _write(model, target, found, os.fspath(source))
    progress("writing weights", 2, 2)
    taken = model.provenance.get("taken", "") if os.path.isfile(source) else ""
    as_before = f"{argument('image', image)}: nothing was resized; all position tables stay as they were"
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
        warnings=(
            *filter(None, [name_note(source)]),
            *([f"{os.fspath(source)}: converted {taken}"] if taken else []),
            *(() if image is None or resized else (as_before,)),
        ),
    )


def _check(source: PathLike, target: Path, image: int | None) -> None:
    """InputError for what cannot work, before anything is read."""
    from spectralgpt.errors import OptionError, TargetError, argument
    from spectralgpt.raster import check_target
    from spectralgpt.weights import check_weights_target

    if image is not None and image < 1:
        raise OptionError(argument("image", image), "the side of an image in pixels, a multiple of the patch")
    if _is_released(target):
        check_target(target, "file")
    else:
        check_weights_target(target)
    if os.path.exists(source) and os.path.exists(target) and os.path.samefile(source, target):
        raise TargetError(f"{target}: is one of the sources", do="Choose another target")


def _replaced(source: PathLike, target: Path, fingerprint: str, options: ConvertOptions) -> tuple[str, ...]:
    """What is replaced, in words. TargetError for what must not be: neither format has room for a mark, so the weights
    themselves say whether the same command wrote them."""
    from spectralgpt.errors import InputError
    from spectralgpt.products import check_replacing, source_files
    from spectralgpt.verbs._scene import mark_of
    from spectralgpt.weights import open_weights

    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return ()
    try:
        is_same = open_weights(target, options["kind"]).fingerprint() == fingerprint
    except InputError:
        is_same = False
    return check_replacing(
        [target],
        mark_of("convert", source),
        source_files([source]),
        overwrite=options["overwrite"],
        recognized=[target] if is_same else [],
    )


def _resized(model: "PretrainedModel", image: int | None) -> tuple["PretrainedModel", tuple[str, ...]]:
    """The model for another image side, if any, and the tables that were resized for it."""
    if image is None:
        return model, ()
    earlier = len(model.provenance.get("resized", ()))
    model = model.resized(image)
    return model, tuple(model.provenance.get("resized", ())[earlier:])


def _write(model: "PretrainedModel", target: Path, description: "Description", source: str) -> None:
    from spectralgpt.errors import WeightsError

    if _is_released(target):
        try:
            model.save_released(target)
        except WeightsError as error:
            raise error.about(source) from None
    else:
        model.save_pretrained(target, description=description)


def _is_released(target: Path) -> bool:
    return target.suffix.lower() == ".pth"
