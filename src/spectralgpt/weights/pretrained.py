"""What all public models share: loading, saving, the hub, cubes in their units, and what they are."""

import copy
import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from torch import Tensor

from spectralgpt.bands import Alignment
from spectralgpt.errors import InputError, OptionError, TargetError, WeightsError
from spectralgpt.nn import (
    Backbone,
    Cube,
    ModelConfig,
    Normalization,
    PixelsLike,
    Positions,
    Scaling,
    make_cube,
)
from spectralgpt.weights.card import Description, describe, model_card
from spectralgpt.weights.released import (
    HEADS,
    HeadConfig,
    Kind,
    Released,
    describe_released,
    from_released,
    kind_of,
    read_released,
    released_normalization,
    to_released,
    write_released,
)
from spectralgpt.weights.store import CONFIG, TENSORS, check_tensors, fingerprint, read_weights, write_weights

HUB_ERRORS: tuple[type[BaseException], ...] = (
    HfHubHTTPError,
    HfHubHTTPError.__bases__[0],
    EntryNotFoundError,
    OSError,
    ValueError,
)
"""What the hub's client raises. A base of its HTTP error is that of the library through which it speaks (requests,
httpx), whichever its version takes: a line that breaks raises one of those."""

Model = TypeVar("Model", bound="Pretrained")


@dataclass(frozen=True, slots=True)
class Contents:
    """All that weights hold, before a model is made of them. read_out: None where the format has none."""

    config: ModelConfig
    head: HeadConfig | None
    normalization: Normalization
    provenance: dict[str, Any]
    read_out: dict[str, Any] | None
    tensors: dict[str, Tensor]
    source: str

    @property
    def kind(self) -> Kind:
        """By its head."""
        return kind_of(self.head)


