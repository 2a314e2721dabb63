"""What all public models share: loading, saving, the hub, cubes in their units, and their fingerprint."""

import copy
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import ModelHubMixin
from torch import Tensor

from spectralgpt.arguments import checked
from spectralgpt.bands import Alignment
from spectralgpt.errors import InputError, OptionError, TargetError, WeightsError, argument
from spectralgpt.nn import (
    Cube,
    Positions,
    ReadOut,
    Scaling,
    make_cube,
)
from spectralgpt.nn.cube import as_samples
from spectralgpt.weights.card import Description, describe, model_card
from spectralgpt.weights.checkpoint_file import read_checkpoint, refuse_pointer, write_released
from spectralgpt.weights.contents import Contents, from_json
from spectralgpt.weights.described import DescribedModel
from spectralgpt.weights.hub import HUB_ERRORS, HUB_NAME, hub_folder, hub_reason
from spectralgpt.weights.named import name_note, names_in_words, packaged_as, published_as
from spectralgpt.weights.released import (
    Released,
    describe_released,
    from_released,
    released_normalization,
    to_released,
)
from spectralgpt.weights.store import (
    CONFIG,
    IN_FULL,
    TENSORS,
    check_sizes,
    check_sum,
    check_tensors,
    read_weights,
    refuse_not_finite,
    refuse_unsettled,
    write_weights,
)

ANY_WEIGHTS = (
    "Give a weights folder, a released checkpoint (.pth), a model on the Hugging Face hub (owner/name), or a name like "
    "spectralgpt-base"
)
"""What to do where no weights are found."""

Model = TypeVar("Model", bound="PretrainedModel")