class Pretrained(Backbone, ModelHubMixin):
    """A backbone with all that its weights mean; the public models are this with what their kind adds.

    normalization: the units of its input. provenance: where it came from (data, licence, steps, source); no part of the
    fingerprint.
    """

    kind: ClassVar[Kind]
    normalization: Normalization
    provenance: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where the model is; cubes are made there."""
        return self.encoder.embedding.bias.device

    @property
    def head_config(self) -> HeadConfig | None:
        """What its head is; None for pretraining."""
        return None

    @property
    def read_out(self) -> dict[str, Any]:
        """Which features are the embedding of a place and of an image: the last block's, normed, averaged over present
        tokens."""
        how = {"blocks": [self.config.size.depth], "norm": "final", "pool": "mean"}
        return {"place": how, "image": how}

    def cube(
        self,
        pixels: PixelsLike,
        *,
        own: bool = False,
        reconstructing: bool = False,
        image_side: int | None = None,
        scaling: Scaling | None = None,
        alignment: Alignment | None = None,
    ) -> Cube:
        """Pixels aligned with the model's bands and normalized, on the model's device.

        pixels: Pixels, or anything with its fields, batched or not. own: the file's bands in groups of their own.
        reconstructing: parts will be hidden, so extremes of the image do not count. image_side: the longer side of the
        image (pixels) when these are a window of it. scaling: another cube's, for windows of one image. alignment: of
        these bands with the model's, where it is known; then `own` does not count.
        Raises BandError when the model knows none of the bands.
        """
        cube = make_cube(
            pixels,
            self.config.bands,
            self.normalization,
            self.config.image,
            own=own,
            reconstructing=reconstructing,
            image_side=image_side,
            scaling=scaling,
            alignment=alignment,
        )
        return cube.to(self.device)

    def fingerprint(self) -> str:
        """What these weights are, in 64 hex digits; the same after saving and loading."""
        return fingerprint(self._config_json(), self.state_dict())

    # -- in ----------------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(cls: type[Model], name: str | os.PathLike[str], **hub: Any) -> Model:  # type: ignore[override]
        """The model of a weights folder, of a released checkpoint (.pth), or of the Hugging Face hub (`owner/name`), in
        evaluation mode.

        hub: `revision`, `token`, `cache_dir`, `force_download`, `local_files_only`, as huggingface_hub has them. What
        is local needs no network. Raises WeightsError naming every tensor that does not fit, for weights of another
        kind, and for anything that is not weights.
        """
        return cls._from_pretrained(model_id=os.fspath(name), **hub)

    @classmethod
    def _from_pretrained(cls: type[Model], *, model_id: str, **hub: Any) -> Model:
        return cls.from_contents(read_contents(model_id, cls.kind, **hub))

    @classmethod
    def from_released(
        cls: type[Model],
        path: str | os.PathLike[str],
        *,
        heads: int | None = None,
        decoder_heads: int | None = None,
    ) -> Model:
        """The model of a released checkpoint, of this class's kind; heads only for widths that no released size has."""
        return cls.from_contents(read_released_contents(Path(path), cls.kind, heads, decoder_heads))

    @classmethod
    def from_contents(cls: type[Model], contents: Contents) -> Model:
        """The model of weights that were read, in evaluation mode. Raises WeightsError where they do not fit."""
        if contents.kind != cls.kind:
            raise WeightsError(
                f"{contents.source}: found weights of the kind {contents.kind}; expected {cls.kind}. Open them with "
                "the class of their kind: SpectralGPT (pretraining), Classifier, Segmenter, ChangeDetector."
            )
        try:
            with torch.device("meta"):
                model = cls._made(contents.config, contents.head, contents.normalization, contents.provenance)
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, InputError) as error:
            raise WeightsError(f"{contents.source}: found a configuration that makes no model ({error}).") from None
        if contents.read_out not in (None, model.read_out):
            raise WeightsError(f"{contents.source}: found read-out {contents.read_out}; expected {model.read_out}.")
        expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        found = {name: tuple(tensor.shape) for name, tensor in contents.tensors.items()}
        check_tensors(expected, found, contents.source)
        # assign: built on the meta device, so that a large model is in memory once
        model.load_state_dict({name: tensor.float() for name, tensor in contents.tensors.items()}, assign=True)
        return model.requires_grad_(True).eval()

    @classmethod
    def _made(
        cls: type[Model],
        config: ModelConfig,
        head: HeadConfig | None,
        normalization: Normalization,
        provenance: dict[str, Any],
    ) -> Model:
        """A new model; subclasses' constructors take a head or none."""
        parts = (config, normalization, provenance) if head is None else (config, head, normalization, provenance)
        return cls(*parts)

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
        """Write the weights folder with a model card, whole or not at all; missing parents are made.

        description: the model's, where it is known already: it is read off every number.
        push_to_hub: upload it, too, to `repo_id` (default: the folder's name); hub: as `push_to_hub` has them. config
        and model_card_kwargs: not used, huggingface_hub passes them. Raises TargetError when it cannot be written.
        """
        folder = Path(folder)
        self._save_pretrained(folder, description)
        return self.push_to_hub(repo_id or folder.name, **hub) if push_to_hub else None

    def _save_pretrained(self, save_directory: Path, description: Description | None = None) -> None:
        config = {**self._config_json(), "provenance": self.provenance}
        write_weights(save_directory, config, self.state_dict(), model_card(description or describe(self)))

    def push_to_hub(self, repo_id: str, **hub: Any) -> str:
        """Upload the weights with their card to the Hugging Face hub; the commit's address.

        hub: `private`, `token`, `branch`, `commit_message`, `create_pr`, as huggingface_hub has them. Raises
        TargetError when the hub refuses or cannot be reached.
        """
        try:
            return str(super().push_to_hub(repo_id, **hub))
        except HUB_ERRORS as error:
            raise TargetError(
                f"{repo_id}: found that the Hugging Face hub does not take it ({_first_line(error)}); expected a name "
                "of yours (owner/name) and a token that may write. Log in with `hf auth login`, or give token=."
            ) from None

    def save_released(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint in the released format. Raises WeightsError when the format cannot hold the model."""
        released = Released(self.config, self.head_config)
        tensors = to_released(self.state_dict(), released, self.normalization)  # first: it may refuse
        write_released(Path(path), tensors)

    # -- another size ------------------------------------------------------------------------------------------------

    def resized(self: Model, image: int) -> Model:
        """A copy to go on with at another image side (pixels, a multiple of the patch): its place tables are read
        bicubically at the new places (a = -0.75, align_corners False).

        What was resized stands in `provenance["resized"]`, in words. Features at the new side are those that the model
        gave there before; at other sides they may differ a little. Raises OptionError for another side.
        """
        patch = self.config.patch
        if image < patch or image % patch:
            raise OptionError(f"found an image side of {image} px; expected a multiple of the patch, {patch} px.")
        model = copy.deepcopy(self)
        if image == self.config.image:
            # a table may have more nodes than the image has places: nothing of them is given up for nothing
            return model
        before, after = self.config.place_nodes, (image // patch, image // patch)
        model.config = replace(self.config, image=image, place_nodes=after)
        if before == after:
            return model
        said = []
        for name, module in model.named_modules():
            if isinstance(module, Positions):
                table = f"{name}.{module.resize_places(*after)}"
                said.append(f"{table} from {before[0]} x {before[1]} to {after[0]} x {after[1]} places")
        model.provenance = {**self.provenance, "resized": [*self.provenance.get("resized", []), *said]}
        return model

    # -- inside ------------------------------------------------------------------------------------------------------

    def _config_json(self) -> dict[str, Any]:
        model = self.config.to_dict()
        bands = model.pop("bands")
        if self.head_config is not None:
            model |= {"kind": self.kind, "head": asdict(self.head_config)}
        config = {
            "model": model,
            "bands": bands,
            "normalization": self.normalization.to_dict(),
            "read_out": self.read_out,
        }
        plain: dict[str, Any] = json.loads(json.dumps(config))  # tuples are lists, as in the file
        return plain


def read_contents(name: str | os.PathLike[str], kind: Kind | None = None, **hub: Any) -> Contents:
    """The weights of a folder, a released checkpoint (.pth) or a hub id. kind: for checkpoints that do not tell; what
    a folder says of itself may be another. Raises WeightsError for anything else.
    """
    path = Path(name)
    if path.suffix.lower() == ".pth":
        return read_released_contents(path, kind)
    if not os.path.isdir(path):
        path = _downloaded(os.fspath(name), hub)
    config, tensors = read_weights(path)
    try:
        model = dict(config["model"])
        found: Kind = model.pop("kind", "pretraining")
        values = model.pop("head", None)
        head = None
        if values is not None or found != "pretraining":
            # tuples come back as lists
            plain: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
            }
            head = HEADS[found](**plain)
        model_config = ModelConfig.from_dict({**model, "bands": config["bands"]})
        normalization = Normalization.from_dict(config["normalization"])
        for key, side in (("patch", model_config.patch), ("image", model_config.image)):
            if not isinstance(side, int) or side < 1:
                raise ValueError(f"found {key} {side!r}; expected a side in pixels")
        provenance = dict(config["provenance"] or {})
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, InputError) as error:
        raise WeightsError(f"{path}: found a configuration that makes no model ({error!r}).") from None
    return Contents(model_config, head, normalization, provenance, config["read_out"], tensors, str(path))


def read_released_contents(
    path: Path, kind: Kind | None = None, heads: int | None = None, decoder_heads: int | None = None
) -> Contents:
    """The same of a released checkpoint."""
    state = read_released(path)
    released = describe_released(state, str(path), kind=kind, heads=heads, decoder_heads=decoder_heads)
    tensors = from_released(state, released, str(path))
    provenance = {"converted_from": path.name}
    return Contents(released.config, released.head, released_normalization(), provenance, None, tensors, str(path))


def _downloaded(name: str, hub: dict[str, Any]) -> Path:
    """The folder of a model of the hub, from its cache where it is there."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", name):
        raise WeightsError(
            f"{name}: found no such folder or .pth file; expected a weights folder, a released checkpoint, or a model "
            "of the Hugging Face hub (owner/name). No weights come with this version."
        )
    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG, TENSORS], **hub))
    except HUB_ERRORS as error:
        raise WeightsError(
            f"{name}: found no such folder, and the Hugging Face hub gave no such model ({_first_line(error)}); "
            "expected a weights folder, a released checkpoint (.pth), or the id of a model there."
        ) from None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