class PretrainedModel(DescribedModel, ModelHubMixin):
    """A model that is loaded and saved; the public models add what belongs to their task."""

    @checked
    def cube(
        self,
        pixels: object,
        *,
        own: bool = False,
        reconstructing: bool = False,
        image_side: int | None = None,
        scaling: Scaling | None = None,
        alignment: Alignment | None = None,
    ) -> Cube:
        """Pixels aligned with the model's bands and normalized, on the model's device.

        pixels: Pixels, or anything with its fields (PixelsLike), batched or not; or a list of these of one shape and
        the same bands, which become a batch. own: the file's bands in groups of their own.
        reconstructing: parts will be hidden, so extremes of the image are not used. image_side: the longer side of the
        image (pixels) when these are a window of it. scaling: another cube's, for windows of one image. alignment: of
        these bands with the model's, if already known; `own` is then ignored.
        Raises BandError when the model recognizes none of the bands, RasterError for anything but pixels.
        """
        if image_side is not None and image_side < 1:
            raise OptionError(argument("image_side", image_side), "the longer side of the image in pixels, 1 or more")
        first, *others = (
            make_cube(
                each,
                self.config.bands,
                self.normalization,
                self.config.image,
                own=own,
                reconstructing=reconstructing,
                image_side=image_side,
                scaling=scaling,
                alignment=alignment,
            )
            for each in as_samples(pixels)
        )
        return (first.stacked(*others) if others else first).to(self.device)

    # -- in ----------------------------------------------------------------------------------------------------------

    @classmethod
    @checked
    def from_pretrained(cls: type[Model], name: str | os.PathLike[str], **hub: Any) -> Model:  # type: ignore[override]
        """The model of a weights folder, of a released checkpoint (.pth), of a name (`tiny`, `spectralgpt-base`), or of
        the Hugging Face hub (`owner/name`), in evaluation mode.

        hub: `revision`, `token`, `cache_dir`, `force_download`, `local_files_only`, as in huggingface_hub. Local
        weights need no network. Warns where a path was taken that has the name of other weights. Raises WeightsError
        naming every tensor that does not fit, for weights of another kind, and for anything that is not weights.
        """
        if note := name_note(name):
            warnings.warn(note, UserWarning, stacklevel=3)  # of the caller, above `checked`
        return cls._from_pretrained(model_id=os.fspath(name), **hub)

    @classmethod
    def _from_pretrained(cls: type[Model], *, model_id: str, **hub: Any) -> Model:
        return cls.from_contents(read_contents(model_id, cls.task.name, **hub))

    @classmethod
    def from_released(
        cls: type[Model],
        path: str | os.PathLike[str],
        *,
        heads: int | None = None,
        decoder_heads: int | None = None,
    ) -> Model:
        """The model of a released checkpoint of this class's task. heads: only for widths of no released size."""
        return cls.from_contents(read_released_contents(Path(path), cls.task.name, heads, decoder_heads))

    @classmethod
    def from_contents(cls: type[Model], contents: Contents) -> Model:
        """The model of weights that were read, in evaluation mode. Raises WeightsError where they do not fit."""
        if contents.task.name != cls.task.name:
            raise WeightsError(
                f"{contents.source}: found weights for {contents.task.name}",
                f"weights for {cls.task.name}",
                f"Load them with their class, {contents.task.class_name}",
            )
        found = {name: tuple(tensor.shape) for name, tensor in contents.tensors.items()}
        check_sizes(contents.config.size, found, contents.source)
        try:
            with torch.device("meta"):
                model = cls._made(contents)
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, InputError) as error:
            raise WeightsError(f"{contents.source}: its configuration makes no model ({error})") from None
        expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        check_tensors(expected, found, contents.source)
        # assign: the model was built on the meta device, so that a large one is in memory only once
        model.load_state_dict({name: tensor.float() for name, tensor in contents.tensors.items()}, assign=True)
        return model.requires_grad_(True).eval()

    @classmethod
    def _made(cls: type[Model], contents: Contents) -> Model:
        parts = (contents.config, contents.normalization, contents.provenance)
        model = cls(*parts) if contents.head is None else cls(parts[0], contents.head, *parts[1:])  # type: ignore[arg-type, call-arg]
        model.classes, model.thresholds = contents.classes, contents.thresholds
        if contents.read_out is not None:
            model.read_out = ReadOut(contents.read_out, contents.config.size.dim)
        return model

    # -- out ---------------------------------------------------------------------------------------------------------

    def save_pretrained(  # type: ignore[override]
        self,
        folder: str | os.PathLike[str],
        *,
        config: Any = None,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        description: Description | None = None,
        model_card_kwargs: dict[str, Any] | None = None,
        **hub: Any,
    ) -> str | None:
        """Write the weights folder with a model card, whole or not at all; missing parents are created.

        description: the model's, if already known, as computing it takes time. push_to_hub: also upload the folder to
        `repo_id` (default: the folder's name); hub: as for `push_to_hub`. config and model_card_kwargs: not used,
        huggingface_hub passes them. Raises TargetError when the folder cannot be written.
        """
        folder = Path(folder)
        self._save_pretrained(folder, description)
        return self.push_to_hub(repo_id or folder.name, **hub) if push_to_hub else None

    def _save_pretrained(self, save_directory: Path, description: Description | None = None) -> None:
        config = self._readable()
        write_weights(save_directory, config, self.state_dict(), model_card(description or describe(self)))

    def _readable(self) -> dict[str, Any]:
        """The content of config.json. WeightsError for a model that could not be read back from it."""
        contents = self._contents()
        try:
            config = contents.to_json()
            tensors = {name: tensor.to("meta") for name, tensor in self.state_dict().items()}
            back = from_json({**config, "checksum": "of no file yet"}, tensors, "the model")
            # also a check beyond config.json: that the tensors are those of the model that it describes
            type(self).from_contents(back)
            same = back.to_json() == config and back.arrangement() == contents.arrangement()
        except (TypeError, ValueError, InputError) as error:
            raise WeightsError(
                f"the model could not be read back after saving ({error})",
                f"one for {self.task.name}, as its class makes it",
            ) from None
        assert same, "saved weights are read back unchanged"
        return config

    def push_to_hub(self, repo_id: str, **hub: Any) -> str:
        """Upload the weights with their card to the Hugging Face hub. Returns the commit's address.

        hub: `private`, `token`, `branch`, `commit_message`, `create_pr`, as in huggingface_hub. Raises TargetError when
        the hub refuses or cannot be reached.
        """
        try:
            return str(super().push_to_hub(repo_id, **hub))
        except HUB_ERRORS as error:
            raise TargetError(
                f"{repo_id}: the Hugging Face hub refuses it ({hub_reason(error)})",
                "a name of yours (owner/name) and a token with permission to write",
                "Log in with `hf auth login`, or give `token`",
            ) from None

    def save_released(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint in the released format. Raises WeightsError when the format cannot hold the model."""
        released = Released(self.task, self.config, self.head_config)
        tensors = to_released(self.state_dict(), released, self.normalization)  # first: it may refuse
        write_released(Path(path), tensors)

    def with_tensors(self: Model, tensors: Mapping[str, Tensor]) -> Model:
        """The same model with these tensors, which are not copied. WeightsError where they do not fit."""
        return type(self).from_contents(replace(self._contents(), tensors=dict(tensors), source="the model"))

    def rounded(self: Model) -> Model:
        """A copy with its numbers, but those of the read-out and of a covariance, rounded to half precision: saved, it
        takes half of the space. Its features differ a little, and so does its fingerprint. WeightsError for numbers
        beyond 65,504."""
        tensors = {
            name: tensor.clone() if name.startswith(IN_FULL) else tensor.half().float()
            for name, tensor in self.state_dict().items()
        }
        refuse_not_finite(tensors, "the model in half precision")
        return self.with_tensors(tensors)

    # -- another size ------------------------------------------------------------------------------------------------

    def resized(self: Model, image: int) -> Model:
        """A copy for another image side (pixels, a multiple of the patch), for example to train on: its place tables
        are resampled bicubically to the new places (a = -0.75, align_corners False).

        `provenance["resized"]` says in words what was resized. Features at the new side are those that the model gave
        there before; at other sides they may differ a little. Raises OptionError for any other side.
        """
        patch = self.config.patch
        if image < patch or image % patch:
            raise OptionError(argument("image", image), f"a multiple of the patch, {patch} px")
        model = copy.deepcopy(self)
        if image == self.config.image:
            # a table may have more nodes than the image has places: none are given up without need
            return model
        before, after = self.config.place_nodes, (image // patch, image // patch)
        model.config = replace(self.config, image=image, place_nodes=after)
        if before == after:
            return model
        resized = []
        for name, module in model.named_modules():
            if isinstance(module, Positions):
                table = f"{name}.{module.resize_places(*after)}"
                resized.append(f"{table} from {before[0]} x {before[1]} to {after[0]} x {after[1]} places")
        model.provenance = {**self.provenance, "resized": [*self.provenance.get("resized", []), *resized]}
        return model


def read_contents(name: str | os.PathLike[str], task: str | None = None, **hub: Any) -> Contents:
    """The weights of a folder, a released checkpoint (.pth), a name or a hub id. Raises WeightsError for anything else.

    A path that exists counts before a name. task: for checkpoints that do not state theirs; a folder may state another
    one.
    """
    path = Path(name)
    if os.path.exists(path) or path.suffix.lower() == ".pth":
        try:
            return _at_path(path, task)
        except WeightsError as error:
            if note := name_note(name):
                raise WeightsError(error.found, error.expected, note) from None
            raise
    if (published := published_as(os.fspath(name))) is not None:
        checkpoint, mirror = published
        return read_released_contents(checkpoint.path(mirror, hub), task or "pretraining")
    own = packaged_as(os.fspath(name))
    return _of_folder(_downloaded(os.fspath(name), hub) if own is None else own.folder)


def _at_path(path: Path, task: str | None) -> Contents:
    """The weights of a folder or a released checkpoint."""
    if os.path.isdir(path):
        return _of_folder(path)
    if path.suffix.lower() == ".pth":
        return read_released_contents(path, task)
    raise _no_weights(path)


def _of_folder(path: Path) -> Contents:
    config, tensors = read_weights(path)
    contents = from_json(config, tensors, str(path))
    check_sum(path, config)
    refuse_not_finite(tensors, str(path))
    return contents


def read_released_contents(
    path: Path, task: str | None = None, heads: int | None = None, decoder_heads: int | None = None
) -> Contents:
    """The weights of a released checkpoint."""
    checkpoint = read_checkpoint(path)
    state = checkpoint.state
    released = describe_released(state, str(path), task=task, heads=heads, decoder_heads=decoder_heads)
    refuse_not_finite(state, str(path))
    return Contents(
        task=released.task,
        config=released.config,
        head=released.head,
        normalization=released_normalization(),
        provenance={"converted_from": path.name, **({"taken": checkpoint.note} if checkpoint.note else {})},
        classes=(),
        read_out=None,
        tensors=from_released(state, released, str(path)),
        source=str(path),
    )


def _no_weights(path: Path) -> WeightsError:
    """What to say of an existing file that is neither a folder of weights nor a checkpoint by its ending."""
    refuse_pointer(path)
    if path.name == TENSORS or path.name == CONFIG:
        return WeightsError(f"{path}: is one file of weights", "the folder that holds it", f"Give {path.parent}")
    return WeightsError(f"{path}: is a file, but no weights by the ending of its name", do=ANY_WEIGHTS)


def _downloaded(name: str, hub: dict[str, Any]) -> Path:
    """The folder of a model of the hub, from the cache if it is present there."""
    refuse_unsettled(Path(name))
    if not HUB_NAME.fullmatch(name):
        raise WeightsError(f"{name}: does not exist", do=f"{ANY_WEIGHTS}; {names_in_words(name)}")
    try:
        return hub_folder(name, [CONFIG, TENSORS], hub)
    except HUB_ERRORS as error:
        raise WeightsError(
            f"{name}: is no folder here, and the Hugging Face hub did not provide it ({hub_reason(error)})",
            do=ANY_WEIGHTS,
        ) from None
